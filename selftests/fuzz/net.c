// SPDX-License-Identifier: GPL-2.0
/* A hostile driver of a NIC. A pair of datagram sockets stands in for the tap. */
#include <linux/virtio_net.h>
#include <sys/socket.h>

#include "../../common/guestfile.h"
#include "hostile.h"

#define HEADER		sizeof(struct virtio_net_hdr_v1)
#define FRAME_MAX	70000

FUZZ_TARGET(300);

#define SPLIT		1		/* the first byte of the input, as in blk.c */

struct wire {
	int end, tap;			/* the test's end, and the device's */
};

static uint8_t frame[FRAME_MAX];

/* Actions, each with a number, and memory where it is needed */
#define SUPPLY(nr, addr, len)	ACT_DEVICE, D_SUPPLY, nr, addr, len
#define SEND(parts, addr, len)	ACT_DEVICE, D_SEND, parts, addr, len
#define WIRE(nr, len)		ACT_DEVICE, D_WIRE, nr, ADDR(ZERO, 0), len
#define READ			ACT_DEVICE, D_READ, 0, ADDR(ZERO, 0), LEN(BYTES, 0)

enum { D_SUPPLY, D_SEND, D_WIRE, D_READ, NR_DONE };

static void drain(int fd)
{
	while (recv(fd, frame, sizeof(frame), MSG_DONTWAIT | MSG_TRUNC) >= 0)
		;
}

static void act_wire(struct driver *driver)
{
	const struct wire *wire = driver->data;
	struct input *in = &driver->in;
	unsigned int what = take8(in) % NR_DONE, nr = take8(in);
	uint64_t addr = take_addr(in);
	uint32_t len = take_len(in);
	struct buffer buf[16];

	switch (what) {
	case D_SUPPLY:
		for (unsigned int i = 0; i <= nr % 32; i++) {
			buf[0] = (struct buffer) { addr, len, W };
			add_chain(driver, 0, buf, 1, nr & 0x80);
		}
		break;
	case D_SEND:
		nr = nr % 16 + 1;
		for (unsigned int i = 0; i < nr; i++)
			buf[i] = (struct buffer) { addr + i * (len / nr), len / nr, 0 };
		add_chain(driver, 1, buf, nr, nr & 1);
		break;
	case D_WIRE:
		/* Never an empty frame: that is how a tap reports that it is gone */
		len = len % sizeof(frame) ?: 1;
		for (unsigned int i = 0; i <= nr % 16; i++)
			send(wire->end, frame, len, MSG_DONTWAIT);
		break;
	case D_READ:
		drain(wire->end);
		break;
	}
}

/* The good driver sends and receives a frame */
static void check_nic(struct guest *guest, const struct wire *wire)
{
	struct vring_used_elem elem;
	uint8_t received[128];
	struct ring rx, tx;
	struct buffer buf;
	uint64_t memory;

	drain(wire->end);
	drain(wire->tap);
	FUZZ_CHECK(negotiate(guest, 0, get_features(guest, 0)));
	FUZZ_CHECK(!ring_open(&rx, guest, 0, 0, 8) && !ring_open(&tx, guest, 0, 1, 8));
	FUZZ_CHECK(driver_ok(guest, 0));
	memory = guest_alloc(guest, 4096);

	buf = (struct buffer) { memory, 2048, W };
	ring_add(&rx, &buf, 1);
	ring_kick(&rx);
	memset(frame, 0x5a, 100);
	memset(frame, 0, HEADER);
	FUZZ_CHECK(send(wire->end, frame, 100, 0) == 100);
	guest_run(guest, 0);
	FUZZ_CHECK(ring_take(&rx, 0, &elem) && elem.len == 100);
	FUZZ_CHECK(!memcmp((uint8_t *)at(guest, memory) + HEADER, frame + HEADER, 100 - HEADER));

	buf = (struct buffer) { memory, 100, 0 };
	ring_add(&tx, &buf, 1);
	ring_kick(&tx);
	guest_run(guest, 0);
	FUZZ_CHECK(ring_take(&tx, 0, &elem));
	FUZZ_CHECK(recv(wire->end, received, sizeof(received), MSG_DONTWAIT) == 100);
	FUZZ_CHECK(!memcmp(received + HEADER, frame + HEADER, 100 - HEADER));
	FUZZ_CHECK(!needs_reset(guest, 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct guest_net config = { .vhost = VHOST_NO };
	int pair[2], buffer = 1 << 20;
	struct wire wire;
	struct driver driver = {
		.in = { data, size }, .nr_devices = 1, .nr_queues = 2, .act = act_wire,
		.data = &wire,
	};

	fuzz_begin();
	driver.guest = guest_new_with_gap(take8(&driver.in) & SPLIT ? GUARD : 0);
	FUZZ_CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair));
	for (unsigned int i = 0; i < 2; i++)
		setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
	wire = (struct wire) { .end = pair[0], .tap = dup(pair[1]) };
	FUZZ_CHECK(!guest_add_tap(driver.guest, pair[1], &config));

	be_hostile(&driver);
	check_nic(driver.guest, &wire);

	guest_free(&driver.guest);
	close(wire.tap);
	close(wire.end);
	fuzz_end();
	return 0;
}

#define UP_0		UP(0, 0, 6, 0), RUN
#define WITHOUT_MERGING	WITHOUT(VIRTIO_NET_F_MRG_RXBUF)

CASE(frame_of_a_loop, 0, UP_0, DESCRIPTOR(ADDR(DESC_1, 0), ADDR(WORK, 0), LEN(BYTES, 64), NEXT, 1),
	DESCRIPTOR(ADDR(DESC_1, 16), ADDR(WORK, 0), LEN(BYTES, 64), NEXT, 0), OFFER(1, 0, 0),
	KICK(1), RUN)
CASE(frame_shorter_than_its_header, 0, UP_0, SEND(0, ADDR(WORK, 0), LEN(BYTES, 11)), KICK(1), RUN)
CASE(frame_of_its_header_alone, 0, UP_0, SEND(0, ADDR(WORK, 0), LEN(BYTES, 12)), KICK(1), RUN)
CASE(frame_that_can_be_written, 0, UP_0,
	DESCRIPTOR(ADDR(DESC_1, 0), ADDR(WORK, 0), LEN(BYTES, 64), W, 0), OFFER(1, 0, 0), KICK(1),
	RUN)
CASE(frame_longer_than_any, 0, UP_0, SEND(15, ADDR(BEGIN_1, 0), LEN(SEGMENT, 0)), KICK(1), RUN)
CASE(frame_over_the_end, SPLIT, UP_0, SEND(0, ADDR(END_0, -50), LEN(BYTES, 100)), KICK(1), RUN)
CASE(frame_of_memory_that_is_not_there, 0, UP_0, SEND(0, ADDR(GAP, 0), LEN(BYTES, 100)), KICK(1),
	RUN)
CASE(frame_whose_length_wraps, 0, UP_0, SEND(0, ADDR(WORK, 0), LEN(TOP, -1)), KICK(1), RUN)
CASE(more_frames_than_entries, 0, UP(0, 0, 1, 0), SEND(0, ADDR(WORK, 0), LEN(BYTES, 60)), KICK(1),
	RUN, INDEX(1, 3, 0), KICK(1), RUN, INDEX(1, 5, 0), KICK(1), RUN)
CASE(transmit_index_jumps, 0, UP_0, INDEX(1, 0x7fff, 0), KICK(1), RUN)
CASE(receive_index_jumps, 0, UP_0, SUPPLY(3, ADDR(WORK, 0), LEN(BYTES, 2048)), KICK(0), RUN,
	INDEX(0, 0x8000, 0), WIRE(3, LEN(BYTES, 1000)), RUN, RUN)
CASE(receive_buffer_too_short, 0, UP_0, SUPPLY(0, ADDR(WORK, 0), LEN(BYTES, 11)), KICK(0),
	WIRE(0, LEN(BYTES, 100)), RUN)
CASE(receive_buffer_that_cannot_be_written, 0, UP_0,
	DESCRIPTOR(ADDR(DESC, 0), ADDR(WORK, 0), LEN(BYTES, 2048), 0, 0), OFFER(0, 0, 0), KICK(0),
	WIRE(0, LEN(BYTES, 100)), RUN)
CASE(receive_buffer_over_the_end, SPLIT, UP_0, SUPPLY(0, ADDR(END_0, -100), LEN(BYTES, 2048)),
	KICK(0), WIRE(0, LEN(BYTES, 1000)), RUN)
CASE(frame_over_many_buffers, 0, UP(0, 0, 8, 0), SUPPLY(31, ADDR(WORK, 0), LEN(BYTES, 12)),
	SUPPLY(31, ADDR(WORK, 0), LEN(BYTES, 13)), KICK(0), RUN, WIRE(2, LEN(BYTES, 700)), RUN, RUN)
CASE(frame_that_never_fits, 0, UP(0, 0, 1, 0), SUPPLY(1, ADDR(WORK, 0), LEN(BYTES, 12)), KICK(0),
	RUN, WIRE(2, LEN(BYTES, 60000)), RUN, RUN, SUPPLY(1, ADDR(WORK, 0), LEN(BYTES, 12)),
	KICK(0), RUN)
CASE(frame_that_never_fits_unmerged, 0, UP(0, WITHOUT_MERGING, 6, 0),
	SUPPLY(3, ADDR(WORK, 0), LEN(BYTES, 64)), KICK(0), RUN, WIRE(5, LEN(BYTES, 60000)), RUN,
	RUN, WIRE(0, LEN(BYTES, 60)), RUN)
CASE(more_buffers_than_entries, 0, UP(0, 0, 0, 0), SUPPLY(0, ADDR(WORK, 0), LEN(BYTES, 12)),
	KICK(0), RUN, INDEX(0, 2, 0), KICK(0), RUN, INDEX(0, 3, 0), KICK(0), RUN,
	WIRE(0, LEN(BYTES, 1000)), RUN, RUN, INDEX(0, 4, 0), KICK(0), RUN)
CASE(buffers_over_the_rings, 0, UP_0, SUPPLY(7, ADDR(DESC, 0), LEN(BYTES, 16384)), KICK(0),
	WIRE(7, LEN(BYTES, 9000)), RUN, RUN, KICK(0), RUN)
CASE(reset_with_a_frame_spilled, 0, UP(0, 0, 1, 0), SUPPLY(0, ADDR(WORK, 0), LEN(BYTES, 100)),
	KICK(0), RUN, WIRE(2, LEN(BYTES, 5000)), RUN, STATUS(0, 0), UP_0,
	SUPPLY(9, ADDR(WORK, 0), LEN(BYTES, 100)), KICK(0), RUN)
CASE(started_without_receive_queue, 0, UP(0, 0, 6, LEFT_OUT(0) | MUST_IDLE),
	WIRE(0, LEN(BYTES, 60)), SEND(0, ADDR(WORK, 0), LEN(BYTES, 60)), KICK(1), RUN)
CASE(started_without_transmit_queue, 0, UP(0, 0, 6, LEFT_OUT(1) | MUST_IDLE),
	WIRE(0, LEN(BYTES, 60)), SUPPLY(0, ADDR(WORK, 0), LEN(BYTES, 60)), KICK(0), RUN)
CASE(config_write, 0, UP_0, MESSAGE(0, SIGMA_MSG_SET_CONFIG, 0, 24), B16(6), B16(0), B16(2))
