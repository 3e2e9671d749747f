// SPDX-License-Identifier: GPL-2.0
/* Random bytes for a guest: each byte within the used length is new, and no other byte changes. */
#include "capture.h"
#include "tap.h"
#include "virtio-guest.h"

#define W		VRING_DESC_F_WRITE
#define PATIENCE	1000		/* ms */
#define LEN		64

static struct guest *rng_new(struct ring *ring)
{
	struct guest *guest = guest_new();

	if (guest_add_rng(guest) < 0 ||
	    !negotiate(guest, 0, get_features(guest, 0)) || ring_open(ring, guest, 0, 0, 8) ||
	    !driver_ok(guest, 0))
		abort();
	return guest;
}

static unsigned int zeros(const uint8_t *bytes, size_t len)
{
	unsigned int nr = 0;

	while (len--)
		nr += !bytes[len];
	return nr;
}

TEST(random_bytes)
{
	struct ring ring;
	struct guest *guest GUEST = rng_new(&ring);
	uint64_t phys[2] = { guest_alloc(guest, LEN), guest_alloc(guest, LEN) };
	struct vring_used_elem elem;

	for (unsigned int i = 0; i < 2; i++) {
		const struct buffer chain[] = { { phys[i], LEN, W } };

		ring_add(&ring, chain, 1);
	}
	ring_kick(&ring);
	guest_run(guest, 0);
	for (unsigned int i = 0; i < 2; i++) {
		ASSERT_TRUE(ring_take(&ring, PATIENCE, &elem));
		EXPECT_EQ(LEN, elem.len);
		EXPECT_TRUE(zeros(at(guest, phys[i]), LEN) < LEN / 4);
		EXPECT_EQ(0, *(uint8_t *)at(guest, phys[i] + LEN));
	}
	EXPECT_TRUE(memcmp(at(guest, phys[0]), at(guest, phys[1]), LEN));
}

/* A large buffer is filled a little at a time, and the used length says how far */
TEST(large_buffer)
{
	struct ring ring;
	struct guest *guest GUEST = rng_new(&ring);
	uint64_t phys = guest_alloc(guest, 1 << 20);
	const struct buffer chain[] = { { phys, 1 << 20, W } };
	struct vring_used_elem elem;

	ring_add(&ring, chain, 1);
	ring_kick(&ring);
	guest_run(guest, 0);
	ASSERT_TRUE(ring_take(&ring, PATIENCE, &elem));
	EXPECT_TRUE(elem.len > 0 && elem.len <= 4096);
	EXPECT_EQ(0, zeros(at(guest, phys), 1 << 20) < (1 << 20) - elem.len);
}

TEST(buffer_to_read)
{
	struct ring ring;
	struct guest *guest GUEST = rng_new(&ring);
	const struct buffer chain[] = { { guest_alloc(guest, LEN), LEN, 0 } };

	capture_start();
	ring_add(&ring, chain, 1);
	ring_kick(&ring);
	guest_run(guest, 0);
	EXPECT_SAID("a buffer of 0 bytes, 64 to be read", capture_end());
	EXPECT_TRUE(get_status(guest, 0) & VIRTIO_CONFIG_S_NEEDS_RESET);
}

TEST_HARNESS_MAIN
