// SPDX-License-Identifier: GPL-2.0
/*
 * virtio-vsock without vhost: open() and ioctl() of this test stand in for a kernel with or without
 * vhost-vsock. vsock.sh shows that data passes.
 */
#include <fcntl.h>
#include <linux/vhost.h>
#include <linux/virtio_vsock.h>
#include <stdarg.h>

#include "../../common/guestfile.h"
#include "../../daemon/virtio/vhost.h"
#include "capture.h"
#include "tap.h"
#include "virtio-guest.h"

#define SEQPACKET	(1ULL << VIRTIO_VSOCK_F_SEQPACKET)

static struct {
	bool present;
	unsigned int opened;
	uint64_t cid, taken_from, taken_to;
	uint64_t features;
	int running;
} kernel;

int open(const char *path, int flags, ...)
{
	if (strcmp(path, "/dev/vhost-vsock"))
		return openat(AT_FDCWD, path, flags, 0600);
	if (!kernel.present) {
		errno = ENOENT;
		return -1;
	}
	kernel.opened++;
	kernel.cid = 0;
	kernel.running = 0;
	return openat(AT_FDCWD, "/dev/null", flags);
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);

	switch (request) {
	case VHOST_GET_FEATURES:
		*(uint64_t *)arg = SEQPACKET | 1ULL << VIRTIO_F_VERSION_1 |
				   1ULL << VIRTIO_F_ACCESS_PLATFORM | 1ULL << VHOST_F_LOG_ALL;
		break;
	case VHOST_SET_FEATURES:
		kernel.features = *(uint64_t *)arg;
		break;
	case VHOST_VSOCK_SET_GUEST_CID:
		if (*(uint64_t *)arg >= kernel.taken_from && *(uint64_t *)arg < kernel.taken_to) {
			errno = EADDRINUSE;
			return -1;
		}
		kernel.cid = *(uint64_t *)arg;
		break;
	case VHOST_VSOCK_SET_RUNNING:
		kernel.running = *(int *)arg;
		break;
	}
	return 0;
}

static struct guest_config config;
static uint32_t cid;
static const char *said;

static int add(struct guest *guest, const char *name, struct guest_vsock wanted)
{
	int error;

	config = (struct guest_config){ .file = "web.guest", .vsock = wanted };
	snprintf(config.name, sizeof(config.name), "%s", name);
	cid = 0;
	capture_start();
	error = kinds_make_vsock(guest->bus, &config, &cid);
	said = capture_end();
	return error;
}

TEST(host_without)
{
	struct guest *guest GUEST = guest_new();

	kernel.present = false;
	EXPECT_EQ(0, add(guest, "web", (struct guest_vsock){ }));
	EXPECT_EQ(0, cid);
	EXPECT_SAID("the guest has no AF_VSOCK: there is no /dev/vhost-vsock; run 'modprobe", said);
	EXPECT_EQ(0, add(guest, "web", (struct guest_vsock){ .off = true, .line = 3 }));
	EXPECT_STREQ("", said);
	EXPECT_EQ(-ENOENT, add(guest, "web", (struct guest_vsock){ .line = 3 }));
	EXPECT_SAID("error: web.guest:3: VSock=: there is no /dev/vhost-vsock; run 'modprobe", said);
}

TEST(addresses)
{
	struct guest *guest GUEST = guest_new();
	struct sigma_msg_config msg = { .length = 8 };
	uint32_t first;
	uint64_t seen;

	kernel.present = true;
	ASSERT_EQ(0, add(guest, "web", (struct guest_vsock){ }));
	EXPECT_STREQ("", said);
	EXPECT_TRUE(cid >= VSOCK_CID_MIN && cid <= VSOCK_CID_MAX);
	EXPECT_EQ(cid, kernel.cid);
	ask(guest, 0, SIGMA_MSG_GET_CONFIG, 0, &msg, sizeof(msg), &msg, sizeof(msg));
	memcpy(&seen, msg.data, sizeof(seen));
	EXPECT_EQ(cid, le64toh(seen));
	first = cid;

	ASSERT_EQ(0, add(guest, "web", (struct guest_vsock){ }));
	EXPECT_EQ(first, cid);
	ASSERT_EQ(0, add(guest, "db", (struct guest_vsock){ }));
	EXPECT_NE(first, cid);
	ASSERT_EQ(0, add(guest, "web", (struct guest_vsock){ .cid = 42, .line = 3 }));
	EXPECT_EQ(42, cid);

	kernel.taken_from = first;
	kernel.taken_to = first + 3ULL;
	ASSERT_EQ(0, add(guest, "web", (struct guest_vsock){ }));
	EXPECT_EQ(first + 3, cid);
	EXPECT_EQ(-EADDRINUSE, add(guest, "web", (struct guest_vsock){ .cid = first, .line = 3 }));
	EXPECT_SAID("web.guest:3: VSock=: CID ", said);
	EXPECT_SAID(": another machine of this host has it; give another", said);
	EXPECT_EQ(0, cid);
	kernel.taken_to = 0;
}

TEST(start_and_reset)
{
	struct guest *guest GUEST = guest_new();
	struct ring ring[3];
	uint64_t features;
	uint32_t now;

	kernel.present = true;
	ASSERT_EQ(0, add(guest, "web", (struct guest_vsock){ .cid = 42 }));
	features = get_features(guest, 0);
	EXPECT_TRUE(features & SEQPACKET);
	EXPECT_FALSE(features & (1ULL << VIRTIO_F_ACCESS_PLATFORM | 1ULL << VHOST_F_LOG_ALL));
	for (unsigned int i = 0; i < 2; i++) {
		ASSERT_TRUE(negotiate(guest, 0, features));
		for (unsigned int j = 0; j < 3; j++)
			ASSERT_EQ(0, ring_open(&ring[j], guest, 0, j, 128));
		EXPECT_FALSE(kernel.running);
		ASSERT_TRUE(driver_ok(guest, 0));
		EXPECT_TRUE(kernel.running);
		EXPECT_EQ(SEQPACKET | 1ULL << VIRTIO_F_VERSION_1, kernel.features);

		kernel.opened = 0;
		ASSERT_EQ(0, set_status(guest, 0, 0, &now));
		EXPECT_EQ(1, kernel.opened);
		EXPECT_EQ(42, kernel.cid);
		EXPECT_FALSE(kernel.running);
	}
}

/* vhost-vsock knows none of the guest's connections after that, so the guest is told */
TEST(connections_are_gone)
{
	struct guest *guest GUEST = guest_new();
	struct vring_used_elem elem;
	struct virtio_vsock_event *event;
	struct ring ring[3];
	uint64_t buffer;

	kernel.present = true;
	ASSERT_EQ(0, add(guest, "web", (struct guest_vsock){ .cid = 42 }));
	EXPECT_TRUE(virtio_bus_pauses(guest->bus, 0));
	ASSERT_TRUE(negotiate(guest, 0, get_features(guest, 0)));
	for (unsigned int j = 0; j < 3; j++)
		ASSERT_EQ(0, ring_open(&ring[j], guest, 0, j, 128));
	ASSERT_TRUE(driver_ok(guest, 0));
	buffer = guest_alloc(guest, sizeof(*event));
	event = at(guest, buffer);
	event->id = htole32(1);
	ring_add(&ring[2], &(struct buffer){ buffer, sizeof(*event), VRING_DESC_F_WRITE }, 1);
	EXPECT_FALSE(ring_take(&ring[2], 0, &elem));

	virtio_bus_pause(guest->bus);
	EXPECT_FALSE(kernel.running);
	EXPECT_EQ(-1, guest->kick_fd[ring[0].kick]);
	ASSERT_EQ(0, virtio_bus_resume(guest->bus));
	EXPECT_TRUE(kernel.running);
	EXPECT_EQ(42, kernel.cid);
	ASSERT_TRUE(ring_take(&ring[2], 0, &elem));
	EXPECT_EQ(sizeof(*event), elem.len);
	EXPECT_EQ(VIRTIO_VSOCK_EVENT_TRANSPORT_RESET, le32toh(event->id));

	/* There is no buffer any more */
	virtio_bus_pause(guest->bus);
	ASSERT_EQ(0, virtio_bus_resume(guest->bus));
	EXPECT_FALSE(ring_take(&ring[2], 0, &elem));
}

TEST(address_lost_in_a_reset)
{
	struct guest *guest GUEST = guest_new();
	struct ring ring[3];
	uint32_t now;

	kernel.present = true;
	ASSERT_EQ(0, add(guest, "web", (struct guest_vsock){ .cid = 42 }));
	ASSERT_TRUE(negotiate(guest, 0, get_features(guest, 0)));
	for (unsigned int j = 0; j < 3; j++)
		ASSERT_EQ(0, ring_open(&ring[j], guest, 0, j, 128));
	ASSERT_TRUE(driver_ok(guest, 0));
	kernel.taken_from = 42;
	kernel.taken_to = 43;
	capture_start();
	ASSERT_EQ(0, set_status(guest, 0, 0, &now));
	said = capture_end();
	EXPECT_SAID("vsock0: cannot take CID 42 again: ", said);
	kernel.taken_to = 0;
}

TEST_HARNESS_MAIN
