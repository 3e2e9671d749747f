/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Internals of virtio-blk: blk.c has the device and decodes requests, the thread of blk_worker.c
 * carries them out.
 */
#ifndef SIGMA_VIRTIO_BLK_H
#define SIGMA_VIRTIO_BLK_H

#include <linux/virtio_blk.h>

#include "device.h"
#include "disk.h"
#include "growth.h"
#include "ratelimit.h"

#define BLK_QUEUE_SIZE 256

struct blk_worker;

struct blk {
	struct virtio_device dev;
	struct virtio_blk_config config;
	struct disk disk;
	unsigned int slot;
	char serial[VIRTIO_BLK_ID_BYTES];
	bool write_back;		/* false: each write is flushed before it is answered */
	struct blk_worker *worker;	/* from start to reset */
	struct ratelimit failed, sized;
	int error;			/* of the last request that the host failed; any thread */
	struct growth growth;
};

/* The next step of a request; the worker does it and passes the result to blk_proceed() */
enum blk_step {
	BLK_ANSWER,		/* give the chain back */
	BLK_READ,		/* preadv() of @data at @offset, all or a part */
	BLK_WRITE,		/* pwritev() of @data at @offset, all or a part */
	BLK_FLUSH,		/* fdatasync() and disk_flushed() */
};

/**
 * struct blk_request - a request in flight
 * @chain: its descriptor chain
 * @step: its next step
 * @data: buffers of @chain that are still to be transferred
 * @offset: byte offset of @data on the disk
 * @written: at BLK_ANSWER: length for the used entry
 * @next: in a list of the worker
 * @direct: for the worker: the transfer uses O_DIRECT
 * @cached: for the worker: O_DIRECT failed, so do not use it
 */
struct blk_request {
	struct vq_request chain;
	enum blk_step step;
	struct vq_buffers *data;
	uint64_t offset;
	uint32_t written;
	struct blk_request *next;
	bool direct, cached;
	/* private to blk.c */
	uint8_t *status_at;
	size_t in_len, data_len;
	uint64_t sector;
};

/**
 * blk_begin - decode the chain that was popped and choose its first step
 *
 * Discard and write-zeroes are done here, blocking. Return: 0, or -errno when the driver has broken
 * the device: the chain is not given back.
 */
int blk_begin(struct blk *blk, struct blk_request *req);

/**
 * blk_proceed - a step was done; choose the next one
 * @result: bytes transferred, 0, or -errno
 */
void blk_proceed(struct blk *blk, struct blk_request *req, int64_t result);

/** blk_worker_start - start the thread that serves the queue; 0, or -errno with a warning */
int blk_worker_start(struct blk *blk);

/** blk_worker_stop - end the thread; on return it does not access the guest's memory any more */
void blk_worker_stop(struct blk *blk);

/** blk_worker_stopping - is blk_worker_stop() waiting? Any thread */
bool blk_worker_stopping(const struct blk *blk);

#endif
