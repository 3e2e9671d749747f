// SPDX-License-Identifier: GPL-2.0
/* The virtio bus: control messages, the order of a device's set-up, events. */
#include <stdio.h>

#include "capture.h"
#include "tap.h"
#include "virtio-guest.h"

#define F_VERSION_1	(1ULL << VIRTIO_F_VERSION_1)
#define F_OURS		(1ULL << 3)
#define DRIVER_OK	(STATUS_FEATURES | VIRTIO_CONFIG_S_DRIVER_OK)

struct probe {
	struct virtio_device dev;
	uint8_t config[300];
	unsigned int starts, resets, kicks;
	int start_error;
	bool changes;		/* its configuration, when it is started */
};

static int probe_start(struct virtio_device *dev)
{
	struct probe *probe = (struct probe *)dev;

	probe->starts++;
	if (probe->changes)
		virtio_device_config_changed(dev);
	return probe->start_error;
}

static void probe_reset(struct virtio_device *dev)
{
	((struct probe *)dev)->resets++;
}

static void probe_kick(struct virtio_device *dev, struct virtqueue *vq)
{
	((struct probe *)dev)->kicks++;
}

static void probe_destroy(struct virtio_device *dev)
{
	free(dev);
}

static const struct virtio_device_ops probe_ops = {
	.name = "probe", .device_id = 42, .start = probe_start, .reset = probe_reset,
	.kick = probe_kick, .destroy = probe_destroy,
};

static struct probe *probe_new(struct guest *guest, unsigned int queues)
{
	struct probe *probe = calloc(1, sizeof(*probe));

	probe->dev.ops = &probe_ops;
	probe->dev.features = F_OURS;
	probe->dev.config = probe->config;
	probe->dev.config_size = sizeof(probe->config);
	for (unsigned int i = 0; i < sizeof(probe->config); i++)
		probe->config[i] = i;
	probe->dev.nr_queues = queues;
	for (unsigned int i = 0; i < queues; i++)
		probe->dev.queue[i].max_size = 64;
	if (guest_add(guest, &probe->dev) < 0) {
		free(probe);
		return NULL;
	}
	return probe;
}

TEST(hello_ping_devices)
{
	struct guest *guest GUEST = guest_new();
	const struct sigma_bus_awake awake = { .error = EBUSY };
	struct sigma_bus_devices devices = { 0 };
	struct sigma_bus_hello hello;

	probe_new(guest, 1);
	probe_new(guest, 1);
	ASSERT_EQ(0, ask(guest, SIGMA_MSG_BUS, SIGMA_BUS_HELLO, 0, NULL, 0, &hello,
			 sizeof(hello)));
	EXPECT_EQ(SIGMA_IOSC_VERSION, hello.version);
	EXPECT_EQ(0, ask(guest, SIGMA_MSG_BUS, SIGMA_BUS_PING, 0, NULL, 0, NULL, 0));
	ASSERT_EQ(0, ask(guest, SIGMA_MSG_BUS, SIGMA_BUS_GET_DEVICES, 0, &devices,
			 sizeof(devices), &devices, sizeof(devices)));
	EXPECT_EQ(3, devices.present);
	EXPECT_EQ(0, devices.leaving);
	EXPECT_EQ(0, ask(guest, SIGMA_MSG_BUS, SIGMA_BUS_AWAKE, 0, &awake, sizeof(awake), NULL, 0));
	EXPECT_EQ(EBUSY, guest->awake_error);
}

TEST(says_when_it_sleeps_if_it_shall)
{
	struct guest *guest GUEST = guest_new();
	const struct sigma_bus_sleep sleep = { .asleep = 1 }, stays = { };
	struct sigma_bus_hello hello;

	ASSERT_EQ(0, ask(guest, SIGMA_MSG_BUS, SIGMA_BUS_HELLO, 0, NULL, 0, &hello, sizeof(hello)));
	EXPECT_EQ(0, hello.flags);
	virtio_bus_tell_sleep(guest->bus);
	ASSERT_EQ(0, ask(guest, SIGMA_MSG_BUS, SIGMA_BUS_HELLO, 0, NULL, 0, &hello, sizeof(hello)));
	EXPECT_EQ(SIGMA_HELLO_TELL_SLEEP, hello.flags);
	EXPECT_EQ(0, ask(guest, SIGMA_MSG_BUS, SIGMA_BUS_SLEEP, 0, &sleep, sizeof(sleep), NULL, 0));
	EXPECT_TRUE(guest->sleeps);
	EXPECT_EQ(0, ask(guest, SIGMA_MSG_BUS, SIGMA_BUS_SLEEP, 0, &stays, sizeof(stays), NULL, 0));
	EXPECT_FALSE(guest->sleeps);
	EXPECT_EQ(EINVAL, ask(guest, SIGMA_MSG_BUS, SIGMA_BUS_SLEEP, 0, &sleep, 7, NULL, 0));
}

TEST(doorbell_of_a_first_queue)
{
	struct guest *guest GUEST = guest_new();
	uint64_t pending[SIGMA_DOORBELL_WORDS] = { 0 };
	struct probe *first = probe_new(guest, 2), *second = probe_new(guest, 2);

	ASSERT_TRUE(first && second);
	memset(pending, 0xff, sizeof(pending));
	EXPECT_EQ(-1, virtio_bus_rung(guest->bus, pending, 42));	/* no driver */
	first->dev.started = true;
	second->dev.started = true;
	EXPECT_EQ(0, virtio_bus_rung(guest->bus, pending, 42));
	EXPECT_EQ(-1, virtio_bus_rung(guest->bus, pending, 43));
	memset(pending, 0, sizeof(pending));
	EXPECT_EQ(-1, virtio_bus_rung(guest->bus, pending, 42));
	pending[first->dev.queue[1].call / 64] |= 1ULL << first->dev.queue[1].call % 64;
	EXPECT_EQ(-1, virtio_bus_rung(guest->bus, pending, 42));
	pending[second->dev.queue[0].call / 64] |= 1ULL << second->dev.queue[0].call % 64;
	EXPECT_EQ(1, virtio_bus_rung(guest->bus, pending, 42));
	first->dev.started = false;
	second->dev.started = false;
}

TEST(malformed_messages)
{
	struct guest *guest GUEST = guest_new();
	struct sigma_msg msg = { .flags = SIGMA_MSG_RESPONSE, .id = SIGMA_MSG_GET_STATUS };
	uint8_t payload[SIGMA_MSG_PAYLOAD_MAX] = { 0 };

	probe_new(guest, 1);
	EXPECT_EQ(ENODEV, ask(guest, 0, SIGMA_MSG_GET_STATUS, 1, NULL, 0, NULL, 0));
	EXPECT_EQ(ENODEV, ask(guest, 0, SIGMA_MSG_GET_STATUS, 0xffff, NULL, 0, NULL, 0));
	EXPECT_EQ(EINVAL, ask(guest, SIGMA_MSG_BUS, SIGMA_BUS_PING, 1, NULL, 0, NULL, 0));
	EXPECT_EQ(EINVAL, ask(guest, SIGMA_MSG_BUS, SIGMA_BUS_GET_DEVICES, 0, payload, 15, NULL, 0));
	EXPECT_EQ(EINVAL, ask(guest, SIGMA_MSG_BUS, SIGMA_BUS_AWAKE, 0, payload, 7, NULL, 0));
	EXPECT_EQ(EOPNOTSUPP, ask(guest, SIGMA_MSG_BUS, 0x3f, 0, NULL, 0, NULL, 0));
	EXPECT_EQ(EOPNOTSUPP, ask(guest, SIGMA_MSG_BUS, 0, 0, NULL, 0, NULL, 0));
	EXPECT_EQ(EOPNOTSUPP, ask(guest, 0, 0x0b + 1, 0, NULL, 0, NULL, 0));
	EXPECT_EQ(EOPNOTSUPP, ask(guest, 0, 0, 0, NULL, 0, NULL, 0));
	EXPECT_EQ(EINVAL, ask(guest, 0, SIGMA_MSG_SET_STATUS, 0, payload, 7, NULL, 0));
	EXPECT_EQ(EINVAL, ask(guest, 0, SIGMA_MSG_SET_VQUEUE, 0, payload, 39, NULL, 0));
	EXPECT_EQ(EINVAL, ask(guest, 0, SIGMA_MSG_GET_STATUS, 0, payload, sizeof(payload),
			      NULL, 0));

	/* These cannot be answered */
	guest->nr_messages = 0;
	virtio_bus_message(guest->bus, &msg, 0);
	virtio_bus_message(guest->bus, &msg, sizeof(msg) - 1);
	virtio_bus_message(guest->bus, &msg, sizeof(msg));
	msg.flags = 0x80;
	virtio_bus_message(guest->bus, &msg, sizeof(msg));
	msg.flags = 0;
	msg.id = SIGMA_MSG_EVENT_CONFIG;
	virtio_bus_message(guest->bus, &msg, sizeof(msg));
	EXPECT_EQ(0, guest->nr_messages);

	/* A full ring is no fatal error */
	guest->send_error = -EAGAIN;
	EXPECT_EQ(-1, ask(guest, SIGMA_MSG_BUS, SIGMA_BUS_PING, 0, NULL, 0, NULL, 0));
	guest->send_error = 0;
	EXPECT_EQ(0, ask(guest, SIGMA_MSG_BUS, SIGMA_BUS_PING, 0, NULL, 0, NULL, 0));
}

TEST(device_info)
{
	struct guest *guest GUEST = guest_new();
	struct sigma_msg_device_info info;

	probe_new(guest, 2);
	ASSERT_EQ(0, ask(guest, 0, SIGMA_MSG_DEVICE_INFO, 0, NULL, 0, &info, sizeof(info)));
	EXPECT_EQ(42, info.device_id);
	EXPECT_EQ(300, info.config_size);
	EXPECT_EQ(2, info.queues);
}

static int get_config(struct guest *guest, uint32_t offset, uint32_t length,
		      struct sigma_msg_config *config)
{
	*config = (struct sigma_msg_config) { .offset = offset, .length = length };
	return ask(guest, 0, SIGMA_MSG_GET_CONFIG, 0, config, sizeof(*config), config,
		   sizeof(*config));
}

TEST(config_space)
{
	struct guest *guest GUEST = guest_new();
	struct probe *probe = probe_new(guest, 1);
	struct sigma_msg_config config;

	ASSERT_EQ(0, get_config(guest, 4, 3, &config));
	EXPECT_EQ(4, config.data[0]);
	EXPECT_EQ(6, config.data[2]);
	EXPECT_EQ(0, config.data[3]);
	EXPECT_EQ(0, config.generation);
	EXPECT_EQ(0, get_config(guest, 300 - SIGMA_CONFIG_CHUNK, SIGMA_CONFIG_CHUNK, &config));
	EXPECT_EQ(0, get_config(guest, 299, 1, &config));

	EXPECT_EQ(EINVAL, get_config(guest, 300, 1, &config));
	EXPECT_EQ(EINVAL, get_config(guest, 299, 2, &config));
	EXPECT_EQ(EINVAL, get_config(guest, 0, 0, &config));
	EXPECT_EQ(EINVAL, get_config(guest, 0, SIGMA_CONFIG_CHUNK + 1, &config));
	EXPECT_EQ(EINVAL, get_config(guest, 0xffffffff, 2, &config));
	EXPECT_EQ(EINVAL, get_config(guest, 2, 0xffffffff, &config));
	EXPECT_EQ(EPERM, ask(guest, 0, SIGMA_MSG_SET_CONFIG, 0, &config, sizeof(config), NULL,
			     0));

	/* No event before DRIVER_OK (virtio 1.2, 2.3), but the generation changes */
	guest->nr_messages = 0;
	virtio_device_config_changed(&probe->dev);
	EXPECT_EQ(0, guest->nr_messages);
	ASSERT_EQ(0, get_config(guest, 0, 1, &config));
	EXPECT_EQ(1, config.generation);

	ASSERT_TRUE(negotiate(guest, 0, F_VERSION_1) && driver_ok(guest, 0));
	guest->nr_messages = 0;
	virtio_device_config_changed(&probe->dev);
	ASSERT_EQ(1, guest->nr_messages);
	EXPECT_EQ(SIGMA_MSG_EVENT_CONFIG, guest->message[0].head.id);
}

/* The ring may have room for one message only, and the guest waits for the answer */
TEST(an_event_follows_the_answer)
{
	struct guest *guest GUEST = guest_new();
	struct probe *probe = probe_new(guest, 1);

	ASSERT_TRUE(negotiate(guest, 0, F_VERSION_1));
	probe->changes = true;
	driver_ok(guest, 0);
	ASSERT_EQ(2, guest->nr_messages);
	EXPECT_EQ(SIGMA_MSG_SET_STATUS, guest->message[0].head.id);
	EXPECT_EQ(SIGMA_MSG_RESPONSE, guest->message[0].head.flags);
	EXPECT_EQ(SIGMA_MSG_EVENT_CONFIG, guest->message[1].head.id);

	/* It is sent once */
	EXPECT_EQ(0, ask(guest, SIGMA_MSG_BUS, SIGMA_BUS_PING, 0, NULL, 0, NULL, 0));
}

TEST(features_are_a_subset)
{
	struct guest *guest GUEST = guest_new();
	struct sigma_msg_features msg = { .features = F_VERSION_1 };
	uint32_t now;

	probe_new(guest, 1);
	EXPECT_EQ(F_VERSION_1 | F_OURS | 1ULL << VIRTIO_RING_F_INDIRECT_DESC |
		  1ULL << VIRTIO_RING_F_EVENT_IDX, get_features(guest, 0));
	/* Before the status DRIVER */
	EXPECT_EQ(EBUSY, ask(guest, 0, SIGMA_MSG_SET_FEATURES, 0, &msg, sizeof(msg), NULL, 0));
	EXPECT_FALSE(negotiate(guest, 0, F_VERSION_1 | 1ULL << 7));
	set_status(guest, 0, 0, &now);
	EXPECT_TRUE(negotiate(guest, 0, F_VERSION_1 | F_OURS));
	/* After FEATURES_OK */
	EXPECT_EQ(EBUSY, ask(guest, 0, SIGMA_MSG_SET_FEATURES, 0, &msg, sizeof(msg), NULL, 0));
}

TEST(legacy_driver_is_refused)
{
	struct guest *guest GUEST = guest_new();
	struct probe *probe = probe_new(guest, 1);
	uint32_t now;

	EXPECT_FALSE(negotiate(guest, 0, F_OURS));
	EXPECT_EQ(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER, get_status(guest, 0));
	EXPECT_EQ(0, set_status(guest, 0, DRIVER_OK, &now));
	EXPECT_EQ(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER, now);
	EXPECT_EQ(0, probe->starts);
}

TEST(status_goes_in_order)
{
	struct guest *guest GUEST = guest_new();
	uint32_t now;

	probe_new(guest, 1);
	EXPECT_EQ(EINVAL, set_status(guest, 0, VIRTIO_CONFIG_S_DRIVER, &now));
	EXPECT_EQ(EINVAL, set_status(guest, 0, VIRTIO_CONFIG_S_ACKNOWLEDGE |
				     VIRTIO_CONFIG_S_FEATURES_OK, &now));
	EXPECT_EQ(EINVAL, set_status(guest, 0, VIRTIO_CONFIG_S_ACKNOWLEDGE |
				     VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_DRIVER_OK, &now));
	EXPECT_EQ(EINVAL, set_status(guest, 0, 0x20, &now));
	EXPECT_EQ(EINVAL, set_status(guest, 0, 0x10001, &now));
	ASSERT_TRUE(negotiate(guest, 0, F_VERSION_1));
	/* Only a reset clears bits */
	EXPECT_EQ(EINVAL, set_status(guest, 0, VIRTIO_CONFIG_S_ACKNOWLEDGE, &now));
	EXPECT_EQ(0, set_status(guest, 0, STATUS_FEATURES | VIRTIO_CONFIG_S_FAILED, &now));
	EXPECT_EQ(STATUS_FEATURES | VIRTIO_CONFIG_S_FAILED, get_status(guest, 0));
	EXPECT_EQ(0, set_status(guest, 0, 0, &now));
	EXPECT_EQ(0, get_status(guest, 0));
}

TEST(queue_comes_and_goes)
{
	struct guest *guest GUEST = guest_new();
	struct probe *probe = probe_new(guest, 2);
	struct sigma_msg_vqueue msg = { .index = 2 };
	struct ring ring[2];
	uint32_t now;

	EXPECT_EQ(ENOENT, ask(guest, 0, SIGMA_MSG_GET_VQUEUE, 0, &msg, sizeof(msg), NULL, 0));
	EXPECT_EQ(ENOENT, ask(guest, 0, SIGMA_MSG_RESET_VQUEUE, 0, &msg, sizeof(msg), NULL, 0));
	/* Not before the features are negotiated */
	EXPECT_EQ(EBUSY, ring_open(&ring[0], guest, 0, 0, 8));
	ASSERT_TRUE(negotiate(guest, 0, F_VERSION_1));
	EXPECT_EQ(ENOENT, ask(guest, 0, SIGMA_MSG_SET_VQUEUE, 0, &msg, sizeof(msg), NULL, 0));
	EXPECT_EQ(EINVAL, ring_open(&ring[0], guest, 0, 0, 128));
	guest->bind_error = -EIO;
	EXPECT_EQ(EIO, ring_open(&ring[0], guest, 0, 0, 8));
	guest->bind_error = 0;
	ASSERT_EQ(0, ring_open(&ring[0], guest, 0, 0, 8));
	EXPECT_EQ(EBUSY, ring_open(&ring[0], guest, 0, 0, 8));
	ASSERT_EQ(0, ring_open(&ring[1], guest, 0, 1, 8));
	EXPECT_NE(ring[0].kick, ring[1].kick);
	EXPECT_NE(ring[0].call, ring[1].call);
	EXPECT_TRUE(ring[0].kick >= SIGMA_DOORBELL_FIRST);

	msg.index = 1;
	EXPECT_EQ(0, ask(guest, 0, SIGMA_MSG_RESET_VQUEUE, 0, &msg, sizeof(msg), NULL, 0));
	EXPECT_EQ(0, ask(guest, 0, SIGMA_MSG_RESET_VQUEUE, 0, &msg, sizeof(msg), NULL, 0));
	EXPECT_EQ(-1, guest->kick_fd[ring[1].kick]);
	ASSERT_EQ(0, ring_open(&ring[1], guest, 0, 1, 8));

	ASSERT_TRUE(driver_ok(guest, 0));
	EXPECT_EQ(1, probe->starts);
	EXPECT_EQ(EBUSY, ask(guest, 0, SIGMA_MSG_RESET_VQUEUE, 0, &msg, sizeof(msg), NULL, 0));
	/* Each queue gets one kick, since the driver may have filled it before */
	guest_run(guest, 0);
	EXPECT_EQ(2, probe->kicks);
	ring_kick(&ring[1]);
	guest_run(guest, 0);
	EXPECT_EQ(3, probe->kicks);

	EXPECT_EQ(0, set_status(guest, 0, 0, &now));
	EXPECT_EQ(1, probe->resets);
	EXPECT_EQ(3, guest->binds);
	EXPECT_EQ(3, guest->unbinds);
	/* A second reset has nothing to do */
	EXPECT_EQ(0, set_status(guest, 0, 0, &now));
	EXPECT_EQ(1, probe->resets);
}

TEST(start_that_fails_breaks_the_device)
{
	struct guest *guest GUEST = guest_new();
	struct probe *probe = probe_new(guest, 1);
	uint32_t now;

	probe->start_error = -EIO;
	ASSERT_TRUE(negotiate(guest, 0, F_VERSION_1));
	capture_start();
	EXPECT_FALSE(driver_ok(guest, 0));
	EXPECT_STREQ("", capture_end());	/* the driver is not blamed */
	EXPECT_EQ(DRIVER_OK | VIRTIO_CONFIG_S_NEEDS_RESET | SIGMA_STATUS_LOST,
		  get_status(guest, 0));
	EXPECT_EQ(0, set_status(guest, 0, 0, &now));
	EXPECT_EQ(0, probe->resets);
	probe->start_error = 0;
	EXPECT_TRUE(negotiate(guest, 0, F_VERSION_1) && driver_ok(guest, 0));
}

TEST(broken_device_is_told_once)
{
	struct guest *guest GUEST = guest_new();
	struct probe *probe = probe_new(guest, 1);
	struct ring ring;

	ASSERT_TRUE(negotiate(guest, 0, F_VERSION_1) && !ring_open(&ring, guest, 0, 0, 8) &&
		    driver_ok(guest, 0));
	guest_run(guest, 0);
	guest->nr_messages = 0;
	virtio_device_broken(&probe->dev, "test %d", 1);
	virtio_device_broken(&probe->dev, "test %d", 2);
	guest_run(guest, 0);
	EXPECT_EQ(1, guest->nr_messages);
	ring_kick(&ring);
	guest_run(guest, 0);
	EXPECT_EQ(1, probe->kicks);	/* the kick at the start */
}

TEST(driver_cannot_flood_the_journal)
{
	struct guest *guest GUEST = guest_new();
	struct probe *probe = probe_new(guest, 1);
	struct sigma_msg_vqueue misplaced = { .size = 8, .desc = NOWHERE };
	unsigned int lines = 0;
	struct ring ring;
	uint32_t now;

	capture_start();
	for (unsigned int i = 0; i < 100; i++) {
		negotiate(guest, 0, F_OURS);		/* cannot work */
		set_status(guest, 0, 0, &now);

		negotiate(guest, 0, F_VERSION_1);
		ring_open(&ring, guest, 0, 0, 12);	/* no power of two */
		ask(guest, 0, SIGMA_MSG_SET_VQUEUE, 0, &misplaced, sizeof(misplaced), NULL, 0);
		guest->bind_error = -EIO;
		ring_open(&ring, guest, 0, 0, 8);
		guest->bind_error = 0;
		driver_ok(guest, 0);
		virtio_device_broken(&probe->dev, "on purpose");
		set_status(guest, 0, 0, &now);
		guest->brk = SEGMENT_0;
	}
	for (const char *said = capture_end(); *said; said++)
		lines += *said == '\n';
	EXPECT_TRUE(lines >= 1 && lines <= 10);
}

TEST(bus_reset_resets_all)
{
	struct guest *guest GUEST = guest_new();
	struct probe *probe[2] = { probe_new(guest, 1), probe_new(guest, 1) };

	for (unsigned int i = 0; i < 2; i++)
		ASSERT_TRUE(negotiate(guest, i, F_VERSION_1) && driver_ok(guest, i));
	virtio_bus_reset(guest->bus);
	for (unsigned int i = 0; i < 2; i++) {
		EXPECT_EQ(1, probe[i]->resets);
		EXPECT_EQ(0, get_status(guest, i));
	}
}

TEST(new_device_is_announced)
{
	struct guest *guest GUEST = guest_new();
	struct sigma_bus_hello hello;
	struct sigma_bus_event_device event;

	probe_new(guest, 1);
	EXPECT_EQ(0, guest->nr_messages);	/* no driver has said hello */
	ask(guest, SIGMA_MSG_BUS, SIGMA_BUS_HELLO, 0, NULL, 0, &hello, sizeof(hello));
	guest->nr_messages = 0;
	probe_new(guest, 1);
	ASSERT_EQ(1, guest->nr_messages);
	EXPECT_EQ(SIGMA_BUS_EVENT_DEVICE, guest->message[0].head.id);
	EXPECT_EQ(SIGMA_MSG_BUS, guest->message[0].head.flags);
	ASSERT_EQ(sizeof(event), guest->message[0].len);
	memcpy(&event, guest->message[0].payload, sizeof(event));
	EXPECT_EQ(1, event.device);
	EXPECT_EQ(1, event.present);
}

static void hello(struct guest *guest)
{
	struct sigma_bus_hello hello;

	ask(guest, SIGMA_MSG_BUS, SIGMA_BUS_HELLO, 0, NULL, 0, &hello, sizeof(hello));
}

/* The guest reports what it has and what of that it keeps; it must be told @present and @leaving */
static bool told(struct guest *guest, uint64_t has, uint64_t keeps, uint64_t present,
		 uint64_t leaving)
{
	struct sigma_bus_devices devices = { .present = has, .leaving = keeps };

	return !ask(guest, SIGMA_MSG_BUS, SIGMA_BUS_GET_DEVICES, 0, &devices, sizeof(devices),
		    &devices, sizeof(devices)) &&
	       devices.present == present && devices.leaving == leaving;
}

/* A running guest with two devices and their drivers */
static struct guest *two_devices(struct probe *probe[2])
{
	struct guest *guest = guest_new();

	hello(guest);
	for (unsigned int i = 0; i < 2; i++) {
		probe[i] = probe_new(guest, 2);
		if (!negotiate(guest, i, F_VERSION_1) || !driver_ok(guest, i))
			abort();
	}
	guest->nr_messages = 0;
	return guest;
}

TEST(device_leaves)
{
	struct probe *probe[2];
	struct guest *guest GUEST = two_devices(probe);
	struct sigma_bus_event_device event;
	uint32_t now;

	virtio_bus_remove(guest->bus, 0, false);
	ASSERT_EQ(1, guest->nr_messages);
	EXPECT_EQ(SIGMA_BUS_EVENT_DEVICE, guest->message[0].head.id);
	memcpy(&event, guest->message[0].payload, sizeof(event));
	EXPECT_EQ(0, event.device);
	EXPECT_EQ(0, event.present);

	/* The device answers as long as the guest has it, and its number stays taken */
	EXPECT_TRUE(told(guest, 3, 0, 3, 1));
	EXPECT_EQ(DRIVER_OK, get_status(guest, 0));
	probe_new(guest, 1);
	EXPECT_TRUE(told(guest, 3, 0, 7, 1));
	EXPECT_EQ(0, set_status(guest, 0, 0, &now));
	EXPECT_EQ(0, guest->released);
	EXPECT_TRUE(told(guest, 6, 0, 6, 0));
	EXPECT_EQ(1, guest->released);
	EXPECT_EQ(0, guest->released_id);
	EXPECT_EQ(0, guest->release_error);
	EXPECT_EQ(ENODEV, ask(guest, 0, SIGMA_MSG_GET_STATUS, 0, NULL, 0, NULL, 0));
	EXPECT_EQ(DRIVER_OK, get_status(guest, 1));

	/* Now the number is free */
	probe_new(guest, 1);
	EXPECT_TRUE(told(guest, 6, 0, 7, 0));
	EXPECT_EQ(0, get_status(guest, 0));
}

TEST(device_in_use_stays)
{
	struct probe *probe[2];
	struct guest *guest GUEST = two_devices(probe);

	virtio_bus_remove(guest->bus, 1, false);
	EXPECT_TRUE(told(guest, 3, 0, 3, 2));
	EXPECT_TRUE(told(guest, 3, 2, 3, 0));
	EXPECT_EQ(1, guest->released);
	EXPECT_EQ(1, guest->released_id);
	EXPECT_EQ(-EBUSY, guest->release_error);
	EXPECT_EQ(0, probe[1]->resets);

	/* A forced removal overrides the guest, and requests without force before or after it */
	virtio_bus_remove(guest->bus, 1, false);
	virtio_bus_remove(guest->bus, 1, true);
	virtio_bus_remove(guest->bus, 1, false);
	EXPECT_TRUE(told(guest, 3, 2, 1, 0));
	EXPECT_EQ(1, guest->released);
	EXPECT_TRUE(told(guest, 1, 0, 1, 0));
	EXPECT_EQ(2, guest->released);
	EXPECT_EQ(0, guest->release_error);
}

/* Reports about devices that are not leaving, or do not exist, have no effect */
TEST(guest_cannot_remove)
{
	struct probe *probe[2];
	struct guest *guest GUEST = two_devices(probe);

	EXPECT_TRUE(told(guest, 0, 0, 3, 0));
	EXPECT_TRUE(told(guest, ~0ULL, ~0ULL, 3, 0));
	EXPECT_EQ(0, guest->released);
	EXPECT_EQ(0, probe[0]->resets + probe[1]->resets);
}

TEST(nobody_is_asked_where_no_driver_is_up)
{
	struct guest *guest GUEST = guest_new();

	probe_new(guest, 1);
	virtio_bus_remove(guest->bus, 0, false);
	EXPECT_EQ(1, guest->released);
	EXPECT_EQ(0, guest->nr_messages);
	probe_new(guest, 1);
	hello(guest);
	EXPECT_TRUE(told(guest, 0, 0, 1, 0));
	virtio_bus_remove(guest->bus, 0, false);
	EXPECT_EQ(1, guest->released);
	virtio_bus_reset(guest->bus);		/* the guest's kernel is gone */
	EXPECT_EQ(2, guest->released);
}

/* Numbers and doorbells become free again, also between others */
TEST(device_comes_and_goes)
{
	struct guest *guest GUEST = guest_new();
	const unsigned int most = (SIGMA_DOORBELLS - SIGMA_DOORBELL_FIRST) / SIGMA_QUEUES;

	for (unsigned int i = 0; i < most; i++)
		ASSERT_TRUE(probe_new(guest, SIGMA_QUEUES));
	for (unsigned int i = 0; i < 100; i++) {
		struct sigma_msg_vqueue msg = { .index = SIGMA_QUEUES - 1 };
		unsigned int id = i % most;

		virtio_bus_remove(guest->bus, id, false);
		ASSERT_EQ(id, guest->released_id);
		ASSERT_TRUE(probe_new(guest, SIGMA_QUEUES));
		ASSERT_EQ(0, ask(guest, 0, SIGMA_MSG_GET_VQUEUE, id, &msg, sizeof(msg), &msg,
				 sizeof(msg)));
		EXPECT_EQ(SIGMA_DOORBELL_FIRST + (id + 1) * SIGMA_QUEUES - 1, msg.kick);
	}
	EXPECT_EQ(100, guest->released);
}

TEST(bus_has_limits)
{
	struct guest *guest GUEST = guest_new();
	unsigned int nr = 0;

	while (probe_new(guest, SIGMA_QUEUES))
		nr++;
	EXPECT_EQ((SIGMA_DOORBELL_END - SIGMA_DOORBELL_FIRST) / SIGMA_QUEUES, nr);
	while (probe_new(guest, 0))
		nr++;
	EXPECT_EQ(SIGMA_DEVICES, nr);
}

TEST(random_messages)
{
	struct guest *guest GUEST = guest_new();
	uint32_t state = 1;
	uint8_t msg[SIGMA_MSG_MAX];

	probe_new(guest, 2);
	if (!freopen("/dev/null", "w", stderr))
		abort();
	for (unsigned int i = 0; i < 200000; i++) {
		for (unsigned int j = 0; j < 64; j++) {
			state = state * 1664525 + 1013904223;
			/* Mostly small values, so that many messages make sense */
			msg[j] = state >> 30 ? (state >> 8) % 4 : state >> 16;
		}
		msg[1] %= 16;
		msg[3] = 0;
		guest->nr_messages = 0;
		virtio_bus_message(guest->bus, msg, state % sizeof(msg));
		if (i % 1000 == 0)
			guest_run(guest, 0);
	}
}

TEST_HARNESS_MAIN
