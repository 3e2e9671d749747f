// SPDX-License-Identifier: GPL-2.0
/*
 * The bus: hotplug, unplug, and control messages from the guest's virtio transport (uapi/iosc.h,
 * "Control messages"); request.c has those about one device.
 *
 * A message is handled on a copy and answered in the same call. An answer that reports an error has
 * no payload. A message is only taken while the ring has room for its answer. So an event that
 * comes of the message waits for the answer, and cannot take its room. Warnings are rate-limited,
 * whatever a guest sends.
 */
#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../../common/log.h"
#include "bus.h"
#include "device_table.h"
#include "request.h"

#define FIRST_EVENT_ID		0x40		/* ids from here on are events, without an answer */

/**
 * struct virtio_bus - the devices of one guest
 * @port: what the bus provides to its devices
 * @table: the devices
 * @ops: calls to the process around the bus, with @data
 * @data: for @ops
 * @own_state: @table.state belongs to the bus and is freed with it
 * @state_fd: the file that has @table.state, at byte @state_at; -1: none
 * @answering: a message of the guest is being handled
 * @changed: bit n: the configuration of device n changed meanwhile, and the guest is not told yet
 * @greeted: the guest's transport has sent SIGMA_BUS_HELLO, so it is told of hotplug and unplug
 * @tell_sleep: it shall send SIGMA_BUS_SLEEP
 * @broken_source: watches @port.broken_fd
 * @warned: limits warnings about messages
 */
struct virtio_bus {
	struct virtio_port port;
	struct device_table table;
	const struct virtio_bus_ops *ops;
	void *data;
	bool own_state;
	int state_fd;
	uint64_t state_at;
	bool answering;
	uint64_t changed;
	bool greeted, tell_sleep;
	sd_event_source *broken_source;
	struct ratelimit warned;
};

/* As a handler of request.c */
typedef int (*bus_handler)(struct virtio_bus *bus, const union payload *in, union payload *out);

static int bus_hello(struct virtio_bus *bus, const union payload *in, union payload *out)
{
	bus->greeted = true;
	out->hello.version = htole32(SIGMA_IOSC_VERSION);
	out->hello.flags = htole32(bus->tell_sleep ? SIGMA_HELLO_TELL_SLEEP : 0);
	return sizeof(out->hello);
}

/* End an unplug; @error: 0: the guest released the device; else it stays */
static void end_unplug(struct virtio_bus *bus, struct virtio_device *dev, int error)
{
	unsigned int id = dev->id;

	if (error)
		dev->state->leaving = DEVICE_STAYS;
	else
		device_table_remove(&bus->table, dev);
	bus->ops->released(bus->data, id, error);
}

/* Unplug pending: @has: the guest has the device still; @keeps: it is in use */
static void answer_unplug(struct virtio_bus *bus, struct virtio_device *dev, bool has, bool keeps)
{
	if (!has)
		end_unplug(bus, dev, 0);
	else if (keeps && dev->state->leaving == DEVICE_LEAVES_UNUSED)
		end_unplug(bus, dev, -EBUSY);
}

static int bus_get_devices(struct virtio_bus *bus, const union payload *in, union payload *out)
{
	uint64_t has = le64toh(in->devices.present), keeps = le64toh(in->devices.leaving);
	uint64_t present = 0, leaving = 0;

	for (unsigned int i = 0; i < SIGMA_DEVICES; i++) {
		const uint64_t bit = 1ULL << i;

		if (bus->table.device[i] && bus->table.state->device[i].leaving != DEVICE_STAYS)
			answer_unplug(bus, bus->table.device[i], has & bit, keeps & bit);
		if (!bus->table.device[i])
			continue;
		if (bus->table.state->device[i].leaving != DEVICE_LEAVES)
			present |= bit;
		if (bus->table.state->device[i].leaving == DEVICE_LEAVES_UNUSED)
			leaving |= bit;
	}
	out->devices.present = htole64(present);
	out->devices.leaving = htole64(leaving);
	return sizeof(out->devices);
}

static int bus_ping(struct virtio_bus *bus, const union payload *in, union payload *out)
{
	return 0;
}

static int bus_awake(struct virtio_bus *bus, const union payload *in, union payload *out)
{
	bus->ops->awake(bus->data, le32toh(in->awake.error));
	return 0;
}

static int bus_sleep(struct virtio_bus *bus, const union payload *in, union payload *out)
{
	bus->ops->sleeps(bus->data, in->sleep.asleep);
	return 0;
}

/* @least: bytes of payload that the request must have */
static const struct {
	bus_handler handle;
	size_t least;
} bus_handlers[] = {
	[SIGMA_BUS_HELLO]	= { .handle = bus_hello },
	[SIGMA_BUS_GET_DEVICES]	= { bus_get_devices, sizeof(struct sigma_bus_devices) },
	[SIGMA_BUS_PING]	= { .handle = bus_ping },
	[SIGMA_BUS_AWAKE]	= { bus_awake, sizeof(struct sigma_bus_awake) },
	[SIGMA_BUS_SLEEP]	= { bus_sleep, sizeof(struct sigma_bus_sleep) },
};

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))

static int handle_bus(struct virtio_bus *bus, const struct sigma_msg *msg,
		      const union payload *in, size_t len, union payload *out)
{
	if (msg->device)
		return -EINVAL;
	if (msg->id >= ARRAY_SIZE(bus_handlers) || !bus_handlers[msg->id].handle)
		return -EOPNOTSUPP;
	if (len < bus_handlers[msg->id].least)
		return -EINVAL;
	return bus_handlers[msg->id].handle(bus, in, out);
}

static int handle_device(struct virtio_bus *bus, const struct sigma_msg *msg,
			 const union payload *in, size_t len, union payload *out)
{
	unsigned int id = le16toh(msg->device);

	if (id >= SIGMA_DEVICES || !bus->table.device[id])
		return -ENODEV;
	return request_handle(bus->table.device[id], msg->id, in, len, out);
}

void *virtio_bus_request(struct virtio_bus *bus)
{
	return bus->table.state->request;
}

static void on_changed(void *data, unsigned int id);

static void tell_changes(struct virtio_bus *bus)
{
	static_assert(SIGMA_DEVICES <= 64, "a bit for each device");
	uint64_t changed = bus->changed;

	bus->answering = false;
	bus->changed = 0;
	for (unsigned int i = 0; i < SIGMA_DEVICES; i++)
		if (changed & 1ULL << i && bus->table.device[i])
			on_changed(bus, i);
}

static void handle(struct virtio_bus *bus, const void *msg, size_t len)
{
	struct {
		struct sigma_msg head;
		union payload payload;
	} request = { 0 }, response = { 0 };
	int ret;

	memcpy(&request, msg, len < sizeof(request) ? len : sizeof(request));
	if (len < sizeof(request.head) || len > SIGMA_MSG_MAX ||
	    request.head.flags & ~SIGMA_MSG_BUS || request.head.id >= FIRST_EVENT_ID) {
		ratelimit_warn(&bus->warned, "dropped a message of the guest: %zu bytes, flags 0x%x, id 0x%x: it is not a request; do host and guest run the same version of SIGMA?",
			       len, request.head.flags, request.head.id);
		return;
	}
	len -= sizeof(request.head);

	if (len > sizeof(request.payload))
		ret = -EINVAL;
	else if (request.head.flags & SIGMA_MSG_BUS)
		ret = handle_bus(bus, &request.head, &request.payload, len, &response.payload);
	else
		ret = handle_device(bus, &request.head, &request.payload, len,
				    &response.payload);

	response.head = request.head;
	response.head.flags |= SIGMA_MSG_RESPONSE;
	response.head.status = htole16(ret < 0 ? -ret : 0);
	ret = bus->ops->send(bus->data, &response,
			     sizeof(response.head) + (ret > 0 ? ret : 0));
	if (ret < 0)
		ratelimit_warn(&bus->warned, "could not answer message 0x%x of the guest: %s",
			       request.head.id, strerror(-ret));
}

void virtio_bus_message(struct virtio_bus *bus, const void *msg, size_t len)
{
	uint8_t *persisted = bus->table.state->request;

	bus->answering = true;
	handle(bus, msg, len);
	tell_changes(bus);
	/* First, so that the next sigmad never finds the message with another payload */
	keep(persisted[offsetof(struct sigma_msg, id)], 0);
	memset(persisted, 0, sizeof(bus->table.state->request));
}

/* Send an event, with a warning if that fails */
static void send_event(struct virtio_bus *bus, uint8_t flags, uint8_t id, uint16_t device,
		       const void *payload, size_t len)
{
	struct {
		struct sigma_msg head;
		uint8_t payload[SIGMA_MSG_PAYLOAD_MAX];
	} event = {
		.head = { .flags = flags, .id = id, .device = htole16(device) },
	};
	int ret;

	if (len)
		memcpy(event.payload, payload, len);
	ret = bus->ops->send(bus->data, &event, sizeof(event.head) + len);
	if (ret < 0)
		ratelimit_warn(&bus->warned, "could not tell the guest of a change (event 0x%x of device %u): %s",
			       id, device, strerror(-ret));
}

/* Tell the guest of a hotplug or unplug; it asks for the list of devices then */
static void send_device_event(struct virtio_bus *bus, unsigned int id, bool present)
{
	const struct sigma_bus_event_device event = {
		.device = htole16(id),
		.present = htole16(present),
	};

	if (bus->greeted)
		send_event(bus, SIGMA_MSG_BUS, SIGMA_BUS_EVENT_DEVICE, 0, &event, sizeof(event));
}

static void on_changed(void *data, unsigned int id)
{
	struct virtio_bus *bus = data;

	if (bus->answering)
		bus->changed |= 1ULL << id;
	else
		send_event(bus, 0, SIGMA_MSG_EVENT_CONFIG, id, NULL, 0);
}

static int bind_queue(void *data, uint32_t kick, int kick_fd, uint32_t call, int call_fd)
{
	const struct virtio_bus *bus = data;

	return bus->ops->bind(bus->data, kick, kick_fd, call, call_fd);
}

int virtio_bus_next(const struct virtio_bus *bus)
{
	return device_table_next(&bus->table, bus->port.resuming);
}

int virtio_device_add(struct virtio_making *making, struct virtio_device *dev)
{
	struct virtio_bus *bus = making->bus;
	int error = device_table_add(&bus->table, &bus->port, making, dev);

	if (!error)
		send_device_event(bus, dev->id, true);
	return error;
}

int virtio_bus_remove(struct virtio_bus *bus, unsigned int id, bool force)
{
	struct virtio_device *dev = bus->table.device[id];
	bool release = force && dev->started && dev->ops->release;

	if (force || dev->state->leaving == DEVICE_STAYS)
		dev->state->leaving = force ? DEVICE_LEAVES : DEVICE_LEAVES_UNUSED;
	if (bus->greeted)
		send_device_event(bus, id, false);
	else
		end_unplug(bus, dev, 0);
	return bus->greeted && release ? dev->ops->release(dev) : 0;
}

int virtio_bus_resize(struct virtio_bus *bus, unsigned int id, uint64_t *size)
{
	struct virtio_device *dev = bus->table.device[id];

	return dev->ops->resize(dev, size);
}

static int on_broken(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct virtio_bus *bus = data;
	eventfd_t count;

	eventfd_read(fd, &count);
	for (unsigned int i = 0; i < SIGMA_DEVICES; i++)
		if (bus->table.device[i])
			device_tell_broken(bus->table.device[i]);
	return 0;
}

const char *virtio_bus_counters(const struct virtio_bus *bus, unsigned int id,
				struct virtio_counters *counters)
{
	const struct virtio_device *dev = bus->table.device[id];

	*counters = (struct virtio_counters){};
	if (!dev || dev->ops->elsewhere)
		return NULL;
	for (unsigned int i = 0; i < dev->nr_queues; i++) {
		const struct virtio_counters *moved = &dev->queue[i].moved;

		counters->chains += __atomic_load_n(&moved->chains, __ATOMIC_RELAXED);
		counters->bytes_out += __atomic_load_n(&moved->bytes_out, __ATOMIC_RELAXED);
		counters->bytes_in += __atomic_load_n(&moved->bytes_in, __ATOMIC_RELAXED);
	}
	return dev->ops->name;
}

const char *virtio_bus_stopped(const struct virtio_bus *bus, unsigned int id)
{
	const struct virtio_device *dev = bus->table.device[id];

	if (!dev || !__atomic_load_n(&dev->broken, __ATOMIC_ACQUIRE))
		return NULL;
	if (!dev->lost)
		return "stopped, see the log of sigmad for the reason; restart the guest, or remove it and add it again";
	if (dev->ops->device_id == VIRTIO_ID_BLOCK)
		return "stopped, since its back end has died: all its requests fail, and what was written since the last flush may be lost; stop the guest and check the disk, or remove it with --force, check it and add it again";
	return "stopped, since its back end has died; restart the guest, or remove it with --force and add it again";
}

const char *virtio_bus_trouble(const struct virtio_bus *bus, unsigned int id)
{
	struct virtio_device *dev = bus->table.device[id];

	if (!dev || !dev->ops->trouble || __atomic_load_n(&dev->broken, __ATOMIC_ACQUIRE))
		return NULL;
	return dev->ops->trouble(dev);
}

int virtio_bus_new(struct virtio_bus **out, sd_event *event, const struct guest_memory *mem,
		   const struct virtio_bus_ops *ops, void *data)
{
	struct virtio_bus *bus = calloc(1, sizeof(*bus));
	int ret;

	if (!bus)
		return log_error(-ENOMEM, "cannot make the guest's device bus: out of memory");
	bus->table.state = calloc(1, sizeof(*bus->table.state));
	if (!bus->table.state) {
		ret = -ENOMEM;
		goto free_bus;
	}
	bus->own_state = true;
	bus->state_fd = -1;
	bus->port.mem = mem;
	bus->port.bind = bind_queue;
	bus->port.changed = on_changed;
	bus->port.data = bus;
	bus->ops = ops;
	bus->data = data;
	memset(bus->table.doorbell_used, true, SIGMA_DOORBELL_FIRST);

	bus->port.broken_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (bus->port.broken_fd < 0) {
		ret = -errno;
		goto free_state;
	}
	ret = sd_event_add_io(event, &bus->broken_source, bus->port.broken_fd, EPOLLIN, on_broken,
			      bus);
	if (ret < 0)
		goto close_broken;
	bus->port.event = sd_event_ref(event);
	*out = bus;
	return 0;

close_broken:
	close(bus->port.broken_fd);
free_state:
	free(bus->table.state);
free_bus:
	free(bus);
	return log_error(ret, "cannot make the guest's device bus: %s", strerror(-ret));
}

void virtio_bus_hang_up(struct virtio_bus *bus)
{
	for (unsigned int i = 0; i < SIGMA_DEVICES; i++) {
		struct virtio_device *dev = bus->table.device[i];

		if (dev && dev->ops->device_id == VIRTIO_ID_VSOCK)
			device_reset(dev);
	}
}

void virtio_bus_reset(struct virtio_bus *bus)
{
	bus->greeted = false;
	for (unsigned int i = 0; i < SIGMA_DEVICES; i++) {
		struct virtio_device *dev = bus->table.device[i];

		if (dev && dev->state->leaving != DEVICE_STAYS)
			end_unplug(bus, dev, 0);
		else if (dev)
			device_reset(dev);
	}
}

void virtio_bus_keep(struct virtio_bus *bus, struct virtio_state *state, bool resume)
{
	if (bus->own_state)
		free(bus->table.state);
	bus->own_state = false;
	bus->table.state = state;
	bus->port.resuming = resume;
}

void virtio_bus_keep_in(struct virtio_bus *bus, int fd, uint64_t at)
{
	bus->state_fd = fd;
	bus->state_at = at;
}

static bool is_idle(const struct virtio_device *dev)
{
	for (unsigned int i = 0; i < dev->nr_queues; i++)
		if (dev->queue[i].size && dev->queue[i].unordered && !virtqueue_idle(&dev->queue[i]))
			return false;
	return true;
}

bool virtio_bus_idle(const struct virtio_bus *bus)
{
	for (unsigned int i = 0; i < SIGMA_DEVICES; i++) {
		const struct virtio_device *dev = bus->table.device[i];

		if (dev && dev->started && !__atomic_load_n(&dev->broken, __ATOMIC_ACQUIRE) &&
		    !is_idle(dev))
			return false;
	}
	return true;
}

bool virtio_bus_pauses(const struct virtio_bus *bus, unsigned int id)
{
	return !bus->table.device[id] || bus->table.device[id]->ops->pauses;
}

void virtio_bus_pause(struct virtio_bus *bus)
{
	for (unsigned int i = 0; i < SIGMA_DEVICES; i++)
		if (bus->table.device[i])
			device_pause(bus->table.device[i]);
	bus->port.resuming = true;
}

int virtio_bus_stamp(const struct virtio_bus *bus, unsigned int id, struct disk_stamp *stamp)
{
	struct virtio_device *dev = bus->table.device[id];
	int error;

	if (!dev || !dev->ops->stamp)
		return 0;
	error = dev->ops->stamp(dev, stamp);
	return error ?: 1;
}

int virtio_bus_resume(struct virtio_bus *bus)
{
	/* The length was not persisted, but short requests are zero-padded */
	const size_t longest = sizeof(struct sigma_msg) + sizeof(union payload);
	const struct sigma_msg *request = (const void *)bus->table.state->request;
	uint8_t copy[SIGMA_MSG_MAX];
	int error = 0;

	bus->greeted = true;
	for (unsigned int i = 0; i < SIGMA_DEVICES && !error; i++)
		if (bus->table.device[i])
			error = device_resume(bus->table.device[i]);
	if (error)
		return error;
	if (request->id) {
		memcpy(copy, request, sizeof(copy));
		virtio_bus_message(bus, copy, longest);
	}
	bus->port.resuming = false;
	/* The last sigmad may not have told the guest of a hotplug or unplug; any event does */
	send_device_event(bus, 0, bus->table.device[0]);
	return 0;
}

void virtio_bus_free(struct virtio_bus *bus)
{
	if (!bus)
		return;
	for (unsigned int i = 0; i < SIGMA_DEVICES; i++)
		if (bus->table.device[i])
			device_table_remove(&bus->table, bus->table.device[i]);
	sd_event_source_disable_unref(bus->broken_source);
	sd_event_unref(bus->port.event);
	close(bus->port.broken_fd);
	if (bus->own_state)
		free(bus->table.state);
	free(bus);
}

void virtio_bus_tell_sleep(struct virtio_bus *bus)
{
	bus->tell_sleep = true;
}

void virtio_bus_filter(struct virtio_bus *bus, const struct wake_frames *frames)
{
	for (unsigned int i = 0; i < SIGMA_DEVICES; i++) {
		struct virtio_device *dev = bus->table.device[i];

		if (dev && dev->ops->filter)
			dev->ops->filter(dev, frames);
	}
}

int virtio_bus_rung(const struct virtio_bus *bus, const uint64_t pending[SIGMA_DOORBELL_WORDS],
		    uint32_t device_id)
{
	for (unsigned int i = 0; i < SIGMA_DEVICES; i++) {
		const struct virtio_device *dev = bus->table.device[i];

		if (dev && dev->started && dev->ops->device_id == device_id &&
		    pending[dev->queue[0].call / 64] >> dev->queue[0].call % 64 & 1)
			return i;
	}
	return -1;
}

bool virtio_bus_resuming(const struct virtio_bus *bus)
{
	return bus->port.resuming;
}

sd_event *virtio_bus_event(struct virtio_bus *bus)
{
	return bus->port.event;
}

struct virtio_state *virtio_bus_state(struct virtio_bus *bus)
{
	return bus->table.state;
}

int virtio_bus_state_file(const struct virtio_bus *bus, const void *what, uint64_t *at)
{
	*at = bus->state_at + ((const char *)what - (const char *)bus->table.state);
	return bus->state_fd;
}
