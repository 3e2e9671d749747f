// SPDX-License-Identifier: GPL-2.0
/*
 * A hostile driver at the transport: control messages, and queues of devices that access every byte
 * that queue.c gives them.
 */
#include <sys/param.h>

#include "hostile.h"

#define DEVICES		2
#define BATCH		64
#define QUEUE_MAX	1024
#define TOUCH_MAX	4096		/* bytes accessed at each end of a buffer */

FUZZ_TARGET(300);

#define SPLIT		1		/* the first byte of the input, as in blk.c */

struct probe {
	struct virtio_device dev;
	uint8_t config[300];
	int start_error;
	unsigned long sum;		/* of all bytes read, which keeps the reads in the code */
	struct vq_request request;
};

static int probe_start(struct virtio_device *dev)
{
	int error = ((struct probe *)dev)->start_error;

	if (error)
		ratelimit_warn(&dev->warned, "probe%u: does not start", dev->id);
	return error;
}

static void probe_reset(struct virtio_device *dev)
{
}

static bool in_one_segment(const struct guest_memory *mem, const struct iovec *iov)
{
	uint64_t at = (uint8_t *)iov->iov_base - mem->base;

	for (unsigned int i = 0; i < mem->nr; i++)
		if (at >= mem->segment[i].offset &&
		    at + iov->iov_len <= mem->segment[i].offset + mem->segment[i].size)
			return true;
	return false;
}

static void check_buffers(const struct guest_memory *mem, const struct vq_buffers *buf)
{
	size_t len = 0;

	for (unsigned int i = 0; i < buf->nr; i++) {
		FUZZ_CHECK(buf->iov[i].iov_len && in_one_segment(mem, &buf->iov[i]));
		len += buf->iov[i].iov_len;
	}
	FUZZ_CHECK(len == buf->len && len <= UINT32_MAX);
}

static void probe_kick(struct virtio_device *dev, struct virtqueue *vq)
{
	const struct guest_memory *mem = dev->port->mem;
	struct probe *probe = (struct probe *)dev;
	struct vq_request *req = &probe->request;
	unsigned int done = 0;

	while (done < BATCH && virtqueue_pop(vq, req) > 0) {
		uint32_t written = req->in.len;
		uint8_t bytes[TOUCH_MAX];
		uint8_t *last;

		FUZZ_CHECK(req->out.nr + req->in.nr <= VIRTQUEUE_SEGMENTS_MAX);
		FUZZ_CHECK(req->out.nr + req->in.nr);
		check_buffers(mem, &req->out);
		check_buffers(mem, &req->in);

		while (vq_read(&req->out, bytes, sizeof(bytes) / 3))
			probe->sum += bytes[0];
		for (; vq_read(&req->out, bytes, 1); probe->sum += bytes[0])
			;
		FUZZ_CHECK(!req->out.nr && !req->out.len);
		last = vq_take_last(&req->in);
		if (last)
			*last = 0x5a;
		memset(bytes, 0x5a, sizeof(bytes));
		vq_write(&req->in, bytes, MIN(req->in.len, sizeof(bytes)));
		vq_skip(&req->in, SIZE_MAX);
		FUZZ_CHECK(!req->in.nr && !req->in.len);

		virtqueue_push(vq, req->head, written);
		done++;
	}
	virtqueue_notify(vq);
	if (done == BATCH)
		virtqueue_kick(vq);
}

static void probe_destroy(struct virtio_device *dev)
{
	free(dev);
}

static const struct virtio_device_ops probe_ops = {
	.name = "probe", .device_id = 42, .start = probe_start, .reset = probe_reset,
	.kick = probe_kick, .destroy = probe_destroy,
};

static struct probe *probe_new(struct guest *guest)
{
	struct probe *probe = calloc(1, sizeof(*probe));

	probe->dev.ops = &probe_ops;
	probe->dev.features = 1ULL << 3;
	probe->dev.config = probe->config;
	probe->dev.config_size = sizeof(probe->config);
	probe->dev.nr_queues = QUEUES;
	probe->dev.queue[0].max_size = QUEUE_MAX;
	probe->dev.queue[1].max_size = 8;
	FUZZ_CHECK(!guest_add(guest, &probe->dev));
	return probe;
}

/* Offer a chain of @nr buffers, or have the process around the bus act */
#define CHAIN(nr, queue, addr, len)	ACT_DEVICE, D_CHAIN, nr, queue, addr, len
#define HOST(what, nr)			ACT_DEVICE, what, nr, 0, ADDR(ZERO, 0), LEN(BYTES, 0)

enum { D_CHAIN, D_RESET_ALL, D_CHANGED, D_SEND_FAILS, D_BIND_FAILS, D_START_FAILS, NR_DONE };

static void act_host(struct driver *driver)
{
	struct probe **probe = driver->data;
	struct guest *guest = driver->guest;
	struct input *in = &driver->in;
	unsigned int what = take8(in) % (3 * NR_DONE), nr = take8(in), queue = take8(in) % QUEUES;
	uint64_t addr = take_addr(in);
	uint32_t len = take_len(in);
	struct buffer buf[16];

	switch (what) {
	case D_RESET_ALL:
		virtio_bus_reset(guest->bus);
		break;
	case D_CHANGED:
		virtio_device_config_changed(&probe[nr % DEVICES]->dev);
		break;
	case D_SEND_FAILS:
		guest->send_error = nr % 2 ? -EAGAIN : 0;
		break;
	case D_BIND_FAILS:
		guest->bind_error = nr % 2 ? -EIO : 0;
		break;
	case D_START_FAILS:
		probe[nr % DEVICES]->start_error = nr & 2 ? -EIO : 0;
		break;
	default:
		for (unsigned int i = 0; i <= nr % 16; i++)
			buf[i] = (struct buffer) {
				addr + i * len, len, nr >> 4 && i >= nr >> 4 ? W : 0,
			};
		add_chain(driver, queue, buf, nr % 16 + 1, nr & 0x80);
	}
}

static void check_probe(struct guest *guest, unsigned int device)
{
	struct vring_used_elem elem;
	struct buffer buf;
	struct ring ring;

	guest->brk = SEGMENT_0 + device * 0x10000;
	FUZZ_CHECK(negotiate(guest, device, get_features(guest, device)));
	FUZZ_CHECK(!ring_open(&ring, guest, device, 0, 8) && driver_ok(guest, device));
	buf = (struct buffer) { guest_alloc(guest, 64), 64, W };
	ring_add(&ring, &buf, 1);
	ring_kick(&ring);
	guest_run(guest, 0);
	FUZZ_CHECK(ring_take(&ring, 0, &elem) && elem.len == 64);
	FUZZ_CHECK(*(uint8_t *)at(guest, buf.phys) == 0x5a && !needs_reset(guest, device));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct probe *probe[DEVICES];
	struct driver driver = {
		.in = { data, size }, .nr_devices = DEVICES, .nr_queues = QUEUES, .act = act_host,
		.data = probe,
	};
	struct guest *guest;

	fuzz_begin();
	driver.guest = guest = guest_new_with_gap(take8(&driver.in) & SPLIT ? GUARD : 0);
	for (unsigned int i = 0; i < DEVICES; i++)
		probe[i] = probe_new(guest);

	be_hostile(&driver);
	for (unsigned int i = 0; i < DEVICES; i++) {
		probe[i]->start_error = 0;
		check_probe(guest, i);
	}
	guest_free(&guest);
	fuzz_end();
	return 0;
}

#define UP_0		UP(0, 0, 6, 0), RUN

CASE(queue_that_is_not_there, 0, UP(0, 0, 6, NOT_STARTED), MESSAGE(0, SIGMA_MSG_GET_VQUEUE, 0, 4),
	B16(2), B16(0), MESSAGE(0, SIGMA_MSG_SET_VQUEUE, 0, 8), B16(0xffff), B16(0xffff), B16(8),
	B16(0), RESET_QUEUE(0, 2), RESET_QUEUE(0, 255))
CASE(device_that_is_not_there, 0, MESSAGE(0, SIGMA_MSG_SET_STATUS, 2, 8), B16(1),
	MESSAGE(0, SIGMA_MSG_SET_STATUS, 0xff, 8), B16(1))
CASE(message_too_short, 0, MESSAGE(0, SIGMA_MSG_SET_VQUEUE, 0, 39))
CASE(message_too_long, 0, MESSAGE(0, SIGMA_MSG_SET_CONFIG, 0, 240))
CASE(response_that_nobody_asked_for, 0, MESSAGE(SIGMA_MSG_RESPONSE, SIGMA_MSG_GET_STATUS, 0, 0),
	MESSAGE(0, SIGMA_MSG_EVENT_CONFIG, 0, 0), MESSAGE(0xff, 0xff, 0xff, 0))
CASE(config_read_out_of_range, 0, MESSAGE(0, SIGMA_MSG_GET_CONFIG, 0, 16), B16(0xffff), B16(0xffff),
	B16(2), MESSAGE(0, SIGMA_MSG_GET_CONFIG, 0, 16), B16(2), B16(0), B16(0xffff), B16(0xffff),
	MESSAGE(0, SIGMA_MSG_GET_CONFIG, 0, 16), B16(299), B16(0), B16(2))
CASE(config_write_out_of_range, 0, UP_0, MESSAGE(0, SIGMA_MSG_SET_CONFIG, 0, 144), B16(0xfff0),
	B16(0xffff), B16(128))
CASE(features_out_of_order, 0, MESSAGE(0, SIGMA_MSG_SET_FEATURES, 0, 8), B16(8), UP_0,
	MESSAGE(0, SIGMA_MSG_SET_FEATURES, 0, 8), B16(8))
CASE(status_out_of_order, 0, STATUS(0, 4), STATUS(0, 7), UP(0, 0, 6, NOT_STARTED), STATUS(0, 15),
	STATUS(0, 1), STATUS(0, 15), STATUS(0, 0x4f), STATUS(0, 0xcf), STATUS(0, 0x20))
CASE(queue_set_twice, 0, UP_0, QUEUE(0, 0, 8, ADDR(WORK, 0), ADDR(WORK, 256), ADDR(WORK, 512)),
	UP(0, 0, 3, NOT_STARTED), QUEUE(0, 0, 8, ADDR(WORK, 0), ADDR(WORK, 256), ADDR(WORK, 512)))
CASE(queue_of_another_device, 0, UP_0, UP(1, 0, 3, 0), CHAIN(0, 0, ADDR(WORK, 0), LEN(BYTES, 8)),
	KICK(0), RUN)
CASE(queue_too_large, 0, UP(0, 0, 6, LEFT_OUT(0) | NOT_STARTED),
	QUEUE(0, 0, 2048, ADDR(DESC, 0), ADDR(AVAIL, 0), ADDR(USED, 0)), STATUS(0, 15))
CASE(largest_queue_at_the_end, SPLIT, UP(0, 0, 6, LEFT_OUT(0) | NOT_STARTED),
	QUEUE(0, 0, 1024, ADDR(END_0, -16384), ADDR(END_1, -2054), ADDR(BEGIN_1, 0)), STATUS(0, 15),
	CHAIN(3, 0, ADDR(WORK, 0), LEN(BYTES, 64)), KICK(0), RUN)
CASE(ring_that_ends_beyond, SPLIT, UP(0, 0, 6, LEFT_OUT(0) | NOT_STARTED),
	QUEUE(0, 0, 1024, ADDR(END_0, -16384), ADDR(END_1, -2052), ADDR(BEGIN_1, 0)), STATUS(0, 15))
CASE(descriptor_table_at_the_top, 0, UP(0, 0, 6, LEFT_OUT(0) | NOT_STARTED),
	QUEUE(0, 0, 8, ADDR(ZERO, -16), ADDR(AVAIL, 0), ADDR(USED, 0)), STATUS(0, 15))
CASE(used_ring_over_available_ring, 0, UP(0, 0, 6, LEFT_OUT(0) | NOT_STARTED),
	QUEUE(0, 0, 8, ADDR(WORK, 0), ADDR(WORK, 256), ADDR(WORK, 252)), STATUS(0, 15),
	CHAIN(0, 0, ADDR(WORK, 4096), LEN(BYTES, 64)), KICK(0), RUN, RUN, RUN)
CASE(buffer_over_its_own_descriptor, 0, UP_0, CHAIN(0x15, 0, ADDR(DESC, 0), LEN(BYTES, 64)),
	KICK(0), RUN)
CASE(indirect_table_of_all_memory, 0, UP_0,
	DESCRIPTOR(ADDR(DESC, 0), ADDR(BEGIN_1, 0), LEN(SEGMENT, 0), INDIRECT, 0),
	DESCRIPTOR(ADDR(BEGIN_1, 0), ADDR(WORK, 0), LEN(BYTES, 8), NEXT, 0xffff), OFFER(0, 0, 0),
	KICK(0), RUN)
CASE(indirect_table_of_no_bytes, 0, UP_0,
	DESCRIPTOR(ADDR(DESC, 0), ADDR(WORK, 0), LEN(BYTES, 0), INDIRECT, 0), OFFER(0, 0, 0),
	KICK(0), RUN)
CASE(index_wraps, 0, UP(0, 0, 0, 0), INDEX(0, 1, 0), KICK(0), RUN, INDEX(0, 0, 0), KICK(0), RUN,
	INDEX(0, 0xffff, 0xffff), KICK(0), RUN)
CASE(event_index_anywhere, 0, UP_0, EVENT(0, 0x8000, 0xff),
	CHAIN(0, 0, ADDR(WORK, 0), LEN(BYTES, 8)), KICK(0), RUN, EVENT(0, 0xffff, 0),
	CHAIN(0, 0, ADDR(WORK, 0), LEN(BYTES, 8)), KICK(0), RUN)
CASE(reset_by_the_host, 0, UP_0, CHAIN(0, 0, ADDR(WORK, 0), LEN(BYTES, 8)), KICK(0),
	HOST(D_RESET_ALL, 0), RUN, KICK(0), OFFER(0, 0, 0), RUN)
CASE(doorbells_that_cannot_be_tied, 0, HOST(D_BIND_FAILS, 1), UP_0, KICK(0), RUN,
	HOST(D_BIND_FAILS, 0), UP_0)
CASE(ring_of_messages_full, 0, HOST(D_SEND_FAILS, 1), UP_0, OFFER(0, 0xffff, 0), KICK(0), RUN)
CASE(start_that_fails, 0, HOST(D_START_FAILS, 2), UP_0, KICK(0), RUN,
	QUEUE(0, 0, 8, ADDR(WORK, 0), ADDR(WORK, 256), ADDR(WORK, 512)), KICK(0), RUN)
