#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=2 mem=2G timeout=700
#
# All ways in which a stock kernel reboots, halts or dies, most of which reset the machine on real
# hardware. Here only the guest ends. If the host were reset, this script would not reach its end.
# The guest's root has switched off what could catch a function: kprobes and ftrace.

. "$(dirname "$0")/lib.sh"
need_sigma
remember_host

boot()
{
	guest g disk=/dev/vdb net=1
	sigmactl start g && wait_guest 1
}

# run_detached COMMAND: run it in the background, since it kills the kernel that should answer
run_detached()
{
	in_guest 1 "(sleep 0.5; $1) >/dev/null 2>&1 &" >/dev/null
}

# restarts TEXT SETTING COMMAND: the command reboots the guest, and sigmad starts it again
restarts()
{
	local id

	id=$(boot_id 1)
	check "$1: kprobes and ftrace are off" switch_probes_off 1
	run_detached "$2; $3"
	check "$1: sigmad starts the guest again" eval '
		until_true $GUEST_BOOT another_boot 1 $id || last_words g "started again"'
}

# ends_off TEXT COMMAND: the command switches the guest off
ends_off()
{
	check "$1: kprobes and ftrace are off" switch_probes_off 1
	run_detached "$2"
	check "$1: the guest is gone, and the host has everything back" \
		eval 'wait_gone g && host_is_as_before'
}

# panics TIMEOUT: the guest panics with kernel.panic=TIMEOUT. It is kept, and its log can be read.
panics()
{
	check "panic=$1: the guest is up" boot
	check "panic=$1: kprobes and ftrace are off" switch_probes_off 1
	run_detached "echo $1 >/proc/sys/kernel/panic; echo c >/proc/sysrq-trigger"
	check "panic=$1: the guest's state becomes panicked" wait_state g panicked
	check "panic=$1: the log has the guest's last words" guest_logged g "sysrq triggered crash"
	check "panic=$1: the guest is stopped, and the host has everything back" \
		eval 'sigmactl stop g; wait_gone g && host_is_as_before'
}

check "the guest is up" boot
restarts "reboot" : "busybox reboot -f"
for how in triple pci kbd; do
	restarts "reboot=$how" "echo $how >/sys/kernel/reboot/type" "busybox reboot -f"
done
restarts "sysrq-b" : "echo b >/proc/sysrq-trigger"
ends_off "poweroff" "busybox poweroff -f"
for how in "busybox halt -f" "echo o >/proc/sysrq-trigger"; do
	check "the guest is up before $how" boot
	ends_off "$how" "$how"
done
for seconds in 0 1 -1; do
	panics $seconds
done
finish
