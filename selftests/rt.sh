#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=2 mem=2G kernel=rt timeout=600 in=matrix
#
# Host and guest have kernels with real-time preemption, where spinlocks may sleep and doorbells are
# handled in threads. A lock taken where sleeping is not allowed is a BUG in the kernel's log; that of
# the host is looked at when the machine has ended. CYCLES= says how often the guest starts again.

. "$(dirname "$0")/lib.sh"
need_sigma
: "${CYCLES:=10}"

is_realtime() { grep PREEMPT_RT /proc/version; }
# The names of a kernel's threads may be cut off after 15 characters
host_has_thread() { grep -h '^irq/[0-9]*-SIGMA' /proc/[0-9]*/comm; }
guest_has_thread() { in_guest 1 "grep -h '^irq/[0-9]*-sigma' /proc/[0-9]*/comm"; }
load_disk()
{
	GUEST_TIMEOUT=120 in_guest 1 'dd if=/dev/vda of=/dev/null bs=4k count=1024 iflag=direct &&
		dd if=/dev/urandom of=/root/file bs=64k count=64 oflag=direct && sync'
}
# Disk and network at once: doorbells of several queues, both ways
load_both()
{
	local disk

	load_disk >/dev/null &
	disk=$!
	load_network && wait $disk
}
hears_channel()
{
	in_guest 1 "(echo from the guest >/dev/iosc/1) >/dev/null 2>&1 </dev/null &"
	[ "$(within 20 cat /dev/iosc/g/1 2>/dev/null)" = "from the guest" ]
}
log_is_clean() { ! sigmactl log g | grep 'BUG:'; }
booted_or_panicked() { another_boot 1 "$1" || [ "$(state g)" = panicked ]; }
# A guest that does not answer in time has no ID, and then any answer would be that of another boot
has_boot_id() { id=$(boot_id 1) && [ -n "$id" ]; }
# Doorbells arrive while the guest goes down, and while it boots
starts_again()
{
	local id

	until_true 20 has_boot_id || return
	in_guest 1 "(cat /dev/vda >/dev/null & sleep 0.5; busybox reboot -f) >/dev/null 2>&1 &" >/dev/null
	until_true "$GUEST_BOOT" booted_or_panicked "$id" && [ "$(state g)" != panicked ] ||
		last_words g "up again"
}

remember_host
check "the host's kernel has real-time preemption" is_realtime
guest g disk=/dev/vdb net=1
check "the guest starts" sigmactl start g
check "the guest's user space answers" wait_guest 1
check "the guest's kernel has real-time preemption" in_guest 1 'grep PREEMPT_RT /proc/version'
check "the host handles the guest's doorbells in a thread" host_has_thread
check "the guest handles the host's doorbells in a thread" guest_has_thread
check "the guest reads and writes its disk while its network is busy" load_both
check "the host's program hears the guest's by a channel" hears_channel
check "a disk is added" eval 'truncate -s 1M /tmp/more.disk && sigmactl disk add g /tmp/more.disk'
check "the guest finds the disk" until_true 20 in_guest 1 "test -e /dev/vdb"
check "the disk is removed" sigmactl disk rm g /tmp/more.disk
check "sigmactl nmi sends the guest an NMI" sigmactl nmi g
check "the guest logs where it was" until_true 20 guest_logged g "NMI from the host"
check "the guest's log is clean" log_is_clean

# Once an interrupt in the wrong moment of a boot made one start of four a panic
for i in $(seq "$CYCLES"); do
	check "start $i of $CYCLES: the guest is up again" starts_again &&
		check "start $i of $CYCLES: disk and network carry load" load_both &&
		check "start $i of $CYCLES: the guest's log is clean" log_is_clean || break
done
in_guest 1 "(sleep 0.5; echo c >/proc/sysrq-trigger) >/dev/null 2>&1 &" >/dev/null
check "the guest's state becomes panicked" wait_state g panicked
check "the log has the guest's last words" guest_logged g "sysrq triggered crash"
check "the panicked guest is stopped" sigmactl stop g
check "the guest is gone" wait_gone g

check "the guest starts once more" sigmactl start g
check "the guest's user space answers once more" wait_guest 1
check "the guest stops in order" sigmactl stop g
check "the host has the CPU and the memory back" eval 'wait_gone g && host_is_as_before'
check "the module can be unloaded" rmmod sigma
finish
