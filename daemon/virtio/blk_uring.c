// SPDX-License-Identifier: GPL-2.0
/*
 * A disk's requests by io_uring.
 *
 * In each round the thread takes all requests from the queue, submits them by one io_uring_enter(),
 * gives back those that are done, in any order, and interrupts the guest once. Without work it
 * polls for a short time before it sleeps, if polling has helped lately. While it polls, the guest
 * need not kick, and the host's kernel need not wake the thread.
 *
 * Only one fdatasync() is under way at a time, since a second one could succeed although the first
 * fails (disk.c). The next one answers all flushes that arrive meanwhile.
 */
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "blk_worker.h"

#define RING_SIZE		(2 * BLK_QUEUE_SIZE)	/* more than are ever in flight */
#define BUFFER_SIZE		(1ULL << 30)	/* the largest that io_uring registers */
#define BUFFERS_MAX		64		/* of 16384; the kernel takes 4 MiB for each */

#define SPIN_MIN_NS		4000U
#define SPIN_MAX_NS		64000U

/* user_data of completions that are not of a request */
enum { KICK = 1, STOP, FLUSHED };

struct uring {
	struct blk *blk;
	struct blk_worker *worker;	/* of @blk */
	struct io_uring ring;
	unsigned int nr_buffers;	/* registered buffers, which are the guest's memory */
	unsigned int spin_ns;
	struct blk_request *flushing;	/* answered by the fdatasync() that is under way */
	struct blk_request *to_flush;	/* answered by the next fdatasync() */
};

static struct io_uring_sqe *get_sqe(struct uring *uring)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);

	if (!sqe) {
		io_uring_submit(&uring->ring);
		sqe = io_uring_get_sqe(&uring->ring);
	}
	return sqe;
}

/* The index of the registered buffer that contains all of these @len > 0 bytes, or -1 */
static int buffer_of(const struct uring *uring, const void *start, size_t len)
{
	const struct guest_memory *mem = uring->blk->dev.port->mem;
	uint64_t at = (const uint8_t *)start - mem->base;
	unsigned int index = at / BUFFER_SIZE;

	return index < uring->nr_buffers && (at + len - 1) / BUFFER_SIZE == index ? (int)index : -1;
}

/* Prepare a transfer of @len bytes in one buffer, as most requests are */
static void prepare_piece(const struct uring *uring, struct io_uring_sqe *sqe,
			  const struct blk_request *req, int fd, size_t len)
{
	void *start = req->data->iov->iov_base;
	int buffer = buffer_of(uring, start, len);

	if (req->step == BLK_READ && buffer >= 0)
		io_uring_prep_read_fixed(sqe, fd, start, len, req->offset, buffer);
	else if (req->step == BLK_READ)
		io_uring_prep_read(sqe, fd, start, len, req->offset);
	else if (buffer >= 0)
		io_uring_prep_write_fixed(sqe, fd, start, len, req->offset, buffer);
	else
		io_uring_prep_write(sqe, fd, start, len, req->offset);
}

static void start_transfer(struct uring *uring, struct blk_request *req)
{
	const struct disk *disk = &uring->blk->disk;
	int fd = req->cached ? disk->fd : disk_fd(disk, req->offset, req->data);
	struct io_uring_sqe *sqe = get_sqe(uring);
	size_t len;
	unsigned int nr = blk_next_buffers(req->data, &len);

	if (nr == 1)
		prepare_piece(uring, sqe, req, fd, len);
	else if (req->step == BLK_READ)
		io_uring_prep_readv(sqe, fd, req->data->iov, nr, req->offset);
	else
		io_uring_prep_writev(sqe, fd, req->data->iov, nr, req->offset);
	io_uring_sqe_set_data(sqe, req);
	req->direct = fd != disk->fd;
}

static void start_flush(struct uring *uring)
{
	struct io_uring_sqe *sqe = get_sqe(uring);

	/* Only one at a time: see disk_flushed() */
	sigma_assert(!uring->flushing);
	uring->flushing = uring->to_flush;
	uring->to_flush = NULL;
	io_uring_prep_fsync(sqe, uring->blk->disk.fd, IORING_FSYNC_DATASYNC);
	io_uring_sqe_set_data64(sqe, FLUSHED);
}

static void start_step(struct uring *uring, struct blk_request *req)
{
	switch (req->step) {
	case BLK_ANSWER:
		blk_give_back(uring->blk, req);
		break;
	case BLK_READ:
	case BLK_WRITE:
		start_transfer(uring, req);
		break;
	case BLK_FLUSH:
		req->next = uring->to_flush;
		uring->to_flush = req;
		if (!uring->flushing)
			start_flush(uring);
		break;
	}
}

static void transferred(struct uring *uring, struct blk_request *req, int result)
{
	if (result == -EINVAL && req->direct) {
		disk_refused_direct(&uring->blk->disk);
		req->cached = true;
	} else if (result != -EINTR && result != -EAGAIN) {
		blk_proceed(uring->blk, req, result);
	}
	start_step(uring, req);
}

static void flushed(struct uring *uring, int result)
{
	struct blk_request *req = uring->flushing;

	result = disk_flushed(&uring->blk->disk, result);
	uring->flushing = NULL;
	while (req) {
		struct blk_request *next = req->next;

		blk_proceed(uring->blk, req, result);
		start_step(uring, req);
		req = next;
	}
	if (uring->to_flush && !uring->flushing)
		start_flush(uring);
}

/*
 * Poll an eventfd. Each write to it completes the multishot poll again, so the count need not be
 * read. If a completion lacks IORING_CQE_F_MORE, complete() arms the poll again.
 */
static void watch(struct uring *uring, int fd, uint64_t what)
{
	struct io_uring_sqe *sqe = get_sqe(uring);

	io_uring_prep_poll_multishot(sqe, fd, POLLIN);
	io_uring_sqe_set_data64(sqe, what);
}

static void complete(struct uring *uring, const struct io_uring_cqe *cqe)
{
	switch (cqe->user_data) {
	case KICK:
		if (!(cqe->flags & IORING_CQE_F_MORE))
			watch(uring, blk_queue(uring->blk)->kick_fd, KICK);
		break;
	case STOP:
		break;
	case FLUSHED:
		flushed(uring, cqe->res);
		break;
	default:
		transferred(uring, io_uring_cqe_get_data(cqe), cqe->res);
	}
}

static bool reap(struct uring *uring)
{
	struct io_uring_cqe *cqe;
	unsigned int head, nr = 0;

	io_uring_for_each_cqe(&uring->ring, head, cqe) {
		complete(uring, cqe);
		nr++;
	}
	io_uring_cq_advance(&uring->ring, nr);
	return nr;
}

static bool pop_all(struct uring *uring)
{
	struct blk_request *req;
	bool any = false;

	while (blk_may_take(uring->worker) && virtqueue_waits(blk_queue(uring->blk))) {
		req = blk_pop(uring->blk);
		if (!req)
			break;
		start_step(uring, req);
		any = true;
	}
	return any;
}

static bool completions_wait(const struct io_uring *ring)
{
	return io_uring_cq_ready(ring) ||
	       __atomic_load_n(ring->sq.kflags, __ATOMIC_RELAXED) & IORING_SQ_TASKRUN;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/* Poll for work for a while; false: none came */
static bool spin(const struct uring *uring)
{
	uint64_t end;

	if (!uring->spin_ns)
		return false;
	end = now_ns() + uring->spin_ns;
	do {
		if (completions_wait(&uring->ring) ||
		    (blk_may_take(uring->worker) && virtqueue_waits(blk_queue(uring->blk))))
			return true;
		__builtin_ia32_pause();
	} while (now_ns() < end);
	return false;
}

/*
 * Sleep, and adapt the time to spin, as halt polling of KVM does. After a short sleep the thread
 * spins longer, since spinning would have avoided the sleep. After a long one it spins for less
 * time, since spinning was in vain.
 */
static void sleep_until_event(struct uring *uring)
{
	uint64_t start = now_ns();

	io_uring_submit_and_wait(&uring->ring, 1);
	if (now_ns() - start > SPIN_MAX_NS)
		uring->spin_ns = uring->spin_ns > SPIN_MIN_NS ? uring->spin_ns / 2 : 0;
	else if (!uring->spin_ns)
		uring->spin_ns = SPIN_MIN_NS;
	else if (uring->spin_ns < SPIN_MAX_NS)
		uring->spin_ns *= 2;
}

static void serve(struct uring *uring)
{
	struct virtqueue *vq = blk_queue(uring->blk);
	struct blk_worker *worker = uring->worker;
	struct blk_request *req;

	watch(uring, vq->kick_fd, KICK);
	watch(uring, worker->stop_fd, STOP);
	while (!blk_stopping(worker) || worker->under_way) {
		bool busy = pop_all(uring);

		if (io_uring_sq_ready(&uring->ring))
			io_uring_submit_and_get_events(&uring->ring);
		else if (completions_wait(&uring->ring))
			io_uring_get_events(&uring->ring);
		busy |= reap(uring);
		virtqueue_notify(vq);
		if (busy || spin(uring))
			continue;

		/* blk_pop() asks for kicks, and takes a chain that came just before that */
		req = blk_may_take(worker) ? blk_pop(uring->blk) : NULL;
		if (req)
			start_step(uring, req);
		else
			sleep_until_event(uring);
	}
	virtqueue_notify(vq);
}

/*
 * What is not registered works, too: buffer_of() finds no buffer. Nothing is said where the kernel
 * is too old, since nobody can do anything about it, and all guests of such a host are the same.
 */
static void report_registration(struct uring *uring, int error, bool all)
{
	struct ratelimit *limit = &uring->blk->dev.warned;
	unsigned int slot = uring->blk->slot;
	const char *path = uring->blk->disk.path;

	if (error == -ENOMEM)
		ratelimit_warn(limit, "disk %u (%s): slower than it could be, since sigmad cannot lock the guest's memory; raise the limit by 'ulimit -l' or LimitMEMLOCK=",
			       slot, path);
	else if (error && error != -EOPNOTSUPP)
		ratelimit_warn(limit, "disk %u (%s): slower than it could be, since the kernel does not register the guest's memory with io_uring: %s",
			       slot, path, strerror(-error));
	else if (!error && !all)
		ratelimit_warn(limit, "disk %u (%s): slower than it could be where data is above the first %llu GiB of the guest's memory, which is all that sigmad registers with io_uring",
			       slot, path, BUFFERS_MAX * BUFFER_SIZE >> 30);
}

/*
 * Register the guest's memory; without that each request pins its own pages. Before Linux 6.5 the
 * mapping of a device cannot be registered (-EOPNOTSUPP). Files are not registered: that would save
 * less, and after a sudden end the ring would hold the lock on the disk for a while, since the
 * kernel frees rings in the background.
 */
static void register_memory(struct uring *uring)
{
	const struct guest_memory *mem = uring->blk->dev.port->mem;
	struct iovec iov[BUFFERS_MAX];
	unsigned int nr = 0;
	uint64_t at = 0;
	int error;

	for (; at < mem->size && nr < BUFFERS_MAX; at += iov[nr++].iov_len) {
		uint64_t left = mem->size - at;

		iov[nr] = (struct iovec) {
			.iov_base = mem->base + at,
			.iov_len = left < BUFFER_SIZE ? left : BUFFER_SIZE,
		};
	}
	error = io_uring_register_buffers(&uring->ring, iov, nr);
	if (!error)
		uring->nr_buffers = nr;
	report_registration(uring, error, at == mem->size);
}

/* To be called by the thread that uses the ring, for IORING_SETUP_SINGLE_ISSUER */
static int make_ring(struct uring *uring)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			 IORING_SETUP_TASKRUN_FLAG,
	};
	int ret;

	ret = io_uring_queue_init_params(RING_SIZE, &uring->ring, &params);
	if (ret < 0)
		return ret;
	/* Both are optimisations, so errors do not matter */
	io_uring_register_ring_fd(&uring->ring);
	register_memory(uring);
	return 0;
}

static void free_ring(struct uring *uring)
{
	if (uring->nr_buffers)
		io_uring_unregister_buffers(&uring->ring);
	io_uring_queue_exit(&uring->ring);
}

int blk_serve_uring(struct blk *blk)
{
	struct uring uring = { .blk = blk, .worker = blk->worker };
	int ret = make_ring(&uring);

	if (ret < 0)
		return ret;
	serve(&uring);
	free_ring(&uring);
	return 0;
}
