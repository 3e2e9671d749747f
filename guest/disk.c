// SPDX-License-Identifier: GPL-2.0
/*
 * Disks whose back end is gone: a qemu-storage-daemon that was killed, for example.
 *
 * Nobody is left who could say which requests were done, so each one that is in flight has failed,
 * and so does each one from now on. virtio_blk has no time limit and would wait for ever, and the
 * programs with it. So the requests are ended here, through the interfaces of the block layer and
 * of virtqueues alone, as a driver ends them whose hardware has died (nvme_cancel_request()). The
 * disk stays until it is removed or the guest restarts.
 *
 * sigmad says SIGMA_STATUS_LOST only when nobody accesses the virtqueues and buffers any more. It
 * is true until the device is reset and has new virtqueues. sigma_disk.lock keeps the old ones from
 * before sigmad is asked until the requests are ended. So no request to another back end fails.
 */
#include <linux/blk-mq.h>
#include <linux/blkdev.h>
#include <linux/device.h>
#include <linux/percpu-refcount.h>
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

static int take_disk(struct device *dev, void *data)
{
	struct device **found = data;

	if (!is_disk(dev))
		return 0;
	*found = get_device(dev);
	return 1;
}

/* Return: the block device, to be put; NULL: the driver has not added one yet, or has none */
static struct device *find_disk(struct virtio_device *vdev)
{
	struct device *found = NULL;

	device_for_each_child(&vdev->dev, &found, take_disk);
	return found;
}

/*
 * virtio_blk completes a request with data itself, and frees what it has allocated for it. It takes
 * the byte where the device would have put the status for the result, so the data are marked before:
 * the error of a bio stays. A part of a flush is then followed by another request, which fails. The
 * others have nothing that is to be freed.
 */
static void end_request(struct request *request)
{
	struct bio *bio;

	if (!request->bio || (request->end_io && !(request->rq_flags & RQF_FLUSH_SEQ))) {
		blk_mq_end_request(request, BLK_STS_IOERR);
		return;
	}
	__rq_for_each_bio(bio, request)
		bio->bi_status = BLK_STS_IOERR;
	blk_mq_complete_request(request);
}

static bool fail_request(struct request *request, void *data)
{
	unsigned int *nr = data;

	if (blk_mq_request_started(request) && !blk_mq_request_completed(request)) {
		end_request(request);
		(*nr)++;
	}
	return true;
}

/* Return: number of requests that were in flight */
static unsigned int fail_requests(struct virtio_device *vdev, struct request_queue *queue)
{
	struct virtqueue *vq;
	unsigned int nr = 0;

	/* virtio_blk has removed it, unless there are requests. This keeps its tags */
	if (!percpu_ref_tryget(&queue->q_usage_counter))
		return 0;
	/* No request is on its way into a virtqueue while these are ended */
	blk_mq_quiesce_queue(queue);
	/* Frees their descriptors */
	virtio_device_for_each_vq(vdev, vq)
		while (virtqueue_detach_unused_buf(vq))
			;
	blk_mq_tagset_busy_iter(queue->tag_set, fail_request, &nr);
	blk_mq_tagset_wait_completed_request(queue->tag_set);
	blk_mq_unquiesce_queue(queue);
	/* virtio_blk had stopped it if the virtqueue was full */
	blk_mq_start_stopped_hw_queues(queue, true);
	percpu_ref_put(&queue->q_usage_counter);
	return nr;
}

static void lose(struct sigma_disk *disk)
{
	struct virtio_device *vdev = disk->vdev;
	struct device *dev;
	struct virtqueue *vq;
	unsigned int nr = 0;

	/* What the back end has done before it died is done */
	virtio_device_for_each_vq(vdev, vq)
		vring_interrupt(0, vq);
	/* From here on virtio_blk neither adds requests nor completes any */
	virtio_break_device(vdev);
	/* An interrupt of the queues may still complete requests on another CPU */
	synchronize_rcu();
	/* Requests begin when it is a child of @vdev, and may end when it is none any more */
	dev = disk->leaving ? get_device(disk->leaving) : find_disk(vdev);
	if (dev) {
		nr = fail_requests(vdev, dev_to_disk(dev)->queue);
		put_device(dev);
	}
	dev_err(&vdev->dev, "the host's back end of this disk has died: %u requests have failed, and all others will; check the disk\n",
		nr);
}

static void lost_work(struct work_struct *work)
{
	struct sigma_disk *disk = container_of(work, struct sigma_disk, work);
	struct sigma_bus_device *device = container_of(disk, struct sigma_bus_device, disk);
	struct sigma_bus *bus = &device->guest->bus;
	struct sigma_msg_device_status msg;
	const struct sigma_request request = {
		.id = SIGMA_MSG_GET_STATUS,
		.device = device - bus->device,
		.in = &msg,
		.in_len = sizeof(msg),
	};
	int err;

	mutex_lock(&disk->lock);
	if (disk->vdev && !disk->lost) {
		err = sigma_iosc_request(device->guest, &request);
		if (err == -ETIMEDOUT)
			queue_work(bus->lost_wq, work);
		disk->lost = !err && le32_to_cpu(msg.status) & SIGMA_STATUS_LOST;
		if (disk->lost)
			lose(disk);
	}
	mutex_unlock(&disk->lock);
}

void sigma_disk_init(struct sigma_disk *disk)
{
	mutex_init(&disk->lock);
	INIT_WORK(&disk->work, lost_work);
}

void sigma_disk_attach(struct sigma_disk *disk, struct virtio_device *vdev)
{
	mutex_lock(&disk->lock);
	disk->vdev = vdev;
	disk->lost = false;
	mutex_unlock(&disk->lock);
}

void sigma_disk_detach(struct sigma_disk *disk)
{
	mutex_lock(&disk->lock);
	disk->vdev = NULL;
	mutex_unlock(&disk->lock);
}

void sigma_disk_leave(struct sigma_disk *disk, struct virtio_device *vdev)
{
	mutex_lock(&disk->lock);
	disk->leaving = find_disk(vdev);
	mutex_unlock(&disk->lock);
}

void sigma_disk_left(struct sigma_disk *disk)
{
	mutex_lock(&disk->lock);
	put_device(disk->leaving);
	disk->leaving = NULL;
	mutex_unlock(&disk->lock);
}
