/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Internals of a disk's thread: blk_worker.c has the thread and its requests, blk_uring.c carries
 * them out by io_uring, and blk_blocking.c one after the other.
 */
#ifndef SIGMA_VIRTIO_BLK_WORKER_H
#define SIGMA_VIRTIO_BLK_WORKER_H

#include <pthread.h>

#include "../../common/assert.h"
#include "blk.h"

struct blk_worker {
	pthread_t thread;
	pthread_t self;			/* the same, set by the thread itself */
	int stop_fd;			/* eventfd: the thread has to end */
	bool stopping;			/* the same; atomics only */
	bool broken;			/* the driver broke the device: take no more chains */
	unsigned int under_way;		/* number of requests in flight */
	struct blk_request *free;
	struct blk_request request[BLK_QUEUE_SIZE];
};

static inline bool blk_stopping(const struct blk_worker *worker)
{
	return __atomic_load_n(&worker->stopping, __ATOMIC_ACQUIRE);
}

/* From blk_worker_start() to blk_worker_stop() only the thread uses the queue */
static inline struct virtqueue *blk_queue(struct blk *blk)
{
	sigma_assert(pthread_equal(blk->worker->self, pthread_self()));
	return &blk->dev.queue[0];
}

/** blk_may_take - may the thread call blk_pop()? */
static inline bool blk_may_take(const struct blk_worker *worker)
{
	return !worker->broken && worker->free && !blk_stopping(worker);
}

/** blk_pop - take the next chain; NULL: none, and the guest will kick; or the device is broken */
struct blk_request *blk_pop(struct blk *blk);

/** blk_give_back - give the chain of a request back; virtqueue_notify() has to follow */
void blk_give_back(struct blk *blk, struct blk_request *req);

/**
 * blk_next_buffers - the buffers of one step of a transfer
 * @len: out: bytes to transfer
 *
 * Return: their number. If it is 1, only the first @len bytes of that buffer are meant.
 */
unsigned int blk_next_buffers(const struct vq_buffers *data, size_t *len);

/**
 * blk_serve_uring - serve the queue by io_uring until the thread has to end
 *
 * Return: 0, or a negative errno: there is no io_uring, and nothing was done.
 */
int blk_serve_uring(struct blk *blk);

/** blk_serve_blocking - serve the queue, one request at a time, until the thread has to end */
void blk_serve_blocking(struct blk *blk);

#endif
