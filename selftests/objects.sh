#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=4 mem=3G timeout=600 cpu=max,-la57
#
# Memory objects, which programs of the host and of three guests lend each other: guests with kernels of
# three series, one without a guard and two with, in both directions. What was taken back is gone, also
# from a guest that sleeps, a program that is killed and a guest that ends; and a guest's kernel that
# writes nonsense.

. "$(dirname "$0")/lib.sh"
need_sigma

programs=/usr/lib/sigma-rig
program=$programs/objects
out=/run/objects
names=(. a b c)			# guest N answers at number N
ROOM=16				# MiB for each side: half of SharedMemory=
FORGED=$((256 * 77))		# modules/forger.c

guest_up() { wait_guest "$1" && in_guest "$1" "tar -xf /dev/vdb -C /run"; }

# in_background GUEST NAME ARGUMENT...: run "objects" in the guest; its output goes to $out.NAME
in_background()
{
	local number=$1 name=$2
	shift 2
	in_guest "$number" "(/run/objects $* >$out.$name 2>&1; echo \$? >$out.$name.status) \
		>/dev/null 2>&1 </dev/null &"
}
said()
{
	until_true 60 grep -qe "$2" -e FAILED "$out.$1" && grep -q -- "$2" "$out.$1" || { cat "$out.$1"; return 1; }
}
guest_said()
{
	until_true 60 in_guest "$1" "grep -qe '$3' -e FAILED $out.$2" && in_guest "$1" "grep -q -- '$3' $out.$2" ||
		{ in_guest "$1" "cat $out.$2"; return 1; }
}
serve_in_guest() { in_background "$1" "server$2" serve "/dev/iosc/$2" && guest_said "$1" "server$2" open; }
serve_on_host() { $program serve "$1" >$out.server 2>&1 & server=$!; said server open; }
kill_server() { kill -9 "$server"; wait "$server" 2>/dev/null; [ $? = 137 ]; }
keep_on_host() { $program keep "$@" >$out.keep 2>&1 & keeper=$!; said keep keeps; }
server_lost() { in_guest "$1" "[ \$(grep -c 'left void' $out.server2) = $2 ]"; }
shared_by_both()
{
	sigmactl status --shared "$1" | tee "$out.shared"
	[ "$(awk '$2 == 2 { print $1, $3, $4, $5 }' "$out.shared")" = "host 1 1M 1M
guest 1 1M 1M" ]
}
has_room() { [ "$($program fill "$1" $((4 * ROOM)))" = "room $ROOM" ]; }

for number in 1 2 3; do
	tar -cf /run/program.$number -C $programs objects forger.ko
done
# sharing NAME KERNEL GUARD NET
sharing()
{
	guest "$1" kernel="$2" guard="$3" disk=/dev/vdb line=ReadOnly=yes disk="/run/program.$4" net="$4" &&
		sed -i "s/^Memory=.*/&\nSharedMemory=$((2 * ROOM))M/" "/etc/sigma/$1.guest"
}
sharing a 6.1 no 1
sharing b 6.12 memory 2
sharing c 7.2 full 3
remember_host
start_all() { sigmactl start a & sigmactl start b & sigmactl start c && wait; }
check "three guests start, with kernels of three series and other guards" start_all

for number in 1 2 3; do
	name=${names[number]}
	check "$name: user space answers" guest_up $number
	check "$name: its kernel has the rest of the memory" \
		in_guest $number "awk '\$1 == \"MemTotal:\" { exit \$2 > (256 - 2 * $ROOM) * 1024 }' /proc/meminfo"
	check "$name: its half of the area has $ROOM MiB, also once they were freed" \
		in_guest $number "[ \"\$(/run/objects fill /dev/iosc/1 $((4 * ROOM)))\" = 'room $ROOM' ]"
	check "$name: the host's half, too" has_room "/dev/iosc/$name/1"
	check "$name: a server runs in the guest" serve_in_guest $number 2
	check "$name: the host lends and takes memory" within 120 $program drive "/dev/iosc/$name/2"
	check "$name: once more, in a new session" within 120 $program drive "/dev/iosc/$name/2"
	check "$name: a server runs on the host" serve_on_host "/dev/iosc/$name/3"
	check "$name: the guest lends and takes memory" in_guest $number "timeout 120 /run/objects drive /dev/iosc/3"
	check "$name: a frame of 8 MiB goes to the guest 20 times" \
		within 60 $program stream "/dev/iosc/$name/2" 8 20
	check "$name: the host's half is whole again" has_room "/dev/iosc/$name/1"

	# ---- programs are killed
	check "$name: a program of the guest lends to the server, and takes" \
		eval "in_background $number keep keep /dev/iosc/3 && guest_said $number keep keeps"
	check "$name: the host's server is killed" kill_server
	check "$name: the guest's program has lost what was lent to it, and nothing else" \
		guest_said $number keep "peer ended, theirs void, own kept"
	check "$name: a program of the host lends to the guest's server, and takes" keep_on_host "/dev/iosc/$name/2"
	check "$name: sigmactl says who holds what" shared_by_both "$name"
	check "$name: that program is killed" eval "kill -9 $keeper; wait $keeper 2>/dev/null; [ \$? = 137 ]"
	# Once before, of the frames
	check "$name: the guest's server has lost what was lent to it" until_true 60 server_lost "$number" 2
	check "$name: the host's half is whole again" has_room "/dev/iosc/$name/1"
done

# ---- sleep
mkfifo $out.fifo
exec 6<>$out.fifo
for name in a c; do
	number=$(($(printf %d "'$name") - 96))
	$program asleep "/dev/iosc/$name/2" <$out.fifo >$out.asleep 2>&1 &
	check "$name: the guest's server holds memory of the host" said asleep holds
	check "$name: the guest falls asleep" sigmactl sleep $name
	echo >&6
	check "$name: the memory is taken back while it is" said asleep revoked
	check "$name: the guest wakes" sigmactl wake $name
	check "$name: its user space answers" wait_guest "$number"
	echo >&6
	check "$name: the server has the memory no more" said asleep void
	wait
done

# ---- a kernel that writes nonsense. The module that does so is for the host's kernel
check "c is killed" eval 'sigmactl kill c && wait_gone c'
sharing c 6.1 full 3
check "c starts with another kernel" sigmactl start c
check "c: its user space answers" guest_up 3
ask_wild() { $program wild "/dev/iosc/$1/9" $FORGED $((FORGED + 11)) <$out.fifo >$out.wild 2>&1 & wilder=$!; }
forger_holds() { sigmactl status --shared "$1" | grep -q '^host  *9  *2  *16K  *16K$'; }
expected="0 taken
1 EPROTO
2 EPROTO
3 EPROTO
4 EPROTO
5 EPROTO
6 EPROTO
7 EPROTO
8 EPROTO
9 EPROTO
10 EBADF
11 EBADF"
refused() { [ "$(awk -v base=$FORGED '$1 ~ /^[0-9]+$/ { print $1 - base, $2 }' $out.wild)" = "$expected" ] || { cat $out.wild; return 1; }; }
for name in a c; do
	number=$(($(printf %d "'$name") - 96))
	ask_wild $name
	check "$name: a shell of the guest has a channel" in_guest $number \
		"mkfifo /run/say; (exec 4<>/run/say 3<>/dev/iosc/9; echo open >/run/shell; while read -r word <&4; do printf %s \$word >&3; done) >/dev/null 2>&1 </dev/null &"
	check "$name: it is open" until_true 20 in_guest $number "grep -q open /run/shell"
	check "$name: its kernel forges grants" in_guest $number "insmod /run/forger.ko channel=9"
	check "$name: it tells" in_guest $number "echo go >/run/say"
	check "$name: the host's program does all that it must not" said wild granted
	check "$name: what is out of bounds, or of others, is refused" refused
	check "$name: its kernel holds both" until_true 30 forger_holds "$name"
	echo >&6
	check "$name: what is still lent to it by another grant is not taken back" said wild "first of two: ETIMEDOUT"
	if [ $name = a ]; then
		check "$name: without a guard, the host says that the guest's kernel did not let go" \
			said wild "revoked: ETIMEDOUT"
	else
		check "$name: with a guard, what was lent is out of its reach" said wild "revoked: done"
	fi
	check "$name: the host's program has its memory" said wild "memory kept"
	wait "$wilder"
done

# ---- a guest that ends
check "c: a program of the host lends to a server of the guest, and takes" eval \
	"serve_in_guest 3 4 && keep_on_host /dev/iosc/c/4 all"
check "c: the guest is killed" sigmactl kill c
check "c: the host's program has lost all, and nobody else" said keep "peer ended, theirs void, own void"
wait "$keeper"
check "c starts again" sigmactl start c
check "c: its user space answers" guest_up 3
check "c: a server runs in it" serve_in_guest 3 2
check "c: the host lends and takes memory" within 120 $program drive /dev/iosc/c/2

check "b: a program of the host lends to the guest's server, and takes" keep_on_host /dev/iosc/b/2
check "b: the guest restarts" eval "in_guest 2 '(sleep 0.5; reboot -f) >/dev/null 2>&1 &' && said keep 'peer ended, theirs void, own kept'"
wait "$keeper"
check "b: its user space answers" guest_up 2
check "b: the host's half is whole again" has_room /dev/iosc/b/1
check "b: a server runs in it" serve_in_guest 2 2
check "b: the host lends and takes memory" within 120 $program drive /dev/iosc/b/2

check "the guests stop" eval 'sigmactl stop a && sigmactl stop b && sigmactl stop c'
guest d net=1 disk=/dev/vdb
check "a guest without SharedMemory= starts" sigmactl start d
refuse "it has no memory objects" "not supported" $program fill /dev/iosc/d/1 1
check "it stops" sigmactl stop d
check "the host has everything back" host_is_as_before
finish
