// SPDX-License-Identifier: GPL-2.0
/*
 * A disk without io_uring (kernel.io_uring_disabled, a container): its requests are done one after
 * the other.
 */
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include "blk_worker.h"

#define BATCH	8		/* requests done before the guest is interrupted */

static int64_t transfer(struct disk *disk, const struct blk_request *req)
{
	const struct iovec *iov = req->data->iov;
	int fd = disk_fd(disk, req->offset, req->data);
	size_t len;
	unsigned int nr = blk_next_buffers(req->data, &len);
	const struct iovec piece = { .iov_base = iov->iov_base, .iov_len = len };
	ssize_t n;

	if (nr == 1)
		iov = &piece;
	do {
		n = req->step == BLK_READ ? preadv(fd, iov, nr, req->offset) :
					    pwritev(fd, iov, nr, req->offset);
		if (n < 0 && errno == EINVAL && fd != disk->fd) {
			disk_refused_direct(disk);
			fd = disk->fd;
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
			virtqueue_notify(blk_queue(blk));
			blk_proceed(blk, req, disk_flushed(&blk->disk, fdatasync(blk->disk.fd) ?
							   -errno : 0));
		} else {
			blk_proceed(blk, req, transfer(&blk->disk, req));
		}
	}
	blk_give_back(blk, req);
}

void blk_serve_blocking(struct blk *blk)
{
	const struct blk_worker *worker = blk->worker;
	struct pollfd fds[] = {
		{ .fd = worker->stop_fd, .events = POLLIN },
		{ .fd = blk_queue(blk)->kick_fd, .events = POLLIN },
	};
	unsigned int done = 0;
	eventfd_t count;

	while (!blk_stopping(worker)) {
		struct blk_request *req = blk_may_take(worker) ? blk_pop(blk) : NULL;

		if (req) {
			do_steps(blk, req);
			if (++done % BATCH == 0)
				virtqueue_notify(blk_queue(blk));
			continue;
		}
		virtqueue_notify(blk_queue(blk));
		poll(fds, 2, -1);
		eventfd_read(blk_queue(blk)->kick_fd, &count);
	}
	virtqueue_notify(blk_queue(blk));
}
