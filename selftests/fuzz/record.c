// SPDX-License-Identifier: GPL-2.0
/*
 * Read a channel's ring that a hostile program writes, as the kernels and libiosc do. The peer
 * changes indices and bytes between reads, and messages are copied out.
 */
#include <errno.h>

#include "../../kmod/shared/record.h"
#include "fuzz.h"

FUZZ_TARGET(2000);

enum action { ACT_HEAD, ACT_PUT, ACT_TAKE, ACT_PRODUCED, ACT_CONSUMED, ACT_BYTES, NR_ACTIONS };

/* Write a header with this length at the next record; the length is sign-extended */
#define HEAD(length)	ACT_HEAD, B16(length)
#define PUT(length)	ACT_PUT, B16(length)
#define TAKE		ACT_TAKE
#define PRODUCED(add)	ACT_PRODUCED, B16(add)
#define CONSUMED(add)	ACT_CONSUMED, B16(add)
#define BYTES(at, len)	ACT_BYTES, B16(at), len

struct ring {
	uint8_t *data;		/* allocated with its exact size */
	uint32_t produced, consumed;
};

static void act_head(struct ring *ring, struct input *in)
{
	uint32_t at = ring->produced & (SIGMA_CHANNEL_RING - 1) & ~(SIGMA_RECORD_ALIGN - 1);
	uint32_t length = (int16_t)take16(in);	/* 0xffff becomes SIGMA_RECORD_PAD */

	length = htole32(length);
	memcpy(ring->data + at, &length, sizeof(length));
}

static void act_put(struct ring *ring, struct input *in)
{
	uint32_t length = take16(in) % SIGMA_CHANNEL_MSG_MAX + 1;
	struct sigma_record record;
	int error = sigma_record_place(ring->produced, ring->consumed, length, &record);

	FUZZ_CHECK(!error || error == -ENOSPC || error == -EPROTO);
	if (error)
		return;
	FUZZ_CHECK(record.length == length);
	memset(ring->data + record.offset, 0xff, length);
	sigma_record_head(ring->data, ring->produced, &record);
	FUZZ_CHECK(sigma_record_used(record.next, ring->consumed) > 0);
	ring->produced = record.next;
}

static void act_take(struct ring *ring)
{
	static uint8_t message[SIGMA_CHANNEL_MSG_MAX];
	struct sigma_record record;
	int found = sigma_record_find(ring->data, ring->produced, ring->consumed, &record);

	FUZZ_CHECK(found == 0 || found == 1 || found == -EPROTO);
	if (found <= 0)
		return;
	FUZZ_CHECK(record.length && record.length <= sizeof(message));
	memcpy(message, ring->data + record.offset, record.length);
	FUZZ_CHECK(sigma_record_used(ring->produced, record.next) >= 0);
	FUZZ_CHECK(record.next != ring->consumed);
	ring->consumed = record.next;
}

static void act_bytes(struct ring *ring, struct input *in)
{
	size_t at = take16(in) % SIGMA_CHANNEL_RING, len = take8(in);

	if (len > SIGMA_CHANNEL_RING - at)
		len = SIGMA_CHANNEL_RING - at;
	take(in, ring->data + at, len);
}

static void act(struct ring *ring, struct input *in)
{
	switch (take8(in) % NR_ACTIONS) {
	case ACT_HEAD:
		act_head(ring, in);
		break;
	case ACT_PUT:
		act_put(ring, in);
		break;
	case ACT_TAKE:
		act_take(ring);
		break;
	case ACT_PRODUCED:
		ring->produced += (int16_t)take16(in);
		break;
	case ACT_CONSUMED:
		ring->consumed += (int16_t)take16(in);
		break;
	case ACT_BYTES:
		act_bytes(ring, in);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct ring ring = { .data = calloc(1, SIGMA_CHANNEL_RING) };

	FUZZ_CHECK(ring.data);
	ring.produced = ring.consumed = (uint32_t)take16(&in) << 16;
	while (in.left)
		act(&ring, &in);
	free(ring.data);
	return 0;
}

CASE(good, B16(0xffff), PUT(1), PUT(8191), PUT(8191), PUT(8191), TAKE, TAKE, TAKE, TAKE, PUT(8191),
	PUT(8191), TAKE, TAKE)
CASE(pad_alone, B16(0), PUT(8191), PUT(8191), PUT(8191), TAKE, TAKE, TAKE, HEAD(0xffff),
	PRODUCED(8168), TAKE, PRODUCED(8), TAKE)
CASE(pad_of_all, B16(0), HEAD(0xffff), PRODUCED(32760), PRODUCED(8), TAKE)
CASE(too_far, B16(0), HEAD(8), PRODUCED(32767), PRODUCED(32767), TAKE, PUT(1), CONSUMED(32767),
	TAKE)
CASE(odd, B16(0), PUT(10), PRODUCED(3), TAKE, CONSUMED(3), TAKE, PUT(1))
CASE(backwards, B16(1), PUT(10), CONSUMED(64), TAKE, PUT(10), PRODUCED(-64), TAKE)
CASE(lengths, B16(0), HEAD(0), PRODUCED(64), TAKE, HEAD(8193), TAKE, BYTES(0, 8), 0xfe, 0xff, 0xff,
	0xff, 0, 0, 0, 0, TAKE, BYTES(0, 8), 57, 0, 0, 0, 0, 0, 0, 0, TAKE)
