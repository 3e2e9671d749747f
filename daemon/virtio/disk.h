/* SPDX-License-Identifier: GPL-2.0 */
/* What a virtual disk is kept in: a regular file or a block device of the host. */
#ifndef SIGMA_VIRTIO_DISK_H
#define SIGMA_VIRTIO_DISK_H

#include <stdbool.h>
#include <stdint.h>

struct vq_buffers;

#define SECTOR_SIZE 512

/**
 * struct disk - an open and locked file
 * @size: bytes, a multiple of SECTOR_SIZE
 * @block_size: bytes, what can be addressed
 * @physical_size: bytes, a power of two >= @block_size: what can be written without
 *		   reading first
 * @alignment: bytes by which the first physical block is off
 * @optimal_size: bytes of a good large transfer, 0: unknown
 * @flush_error: -errno of the first flush that failed, and of all since
 */
struct disk {
	int fd;
	char *path;
	bool read_only;
	bool block_device;
	bool can_discard;
	uint64_t size;
	unsigned int block_size, physical_size, alignment, optimal_size;
	int flush_error;
};

/**
 * disk_open - open, lock and measure
 *
 * For writing nobody else may have it open under a lock, for reading only nobody who
 * writes. May wait for udevd for two seconds. Return: 0, or -errno with a message.
 */
int disk_open(struct disk *disk, const char *path, bool read_only);
void disk_close(struct disk *disk);

/*
 * All of these block until it is done, and return 0 or -errno. @offset and @len have been
 * checked against the size. Buffers are consumed as far as they were transferred.
 */
int disk_read(const struct disk *disk, uint64_t offset, struct vq_buffers *buf);
int disk_write(const struct disk *disk, uint64_t offset, struct vq_buffers *buf);

/**
 * disk_flush - 0 only when everything that was written before is on stable storage
 *
 * Once it failed it does so until the disk is opened anew. It says why, once.
 */
int disk_flush(struct disk *disk);
int disk_discard(const struct disk *disk, uint64_t offset, uint64_t len);

/** disk_zero - make it read as zeros; @unmap: space may be given back meanwhile */
int disk_zero(const struct disk *disk, uint64_t offset, uint64_t len, bool unmap);

#endif
