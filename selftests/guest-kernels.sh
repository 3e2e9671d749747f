#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=2 mem=2G timeout=400
#
# Stock guest kernels of three series, unmodified, one after the other on the same core.

. "$(dirname "$0")/lib.sh"
need_sigma
remember_host

for kernel in 6.1 6.12 7.2; do
	version=$(kernel_version $kernel)
	guest g kernel=$kernel disk=/dev/vdb net=1
	check "$kernel: starts" sigmactl start g
	check "$kernel: its driver is up" wait_state g running
	check "$kernel: reports $version" [ "$(cat /sys/class/sigma/g/release)" = "$version" ]
	check "$kernel: user space answers over the network" wait_guest 1
	check "$kernel: runs $version" [ "$(in_guest 1 'uname -r')" = "$version" ]
	check "$kernel: root is on the disk" in_guest 1 'findmnt -n -o SOURCE / | grep -qx /dev/vda'
	check "$kernel: stops" sigmactl stop g
	check "$kernel: is gone" wait_gone g
done
check "CPUs and memory are back" host_is_as_before
finish
