#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=2G timeout=500 image=yes append=intel_iommu=on qemu=-machine qemu=kernel-irqchip=split cpu=max,+x2apic qemu=-device qemu=intel-iommu,intremap=on,eim=on
#
# A host in x2APIC mode with interrupt remapping, as laptops are. A guest that is not confined
# finds no remapping and takes its own core back to xAPIC; doorbells and INIT go both ways all
# the same. Here alone host and guests have page tables of five levels.

. "$(dirname "$0")/lib.sh"
need_sigma
remember_host

logged() { dmesg | grep -i "$1" >/dev/null; }	# not -q, which closes the pipe too early
counter() { cat "/sys/class/sigma/g/$1"; }

check "the host is in x2APIC mode" logged "x2apic enabled"
check "and has page tables of five levels" grep -qw la57 /proc/cpuinfo
for run in "6.1 no" "7.2 no" "6.1 full"; do
	read -r kernel guard <<<"$run"
	guest g cpus=2 kernel="$kernel" guard="$guard" disk=/dev/vdb net=1
	check "$kernel, guard $guard: starts" sigmactl start g
	check "$kernel, guard $guard: user space answers" wait_guest 1
	check "$kernel, guard $guard: both CPUs are in use" [ "$(in_guest 1 nproc)" = 2 ]
	check "$kernel, guard $guard: disk" in_guest 1 'dd if=/dev/zero of=/root/file bs=1M count=4 conv=fsync'
	check "$kernel, guard $guard: doorbells by interrupt, to the guest" [ "$(counter ipis_sent)" -gt 0 ]
	check "$kernel, guard $guard: doorbells by interrupt, to the host" [ "$(counter interrupts_received)" -gt 0 ]
	check "$kernel, guard $guard: no interrupt of the host's devices reaches it" eval \
		'sigmactl log g >/tmp/log && ! grep "No irq handler" /tmp/log'
	check "$kernel, guard $guard: is killed" sigmactl kill g
	check "$kernel, guard $guard: is gone" wait_gone g
done
check "CPUs and memory are back" host_is_as_before
finish
