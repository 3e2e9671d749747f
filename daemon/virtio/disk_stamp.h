/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a disk has, as far as that can be told quickly: enough to notice that a disk was written to while
 * the guest that had mounted it was in a file. Such a guest would destroy it.
 */
#ifndef SIGMA_VIRTIO_DISK_STAMP_H
#define SIGMA_VIRTIO_DISK_STAMP_H

#include <stdint.h>

struct disk;

/**
 * struct disk_stamp - of one disk
 * @device: its number on the bus
 * @reserved: 0
 * @size: bytes
 * @modified_ns: when a regular file was last written to, on CLOCK_REALTIME; 0: a block device
 * @sample: hash of its first and last bytes, where file systems note that they were mounted
 */
struct disk_stamp {
	uint32_t device;
	uint32_t reserved;
	uint64_t size;
	uint64_t modified_ns;
	uint64_t sample;
};

/** disk_stamp - fill in all but @device; 0 or -errno */
int disk_stamp(const struct disk *disk, struct disk_stamp *stamp);

#endif
