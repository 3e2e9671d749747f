#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=6 mem=2G timeout=300 cpu=max,-la57 qemu=-smp qemu=6,sockets=2,cores=3 in=matrix
#
# A host in flat logical mode whose CPU numbers and APIC IDs differ: CPU 3 has ID 4. Confined in full
# it would be in x2APIC mode, and take what the host sends to its CPU 4, whose bit that is.

. "$(dirname "$0")/lib.sh"
need_sigma
remember_host

check "CPU 3 has APIC ID 4" [ "$(apic_id 3 </proc/cpuinfo)" = 4 ]
guest g guard=full cpus=cpu3 disk=/dev/vdb net=1
refuse "Guard=full is refused for it, with the reason and the remedy" \
	"cpu 3 has APIC ID 4, .*would get the interrupts that this host sends to its cpu 4; take another CPU" \
	sigmactl start g
check "nothing was taken" host_is_as_before
guest g guard=auto cpus=cpu3 disk=/dev/vdb net=1
check "Guard=auto: it is confined less, and sigmad says why" eval 'sigmactl start g 2>/tmp/said &&
	[ "$(cat /sys/class/sigma/g/guard)" = memory ] && grep "(cpu 3 has APIC ID 4" /tmp/said'
check "Guard=auto: user space answers" wait_guest 1
check "it stops, all is back" eval 'sigmactl stop g && wait_gone g && host_is_as_before'
guest g guard=full cpus=cpu1 disk=/dev/vdb net=1
check "CPU 1, whose number is its ID, is confined in full" eval 'sigmactl start g && wait_guest 1 &&
	[ "$(cat /sys/class/sigma/g/guard)" = full ]'
check "it stops, all is back" eval 'sigmactl stop g && wait_gone g && host_is_as_before'
finish
