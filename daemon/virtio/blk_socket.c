// SPDX-License-Identifier: GPL-2.0
/*
 * virtio-blk (virtio 1.2, 5.2) served by a vhost-user back end such as qemu-storage-daemon, which
 * adds image formats, network disks and snapshots. The back end listens on a socket and provides
 * the device's configuration. It is disconnected when the device is reset.
 *
 * When sigmad dies, the back end is disconnected, too. It finishes its requests before it accepts
 * another client, so the next sigmad has it continue at the used index.
 *
 * When the back end dies, the disk is lost until it is reset: the guest fails its requests
 * (guest/disk.c). Only the back end could have told which ones were in flight (INFLIGHT_SHMFD of the
 * protocol), and qemu-storage-daemon does not support that.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/log.h"
#include "backends.h"
#include "blk_served.h"
#include "bus.h"

#define QUEUE_SIZE	256

struct blk_socket {
	struct virtio_device dev;
	struct virtio_blk_config config;
	const char *path;
	struct vhost_user link;
};

static struct blk_socket *to_blk_socket(struct virtio_device *dev)
{
	return (struct blk_socket *)((char *)dev - offsetof(struct blk_socket, dev));
}

static void on_changed(struct virtio_device *dev)
{
	struct blk_socket *blk = to_blk_socket(dev);

	blk_served_changed(dev, &blk->link, blk->path);
}

static int connect_server(struct blk_socket *blk, struct virtio_blk_config *config,
			  char why[VHOST_USER_WHY_MAX])
{
	int fd, error;

	fd = vhost_user_connect(blk->path);
	if (fd < 0) {
		snprintf(why, VHOST_USER_WHY_MAX, "%s; start the back end that serves this socket",
			 strerror(-fd));
		return fd;
	}
	error = vhost_user_open(&blk->link, "the back end", fd);
	blk->link.changed = on_changed;
	if (!error)
		error = vhost_user_get_config(&blk->link, config, BLK_SERVED_CONFIG_SIZE);
	if (error) {
		snprintf(why, VHOST_USER_WHY_MAX, "the back end %.*s", VHOST_USER_WHY_MAX - 16,
			 blk->link.why);
		vhost_user_close(&blk->link);
	}
	return error;
}

static void blk_socket_reset(struct virtio_device *dev)
{
	struct blk_socket *blk = to_blk_socket(dev);

	vhost_user_stop(&blk->link);
	vhost_user_close(&blk->link);
}

static int blk_socket_start(struct virtio_device *dev)
{
	struct blk_socket *blk = to_blk_socket(dev);
	struct virtio_blk_config config = { 0 };
	char why[VHOST_USER_WHY_MAX];
	int error;

	if (!vhost_user_alive(&blk->link)) {
		vhost_user_close(&blk->link);
		error = connect_server(blk, &config, why);
		if (!error) {
			error = blk_served_take(dev, &config, why);
			/* Else the next start would take this back end for one that was checked */
			if (error)
				vhost_user_close(&blk->link);
		}
		if (error) {
			ratelimit_warn(&dev->warned, "blk%u: %s: %s", dev->id, blk->path, why);
			return error;
		}
	}
	error = vhost_user_start(&blk->link, dev);
	if (error) {
		if (!vhost_user_close(&blk->link))
			virtio_device_failed(dev, "its back end may still have the guest's memory");
	}
	return error;
}

/* The program is not sigmad's, and may still access the guest's memory */
static int blk_socket_release(struct virtio_device *dev)
{
	struct blk_socket *blk = to_blk_socket(dev);

	if (!vhost_user_alive(&blk->link) || vhost_user_answers(&blk->link))
		return 0;
	return log_error(-ETIMEDOUT, "disk %s: the program that serves it does not answer; end it or let it go on, and the guest releases the disk",
			 blk->path);
}

static int blk_socket_resize(struct virtio_device *dev, uint64_t *size)
{
	struct blk_socket *blk = to_blk_socket(dev);
	char why[VHOST_USER_WHY_MAX];
	int error;

	if (*size)
		return log_error(-EOPNOTSUPP, "disk %s is served by another program; make it larger there, and the guest sees it",
				 blk->path);
	if (!vhost_user_alive(&blk->link))
		return log_error(-ENOTCONN, "disk %s: nobody serves it now; the guest sees its size when it has it again",
				 blk->path);
	error = blk_served_refresh(dev, &blk->link, why);
	if (error)
		return log_error(error, "disk %s: %s", blk->path, why);
	*size = blk_served_size(dev);
	return 0;
}

static void blk_socket_destroy(struct virtio_device *dev)
{
	struct blk_socket *blk = to_blk_socket(dev);

	vhost_user_close(&blk->link);
	free(blk);
}

static const struct virtio_device_ops blk_socket_ops = {
	.name		= "blk",
	.device_id	= VIRTIO_ID_BLOCK,
	.elsewhere	= true,
	.start		= blk_socket_start,
	.reset		= blk_socket_reset,
	.release	= blk_socket_release,
	.resize		= blk_socket_resize,
	.destroy	= blk_socket_destroy,
};

int virtio_blk_socket_add(struct virtio_making *making, const struct guest_disk *disk)
{
	char why[VHOST_USER_WHY_MAX];
	struct blk_socket *blk;
	int error;

	blk = calloc(1, sizeof(*blk));
	if (!blk)
		return making_say(making, -ENOMEM, "cannot make disk %s: out of memory",
				  disk->socket);
	blk->path = disk->socket;
	blk->link = VHOST_USER_CLOSED;
	error = connect_server(blk, &blk->config, why);
	if (error) {
		making_say(making, error, "Socket=%s: %s", disk->socket, why);
		goto free_blk;
	}

	blk->dev.ops = &blk_socket_ops;
	blk->dev.features = blk->link.features & BLK_SERVED_FEATURES;
	blk->dev.lacks = ~blk->link.features;
	blk->dev.config = &blk->config;
	blk->dev.config_size = BLK_SERVED_CONFIG_SIZE;
	blk->dev.nr_queues = 1;
	blk->dev.queue[0].max_size = QUEUE_SIZE;
	error = virtio_device_add(making, &blk->dev);
	if (!error)
		return 0;
	vhost_user_close(&blk->link);
free_blk:
	free(blk);
	return error;
}
