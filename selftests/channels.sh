#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=2G timeout=600
#
# Channels between programs of host and guest: messages of all lengths by every way, back-pressure,
# who may open them, peers that die in every way, and peers that write nonsense to the rings.

. "$(dirname "$0")/lib.sh"
need_sigma

program=/usr/lib/sigma-rig/channels
size=$(stat -c %s $program)
out=/run/channel

# The guest has no such program: it comes as a disk
bring_program() { in_guest 1 "head -c $size /dev/vdb >/run/channels && chmod +x /run/channels"; }
guest_up() { wait_guest 1 && bring_program; }

# on_host, on_guest VERB NUMBER [WORD]: in the background; its output is in $out.NUMBER
on_host() { $program "$1" "/dev/iosc/g/$2" ${3:+"$3"} >$out."$2" 2>&1 & }
on_guest()
{
	in_guest 1 "(/run/channels $1 /dev/iosc/$2 ${3:-} >$out.$2 2>&1; echo \$? >$out.$2.status) \
		>/dev/null 2>&1 </dev/null &"
}
host_said() { until_true 20 grep -qx -- "$2" $out."$1" || { cat $out."$1"; return 1; }; }
guest_said()
{
	until_true 20 in_guest 1 "grep -qx -- $2 $out.$1" || { in_guest 1 "cat $out.$1"; return 1; }
}
guest_echo_ended() { guest_said "$1.status" 0; }
listens() { on_host listen "$1" "$2" && host_said "$1" open; }

# A program in the guest that has said "hello", and lives
say_hello()
{
	in_guest 1 "(exec 3<>/dev/iosc/$1; echo -n hello >&3; exec -a hello-$1 sleep 1000) >/dev/null 2>&1 </dev/null &"
}
hears_hello() { listens "$1" "$2" && say_hello "$1" && host_said "$1" hello; }

cp $program /run/program.disk && truncate -s 1M /run/program.disk
guest g disk=/dev/vdb disk=/run/program.disk net=1 \
	line=[Channel] line=Number=14 line=User=nobody line=Mode=0600
remember_host
check "starts" sigmactl start g
check "user space answers" guest_up
check "16 devices on the host" [ "$(ls /dev/iosc/g | wc -l)" = 16 ]
check "16 devices in the guest" [ "$(in_guest 1 'ls /dev/iosc | wc -l')" = 16 ]

# ---- the shell is a program, too
in_guest 1 "(echo from the guest >/dev/iosc/1) >/dev/null 2>&1 </dev/null &"
check "a line from the guest" [ "$(timeout 20 cat /dev/iosc/g/1 2>/dev/null)" = "from the guest" ]
echo from the host >/dev/iosc/g/1 &
check "a line from the host" [ "$(in_guest 1 'cat /dev/iosc/1 2>/dev/null')" = "from the host" ]
echo more >/dev/iosc/g/1 &
check "the end of a session is an error" in_guest 1 "cat /dev/iosc/1 2>&1 | grep 'Broken pipe'"

# ---- messages of all lengths: the guest's way, the host's way
number=0
for ways in calls,calls poll,ring ring,poll copy,calls spin,spin; do
	number=$((number + 1))
	check "the guest echoes by ${ways%,*}" on_guest echo $number "${ways%,*}"
	check "the host drives by ${ways#*,}" timeout 60 $program drive /dev/iosc/g/$number "${ways#*,}"
	check "and the echo ends in order" guest_echo_ended $number
done
for ways in ring,calls poll,copy calls,ring; do
	number=$((number + 1))
	on_host echo $number "${ways%,*}"
	check "the host echoes by ${ways%,*}, the guest drives by ${ways#*,}" \
		in_guest 1 "timeout 25 /run/channels drive /dev/iosc/$number ${ways#*,}"
	check "and the echo ends in order" wait $!
done

# ---- bounds
check "a peer that does not read" on_guest hold 9
on_host fill 9
check "the ring takes 292 messages, and no more" host_said 9 292
check "its reader reads" in_guest 1 "pkill -USR1 channels"
check "the one that waited has gone" host_said 9 "one more"
check "none is lost, none doubled" guest_said 9 "'293 EPIPE'"
check "a first one has it open" on_guest hold 9
check "in the guest a second one is refused" until_true 10 in_guest 1 \
	"timeout 1 /run/channels hold /dev/iosc/9 2>&1 | grep EBUSY"
exec 7<>/dev/iosc/g/10
refuse "on the host a second one is refused" EBUSY $program drive /dev/iosc/g/10
exec 7<&-
in_guest 1 "pkill channels"

# ---- who may
as_nobody() { setpriv --reuid=nobody --regid=nogroup --clear-groups "$@"; }
refuse "nobody is refused" EACCES as_nobody $program drive /dev/iosc/g/13
check "and served where the guest file says so" on_guest echo 14
check "to the end" as_nobody timeout 60 $program drive /dev/iosc/g/14

# ---- a peer dies
for way in calls poll ring spin; do
	check "by $way: a program of the guest is heard" hears_hello 11 $way
	check "and killed" in_guest 1 "pkill -9 -f hello-11"
	check "which its reader is told" host_said 11 EPIPE
done
check "a program of the guest listens" on_guest listen 12
(exec 7<>/dev/iosc/g/12; echo -n hello >&7; exec sleep 1000) &
sleeper=$!
check "to one of the host" guest_said 12 hello
check "which is killed" kill -9 $sleeper
check "which its reader is told" guest_said 12 EPIPE

# ---- a peer writes nonsense
for what in produced long pad over; do
	check "the guest's rings are good and then not: $what" eval "listens 15 calls && on_guest scribble 15 $what"
	# Where the index is wrong, what it was before is lost
	[ $what = produced ] || check "what was good is heard" host_said 15 hello
	check "what was not is an error" host_said 15 EPROTO
	in_guest 1 "pkill channels"
done
check "the same for a program that maps the ring" eval 'listens 16 ring && on_guest scribble 16 long'
check "it is told" host_said 16 EPROTO
in_guest 1 "pkill channels"
on_host echo 15
check "the guest says that it has read what never was" on_guest scribble 15 consumed
check "who writes to it is told" host_said 15 "echo: EPROTO"
in_guest 1 "pkill channels"
check "nothing else came to harm" eval 'on_guest echo 15 && timeout 60 $program drive /dev/iosc/g/15'

# ---- a guest ends
check "a program waits for one that never came" listens 1 calls
number=2
for way in calls poll ring spin; do
	check "by $way: a program of the guest is heard" hears_hello $number $way
	number=$((number + 1))
done
in_guest 1 "(sleep 0.5; echo b >/proc/sysrq-trigger) >/dev/null 2>&1 </dev/null &"
for number in 2 3 4 5; do
	check "the guest resets itself, which is told" host_said $number EPIPE
done
check "it is up again" eval 'wait_state g running && guest_up'
check "who waited is served by the next kernel" eval 'say_hello 1 && host_said 1 hello'
check "a channel whose session ended can be opened again" hears_hello 2 calls
check "a guest panics" in_guest 1 "(sleep 0.5; echo c >/proc/sysrq-trigger) >/dev/null 2>&1 </dev/null &"
check "which is told" eval 'host_said 1 EPIPE && host_said 2 EPIPE'
check "a program waits" listens 3 poll
check "the guest is killed" eval 'sigmactl kill g && wait_gone g'
check "which is told" host_said 3 EPIPE
check "no devices are left" [ ! -e /dev/iosc/g ]
wait
check "all is back" host_is_as_before
finish
