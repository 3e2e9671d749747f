// SPDX-License-Identifier: GPL-2.0
/* Disks on a host without io_uring. */
#define WITHOUT_IO_URING
#include "virtio-blk.c"
