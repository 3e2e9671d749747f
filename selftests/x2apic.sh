#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=2G timeout=500 image=yes append=intel_iommu=on qemu=-machine qemu=kernel-irqchip=split cpu=max,+x2apic qemu=-device qemu=intel-iommu,intremap=on,eim=on
#
# A host in x2APIC mode with interrupt remapping, as on laptops. An unguarded guest finds no
# remapping and switches its own CPUs back to xAPIC; doorbells and INIT must still arrive on either
# side. This is the only test where host and guests have five-level page tables.

. "$(dirname "$0")/lib.sh"
need_sigma
remember_host

logged() { dmesg | grep -i "$1" >/dev/null; }	# grep -q would close the pipe too early
counter() { cat "/sys/class/sigma/g/$1"; }

check "the host is in x2APIC mode" logged "x2apic enabled"
check "the host has five-level page tables" grep -qw la57 /proc/cpuinfo
for run in "6.1 no" "7.2 no" "6.1 full"; do
	read -r kernel guard <<<"$run"
	guest g cpus=2 kernel="$kernel" guard="$guard" disk=/dev/vdb net=1
	check "$kernel, guard $guard: the guest starts" sigmactl start g
	check "$kernel, guard $guard: the guest's user space answers" wait_guest 1
	check "$kernel, guard $guard: the guest uses both CPUs" [ "$(in_guest 1 nproc)" = 2 ]
	check "$kernel, guard $guard: the guest writes to its disk" \
		in_guest 1 'dd if=/dev/zero of=/root/file bs=1M count=4 conv=fsync'
	check "$kernel, guard $guard: the host rings the guest by interrupts" \
		[ "$(counter ipis_sent)" -gt 0 ]
	check "$kernel, guard $guard: the guest rings the host by interrupts" \
		[ "$(counter interrupts_received)" -gt 0 ]
	check "$kernel, guard $guard: no interrupt of the host's devices reaches the guest" eval \
		'sigmactl log g >/tmp/log && ! grep "No irq handler" /tmp/log'
	check "$kernel, guard $guard: the guest is killed" sigmactl kill g
	check "$kernel, guard $guard: the guest is gone" wait_gone g
done
check "the host has the CPUs and the memory back" host_is_as_before
finish
