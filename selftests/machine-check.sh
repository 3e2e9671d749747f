#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=2G timeout=300 cpu=Skylake-Client monitor=yes
#
# A recoverable machine check that is broadcast to all CPUs, as Intel CPUs do, resets the machine if
# one of them is not ready: its CR4.MCE is clear, or its last machine check is still in progress.
# Lent CPUs are ready: those that run a guest, wait at the wake-up mailbox, or are parked.

. "$(dirname "$0")/lib.sh"
need_sigma
remember_host

BANK=1 STATUS=0xbd000000000000c0	# a scrubber found an unused memory error (SRAO)
MCG_STATUS=0x5				# in progress; the interrupted program can go on
ADDRESS=0xf0000000 PHYSICAL=0x8c	# no memory is there

announce() { monitor "mce -b 0 $BANK $STATUS $MCG_STATUS $ADDRESS $PHYSICAL"; }
registers() { monitor "info registers -a" | awk -v cpu="CPU#$1" '/^CPU#/ { on = $1 == cpu } on'; }
halted() { registers "$1" | grep "HLT=1"; }
ready() { registers "$1" | grep -Eo "CR4=[0-9a-f]+" | grep -E "CR4=[0-9a-f]*[4567cdef][0-9a-f]$"; }
# In the entry pages, which are below 1 MiB, and not at the reset vector
in_our_pages() { registers "$1" | grep -E "RIP=00000000000[0-9a-f]{5} "; }

guest g cpus=2 disk=/dev/vdb net=1
check "a guest with two CPUs is up" eval 'sigmactl start g && wait_guest 1'
for cpu in 1 2; do
	check "CPU $cpu runs the guest with CR4.MCE set" ready $cpu
done
for i in 1 2; do
	check "machine check $i is broadcast to all CPUs" announce
	check "machine check $i: the guest goes on" in_guest 1 'dmesg | grep -c "Unexpected int18"'
	check "machine check $i: the guest's handler is ready for the next one" \
		until_true 10 in_guest 1 \
		"[ \$(dmesg | grep -c 'a machine check was broadcast to all CPUs') = $i ]"
done
in_guest 1 "(sleep 0.5; echo c >/proc/sysrq-trigger) >/dev/null 2>&1 &" >/dev/null
check "the panicked guest is kept" wait_state g panicked
for cpu in 1 2; do
	check "CPU $cpu is parked in the entry pages" in_our_pages $cpu
	check "parked CPU $cpu is halted" halted $cpu
	check "parked CPU $cpu has CR4.MCE set" ready $cpu
done
for i in 3 4; do
	check "machine check $i is broadcast to all CPUs" announce
	check "machine check $i: the host goes on" eval 'sync; true'
done
check "CPU 1 is still halted afterwards" halted 1
check "the guest is killed" sigmactl kill g
check "the host has the CPUs and the memory back" eval 'wait_gone g && host_is_as_before'
finish
