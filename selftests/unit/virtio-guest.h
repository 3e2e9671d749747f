/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A simulated guest: memory, control messages, and the driver's side of a virtqueue, all driven by
 * the test, which can use each of them well or badly.
 *
 * Memory is two segments with a gap between their physical addresses. In the mapping the second
 * segment follows the first one directly, so a buffer that crosses the end of the first would reach
 * the second if nothing stopped it. The pages around them, and on demand those between them, cannot
 * be accessed.
 */
#ifndef SIGMA_TEST_VIRTIO_GUEST_H
#define SIGMA_TEST_VIRTIO_GUEST_H

#include <endian.h>
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../daemon/kinds.h"
#include "../../daemon/virtio/backends.h"
#include "../../daemon/virtio/bus.h"

#define SEGMENT_0	0x10000000ULL
#define SEGMENT_1	0x40000000ULL
#ifndef SEGMENT_SIZE
#define SEGMENT_SIZE	0x4000000ULL
#endif
#define GUARD		0x10000ULL
#define NOWHERE		0x20000000ULL
#define MESSAGES	16

struct guest {
	struct guest_memory mem;
	uint64_t brk;			/* next free physical address in segment 0 */
	sd_event *event;
	struct virtio_bus *bus;
	struct {
		struct sigma_msg head;
		uint8_t payload[SIGMA_MSG_PAYLOAD_MAX];
		size_t len;		/* of payload */
	} message[MESSAGES];
	unsigned int nr_messages;
	int kick_fd[SIGMA_DOORBELLS], call_fd[SIGMA_DOORBELLS];
	unsigned int binds, unbinds;
	unsigned int released;		/* number of devices that were released */
	int released_id, release_error;	/* the last released device */
	int awake_error;		/* that it gave when it could not fall asleep */
	bool sleeps;			/* it has said that it is about to */
	int send_error, bind_error;	/* errors to return */
};

static inline int guest_send_message(void *data, const void *msg, size_t len)
{
	struct guest *guest = data;
	unsigned int n = guest->nr_messages;

	if (guest->send_error)
		return guest->send_error;
	if (n == MESSAGES)
		return -ENOSPC;
	memcpy(&guest->message[n], msg, len);
	guest->message[n].len = len - sizeof(struct sigma_msg);
	guest->nr_messages++;
	return 0;
}

static inline int guest_bind_queue(void *data, uint32_t kick, int kick_fd, uint32_t call,
				   int call_fd)
{
	struct guest *guest = data;

	if (kick_fd >= 0 && guest->bind_error)
		return guest->bind_error;
	guest->kick_fd[kick] = kick_fd;
	guest->call_fd[call] = call_fd;
	guest->binds += kick_fd >= 0;
	guest->unbinds += kick_fd < 0;
	return 0;
}

static inline void guest_released(void *data, unsigned int id, int error)
{
	struct guest *guest = data;

	guest->released++;
	guest->released_id = id;
	guest->release_error = error;
}

static inline void guest_awake(void *data, int error)
{
	struct guest *guest = data;

	guest->awake_error = error;
}

static inline void guest_sleeps(void *data, bool asleep)
{
	struct guest *guest = data;

	guest->sleeps = asleep;
}

static const struct virtio_bus_ops guest_bus_ops = {
	.send = guest_send_message,
	.bind = guest_bind_queue,
	.released = guest_released,
	.awake = guest_awake,
	.sleeps = guest_sleeps,
};

/* @gap: bytes between the segments in the mapping, whole pages */
static inline struct guest *guest_new_with_gap(uint64_t gap)
{
	struct guest *guest = calloc(1, sizeof(*guest));
	struct guest_memory *mem = &guest->mem;
	uint8_t *map;

	mem->size = 2 * SEGMENT_SIZE + gap;
	/* A file, since other processes may serve queues in this memory */
	mem->fd = memfd_create("guest", MFD_CLOEXEC);
	if (mem->fd < 0 || ftruncate(mem->fd, mem->size))
		abort();
	map = mmap(NULL, mem->size + 2 * GUARD, PROT_NONE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (map == MAP_FAILED || sd_event_new(&guest->event) < 0)
		abort();
	mem->base = map + GUARD;
	mem->nr = 2;
	mem->segment[0] = (struct memory_segment) { SEGMENT_0, SEGMENT_SIZE, 0 };
	mem->segment[1] = (struct memory_segment) {
		SEGMENT_1, SEGMENT_SIZE, SEGMENT_SIZE + gap,
	};
	for (unsigned int i = 0; i < mem->nr; i++)
		if (mmap(mem->base + mem->segment[i].offset, mem->segment[i].size,
			 PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, mem->fd,
			 mem->segment[i].offset) == MAP_FAILED)
			abort();
	guest->brk = SEGMENT_0;
	memset(guest->kick_fd, 0xff, sizeof(guest->kick_fd));
	memset(guest->call_fd, 0xff, sizeof(guest->call_fd));
	if (virtio_bus_new(&guest->bus, guest->event, mem, &guest_bus_ops, guest) < 0)
		abort();
	return guest;
}

static inline struct guest *guest_new(void)
{
	return guest_new_with_gap(0);
}

/* Devices, made as sigmad makes them: what is wrong is reported */

static struct guest_config guest_config = { .name = "demo", .file = "web.guest" };

static inline int guest_add(struct guest *guest, struct virtio_device *dev)
{
	struct virtio_making making = kinds_begin(guest->bus, &guest_config, 0);

	return kinds_end(&making, &guest_config, 0, virtio_device_add(&making, dev));
}

static inline int guest_add_rng(struct guest *guest)
{
	struct virtio_making making = kinds_begin(guest->bus, &guest_config, 0);

	return kinds_end(&making, &guest_config, 0, virtio_rng_add(&making));
}

static inline int guest_add_console(struct guest *guest,
				    void (*heard)(void *data, const char *text, size_t len),
				    char **path)
{
	struct virtio_making making = kinds_begin(guest->bus, &guest_config, 0);

	return kinds_end(&making, &guest_config, 0,
			 virtio_console_add(&making, heard, guest, path));
}

static inline int guest_add_disk(struct guest *guest, const struct guest_disk *disk)
{
	guest_config.disk[0] = *disk;
	return kinds_make(guest->bus, &guest_config, GUEST_DISK, 0);
}

static inline int guest_add_tap(struct guest *guest, int fd, const struct guest_net *net)
{
	struct virtio_making making = kinds_begin(guest->bus, &guest_config, 0);

	return kinds_end(&making, &guest_config, net->line,
			 virtio_net_tap_add(&making, net, fd));
}

static inline void guest_free(struct guest **guest)
{
	virtio_bus_free((*guest)->bus);
	sd_event_unref((*guest)->event);
	munmap((*guest)->mem.base - GUARD, (*guest)->mem.size + 2 * GUARD);
	close((*guest)->mem.fd);
	free(*guest);
}

/* struct guest *guest GUEST = guest_new(); the guest is freed at the end of the test */
#define GUEST __attribute__((cleanup(guest_free)))

static inline void *at(struct guest *guest, uint64_t phys)
{
	void *p = memory_at(&guest->mem, phys, 1);

	if (!p)
		abort();
	return p;
}

static inline bool in_memory(const struct guest *guest, const struct iovec *iov)
{
	const uint8_t *start = iov->iov_base;

	return start >= guest->mem.base && iov->iov_len <= guest->mem.size &&
	       start + iov->iov_len <= guest->mem.base + guest->mem.size;
}

static inline uint64_t guest_alloc(struct guest *guest, size_t len)
{
	uint64_t phys = guest->brk;

	guest->brk += (len + 4095) & ~4095ULL;
	return phys;
}

/* Run the event loop until it is idle, for up to @ms */
static inline void guest_run(struct guest *guest, unsigned int ms)
{
	while (sd_event_run(guest->event, ms * 1000ULL) > 0)
		;
}

/* Send a control message. Return: the response's status, or -1 without one; its payload in @in */
static inline int ask(struct guest *guest, uint8_t flags, uint8_t id, unsigned int device,
		      const void *out, size_t out_len, void *in, size_t in_len)
{
	struct {
		struct sigma_msg head;
		uint8_t payload[SIGMA_MSG_PAYLOAD_MAX];
	} msg = {
		.head = { .flags = flags, .id = id, .device = device, .token = 0x1234 },
	};

	if (out_len)
		memcpy(msg.payload, out, out_len);
	guest->nr_messages = 0;
	virtio_bus_message(guest->bus, &msg, sizeof(msg.head) + out_len);

	if (guest->nr_messages != 1 || guest->message[0].head.id != id ||
	    guest->message[0].head.flags != (flags | SIGMA_MSG_RESPONSE) ||
	    guest->message[0].head.token != 0x1234 || guest->message[0].head.device != device)
		return -1;
	if (guest->message[0].head.status)
		return guest->message[0].len ? -1 : guest->message[0].head.status;
	if (guest->message[0].len != in_len)
		return -1;
	if (in_len)
		memcpy(in, guest->message[0].payload, in_len);
	return 0;
}

static inline int set_status(struct guest *guest, unsigned int device, uint32_t status,
			     uint32_t *now)
{
	struct sigma_msg_device_status msg = { .status = status };
	int ret = ask(guest, 0, SIGMA_MSG_SET_STATUS, device, &msg, sizeof(msg), &msg,
		      sizeof(msg));

	*now = msg.status;
	return ret;
}

static inline uint32_t get_status(struct guest *guest, unsigned int device)
{
	struct sigma_msg_device_status msg = { 0 };

	ask(guest, 0, SIGMA_MSG_GET_STATUS, device, NULL, 0, &msg, sizeof(msg));
	return msg.status;
}

static inline uint64_t get_features(struct guest *guest, unsigned int device)
{
	struct sigma_msg_features msg = { 0 };

	ask(guest, 0, SIGMA_MSG_GET_FEATURES, device, NULL, 0, &msg, sizeof(msg));
	return msg.features;
}

#define STATUS_FEATURES	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | \
			 VIRTIO_CONFIG_S_FEATURES_OK)

/* Negotiate @features up to FEATURES_OK. Return: whether the device accepted them */
static inline bool negotiate(struct guest *guest, unsigned int device, uint64_t features)
{
	struct sigma_msg_features msg = { .features = features };
	uint32_t now;

	return !set_status(guest, device, VIRTIO_CONFIG_S_ACKNOWLEDGE, &now) &&
	       !set_status(guest, device, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER,
			   &now) &&
	       !ask(guest, 0, SIGMA_MSG_SET_FEATURES, device, &msg, sizeof(msg), NULL, 0) &&
	       !set_status(guest, device, STATUS_FEATURES, &now) && now == STATUS_FEATURES;
}

static inline bool driver_ok(struct guest *guest, unsigned int device)
{
	uint32_t now;

	return !set_status(guest, device, STATUS_FEATURES | VIRTIO_CONFIG_S_DRIVER_OK, &now) &&
	       now == (STATUS_FEATURES | VIRTIO_CONFIG_S_DRIVER_OK);
}

/* The driver's side of a virtqueue */
struct ring {
	struct guest *guest;
	unsigned int size;
	uint64_t desc, avail, used;
	struct vring v;
	unsigned int next;		/* descriptor to use next */
	uint16_t seen;			/* used entries taken */
	uint32_t kick, call;
};

/* A buffer of a chain, at a guest physical address */
struct buffer {
	uint64_t phys;
	uint32_t len;
	uint16_t flags;			/* VRING_DESC_F_WRITE, _INDIRECT */
};

static inline int ring_open(struct ring *ring, struct guest *guest, unsigned int device,
			    unsigned int index, unsigned int size)
{
	struct sigma_msg_vqueue msg = { .index = index };
	int ret = ask(guest, 0, SIGMA_MSG_GET_VQUEUE, device, &msg, sizeof(msg), &msg,
		      sizeof(msg));

	if (ret)
		return ret;
	*ring = (struct ring) {
		.guest = guest, .size = size, .kick = msg.kick, .call = msg.call,
		.desc = guest_alloc(guest, size * sizeof(struct vring_desc)),
		.avail = guest_alloc(guest, size * 2 + 6),
		.used = guest_alloc(guest, size * 8 + 6),
	};
	ring->v = (struct vring) {
		.num = size, .desc = at(guest, ring->desc), .avail = at(guest, ring->avail),
		.used = at(guest, ring->used),
	};
	msg.size = size;
	msg.desc = ring->desc;
	msg.driver = ring->avail;
	msg.device = ring->used;
	return ask(guest, 0, SIGMA_MSG_SET_VQUEUE, device, &msg, sizeof(msg), NULL, 0);
}

static inline void ring_write_chain(struct vring_desc *table, unsigned int size,
				    unsigned int first, const struct buffer *buf, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		table[(first + i) % size] = (struct vring_desc) {
			.addr = buf[i].phys,
			.len = buf[i].len,
			.flags = buf[i].flags | (i + 1 < nr ? VRING_DESC_F_NEXT : 0),
			.next = (first + i + 1) % size,
		};
}

/* Put any head into the available ring */
static inline void ring_offer(struct ring *ring, uint16_t head)
{
	uint16_t idx = ring->v.avail->idx;

	ring->v.avail->ring[idx % ring->size] = head;
	__atomic_store_n(&ring->v.avail->idx, idx + 1, __ATOMIC_RELEASE);
}

static inline uint16_t ring_add(struct ring *ring, const struct buffer *buf, unsigned int nr)
{
	unsigned int head = ring->next;

	ring_write_chain(ring->v.desc, ring->size, head, buf, nr);
	ring->next = (head + nr) % ring->size;
	ring_offer(ring, head);
	return head;
}

static inline void ring_kick(struct ring *ring)
{
	eventfd_write(ring->guest->kick_fd[ring->kick], 1);
}

/* Take a used entry, waiting up to @ms for an interrupt. Return: whether there was one */
static inline bool ring_take(struct ring *ring, unsigned int ms, struct vring_used_elem *elem)
{
	struct pollfd call = { .fd = ring->guest->call_fd[ring->call], .events = POLLIN };
	eventfd_t count;

	while (__atomic_load_n(&ring->v.used->idx, __ATOMIC_ACQUIRE) == ring->seen) {
		int nr = poll(&call, 1, ms);

		/* libFuzzer's own timer interrupts the poll */
		if (!nr || (nr < 0 && errno != EINTR))
			return false;
		eventfd_read(call.fd, &count);
	}
	*elem = ring->v.used->ring[ring->seen++ % ring->size];
	return true;
}

/* Was the guest interrupted since the last call? */
static inline bool ring_called(struct ring *ring)
{
	struct pollfd call = { .fd = ring->guest->call_fd[ring->call], .events = POLLIN };
	eventfd_t count;

	return poll(&call, 1, 0) == 1 && !eventfd_read(call.fd, &count);
}

#endif
