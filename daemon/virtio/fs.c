// SPDX-License-Identifier: GPL-2.0
/*
 * virtio-fs (virtio 1.2, 5.11): a folder of the host that a virtiofsd serves as a vhost-user back
 * end.
 *
 * virtiofsd knows which files the guest has open. When it dies, alone or with its sigmad, another
 * virtiofsd replaces it. The new one continues at the used index, since virtiofsd does one request
 * after the other. It does not know the guest's mount (it got no FUSE_INIT), so it answers all
 * requests with errors, and no program of the guest waits for ever. After the guest has unmounted
 * the share, it can mount it again.
 */
#include <endian.h>
#include <errno.h>
#include <linux/virtio_fs.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <string.h>

#include "broker.h"
#include "backends.h"
#include "bus.h"
#include "process.h"

#define QUEUE_SIZE	1024	/* as in virtiofsd */

enum { HIPRIO, REQUESTS, NR_QUEUES };

struct fs {
	struct process_device process;
	struct virtio_fs_config config;
	const struct guest_share *share;
	uid_t starter;
};

static int run(struct process_device *process, sd_event *event, char why[BACKEND_WHY_MAX])
{
	const struct fs *fs = (struct fs *)((char *)process - offsetof(struct fs, process));

	return broker_share(&process->backend, event, fs->share, fs->starter, why);
}

static void fs_destroy(struct virtio_device *dev)
{
	struct fs *fs = (struct fs *)((char *)dev - offsetof(struct fs, process.dev));

	process_device_disconnect(&fs->process);
	free(fs);
}

static const struct virtio_device_ops fs_ops = {
	.name		= "fs",
	.device_id	= VIRTIO_ID_FS,
	.elsewhere	= true,
	.start		= process_device_start,
	.reset		= process_device_reset,
	.release	= process_device_release,
	.destroy	= fs_destroy,
};

int virtio_share_add(struct virtio_making *making, const struct guest_share *share)
{
	char why[BACKEND_WHY_MAX];
	struct virtio_device *dev;
	struct fs *fs;
	int error;

	fs = calloc(1, sizeof(*fs));
	if (!fs)
		return making_say(making, -ENOMEM, "cannot make share %s: out of memory",
				  share->tag);
	fs->share = share;
	fs->starter = making->starter;
	fs->process.program = "virtiofsd";
	fs->process.lost = "the guest's mount of it gives errors until the guest mounts it anew";
	fs->process.run = run;
	fs->process.nr_queues = NR_QUEUES;
	error = process_device_connect(&fs->process, virtio_bus_event(making->bus), why);
	if (error) {
		making_say(making, error, "[Share] %s: %s", share->path, why);
		goto free_fs;
	}

	memcpy(fs->config.tag, share->tag, strlen(share->tag));
	fs->config.num_request_queues = htole32(NR_QUEUES - REQUESTS);
	dev = &fs->process.dev;
	dev->ops = &fs_ops;
	dev->lacks = ~fs->process.link.features;
	dev->config = &fs->config;
	dev->config_size = sizeof(fs->config);
	dev->nr_queues = NR_QUEUES;
	for (unsigned int i = 0; i < NR_QUEUES; i++)
		dev->queue[i].max_size = QUEUE_SIZE;
	error = virtio_device_add(making, dev);
	if (!error)
		return 0;
	process_device_disconnect(&fs->process);
free_fs:
	free(fs);
	return error;
}
