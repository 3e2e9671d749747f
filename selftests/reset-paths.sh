#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=2 mem=2G timeout=700
#
# Every way in which a stock kernel ends, each of which resets the machine on real hardware.
# Here the guest ends, and the host goes on: that this script can say so is the test.

. "$(dirname "$0")/lib.sh"
need_sigma
remember_host

# boot WORD: start the guest with that on its command line
boot()
{
	guest g kernel=6.1 disk=/dev/vdb net=1 append="$1"
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

# ends_off TEXT COMMAND: the guest is off and gone after it
ends_off()
{
	check "$1: guest is up" boot quiet
	doom "$2"
	check "$1: the guest is gone, all is back" eval 'wait_gone g && host_is_as_before'
}

# restarts TEXT WORD COMMAND: sigmad starts it again
restarts()
{
	local id
	check "$1: guest is up" boot "$2"
	id=$(boot_id)
	doom "$3"
	check "$1: the guest is started again" until_true $GUEST_BOOT another_boot "$id"
	check "$1: and stops" eval 'sigmactl stop g && wait_gone g && host_is_as_before'
}

# panics TEXT WORD COMMAND PATTERN: it is kept, and its last words can be read
panics()
{
	check "$1: guest is up" boot "$2"
	doom "$3"
	check "$1: the guest is panicked" wait_state g panicked
	check "$1: its last words are in the log" guest_logged g "$4"
	check "$1: it is given back" eval 'sigmactl stop g; wait_gone g && host_is_as_before'
}

ends_off "poweroff" "busybox poweroff -f"
ends_off "halt" "busybox halt -f"
ends_off "sysrq-o" "echo o >/proc/sysrq-trigger"
restarts "reboot" quiet "busybox reboot -f"
restarts "reboot=triple" reboot=t "busybox reboot -f"
restarts "reboot=pci" reboot=p "busybox reboot -f"
restarts "reboot=kbd" reboot=k "busybox reboot -f"
restarts "sysrq-b" quiet "echo b >/proc/sysrq-trigger"
panics "sysrq-c" quiet "echo c >/proc/sysrq-trigger" "sysrq triggered crash"
panics "panic=1" panic=1 "echo c >/proc/sysrq-trigger" "sysrq triggered crash"
panics "panic=-1" panic=-1 "echo c >/proc/sysrq-trigger" "sysrq triggered crash"
finish
