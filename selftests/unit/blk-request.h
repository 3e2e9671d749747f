/* SPDX-License-Identifier: GPL-2.0 */
/* A request of a guest to a disk that a process of its own serves. */
#ifndef SIGMA_TEST_BLK_REQUEST_H
#define SIGMA_TEST_BLK_REQUEST_H

#include <linux/virtio_blk.h>
#include <stdint.h>
#include <string.h>

#include "virtio-guest.h"

#define BLK_PATIENCE	60000		/* ms */

/* Read or write a sector. Return: its status, or -1 */
static inline int blk_request(struct guest *guest, struct ring *ring, uint32_t type,
			      uint64_t sector, char data[512])
{
	uint64_t at_head = guest_alloc(guest, 4096), at_data = guest_alloc(guest, 4096);
	struct virtio_blk_outhdr head = { .type = type, .sector = sector };
	const struct buffer buffers[] = {
		{ at_head, sizeof(head), 0 },
		{ at_data, 512, type == VIRTIO_BLK_T_IN ? VRING_DESC_F_WRITE : 0 },
		{ at_head + sizeof(head), 1, VRING_DESC_F_WRITE },
	};
	struct vring_used_elem elem;

	memcpy(at(guest, at_head), &head, sizeof(head));
	memcpy(at(guest, at_data), data, 512);
	vring_used_event(&ring->v) = ring->seen;
	ring_add(ring, buffers, 3);
	ring_kick(ring);
	if (!ring_take(ring, BLK_PATIENCE, &elem))
		return -1;
	memcpy(data, at(guest, at_data), 512);
	return *(uint8_t *)at(guest, at_head + sizeof(head));
}

#endif
