// SPDX-License-Identifier: GPL-2.0
/*
 * virtio-blk (virtio 1.2, 5.2): a disk in a file or block device of the host.
 *
 * This file has the device and decodes its requests. blk_worker.c has the thread that serves the
 * queue from start to reset, with many requests in flight, so a slow disk delays only itself. A
 * reset waits for the current transfer of each request in flight, since a system call that accesses
 * the guest's memory must not outlive the device.
 *
 * The disk has a write-back cache: the host's page cache, or the cache of the device below. A write
 * is stable once a later flush was answered with OK, which happens after fdatasync() returned 0. If
 * a write fails, only that request fails. Once a flush has failed, all later ones fail (disk.c). If
 * the driver has not negotiated flushes, each write is made stable before it is answered (5.2.6.2).
 */
#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <linux/virtio_ids.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "../../common/log.h"
#include "backends.h"
#include "blk.h"
#include "bus.h"
#include "disk_stamp.h"

#define DISCARD_RANGES_MAX	16
#define DISCARD_SECTORS_MAX	(1U << 22)
#define ZEROES_RANGES_MAX	1
#define ZEROES_SECTORS_MAX	(1U << 17)	/* lower: zeros may have to be written out */
#define FLUSH_USEC	600000000ULL	/* a network disk may take minutes */

static struct blk *to_blk(struct virtio_device *dev)
{
	return (struct blk *)((char *)dev - offsetof(struct blk, dev));
}

/* -ERANGE, -E2BIG, -EROFS: the guest's mistake, not the host's failure */
static uint8_t failure(struct blk *blk, const char *what, uint64_t sector, uint64_t len,
		       int error)
{
	if (error != -ERANGE && error != -E2BIG && error != -EROFS)
		__atomic_store_n(&blk->error, -error, __ATOMIC_RELAXED);
	ratelimit_warn(&blk->failed, "disk %u (%s): %s of %llu bytes at sector %llu failed: %s; the guest was told",
		       blk->slot, blk->disk.path, what, (unsigned long long)len,
		       (unsigned long long)sector, error == -ERANGE ?
		       "the range is not within the disk, or not in whole sectors" :
		       error == -E2BIG ? "the range is larger than the disk allows" :
		       strerror(-error));
	return VIRTIO_BLK_S_IOERR;
}

static bool in_bounds(const struct blk *blk, uint64_t sector, uint64_t len)
{
	uint64_t sectors = len / SECTOR_SIZE, capacity = disk_size(&blk->disk) / SECTOR_SIZE;

	return len % SECTOR_SIZE == 0 && sector <= capacity && sectors <= capacity - sector;
}

/* Finish the request with this status for the driver */
static void answer(struct blk_request *req, uint8_t status)
{
	const struct vq_buffers *in = &req->chain.in;

	__atomic_store_n(req->status_at, status, __ATOMIC_RELAXED);
	/* 2.7.8.2: count only bytes that were written from the start on, without a gap */
	req->written = in->len ? req->in_len - 1 - in->len : req->in_len;
	req->step = BLK_ANSWER;
}

static void begin_transfer(struct blk *blk, struct blk_request *req, enum blk_step step,
			   struct vq_buffers *data)
{
	const char *what = step == BLK_READ ? "read" : "write";

	req->data = data;
	req->data_len = data->len;
	if (step == BLK_WRITE && blk->disk.read_only) {
		answer(req, failure(blk, what, req->sector, data->len, -EROFS));
	} else if (!in_bounds(blk, req->sector, data->len)) {
		answer(req, failure(blk, what, req->sector, data->len, -ERANGE));
	} else if (!data->len) {
		answer(req, VIRTIO_BLK_S_OK);
	} else {
		req->offset = req->sector * SECTOR_SIZE;
		req->step = step;
	}
}

static void proceed_transfer(struct blk *blk, struct blk_request *req, int64_t result)
{
	/* 0 bytes: somebody has truncated the file */
	if (result <= 0) {
		answer(req, failure(blk, req->step == BLK_READ ? "read" : "write", req->sector,
				    req->data_len, result ?: -EIO));
		return;
	}
	vq_skip(req->data, result);
	req->offset += result;
	if (req->data->len) {
		/* Transfer the rest by the same step, unless blk_worker_stop() waits */
		if (blk_worker_stopping(blk))
			answer(req, VIRTIO_BLK_S_IOERR);
		return;
	}
	if (req->step == BLK_WRITE && !blk->write_back)
		req->step = BLK_FLUSH;
	else
		answer(req, VIRTIO_BLK_S_OK);
}

void blk_proceed(struct blk *blk, struct blk_request *req, int64_t result)
{
	if (req->step == BLK_FLUSH)
		answer(req, result < 0 ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK);
	else
		proceed_transfer(blk, req, result);
}

static uint8_t do_range(struct blk *blk, bool discard,
			const struct virtio_blk_discard_write_zeroes *range)
{
	uint64_t sector = le64toh(range->sector), nr = le32toh(range->num_sectors);
	uint64_t offset = sector * SECTOR_SIZE, len = nr * SECTOR_SIZE;
	uint32_t flags = le32toh(range->flags);
	const char *what = discard ? "discard" : "zeroing";
	int ret;

	/* 5.2.6.2: unmap is only for write-zeroes, the other bits are reserved */
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

static void begin_ranges(struct blk *blk, struct blk_request *req, bool discard)
{
	unsigned int feature = discard ? VIRTIO_BLK_F_DISCARD : VIRTIO_BLK_F_WRITE_ZEROES;
	struct virtio_blk_discard_write_zeroes range[DISCARD_RANGES_MAX];
	struct vq_buffers *buf = &req->chain.out;
	size_t len = buf->len, nr = len / sizeof(range[0]);
	uint8_t status = VIRTIO_BLK_S_OK;

	if (!(blk->dev.negotiated & (1ULL << feature))) {
		answer(req, VIRTIO_BLK_S_UNSUPP);
		return;
	}
	if (!nr || nr > (discard ? DISCARD_RANGES_MAX : ZEROES_RANGES_MAX) ||
	    len % sizeof(range[0]) || !vq_read(buf, range, len)) {
		answer(req, VIRTIO_BLK_S_IOERR);
		return;
	}

	for (size_t i = 0; i < nr && status == VIRTIO_BLK_S_OK; i++)
		status = blk_worker_stopping(blk) ? VIRTIO_BLK_S_IOERR :
			 do_range(blk, discard, &range[i]);
	if (status == VIRTIO_BLK_S_OK && !blk->write_back)
		req->step = BLK_FLUSH;
	else
		answer(req, status);
}

static void get_id(struct blk *blk, struct vq_buffers *buf)
{
	vq_write(buf, blk->serial, buf->len < sizeof(blk->serial) ? buf->len :
		 sizeof(blk->serial));
}

/* 5.2.6: a chain has a header to read, then data, then a status byte to write */
int blk_begin(struct blk *blk, struct blk_request *req)
{
	struct virtio_blk_outhdr head;

	req->in_len = req->chain.in.len;
	req->status_at = vq_take_last(&req->chain.in);
	if (!req->status_at || !vq_read(&req->chain.out, &head, sizeof(head))) {
		virtio_device_broken(&blk->dev, "a request without header or without status");
		return -EPROTO;
	}
	req->sector = le64toh(head.sector);

	switch (le32toh(head.type)) {
	case VIRTIO_BLK_T_IN:
		begin_transfer(blk, req, BLK_READ, &req->chain.in);
		break;
	case VIRTIO_BLK_T_OUT:
		begin_transfer(blk, req, BLK_WRITE, &req->chain.out);
		break;
	case VIRTIO_BLK_T_FLUSH:
		req->step = BLK_FLUSH;
		break;
	case VIRTIO_BLK_T_GET_ID:
		get_id(blk, &req->chain.in);
		answer(req, VIRTIO_BLK_S_OK);
		break;
	case VIRTIO_BLK_T_DISCARD:
		begin_ranges(blk, req, true);
		break;
	case VIRTIO_BLK_T_WRITE_ZEROES:
		begin_ranges(blk, req, false);
		break;
	default:
		answer(req, VIRTIO_BLK_S_UNSUPP);
	}
	return 0;
}

static int blk_start(struct virtio_device *dev)
{
	struct blk *blk = to_blk(dev);

	if (!dev->queue[0].size) {
		ratelimit_warn(&dev->warned, "disk %u (%s): the guest's driver left out its queue",
			       blk->slot, blk->disk.path);
		return -EINVAL;
	}
	blk->write_back = dev->negotiated & (1ULL << VIRTIO_BLK_F_FLUSH);
	return blk_worker_start(blk);
}

static void blk_reset(struct virtio_device *dev)
{
	blk_worker_stop(to_blk(dev));
}

/*
 * The guest is told also if the size is the one that it was given, since that may have been in an
 * answer to the last driver, or by the last sigmad.
 */
static int blk_resize(struct virtio_device *dev, uint64_t *size)
{
	struct blk *blk = to_blk(dev);
	int ret = disk_resize(&blk->disk, *size);

	if (ret)
		return ret;
	*size = blk->disk.size;
	blk->config.capacity = htole64(*size / SECTOR_SIZE);
	virtio_device_config_changed(dev);
	return 0;
}

/* The disk may have grown, or somebody who may write to its file may say so all the time */
static void look_at_size(void *data)
{
	struct blk *blk = data;
	const uint64_t was = blk->disk.size;
	uint64_t size;
	uint32_t left_out;

	if (disk_look(&blk->disk, &size) || size == was)
		return;
	if (size < was) {
		ratelimit_warn(&blk->sized, "disk %u (%s): has %llu bytes only now, and the guest was given %llu, which it keeps, since a disk does not shrink: what it does behind the end fails; make the disk as large again",
			       blk->slot, blk->disk.path, (unsigned long long)size,
			       (unsigned long long)was);
		return;
	}
	if (size % blk->disk.block_size) {
		ratelimit_warn(&blk->sized, "disk %u (%s): has grown to %llu bytes, which is no multiple of %u, the size of its blocks: the guest was not told; make it larger by some bytes",
			       blk->slot, blk->disk.path, (unsigned long long)size,
			       blk->disk.block_size);
		return;
	}
	size = 0;
	if (!blk_resize(&blk->dev, &size) &&
	    ratelimit_take(&blk->sized, RATELIMIT_BURST, &left_out))
		log_info("disk %u (%s): has grown to %llu bytes, and the guest was told",
			 blk->slot, blk->disk.path, (unsigned long long)size);
}

static void blk_destroy(struct virtio_device *dev)
{
	struct blk *blk = to_blk(dev);

	growth_end(&blk->growth);
	/*
	 * After an unplug, all writes of the guest must be on the disk. The event loop waits for that,
	 * and the service manager must not take it for a hang
	 */
	if (dev->state->leaving != DEVICE_STAYS && !blk->disk.read_only) {
		if (sd_watchdog_enabled(0, NULL) > 0)
			sd_notifyf(0, "EXTEND_TIMEOUT_USEC=%llu", FLUSH_USEC);
		disk_flushed(&blk->disk, fdatasync(blk->disk.fd) ? -errno : 0);
	}
	disk_close(&blk->disk);
	free(blk);
}

static const char *blk_trouble(struct virtio_device *dev)
{
	const struct blk *blk = to_blk(dev);
	uint64_t size;

	if (*blk->disk.failed)
		return "cannot be flushed, so what the guest wrote may be lost; find the cause in the host's kernel log, then stop the guest and check the disk";
	if (!disk_look(&blk->disk, &size) && size < blk->disk.size)
		return "has become smaller, and what the guest does behind its end fails; make it as large again";
	if (disk_removed(&blk->disk))
		return "was removed on the host, and its data are lost when the guest stops; save them in the guest";
	switch (__atomic_load_n(&blk->error, __ATOMIC_RELAXED)) {
	case 0:
		return NULL;
	case ENOSPC:
	case EDQUOT:
		return "had no room on the host for what the guest wrote, and the guest was told; make room there";
	default:
		return "has failed requests of the guest; see the log of sigmad for the reason";
	}
}

static int blk_stamp(struct virtio_device *dev, struct disk_stamp *stamp)
{
	struct blk *blk = to_blk(dev);
	int error = 0;

	if (!blk->disk.read_only)
		error = disk_flushed(&blk->disk, fdatasync(blk->disk.fd) ? -errno : 0);
	return error ?: disk_stamp(&blk->disk, stamp);
}

static const struct virtio_device_ops blk_ops = {
	.name		= "blk",
	.device_id	= VIRTIO_ID_BLOCK,
	.pauses		= true,
	.stamp		= blk_stamp,
	.start		= blk_start,
	.reset		= blk_reset,
	.resize		= blk_resize,
	.trouble	= blk_trouble,
	.destroy	= blk_destroy,
};

static void describe(struct blk *blk)
{
	const struct disk *disk = &blk->disk;
	struct virtio_blk_config *config = &blk->config;
	unsigned int physical = disk->physical_size / disk->block_size;
	unsigned int block_sectors = disk->physical_size / SECTOR_SIZE;

	config->capacity = htole64(disk->size / SECTOR_SIZE);
	/* The chain also has a header and a status */
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

static int blk_add(struct virtio_making *making, const struct guest_disk *file)
{
	struct blk *blk = calloc(1, sizeof(*blk));
	int ret;

	if (!blk)
		return making_say(making, -ENOMEM, "cannot make disk %u: out of memory",
				  making->slot);
	blk->slot = making->slot;
	/* 5.2.6.1: padded with NULs, which a serial of full length does not have */
	_Static_assert(sizeof(blk->serial) == GUEST_SERIAL_MAX, "serial");
	if (*file->serial)
		memcpy(blk->serial, file->serial, strlen(file->serial));
	else
		snprintf(blk->serial, sizeof(blk->serial), "sigma-%u", making->slot);

	ret = disk_open(&blk->disk, making, file);
	if (ret < 0)
		goto free_blk;

	describe(blk);
	blk->dev.ops = &blk_ops;
	blk->dev.config = &blk->config;
	/* Without the fields of secure erase, which is not offered */
	blk->dev.config_size = offsetof(struct virtio_blk_config, unused1) +
			       sizeof(blk->config.unused1);
	blk->dev.nr_queues = 1;
	blk->dev.queue[0].max_size = BLK_QUEUE_SIZE;
	blk->dev.queue[0].unordered = true;
	ret = virtio_device_add(making, &blk->dev);
	if (ret < 0)
		goto close_disk;
	blk->disk.failed = &blk->dev.state->failed;
	ret = growth_watch(&blk->growth, virtio_bus_event(making->bus), &blk->disk, look_at_size,
			   blk);
	if (ret)
		log_warning("disk %s: cannot be watched (%s), so 'sigmactl disk resize' has to tell the guest when it has grown",
			    blk->disk.path, strerror(-ret));
	return 0;

close_disk:
	disk_close(&blk->disk);
free_blk:
	free(blk);
	return ret;
}

int virtio_disk_add(struct virtio_making *making, const struct guest_disk *disk)
{
	if (disk->socket)
		return virtio_blk_socket_add(making, disk);
	return disk->format == FORMAT_QCOW2 ? virtio_blk_image_add(making, disk) :
		blk_add(making, disk);
}
