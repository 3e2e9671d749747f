#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=2G timeout=500 cpu=max,-la57
#
# A guest with two CPUs: both run programs, and the host gets both back

. "$(dirname "$0")/lib.sh"
need_sigma
remember_host

# The guest's second CPU waits in the entry page where the guest is not guarded, else in the guard
for run in "6.1 no" "6.12 no" "7.2 no" "6.12 full"; do
	read -r kernel guard <<<"$run"
	what="$kernel, guard $guard"
	guest g kernel="$kernel" guard="$guard" cpus=2 disk=/dev/vdb net=1
	check "$what: the guest starts" sigmactl start g
	check "$what: the host keeps one CPU" [ "$(online)" = 0 ]
	check "$what: the guest's user space answers" wait_guest 1
	check "$what: the guest has two CPUs" [ "$(in_guest 1 nproc)" = 2 ]
	for cpu in 0 1; do
		check "$what: CPU $cpu of the guest runs programs" \
			in_guest 1 "taskset -c $cpu sh -c 'read -r s </proc/self/stat; set -- \$s; \
				shift 38; [ \$1 = $cpu ]'"
	done
	check "$what: interrupts between the guest's CPUs arrive" in_guest 1 \
		"for i in 1 2 3 4; do taskset -c \$((i % 2)) true; done; grep -E '^ *(RES|CAL):' /proc/interrupts | \
		awk '{ n += \$2 + \$3 } END { exit !n }'"
	refuse "$what: a CPU that the guest could not start again stays online" "not supported" \
		in_guest_bash 1 "echo 0 >/sys/devices/system/cpu/cpu1/online"
	check "$what: the guest still has two CPUs" [ "$(in_guest 1 nproc)" = 2 ]
	check "$what: the guest stops" sigmactl stop g
	check "$what: the guest is gone" wait_gone g
	check "$what: the host has the CPUs and the memory back" host_is_as_before
done
finish
