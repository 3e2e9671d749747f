#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=2 mem=2G timeout=240
#
# A guest that spins with interrupts off hears no doorbell and no power button. The host notices
# that, and when the guest comes back. If the guest never does, INIT ends it.

. "$(dirname "$0")/lib.sh"
need_sigma
remember_host

: "${AWAY:=20}"	# seconds
NOTICED_MAX=5		# seconds after the last heartbeat: 3, and slack for an emulated host
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

# The module that hangs the guest comes as a second disk, with the file as its content
module=/usr/lib/sigma-rig/hang.ko
size=$(stat -c %s $module)
cp $module /tmp/hang.disk
truncate -s %512 /tmp/hang.disk

guest g disk=/dev/vdb disk=/tmp/hang.disk net=1
sigmactl run g </dev/null >/tmp/job 2>&1 &
job=$!
check "the guest starts, and its user space answers" until_true "$GUEST_BOOT" guest_answers 1
check "the guest copies the module from its disk" \
	in_guest 1 "head -c $size /dev/vdb >/root/hang.ko && modinfo /root/hang.ko"
check "the guest's heartbeat rises" beats g
udevadm monitor --kernel --property --subsystem-match=sigma >$events 2>&1 &
monitor=$!
check "udevadm listens to uevents" until_true 10 monitor_ready
in_guest 1 "(sleep 1; insmod /root/hang.ko seconds=$AWAY) >/dev/null 2>&1 &" >/dev/null
check "the host notices within $NOTICED_MAX s that the guest hangs" noticed
check "sigmad notices that the guest hangs" wait_state g unresponsive "$AWAY"
check "sigmactl list shows that the guest hangs" \
	eval 'sigmactl list --no-legend | grep "^g *unresponsive "'
check "the host notices that the guest is back" wait_state g running
check "uevents told both changes of state" [ "$(states_seen)" = "unresponsive running" ]
kill $monitor
check "the guest's user space answers again" wait_guest 1
in_guest 1 "(sleep 1; insmod /root/hang.ko) >/dev/null 2>&1 &" >/dev/null
check "the host notices that the guest hangs for good" wait_state g unresponsive 30
check "sigmactl nmi sends an NMI to the hung guest" sigmactl nmi g
shows_where() { sigmactl log --memory g | grep -A 60 "NMI from the host" | grep hang_init; }
check "the guest's log shows where it hangs" until_true 10 shows_where
refuse "programs are refused in a guest that hangs" "it is unresponsive" sigmactl exec g -- true
check "the host goes on, and its CPU does not wait for the guest's CPU" within 10 sh -c \
	'sync; echo 1 >/proc/sys/vm/compact_memory; taskset -c 0 true'
check "the hung guest can be dumped, and the dump has its last log lines" \
	eval 'sigmactl dump g /tmp/core &&
	[ "$(vmcore-dmesg /tmp/core | grep -c "hang: interrupts off")" = 2 ]'
rm -f /tmp/core
check "sigmactl stop ends the guest by force, and says so" eval \
	'within 60 sigmactl stop --timeout=2 g 2>&1 | grep "did not switch itself off in time and was stopped"'
check "the guest is gone" wait_gone g
ends_with() { wait "$job"; local got=$?; echo "exit status $got"; [ $got = "$1" ]; }
check "sigmactl run ends with the status of a stopped guest" ends_with 12
check "the host has the CPU and the memory back" host_is_as_before
finish
