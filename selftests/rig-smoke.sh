#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=2 mem=1G timeout=60 monitor=yes
#
# The rig itself: a stock host where the project is installed and none of its modules is loaded

. "$(dirname "$0")/lib.sh"
[ -e /run/sigma-rig ] || skip_all "not in a virtual machine of the rig"

not_loaded() { ! grep -q '^sigma ' /proc/modules; }
# 0: no out-of-tree module, no forced one, and no warning so far
untainted() { [ "$(cat /proc/sys/kernel/tainted)" = 0 ]; }

check "the host runs a stock kernel that is not tainted" untainted
check "the host has two CPUs" [ "$(online)" = 0-1 ]
check "sigma.ko is installed for the host's kernel" modinfo sigma
check "sigma.ko is not loaded" not_loaded
check "sigmactl starts" sigmactl --version
check "the guests' disks exist" blkid /dev/vdb /dev/vdc
for kernel in 6.1 6.12 7.2; do
	check "kernel $kernel for guests: the image exists" test -r "$(kernel_image $kernel)"
	check "kernel $kernel for guests: sigma_guest.ko exists" \
		test -r "/usr/lib/sigma/$(kernel_version $kernel)/sigma_guest.ko"
done
check "QEMU's monitor answers" [ "$(monitor info status)" = "VM status: running" ]
check "QEMU's monitor gives a long answer whole: the registers of both CPUs" \
	[ "$(monitor info registers -a | grep -c '^CR0=')" = 2 ]
finish
