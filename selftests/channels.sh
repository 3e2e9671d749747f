#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=2G timeout=600
#
# Channels between programs of host and guest: messages of all lengths by all interfaces,
# back-pressure, access rights, peers that die, and peers that write nonsense to the rings.

. "$(dirname "$0")/lib.sh"
need_sigma

program=/usr/lib/sigma-rig/channels
size=$(stat -c %s $program)
out=/run/channel

# The guest's root file system lacks the program, so it comes as a disk
bring_program() { in_guest 1 "head -c $size /dev/vdb >/run/channels && chmod +x /run/channels"; }
guest_up() { wait_guest 1 && bring_program; }

# on_host, on_guest VERB NUMBER [WORD]: run it in the background; its output goes to $out.NUMBER
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

# A program in the guest that sends "hello" and keeps the channel open
say_hello()
{
	in_guest_bash 1 "(exec 3<>/dev/iosc/$1; echo -n hello >&3; exec -a hello-$1 sleep 1000) >/dev/null 2>&1 </dev/null &"
}
hears_hello() { listens "$1" "$2" && say_hello "$1" && host_said "$1" hello; }

cp $program /run/program.disk && truncate -s 1M /run/program.disk
guest g disk=/dev/vdb disk=/run/program.disk net=1 \
	"line=[Channel]" line=Number=14 line=User=nobody line=Mode=0600
remember_host
check "the guest starts" sigmactl start g
check "the guest's user space answers" guest_up
check "the host has 16 channel devices" [ "$(ls /dev/iosc/g | wc -l)" = 16 ]
check "the guest has 16 channel devices" [ "$(in_guest 1 'ls /dev/iosc | wc -l')" = 16 ]

# ---- the shell is a program that uses channels, too
in_guest 1 "(echo from the guest >/dev/iosc/1) >/dev/null 2>&1 </dev/null &"
check "the host's cat reads a line that the guest's echo wrote" \
	[ "$(within 20 cat /dev/iosc/g/1 2>/dev/null)" = "from the guest" ]
echo from the host >/dev/iosc/g/1 &
check "the guest's cat reads a line that the host's echo wrote" \
	[ "$(in_guest 1 'cat /dev/iosc/1 2>/dev/null')" = "from the host" ]
echo more >/dev/iosc/g/1 &
check "a read after the end of the session fails with EPIPE" \
	in_guest 1 "cat /dev/iosc/1 2>&1 | grep 'Broken pipe'"

# ---- messages of all lengths: first the guest's interface, then the host's
number=0
for ways in calls,calls poll,ring ring,poll copy,calls spin,spin; do
	number=$((number + 1))
	check "the guest runs an echo by ${ways%,*}" on_guest echo $number "${ways%,*}"
	check "the host drives the guest's echo by ${ways#*,}" \
		within 60 $program drive /dev/iosc/g/$number "${ways#*,}"
	check "the guest's echo ends in order" guest_echo_ended $number
done
for ways in ring,calls poll,copy calls,ring; do
	number=$((number + 1))
	on_host echo $number "${ways%,*}"
	check "the host runs an echo by ${ways%,*}, and the guest drives it by ${ways#*,}" \
		in_guest 1 "timeout 25 /run/channels drive /dev/iosc/$number ${ways#*,}"
	check "the host's echo ends in order" wait $!
done

# ---- bounds
check "the guest opens a channel and does not read" on_guest hold 9
on_host fill 9
check "the ring takes exactly 292 messages" host_said 9 292
check "the guest is told to read" in_guest 1 "pkill -USR1 channels"
check "the host's blocked write returns" host_said 9 "one more"
check "the guest reads each message exactly once" guest_said 9 "'293 EPIPE'"
check "the guest opens a channel" on_guest hold 9
check "a second open of the channel in the guest fails with EBUSY" until_true 10 in_guest 1 \
	"timeout 1 /run/channels hold /dev/iosc/9 2>&1 | grep EBUSY"
exec 7<>/dev/iosc/g/10
refuse "a second open of the channel on the host fails with EBUSY" \
	EBUSY $program drive /dev/iosc/g/10
exec 7<&-
in_guest 1 "pkill channels"

# ---- access rights
as_nobody() { setpriv --reuid=nobody --regid=nogroup --clear-groups "$@"; }
refuse "user nobody is refused a channel of root" EACCES as_nobody $program drive /dev/iosc/g/13
check "the guest runs an echo on the channel of user nobody" on_guest echo 14
check "user nobody drives the echo on the channel of the guest file" \
	as_nobody timeout 300 $program drive /dev/iosc/g/14

# ---- a peer dies
for way in calls poll ring spin; do
	check "by $way: the host hears a program of the guest" hears_hello 11 $way
	check "by $way: the guest's program is killed" in_guest 1 "pkill -9 -f hello-11"
	check "by $way: the host's reader gets EPIPE" host_said 11 EPIPE
done
check "the guest listens on a channel" on_guest listen 12
(exec 7<>/dev/iosc/g/12; echo -n hello >&7; exec sleep 1000) &
sleeper=$!
check "the guest hears a program of the host" guest_said 12 hello
check "the host's program is killed" kill -9 $sleeper
check "the guest's reader gets EPIPE" guest_said 12 EPIPE

# ---- a peer writes nonsense
for what in produced long pad over; do
	check "the guest writes a bad record to its ring: $what" \
		eval "listens 15 calls && on_guest scribble 15 $what"
	# A bad index hides the message that was sent before it
	[ $what = produced ] ||
		check "the host receives the good message: $what" host_said 15 hello
	check "the host's read of the bad record fails with EPROTO: $what" host_said 15 EPROTO
	in_guest 1 "pkill channels"
done
check "the guest writes a record that is too long to a mapped channel" \
	eval 'listens 16 ring && on_guest scribble 16 long'
check "the host's program that maps the ring gets EPROTO" host_said 16 EPROTO
in_guest 1 "pkill channels"
on_host echo 15
check "the guest writes a consumed index that is ahead of the ring" on_guest scribble 15 consumed
check "the host's write to that ring fails with EPROTO" host_said 15 "echo: EPROTO"
in_guest 1 "pkill channels"
check "the channel works again with new programs" \
	eval 'on_guest echo 15 && within 60 $program drive /dev/iosc/g/15'

# ---- a guest ends
check "a program of the host waits for a peer that never opens the channel" listens 1 calls
number=2
for way in calls poll ring spin; do
	check "by $way: the host hears a program of the guest before the restart" \
		hears_hello $number $way
	number=$((number + 1))
done
in_guest 1 "(sleep 0.5; echo b >/proc/sysrq-trigger) >/dev/null 2>&1 </dev/null &"
for number in 2 3 4 5; do
	check "channel $number: the host's reader gets EPIPE when the guest resets itself" \
		host_said $number EPIPE
done
check "the guest is up again" eval 'wait_state g running && guest_up'
check "the guest's next kernel serves the program that waited" \
	eval 'say_hello 1 && host_said 1 hello'
check "a channel whose session ended can be opened again" hears_hello 2 calls
check "the guest is told to panic" \
	in_guest 1 "(sleep 0.5; echo c >/proc/sysrq-trigger) >/dev/null 2>&1 </dev/null &"
check "the host's readers get EPIPE when the guest panics" \
	eval 'host_said 1 EPIPE && host_said 2 EPIPE'
check "a program of the host waits on a panicked guest" listens 3 poll
check "the guest is killed" eval 'sigmactl kill g && wait_gone g'
check "the waiting program gets EPIPE when the guest is gone" host_said 3 EPIPE
check "no channel devices of the guest are left" [ ! -e /dev/iosc/g ]
wait
check "the host has everything back" host_is_as_before
finish
