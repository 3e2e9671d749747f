#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=4 mem=2G timeout=300
#
# Broadcast interrupts stay in the kernel that sends them. With three CPUs online a stock host would
# send them by a shorthand that reaches every CPU of the machine, and so would a guest with two
# CPUs. The panic of a kernel, for one, stops its other CPUs by a broadcast.

. "$(dirname "$0")/lib.sh"
need_sigma
remember_host

BROADCASTS=20

# Patching the code of a static key interrupts all other CPUs at once; so does loading a module
broadcast()
{
	for i in $(seq $BROADCASTS); do
		echo $((i % 2)) >/proc/sys/kernel/sched_schedstats || return
	done
}

# Sum of one kind of interrupts over all CPUs; /proc/interrupts is on standard input
interrupts()
{
	awk -v kind="$1:" '$1 == kind { for (i = 2; i <= NF && $i ~ /^[0-9]+$/; i++) sum += $i }
			   END { print sum + 0 }'
}
host_calls() { interrupts CAL </proc/interrupts; }
guest_calls() { in_guest 1 'cat /proc/interrupts' | interrupts CAL; }

guest g cpus=cpu3 disk=/dev/vdb net=1
check "a guest with one CPU starts" sigmactl start g
check "the guest's user space answers" wait_guest 1
guest_before=$(guest_calls) host_before=$(host_calls)
check "the host sends $BROADCASTS broadcasts to its CPUs" broadcast
host_rise=$(($(host_calls) - host_before)) guest_rise=$(($(guest_calls) - guest_before))
check "the host's other CPUs took the broadcasts: $host_rise" [ "$host_rise" -ge $BROADCASTS ]
check "the guest's CPU took none of them" [ "$guest_rise" = 0 ]
check "the guest stops" sigmactl stop g

guest g cpus=cpu2,cpu3 disk=/dev/vdb net=1
check "a guest with two CPUs starts" sigmactl start g
check "the user space of the guest with two CPUs answers" wait_guest 1
in_guest 1 "(sleep 0.5; echo c >/proc/sysrq-trigger) >/dev/null 2>&1 &" >/dev/null
check "the guest panics" wait_state g panicked
check "the host goes on, and has the CPUs and the memory back" \
	eval 'sigmactl stop g && wait_gone g && host_is_as_before'
finish
