#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=12 mem=6G timeout=1800 in=matrix
#
# Ten guests at once on twelve CPUs: all start, are served and end together, and the two CPUs that
# the host has left share their doorbells.
#
# A stock kernel measures its APIC timer at boot, and on an emulated CPU that stands still for more than four
# seconds then (the timer wraps), it switches the timer off: that guest boots no further. So this test needs a
# machine that is not overcommitted many times.

. "$(dirname "$0")/lib.sh"
need_sigma
remember_host

GUESTS=$(seq 1 10)
NAMES=$(seq -s " " -f g%g 1 10)

each() { for i in $GUESTS; do "$@" "$i" || return; done; }
# all COMMAND...: run it for each guest, all at once
all()
{
	local i pids=() failed=0

	for i in $GUESTS; do
		"$@" "g$i" &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i" || failed=$((failed + 1))
	done
	[ $failed = 0 ] || { echo "$failed failed"; return 1; }
}
is_running() { [ "$(state "g$1")" = running ] || last_words "g$1" running; }
cpus() { cat /sys/class/sigma/g*/cpus | sort -u | wc -l; }
# The interrupts may take one more doorbell to move
doorbells_are_spread()
{
	local i

	[ "$(for i in $GUESTS; do doorbell_cpu "g$i"; done | sort | uniq -c | awk '{ print $1 }' | xargs)" = "5 5" ]
}
load() { in_guest "$1" 'dd if=/dev/vda of=/dev/null bs=64k count=256 iflag=direct'; }
loads()
{
	local i pids=()

	for i in $GUESTS; do
		GUEST_TIMEOUT=120 load "$i" >/dev/null &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i" || return
	done
}
end_half()
{
	case ${1#g} in
	*[02468])	sigmactl kill "$1" ;;
	*)		sigmactl stop "$1" ;;
	esac
}

for i in $GUESTS; do
	guest "g$i" disk=/dev/vdb line=ReadOnly=yes "net=$i"
done
seconds=$SECONDS
check "ten guests start at the same time" all sigmactl start
check "the user space of each answers" each wait_guest
say "they took $((SECONDS - seconds)) s together"
check "all ten run" each is_running
check "each has a CPU of its own" [ "$(cpus)" = 10 ]
check "their memory does not overlap" eval "! overlap $NAMES"
check "the host's two CPUs take the doorbells of five guests each" until_true 30 doorbells_are_spread
check "each reads from its disk, all at once" loads
check "a guest is killed and starts again beside the others" eval \
	'sigmactl kill g10 && wait_gone g10 && sigmactl start g10'
check "it answers, and so does each of the others" each wait_guest
check "half of them are stopped and half are killed, all at once" all end_half
check "all are gone" all wait_gone
check "the host has the CPUs and the memory back" host_is_as_before
check "the module can be unloaded" rmmod sigma
finish
