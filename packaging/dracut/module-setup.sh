#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# dracut.modules(7): what a guest needs up to its root. udev loads sigma_guest, and then the
# drivers, where the ACPI tables have SIGMA's device, which no other machine's have.

check()
{
	modinfo -k "${kernel:-$(uname -r)}" sigma_guest >/dev/null 2>&1
}

depends()
{
	echo udev-rules
}

installkernel()
{
	# The host's own devices, by which dracut would choose, say nothing of a guest's
	hostonly='' instmods sigma_guest virtio_blk virtio_net virtio_console virtiofs ext4
}
