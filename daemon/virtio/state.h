/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The state of a guest's devices, persisted for the next sigmad in case this one dies. It is kept
 * in memory that outlives sigmad (daemon/state.c), by plain stores in an order that leaves it
 * consistent after each store. Only sigmad and the init of a qemu-storage-daemon (backend_exec.c)
 * write it, and both are trusted.
 */
#ifndef SIGMA_VIRTIO_STATE_H
#define SIGMA_VIRTIO_STATE_H

#include <stdint.h>

#include "../../kmod/uapi/iosc.h"

#define VIRTQUEUE_SIZE_MAX	1024

/*
 * Persist a value, after all stores of the code above. When a process is killed, its stores have
 * taken effect in program order, so only the compiler must keep the order.
 */
#define keep(x, value) do {					\
	__atomic_signal_fence(__ATOMIC_SEQ_CST);		\
	__atomic_store_n(&(x), value, __ATOMIC_RELAXED);	\
	__atomic_signal_fence(__ATOMIC_SEQ_CST);		\
} while (0)

/**
 * struct queue_state - one virtqueue
 * @size: number of entries; 0: not set up
 * @last_avail: next entry of the available ring to take
 * @used_idx: of the used ring; chains up to it are no longer in @in_flight
 * @desc: guest physical address of the descriptor table
 * @avail: guest physical address of the available ring
 * @used: guest physical address of the used ring
 * @in_flight: bit n: the chain with head n was taken and not given back yet
 * @pushed: head of each entry of the used ring; needed for entries that the guest may not see yet
 *
 * @last_avail, @used_idx, @in_flight and @pushed are only used for queues whose chains are given
 * back in any order (virtqueue.unordered). For other queues the used index in guest memory says
 * which chains were given back, and the next sigmad continues there.
 */
struct queue_state {
	uint32_t size;
	uint16_t last_avail;
	uint16_t used_idx;
	uint64_t desc, avail, used;
	uint64_t in_flight[VIRTQUEUE_SIZE_MAX / 64];
	uint16_t pushed[VIRTQUEUE_SIZE_MAX];
};

/* Is an unplug pending? */
enum device_leaving {
	DEVICE_STAYS,		/* no */
	DEVICE_LEAVES_UNUSED,	/* yes: the guest releases the device unless it is in use */
	DEVICE_LEAVES,		/* yes: the guest releases the device in any case */
};

/* Why does a device need a reset? */
enum device_broken {
	DEVICE_WORKS,
	DEVICE_BROKEN,		/* the guest's driver or the host is to blame */
	DEVICE_LOST,		/* its back end is gone, and does not access it any more */
};

/**
 * struct device_state - one device; see struct virtio_device
 * @device_id: virtio 1.2 section 5; 0: no device, and the other fields are invalid
 * @nr_queues: number of queues
 * @doorbell: of the first queue, in both directions; the other queues' doorbells follow it
 * @leaving: enum device_leaving
 * @status: VIRTIO_CONFIG_S_*, without NEEDS_RESET
 * @generation: of the configuration
 * @broken: enum device_broken
 * @failed: of a disk: errno of the first flush that failed; 0: none has
 * @negotiated: features
 * @queue: state of the queues
 */
struct device_state {
	uint32_t device_id;
	uint32_t nr_queues;
	uint32_t doorbell;
	uint32_t leaving;
	uint32_t status;
	uint32_t generation;
	uint32_t broken;
	uint32_t failed;
	uint64_t negotiated;
	struct queue_state queue[SIGMA_QUEUES];
};

/**
 * struct virtio_state - all devices of a guest
 * @request: control message that was received and not answered yet; zeros: none
 * @unsaved: by slot of a disk: a process serves it, or has died with requests or with what the
 *	     guest wrote (see storage.h). The process's init clears it (struct backend_note)
 * @device: by number
 */
struct virtio_state {
	uint8_t request[SIGMA_MSG_MAX];
	uint32_t unsaved[SIGMA_DEVICES];
	struct device_state device[SIGMA_DEVICES];
};

#endif
