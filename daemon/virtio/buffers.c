// SPDX-License-Identifier: GPL-2.0
/*
 * Scattered buffers: see buffers.h. Drivers may divide a request into buffers anywhere (virtio 1.2,
 * 2.7.4), so a header need not be a buffer of its own.
 */
#include <stdatomic.h>
#include <string.h>

#include "../../common/assert.h"
#include "buffers.h"

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Drop the first @len bytes, after copying them to @out or from @in; both may be NULL */
static void walk(struct vq_buffers *buf, size_t len, uint8_t *out, const uint8_t *in)
{
	len = smaller(len, buf->len);
	buf->len -= len;

	while (buf->nr) {
		struct iovec *iov = buf->iov;
		size_t step = smaller(len, iov->iov_len);

		if (out) {
			memcpy(out, iov->iov_base, step);
			out += step;
		}
		if (in) {
			memcpy(iov->iov_base, in, step);
			in += step;
		}
		len -= step;
		iov->iov_base = (uint8_t *)iov->iov_base + step;
		iov->iov_len -= step;
		if (iov->iov_len)
			break;
		buf->iov++;
		buf->nr--;
	}
	/* @buf->len is the sum of the lengths in @buf->iov */
	sigma_assert(!len && !buf->nr == !buf->len);
}

void vq_skip(struct vq_buffers *buf, size_t len)
{
	walk(buf, len, NULL, NULL);
}

bool vq_read(struct vq_buffers *buf, void *to, size_t len)
{
	if (len > buf->len)
		return false;
	walk(buf, len, to, NULL);
	/* The compiler must not read guest memory again instead of @to: it may have changed */
	atomic_signal_fence(memory_order_seq_cst);
	return true;
}

bool vq_write(struct vq_buffers *buf, const void *from, size_t len)
{
	if (len > buf->len)
		return false;
	walk(buf, len, NULL, from);
	return true;
}

uint8_t *vq_take_last(struct vq_buffers *buf)
{
	struct iovec *last;

	if (!buf->len)
		return NULL;
	sigma_assert(buf->nr);
	last = &buf->iov[buf->nr - 1];
	buf->len--;
	if (!--last->iov_len)
		buf->nr--;
	return (uint8_t *)last->iov_base + last->iov_len;
}
