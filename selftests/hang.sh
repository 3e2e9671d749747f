#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=2 mem=2G timeout=240
#
# A guest that spins with interrupts off hears no doorbell and no power button. The host knows, and
# knows when it comes back; if it never does, INIT ends it.

. "$(dirname "$0")/lib.sh"
need_sigma
remember_host

: "${AWAY:=20}"	# seconds
NOTICED_MAX=5		# after its last beat: 3, and what an emulated host adds
events=/tmp/events

states_seen() { sed -n 's/^SIGMA_STATE=//p' $events | uniq | xargs; }
monitor_ready() { grep -q '^KERNEL' $events; }
noticed()
{
	local beat last="" since=$EPOCHSECONDS end=$((SECONDS + 2 * AWAY))
	until [ "$(state g)" = unresponsive ]; do
		beat=$(heartbeat g)
		[ "$beat" = "$last" ] || { last=$beat; since=$EPOCHSECONDS; }
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.1
	done
	echo "noticed $((EPOCHSECONDS - since)) s after its last beat"
	[ $((EPOCHSECONDS - since)) -le $NOTICED_MAX ]
}

# The module that hangs its kernel goes in as a second disk: bytes are bytes
module=/usr/lib/sigma-rig/hang.ko
size=$(stat -c %s $module)
cp $module /tmp/hang.disk
truncate -s %512 /tmp/hang.disk

guest g disk=/dev/vdb disk=/tmp/hang.disk net=1
sigmactl run g </dev/null >/tmp/job 2>&1 &
job=$!
check "starts, and user space answers" until_true "$GUEST_BOOT" guest_answers 1
check "takes the module" in_guest 1 "head -c $size /dev/vdb >/root/hang.ko && modinfo /root/hang.ko"
check "its heart beats" beats g
udevadm monitor --kernel --property --subsystem-match=sigma >$events 2>&1 &
monitor=$!
check "listening to uevents" until_true 10 monitor_ready
in_guest 1 "(sleep 1; insmod /root/hang.ko seconds=$AWAY) >/dev/null 2>&1 &" >/dev/null
check "is away for a while, and the host notices in time" noticed
check "sigmad does, too" wait_state g unresponsive $AWAY
check "sigmactl list tells" eval 'sigmactl list --no-legend | grep "^g *unresponsive "'
check "comes back, and the host knows" wait_state g running
check "uevents told both" [ "$(states_seen)" = "unresponsive running" ]
kill $monitor
check "user space answers again" wait_guest 1
in_guest 1 "(sleep 1; insmod /root/hang.ko) >/dev/null 2>&1 &" >/dev/null
check "hangs, and the host knows" wait_state g unresponsive 30
check "an NMI gets through to it" sigmactl nmi g
shows_where() { sigmactl log --memory g | grep -A 60 "NMI from the host" | grep hang_init; }
check "and shows where it hangs" until_true 10 shows_where
check "the host is alive and its CPU does not wait for the guest's" timeout 10 sh -c \
	'sync; echo 1 >/proc/sys/vm/compact_memory; taskset -c 0 true'
check "it can be dumped, with what it said last" eval 'sigmactl dump g /tmp/core &&
	[ "$(vmcore-dmesg /tmp/core | grep -c "hang: interrupts off")" = 2 ]'
rm -f /tmp/core
check "stop takes force, and says so" eval \
	'timeout 60 sigmactl stop --timeout=2 g 2>&1 | grep "did not switch itself off in time and was stopped"'
check "is gone" wait_gone g
ends_with() { wait "$job"; local got=$?; echo "exit status $got"; [ $got = "$1" ]; }
check "who ran it learns that it was stopped" ends_with 12
check "CPUs and memory are back" host_is_as_before
finish
