/* SPDX-License-Identifier: GPL-2.0 */
/* Access to the scattered buffers of a descriptor chain, which queue.c has translated. */
#ifndef SIGMA_VIRTIO_BUFFERS_H
#define SIGMA_VIRTIO_BUFFERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/**
 * struct vq_buffers - scattered guest memory
 * @iov: where it is mapped
 * @nr: number of entries of @iov
 * @len: bytes in all
 *
 * The guest may change the contents at any time, but not the addresses.
 */
struct vq_buffers {
	struct iovec *iov;
	unsigned int nr;
	size_t len;
};

/** vq_skip - drop the first @len bytes, or all if there are fewer */
void vq_skip(struct vq_buffers *buf, size_t len);

/** vq_read - copy the first @len bytes to @to, once, and drop them; false: there are fewer */
bool vq_read(struct vq_buffers *buf, void *to, size_t len);

/** vq_write - overwrite the first @len bytes and drop them; false: there are fewer */
bool vq_write(struct vq_buffers *buf, const void *from, size_t len);

/** vq_take_last - drop the last byte and return its address; NULL: there is none */
uint8_t *vq_take_last(struct vq_buffers *buf);

#endif
