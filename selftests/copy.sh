#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=2G timeout=900 cpu=max,-la57 append=memmap=320M$0x60000000
#
# Copies of a guest that was saved: each has booted already, begins where that one was, and has a name, host
# name, machine ID, CID and MAC address of its own. What could do harm is refused.

. "$(dirname "$0")/lib.sh"
need_sigma

saved=/tmp/g.saved
set_aside() { sigmactl pool add 320M@0x60000000; }
json() { sigmactl status --json "$1" | jq -r ".$2"; }
is_gone_but_for() { FREE_SLACK=$((8192 + $(du -ck "$@" | tail -n 1 | cut -f 1))) host_is_as_before; }
kill_guest() { sigmactl kill "$1" && wait_gone "$1"; }
in_copy() { within 60 sigmactl exec "$1" -- sh -c "$2"; }
host_name() { in_copy "$1" 'cat /proc/sys/kernel/hostname'; }
machine_id() { in_copy "$1" 'cat /etc/machine-id'; }
mac() { in_copy "$1" 'cat /sys/class/net/e*/address'; }
counter() { in_copy "$1" 'cat /run/counter'; }
# is_found NAME: the host has the MAC address for its IP address
is_found()
{
	local address
	address=$(mac "$1") && ip neigh show 10.9.1.2 | tee /dev/stderr | grep -qi "$address"
}
# refuse_copy TEXT PATTERN [OPTION]...: nothing is taken
refuse_copy()
{
	local text=$1 pattern=$2
	shift 2
	refuse "$text" "$pattern" sigmactl restore "$@" $saved
	check "nothing is taken" eval '[ ! -e /sys/class/sigma/copy ] && [ ! -e /run/sigma/copy ]'
}

check "memory is set aside" set_aside
remember_host

for spec in 6.1/no 7.2/full; do
	kernel=${spec%/*} guard=${spec#*/}
	guest g disk=/dev/vdb line=ReadOnly=yes net=1 cpus=2 guard="$guard" kernel="$kernel"
	check "$spec: a guest starts" sigmactl start g
	check "$spec: its user space answers" wait_guest 1
	check "$spec: it has a machine ID" in_copy g '[ -s /etc/machine-id ] ||
		{ echo 11111111111111111111111111111111 >/run/id && mount --bind /run/id /etc/machine-id; }'
	check "$spec: it has something to keep" in_copy g 'echo 1 >/run/counter'
	was="$(host_name g) $(machine_id g) $(mac g) $(json g vsock_cid)"
	check "$spec: it is saved" sigmactl save --force g $saved

	seen=$was
	for copy in copy other; do
		check "$spec: $copy is made of it" sigmactl restore --copy=$copy $saved
		check "$spec: $copy begins where the guest was" [ "$(counter $copy)" = 1 ]
		check "$spec: $copy does something of its own" in_copy $copy 'echo 2 >/run/counter'
		check "$spec: $copy has its own host name" [ "$(host_name $copy)" = $copy ]
		for what in machine_id mac; do
			value=$($what $copy)
			check "$spec: $copy has its own $what" eval '[ -n "$value" ] && ! [[ " $seen " == *" $value "* ]]'
			seen+=" $value"
		done
		value=$(json $copy vsock_cid)
		check "$spec: $copy has its own CID" eval '! [[ " $seen " == *" $value "* ]]'
		seen+=" $value"
		check "$spec: $copy answers over the network" wait_guest 1
		check "$spec: the host finds it at that address" is_found $copy
		check "$spec: $copy is killed" kill_guest $copy
	done
	check "$spec: all is back" is_gone_but_for $saved
done

# ---- programs in guests that have booted
in_warm() { within 120 sigmactl run --from=$saved "$@"; }
check "a program runs in a guest that has booted" [ "$(in_warm -- cat /run/counter)" = 1 ]
check "its exit status is that of the command" eval 'in_warm -- sh -c "echo 5 >/run/counter; exit 7"; [ $? = 7 ]'
check "what it has done is forgotten" [ "$(in_warm -- cat /run/counter)" = 1 ]
check "its input and output are those of the command" [ "$(echo hello | in_warm -- tr a-z A-Z)" = HELLO ]
check "it ends when its time is over" eval 'in_warm --timeout=3 -- sleep 1000; [ $? = 124 ]'
check "no guest is left, and all is back" eval '[ -z "$(guests)" ] && is_gone_but_for $saved'
sigmactl run --from=$saved --name=warm -- sleep 1000 >/dev/null 2>&1 </dev/null &
pid=$!
check "another one runs" until_true 60 sigmactl exec warm -- pidof sleep
kill -9 $pid
check "sigmactl is killed, and all is back" eval 'wait_gone warm && is_gone_but_for $saved'
refuse "a guest has what it had" "as it was saved" sigmactl run --from=$saved --memory=1G -- true

refuse "a copy needs a name that a guest can have" "cannot be the name of a guest" sigmactl restore --copy=a/b $saved
check "the guest itself is restored" sigmactl restore $saved
check "it is who it was" [ "$(host_name g) $(machine_id g) $(mac g) $(json g vsock_cid)" = "$was" ]
refuse_copy "there is no copy while it is there" "another guest's" --copy=copy
check "it is killed" kill_guest g

guest g disk=/dev/vdb net=1 guard=no
check "a guest that writes to its disk starts, and is saved" eval 'sigmactl start g && wait_guest 1 && sigmactl save --force g $saved'
refuse_copy "a copy of it is refused" "would write to disk /dev/vdb" --copy=copy
check "it is restored itself, and killed" eval 'sigmactl restore $saved && kill_guest g'
rm $saved
check "the host has the CPUs and the memory back" host_is_as_before
finish
