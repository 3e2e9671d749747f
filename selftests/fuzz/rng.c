// SPDX-License-Identifier: GPL-2.0
/* A hostile driver of an entropy device. */
#include "hostile.h"

FUZZ_TARGET(300);

#define SPLIT		1		/* the first byte of the input, as in blk.c */

/* Offer buffers to fill */
#define SUPPLY(nr, addr, len)	ACT_DEVICE, nr, addr, len

static void act_supply(struct driver *driver)
{
	struct input *in = &driver->in;
	unsigned int nr = take8(in);
	struct buffer buf = { take_addr(in), take_len(in), W };

	for (unsigned int i = 0; i <= nr % 16; i++)
		add_chain(driver, 0, &buf, 1, nr & 0x80);
}

static void check_rng(struct guest *guest)
{
	struct vring_used_elem elem;
	struct buffer buf;
	struct ring ring;

	FUZZ_CHECK(negotiate(guest, 0, get_features(guest, 0)));
	FUZZ_CHECK(!ring_open(&ring, guest, 0, 0, 8) && driver_ok(guest, 0));
	buf = (struct buffer) { guest_alloc(guest, 64), 64, W };
	ring_add(&ring, &buf, 1);
	ring_kick(&ring);
	guest_run(guest, 0);
	FUZZ_CHECK(ring_take(&ring, 0, &elem) && elem.len == 64 && !needs_reset(guest, 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct driver driver = {
		.in = { data, size }, .nr_devices = 1, .nr_queues = 1, .act = act_supply,
	};

	fuzz_begin();
	driver.guest = guest_new_with_gap(take8(&driver.in) & SPLIT ? GUARD : 0);
	FUZZ_CHECK(!guest_add_rng(driver.guest));
	be_hostile(&driver);
	check_rng(driver.guest);
	guest_free(&driver.guest);
	fuzz_end();
	return 0;
}

#define UP_0		UP(0, 0, 3, 0), RUN

CASE(buffer_that_cannot_be_written, 0, UP_0,
	DESCRIPTOR(ADDR(DESC, 0), ADDR(WORK, 0), LEN(BYTES, 64), 0, 0), OFFER(0, 0, 0), KICK(0),
	RUN)
CASE(buffer_over_the_end, SPLIT, UP_0, SUPPLY(0, ADDR(END_0, -100), LEN(BYTES, 200)), KICK(0), RUN)
CASE(buffer_up_to_the_end, SPLIT, UP_0, SUPPLY(0, ADDR(END_0, -100), LEN(BYTES, 100)), KICK(0), RUN)
CASE(buffer_of_all_memory, 0, UP_0, SUPPLY(7, ADDR(BEGIN_1, 0), LEN(SEGMENT, 0)), KICK(0), RUN)
CASE(buffer_over_the_rings, 0, UP_0, SUPPLY(7, ADDR(AVAIL, 0), LEN(BYTES, 256)), KICK(0), RUN, RUN,
	KICK(0), RUN)
CASE(index_jumps, 0, UP_0, INDEX(0, 9, 0), KICK(0), RUN)
CASE(more_buffers_than_entries, 0, UP_0, SUPPLY(15, ADDR(WORK, 0), LEN(BYTES, 1)), KICK(0), RUN)
CASE(config_read, 0, MESSAGE(0, SIGMA_MSG_GET_CONFIG, 0, 16), B16(0), B16(0), B16(1))
CASE(idle_without_its_queue, 0, UP(0, 0, 3, LEFT_OUT(0) | MUST_IDLE))
