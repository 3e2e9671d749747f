/* SPDX-License-Identifier: GPL-2.0 */
/* Scattered guest memory, as queue.c translated it. */
#ifndef SIGMA_VIRTIO_BUFFERS_H
#define SIGMA_VIRTIO_BUFFERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/**
 * struct vq_buffers - scattered guest memory
 * @len: bytes in all
 *
 * The guest may change the bytes at any time, never where they are.
 */
struct vq_buffers {
	struct iovec *iov;
	unsigned int nr;
	size_t len;
};

/** vq_skip - drop the first @len bytes, all of them when there are fewer */
void vq_skip(struct vq_buffers *buf, size_t len);

/** vq_read - copy the first @len bytes out, once, and drop them; false when there are fewer */
bool vq_read(struct vq_buffers *buf, void *to, size_t len);

/** vq_write - overwrite the first @len bytes and drop them; false when there are fewer */
bool vq_write(struct vq_buffers *buf, const void *from, size_t len);

/** vq_take_last - drop the last byte and say where it is; NULL when there is none */
uint8_t *vq_take_last(struct vq_buffers *buf);

#endif
