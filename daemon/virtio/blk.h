/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inside of virtio-blk: blk.c is the device and knows what requests mean, blk_worker.c is the
 * thread that carries them out.
 */
#ifndef SIGMA_VIRTIO_BLK_H
#define SIGMA_VIRTIO_BLK_H

#include <linux/virtio_blk.h>

#include "device.h"
#include "disk.h"
#include "ratelimit.h"

#define BLK_QUEUE_SIZE 256

struct blk_worker;

struct blk {
	struct virtio_device dev;
	struct virtio_blk_config config;
	struct disk disk;
	unsigned int number;
	char serial[VIRTIO_BLK_ID_BYTES];
	bool write_back;		/* else each write is flushed before it is answered */
	struct blk_worker *worker;	/* from start to reset */
	struct ratelimit failed;
};

/* What a request waits for; the worker does it and tells the result to blk_proceed() */
enum blk_step {
	BLK_ANSWER,		/* nothing: give the chain back */
	BLK_READ,		/* preadv() of @data at @offset; some of it will do */
	BLK_WRITE,		/* pwritev(), likewise */
	BLK_FLUSH,		/* disk_flush() */
};

/**
 * struct blk_request - a request that is under way
 * @data: what is still to be moved, in @chain
 * @offset: bytes into the disk, of @data
 * @written: bytes that the used entry is to tell, at BLK_ANSWER
 */
struct blk_request {
	struct vq_request chain;
	enum blk_step step;
	struct vq_buffers *data;
	uint64_t offset;
	uint32_t written;
	struct blk_request *next;
	bool direct, cached;		/* the worker's, too: how it is moved, and must be */
	/* private to blk.c */
	uint8_t *status_at;
	size_t in_len, data_len;
	uint64_t sector;
};

/**
 * blk_begin - look at the chain that was popped and decide its first step
 *
 * Ranges to discard or zero are worked on here, blocking. Return: 0, or -errno when the driver
 * just broke the device: the chain is lost.
 */
int blk_begin(struct blk *blk, struct blk_request *req);

/**
 * blk_proceed - the step was carried out; decide the next one
 * @result: bytes moved, 0, or -errno
 */
void blk_proceed(struct blk *blk, struct blk_request *req, int64_t result);

/** blk_worker_start - serve the queue in a thread; 0 or -errno, with a message */
int blk_worker_start(struct blk *blk);

/** blk_worker_stop - when it returns no memory of the guest is touched any more */
void blk_worker_stop(struct blk *blk);

/** blk_worker_stopping - is blk_worker_stop() waiting? Any thread */
bool blk_worker_stopping(const struct blk *blk);

#endif
