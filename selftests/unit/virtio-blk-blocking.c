// SPDX-License-Identifier: GPL-2.0
/* Disks where there is no io_uring. */
#define WITHOUT_IO_URING
#include "virtio-blk.c"
