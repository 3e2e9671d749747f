#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=2 mem=2G timeout=700
#
# Every way in which a stock kernel ends, each of which resets the machine on real hardware.
# Here the guest ends, and the host goes on: that this script can say so is the test.

. "$(dirname "$0")/lib.sh"
need_sigma
remember_host

boot()
{
	guest g disk=/dev/vdb net=1
	sigmactl start g && wait_guest 1
}

# The command kills who should answer, so it is left to itself
doom()
{
	in_guest 1 "(sleep 0.5; $1) >/dev/null 2>&1 &" >/dev/null
}

boot_id()
{
	GUEST_TIMEOUT=5 in_guest 1 'cat /proc/sys/kernel/random/boot_id'
}

# A new boot of the same guest answers
another_boot()
{
	local now
	now=$(boot_id) && [ -n "$now" ] && [ "$now" != "$1" ]
}

# restarts TEXT SETTING COMMAND: sigmad starts the guest that is up again
restarts()
{
	local id

	id=$(boot_id)
	doom "$2; $3"
	check "$1: the guest is started again" eval '
		until_true $GUEST_BOOT another_boot $id || last_words g "started again"'
}

# ends_off TEXT COMMAND: the guest that is up is off and gone after it
ends_off()
{
	doom "$2"
	check "$1: the guest is gone, all is back" eval 'wait_gone g && host_is_as_before'
}

# panics PANIC: with kernel.panic so; the guest is kept, and its last words can be read
panics()
{
	check "panic=$1: guest is up" boot
	doom "echo $1 >/proc/sys/kernel/panic; echo c >/proc/sysrq-trigger"
	check "panic=$1: the guest is panicked" wait_state g panicked
	check "panic=$1: its last words are in the log" guest_logged g "sysrq triggered crash"
	check "panic=$1: it is given back" eval 'sigmactl stop g; wait_gone g && host_is_as_before'
}

check "guest is up" boot
restarts "reboot" : "busybox reboot -f"
for how in triple pci kbd; do
	restarts "reboot=$how" "echo $how >/sys/kernel/reboot/type" "busybox reboot -f"
done
restarts "sysrq-b" : "echo b >/proc/sysrq-trigger"
ends_off "poweroff" "busybox poweroff -f"
for how in "busybox halt -f" "echo o >/proc/sysrq-trigger"; do
	check "guest is up" boot
	ends_off "$how" "$how"
done
for seconds in 0 1 -1; do
	panics $seconds
done
finish
