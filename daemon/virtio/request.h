/* SPDX-License-Identifier: GPL-2.0 */
/* Requests of the guest's virtio transport about one device (uapi/iosc.h, "Control messages"). */
#ifndef SIGMA_VIRTIO_REQUEST_H
#define SIGMA_VIRTIO_REQUEST_H

#include "device.h"

/* What follows the head of a message, in a request or in its response */
union payload {
	struct sigma_bus_hello hello;
	struct sigma_bus_devices devices;
	struct sigma_bus_awake awake;
	struct sigma_bus_sleep sleep;
	struct sigma_msg_device_info info;
	struct sigma_msg_features features;
	struct sigma_msg_config config;
	struct sigma_msg_device_status status;
	struct sigma_msg_vqueue vqueue;
};

/**
 * request_handle - check a request and carry it out
 * @id: enum sigma_msg_id; the guest's, so any number
 * @in: the request, zero-padded
 * @len: bytes of the request
 * @out: the response, zeroed
 *
 * Return: the length of the response, or -errno.
 */
int request_handle(struct virtio_device *dev, uint8_t id, const union payload *in, size_t len,
		   union payload *out);

#endif
