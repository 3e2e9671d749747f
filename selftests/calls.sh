#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=4 mem=3G timeout=400
#
# Calls between programs of the host and of three guests with different kernels, in both directions:
# each kind of method, many clients at once, messages that are nonsense, and programs that are killed
# in the midst of calls.

. "$(dirname "$0")/lib.sh"
need_sigma

programs=/usr/lib/sigma-rig
program=$programs/calls
out=/run/calls
names=(. a b c)			# guest N answers at number N
CALLS=3000			# for each of many clients
CALLS_KILLED=30000		# in whose midst programs are killed

# The guests' root file systems lack the programs, so they come as a disk
guest_up() { wait_guest "$1" && in_guest "$1" "tar -xf /dev/vdb -C /run"; }

# in_background GUEST NAME ARGUMENT...: run "calls" in the guest; its output goes to $out.NAME
in_background()
{
	local number=$1 name=$2
	shift 2
	in_guest "$number" "(/run/calls $* >$out.$name 2>&1; echo \$? >$out.$name.status) \
		>/dev/null 2>&1 </dev/null &"
}
said() { until_true 60 grep -q -- "$2" "$out.$1" || { cat "$out.$1"; return 1; }; }
guest_said()
{
	until_true 60 in_guest "$1" "grep -q -- '$3' $out.$2" || { in_guest "$1" "cat $out.$2"; return 1; }
}
serve_on_host() { $program serve "$@" >$out.server 2>&1 & server=$!; }
server_ends() { kill "$server" && wait "$server"; }
server_dies() { kill -9 "$server"; wait "$server" 2>/dev/null; [ $? = 137 ]; }
all_of_three() { local n; for n in 1 2 3; do "$@" "$n" || return; done; }

for number in 1 2 3; do
	tar -cf /run/program.$number -C $programs calls notes-server notes-client
done
guest a kernel=6.1 disk=/dev/vdb line=ReadOnly=yes disk=/run/program.1 net=1
guest b kernel=6.12 disk=/dev/vdb line=ReadOnly=yes disk=/run/program.2 net=2
guest c kernel=7.2 disk=/dev/vdb line=ReadOnly=yes disk=/run/program.3 net=3
remember_host
start_all() { sigmactl start a & sigmactl start b & sigmactl start c && wait; }
check "three guests with kernels of three series start" start_all
check "their user spaces answer" all_of_three guest_up

# ---- in a kernel
check "a kernel module uses stubs" insmod $programs/stubs.ko
rmmod stubs

# ---- each method, both ways
for number in 1 2 3; do
	name=${names[number]}
	check "$name: a server runs in the guest" in_background $number server serve /dev/iosc/1
	check "$name: the host calls each method" within 60 $program drive "/dev/iosc/$name/1"
	check "$name: the guest's server ends" in_guest $number "pkill -TERM calls"
	check "$name: it was told of the handle of a client that went, and of cancelled calls" \
		guest_said $number server "files 0 gone 1 cancelled 2"
done
serve_on_host /dev/iosc/{a,b,c}/2
check "a server of three guests runs on the host" said server open
for number in 1 2 3; do
	check "${names[number]}: the guest calls each method" \
		in_guest $number "timeout 60 /run/calls drive /dev/iosc/2"
done
check "the host's server ends" server_ends
check "it was told of handles and of cancelled calls" said server "files 0 gone 3 cancelled 6"

# ---- many clients of one server
serve_on_host /dev/iosc/{a,b,c}/{3..5}
check "a server of nine channels runs on the host" said server open
for number in 1 2 3; do
	for channel in 3 4 5; do
		[ $number$channel = 35 ] ||
			in_background $number count$channel count /dev/iosc/$channel $CALLS
	done
done
for number in 1 2 3; do
	for channel in 3 4 5; do
		[ $number$channel = 35 ] ||
			check "${names[number]}: client $channel of 8 clients at once has all replies" \
				guest_said $number count$channel "answered $CALLS ended 0 sessions 1"
	done
done

# ---- nonsense, by a shell: a message that is too short, one of no interface, one that is no call
nonsense()
{
	in_guest 3 "(printf x; sleep 1) >/dev/iosc/5 &&
		(printf '0123456789012345678901234567890123456789'; sleep 1) >/dev/iosc/5"
}
check "a guest sends nonsense to the server" nonsense
check "the server serves the next client of that channel" \
	in_guest 3 "timeout 60 /run/calls drive /dev/iosc/5"
check "the server of nine channels ends" server_ends

# ---- programs are killed
serve_on_host /dev/iosc/{a,b}/6
check "a guest waits for a reply" in_background 1 waiter wait /dev/iosc/6
check "it does" guest_said 1 waiter waits
check "the waiting program is killed" in_guest 1 "pkill -9 calls"
check "another client waits" eval "in_background 1 waiter wait /dev/iosc/6 && guest_said 1 waiter waits"
check "the server is killed" server_dies
check "the guest's program gets EPIPE" guest_said 1 waiter EPIPE
serve_on_host /dev/iosc/{a,b}/7
in_background 1 count count /dev/iosc/7 $CALLS_KILLED
in_background 2 count count /dev/iosc/7 $CALLS_KILLED
for round in 1 2 3; do
	sleep 1		# in the midst of calls, wherever they are then
	server_dies
	serve_on_host /dev/iosc/{a,b}/7
done
whole()
{
	in_guest "$1" "awk '{ exit !(\$2 + \$4 == $CALLS_KILLED && \$4 <= 3) }' $out.count"
}
for number in 1 2; do
	check "${names[number]}: calls go on while the server is killed three times" \
		guest_said $number count answered
	check "${names[number]}: each call was answered, or ended with its session" whole $number
done
check "the last server ends" server_ends


# ---- docs/examples/calls.md
in_guest 3 "(/run/notes-server /dev/iosc/8) >/dev/null 2>&1 </dev/null &"
said_in_example() { [ "$(within 60 $programs/notes-client /dev/iosc/c/8 "buy milk" "call home")" = "$1" ]; }
check "the example of the documentation keeps notes" said_in_example $'1: buy milk\n2: call home'
check "it keeps them for the next client" said_in_example $'3: buy milk\n4: call home'
check "the guests stop" eval 'sigmactl stop a && sigmactl stop b && sigmactl stop c'
check "the host has everything back" host_is_as_before
finish
