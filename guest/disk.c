// SPDX-License-Identifier: GPL-2.0
/*
 * Disks whose back end is gone: a qemu-storage-daemon that was killed, for example.
 *
 * Nobody is left who could say which requests were done, so each one that is in flight has failed,
 * and so does each one from now on. virtio_blk has no time limit and would wait for ever, and the
 * programs with it. So the requests are ended here, through the interfaces of the block layer alone,
 * as a driver ends them whose hardware has died (nvme_cancel_request()). The disk stays until it is
 * removed or the guest restarts. What virtio_blk itself has allocated for these requests, some KiB at
 * most, stays, too.
 */
#include <linux/blk-mq.h>
#include <linux/blkdev.h>
#include <linux/device.h>
#include <linux/rcupdate.h>
#include <linux/virtio.h>
#include <linux/virtio_ring.h>

#include "guest.h"

static bool is_disk(const struct device *dev)
{
	return dev->class && !strcmp(dev->class->name, "block");
}

static int is_open(struct device *dev, void *data)
{
	return is_disk(dev) && disk_openers(dev_to_disk(dev));
}

bool sigma_disk_in_use(struct virtio_device *vdev)
{
	return device_for_each_child(&vdev->dev, NULL, is_open);
}

static bool fail_request(struct request *request, void *data)
{
	unsigned int *nr = data;

	if (blk_mq_request_started(request) && !blk_mq_request_completed(request)) {
		blk_mq_end_request(request, BLK_STS_IOERR);
		(*nr)++;
	}
	return true;
}

static int fail_requests(struct device *dev, void *data)
{
	struct request_queue *queue;

	if (!is_disk(dev))
		return 0;
	queue = dev_to_disk(dev)->queue;
	if (!queue_is_mq(queue))
		return 0;
	/* No request is on its way into a virtqueue while these are ended */
	blk_mq_quiesce_queue(queue);
	blk_mq_tagset_busy_iter(queue->tag_set, fail_request, data);
	blk_mq_unquiesce_queue(queue);
	/* virtio_blk had stopped it if the virtqueue was full */
	blk_mq_start_stopped_hw_queues(queue, true);
	return 0;
}

void sigma_disk_lost(struct virtio_device *vdev)
{
	struct virtqueue *vq;
	unsigned int nr = 0;

	/* What the back end has done before it died is done */
	virtio_device_for_each_vq(vdev, vq)
		vring_interrupt(0, vq);
	virtio_break_device(vdev);
	/* An interrupt of the queues may still complete requests on another CPU */
	synchronize_rcu();
	device_for_each_child(&vdev->dev, &nr, fail_requests);
	dev_err(&vdev->dev, "the host's back end of this disk has died: %u requests have failed, and all others will; check the disk\n",
		nr);
}
