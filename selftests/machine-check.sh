#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=2G timeout=300 cpu=Skylake-Client monitor=yes
#
# A machine check that the machine recovers from, told to all CPUs as Intel's do, is a reset where one
# of them is not ready for it: CR4.MCE is clear, or the last one is still in progress. Lent CPUs are
# ready: those of a guest, one that waits at the wake-up mailbox, and those that rest.

. "$(dirname "$0")/lib.sh"
need_sigma
remember_host

BANK=1 STATUS=0xbd000000000000c0	# memory that a scrubber found, which no program has used (SRAO)
MCG_STATUS=0x5				# in progress; what was interrupted can go on
ADDRESS=0xf0000000 PHYSICAL=0x8c	# where no memory is

announce() { monitor "mce -b 0 $BANK $STATUS $MCG_STATUS $ADDRESS $PHYSICAL"; }
registers() { monitor "info registers -a" | awk -v cpu="CPU#$1" '/^CPU#/ { on = $1 == cpu } on'; }
halted() { registers "$1" | grep "HLT=1"; }
ready() { registers "$1" | grep -Eo "CR4=[0-9a-f]+" | grep -E "CR4=[0-9a-f]*[4567cdef][0-9a-f]$"; }
# In the entry pages, below 1 MiB, not at the reset vector
in_our_pages() { registers "$1" | grep -E "RIP=00000000000[0-9a-f]{5} "; }

guest g cpus=2 disk=/dev/vdb net=1
check "a guest with two CPUs is up" eval 'sigmactl start g && wait_guest 1'
for cpu in 1 2; do
	check "CPU $cpu has CR4.MCE" ready $cpu
done
for i in 1 2; do
	check "machine check $i: is told to all CPUs" announce
	check "machine check $i: the guest works on" in_guest 1 'dmesg | grep -c "Unexpected int18"'
	check "machine check $i: the guest is ready for the next" until_true 10 in_guest 1 \
		"[ \$(dmesg | grep -c 'a machine check was told to all CPUs') = $i ]"
done
check "the guest panics" eval 'in_guest 1 "echo c >/proc/sysrq-trigger" || wait_state g panicked'
check "and is kept" wait_state g panicked
for cpu in 1 2; do
	check "CPU $cpu rests in our pages" in_our_pages $cpu
	check "CPU $cpu is halted" halted $cpu
	check "CPU $cpu has CR4.MCE" ready $cpu
done
for i in 3 4; do
	check "machine check $i: is told to all CPUs" announce
	check "machine check $i: the host works on" eval 'sync; true'
done
check "CPU 1 rests all the same" halted 1
check "it is killed" sigmactl kill g
check "CPUs and memory are back" eval 'wait_gone g && host_is_as_before'
finish
