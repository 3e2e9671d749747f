/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the next sigmad has to know of the devices of a running guest, should this one die:
 * kept up to date in memory that outlives it (daemon/state.c), by plain stores in an order
 * that leaves it true after each of them. Nobody else writes it, so it is trusted.
 */
#ifndef SIGMA_VIRTIO_STATE_H
#define SIGMA_VIRTIO_STATE_H

#include <stdint.h>

#include "../../kmod/uapi/iosc.h"

#define VIRTQUEUE_SIZE_MAX	1024

/**
 * struct queue_state - one virtqueue
 * @size: entries; 0: not set up
 * @desc: and @avail, @used: guest physical addresses
 *
 * The rest is of queues whose chains come back in any order (virtqueue.unordered). In others
 * what was taken and what was given back are told apart by the used index alone.
 *
 * @last_avail: next entry of the available ring to take
 * @used_idx: of the used ring; chains up to it are no longer in @in_flight
 * @pushed: heads in the used ring, of entries that the guest may not have been shown yet
 * @in_flight: bit n: the chain of head n was taken and is not given back
 */
struct queue_state {
	uint32_t size;
	uint16_t last_avail;
	uint16_t used_idx;
	uint64_t desc, avail, used;
	uint64_t in_flight[VIRTQUEUE_SIZE_MAX / 64];
	uint16_t pushed[VIRTQUEUE_SIZE_MAX];
};

/* What the guest is asked to do with a device */
enum device_leaving {
	DEVICE_STAYS,
	DEVICE_LEAVES_UNUSED,	/* let go of it, unless it is in use */
	DEVICE_LEAVES,		/* let go of it */
};

/**
 * struct device_state - one device, as struct virtio_device
 * @device_id: virtio 1.2 section 5; 0: there is none, and the rest means nothing
 * @doorbell: of its first queue, in both directions; those of the others follow it
 * @leaving: enum device_leaving
 */
struct device_state {
	uint32_t device_id;
	uint32_t nr_queues;
	uint32_t doorbell;
	uint32_t leaving;
	uint32_t status;
	uint32_t generation;
	uint32_t broken;
	uint32_t reserved;
	uint64_t negotiated;
	struct queue_state queue[SIGMA_QUEUES];
};

/**
 * struct virtio_state - all devices of a guest
 * @request: a control message that was taken and is not answered yet; zeros: none
 */
struct virtio_state {
	uint8_t request[SIGMA_MSG_MAX];
	struct device_state device[SIGMA_DEVICES];
};

#endif
