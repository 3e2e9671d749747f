/* SPDX-License-Identifier: GPL-2.0 */
/* Descriptor chains (virtio 1.2, 2.7.4 and 2.7.5), device side. Every descriptor is checked. */
#ifndef SIGMA_VIRTIO_CHAIN_H
#define SIGMA_VIRTIO_CHAIN_H

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stdint.h>

#include "../../common/memory.h"
#include "buffers.h"

/* For what the guest can write at any moment */
#define read_once(x)	__atomic_load_n(&(x), __ATOMIC_RELAXED)

/**
 * struct virtqueue_setup - a queue as its driver has set it up, and its environment
 * @size: number of entries, as the driver gave it
 * @desc: guest physical address of the descriptor table, as the driver gave it
 * @avail: same, of the available ring
 * @used: same, of the used ring
 * @features: negotiated features
 * @mem: the guest's memory
 * @stopped: while this is true virtqueue_pop() returns no chain; read with atomics
 * @broken: called with @data, in any thread, when the driver breaks a rule of queues; has to set
 *	    @stopped
 * @data: for @broken
 */
struct virtqueue_setup {
	unsigned int size;
	uint64_t desc, avail, used;
	uint64_t features;
	const struct guest_memory *mem;
	const bool *stopped;
	void (*broken)(void *data, const char *reason);
	void *data;
};

#define VIRTQUEUE_SEGMENTS_MAX 128

/**
 * struct vq_request - one descriptor chain, translated
 * @head: its first descriptor
 * @out: buffers that the device reads
 * @in: buffers that the device writes
 * @iov: storage for both
 *
 * @out and @in point into @iov, so the struct must not be copied.
 */
struct vq_request {
	uint16_t head;
	struct vq_buffers out, in;
	struct iovec iov[VIRTQUEUE_SEGMENTS_MAX];
};

/**
 * chain_read - read a chain and translate its buffers
 * @setup: the queue that the chain is in
 * @table: the queue's descriptor table, where it is mapped
 * @head: the chain's first descriptor; the driver's, so any number
 * @req: out
 *
 * Return: 0, or -EPROTO: the driver broke a rule, and @setup->broken() was called.
 */
int chain_read(const struct virtqueue_setup *setup, const struct vring_desc *table, uint16_t head,
	       struct vq_request *req);

/** chain_broken - call @setup->broken() with this reason. Return: -EPROTO */
int chain_broken(const struct virtqueue_setup *setup, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
