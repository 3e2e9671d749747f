// SPDX-License-Identifier: GPL-2.0
/*
 * The thread of one virtio-blk device.
 *
 * In each round the thread takes all requests from the queue, submits them by one io_uring_enter(),
 * gives back those that are done, in any order, and interrupts the guest once. Without work it
 * polls for a short time before it sleeps, if polling has helped lately. While it polls, the guest
 * need not kick, and the host's kernel need not wake the thread.
 *
 * Only one fdatasync() is under way at a time, since a second one could succeed although the first
 * fails (disk.c). The next one answers all flushes that arrive meanwhile.
 *
 * If there is no io_uring (kernel.io_uring_disabled, a container), requests are done one after the
 * other.
 */
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "../../common/assert.h"
#include "../../common/log.h"
#include "blk.h"

#define RING_SIZE		(2 * BLK_QUEUE_SIZE)	/* more than are ever in flight */
#define BUFFER_SIZE		(1ULL << 30)	/* the largest that io_uring registers */
#define BUFFERS_MAX		8		/* pinning 4 GiB takes 16 MiB of memory */
#define STEP_MAX		(4UL << 20)	/* bytes; a multiple of any block size */
#define BLOCKING_BATCH		8		/* requests done before the guest is interrupted */

#define SPIN_MIN_NS		4000U
#define SPIN_MAX_NS		64000U

/* user_data of completions that are not of a request */
enum { KICK = 1, STOP, FLUSHED };

struct blk_worker {
	pthread_t thread;
	pthread_t self;			/* the same, set by the thread itself */
	int stop_fd;			/* eventfd: the thread has to end */
	bool stopping;			/* the same; atomics only */
	bool broken;			/* the driver broke the device: take no more chains */
	unsigned int under_way;		/* number of requests in flight */
	struct blk_request *free;
	struct blk_request *flushing;	/* answered by the fdatasync() that is under way */
	struct blk_request *to_flush;	/* answered by the next fdatasync() */
	struct io_uring ring;
	unsigned int nr_buffers;	/* registered buffers, which are the guest's memory */
	unsigned int spin_ns;
	struct blk_request request[BLK_QUEUE_SIZE];
};

bool blk_worker_stopping(const struct blk *blk)
{
	return __atomic_load_n(&blk->worker->stopping, __ATOMIC_ACQUIRE);
}

/* From blk_worker_start() to blk_worker_stop() only the thread uses the queue */
static struct virtqueue *queue(struct blk *blk)
{
	sigma_assert(pthread_equal(blk->worker->self, pthread_self()));
	return &blk->dev.queue[0];
}

static void put_request(struct blk_worker *worker, struct blk_request *req)
{
	sigma_assert(worker->under_way);
	req->next = worker->free;
	worker->free = req;
	worker->under_way--;
}

/* Pop the next chain. NULL: none, and the guest will kick; or the driver broke the device */
static struct blk_request *pop_request(struct blk *blk)
{
	struct blk_worker *worker = blk->worker;
	struct blk_request *req = worker->free;
	int ret;

	sigma_assert(req && worker->under_way < BLK_QUEUE_SIZE);
	ret = virtqueue_pop(queue(blk), &req->chain);
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

static void give_back(struct blk *blk, struct blk_request *req)
{
	virtqueue_push(queue(blk), req->chain.head, req->written);
	put_request(blk->worker, req);
}

/*
 * The number of buffers and bytes of one step of a transfer. A request may have 4 GiB, and a reset
 * waits for a step, so steps are limited to STEP_MAX. A larger buffer is transferred in parts.
 */
static unsigned int next_buffers(const struct vq_buffers *data, size_t *len)
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

/* With io_uring */

static struct io_uring_sqe *get_sqe(struct blk_worker *worker)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&worker->ring);

	if (!sqe) {
		io_uring_submit(&worker->ring);
		sqe = io_uring_get_sqe(&worker->ring);
	}
	return sqe;
}

/* The index of the registered buffer that contains all of these @len > 0 bytes, or -1 */
static int buffer_of(const struct blk *blk, const void *start, size_t len)
{
	const struct guest_memory *mem = blk->dev.port->mem;
	uint64_t at = (const uint8_t *)start - mem->base;
	unsigned int index = at / BUFFER_SIZE;

	return index < blk->worker->nr_buffers && (at + len - 1) / BUFFER_SIZE == index ?
		(int)index : -1;
}

/* Prepare a transfer of @len bytes in one buffer, as most requests are */
static void prepare_piece(struct blk *blk, struct io_uring_sqe *sqe,
			  const struct blk_request *req, int fd, size_t len)
{
	void *start = req->data->iov->iov_base;
	int buffer = buffer_of(blk, start, len);

	if (req->step == BLK_READ && buffer >= 0)
		io_uring_prep_read_fixed(sqe, fd, start, len, req->offset, buffer);
	else if (req->step == BLK_READ)
		io_uring_prep_read(sqe, fd, start, len, req->offset);
	else if (buffer >= 0)
		io_uring_prep_write_fixed(sqe, fd, start, len, req->offset, buffer);
	else
		io_uring_prep_write(sqe, fd, start, len, req->offset);
}

static void start_transfer(struct blk *blk, struct blk_request *req)
{
	int fd = req->cached ? blk->disk.fd : disk_fd(&blk->disk, req->offset, req->data);
	struct io_uring_sqe *sqe = get_sqe(blk->worker);
	size_t len;
	unsigned int nr = next_buffers(req->data, &len);

	if (nr == 1)
		prepare_piece(blk, sqe, req, fd, len);
	else if (req->step == BLK_READ)
		io_uring_prep_readv(sqe, fd, req->data->iov, nr, req->offset);
	else
		io_uring_prep_writev(sqe, fd, req->data->iov, nr, req->offset);
	io_uring_sqe_set_data(sqe, req);
	req->direct = fd != blk->disk.fd;
}

static void start_flush(struct blk *blk)
{
	struct blk_worker *worker = blk->worker;
	struct io_uring_sqe *sqe = get_sqe(worker);

	/* Only one at a time: see disk_flushed() */
	sigma_assert(!worker->flushing);
	worker->flushing = worker->to_flush;
	worker->to_flush = NULL;
	io_uring_prep_fsync(sqe, blk->disk.fd, IORING_FSYNC_DATASYNC);
	io_uring_sqe_set_data64(sqe, FLUSHED);
}

static void start_step(struct blk *blk, struct blk_request *req)
{
	struct blk_worker *worker = blk->worker;

	switch (req->step) {
	case BLK_ANSWER:
		give_back(blk, req);
		break;
	case BLK_READ:
	case BLK_WRITE:
		start_transfer(blk, req);
		break;
	case BLK_FLUSH:
		req->next = worker->to_flush;
		worker->to_flush = req;
		if (!worker->flushing)
			start_flush(blk);
		break;
	}
}

static void transferred(struct blk *blk, struct blk_request *req, int result)
{
	/* Some file systems accept O_DIRECT at open() and refuse single requests */
	if (result == -EINVAL && req->direct)
		req->cached = true;
	else if (result != -EINTR && result != -EAGAIN)
		blk_proceed(blk, req, result);
	start_step(blk, req);
}

static void flushed(struct blk *blk, int result)
{
	struct blk_worker *worker = blk->worker;
	struct blk_request *req = worker->flushing;

	result = disk_flushed(&blk->disk, result);
	worker->flushing = NULL;
	while (req) {
		struct blk_request *next = req->next;

		blk_proceed(blk, req, result);
		start_step(blk, req);
		req = next;
	}
	if (worker->to_flush && !worker->flushing)
		start_flush(blk);
}

/*
 * Poll an eventfd. Each write to it completes the multishot poll again, so the count need not be
 * read. If a completion lacks IORING_CQE_F_MORE, complete() arms the poll again.
 */
static void watch(struct blk_worker *worker, int fd, uint64_t what)
{
	struct io_uring_sqe *sqe = get_sqe(worker);

	io_uring_prep_poll_multishot(sqe, fd, POLLIN);
	io_uring_sqe_set_data64(sqe, what);
}

static void complete(struct blk *blk, const struct io_uring_cqe *cqe)
{
	switch (cqe->user_data) {
	case KICK:
		if (!(cqe->flags & IORING_CQE_F_MORE))
			watch(blk->worker, queue(blk)->kick_fd, KICK);
		break;
	case STOP:
		break;
	case FLUSHED:
		flushed(blk, cqe->res);
		break;
	default:
		transferred(blk, io_uring_cqe_get_data(cqe), cqe->res);
	}
}

static bool reap(struct blk *blk)
{
	struct io_uring *ring = &blk->worker->ring;
	struct io_uring_cqe *cqe;
	unsigned int head, nr = 0;

	io_uring_for_each_cqe(ring, head, cqe) {
		complete(blk, cqe);
		nr++;
	}
	io_uring_cq_advance(ring, nr);
	return nr;
}

static bool may_take(struct blk *blk)
{
	return !blk->worker->broken && blk->worker->free && !blk_worker_stopping(blk);
}

static bool pop_all(struct blk *blk)
{
	struct blk_request *req;
	bool any = false;

	while (may_take(blk) && virtqueue_waits(queue(blk))) {
		req = pop_request(blk);
		if (!req)
			break;
		start_step(blk, req);
		any = true;
	}
	return any;
}

static bool completions_wait(struct io_uring *ring)
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
static bool spin(struct blk *blk)
{
	struct blk_worker *worker = blk->worker;
	uint64_t end;

	if (!worker->spin_ns)
		return false;
	end = now_ns() + worker->spin_ns;
	do {
		if (completions_wait(&worker->ring) ||
		    (may_take(blk) && virtqueue_waits(queue(blk))))
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
static void sleep_until_event(struct blk *blk)
{
	struct blk_worker *worker = blk->worker;
	uint64_t start = now_ns();

	io_uring_submit_and_wait(&worker->ring, 1);
	if (now_ns() - start > SPIN_MAX_NS)
		worker->spin_ns = worker->spin_ns > SPIN_MIN_NS ? worker->spin_ns / 2 : 0;
	else if (!worker->spin_ns)
		worker->spin_ns = SPIN_MIN_NS;
	else if (worker->spin_ns < SPIN_MAX_NS)
		worker->spin_ns *= 2;
}

static void serve(struct blk *blk)
{
	struct blk_worker *worker = blk->worker;
	struct blk_request *req;

	watch(worker, queue(blk)->kick_fd, KICK);
	watch(worker, worker->stop_fd, STOP);
	while (!blk_worker_stopping(blk) || worker->under_way) {
		bool busy = pop_all(blk);

		if (io_uring_sq_ready(&worker->ring))
			io_uring_submit_and_get_events(&worker->ring);
		else if (completions_wait(&worker->ring))
			io_uring_get_events(&worker->ring);
		busy |= reap(blk);
		virtqueue_notify(queue(blk));
		if (busy || spin(blk))
			continue;

		/* pop_request() asks for kicks, and takes a chain that came just before that */
		req = may_take(blk) ? pop_request(blk) : NULL;
		if (req)
			start_step(blk, req);
		else
			sleep_until_event(blk);
	}
	virtqueue_notify(queue(blk));
}

/*
 * Register the guest's memory; without that each request pins its own pages. Before Linux 6.5 the
 * mapping of a device cannot be registered. Files are not registered: that would save less, and
 * after a sudden end the ring would hold the lock on the disk for a while, since the kernel frees
 * rings in the background.
 */
static void register_memory(struct blk *blk)
{
	const struct guest_memory *mem = blk->dev.port->mem;
	struct iovec iov[BUFFERS_MAX];
	unsigned int nr = 0;

	for (uint64_t at = 0; at < mem->size; at += BUFFER_SIZE) {
		uint64_t left = mem->size - at;

		if (nr == BUFFERS_MAX)
			return;
		iov[nr++] = (struct iovec) {
			.iov_base = mem->base + at,
			.iov_len = left < BUFFER_SIZE ? left : BUFFER_SIZE,
		};
	}
	if (!io_uring_register_buffers(&blk->worker->ring, iov, nr))
		blk->worker->nr_buffers = nr;
}

/* To be called by the thread that uses the ring, for IORING_SETUP_SINGLE_ISSUER */
static int make_ring(struct blk *blk)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			 IORING_SETUP_TASKRUN_FLAG,
	};
	struct io_uring *ring = &blk->worker->ring;
	int ret;

	ret = io_uring_queue_init_params(RING_SIZE, ring, &params);
	if (ret < 0)
		return ret;
	/* Both are optimisations, so errors do not matter */
	io_uring_register_ring_fd(ring);
	register_memory(blk);
	return 0;
}

/* Without io_uring */

static int64_t transfer(const struct disk *disk, const struct blk_request *req)
{
	const struct iovec *iov = req->data->iov;
	int fd = disk_fd(disk, req->offset, req->data);
	size_t len;
	unsigned int nr = next_buffers(req->data, &len);
	const struct iovec piece = { .iov_base = iov->iov_base, .iov_len = len };
	ssize_t n;

	if (nr == 1)
		iov = &piece;
	do {
		n = req->step == BLK_READ ? preadv(fd, iov, nr, req->offset) :
					    pwritev(fd, iov, nr, req->offset);
		if (n < 0 && errno == EINVAL && fd != disk->fd) {
			fd = disk->fd;		/* as in transferred() */
			errno = EINTR;
		}
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static void do_steps(struct blk *blk, struct blk_request *req)
{
	while (req->step != BLK_ANSWER) {
		if (req->step == BLK_FLUSH) {
			/* fdatasync() may take long, so show the guest what is done already */
			virtqueue_notify(queue(blk));
			blk_proceed(blk, req, disk_flushed(&blk->disk, fdatasync(blk->disk.fd) ?
							   -errno : 0));
		} else {
			blk_proceed(blk, req, transfer(&blk->disk, req));
		}
	}
	give_back(blk, req);
}

static void serve_blocking(struct blk *blk)
{
	struct pollfd fds[] = {
		{ .fd = blk->worker->stop_fd, .events = POLLIN },
		{ .fd = queue(blk)->kick_fd, .events = POLLIN },
	};
	unsigned int done = 0;
	eventfd_t count;

	while (!blk_worker_stopping(blk)) {
		struct blk_request *req = may_take(blk) ? pop_request(blk) : NULL;

		if (req) {
			do_steps(blk, req);
			if (++done % BLOCKING_BATCH == 0)
				virtqueue_notify(queue(blk));
			continue;
		}
		virtqueue_notify(queue(blk));
		poll(fds, 2, -1);
		eventfd_read(queue(blk)->kick_fd, &count);
	}
	virtqueue_notify(queue(blk));
}

static void *blk_thread(void *data)
{
	struct blk *blk = data;
	int ret;

	blk->worker->self = pthread_self();
	ret = make_ring(blk);
	if (ret < 0) {
		ratelimit_warn(&blk->dev.warned, "disk %u (%s): slow, one request at a time, since there is no io_uring: %s",
			       blk->slot, blk->disk.path, strerror(-ret));
		serve_blocking(blk);
	} else {
		serve(blk);
		if (blk->worker->nr_buffers)
			io_uring_unregister_buffers(&blk->worker->ring);
		io_uring_queue_exit(&blk->worker->ring);
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

	/* The main thread handles all signals */
	sigfillset(&all);
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

void blk_worker_stop(struct blk *blk)
{
	struct blk_worker *worker = blk->worker;

	__atomic_store_n(&worker->stopping, true, __ATOMIC_RELEASE);
	eventfd_write(worker->stop_fd, 1);
	pthread_join(worker->thread, NULL);
	blk->worker = NULL;
	close(worker->stop_fd);
	free(worker);
}
