/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One end of a control ring (uapi/iosc.h), for both kernels.
 *
 * An end keeps its own index in private memory and never reads it back from shared memory. So the
 * peer can only forge its own index. That one is read once per call and checked: if the two are
 * more than SIGMA_RING_SLOTS apart, the peer has broken the ring, which is reported as -EPROTO and
 * does no harm here.
 *
 * The caller serialises puts and gets on one end, but not sigma_ring_room() and sigma_ring_waiting(): a
 * waiter looks, and is woken once more if the index has changed. No lock is shared with the peer.
 */
#ifndef _SIGMA_RING_H
#define _SIGMA_RING_H

#include <linux/errno.h>
#include <linux/string.h>
#include <asm/barrier.h>
#include <asm/byteorder.h>

#include "../uapi/iosc.h"

struct sigma_ring_end {
	struct sigma_iosc_ring *ring;
	u32 index;		/* our own: messages produced, or consumed */
};

static inline struct sigma_iosc_slot *sigma_ring_slot(const struct sigma_ring_end *end)
{
	return &end->ring->slot[end->index & (SIGMA_RING_SLOTS - 1)];
}

/**
 * sigma_ring_room - free slots as the producer sees them
 *
 * Return: 0..SIGMA_RING_SLOTS, -EPROTO when the peer broke the ring.
 */
static inline int sigma_ring_room(const struct sigma_ring_end *tx)
{
	/* Before a slot is overwritten; pairs with sigma_ring_get() */
	u32 used = READ_ONCE(tx->index) - le32_to_cpu(smp_load_acquire(&tx->ring->consumed));

	return used > SIGMA_RING_SLOTS ? -EPROTO : (int)(SIGMA_RING_SLOTS - used);
}

/**
 * sigma_ring_waiting - messages that the consumer can take
 *
 * Return: 0..SIGMA_RING_SLOTS, -EPROTO when the peer broke the ring.
 */
static inline int sigma_ring_waiting(const struct sigma_ring_end *rx)
{
	/* Before a slot is read; pairs with sigma_ring_put() */
	u32 waiting = le32_to_cpu(smp_load_acquire(&rx->ring->produced)) - READ_ONCE(rx->index);

	return waiting > SIGMA_RING_SLOTS ? -EPROTO : (int)waiting;
}

/**
 * sigma_ring_put - append one message
 * @len: 1..SIGMA_MSG_MAX
 *
 * Return: 0, -ENOSPC when full, -EMSGSIZE, -EPROTO. After 0 ring the peer's
 * SIGMA_DOORBELL_CONTROL.
 */
static inline int sigma_ring_put(struct sigma_ring_end *tx, const void *msg, size_t len)
{
	struct sigma_iosc_slot *slot = sigma_ring_slot(tx);
	int room = sigma_ring_room(tx);

	if (!len || len > SIGMA_MSG_MAX)
		return -EMSGSIZE;
	if (room <= 0)
		return room ?: -ENOSPC;

	memcpy(slot->data, msg, len);
	slot->length = cpu_to_le32(len);
	slot->reserved = 0;
	/* After the slot; pairs with sigma_ring_waiting() */
	WRITE_ONCE(tx->index, tx->index + 1);
	smp_store_release(&tx->ring->produced, cpu_to_le32(tx->index));
	return 0;
}

/**
 * sigma_ring_get - copy out and remove the oldest message
 * @msg: SIGMA_MSG_MAX bytes
 *
 * Return: its length, 0 when the ring is empty, -EPROTO when the peer broke the ring.
 */
static inline int sigma_ring_get(struct sigma_ring_end *rx, void *msg)
{
	const struct sigma_iosc_slot *slot = sigma_ring_slot(rx);
	int waiting = sigma_ring_waiting(rx);
	u32 len;

	if (waiting <= 0)
		return waiting;

	len = le32_to_cpu(READ_ONCE(slot->length));
	if (!len || len > SIGMA_MSG_MAX)
		return -EPROTO;
	memcpy(msg, slot->data, len);
	/* After the copy; pairs with sigma_ring_room() */
	WRITE_ONCE(rx->index, rx->index + 1);
	smp_store_release(&rx->ring->consumed, cpu_to_le32(rx->index));
	return len;
}

#endif
