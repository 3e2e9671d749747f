// SPDX-License-Identifier: GPL-2.0
/*
 * virtio-blk (virtio 1.2, 5.2) in a qcow2 image, which a qemu-storage-daemon serves as a vhost-user
 * back end (storage.h).
 *
 * It gives requests back in any order. When its sigmad dies, it finishes those in flight before it
 * releases the locks of the image, so the next sigmad has another one continue at the used index.
 * When it dies itself, the disk is lost until it is reset: nobody else knows which requests were done,
 * so the guest fails them (guest/disk.c), and what it had in memory is lost. Another one must not go on:
 * a later flush would confirm writes that are not there.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../common/log.h"
#include "backends.h"
#include "blk_served.h"
#include "broker.h"
#include "bus.h"
#include "monitor.h"
#include "process.h"
#include "state.h"
#include "storage.h"

#define QUEUE_SIZE	256

struct blk_image {
	struct process_device process;
	struct virtio_blk_config config;
	const struct guest_disk *wanted;
	struct disk image, backing;
	struct virtio_bus *bus;
	struct monitor monitor;
};

static struct blk_image *to_image(struct virtio_device *dev)
{
	return (struct blk_image *)((char *)dev - offsetof(struct blk_image, process.dev));
}

static const struct disk *backing(const struct blk_image *blk)
{
	return blk->wanted->backing ? &blk->backing : NULL;
}

/*
 * Where the end of qemu-storage-daemon is noted: process.unsaved in the state file. That is opened
 * anew, since an open file that is passed on would keep sigmad's lock on it.
 */
static int open_note(const struct blk_image *blk, struct backend_note *note)
{
	char path[32];
	int fd = virtio_bus_state_file(blk->bus, blk->process.unsaved, &note->at);

	/* The bus has no file, or what the last process left holds until the guest restarts */
	if (fd < 0 || blk->process.died)
		return 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	note->fd = open(path, O_RDWR | O_CLOEXEC);
	return note->fd < 0 ? -errno : 0;
}

static int run(struct process_device *process, sd_event *event, char why[BACKEND_WHY_MAX])
{
	struct blk_image *blk = to_image(&process->dev);
	struct storage storage = storage_of(blk->wanted, &blk->image, backing(blk));
	int fd = open_note(blk, &storage.note), monitor;

	if (fd < 0) {
		snprintf(why, BACKEND_WHY_MAX, "cannot open the state file anew: %s",
			 strerror(-fd));
		return fd;
	}
	fd = broker_disk(&process->backend, event, &storage, &monitor, why);
	if (fd >= 0)
		monitor_open(&blk->monitor, monitor);
	if (storage.note.fd >= 0)
		close(storage.note.fd);
	return fd;
}

static void close_disks(struct blk_image *blk)
{
	if (backing(blk))
		disk_close(&blk->backing);
	disk_close(&blk->image);
}

static void image_destroy(struct virtio_device *dev)
{
	struct blk_image *blk = to_image(dev);

	process_device_disconnect(&blk->process);
	monitor_close(&blk->monitor);
	close_disks(blk);
	free(blk);
}

/* May the disk get this size? */
static int check_size(const struct blk_image *blk, uint64_t size)
{
	const uint64_t now = blk_served_size(&blk->process.dev);
	const unsigned int block_size = le32toh(blk->config.blk_size) ?: SECTOR_SIZE;
	const char *path = blk->image.path;

	if (size < now)
		return log_error(-EINVAL, "disk %s has %llu bytes already, and does not shrink to %llu; give a larger size",
				 path, (unsigned long long)now, (unsigned long long)size);
	if (size % block_size)
		return log_error(-EINVAL, "%llu bytes are no multiple of %u, the size of a block of disk %s; give one",
				 (unsigned long long)size, block_size, path);
	if (blk->image.read_only)
		return log_error(-EROFS, "disk %s has ReadOnly=yes, so it cannot be made larger",
				 path);
	return 0;
}

/*
 * Nobody else can make the image larger, so without a size there is only the one that the guest has.
 * The configuration that Debian 12's qemu-storage-daemon has keeps the old size.
 */
static int image_resize(struct virtio_device *dev, uint64_t *size)
{
	struct blk_image *blk = to_image(dev);
	const char *path = blk->image.path;
	char why[MONITOR_WHY_MAX];
	int error;

	if (!vhost_user_alive(&blk->process.link))
		return log_error(-ENOTCONN, "disk %s: the guest does not have it now, so that no %s runs; try again when it does",
				 path, blk->process.program);
	error = *size ? check_size(blk, *size) : 0;
	if (error)
		return error;
	if (*size) {
		error = monitor_resize(&blk->monitor, STORAGE_NODE, *size, why);
		if (error)
			return log_error(error, "%s cannot make disk %s larger: %s",
					 blk->process.program, path, why);
		blk->config.capacity = htole64(*size / SECTOR_SIZE);
	}
	*size = blk_served_size(dev);
	virtio_device_config_changed(dev);
	return 0;
}

static const struct virtio_device_ops image_ops = {
	.name		= "blk",
	.device_id	= VIRTIO_ID_BLOCK,
	.elsewhere	= true,
	.start		= process_device_start,
	.reset		= process_device_reset,
	.release	= process_device_release,
	.resize		= image_resize,
	.destroy	= image_destroy,
};

static int open_disks(struct blk_image *blk, struct virtio_making *making)
{
	const struct guest_disk behind = {
		.path = blk->wanted->backing, .read_only = true, .direct = blk->wanted->direct,
	};
	int error;

	error = disk_open_image(&blk->image, making, blk->wanted);
	if (error)
		return error;
	if (behind.path) {
		error = disk_open_image(&blk->backing, making, &behind);
		if (error)
			goto close_image;
	}
	error = storage_check(making, blk->wanted, &blk->image, backing(blk));
	if (!error)
		return 0;
	if (behind.path)
		disk_close(&blk->backing);
close_image:
	disk_close(&blk->image);
	return error;
}

/* Run the back end, and get the disk's configuration from it */
static int connect_back_end(struct blk_image *blk, struct virtio_making *making)
{
	struct vhost_user *link = &blk->process.link;
	char why[BACKEND_WHY_MAX];
	int error;

	error = process_device_connect(&blk->process, virtio_bus_event(making->bus), why);
	if (error)
		return making_say(making, error, "disk %s: %s", blk->image.path, why);
	error = vhost_user_get_config(link, &blk->config, BLK_SERVED_CONFIG_SIZE);
	if (!error)
		return 0;
	making_say(making, error, "disk %s: %s %s", blk->image.path, blk->process.program,
		   link->why);
	process_device_disconnect(&blk->process);
	return error;
}

int virtio_blk_image_add(struct virtio_making *making, const struct guest_disk *disk)
{
	struct virtio_device *dev;
	struct blk_image *blk;
	int error;

	blk = calloc(1, sizeof(*blk));
	if (!blk)
		return making_say(making, -ENOMEM, "cannot make disk %s: out of memory",
				  disk->path);
	blk->wanted = disk;
	blk->bus = making->bus;
	error = open_disks(blk, making);
	if (error)
		goto free_blk;
	blk->process.program = "qemu-storage-daemon";
	blk->process.lost = "it had done all its requests, and the guest goes on";
	blk->process.run = run;
	blk->monitor.fd = -1;
	/* The last one has released the locks of the image, so this is what it left */
	blk->process.unsaved = &virtio_bus_state(making->bus)->unsaved[making->slot];
	if (!making->resuming)
		keep(*blk->process.unsaved, 0);
	blk->process.died = *blk->process.unsaved;
	error = connect_back_end(blk, making);
	if (error)
		goto close_disks;

	dev = &blk->process.dev;
	dev->ops = &image_ops;
	dev->features = blk->process.link.features & BLK_SERVED_FEATURES;
	dev->lacks = ~blk->process.link.features;
	dev->config = &blk->config;
	dev->config_size = BLK_SERVED_CONFIG_SIZE;
	dev->nr_queues = 1;
	dev->queue[0].max_size = QUEUE_SIZE;
	error = virtio_device_add(making, dev);
	if (!error)
		return 0;
	process_device_disconnect(&blk->process);
close_disks:
	monitor_close(&blk->monitor);
	close_disks(blk);
free_blk:
	free(blk);
	return error;
}
