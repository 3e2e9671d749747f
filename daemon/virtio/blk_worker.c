// SPDX-License-Identifier: GPL-2.0
/*
 * The thread of one virtio-blk device, from start to reset, and its requests; see blk_worker.h.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "alive.h"
#include "blk_worker.h"

#define STEP_MAX	(4UL << 20)	/* bytes; a multiple of any block size */

bool blk_worker_stopping(const struct blk *blk)
{
	return blk_stopping(blk->worker);
}

static void put_request(struct blk_worker *worker, struct blk_request *req)
{
	sigma_assert(worker->under_way);
	req->next = worker->free;
	worker->free = req;
	worker->under_way--;
}

struct blk_request *blk_pop(struct blk *blk)
{
	struct blk_worker *worker = blk->worker;
	struct blk_request *req = worker->free;
	int ret;

	sigma_assert(req && worker->under_way < BLK_QUEUE_SIZE);
	ret = virtqueue_pop(blk_queue(blk), &req->chain);
	if (ret > 0)
		ret = blk_begin(blk, req) ?: 1;
	if (ret <= 0) {
		worker->broken = ret < 0;
		return NULL;
	}
	worker->free = req->next;
	worker->under_way++;
	req->cached = false;
	return req;
}

void blk_give_back(struct blk *blk, struct blk_request *req)
{
	virtqueue_push(blk_queue(blk), req->chain.head, req->written);
	put_request(blk->worker, req);
}

/*
 * A request may have 4 GiB, and a reset waits for a step, so steps are limited to STEP_MAX. A
 * larger buffer is transferred in parts.
 */
unsigned int blk_next_buffers(const struct vq_buffers *data, size_t *len)
{
	unsigned int nr = 0;

	*len = 0;
	while (nr < data->nr && *len + data->iov[nr].iov_len <= STEP_MAX)
		*len += data->iov[nr++].iov_len;
	if (nr)
		return nr;
	*len = STEP_MAX;
	return 1;
}

static void *blk_thread(void *data)
{
	struct blk *blk = data;
	int ret;

	blk->worker->self = pthread_self();
	ret = blk_serve_uring(blk);
	if (ret < 0) {
		ratelimit_warn(&blk->dev.warned, "disk %u (%s): slow, one request at a time, since there is no io_uring: %s",
			       blk->slot, blk->disk.path, strerror(-ret));
		blk_serve_blocking(blk);
	}
	return NULL;
}

int blk_worker_start(struct blk *blk)
{
	struct blk_worker *worker = calloc(1, sizeof(*worker));
	sigset_t all, old;
	int ret = -ENOMEM;

	if (!worker)
		goto failed;
	worker->under_way = BLK_QUEUE_SIZE;
	for (unsigned int i = 0; i < BLK_QUEUE_SIZE; i++)
		put_request(worker, &worker->request[i]);
	worker->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (worker->stop_fd < 0) {
		ret = -errno;
		goto free_worker;
	}
	blk->worker = worker;

	/* The main thread handles all signals but those of what this thread does itself */
	sigfillset(&all);
	sigdelset(&all, SIGSYS);	/* a forbidden system call */
	sigdelset(&all, SIGBUS);	/* an access to memory with an error */
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = -pthread_create(&worker->thread, NULL, blk_thread, blk);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!ret)
		return 0;

	blk->worker = NULL;
	close(worker->stop_fd);
free_worker:
	free(worker);
failed:
	ratelimit_warn(&blk->dev.warned, "disk %u (%s): cannot make a thread: %s", blk->slot,
		       blk->disk.path, strerror(-ret));
	return ret;
}

/*
 * The event loop waits here for requests that the disk has, and a network disk may take minutes.
 * The service manager must not take that for a hang of sigmad: the next sigmad would wait for the
 * same disk.
 */
static void join(pthread_t thread)
{
	struct timespec until;

	for (;;) {
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += ALIVE_SEC;
		if (pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &until) != ETIMEDOUT)
			return;
		alive_say();
	}
}

void blk_worker_stop(struct blk *blk)
{
	struct blk_worker *worker = blk->worker;

	__atomic_store_n(&worker->stopping, true, __ATOMIC_RELEASE);
	eventfd_write(worker->stop_fd, 1);
	join(worker->thread);
	blk->worker = NULL;
	close(worker->stop_fd);
	free(worker);
}
