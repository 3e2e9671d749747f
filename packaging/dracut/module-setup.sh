#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# dracut.modules(7): the modules that a guest needs to mount its root file system. udev loads
# sigma_guest, and then the virtio drivers, if the ACPI tables contain SIGMA's device. Only the
# tables of a guest contain it.

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
	# Without hostonly: it would leave out modules that the host's own devices do not need
	hostonly='' instmods sigma_guest virtio_blk virtio_net virtio_console virtiofs ext4
}
