// SPDX-License-Identifier: GPL-2.0
/*
 * Requests about one device: see request.h. A request is looked up in a table that has the least
 * payload that it needs.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "request.h"

#define VENDOR_SIGMA		0x414d4753	/* "SGMA" */

/*
 * A handler gets the request in @in, zero-padded, and fills in the response in @out, which is
 * zeroed. It returns the length of the response, or -errno.
 */
typedef int (*device_handler)(struct virtio_device *dev, const union payload *in,
			      union payload *out);

static int get_device_info(struct virtio_device *dev, const union payload *in,
			   union payload *out)
{
	out->info.device_id = htole32(dev->ops->device_id);
	out->info.vendor_id = htole32(VENDOR_SIGMA);
	out->info.config_size = htole32(dev->config_size);
	out->info.queues = htole32(dev->nr_queues);
	return sizeof(out->info);
}

static int get_features(struct virtio_device *dev, const union payload *in,
			union payload *out)
{
	out->features.features = htole64(dev->features);
	return sizeof(out->features);
}

static int set_features(struct virtio_device *dev, const union payload *in,
			union payload *out)
{
	return device_set_features(dev, le64toh(in->features.features));
}

static int get_config(struct virtio_device *dev, const union payload *in,
		      union payload *out)
{
	uint32_t offset = le32toh(in->config.offset);
	uint32_t length = le32toh(in->config.length);

	if (!length || length > SIGMA_CONFIG_CHUNK || length > dev->config_size ||
	    offset > dev->config_size - length)
		return -EINVAL;
	out->config.offset = in->config.offset;
	out->config.length = in->config.length;
	out->config.generation = htole32(dev->generation);
	memcpy(out->config.data, (const uint8_t *)dev->config + offset, length);
	return sizeof(out->config);
}

/* No device here has a configuration field that the driver can write */
static int set_config(struct virtio_device *dev, const union payload *in,
		      union payload *out)
{
	return -EPERM;
}

static int get_status(struct virtio_device *dev, const union payload *in,
		      union payload *out)
{
	out->status.status = htole32(device_status(dev));
	return sizeof(out->status);
}

static int set_status(struct virtio_device *dev, const union payload *in,
		      union payload *out)
{
	int ret = device_set_status(dev, le32toh(in->status.status));

	return ret < 0 ? ret : get_status(dev, in, out);
}

static int get_vqueue(struct virtio_device *dev, const union payload *in,
		      union payload *out)
{
	unsigned int index = le32toh(in->vqueue.index);

	if (index >= dev->nr_queues)
		return -ENOENT;
	out->vqueue.index = in->vqueue.index;
	out->vqueue.size = htole32(dev->queue[index].max_size);
	out->vqueue.kick = htole32(dev->queue[index].kick);
	out->vqueue.call = htole32(dev->queue[index].call);
	return sizeof(out->vqueue);
}

static int set_vqueue(struct virtio_device *dev, const union payload *in,
		      union payload *out)
{
	return device_set_queue(dev, &in->vqueue);
}

static int reset_vqueue(struct virtio_device *dev, const union payload *in,
			union payload *out)
{
	return device_reset_queue(dev, le32toh(in->vqueue.index));
}

/* @least: bytes of payload that the request must have */
static const struct {
	device_handler handle;
	size_t least;
} handlers[] = {
	[SIGMA_MSG_DEVICE_INFO]	 = { .handle = get_device_info },
	[SIGMA_MSG_GET_FEATURES] = { .handle = get_features },
	[SIGMA_MSG_SET_FEATURES] = { set_features, sizeof(struct sigma_msg_features) },
	[SIGMA_MSG_GET_CONFIG]	 = { get_config, offsetof(struct sigma_msg_config, data) },
	[SIGMA_MSG_SET_CONFIG]	 = { set_config, offsetof(struct sigma_msg_config, data) },
	[SIGMA_MSG_GET_STATUS]	 = { .handle = get_status },
	[SIGMA_MSG_SET_STATUS]	 = { set_status, sizeof(struct sigma_msg_device_status) },
	[SIGMA_MSG_GET_VQUEUE]	 = { get_vqueue, sizeof(__le32) },
	[SIGMA_MSG_SET_VQUEUE]	 = { set_vqueue, sizeof(struct sigma_msg_vqueue) },
	[SIGMA_MSG_RESET_VQUEUE] = { reset_vqueue, sizeof(__le32) },
};

int request_handle(struct virtio_device *dev, uint8_t id, const union payload *in, size_t len,
		   union payload *out)
{
	if (id >= sizeof(handlers) / sizeof(handlers[0]) || !handlers[id].handle)
		return -EOPNOTSUPP;
	if (len < handlers[id].least)
		return -EINVAL;
	return handlers[id].handle(dev, in, out);
}
