/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A hostile driver of virtio devices. The input is a list of actions: a byte of enum action, and
 * operands in the order of the macros that write the cases. Numbers have 16 bits unless said
 * otherwise; addresses and lengths are near to interesting values.
 */
#ifndef SIGMA_FUZZ_HOSTILE_H
#define SIGMA_FUZZ_HOSTILE_H

#define SEGMENT_SIZE	0x100000ULL		/* blk pins all of it at each start */
#include "../unit/virtio-guest.h"
#include "fuzz.h"

#define QUEUES		2
#define W		VRING_DESC_F_WRITE
#define NEXT		VRING_DESC_F_NEXT
#define INDIRECT	VRING_DESC_F_INDIRECT

/* Offsets in segment 0 */
#define RINGS		0x0			/* per queue: descriptor table, rings */
#define RINGS_SIZE	0x10000
#define RING_AVAIL	0x4000
#define RING_USED	0x6000
#define WORK_OFFSET	0x28000			/* for addresses nearby */
#define HEADERS		0x30000
#define TABLES		0x40000			/* indirect tables */
#define SLOTS		256			/* of HEADERS and TABLES, used in turn */
#define TABLE_SIZE	0x100

enum base {
	DESC, AVAIL, USED,			/* queue 0's */
	DESC_1, AVAIL_1, USED_1,
	WORK, BEGIN_0, END_0, BEGIN_1, END_1,	/* END: the first byte behind the segment */
	GAP,					/* no memory of the guest */
	ZERO,					/* with a negative offset: the top addresses */
	HIGH,
	NR_BASES
};

#define ADDR(base, offset)	base, B16(offset)

enum length { BYTES, SECTORS, SEGMENT, TOP, HALF, NR_LENGTHS };

#define LEN(kind, value)	kind, B16(value)

enum action {
	ACT_DEVICE,		/* an action of this kind of device only */
	ACT_UP,
	ACT_QUEUE,
	ACT_STATUS,
	ACT_RESET_QUEUE,
	ACT_MESSAGE,
	ACT_DESC,
	ACT_OFFER,
	ACT_INDEX,
	ACT_EVENT,
	ACT_POKE,
	ACT_KICK,
	ACT_RUN,
	ACT_WAIT,
	NR_ACTIONS
};

/* The macros for cases expand to bytes of the input */

#define WITHOUT_EVENT_IDX	1
#define WITHOUT_INDIRECT	2
#define WITHOUT(feature)	((feature) << 2)
#define LEFT_OUT(queue)		(1 << (queue))
#define NOT_STARTED		0x40		/* without DRIVER_OK */
#define MUST_IDLE		0x80		/* without work the device must use no CPU time */

/* Bring a device up, as far as @how says, with queues of 1 << @order entries */
#define UP(device, without, order, how)	ACT_UP, device, without, order, how
/* Set a queue up, at any address and of any size */
#define QUEUE(device, queue, size, desc, avail, used) \
	ACT_QUEUE, device, queue, B16(size), desc, avail, used
#define STATUS(device, status)	ACT_STATUS, device, status
#define RESET_QUEUE(device, queue)	ACT_RESET_QUEUE, device, queue
/* Send any control message; @len bytes follow */
#define MESSAGE(flags, id, device, len)	ACT_MESSAGE, flags, id, device, len
/* Write a descriptor anywhere */
#define DESCRIPTOR(at, addr, len, flags, next)	ACT_DESC, at, addr, len, flags, B16(next)
/* Offer a head in the available ring, at the index plus @skip */
#define OFFER(queue, head, skip)	ACT_OFFER, queue, B16(head), skip
/* Set the available and the used index */
#define INDEX(queue, avail, used)	ACT_INDEX, queue, B16(avail), B16(used)
#define EVENT(queue, event, flags)	ACT_EVENT, queue, B16(event), flags
/* Write @len bytes, which follow, to memory */
#define POKE(at, len)	ACT_POKE, at, len
#define KICK(queue)	ACT_KICK, queue
#define RUN		ACT_RUN
#define PAUSE		ACT_WAIT

struct driver {
	struct guest *guest;
	struct input in;
	/* The queues as the driver believes, of the device that it brought up last */
	struct {
		uint64_t desc, avail, used;
		unsigned int size, next;
		uint32_t kick;
	} queue[QUEUES];
	unsigned int nr_devices, nr_queues, slot;
	void (*act)(struct driver *driver);
	void *data;
};

static inline uint64_t ring_at(unsigned int queue, uint64_t part)
{
	return SEGMENT_0 + RINGS + queue * RINGS_SIZE + part;
}

static inline uint64_t take_addr(struct input *in)
{
	const uint64_t base[NR_BASES] = {
		[DESC] = ring_at(0, 0), [AVAIL] = ring_at(0, RING_AVAIL),
		[USED] = ring_at(0, RING_USED), [DESC_1] = ring_at(1, 0),
		[AVAIL_1] = ring_at(1, RING_AVAIL), [USED_1] = ring_at(1, RING_USED),
		[WORK] = SEGMENT_0 + WORK_OFFSET, [BEGIN_0] = SEGMENT_0,
		[END_0] = SEGMENT_0 + SEGMENT_SIZE, [BEGIN_1] = SEGMENT_1,
		[END_1] = SEGMENT_1 + SEGMENT_SIZE, [GAP] = NOWHERE, [HIGH] = 1ULL << 63,
	};
	unsigned int kind = take8(in) % (2 * NR_BASES);

	return base[kind < NR_BASES ? kind : WORK] + (int16_t)take16(in);
}

static inline uint32_t take_len(struct input *in)
{
	unsigned int kind = take8(in) % (3 * NR_LENGTHS);
	uint16_t value = take16(in);

	switch (kind) {
	case SECTORS:
		return value * 512U;
	case SEGMENT:
		return SEGMENT_SIZE + (int16_t)value;
	case TOP:
		return (int16_t)value;
	case HALF:
		return 0x80000000U + (int16_t)value;
	default:
		return value;
	}
}

/* The guest cannot write outside of its own memory */
static inline void poke(struct driver *driver, uint64_t phys, const void *from, size_t len)
{
	void *to = memory_at(&driver->guest->mem, phys, len);

	if (to)
		memcpy(to, from, len);
}

static inline uint16_t peek16(struct driver *driver, uint64_t phys)
{
	uint16_t value = 0;
	const void *from = memory_at(&driver->guest->mem, phys, sizeof(value));

	if (from)
		memcpy(&value, from, sizeof(value));
	return value;
}

static inline void write_desc(struct driver *driver, uint64_t at, uint64_t addr, uint32_t len,
			      uint16_t flags, uint16_t next)
{
	const struct vring_desc desc = { .addr = addr, .len = len, .flags = flags, .next = next };

	poke(driver, at, &desc, sizeof(desc));
}

static inline void offer(struct driver *driver, unsigned int queue, uint16_t head, int8_t skip)
{
	uint64_t avail = driver->queue[queue].avail;
	uint16_t idx;

	if (!driver->queue[queue].size)
		return;
	idx = peek16(driver, avail + 2) + skip;
	poke(driver, avail + 4 + idx % driver->queue[queue].size * 2, &head, sizeof(head));
	__atomic_thread_fence(__ATOMIC_RELEASE);
	idx++;
	poke(driver, avail + 2, &idx, sizeof(idx));
}

static inline uint64_t next_slot(struct driver *driver, uint64_t where, size_t size)
{
	return SEGMENT_0 + where + driver->slot++ % SLOTS * size;
}

/* Offer a chain that takes the next descriptors */
static inline void add_chain(struct driver *driver, unsigned int queue, const struct buffer *buf,
			     unsigned int nr, bool indirect)
{
	uint64_t desc = driver->queue[queue].desc, table;
	unsigned int size = driver->queue[queue].size, head = driver->queue[queue].next;

	if (!size)
		return;
	if (indirect) {
		table = next_slot(driver, TABLES, TABLE_SIZE);
		for (unsigned int i = 0; i < nr; i++)
			write_desc(driver, table + i * 16, buf[i].phys, buf[i].len,
				   buf[i].flags | (i + 1 < nr ? NEXT : 0), i + 1);
		write_desc(driver, desc + head * 16, table, nr * 16, INDIRECT, 0);
		nr = 1;
	} else {
		for (unsigned int i = 0; i < nr; i++)
			write_desc(driver, desc + (head + i) % size * 16, buf[i].phys, buf[i].len,
				   buf[i].flags | (i + 1 < nr ? NEXT : 0), (head + i + 1) % size);
	}
	offer(driver, queue, head, 0);
	driver->queue[queue].next = (head + nr) % size;
}

/* A bounded number of turns, since a hostile guest can keep the event loop busy for ever */
static inline void turn(struct driver *driver, unsigned int times)
{
	driver->guest->nr_messages = 0;
	while (times-- && sd_event_run(driver->guest->event, 0) > 0)
		;
}

static inline uint64_t cpu_usec(void)
{
	struct timespec used;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return used.tv_sec * 1000000ULL + used.tv_nsec / 1000;
}

/* Soon neither the event loop nor a thread may use CPU time */
static inline void check_idle(struct driver *driver)
{
	unsigned int tries = 100;
	uint64_t before;

	usleep(5000);		/* a thread may still have to start */
	do {
		FUZZ_CHECK(tries--);
		before = cpu_usec();
		turn(driver, 10);
		usleep(20000);
	} while (cpu_usec() - before > 2000);
}

static inline void set_queue(struct driver *driver, unsigned int device, unsigned int queue,
			     unsigned int size)
{
	struct sigma_msg_vqueue msg = { .index = queue };

	if (ask(driver->guest, 0, SIGMA_MSG_GET_VQUEUE, device, &msg, sizeof(msg), &msg,
		sizeof(msg)))
		return;
	driver->queue[queue].kick = msg.kick;
	driver->queue[queue].size = size;
	driver->queue[queue].next = 0;
	msg.size = size;
	msg.desc = driver->queue[queue].desc;
	msg.driver = driver->queue[queue].avail;
	msg.device = driver->queue[queue].used;
	ask(driver->guest, 0, SIGMA_MSG_SET_VQUEUE, device, &msg, sizeof(msg), NULL, 0);
}

static inline void act_up(struct driver *driver)
{
	struct input *in = &driver->in;
	unsigned int device = take8(in) % driver->nr_devices, without = take8(in);
	unsigned int order = take8(in) % 9, how = take8(in);
	uint64_t features = get_features(driver->guest, device);
	uint32_t now;

	if (without & WITHOUT_EVENT_IDX)
		features &= ~(1ULL << VIRTIO_RING_F_EVENT_IDX);
	if (without & WITHOUT_INDIRECT)
		features &= ~(1ULL << VIRTIO_RING_F_INDIRECT_DESC);
	if (without >> 2)
		features &= ~(1ULL << (without >> 2));

	/* Reset other devices first, since their queues can keep them busy for ever */
	for (unsigned int i = 0; i < driver->nr_devices; i++)
		if (i == device || (how & MUST_IDLE) == MUST_IDLE)
			set_status(driver->guest, i, 0, &now);
	negotiate(driver->guest, device, features);
	for (unsigned int i = 0; i < driver->nr_queues; i++) {
		if (how & LEFT_OUT(i))
			continue;
		driver->queue[i].desc = ring_at(i, 0);
		driver->queue[i].avail = ring_at(i, RING_AVAIL);
		driver->queue[i].used = ring_at(i, RING_USED);
		memset(at(driver->guest, ring_at(i, 0)), 0, RINGS_SIZE);
		set_queue(driver, device, i, 1U << order);
	}
	if (how & NOT_STARTED)
		return;
	driver_ok(driver->guest, device);
	if ((how & MUST_IDLE) == MUST_IDLE)
		check_idle(driver);
}

static inline void act_queue(struct driver *driver)
{
	struct input *in = &driver->in;
	unsigned int device = take8(in) % driver->nr_devices, queue = take8(in) % QUEUES;
	unsigned int size = take16(in);

	driver->queue[queue].desc = take_addr(in);
	driver->queue[queue].avail = take_addr(in);
	driver->queue[queue].used = take_addr(in);
	set_queue(driver, device, queue, size);
}

static inline void act_message(struct driver *driver)
{
	struct {
		struct sigma_msg head;
		uint8_t payload[SIGMA_MSG_PAYLOAD_MAX];
	} msg = { 0 };
	struct input *in = &driver->in;
	size_t len;

	msg.head.flags = take8(in);
	msg.head.id = take8(in);
	msg.head.device = (int8_t)take8(in);
	len = take8(in) % (sizeof(msg.payload) + 1);
	take(in, msg.payload, len);
	driver->guest->nr_messages = 0;
	virtio_bus_message(driver->guest->bus, &msg, sizeof(msg.head) + len);
}

static inline void act_desc(struct driver *driver)
{
	struct input *in = &driver->in;
	uint64_t where = take_addr(in), addr = take_addr(in);
	uint32_t len = take_len(in);
	uint16_t flags = take8(in) % 8;

	write_desc(driver, where, addr, len, flags, take16(in));
}

static inline void act_index(struct driver *driver)
{
	struct input *in = &driver->in;
	unsigned int queue = take8(in) % QUEUES;
	uint16_t avail = take16(in), used = take16(in);

	poke(driver, driver->queue[queue].avail + 2, &avail, sizeof(avail));
	poke(driver, driver->queue[queue].used + 2, &used, sizeof(used));
}

static inline void act_event(struct driver *driver)
{
	struct input *in = &driver->in;
	unsigned int queue = take8(in) % QUEUES;
	uint64_t avail = driver->queue[queue].avail;
	uint16_t event = take16(in), flags = take8(in);

	poke(driver, avail, &flags, sizeof(flags));
	poke(driver, avail + 4 + driver->queue[queue].size * 2, &event, sizeof(event));
}

static inline void act_poke(struct driver *driver)
{
	struct input *in = &driver->in;
	uint64_t where = take_addr(in);
	uint8_t bytes[256];
	size_t len = take8(in);

	take(in, bytes, len);
	poke(driver, where, bytes, len);
}

static inline void act(struct driver *driver)
{
	struct guest *guest = driver->guest;
	struct input *in = &driver->in;
	unsigned int device, queue;
	uint16_t head;
	uint32_t now;

	switch (take8(in) % NR_ACTIONS) {
	case ACT_DEVICE:
		driver->act(driver);
		break;
	case ACT_UP:
		act_up(driver);
		break;
	case ACT_QUEUE:
		act_queue(driver);
		break;
	case ACT_STATUS:
		device = take8(in) % driver->nr_devices;
		set_status(guest, device, take8(in), &now);
		break;
	case ACT_RESET_QUEUE: {
		struct sigma_msg_vqueue msg = { 0 };

		device = take8(in) % driver->nr_devices;
		msg.index = take8(in);
		ask(guest, 0, SIGMA_MSG_RESET_VQUEUE, device, &msg, sizeof(msg), NULL, 0);
		break;
	}
	case ACT_MESSAGE:
		act_message(driver);
		break;
	case ACT_DESC:
		act_desc(driver);
		break;
	case ACT_OFFER:
		queue = take8(in) % QUEUES;
		head = take16(in);
		offer(driver, queue, head, take8(in));
		break;
	case ACT_INDEX:
		act_index(driver);
		break;
	case ACT_EVENT:
		act_event(driver);
		break;
	case ACT_POKE:
		act_poke(driver);
		break;
	case ACT_KICK:
		queue = take8(in) % QUEUES;
		if (guest->kick_fd[driver->queue[queue].kick] >= 0)
			eventfd_write(guest->kick_fd[driver->queue[queue].kick], 1);
		break;
	case ACT_RUN:
		turn(driver, 4);
		break;
	case ACT_WAIT:
		usleep(100);
		break;
	}
}

static inline bool needs_reset(struct guest *guest, unsigned int device)
{
	return get_status(guest, device) & VIRTIO_CONFIG_S_NEEDS_RESET;
}

/*
 * Run the whole input, then reset: the host must survive it, and each device that broke must have
 * been reported. Rings and other memory are cleared for the good driver that follows.
 */
static inline void be_hostile(struct driver *driver)
{
	struct guest *guest = driver->guest;
	uint32_t now;

	for (unsigned int i = 0; i < QUEUES; i++)
		driver->queue[i].kick = SIGMA_DOORBELL_FIRST + i;
	while (driver->in.left)
		act(driver);
	turn(driver, 32);

	guest->send_error = 0;
	guest->bind_error = 0;
	for (unsigned int i = 0; i < driver->nr_devices; i++) {
		bool broken = needs_reset(guest, i);

		FUZZ_CHECK(!set_status(guest, i, 0, &now) && !now);
		FUZZ_CHECK(!get_status(guest, i));
		FUZZ_CHECK(!broken || fuzz_messages());	/* a thread may report it later */
	}
	turn(driver, 32);
	/* The bus has a rate limit, each device has one or two */
	fuzz_check_messages(1 + 2 * driver->nr_devices);
	guest->brk = SEGMENT_0;
	memset(at(guest, SEGMENT_0), 0, SEGMENT_SIZE);
}

#endif
