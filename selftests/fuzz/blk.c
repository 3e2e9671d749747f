// SPDX-License-Identifier: GPL-2.0
/* A hostile driver of a disk, with io_uring and without. */
#include <dlfcn.h>
#include <liburing.h>
#include <linux/virtio_blk.h>

#include "../../common/guestfile.h"
#include "hostile.h"

#define DISK_SECTORS	2048
#define DATA		4096		/* offset of the good driver's data */
#define PATIENCE	10000		/* ms */

FUZZ_TARGET(300);

/* The first byte of the input has flags */
#define SPLIT		1		/* a gap between the segments: no registered buffers */
#define READ_ONLY	2
#define BLOCKING	4
#define DIRECT		8

static bool blocking;

int io_uring_queue_init_params(unsigned int entries, struct io_uring *ring,
			       struct io_uring_params *params)
{
	static typeof(io_uring_queue_init_params) *init;

	if (!init)
		init = (typeof(init))dlsym(RTLD_NEXT, __func__);
	return blocking || !init ? -EPERM : init(entries, ring, params);
}

/* A well-formed request with any values: how, type, sector, number, data, length */
#define REQUEST(how, type, sector, number, data, len) \
	ACT_DEVICE, how, type, sector, B16(number), data, len

#define HOW_INDIRECT	1
#define HOW_CUT_HEADER	2
#define HOW_CUT_DATA	4
#define HOW_REVERSED	8		/* the data buffer has the wrong direction */
#define HOW_NO_STATUS	16
#define HOW_NO_HEADER	32
#define HOW_RANGE	64		/* the data is a range for discard or write-zeroes */

enum { T_IN, T_OUT, T_FLUSH, T_GET_ID, T_DISCARD, T_ZEROES, T_ERASE, T_UNKNOWN, NR_TYPES };

enum { S_FIRST, S_LAST, S_WRAPS, S_HIGH, NR_SECTORS };

static void act_request(struct driver *driver)
{
	static const uint32_t types[NR_TYPES] = {
		VIRTIO_BLK_T_IN, VIRTIO_BLK_T_OUT, VIRTIO_BLK_T_FLUSH, VIRTIO_BLK_T_GET_ID,
		VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_T_WRITE_ZEROES, VIRTIO_BLK_T_SECURE_ERASE, ~0U,
	};
	static const uint64_t sectors[NR_SECTORS] = {
		[S_LAST] = DISK_SECTORS, [S_WRAPS] = ~0ULL / 512 + 1, [S_HIGH] = 1ULL << 63,
	};
	uint64_t header = next_slot(driver, HEADERS, 64), status = header + 63;
	struct input *in = &driver->in;
	unsigned int how = take8(in), type = take8(in) % NR_TYPES, nr = 0;
	uint64_t sector = sectors[take8(in) % NR_SECTORS] + (int16_t)take16(in);
	struct virtio_blk_outhdr head = { .type = types[type], .sector = sector };
	uint64_t data = take_addr(in);
	uint32_t len = take_len(in);
	bool written = (type == T_IN || type == T_GET_ID) != !!(how & HOW_REVERSED);
	uint16_t flags = written ? W : 0;
	struct buffer buf[6];

	poke(driver, header, &head, sizeof(head));
	if (how & HOW_CUT_HEADER) {
		buf[nr++] = (struct buffer) { header, 3, 0 };
		buf[nr++] = (struct buffer) { header + 3, sizeof(head) - 3, 0 };
	} else if (!(how & HOW_NO_HEADER)) {
		buf[nr++] = (struct buffer) { header, sizeof(head), 0 };
	}
	if (how & HOW_RANGE) {
		struct virtio_blk_discard_write_zeroes range = {
			.sector = sector, .num_sectors = len, .flags = how >> 7,
		};

		poke(driver, header + 16, &range, sizeof(range));
		buf[nr++] = (struct buffer) { header + 16, sizeof(range), flags };
	} else if (how & HOW_CUT_DATA) {
		buf[nr++] = (struct buffer) { data, len / 2, flags };
		buf[nr++] = (struct buffer) { data + len / 2, len - len / 2, flags };
	} else if (len) {
		buf[nr++] = (struct buffer) { data, len, flags };
	}
	if (!(how & HOW_NO_STATUS))
		buf[nr++] = (struct buffer) { status, 1, W };
	if (nr)
		add_chain(driver, 0, buf, nr, how & HOW_INDIRECT);
}

static void request(struct ring *ring, uint32_t type, uint64_t header, uint64_t data,
		    uint16_t flags)
{
	const struct buffer chain[] = {
		{ header, sizeof(struct virtio_blk_outhdr), 0 }, { data, DATA, flags },
		{ header + 32, 1, W },
	};
	struct virtio_blk_outhdr *head = at(ring->guest, header);
	uint8_t *status = at(ring->guest, header + 32);
	struct vring_used_elem elem;

	*head = (struct virtio_blk_outhdr) { .type = type, .sector = 8 };
	*status = 0xff;
	vring_used_event(&ring->v) = ring->seen;
	ring_add(ring, chain, 3);
	ring_kick(ring);
	FUZZ_CHECK(ring_take(ring, PATIENCE, &elem));
	FUZZ_CHECK(*status == VIRTIO_BLK_S_OK);
}

/* The good driver reads back what it wrote, or zeroes where the disk is read-only */
static void check_disk(struct guest *guest, bool read_only)
{
	uint64_t header, out, in;
	struct ring ring;

	FUZZ_CHECK(negotiate(guest, 0, get_features(guest, 0)));
	FUZZ_CHECK(!ring_open(&ring, guest, 0, 0, 8) && driver_ok(guest, 0));
	header = guest_alloc(guest, 64);
	out = guest_alloc(guest, DATA);
	in = guest_alloc(guest, DATA);
	if (!read_only) {
		memset(at(guest, out), 0x5a, DATA);
		request(&ring, VIRTIO_BLK_T_OUT, header, out, 0);
	}
	request(&ring, VIRTIO_BLK_T_IN, header, in, W);
	FUZZ_CHECK(!memcmp(at(guest, in), at(guest, out), DATA));
	FUZZ_CHECK(!needs_reset(guest, 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct driver driver = {
		.in = { data, size }, .nr_devices = 1, .nr_queues = 1, .act = act_request,
	};
	unsigned int setup = take8(&driver.in);
	struct guest_disk disk = {
		.read_only = setup & READ_ONLY, .direct = setup & DIRECT,
	};
	char path[32];
	int fd;

	fuzz_begin();
	blocking = setup & BLOCKING;
	fd = memfd_create("disk", MFD_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	disk.path = path;
	FUZZ_CHECK(fd >= 0 && !ftruncate(fd, DISK_SECTORS * 512));
	driver.guest = guest_new_with_gap(setup & SPLIT ? GUARD : 0);
	FUZZ_CHECK(!guest_add_disk(driver.guest, &disk));

	be_hostile(&driver);
	check_disk(driver.guest, disk.read_only);

	guest_free(&driver.guest);
	close(fd);
	fuzz_end();
	return 0;
}

#define UP_0		UP(0, 0, 6, 0)
#define DESC_0(n)	ADDR(DESC, 16 * (n))

CASE(chain_is_a_loop, 0, UP_0, DESCRIPTOR(DESC_0(0), ADDR(WORK, 0), LEN(BYTES, 16), NEXT, 1),
	DESCRIPTOR(DESC_0(1), ADDR(WORK, 0), LEN(BYTES, 16), NEXT, 0), OFFER(0, 0, 0), KICK(0),
	PAUSE)
CASE(descriptor_is_its_own_next, 0, UP_0,
	DESCRIPTOR(DESC_0(0), ADDR(WORK, 0), LEN(BYTES, 16), NEXT, 0), OFFER(0, 0, 0), KICK(0))
CASE(head_out_of_range, 0, UP_0, OFFER(0, 64, 0), KICK(0), PAUSE)
CASE(next_out_of_range, 0, UP_0, DESCRIPTOR(DESC_0(0), ADDR(WORK, 0), LEN(BYTES, 16), NEXT, 0xffff),
	OFFER(0, 0, 0), KICK(0))
CASE(available_index_jumps, 0, UP_0, INDEX(0, 0x8000, 0), KICK(0), PAUSE)
CASE(available_index_goes_back, 0, UP_0,
	REQUEST(0, T_IN, S_FIRST, 0, ADDR(WORK, 0), LEN(SECTORS, 1)), KICK(0), PAUSE,
	INDEX(0, 0xffff, 0), KICK(0), PAUSE)
CASE(used_index_is_written, 0, UP_0, INDEX(0, 0, 0x1234),
	REQUEST(0, T_IN, S_FIRST, 0, ADDR(WORK, 0), LEN(SECTORS, 1)), KICK(0), PAUSE)
CASE(length_wraps_around, 0, UP_0, REQUEST(0, T_IN, S_FIRST, 0, ADDR(END_1, -512), LEN(TOP, -1)),
	KICK(0))
CASE(address_wraps_around, 0, UP_0,
	REQUEST(0, T_OUT, S_FIRST, 0, ADDR(ZERO, -256), LEN(SECTORS, 1)), KICK(0), PAUSE)
CASE(address_outside, 0, UP_0, REQUEST(0, T_OUT, S_FIRST, 0, ADDR(GAP, 0), LEN(SECTORS, 1)),
	KICK(0))
CASE(buffer_over_the_end_of_a_segment, 0, UP_0,
	REQUEST(0, T_IN, S_FIRST, 0, ADDR(END_0, -256), LEN(SECTORS, 1)), KICK(0), PAUSE)
CASE(buffer_over_the_end_before_a_hole, SPLIT, UP_0,
	REQUEST(0, T_IN, S_FIRST, 0, ADDR(END_0, -256), LEN(SECTORS, 1)), KICK(0), PAUSE)
CASE(buffer_before_the_memory, 0, UP_0,
	REQUEST(0, T_IN, S_FIRST, 0, ADDR(BEGIN_0, -1), LEN(SECTORS, 1)), KICK(0), PAUSE)
CASE(empty_buffer, 0, UP_0, DESCRIPTOR(DESC_0(0), ADDR(WORK, 0), LEN(BYTES, 0), 0, 0),
	OFFER(0, 0, 0), KICK(0), PAUSE)
CASE(readable_after_writable, 0, UP_0,
	DESCRIPTOR(DESC_0(0), ADDR(WORK, 0), LEN(BYTES, 16), W | NEXT, 1),
	DESCRIPTOR(DESC_0(1), ADDR(WORK, 0), LEN(BYTES, 16), 0, 0), OFFER(0, 0, 0), KICK(0))
CASE(indirect_within_indirect, 0, UP_0,
	DESCRIPTOR(DESC_0(0), ADDR(WORK, 0), LEN(BYTES, 32), INDIRECT, 0),
	DESCRIPTOR(ADDR(WORK, 0), ADDR(WORK, 0), LEN(BYTES, 32), INDIRECT, 0), OFFER(0, 0, 0),
	KICK(0))
CASE(indirect_loop, 0, UP_0, DESCRIPTOR(DESC_0(0), ADDR(WORK, 0), LEN(BYTES, 32), INDIRECT, 0),
	DESCRIPTOR(ADDR(WORK, 0), ADDR(WORK, 64), LEN(BYTES, 16), NEXT, 1),
	DESCRIPTOR(ADDR(WORK, 16), ADDR(WORK, 64), LEN(BYTES, 16), NEXT, 0), OFFER(0, 0, 0),
	KICK(0))
CASE(indirect_with_next, 0, UP_0,
	DESCRIPTOR(DESC_0(0), ADDR(WORK, 0), LEN(BYTES, 32), INDIRECT | NEXT, 1), OFFER(0, 0, 0),
	KICK(0))
CASE(indirect_of_odd_size, 0, UP_0,
	DESCRIPTOR(DESC_0(0), ADDR(WORK, 0), LEN(BYTES, 33), INDIRECT, 0), OFFER(0, 0, 0), KICK(0))
CASE(indirect_misaligned, 0, UP_0,
	DESCRIPTOR(DESC_0(0), ADDR(WORK, 1), LEN(BYTES, 32), INDIRECT, 0), OFFER(0, 0, 0), KICK(0))
CASE(indirect_not_negotiated, 0, UP(0, WITHOUT_INDIRECT, 6, 0),
	REQUEST(HOW_INDIRECT, T_IN, S_FIRST, 0, ADDR(WORK, 0), LEN(SECTORS, 1)), KICK(0), PAUSE)
CASE(no_header, 0, UP_0,
	REQUEST(HOW_NO_HEADER | HOW_REVERSED, T_FLUSH, S_FIRST, 0, ADDR(WORK, 0), LEN(BYTES, 1)),
	KICK(0))
CASE(no_status, BLOCKING, UP_0,
	REQUEST(HOW_NO_STATUS, T_OUT, S_FIRST, 0, ADDR(WORK, 0), LEN(SECTORS, 1)), KICK(0), PAUSE)
CASE(sector_wraps_to_offset_0, 0, UP_0,
	REQUEST(0, T_OUT, S_WRAPS, 0, ADDR(WORK, 0), LEN(SECTORS, 1)), KICK(0), PAUSE)
CASE(write_to_read_only, READ_ONLY, UP_0,
	REQUEST(0, T_OUT, S_FIRST, 0, ADDR(WORK, 0), LEN(SECTORS, 1)), KICK(0), PAUSE,
	REQUEST(HOW_RANGE, T_ZEROES, S_FIRST, 0, ADDR(WORK, 0), LEN(BYTES, 8)), KICK(0), PAUSE)
CASE(data_over_the_rings, 0, UP_0, REQUEST(0, T_IN, S_FIRST, 0, ADDR(DESC, 0), LEN(SECTORS, 64)),
	KICK(0), PAUSE, KICK(0), PAUSE)
CASE(more_under_way_than_entries, 0, UP(0, 0, 0, 0),
	REQUEST(HOW_INDIRECT, T_IN, S_FIRST, 0, ADDR(WORK, 0), LEN(SECTORS, 1)), KICK(0), PAUSE,
	INDEX(0, 2, 0), KICK(0), PAUSE, INDEX(0, 3, 0), KICK(0), PAUSE)
CASE(reset_in_mid_request, 0, UP_0, REQUEST(0, T_IN, S_FIRST, 0, ADDR(WORK, 0), LEN(SECTORS, 1024)),
	REQUEST(0, T_OUT, S_FIRST, 0, ADDR(BEGIN_1, 0), LEN(SECTORS, 1024)),
	REQUEST(0, T_FLUSH, S_FIRST, 0, ADDR(WORK, 0), LEN(BYTES, 0)), KICK(0), STATUS(0, 0), UP_0,
	KICK(0))
CASE(queue_reset_while_it_runs, 0, UP_0,
	REQUEST(0, T_IN, S_FIRST, 0, ADDR(WORK, 0), LEN(SECTORS, 64)), KICK(0), RESET_QUEUE(0, 0),
	PAUSE)
CASE(rings_outside, 0, UP(0, 0, 6, LEFT_OUT(0) | NOT_STARTED),
	QUEUE(0, 0, 256, ADDR(END_0, -16), ADDR(END_0, -2), ADDR(GAP, 0)), STATUS(0, 15), KICK(0))
CASE(rings_misaligned, 0, UP(0, 0, 6, LEFT_OUT(0) | NOT_STARTED),
	QUEUE(0, 0, 8, ADDR(WORK, 8), ADDR(WORK, 1), ADDR(WORK, 2)), STATUS(0, 15))
CASE(rings_in_one_place, 0, UP(0, 0, 6, LEFT_OUT(0) | NOT_STARTED),
	QUEUE(0, 0, 8, ADDR(WORK, 0), ADDR(WORK, 0), ADDR(WORK, 0)), STATUS(0, 15), OFFER(0, 0, 0),
	KICK(0), PAUSE, OFFER(0, 1, 0), KICK(0), PAUSE)
CASE(rings_at_the_very_end, SPLIT, UP(0, 0, 6, LEFT_OUT(0) | NOT_STARTED),
	QUEUE(0, 0, 16, ADDR(END_0, -256), ADDR(END_1, -38), ADDR(WORK, 0)), STATUS(0, 15),
	REQUEST(0, T_IN, S_FIRST, 0, ADDR(WORK, 4096), LEN(SECTORS, 1)), KICK(0), PAUSE,
	EVENT(0, 1, 0))
CASE(size_no_power_of_two, 0, UP(0, 0, 6, LEFT_OUT(0) | NOT_STARTED),
	QUEUE(0, 0, 12, ADDR(DESC, 0), ADDR(AVAIL, 0), ADDR(USED, 0)), STATUS(0, 15))
CASE(started_without_its_queue, 0, UP(0, 0, 6, LEFT_OUT(0) | MUST_IDLE))
CASE(started_without_its_queue_blocking, BLOCKING, UP(0, 0, 6, LEFT_OUT(0) | MUST_IDLE))
CASE(idle_with_its_queue, 0, UP(0, 0, 6, MUST_IDLE))
CASE(config_write, 0, UP_0, MESSAGE(0, SIGMA_MSG_SET_CONFIG, 0, 24), B16(0), B16(0), B16(8))
CASE(config_read_out_of_range, 0, UP_0, MESSAGE(0, SIGMA_MSG_GET_CONFIG, 0, 16), B16(0xfffc),
	B16(0xffff), B16(8))
