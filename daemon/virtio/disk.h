/* SPDX-License-Identifier: GPL-2.0 */
/* What a virtual disk is kept in: a regular file or a block device of the host. */
#ifndef SIGMA_VIRTIO_DISK_H
#define SIGMA_VIRTIO_DISK_H

#include <stdbool.h>
#include <stdint.h>

struct guest_disk;
struct vq_buffers;
struct virtio_making;

#define SECTOR_SIZE 512

/**
 * struct disk - an open and locked file
 * @direct_fd: the same with O_DIRECT, -1 when that can't be
 * @direct_align: bytes, a power of two: what address, offset and length need for it
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
	int direct_fd;
	unsigned int direct_align;
	int flags;			/* of open(2) */
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
 * @config: path, read_only, direct
 *
 * For writing nobody else may have it open under a lock, for reading only nobody who
 * writes. May wait up to 2 s for those who hold it for a moment. Return: 0, or -errno and why.
 */
int disk_open(struct disk *disk, struct virtio_making *making, const struct guest_disk *config);
void disk_close(struct disk *disk);

/** disk_fd - the file to use for a transfer at @offset: without the host's cache if it can be */
int disk_fd(const struct disk *disk, uint64_t offset, const struct vq_buffers *buf);

/**
 * disk_flushed - what a flush may be answered with
 * @error: of fdatasync() on @disk->fd, 0 or -errno
 *
 * One that failed, here or before, stays failed until the disk is opened anew: Linux tells
 * once that data could not be written. Only one flush may be under way at a time, or the
 * other's fdatasync() succeeds beside it. Return: 0 or -errno; it says why, once.
 */
int disk_flushed(struct disk *disk, int error);

/*
 * These block until it is done, and return 0 or -errno. @offset and @len have been
 * checked against the size.
 */
int disk_discard(const struct disk *disk, uint64_t offset, uint64_t len);

/** disk_zero - make it read as zeros; @unmap: space may be given back meanwhile */
int disk_zero(const struct disk *disk, uint64_t offset, uint64_t len, bool unmap);

#endif
