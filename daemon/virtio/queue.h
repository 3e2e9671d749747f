/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Split virtqueues (virtio 1.2, 2.7), device side: every descriptor is checked.
 *
 * One caller at a time for each queue, in any thread.
 */
#ifndef SIGMA_VIRTIO_QUEUE_H
#define SIGMA_VIRTIO_QUEUE_H

#include <linux/virtio_ring.h>
#include <systemd/sd-event.h>

#include "../../common/memory.h"
#include "buffers.h"
#include "state.h"

struct virtio_device;

/**
 * struct virtio_counters - what went through queues, headers of requests included
 * @chains: given back to the guest
 * @bytes_out: that the guest wanted read
 * @bytes_in: that were written for it
 *
 * Written by the queue's one caller, read by anybody.
 */
struct virtio_counters {
	uint64_t chains, bytes_out, bytes_in;
};

/**
 * struct virtqueue_setup - a queue as its driver set it up, and what it works on
 * @size: entries; @desc: and @avail, @used: guest physical addresses; all as the driver gave them
 * @features: that were negotiated
 * @mem: of the guest
 * @stopped: no chain is given while this is true; read with atomics
 * @broken: called with @data when the driver breaks a rule of queues: has @stopped become true;
 *	    any thread
 */
struct virtqueue_setup {
	unsigned int size;
	uint64_t desc, avail, used;
	uint64_t features;
	const struct guest_memory *mem;
	const bool *stopped;
	void (*broken)(void *data, unsigned int index, const char *reason);
	void *data;
};

/**
 * struct virtqueue - one split virtqueue (virtio 1.2, 2.7), device side
 * @size: entries, a power of two; 0: not set up
 * @kick_fd: eventfd that the guest's kick signals; -1 while not set up
 * @call_fd: eventfd that interrupts the guest; -1 while not set up
 * @unordered: the back end gives chains back in any order, and must do each just once
 * @kick: doorbell the guest rings, to host
 * @call: doorbell the guest is rung with, to guest
 */
struct virtqueue {
	struct virtio_device *dev;	/* that it belongs to; queue.c never looks at it */
	unsigned int index;
	unsigned int max_size;		/* 1..VIRTQUEUE_SIZE_MAX, a power of two */
	unsigned int size;
	bool unordered;
	int kick_fd, call_fd;
	uint32_t kick, call;
	sd_event_source *kick_source;	/* from start to reset, when ops->kick is there */
	struct virtio_counters moved;	/* since the device was made */
	struct queue_state *state;	/* for the next sigmad */
	/* private to queue.c */
	struct virtqueue_setup setup;
	struct vring vring;		/* in guest memory */
	uint16_t last_avail;		/* next entry of the available ring to take */
	uint16_t used_idx;		/* next entry of the used ring to fill */
	uint16_t published_used;	/* what the guest has been shown */
	uint16_t signalled_used;	/* what the guest has been interrupted for */
	bool event_idx, quiet;
	unsigned int nr_redo;		/* bits of @redo */
	uint64_t redo[VIRTQUEUE_SIZE_MAX / 64];	/* taken by the last sigmad, to be popped first */
};

#define VIRTQUEUE_SEGMENTS_MAX 128

/**
 * struct vq_request - one descriptor chain, translated
 * @out: what the guest wants read
 * @in: what the guest wants written
 *
 * @out and @in point into @iov: a request can't be copied.
 */
struct vq_request {
	uint16_t head;
	struct vq_buffers out, in;
	struct iovec iov[VIRTQUEUE_SEGMENTS_MAX];
};

#define VIRTQUEUE_WHY_MAX 160

/**
 * virtqueue_setup - take the addresses the driver gave
 * @setup: a copy is kept
 * @why: out, after an error: what the driver did wrong, behind "the driver"
 *
 * Return: 0 or -EINVAL.
 */
int virtqueue_setup(struct virtqueue *vq, const struct virtqueue_setup *setup,
		    char why[VIRTQUEUE_WHY_MAX]);
void virtqueue_reset(struct virtqueue *vq);

/**
 * virtqueue_resume - go on where the last sigmad was
 * @last: what it left, a copy; the queue was set up as it says
 *
 * Chains that it took and did not give back are popped again. Return: 0, or -errno when
 * queue and state don't fit together: setup.broken() was called.
 */
int virtqueue_resume(struct virtqueue *vq, const struct queue_state *last);

/**
 * virtqueue_catch_up - somebody else has served the queue: go on where the used index is now
 *
 * For who gives chains back in order. Return: were any given back since the last time?
 */
bool virtqueue_catch_up(struct virtqueue *vq);

/** virtqueue_ring - where the parts of a queue are mapped, for somebody else who serves it */
const struct vring *virtqueue_ring(const struct virtqueue *vq);

/**
 * virtqueue_pop - take the next chain
 *
 * Return: 1; 0 when there is none (notifications are on and none slipped through), or when
 * the queue is not set up; -errno when the device is stopped, perhaps because the driver
 * just broke the queue.
 */
int virtqueue_pop(struct virtqueue *vq, struct vq_request *req);

/** virtqueue_waits - would virtqueue_pop() find something? Doesn't ask for kicks */
bool virtqueue_waits(const struct virtqueue *vq);

/** virtqueue_unpop - put the last @nr chains back, as if they had not been popped */
void virtqueue_unpop(struct virtqueue *vq, unsigned int nr);

/**
 * virtqueue_push - give a chain back with @written bytes written
 *
 * The guest doesn't see it before virtqueue_publish(), so that several chains can be made
 * to appear at once; at most the queue's size of them.
 */
void virtqueue_push(struct virtqueue *vq, uint16_t head, uint32_t written);
void virtqueue_publish(struct virtqueue *vq);

/** virtqueue_notify - publish, and interrupt the guest unless it asked for none */
void virtqueue_notify(struct virtqueue *vq);

/** virtqueue_kick - have the queue looked at again soon, as if the guest had kicked */
void virtqueue_kick(struct virtqueue *vq);

#endif
