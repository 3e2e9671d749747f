#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=2 mem=1G timeout=60 monitor=yes
#
# The rig itself: a stock host with the project installed and nothing of it loaded.

. "$(dirname "$0")/lib.sh"
[ -e /run/sigma-rig ] || skip_all "not in a virtual machine of the rig"

not_loaded() { ! grep -q '^sigma ' /proc/modules; }
# 0: no module of another tree, no forced one, no warning so far
untainted() { [ "$(cat /proc/sys/kernel/tainted)" = 0 ]; }

check "the host runs a stock kernel, untainted" untainted
check "it has two CPUs" [ "$(online)" = 0-1 ]
check "sigma.ko is installed for it" modinfo sigma
check "but not loaded" not_loaded
check "sigmactl starts" sigmactl --version
check "guests' disks are there" blkid /dev/vdb /dev/vdc
for kernel in 6.1 6.12 7.2; do
	check "kernel $kernel for guests: image" test -r "$(kernel_image $kernel)"
	check "kernel $kernel for guests: sigma_guest.ko" \
		test -r "/usr/lib/sigma/$(kernel_version $kernel)/sigma_guest.ko"
done
check "QEMU's monitor answers" [ "$(monitor info status)" = "VM status: running" ]
check "and at length, of both CPUs" [ "$(monitor info registers -a | grep -c '^CR0=')" = 2 ]
finish
