/* SPDX-License-Identifier: GPL-2.0 */
/* The storage of a virtual disk: a regular file or a block device of the host. */
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
 * @fd: the file
 * @direct_fd: the same file with O_DIRECT; -1: not possible
 * @direct_memory: alignment of addresses for @direct_fd: bytes, a power of two
 * @direct_align: alignment of offset and length for @direct_fd: bytes, a power of two
 * @refused_direct: for disk_refused_direct()
 * @flags: of open(2)
 * @path: for messages
 * @read_only: opened read-only
 * @block_device: a block device, not a regular file
 * @can_discard: disk_discard() is supported
 * @size: see disk_size()
 * @block_size: bytes of the smallest block that can be addressed
 * @physical_size: bytes of the smallest block that can be written without a read before: a power
 *		   of two >= @block_size
 * @alignment: byte offset of the first physical block
 * @optimal_size: bytes of an efficient large transfer; 0: unknown
 * @failed: device_state.failed, which the owner sets before the first disk_flushed()
 */
struct disk {
	int fd;
	int direct_fd;
	unsigned int direct_memory, direct_align;
	bool refused_direct;
	int flags;
	char *path;
	bool read_only;
	bool block_device;
	bool can_discard;
	uint64_t size;
	unsigned int block_size, physical_size, alignment, optimal_size;
	uint32_t *failed;
};

/**
 * disk_open - open and lock the file, and find its size and block sizes
 * @config: path, format, read_only, direct and block_size are used
 *
 * One that writes has the disk alone, and readers share it. QEMU is among those who are kept out
 * and keep out. This may wait for a lock that is held for a moment:
 * up to 2 s, or a minute in a take-over. Return: 0, and
 * disk_close() has to follow; or -errno and the reason in @making->said. With 0, a note about
 * O_DIRECT may be there.
 */
int disk_open(struct disk *disk, struct virtio_making *making, const struct guest_disk *config);
void disk_close(struct disk *disk);

/**
 * disk_open_image - the same for a file that is no raw disk, and is served by another process
 *
 * Its sizes are not found. The process gets @fd, and the locks last until it has closed it, too.
 */
int disk_open_image(struct disk *disk, struct virtio_making *making,
		    const struct guest_disk *config);

/** disk_look - the size that the file or block device has now, in bytes; 0 or -errno */
int disk_look(const struct disk *disk, uint64_t *size);

/**
 * disk_resize - take the size that the file or block device has now
 * @size: make the file this large before; 0: it has grown already
 *
 * A disk only grows. Return: 0 or a reported -errno: nothing has changed.
 */
int disk_resize(struct disk *disk, uint64_t size);

/** disk_size - bytes, a multiple of SECTOR_SIZE; any thread */
static inline uint64_t disk_size(const struct disk *disk)
{
	return __atomic_load_n(&disk->size, __ATOMIC_RELAXED);
}

/** disk_removed - is it a file that has no name any more? */
bool disk_removed(const struct disk *disk);

/** disk_fd - file to use for a transfer at @offset: the one with O_DIRECT if the alignment fits */
int disk_fd(const struct disk *disk, uint64_t offset, const struct vq_buffers *buf);

/**
 * disk_refused_direct - log, once, that a request failed with EINVAL on the file with O_DIRECT
 *
 * Some file systems accept O_DIRECT at open() and refuse single requests. They are done without it.
 */
void disk_refused_direct(struct disk *disk);

/**
 * disk_flushed - result of a flush, after fdatasync()
 * @error: result of fdatasync() on @disk->fd, 0 or -errno
 *
 * After one flush has failed, all flushes fail until the device is made anew, not by a take-over,
 * since Linux reports only once that data could not be written. Only one fdatasync() may be under
 * way at a time: a second one beside it could succeed although the first fails. Return: 0 or
 * -errno; the first error is logged.
 */
int disk_flushed(struct disk *disk, int error);

/*
 * These functions block until they are done, and return 0 or -errno. The caller has checked that
 * @offset and @len are within the disk.
 */
int disk_discard(const struct disk *disk, uint64_t offset, uint64_t len);

/** disk_zero - make the range read as zeros; @unmap: its space may be freed */
int disk_zero(const struct disk *disk, uint64_t offset, uint64_t len, bool unmap);

#endif
