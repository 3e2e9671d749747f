// SPDX-License-Identifier: GPL-2.0
/* Records in a channel's ring: good ones at every offset, and what a hostile peer may write. */
#include <stdint.h>
#include <stdlib.h>

#include "../../kmod/shared/record.h"
#include "tap.h"

#define RING SIGMA_CHANNEL_RING

static uint8_t *ring;		/* of its exact size, so that ASan finds reads beyond it */
static uint32_t produced, consumed;

static void begin(uint32_t at)
{
	free(ring);
	ring = calloc(1, RING);
	produced = at;
	consumed = at;
}

static int put(uint32_t length, uint8_t byte)
{
	struct sigma_record record;
	int error = sigma_record_place(produced, consumed, length, &record);

	if (error)
		return error;
	memset(ring + record.offset, byte, length);
	sigma_record_head(ring, produced, &record);
	produced = record.next;
	return 0;
}

/* Return: length, 0 without a record, or a negative errno */
static int take(uint8_t byte)
{
	struct sigma_record record;
	int found = sigma_record_find(ring, produced, consumed, &record);

	if (found <= 0)
		return found;
	for (uint32_t i = 0; i < record.length; i++)
		EXPECT_EQ(byte, ring[record.offset + i]);
	consumed = record.next;
	return record.length;
}

static void head(uint32_t at, uint32_t length)
{
	struct sigma_record_header header = { .length = htole32(length) };

	memcpy(ring + at, &header, sizeof(header));
}

TEST(every_place)
{
	static const uint32_t lengths[] = { 1, 7, 8, 9, 100, 4095, SIGMA_CHANNEL_MSG_MAX };

	/* The indices also overflow here */
	for (uint32_t at = -2 * RING; at != 2 * RING; at += 8) {
		for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
			begin(at);
			ASSERT_EQ(0, put(lengths[i], i));
			ASSERT_EQ(0, put(lengths[i], i + 1));
			ASSERT_EQ((int)lengths[i], take(i));
			ASSERT_EQ((int)lengths[i], take(i + 1));
			ASSERT_EQ(0, take(0));
			ASSERT_EQ(produced, consumed);
		}
	}
}

TEST(full)
{
	unsigned int nr = 0;

	begin(0);
	while (!put(8, nr))
		nr++;
	EXPECT_EQ(RING / 16, nr);
	EXPECT_EQ(-ENOSPC, put(8, 0));
	EXPECT_EQ(8, take(0));
	EXPECT_EQ(-ENOSPC, put(9, 0));
	EXPECT_EQ(0, put(8, nr));
	for (unsigned int i = 1; i <= nr; i++)
		EXPECT_EQ(8, take(i));
	EXPECT_EQ(0, take(0));
}

/* An empty ring has room for the longest message at any offset */
TEST(longest_fits)
{
	for (uint32_t at = 0; at < RING; at += 8)
		EXPECT_TRUE(sigma_record_need(at, SIGMA_CHANNEL_MSG_MAX) <= RING);
}

TEST(lengths_that_lie)
{
	static const uint32_t lengths[] = {
		0, SIGMA_CHANNEL_MSG_MAX + 1, RING, 0x7fffffff, 0x80000000, 0xfffffff8,
		0xfffffffe,
	};

	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		begin(64);
		produced += RING;
		head(64, lengths[i]);
		EXPECT_EQ(-EPROTO, take(0));
	}
}

TEST(longer_than_what_was_produced)
{
	begin(64);
	produced += 16;
	head(64, 9);
	EXPECT_EQ(-EPROTO, take(0));
	head(64, 8);
	EXPECT_EQ(8, take(0));
}

TEST(over_the_end)
{
	begin(RING - 16);
	produced += 32;
	head(RING - 16, 9);
	EXPECT_EQ(-EPROTO, take(0));
}

TEST(pads_that_lie)
{
	/* A pad at the start of the ring would fill all of it */
	begin(RING);
	produced += RING;
	head(0, SIGMA_RECORD_PAD);
	EXPECT_EQ(-EPROTO, take(0));
	/* Nothing follows the pad */
	begin(RING - 8);
	produced += 8;
	head(RING - 8, SIGMA_RECORD_PAD);
	EXPECT_EQ(-EPROTO, take(0));
	/* The pad is longer than what was produced */
	begin(RING - 64);
	produced += 32;
	head(RING - 64, SIGMA_RECORD_PAD);
	EXPECT_EQ(-EPROTO, take(0));
	/* Another pad follows */
	begin(RING - 8);
	produced += 16;
	head(RING - 8, SIGMA_RECORD_PAD);
	head(0, SIGMA_RECORD_PAD);
	EXPECT_EQ(-EPROTO, take(0));
}

TEST(indices_that_lie)
{
	static const uint32_t apart[] = { RING + 8, 2 * RING, 0x80000000, 0xfffffff8, 1, 4, 7 };
	struct sigma_record record;

	begin(0);
	for (size_t i = 0; i < sizeof(apart) / sizeof(*apart); i++) {
		EXPECT_EQ(-EPROTO, sigma_record_used(64 + apart[i], 64));
		EXPECT_EQ(-EPROTO, sigma_record_find(ring, 64 + apart[i], 64, &record));
		EXPECT_EQ(-EPROTO, sigma_record_place(64 + apart[i], 64, 1, &record));
	}
	/* Both indices are misaligned, but equal */
	EXPECT_EQ(-EPROTO, sigma_record_find(ring, 4, 4, &record));
}

TEST_HARNESS_MAIN
