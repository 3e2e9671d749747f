#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=2G timeout=500 cpu=max,-la57
#
# A guest with two CPUs, both of which do work and come back.

. "$(dirname "$0")/lib.sh"
need_sigma
remember_host

# Secondary CPUs wait in the entry page where the guest is not confined, else in the guard
for run in "6.1 no" "6.12 no" "7.2 no" "6.12 full"; do
	read -r kernel guard <<<"$run"
	what="$kernel, guard $guard"
	guest g kernel="$kernel" guard="$guard" cpus=2 disk=/dev/vdb net=1
	check "$what: starts" sigmactl start g
	check "$what: the host keeps one CPU" [ "$(online)" = 0 ]
	check "$what: user space answers" wait_guest 1
	check "$what: it has two CPUs" [ "$(in_guest 1 nproc)" = 2 ]
	for cpu in 0 1; do
		check "$what: CPU $cpu runs programs" \
			in_guest 1 "taskset -c $cpu sh -c 'read -r s </proc/self/stat; set -- \$s; \
				shift 38; [ \$1 = $cpu ]'"
	done
	check "$what: interrupts between them arrive" in_guest 1 \
		"for i in 1 2 3 4; do taskset -c \$((i % 2)) true; done; grep -E '^ *(RES|CAL):' /proc/interrupts | \
		awk '{ n += \$2 + \$3 } END { exit !n }'"
	refuse "$what: a CPU that nothing could start again stays online" "not supported" \
		in_guest 1 "echo 0 >/sys/devices/system/cpu/cpu1/online"
	check "$what: it has two CPUs" [ "$(in_guest 1 nproc)" = 2 ]
	check "$what: stops" sigmactl stop g
	check "$what: is gone" wait_gone g
	check "$what: CPUs and memory are back" host_is_as_before
done
finish
