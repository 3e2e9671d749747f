// SPDX-License-Identifier: GPL-2.0
/*
 * Descriptor chains: see chain.h.
 *
 * The guest can write descriptors at any moment, so each field is read exactly once, into a local
 * variable, and checked there. memory_at() translates addresses, so a chain can only name memory of
 * the guest. If the driver breaks a rule, no byte is moved for the chain.
 */
#include <endian.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

#include "chain.h"

int chain_broken(const struct virtqueue_setup *setup, const char *fmt, ...)
{
	char reason[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	setup->broken(setup->data, reason);
	return -EPROTO;
}

struct descriptor {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
};

static struct descriptor read_descriptor(const struct vring_desc *at)
{
	return (struct descriptor) {
		.addr = le64toh(read_once(at->addr)),
		.len = le32toh(read_once(at->len)),
		.flags = le16toh(read_once(at->flags)),
		.next = le16toh(read_once(at->next)),
	};
}

static int add_buffer(const struct virtqueue_setup *setup, struct vq_request *req,
		      const struct descriptor *d)
{
	struct vq_buffers *buf = d->flags & VRING_DESC_F_WRITE ? &req->in : &req->out;
	unsigned int nr = req->out.nr + req->in.nr;
	void *at;

	if (nr == VIRTQUEUE_SEGMENTS_MAX)
		return chain_broken(setup, "a chain of more than %u buffers",
				    VIRTQUEUE_SEGMENTS_MAX);
	if (buf == &req->out && req->in.nr)
		return chain_broken(setup, "a readable buffer after a writable one (virtio 1.2, 2.7.4.2)");

	at = memory_at(setup->mem, d->addr, d->len);
	if (!at)
		return chain_broken(setup, "a buffer of %u bytes at 0x%llx is empty or not in the guest's memory",
				    d->len, (unsigned long long)d->addr);
	/* 2.7.5.2: no chain describes more than 2^32 bytes; used entries count in 32 bits */
	if (req->out.len + req->in.len + d->len > UINT32_MAX)
		return chain_broken(setup, "a chain of more than 4 GiB");

	req->iov[nr] = (struct iovec) { .iov_base = at, .iov_len = d->len };
	if (!buf->nr)
		buf->iov = &req->iov[nr];
	buf->nr++;
	buf->len += d->len;
	return 0;
}

/* 2.7.5.3: the table of an indirect descriptor; NULL: the driver broke a rule */
static const struct vring_desc *indirect_table(const struct virtqueue_setup *setup,
					       const struct descriptor *d)
{
	const struct vring_desc *table;

	if (!(setup->features & (1ULL << VIRTIO_RING_F_INDIRECT_DESC))) {
		chain_broken(setup, "an indirect descriptor, which was not negotiated");
		return NULL;
	}
	if (d->flags & VRING_DESC_F_NEXT) {
		chain_broken(setup, "an indirect descriptor with a next one");
		return NULL;
	}
	table = memory_at(setup->mem, d->addr, d->len);
	if (!table || d->len % sizeof(*table) || d->addr % _Alignof(typeof(*table))) {
		chain_broken(setup, "an indirect table of %u bytes at 0x%llx is odd-sized, misaligned or not in the guest's memory",
			     d->len, (unsigned long long)d->addr);
		return NULL;
	}
	return table;
}

int chain_read(const struct virtqueue_setup *setup, const struct vring_desc *table, uint16_t head,
	       struct vq_request *req)
{
	unsigned int nr = setup->size, seen = 0;
	uint16_t index = head;
	bool indirect = false;
	struct descriptor d;
	int ret;

	req->head = head;
	req->out = (struct vq_buffers) { .iov = req->iov };
	req->in = (struct vq_buffers) { .iov = req->iov };
	do {
		if (index >= nr)
			return chain_broken(setup, "descriptor %u of %u", index, nr);
		if (seen++ == nr)
			return chain_broken(setup, "the chain from descriptor %u is a loop", head);

		d = read_descriptor(&table[index]);
		if (d.flags & VRING_DESC_F_INDIRECT) {
			if (indirect)
				return chain_broken(setup, "an indirect table inside another");
			table = indirect_table(setup, &d);
			if (!table)
				return -EPROTO;
			indirect = true;
			nr = d.len / sizeof(*table);
			seen = 0;
			/* Continue with the first entry of the table */
			d.flags = VRING_DESC_F_NEXT;
			d.next = 0;
		} else {
			ret = add_buffer(setup, req, &d);
			if (ret < 0)
				return ret;
		}
		index = d.next;
	} while (d.flags & VRING_DESC_F_NEXT);

	return 0;
}
