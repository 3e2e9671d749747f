// SPDX-License-Identifier: GPL-2.0
/*
 * virtio-fs (virtio 1.2, 5.11): a folder of the host, which a virtiofsd serves as a vhost-user
 * back end.
 *
 * A virtiofsd knows which files the guest has open, so it is of no use to the guest's next
 * kernel: it goes at a reset, and the next start has one of its own. The first one is started
 * with the device, so that what is wrong is told before the guest has anything.
 *
 * One goes with its sigmad, too. The guest gets errors then for what it had mounted from it and
 * asked of it, and can mount it anew from the one of the next sigmad, which begins where the used
 * index is: a virtiofsd does one request after the other.
 */
#include <endian.h>
#include <errno.h>
#include <linux/virtio_fs.h>
#include <linux/virtio_ids.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../guestfile.h"
#include "../log.h"
#include "../vhost_user.h"
#include "../virtiofsd.h"
#include "device.h"

#define QUEUE_SIZE	1024	/* as virtiofsd has it */

enum { HIPRIO, REQUESTS, NR_QUEUES };

struct fs {
	struct virtio_device dev;
	struct virtio_fs_config config;
	const struct guest_share *share;
	uid_t starter;
	struct virtiofsd server;
	struct vhost_user link;
};

static struct fs *to_fs(struct virtio_device *dev)
{
	return (struct fs *)((char *)dev - offsetof(struct fs, dev));
}

static void disconnect(struct fs *fs)
{
	vhost_user_close(&fs->link);
	virtiofsd_end(&fs->server);
}

static int connect_server(struct fs *fs, sd_event *event, char why[VIRTIOFSD_WHY_MAX])
{
	int fd, error;

	fd = virtiofsd_start(&fs->server, event, fs->share, fs->starter, why);
	if (fd < 0)
		return fd;
	error = vhost_user_open(&fs->link, "virtiofsd", fd);
	if (!error && fs->link.nr_queues < NR_QUEUES) {
		snprintf(fs->link.why, sizeof(fs->link.why), "serves %u queue; it takes %u",
			 fs->link.nr_queues, NR_QUEUES);
		error = -EPROTO;
	}
	if (error) {
		snprintf(why, VIRTIOFSD_WHY_MAX, "virtiofsd %s", fs->link.why);
		disconnect(fs);
	}
	return error;
}

static void fs_reset(struct virtio_device *dev)
{
	struct fs *fs = to_fs(dev);

	vhost_user_stop(&fs->link);
	disconnect(fs);
}

static int fs_start(struct virtio_device *dev)
{
	char why[VIRTIOFSD_WHY_MAX];
	struct fs *fs = to_fs(dev);
	int error;

	if (!vhost_user_alive(&fs->link)) {
		disconnect(fs);
		error = connect_server(fs, virtio_bus_event(dev->bus), why);
		if (error) {
			warn_limited(&dev->warned, "fs%u: the guest cannot have share %s: %s",
				     dev->id, fs->share->tag, why);
			return error;
		}
	}
	error = vhost_user_start(&fs->link, dev);
	if (error)
		fs_reset(dev);
	return error;
}

static void fs_destroy(struct virtio_device *dev)
{
	struct fs *fs = to_fs(dev);

	disconnect(fs);
	free(fs);
}

static const struct virtio_device_ops fs_ops = {
	.name		= "fs",
	.device_id	= VIRTIO_ID_FS,
	.start		= fs_start,
	.reset		= fs_reset,
	.destroy	= fs_destroy,
};

int virtio_fs_add(struct virtio_bus *bus, const struct guest_config *config,
		  const struct guest_share *share)
{
	char why[VIRTIOFSD_WHY_MAX];
	struct fs *fs;
	int error;

	fs = calloc(1, sizeof(*fs));
	if (!fs)
		return log_error(-ENOMEM, "cannot make share %s: out of memory", share->tag);
	fs->share = share;
	fs->starter = config->starter;
	fs->link = VHOST_USER_CLOSED;
	error = connect_server(fs, virtio_bus_event(bus), why);
	if (error) {
		log_error(error, "%s:%u: [Share] %s: %s", config->file, share->line, share->path,
			  why);
		goto free_fs;
	}

	memcpy(fs->config.tag, share->tag, strlen(share->tag));
	fs->config.num_request_queues = htole32(NR_QUEUES - REQUESTS);
	fs->dev.ops = &fs_ops;
	fs->dev.lacks = ~fs->link.features;
	fs->dev.config = &fs->config;
	fs->dev.config_size = sizeof(fs->config);
	fs->dev.nr_queues = NR_QUEUES;
	for (unsigned int i = 0; i < NR_QUEUES; i++)
		fs->dev.queue[i].max_size = QUEUE_SIZE;
	error = virtio_device_add(bus, &fs->dev);
	if (!error)
		return 0;
	disconnect(fs);
free_fs:
	free(fs);
	return error;
}
