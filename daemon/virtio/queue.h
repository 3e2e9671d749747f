/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Split virtqueues (virtio 1.2, 2.7), device side. Every descriptor is checked.
 *
 * The functions may be called in any thread, but only by one caller at a time for each queue.
 */
#ifndef SIGMA_VIRTIO_QUEUE_H
#define SIGMA_VIRTIO_QUEUE_H

#include <linux/virtio_ring.h>
#include <systemd/sd-event.h>

#include "chain.h"
#include "state.h"

struct virtio_device;

/**
 * struct virtio_counters - traffic of queues, including headers of requests
 * @chains: descriptor chains given back to the guest
 * @bytes_out: bytes that the guest gave the device to read
 * @bytes_in: bytes that the device wrote for the guest
 *
 * The queue's caller writes them; any thread may read them.
 */
struct virtio_counters {
	uint64_t chains, bytes_out, bytes_in;
};

/**
 * struct virtqueue - one split virtqueue (virtio 1.2, 2.7), device side
 * @size: number of entries, a power of two; 0: not set up
 * @unordered: the back end gives chains back in any order. Then the chains in flight are persisted,
 *	       so that each is done exactly once
 * @kick_fd: eventfd that the guest's kick signals; -1: not set up
 * @call_fd: eventfd that interrupts the guest; -1: not set up
 * @kick: doorbell by which the guest notifies the host
 * @call: doorbell by which the host interrupts the guest
 */
struct virtqueue {
	struct virtio_device *dev;	/* its device; queue.c does not use this */
	unsigned int index;
	unsigned int max_size;		/* 1..VIRTQUEUE_SIZE_MAX, a power of two */
	unsigned int size;
	bool unordered;
	int kick_fd, call_fd;
	uint32_t kick, call;
	sd_event_source *kick_source;	/* from start to reset, if ops->kick is not NULL */
	struct virtio_counters moved;	/* since the device was made */
	struct queue_state *state;	/* persisted for the next sigmad */
	/* private to queue.c */
	struct virtqueue_setup setup;
	struct vring vring;		/* in guest memory */
	uint16_t last_avail;		/* next entry of the available ring to take */
	uint16_t used_idx;		/* next entry of the used ring to fill */
	uint16_t published_used;	/* used index that the guest sees */
	uint16_t signalled_used;	/* used index at the last interrupt of the guest */
	bool event_idx, quiet;		/* negotiated; NO_NOTIFY is set */
	unsigned int nr_redo;		/* number of bits set in @redo */
	uint64_t redo[VIRTQUEUE_SIZE_MAX / 64];	/* in flight at a take-over, to be popped first */
};

#define VIRTQUEUE_WHY_MAX 160

/**
 * virtqueue_setup - check the addresses of the driver and use them; nothing is persisted
 * @setup: is copied
 * @why: out, after an error: what the driver did wrong, to be put after "the driver"
 *
 * Return: 0 or -EINVAL.
 */
int virtqueue_setup(struct virtqueue *vq, const struct virtqueue_setup *setup,
		    char why[VIRTQUEUE_WHY_MAX]);
/** virtqueue_persist - persist a new queue, which is set up; nothing is in flight */
void virtqueue_persist(struct virtqueue *vq);
/** virtqueue_leave - the queue is not set up any more, and the next sigmad continues with it */
void virtqueue_leave(struct virtqueue *vq);
/** virtqueue_idle - of a queue whose chains are given back in any order: were all of them? Any thread */
bool virtqueue_idle(const struct virtqueue *vq);
/** virtqueue_reset - the queue is not set up any more, and the next sigmad does not find it */
void virtqueue_reset(struct virtqueue *vq);

/**
 * virtqueue_resume - continue where the last sigmad stopped
 *
 * The queue was set up with the persisted size and addresses. The persisted state changes only as
 * it does in operation, so a sigmad may end at any moment of the take-over, too.
 *
 * In-flight resubmission: chains that the last sigmad took and did not give back are popped again.
 * Return: 0, or -errno when queue and state contradict each other: setup.broken() was called.
 */
int virtqueue_resume(struct virtqueue *vq);

/**
 * virtqueue_catch_up - continue at the used index, after somebody else has served the queue
 *
 * Only correct if chains were given back in order. Return: were any given back since the last call?
 */
bool virtqueue_catch_up(struct virtqueue *vq);

/** virtqueue_ring - where the parts of the queue are mapped, for vhost and vhost-user */
const struct vring *virtqueue_ring(const struct virtqueue *vq);

/**
 * virtqueue_pop - take the next chain
 *
 * Return: 1; 0: there is none, and the guest will kick for the next one, or the queue is not set
 * up; -errno: the device is stopped, perhaps because the driver has just broken the queue.
 */
int virtqueue_pop(struct virtqueue *vq, struct vq_request *req);

/** virtqueue_waits - would virtqueue_pop() find a chain? Does not ask for kicks */
bool virtqueue_waits(const struct virtqueue *vq);

/** virtqueue_unpop - put the last @nr chains back into the queue; not if it is @unordered */
void virtqueue_unpop(struct virtqueue *vq, unsigned int nr);

/**
 * virtqueue_push - give a chain back with @written bytes written
 *
 * The guest does not see it before virtqueue_publish(), so that several chains can become visible
 * at once; at most as many as the queue has entries.
 */
void virtqueue_push(struct virtqueue *vq, uint16_t head, uint32_t written);
void virtqueue_publish(struct virtqueue *vq);

/** virtqueue_notify - publish, and interrupt the guest unless it asked for none */
void virtqueue_notify(struct virtqueue *vq);

/** virtqueue_kick - signal kick_fd, as if the guest had kicked */
void virtqueue_kick(struct virtqueue *vq);

#endif
