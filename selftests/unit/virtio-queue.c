// SPDX-License-Identifier: GPL-2.0
/* Virtqueues: good descriptors are translated, and bad ones do no harm. */
#include <stdio.h>

#include "tap.h"
#include "virtio-guest.h"

#define F_VERSION_1	(1ULL << VIRTIO_F_VERSION_1)
#define F_INDIRECT	(1ULL << VIRTIO_RING_F_INDIRECT_DESC)
#define F_EVENT_IDX	(1ULL << VIRTIO_RING_F_EVENT_IDX)
#define SIZE		8
#define W		VRING_DESC_F_WRITE

static int dummy_start(struct virtio_device *dev)
{
	return 0;
}

static void dummy_reset(struct virtio_device *dev)
{
}

static void dummy_destroy(struct virtio_device *dev)
{
	free(dev);
}

static const struct virtio_device_ops dummy_ops = {
	.name = "dummy", .device_id = 42,
	.start = dummy_start, .reset = dummy_reset, .destroy = dummy_destroy,
};

static struct vq_request req;

static struct virtio_device *dummy_new(struct guest *guest)
{
	struct virtio_device *dev = calloc(1, sizeof(*dev));

	dev->ops = &dummy_ops;
	dev->nr_queues = 1;
	dev->queue[0].max_size = 256;
	if (guest_add(guest, dev) < 0)
		abort();
	return dev;
}

static void start_sized(struct guest *guest, struct ring *ring, uint64_t features,
			unsigned int size)
{
	if (!negotiate(guest, 0, F_VERSION_1 | features) || ring_open(ring, guest, 0, 0, size) ||
	    !driver_ok(guest, 0))
		abort();
}

static void start(struct guest *guest, struct ring *ring, uint64_t features)
{
	start_sized(guest, ring, features, SIZE);
}

TEST(empty_queue)
{
	struct guest *guest GUEST = guest_new();
	struct virtqueue *vq = &dummy_new(guest)->queue[0];
	struct ring ring;

	EXPECT_EQ(0, virtqueue_pop(vq, &req));	/* not set up yet */
	start(guest, &ring, 0);
	EXPECT_EQ(0, virtqueue_pop(vq, &req));
	virtqueue_notify(vq);
	EXPECT_FALSE(ring_called(&ring));
}

TEST(chain_is_translated)
{
	struct guest *guest GUEST = guest_new();
	struct virtqueue *vq = &dummy_new(guest)->queue[0];
	const struct buffer chain[] = {
		{ SEGMENT_0 + 0x8000, 16, 0 },
		{ SEGMENT_1, 512, W },
		{ SEGMENT_1 + SEGMENT_SIZE - 1, 1, W },		/* the last byte */
	};
	struct vring_used_elem elem;
	struct ring ring;
	uint16_t head;

	start(guest, &ring, 0);
	ring.next = SIZE - 1;		/* the chain wraps around */
	head = ring_add(&ring, chain, 3);
	ASSERT_EQ(1, virtqueue_pop(vq, &req));
	EXPECT_EQ(head, req.head);
	EXPECT_EQ(1, req.out.nr);
	EXPECT_EQ(16, req.out.len);
	EXPECT_TRUE(req.out.iov[0].iov_base == at(guest, SEGMENT_0 + 0x8000));
	EXPECT_EQ(2, req.in.nr);
	EXPECT_EQ(513, req.in.len);
	EXPECT_TRUE(req.in.iov[0].iov_base == at(guest, SEGMENT_1));
	EXPECT_EQ(0, virtqueue_pop(vq, &req));

	virtqueue_push(vq, head, 7);
	EXPECT_EQ(0, ring.v.used->idx);	/* not published yet */
	virtqueue_notify(vq);
	EXPECT_EQ(1, ring.v.used->idx);
	ASSERT_TRUE(ring_take(&ring, 0, &elem));
	EXPECT_EQ(head, elem.id);
	EXPECT_EQ(7, elem.len);
	EXPECT_TRUE(ring_called(&ring));
}

/* The device's counters, which a reset of its queue keeps */
TEST(what_moves_is_counted)
{
	struct guest *guest GUEST = guest_new();
	struct virtqueue *vq = &dummy_new(guest)->queue[0];
	const struct buffer chain[] = {
		{ SEGMENT_0 + 0x8000, 16, 0 }, { SEGMENT_1, 512, W },
	};
	struct virtio_counters moved;
	struct ring ring;

	EXPECT_TRUE(!virtio_bus_counters(guest->bus, 1, &moved));
	for (unsigned int i = 1; i <= 2; i++) {
		start(guest, &ring, 0);
		ring_add(&ring, chain, 2);
		ASSERT_EQ(1, virtqueue_pop(vq, &req));
		virtqueue_push(vq, req.head, 7);
		virtqueue_notify(vq);
		EXPECT_STREQ("dummy", virtio_bus_counters(guest->bus, 0, &moved));
		EXPECT_EQ(i, moved.chains);
		EXPECT_EQ(16 * i, moved.bytes_out);
		EXPECT_EQ(7 * i, moved.bytes_in);
		virtio_bus_reset(guest->bus);
	}
}

TEST(unpop_gives_it_again)
{
	struct guest *guest GUEST = guest_new();
	struct virtqueue *vq = &dummy_new(guest)->queue[0];
	const struct buffer buf = { SEGMENT_0 + 0x8000, 16, 0 };
	struct ring ring;

	start(guest, &ring, 0);
	ring_add(&ring, &buf, 1);
	ring_add(&ring, &buf, 1);
	EXPECT_EQ(1, virtqueue_pop(vq, &req));
	EXPECT_EQ(1, virtqueue_pop(vq, &req));
	virtqueue_unpop(vq, 1);
	ASSERT_EQ(1, virtqueue_pop(vq, &req));
	EXPECT_EQ(1, req.head);
	EXPECT_EQ(0, virtqueue_pop(vq, &req));
}

TEST(indirect_chain)
{
	struct guest *guest GUEST = guest_new();
	struct virtqueue *vq = &dummy_new(guest)->queue[0];
	const struct buffer inner[] = {
		{ SEGMENT_0 + 0x8000, 16, 0 }, { SEGMENT_1, 64, W }, { SEGMENT_1 + 64, 1, W },
	};
	struct buffer outer[] = {
		{ SEGMENT_0 + 0x9000, 4, 0 }, { 0, sizeof(struct vring_desc) * 3,
						VRING_DESC_F_INDIRECT },
	};
	struct ring ring;

	start(guest, &ring, F_INDIRECT);
	outer[1].phys = guest_alloc(guest, outer[1].len);
	ring_write_chain(at(guest, outer[1].phys), 3, 0, inner, 3);
	ring_add(&ring, outer + 1, 1);
	ring_add(&ring, outer, 2);	/* 2.7.5.3.2: ordinary descriptors may come first */
	ASSERT_EQ(1, virtqueue_pop(vq, &req));
	EXPECT_EQ(16, req.out.len);
	EXPECT_EQ(65, req.in.len);
	ASSERT_EQ(1, virtqueue_pop(vq, &req));
	EXPECT_EQ(20, req.out.len);
	EXPECT_EQ(65, req.in.len);
}

TEST(notification_flags)
{
	struct guest *guest GUEST = guest_new();
	struct virtqueue *vq = &dummy_new(guest)->queue[0];
	const struct buffer buf = { SEGMENT_0 + 0x8000, 16, 0 };
	struct ring ring;

	start(guest, &ring, 0);
	ring_add(&ring, &buf, 1);
	ring.v.avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	ASSERT_EQ(1, virtqueue_pop(vq, &req));
	EXPECT_EQ(VRING_USED_F_NO_NOTIFY, ring.v.used->flags);
	virtqueue_push(vq, req.head, 0);
	virtqueue_notify(vq);
	EXPECT_FALSE(ring_called(&ring));
	EXPECT_EQ(0, virtqueue_pop(vq, &req));
	EXPECT_EQ(0, ring.v.used->flags);
}

TEST(notification_by_event_index)
{
	struct guest *guest GUEST = guest_new();
	struct virtqueue *vq = &dummy_new(guest)->queue[0];
	const struct buffer buf = { SEGMENT_0 + 0x8000, 16, 0 };
	struct ring ring;

	start(guest, &ring, F_EVENT_IDX);
	for (unsigned int i = 0; i < 3; i++)
		ring_add(&ring, &buf, 1);
	vring_used_event(&ring.v) = 2;		/* notify at the third */
	for (unsigned int i = 0; i < 3; i++) {
		ASSERT_EQ(1, virtqueue_pop(vq, &req));
		virtqueue_push(vq, req.head, 0);
		virtqueue_notify(vq);
		EXPECT_EQ(i == 2, ring_called(&ring));
	}
	EXPECT_EQ(0, virtqueue_pop(vq, &req));
	EXPECT_EQ(3, vring_avail_event(&ring.v));
	EXPECT_EQ(0, ring.v.used->flags);
}

TEST(indices_wrap_around)
{
	struct guest *guest GUEST = guest_new();
	struct virtqueue *vq = &dummy_new(guest)->queue[0];
	const struct buffer buf = { SEGMENT_0 + 0x8000, 16, 0 };
	struct vring_used_elem elem;
	struct ring ring;

	start(guest, &ring, F_EVENT_IDX);
	for (unsigned int i = 0; i < 0x10000 + SIZE; i++) {
		uint16_t head = ring_add(&ring, &buf, 1);

		vring_used_event(&ring.v) = ring.seen;
		ASSERT_EQ(1, virtqueue_pop(vq, &req));
		ASSERT_EQ(head, req.head);
		virtqueue_push(vq, req.head, 0);
		virtqueue_notify(vq);
		ASSERT_TRUE(ring_called(&ring));
		ASSERT_TRUE(ring_take(&ring, 0, &elem));
	}
}

static char why[VIRTQUEUE_WHY_MAX];

static int set_up(struct guest *guest, struct virtqueue *vq, unsigned int size, uint64_t desc,
		  uint64_t avail, uint64_t used)
{
	const struct virtqueue_setup setup = {
		.size = size, .desc = desc, .avail = avail, .used = used, .mem = &guest->mem,
	};

	*why = '\0';
	return virtqueue_setup(vq, &setup, why);
}

TEST(setup_is_checked)
{
	struct guest *guest GUEST = guest_new();
	struct virtqueue *vq = &dummy_new(guest)->queue[0];
	uint64_t end = SEGMENT_0 + SEGMENT_SIZE, ok = SEGMENT_0 + 0x1000;

	EXPECT_EQ(-EINVAL, set_up(guest, vq, 0, ok, ok, ok));
	EXPECT_STREQ("asked for 0 entries; it must be a power of two, 256 at most", why);
	EXPECT_EQ(-EINVAL, set_up(guest, vq, 12, ok, ok, ok));
	EXPECT_EQ(-EINVAL, set_up(guest, vq, 512, ok, ok, ok));
	EXPECT_EQ(-EINVAL, set_up(guest, vq, 0x80000000, ok, ok, ok));
	EXPECT_EQ(-EINVAL, set_up(guest, vq, 8, ok + 8, ok, ok));
	EXPECT_EQ(-EINVAL, set_up(guest, vq, 8, ok, ok + 1, ok));
	EXPECT_EQ(-EINVAL, set_up(guest, vq, 8, ok, ok, ok + 2));
	EXPECT_STREQ("put the used ring at 0x10001002 (70 bytes), which is misaligned", why);
	EXPECT_EQ(-EINVAL, set_up(guest, vq, 8, NOWHERE, ok, ok));
	EXPECT_EQ(-EINVAL, set_up(guest, vq, 8, ok, -2ULL, ok));
	/* The event index at the end of each ring must fit as well */
	EXPECT_EQ(-EINVAL, set_up(guest, vq, 8, ok, end - (6 + 2 * 8) + 2, ok));
	EXPECT_EQ(-EINVAL, set_up(guest, vq, 8, ok, ok, end - (4 + 8 * 8)));
	EXPECT_EQ(-EINVAL, set_up(guest, vq, 8, end - 16 * 7, ok, ok));
	EXPECT_EQ(0, set_up(guest, vq, 8, end - 16 * 8, ok, ok));
	EXPECT_EQ(0, set_up(guest, vq, 8, ok, end - (6 + 2 * 8), ok));
	virtqueue_reset(vq);
}

/* Hostile drivers: each must break the device, and a reset must repair it */

static void expect_broken(struct guest *guest, struct virtqueue *vq)
{
	const struct buffer buf = { SEGMENT_0 + 0x8000, 16, 0 };
	struct ring ring;
	uint32_t now;

	EXPECT_EQ(-EPROTO, virtqueue_pop(vq, &req));
	EXPECT_EQ(-EIO, virtqueue_pop(vq, &req));
	EXPECT_EQ(STATUS_FEATURES | VIRTIO_CONFIG_S_DRIVER_OK | VIRTIO_CONFIG_S_NEEDS_RESET,
		  get_status(guest, 0));
	guest->nr_messages = 0;
	guest_run(guest, 0);
	EXPECT_EQ(1, guest->nr_messages);
	EXPECT_EQ(SIGMA_MSG_EVENT_CONFIG, guest->message[0].head.id);

	EXPECT_EQ(0, set_status(guest, 0, 0, &now));
	EXPECT_EQ(0, now);
	start(guest, &ring, 0);
	ring_add(&ring, &buf, 1);
	EXPECT_EQ(1, virtqueue_pop(vq, &req));
}

#define HOSTILE(name, features, ...)					\
	TEST(name)							\
	{								\
		struct guest *guest GUEST = guest_new();		\
		struct virtqueue *vq = &dummy_new(guest)->queue[0];	\
		const struct buffer chain[] = { __VA_ARGS__ };		\
		struct ring ring;					\
									\
		start(guest, &ring, features);				\
		ring_add(&ring, chain, sizeof(chain) / sizeof(*chain));	\
		expect_broken(guest, vq);				\
	}

#define GOOD	{ SEGMENT_0 + 0x8000, 16, 0 }
#define TABLE	(SEGMENT_0 + 0x100000)

HOSTILE(buffer_outside_memory, 0, GOOD, { NOWHERE, 16, 0 })
HOSTILE(buffer_at_zero, 0, { 0, 16, W })
HOSTILE(buffer_below_memory, 0, { SEGMENT_0 - 8, 16, W })
HOSTILE(buffer_across_the_end, 0, { SEGMENT_0 + SEGMENT_SIZE - 8, 16, W })
HOSTILE(buffer_wraps_address_space, 0, { -8ULL, 16, W })
HOSTILE(buffer_of_4_gigabytes, 0, { SEGMENT_1, 0xffffffff, W })
HOSTILE(buffer_empty, 0, { SEGMENT_0, 0, W })
HOSTILE(readable_after_writable, 0, { SEGMENT_1, 16, W }, GOOD)
HOSTILE(indirect_not_negotiated, 0, { TABLE, 16, VRING_DESC_F_INDIRECT })
HOSTILE(indirect_with_next, F_INDIRECT, { TABLE, 16, VRING_DESC_F_INDIRECT }, GOOD)
HOSTILE(indirect_empty, F_INDIRECT, { TABLE, 0, VRING_DESC_F_INDIRECT })
HOSTILE(indirect_odd_size, F_INDIRECT, { TABLE, 17, VRING_DESC_F_INDIRECT })
HOSTILE(indirect_misaligned, F_INDIRECT, { TABLE + 1, 16, VRING_DESC_F_INDIRECT })
HOSTILE(indirect_outside_memory, F_INDIRECT, { NOWHERE, 16, VRING_DESC_F_INDIRECT })
HOSTILE(indirect_across_the_end, F_INDIRECT,
	{ SEGMENT_0 + SEGMENT_SIZE - 16, 32, VRING_DESC_F_INDIRECT })

TEST(indirect_inside_indirect)
{
	struct guest *guest GUEST = guest_new();
	struct virtqueue *vq = &dummy_new(guest)->queue[0];
	const struct buffer table = { TABLE, 16, VRING_DESC_F_INDIRECT };
	struct ring ring;

	start(guest, &ring, F_INDIRECT);
	ring_write_chain(at(guest, TABLE), 1, 0, &table, 1);
	ring_add(&ring, &table, 1);
	expect_broken(guest, vq);
}

TEST(indirect_leaves_its_table)
{
	struct guest *guest GUEST = guest_new();
	struct virtqueue *vq = &dummy_new(guest)->queue[0];
	const struct buffer inner[] = { GOOD, GOOD }, outer = { TABLE, 16, VRING_DESC_F_INDIRECT };
	struct ring ring;

	start(guest, &ring, F_INDIRECT);
	ring_write_chain(at(guest, TABLE), 2, 0, inner, 2);
	ring_add(&ring, &outer, 1);
	expect_broken(guest, vq);
}

TEST(head_out_of_range)
{
	struct guest *guest GUEST = guest_new();
	struct virtqueue *vq = &dummy_new(guest)->queue[0];
	struct ring ring;

	start(guest, &ring, 0);
	ring_offer(&ring, SIZE);
	expect_broken(guest, vq);
}

TEST(next_out_of_range)
{
	struct guest *guest GUEST = guest_new();
	struct virtqueue *vq = &dummy_new(guest)->queue[0];
	const struct buffer chain[] = { GOOD, GOOD };
	struct ring ring;

	start(guest, &ring, 0);
	ring_add(&ring, chain, 2);
	ring.v.desc[0].next = 0xffff;
	expect_broken(guest, vq);
}

TEST(chain_is_a_loop)
{
	struct guest *guest GUEST = guest_new();
	struct virtqueue *vq = &dummy_new(guest)->queue[0];
	const struct buffer chain[] = { GOOD, GOOD };
	struct ring ring;

	start(guest, &ring, 0);
	ring_add(&ring, chain, 2);
	ring.v.desc[1].flags = VRING_DESC_F_NEXT;
	ring.v.desc[1].next = 0;
	expect_broken(guest, vq);
}

TEST(available_index_jumps)
{
	struct guest *guest GUEST = guest_new();
	struct virtqueue *vq = &dummy_new(guest)->queue[0];
	struct ring ring;

	start(guest, &ring, 0);
	ring.v.avail->idx = SIZE + 1;
	expect_broken(guest, vq);
}

TEST(available_index_goes_back)
{
	struct guest *guest GUEST = guest_new();
	struct virtqueue *vq = &dummy_new(guest)->queue[0];
	struct ring ring;

	start(guest, &ring, 0);
	ring.v.avail->idx = -1;
	expect_broken(guest, vq);
}

static void long_chain(unsigned int nr, uint32_t len, bool good)
{
	struct guest *guest GUEST = guest_new();
	struct virtqueue *vq = &dummy_new(guest)->queue[0];
	struct buffer chain[VIRTQUEUE_SEGMENTS_MAX + 1];
	struct ring ring;

	for (unsigned int i = 0; i < nr; i++)
		chain[i] = (struct buffer) { SEGMENT_1, len, W };
	start_sized(guest, &ring, 0, 256);
	ring_add(&ring, chain, nr);
	if (good)
		EXPECT_EQ(1, virtqueue_pop(vq, &req));
	else
		expect_broken(guest, vq);
}

TEST(longest_chain)
{
	long_chain(VIRTQUEUE_SEGMENTS_MAX, 1, true);
}

TEST(chain_too_long)
{
	long_chain(VIRTQUEUE_SEGMENTS_MAX + 1, 1, false);
}

TEST(chain_of_almost_4_gigabytes)
{
	long_chain(63, SEGMENT_SIZE, true);
}

TEST(chain_of_4_gigabytes)
{
	long_chain(64, SEGMENT_SIZE, false);
}

/* Random rings: all buffers that come out must lie in memory */

static uint32_t random_state = 1;

static uint32_t some(uint32_t limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state % limit;
}

static void fill_randomly(struct vring_desc *table, unsigned int nr)
{
	static const uint64_t where[] = {
		SEGMENT_0, SEGMENT_1, TABLE, SEGMENT_0 + SEGMENT_SIZE - 64, NOWHERE, -64ULL,
	};

	for (unsigned int i = 0; i < nr; i++)
		table[i] = (struct vring_desc) {
			.addr = where[some(12) ? some(4) : some(6)] + some(9) * 8,
			.len = some(10) ? some(8) * 16 : some(UINT32_MAX),
			.flags = some(8),
			.next = some(SIZE + !some(8)),
		};
}

TEST(random_rings)
{
	struct guest *guest GUEST = guest_new();
	struct virtio_device *dev = dummy_new(guest);
	struct virtqueue *vq = &dev->queue[0];
	unsigned int popped = 0, broken = 0;
	struct ring ring;

	start(guest, &ring, F_INDIRECT | F_EVENT_IDX);
	/* Thousands of warnings would only hide the rest */
	if (!freopen("/dev/null", "w", stderr))
		abort();
	for (unsigned int round = 0; round < 20000; round++) {
		int ret;

		fill_randomly(ring.v.desc, SIZE);
		fill_randomly(at(guest, TABLE), SIZE);
		for (unsigned int i = 0; i < SIZE; i++)
			ring.v.avail->ring[i] = some(SIZE);
		ring.v.avail->idx = vq->last_avail + some(SIZE + 1);

		while ((ret = virtqueue_pop(vq, &req)) > 0) {
			popped++;
			ASSERT_TRUE(req.out.nr + req.in.nr <= VIRTQUEUE_SEGMENTS_MAX);
			for (unsigned int i = 0; i < req.out.nr; i++)
				ASSERT_TRUE(in_memory(guest, &req.out.iov[i]));
			for (unsigned int i = 0; i < req.in.nr; i++)
				ASSERT_TRUE(in_memory(guest, &req.in.iov[i]));
			virtqueue_push(vq, req.head, 0);
			virtqueue_notify(vq);
		}
		broken += ret < 0;
		dev->broken = false;
	}
	EXPECT_TRUE(popped > 1000);
	EXPECT_TRUE(broken > 1000);
}

TEST_HARNESS_MAIN
