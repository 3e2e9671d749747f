// SPDX-License-Identifier: GPL-2.0
/*
 * virtio-blk (virtio 1.2, 5.2): a disk kept in a file or block device of the host.
 *
 * One thread per disk owns the queue from start to reset, so that a slow disk holds up
 * nothing but itself. It sleeps on the kick eventfd, does one request after the other
 * until none is left, and interrupts the guest once for a batch of them. reset waits
 * for the request that is being done, and of that for one range, at most: a system call that
 * moves data of the guest can't be left behind.
 *
 * The disk has a write-back cache, the host's page cache: a write is stable once a later
 * flush was answered with OK, which is after fdatasync() returned 0. A write that fails
 * fails alone, since the driver knows which; a flush that fails is the last that could have
 * succeeded (disk.c). For a driver that didn't negotiate flushes each write is made stable before it is answered (5.2.6.2).
 */
#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../guestfile.h"
#include "../log.h"
#include "device.h"
#include "disk.h"

#define QUEUE_SIZE		256
#define BATCH			8	/* requests that one interrupt may be late for */
#define DISCARD_RANGES_MAX	16
#define DISCARD_SECTORS_MAX	(1U << 22)
#define ZEROES_RANGES_MAX	1
#define ZEROES_SECTORS_MAX	(1U << 17)	/* perhaps written out one by one */

struct blk {
	struct virtio_device dev;
	struct virtio_blk_config config;
	struct disk disk;
	unsigned int number;
	char serial[VIRTIO_BLK_ID_BYTES];

	/* the thread's, while it runs */
	pthread_t thread;
	int stop_fd;		/* eventfd: the thread is to end */
	bool stopping;		/* same, atomic, looked at between requests and ranges */
	bool write_back;
	struct vq_request request;
	struct ratelimit failed;
};

static struct blk *to_blk(struct virtio_device *dev)
{
	return (struct blk *)((char *)dev - offsetof(struct blk, dev));
}

static uint8_t failure(struct blk *blk, const char *what, uint64_t sector, uint64_t len,
		       int error)
{
	warn_limited(&blk->failed, "disk %u (%s): %s of %llu bytes at sector %llu failed: %s; the guest was told so",
		     blk->number, blk->disk.path, what, (unsigned long long)len,
		     (unsigned long long)sector, error == -ERANGE ?
		     "that is not all within the disk, in whole sectors" :
		     error == -E2BIG ? "that is more than the disk offers to do at once" :
		     strerror(-error));
	return VIRTIO_BLK_S_IOERR;
}

static bool stopping(const struct blk *blk)
{
	return __atomic_load_n(&blk->stopping, __ATOMIC_ACQUIRE);
}

static bool in_bounds(const struct blk *blk, uint64_t sector, uint64_t len)
{
	uint64_t sectors = len / SECTOR_SIZE, capacity = blk->disk.size / SECTOR_SIZE;

	return len % SECTOR_SIZE == 0 && sector <= capacity && sectors <= capacity - sector;
}

static uint8_t do_flush(struct blk *blk)
{
	return disk_flush(&blk->disk) < 0 ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK;
}

static uint8_t do_read(struct blk *blk, uint64_t sector, struct vq_buffers *buf)
{
	size_t len = buf->len;
	int ret = -ERANGE;

	if (in_bounds(blk, sector, len))
		ret = disk_read(&blk->disk, sector * SECTOR_SIZE, buf);
	return ret < 0 ? failure(blk, "read", sector, len, ret) : VIRTIO_BLK_S_OK;
}

static uint8_t do_write(struct blk *blk, uint64_t sector, struct vq_buffers *buf)
{
	size_t len = buf->len;
	int ret = -ERANGE;

	if (blk->disk.read_only)
		ret = -EROFS;
	else if (in_bounds(blk, sector, len))
		ret = disk_write(&blk->disk, sector * SECTOR_SIZE, buf);
	if (ret < 0)
		return failure(blk, "write", sector, len, ret);
	return blk->write_back ? VIRTIO_BLK_S_OK : do_flush(blk);
}

static uint8_t do_range(struct blk *blk, bool discard,
			const struct virtio_blk_discard_write_zeroes *range)
{
	uint64_t sector = le64toh(range->sector), nr = le32toh(range->num_sectors);
	uint64_t offset = sector * SECTOR_SIZE, len = nr * SECTOR_SIZE;
	uint32_t flags = le32toh(range->flags);
	const char *what = discard ? "discard" : "zeroing";
	int ret;

	/* 5.2.6.2: unmap is for write-zeroes alone, the other bits are reserved */
	if (flags & ~(discard ? 0U : VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP))
		return VIRTIO_BLK_S_UNSUPP;
	if (nr > (discard ? DISCARD_SECTORS_MAX : ZEROES_SECTORS_MAX))
		return failure(blk, what, sector, len, -E2BIG);
	if (!in_bounds(blk, sector, len))
		return failure(blk, what, sector, len, -ERANGE);
	if (!nr)
		return VIRTIO_BLK_S_OK;

	if (discard)
		ret = disk_discard(&blk->disk, offset, len);
	else
		ret = disk_zero(&blk->disk, offset, len,
				flags & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP);
	return ret < 0 ? failure(blk, what, sector, len, ret) : VIRTIO_BLK_S_OK;
}

static uint8_t do_ranges(struct blk *blk, bool discard, struct vq_buffers *buf)
{
	unsigned int feature = discard ? VIRTIO_BLK_F_DISCARD : VIRTIO_BLK_F_WRITE_ZEROES;
	struct virtio_blk_discard_write_zeroes range[DISCARD_RANGES_MAX];
	size_t len = buf->len, nr = len / sizeof(range[0]);
	uint8_t status = VIRTIO_BLK_S_OK;

	if (!(blk->dev.negotiated & (1ULL << feature)))
		return VIRTIO_BLK_S_UNSUPP;
	if (!nr || nr > (discard ? DISCARD_RANGES_MAX : ZEROES_RANGES_MAX) ||
	    len % sizeof(range[0]) || !vq_read(buf, range, len))
		return VIRTIO_BLK_S_IOERR;

	for (size_t i = 0; i < nr && status == VIRTIO_BLK_S_OK; i++)
		status = stopping(blk) ? VIRTIO_BLK_S_IOERR : do_range(blk, discard, &range[i]);
	if (status == VIRTIO_BLK_S_OK && !blk->write_back)
		status = do_flush(blk);
	return status;
}

static uint8_t do_get_id(struct blk *blk, struct vq_buffers *buf)
{
	vq_write(buf, blk->serial, buf->len < sizeof(blk->serial) ? buf->len :
		 sizeof(blk->serial));
	return VIRTIO_BLK_S_OK;
}

static uint8_t execute(struct blk *blk, const struct virtio_blk_outhdr *head,
		       struct vq_request *req)
{
	uint64_t sector = le64toh(head->sector);

	switch (le32toh(head->type)) {
	case VIRTIO_BLK_T_IN:
		return do_read(blk, sector, &req->in);
	case VIRTIO_BLK_T_OUT:
		return do_write(blk, sector, &req->out);
	case VIRTIO_BLK_T_FLUSH:
		/* It may take long: what is done already shall not wait for it */
		virtqueue_notify(&blk->dev.queue[0]);
		return do_flush(blk);
	case VIRTIO_BLK_T_GET_ID:
		return do_get_id(blk, &req->in);
	case VIRTIO_BLK_T_DISCARD:
		return do_ranges(blk, true, &req->out);
	case VIRTIO_BLK_T_WRITE_ZEROES:
		return do_ranges(blk, false, &req->out);
	default:
		return VIRTIO_BLK_S_UNSUPP;
	}
}

/* 5.2.6: a header to read first, a status byte to write last, data between */
static int serve_request(struct blk *blk, struct vq_request *req)
{
	size_t in_len = req->in.len, written;
	struct virtio_blk_outhdr head;
	uint8_t *status_at, status;

	status_at = vq_take_last(&req->in);
	if (!status_at || !vq_read(&req->out, &head, sizeof(head))) {
		virtio_device_broken(&blk->dev, "a request without header or without status");
		return -EPROTO;
	}
	status = execute(blk, &head, req);
	__atomic_store_n(status_at, status, __ATOMIC_RELAXED);

	/* 2.7.8.2: count only what was written from the start on without a gap */
	written = req->in.len ? in_len - 1 - req->in.len : in_len;
	virtqueue_push(&blk->dev.queue[0], req->head, written);
	return 0;
}

/* Serve what waits; negative when the driver broke the device */
static int serve_queue(struct blk *blk)
{
	struct virtqueue *vq = &blk->dev.queue[0];
	unsigned int done = 0;
	int ret = 0;

	while (!stopping(blk)) {
		ret = virtqueue_pop(vq, &blk->request);
		if (ret <= 0)
			break;
		ret = serve_request(blk, &blk->request);
		if (ret < 0)
			break;
		if (++done % BATCH == 0)
			virtqueue_notify(vq);
	}
	virtqueue_notify(vq);
	return ret;
}

static void *blk_thread(void *data)
{
	struct blk *blk = data;
	struct pollfd fds[] = {
		{ .fd = blk->stop_fd, .events = POLLIN },
		{ .fd = blk->dev.queue[0].kick_fd, .events = POLLIN },
	};
	eventfd_t count;

	while (!(fds[0].revents & POLLIN)) {
		if (fds[1].revents & POLLIN) {
			eventfd_read(fds[1].fd, &count);
			if (serve_queue(blk) < 0)
				fds[1].fd = -1;
			fds[1].revents = 0;
		}
		poll(fds, 2, -1);
	}
	eventfd_read(blk->stop_fd, &count);
	return NULL;
}

static int blk_start(struct virtio_device *dev)
{
	struct blk *blk = to_blk(dev);
	sigset_t all, old;
	int ret;

	blk->write_back = dev->negotiated & (1ULL << VIRTIO_BLK_F_FLUSH);
	blk->stopping = false;

	/* Signals are the main thread's */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = pthread_create(&blk->thread, NULL, blk_thread, blk);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (ret)
		warn_limited(&dev->warned, "disk %u (%s): cannot make a thread: %s", blk->number,
			     blk->disk.path, strerror(ret));
	return -ret;
}

static void blk_reset(struct virtio_device *dev)
{
	struct blk *blk = to_blk(dev);

	__atomic_store_n(&blk->stopping, true, __ATOMIC_RELEASE);
	eventfd_write(blk->stop_fd, 1);
	pthread_join(blk->thread, NULL);
}

static void blk_destroy(struct virtio_device *dev)
{
	struct blk *blk = to_blk(dev);

	disk_close(&blk->disk);
	close(blk->stop_fd);
	free(blk);
}

static const struct virtio_device_ops blk_ops = {
	.name		= "blk",
	.device_id	= VIRTIO_ID_BLOCK,
	.start		= blk_start,
	.reset		= blk_reset,
	.destroy	= blk_destroy,
};

static void describe(struct blk *blk)
{
	const struct disk *disk = &blk->disk;
	struct virtio_blk_config *config = &blk->config;
	unsigned int physical = disk->physical_size / disk->block_size;
	unsigned int block_sectors = disk->physical_size / SECTOR_SIZE;

	config->capacity = htole64(disk->size / SECTOR_SIZE);
	/* Header and status are two more */
	config->seg_max = htole32(VIRTQUEUE_SEGMENTS_MAX - 2);
	config->blk_size = htole32(disk->block_size);
	config->physical_block_exp = __builtin_ctz(physical);
	config->alignment_offset = disk->alignment / disk->block_size;
	config->min_io_size = htole16(physical < UINT16_MAX ? physical : UINT16_MAX);
	config->opt_io_size = htole32(disk->optimal_size / disk->block_size);
	blk->dev.features = 1ULL << VIRTIO_BLK_F_SEG_MAX | 1ULL << VIRTIO_BLK_F_BLK_SIZE |
			    1ULL << VIRTIO_BLK_F_TOPOLOGY | 1ULL << VIRTIO_BLK_F_FLUSH;

	if (disk->read_only) {
		blk->dev.features |= 1ULL << VIRTIO_BLK_F_RO;
		return;
	}
	blk->dev.features |= 1ULL << VIRTIO_BLK_F_WRITE_ZEROES;
	config->max_write_zeroes_sectors = htole32(ZEROES_SECTORS_MAX);
	config->max_write_zeroes_seg = htole32(ZEROES_RANGES_MAX);
	config->write_zeroes_may_unmap = disk->can_discard;
	if (disk->can_discard) {
		blk->dev.features |= 1ULL << VIRTIO_BLK_F_DISCARD;
		config->max_discard_sectors = htole32(DISCARD_SECTORS_MAX);
		config->max_discard_seg = htole32(DISCARD_RANGES_MAX);
		config->discard_sector_alignment = htole32(block_sectors);
	}
}

int virtio_blk_add(struct virtio_bus *bus, const struct guest_disk *file, unsigned int number)
{
	struct blk *blk = calloc(1, sizeof(*blk));
	int ret;

	if (!blk)
		return log_error(-ENOMEM, "cannot make disk %u: out of memory", number);
	blk->number = number;
	/* Seen in the guest as /dev/disk/by-id/virtio-sigma-N */
	snprintf(blk->serial, sizeof(blk->serial), "sigma-%u", number);

	blk->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (blk->stop_fd < 0) {
		ret = log_error(-errno, "cannot make disk %u: %s", number, strerror(errno));
		goto free_blk;
	}
	ret = disk_open(&blk->disk, file->path, file->read_only);
	if (ret < 0)
		goto close_stop;

	describe(blk);
	blk->dev.ops = &blk_ops;
	blk->dev.config = &blk->config;
	/* What follows is of secure erase, which is not offered */
	blk->dev.config_size = offsetof(struct virtio_blk_config, unused1) +
			       sizeof(blk->config.unused1);
	blk->dev.nr_queues = 1;
	blk->dev.queue[0].max_size = QUEUE_SIZE;
	ret = virtio_device_add(bus, &blk->dev);
	if (ret < 0)
		goto close_disk;
	return 0;

close_disk:
	disk_close(&blk->disk);
close_stop:
	close(blk->stop_fd);
free_blk:
	free(blk);
	return ret;
}
