// SPDX-License-Identifier: GPL-2.0
/*
 * Virtio over IOSC: the virtio transport of one device, driver side.
 *
 * For each device that the bus finds, sigma_virtio_add() asks sigmad for its type and registers a
 * struct virtio_device, to which the kernel's own virtio_blk, virtio_net, ... bind. Each operation
 * of the transport (virtio 1.2, chapters 2 and 3) is one control message. Data does not use control
 * messages: it moves in split or packed virtqueues in the memory of this guest, with one doorbell
 * in each direction as notification.
 *
 * VIRTIO_F_ACCESS_PLATFORM is never accepted, so the virtio core puts physical addresses into the
 * descriptors, and these are the same for the host.
 *
 * The memory of a queue is freed only when the device cannot write to it any more: when sigmad has
 * confirmed the reset, or refused it because there is no such device. While sigmad is silent the
 * reset waits, as that of virtio-pci does, until sigmad is restarted, or the host stops this guest.
 */
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/slab.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>
#include <linux/virtio_console.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_ring.h>

#include "../kmod/shared/fault.h"
#include "guest.h"

#define RESET_RETRY_MS	1000
#define CONSOLE_OUTPUT	1	/* the first port's transmit queue, virtio 1.2, 5.3.2 */

/**
 * struct sigma_virtio_device - one device
 * @vdev: the virtio core's part; its release frees this struct
 * @guest: the guest
 * @id: its slot on the bus
 * @config_size: bytes of configuration space
 * @queues: virtqueues it has
 */
struct sigma_virtio_device {
	struct virtio_device vdev;
	struct sigma_guest *guest;
	u16 id;
	u32 config_size;
	u32 queues;
};

/*
 * A virtqueue's doorbells: to the host (kick), and to this guest (call); in virtqueue.priv. @output: NULL
 * but for that of a console's output
 */
struct sigma_queue {
	struct sigma_doorbell_user call_user;
	struct virtqueue *vq;
	struct sigma_output *output;
	u32 kick;
	u32 call;
};

static struct sigma_virtio_device *to_svd(struct virtio_device *vdev)
{
	return container_of(vdev, struct sigma_virtio_device, vdev);
}

static struct sigma_disk *disk_of(const struct sigma_virtio_device *svd)
{
	return &svd->guest->bus.device[svd->id].disk;
}

static int ask(struct sigma_virtio_device *svd, u8 id, const void *out, size_t out_len,
	       void *in, size_t in_len)
{
	const struct sigma_request request = {
		.id = id,
		.device = svd->id,
		.out = out,
		.out_len = out_len,
		.in = in,
		.in_len = in_len,
	};

	return sigma_iosc_request(svd->guest, &request);
}

/* Configuration space */

static bool config_in_bounds(const struct sigma_virtio_device *svd, u32 offset, u32 len)
{
	if (offset <= svd->config_size && len <= svd->config_size - offset)
		return true;
	dev_err(&svd->vdev.dev, "driver wants configuration bytes %u to %u, the device has %u\n",
		offset, offset + len, svd->config_size);
	return false;
}

static int read_chunk(struct sigma_virtio_device *svd, u32 offset, void *buf, u32 len,
		      u32 *generation)
{
	struct sigma_msg_config msg = {
		.offset = cpu_to_le32(offset),
		.length = cpu_to_le32(len),
	};
	int err = ask(svd, SIGMA_MSG_GET_CONFIG, &msg, sizeof(msg), &msg, sizeof(msg));

	if (err)
		return err;
	memcpy(buf, msg.data, len);
	*generation = le32_to_cpu(msg.generation);
	return 0;
}

/*
 * A field of up to 8 bytes is read by one message, so it is consistent. For more than that, drivers
 * compare the generation before and after (virtio 1.2, 2.5), so nothing is checked across chunks
 * here.
 */
static void sigma_virtio_get(struct virtio_device *vdev, unsigned int offset, void *buf,
			     unsigned int len)
{
	struct sigma_virtio_device *svd = to_svd(vdev);
	u32 generation;

	memset(buf, 0, len);
	if (!config_in_bounds(svd, offset, len))
		return;
	for (u32 done = 0, chunk; done < len; done += chunk) {
		chunk = min_t(u32, len - done, SIGMA_CONFIG_CHUNK);
		if (read_chunk(svd, offset + done, buf + done, chunk, &generation))
			return;
	}
}

static void sigma_virtio_set(struct virtio_device *vdev, unsigned int offset, const void *buf,
			     unsigned int len)
{
	struct sigma_virtio_device *svd = to_svd(vdev);

	if (!config_in_bounds(svd, offset, len))
		return;
	for (u32 done = 0, chunk; done < len; done += chunk) {
		struct sigma_msg_config msg = { .offset = cpu_to_le32(offset + done) };

		chunk = min_t(u32, len - done, SIGMA_CONFIG_CHUNK);
		msg.length = cpu_to_le32(chunk);
		memcpy(msg.data, buf + done, chunk);
		if (ask(svd, SIGMA_MSG_SET_CONFIG, &msg, sizeof(msg), NULL, 0))
			return;
	}
}

static u32 sigma_virtio_generation(struct virtio_device *vdev)
{
	struct sigma_virtio_device *svd = to_svd(vdev);
	u32 generation;
	u8 byte;

	if (!svd->config_size || read_chunk(svd, 0, &byte, sizeof(byte), &generation))
		return 0;
	return generation;
}

/* Status and features */

static u8 sigma_virtio_get_status(struct virtio_device *vdev)
{
	struct sigma_msg_device_status msg;

	if (ask(to_svd(vdev), SIGMA_MSG_GET_STATUS, NULL, 0, &msg, sizeof(msg)))
		return 0;
	return le32_to_cpu(msg.status);
}

/* @now: out: the status that the device has afterwards. Return: 0 or a negative errno */
static int put_status(struct sigma_virtio_device *svd, u8 status, u32 *now)
{
	struct sigma_msg_device_status msg = { .status = cpu_to_le32(status) };
	int err = ask(svd, SIGMA_MSG_SET_STATUS, &msg, sizeof(msg), &msg, sizeof(msg));

	if (!err)
		*now = le32_to_cpu(msg.status);
	return err;
}

static void sigma_virtio_set_status(struct virtio_device *vdev, u8 status)
{
	u32 now;

	put_status(to_svd(vdev), status, &now);
}

/* Return: the device cannot write to its queues any more */
static bool try_reset(struct sigma_virtio_device *svd)
{
	u32 now;
	int err = put_status(svd, 0, &now);

	return err == -EREMOTEIO || (!err && !now);
}

static void sigma_virtio_reset(struct virtio_device *vdev)
{
	struct virtqueue *vq;

	/* Gives up in a shutdown: the memory of the queues is not allocated again after that */
	while (!try_reset(to_svd(vdev)) && system_state <= SYSTEM_RUNNING) {
		dev_err_ratelimited(&vdev->dev, "cannot be reset, trying again\n");
		msleep(RESET_RETRY_MS);
	}
	list_for_each_entry(vq, &vdev->vqs, list) {
		const struct sigma_queue *queue = vq->priv;

		if (queue && queue->output)
			sigma_output_reset(queue->output);
	}
}

static u64 sigma_virtio_get_features(struct virtio_device *vdev)
{
	struct sigma_msg_features msg;

	if (ask(to_svd(vdev), SIGMA_MSG_GET_FEATURES, NULL, 0, &msg, sizeof(msg)))
		return 0;
	return le64_to_cpu(msg.features);
}

static int sigma_virtio_finalize_features(struct virtio_device *vdev)
{
	struct sigma_msg_features msg;

	vring_transport_features(vdev);
	__virtio_clear_bit(vdev, VIRTIO_F_ACCESS_PLATFORM);
	/* A doorbell carries no data */
	__virtio_clear_bit(vdev, VIRTIO_F_NOTIFICATION_DATA);
	/* output.c */
	if (vdev->id.device == VIRTIO_ID_CONSOLE)
		__virtio_clear_bit(vdev, VIRTIO_F_RING_PACKED);

	if (!__virtio_test_bit(vdev, VIRTIO_F_VERSION_1)) {
		dev_err(&vdev->dev, "device lacks VIRTIO_F_VERSION_1, legacy devices are not supported\n");
		return -EINVAL;
	}

	msg.features = cpu_to_le64(vdev->features);
	return ask(to_svd(vdev), SIGMA_MSG_SET_FEATURES, &msg, sizeof(msg), NULL, 0);
}

/* Virtqueues */

static bool queue_notify(struct virtqueue *vq)
{
	struct sigma_queue *queue = vq->priv;

	sigma_iosc_ring(to_svd(vq->vdev)->guest, queue->kick);
	return true;
}

static bool output_notify(struct virtqueue *vq)
{
	const struct sigma_queue *queue = vq->priv;

	queue_notify(vq);
	sigma_output_wait(queue->output);
	return true;
}

static void queue_called(struct sigma_doorbell_user *user)
{
	vring_interrupt(0, container_of(user, struct sigma_queue, call_user)->vq);
}

static int get_queue(struct sigma_virtio_device *svd, unsigned int index,
		     struct sigma_msg_vqueue *msg)
{
	u32 size, kick;
	int err;

	memset(msg, 0, sizeof(*msg));
	msg->index = cpu_to_le32(index);
	err = ask(svd, SIGMA_MSG_GET_VQUEUE, msg, sizeof(*msg), msg, sizeof(*msg));
	if (err)
		return err;

	size = le32_to_cpu(msg->size);
	kick = le32_to_cpu(msg->kick);
	/* virtio 1.2, 2.7: a power of two, at most 32768. sigma_iosc_attach() checks `call` */
	if (!is_power_of_2(size) || size > BIT(15) || kick < SIGMA_DOORBELL_FIRST ||
	    kick >= SIGMA_DOORBELLS) {
		dev_err(&svd->vdev.dev, "queue %u: sigmad offers %u entries and doorbell %u\n",
			index, size, kick);
		return -EPROTO;
	}
	return 0;
}

static int set_queue(struct sigma_virtio_device *svd, struct virtqueue *vq)
{
	const struct sigma_queue *queue = vq->priv;
	const struct sigma_msg_vqueue msg = {
		.index = cpu_to_le32(vq->index),
		.size = cpu_to_le32(virtqueue_get_vring_size(vq)),
		.kick = cpu_to_le32(queue->kick),
		.call = cpu_to_le32(queue->call),
		.desc = cpu_to_le64(virtqueue_get_desc_addr(vq)),
		.driver = cpu_to_le64(virtqueue_get_avail_addr(vq)),
		.device = cpu_to_le64(virtqueue_get_used_addr(vq)),
	};

	return ask(svd, SIGMA_MSG_SET_VQUEUE, &msg, sizeof(msg), NULL, 0);
}

static bool is_output(const struct virtio_device *vdev, unsigned int index)
{
	return vdev->id.device == VIRTIO_ID_CONSOLE && index == CONSOLE_OUTPUT &&
	       !virtio_has_feature(vdev, VIRTIO_CONSOLE_F_MULTIPORT);
}

/*
 * The driver's callback, or NULL: then the queue asks for no interrupts. For the output of a console
 * virtio_console polls until the device has used it, and needs none. Its callback would even take
 * the output from under the poll and free it a second time, as long as the port is not on the
 * driver's list: while the console gets all that was logged so far. Another CPU may run it then; with
 * real-time preemption, the interrupt's thread on the same CPU.
 */
static vq_callback_t *callback_of(const struct virtio_device *vdev, unsigned int index,
				  const struct virtqueue_info *info)
{
	return is_output(vdev, index) ? NULL : info->callback;
}

static struct virtqueue *setup_queue(struct sigma_virtio_device *svd, unsigned int index,
				     const struct virtqueue_info *info)
{
	struct sigma_msg_vqueue msg;
	struct sigma_queue *queue;
	struct virtqueue *vq;
	int err;

	if (index >= svd->queues)
		return ERR_PTR(-ENOENT);

	err = get_queue(svd, index, &msg);
	if (err)
		return ERR_PTR(err);

	queue = sigma_fault() ? NULL : kzalloc(sizeof(*queue), GFP_KERNEL);
	if (!queue)
		return ERR_PTR(-ENOMEM);
	queue->kick = le32_to_cpu(msg.kick);
	queue->call = le32_to_cpu(msg.call);
	queue->call_user.rung = queue_called;
	if (is_output(&svd->vdev, index)) {
		queue->output = sigma_output_new();
		if (IS_ERR(queue->output)) {
			err = PTR_ERR(queue->output);
			goto free_queue;
		}
	}

	vq = sigma_fault() ? NULL :
	     vring_create_virtqueue(index, le32_to_cpu(msg.size), SMP_CACHE_BYTES, &svd->vdev,
				    true, true, info->ctx,
				    queue->output ? output_notify : queue_notify,
				    callback_of(&svd->vdev, index, info), info->name);
	if (!vq) {
		err = -ENOMEM;
		goto free_output;
	}
	vq->num_max = le32_to_cpu(msg.size);
	vq->priv = queue;
	queue->vq = vq;

	err = sigma_fault() ?: sigma_iosc_attach(svd->guest, queue->call, &queue->call_user);
	if (err) {
		dev_err(&svd->vdev.dev, "queue %u: doorbell %u cannot be used: error %d\n", index,
			queue->call, err);
		goto delete_vq;
	}

	err = sigma_fault() ?: set_queue(svd, vq);
	if (err)
		goto detach;
	if (queue->output)
		sigma_output_watch(queue->output, vq);
	return vq;

detach:
	sigma_iosc_detach(svd->guest, queue->call);
	synchronize_rcu();
delete_vq:
	vring_del_virtqueue(vq);
free_output:
	sigma_output_free(queue->output);
free_queue:
	kfree(queue);
	return ERR_PTR(err);
}

static void stop_queue(struct sigma_virtio_device *svd, struct virtqueue *vq)
{
	const struct sigma_msg_vqueue msg = { .index = cpu_to_le32(vq->index) };
	const struct sigma_queue *queue = vq->priv;

	ask(svd, SIGMA_MSG_RESET_VQUEUE, &msg, sizeof(msg), NULL, 0);
	sigma_iosc_detach(svd->guest, queue->call);
}

static void sigma_virtio_del_vqs(struct virtio_device *vdev)
{
	struct sigma_virtio_device *svd = to_svd(vdev);
	struct virtqueue *vq, *next;

	sigma_disk_detach(disk_of(svd));
	list_for_each_entry(vq, &vdev->vqs, list)
		stop_queue(svd, vq);
	/* queue_called() may still run on another CPU */
	synchronize_rcu();

	list_for_each_entry_safe(vq, next, &vdev->vqs, list) {
		struct sigma_queue *queue = vq->priv;

		sigma_output_free(queue->output);
		vring_del_virtqueue(vq);
		kfree(queue);
	}
}

static int sigma_virtio_find_vqs(struct virtio_device *vdev, unsigned int nvqs,
				 struct virtqueue *vqs[], struct virtqueue_info infos[],
				 struct irq_affinity *desc)
{
	unsigned int index = 0;

	for (unsigned int i = 0; i < nvqs; i++) {
		if (!infos[i].name) {
			vqs[i] = NULL;
			continue;
		}
		vqs[i] = setup_queue(to_svd(vdev), index++, &infos[i]);
		if (IS_ERR(vqs[i])) {
			sigma_virtio_del_vqs(vdev);
			return PTR_ERR(vqs[i]);
		}
	}
	if (vdev->id.device == VIRTIO_ID_BLOCK)
		sigma_disk_attach(disk_of(to_svd(vdev)), vdev);
	return 0;
}

SIGMA_DEFINE_FIND_VQS(sigma_virtio_find_vqs)

static const char *sigma_virtio_bus_name(struct virtio_device *vdev)
{
	return dev_name(vdev->dev.parent);
}

static const struct virtio_config_ops sigma_virtio_ops = {
	.get			= sigma_virtio_get,
	.set			= sigma_virtio_set,
	.generation		= sigma_virtio_generation,
	.get_status		= sigma_virtio_get_status,
	.set_status		= sigma_virtio_set_status,
	.reset			= sigma_virtio_reset,
	.find_vqs		= SIGMA_FIND_VQS(sigma_virtio_find_vqs),
	.del_vqs		= sigma_virtio_del_vqs,
	.get_features		= sigma_virtio_get_features,
	.finalize_features	= sigma_virtio_finalize_features,
	.bus_name		= sigma_virtio_bus_name,
};

/* Devices */

static void sigma_virtio_release(struct device *dev)
{
	kfree(to_svd(dev_to_virtio(dev)));
}

static int get_info(struct sigma_virtio_device *svd)
{
	struct sigma_msg_device_info info;
	int err = ask(svd, SIGMA_MSG_DEVICE_INFO, NULL, 0, &info, sizeof(info));

	if (err)
		return err;
	svd->vdev.id.device = le32_to_cpu(info.device_id);
	svd->vdev.id.vendor = le32_to_cpu(info.vendor_id);
	svd->config_size = le32_to_cpu(info.config_size);
	svd->queues = le32_to_cpu(info.queues);
	/* virtio 1.2, chapter 5: type 0 is no device */
	return svd->vdev.id.device && svd->queues <= SIGMA_QUEUES ? 0 : -EPROTO;
}

struct sigma_virtio_device *sigma_virtio_add(struct sigma_guest *guest, u16 id)
{
	struct sigma_virtio_device *svd;
	int err;

	svd = sigma_fault() ? NULL : kzalloc(sizeof(*svd), GFP_KERNEL);
	if (!svd)
		return ERR_PTR(-ENOMEM);
	svd->guest = guest;
	svd->id = id;
	svd->vdev.dev.parent = guest->dev;
	svd->vdev.dev.release = sigma_virtio_release;
	svd->vdev.config = &sigma_virtio_ops;

	err = sigma_fault() ?: get_info(svd);
	if (err) {
		kfree(svd);
		return ERR_PTR(err);
	}

	err = register_virtio_device(&svd->vdev);
	if (err) {
		put_device(&svd->vdev.dev);
		return ERR_PTR(err);
	}
	return svd;
}

void sigma_virtio_remove(struct sigma_virtio_device *svd)
{
	struct sigma_disk *disk = disk_of(svd);

	sigma_disk_leave(disk, &svd->vdev);
	unregister_virtio_device(&svd->vdev);
	sigma_disk_left(disk);
}

bool sigma_virtio_in_use(struct sigma_virtio_device *svd)
{
	return sigma_disk_in_use(&svd->vdev);
}

void sigma_virtio_config_changed(struct sigma_virtio_device *svd)
{
	virtio_config_changed(&svd->vdev);
}
