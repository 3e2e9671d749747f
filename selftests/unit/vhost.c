// SPDX-License-Identifier: GPL-2.0
/*
 * The requests that sigmad makes to vhost. An ioctl() of this test stands in for the kernel and
 * records them; the device node is /dev/null. vsock.sh and networks.sh show that a real vhost serves the queues.
 */
#include <linux/vhost.h>
#include <stdarg.h>

#include "../../daemon/virtio/vhost.h"
#include "capture.h"
#include "tap.h"
#include "virtio-guest.h"

#define FEATURES	(1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_RING_F_INDIRECT_DESC)
#define SIZE		64
#define QUEUES		3
#define SERVED		2	/* number of queues that vhost serves */

static struct {
	unsigned int owners;
	uint64_t features;
	struct vhost_memory_region region[2];
	unsigned int nr_regions;
	struct vhost_vring_state num[SERVED], base[SERVED];
	struct vhost_vring_addr addr[SERVED];
	struct vhost_vring_file kick[SERVED], call[SERVED], error[SERVED];
	unsigned long fail;		/* the request to fail */
	int with;			/* its errno */
} kernel;

/* Replaces the C library's */
int ioctl(int fd, unsigned long request, ...)
{
	const struct vhost_memory *table;
	const struct vhost_vring_file *file;
	const struct vhost_vring_state *state;
	const struct vhost_vring_addr *addr;
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	state = arg;
	file = arg;
	addr = arg;
	table = arg;
	if (request == kernel.fail) {
		errno = kernel.with;
		return -1;
	}

	switch (request) {
	case VHOST_SET_OWNER:
		kernel.owners++;
		return 0;
	case VHOST_GET_FEATURES:
		*(uint64_t *)arg = FEATURES | 1ULL << VHOST_F_LOG_ALL;
		return 0;
	case VHOST_SET_FEATURES:
		kernel.features = *(uint64_t *)arg;
		return 0;
	case VHOST_SET_MEM_TABLE:
		kernel.nr_regions = table->nregions;
		memcpy(kernel.region, table->regions, sizeof(kernel.region));
		return 0;
	case VHOST_SET_VRING_NUM:
		kernel.num[state->index] = *state;
		return 0;
	case VHOST_SET_VRING_BASE:
		kernel.base[state->index] = *state;
		return 0;
	case VHOST_SET_VRING_ADDR:
		kernel.addr[addr->index] = *addr;
		return 0;
	case VHOST_SET_VRING_KICK:
		kernel.kick[file->index] = *file;
		return 0;
	case VHOST_SET_VRING_CALL:
		kernel.call[file->index] = *file;
		return 0;
	case VHOST_SET_VRING_ERR:
		kernel.error[file->index] = *file;
		return 0;
	}
	errno = ENOTTY;
	return -1;
}

/* A device whose first two queues vhost serves */
static struct vhost vhost;
static struct virtio_device dev;
static struct ring ring[QUEUES];
static unsigned int resets;
static const char *said;

static int start(struct virtio_device *dev)
{
	int error = vhost_start(&vhost, dev, SERVED);

	if (error)
		vhost_reset(&vhost, dev);
	return error;
}

static void reset(struct virtio_device *dev)
{
	resets++;
	vhost_reset(&vhost, dev);
}

static void destroy(struct virtio_device *dev)
{
	vhost_close(&vhost);
}

static const struct virtio_device_ops ops = {
	.name = "test", .device_id = 19, .start = start, .reset = reset, .destroy = destroy,
};

/* Up to DRIVER_OK with queues @first to 2; the messages are in @said */
static bool bring_up(struct guest *guest, unsigned int first)
{
	bool up = negotiate(guest, 0, get_features(guest, 0));

	for (unsigned int i = first; i < QUEUES; i++)
		up = up && !ring_open(&ring[i], guest, 0, i, SIZE);
	capture_start();
	up = up && driver_ok(guest, 0);
	said = capture_end();
	return up;
}

static bool add_device(struct guest *guest)
{
	char why[VHOST_WHY_MAX];

	resets = 0;
	memset(&kernel, 0, sizeof(kernel));
	dev = (struct virtio_device){ .ops = &ops, .nr_queues = QUEUES, .features = 4 };
	for (unsigned int i = 0; i < QUEUES; i++)
		dev.queue[i].max_size = SIZE;
	return !vhost_open(&vhost, "null", why) && !guest_add(guest, &dev);
}

static uint64_t mapped(struct guest *guest, uint64_t phys)
{
	return (uintptr_t)at(guest, phys);
}

TEST(no_such_module)
{
	char why[VHOST_WHY_MAX];

	EXPECT_EQ(-ENOENT, vhost_open(&vhost, "vhost-nothing", why));
	EXPECT_STREQ("there is no /dev/vhost-nothing; run 'modprobe vhost-nothing'", why);
	EXPECT_EQ(-1, vhost.fd);

	kernel.fail = VHOST_SET_OWNER;
	kernel.with = ENOMEM;
	EXPECT_EQ(-ENOMEM, vhost_open(&vhost, "null", why));
	EXPECT_SAID("/dev/null: ", why);
	EXPECT_EQ(-1, vhost.fd);
}

TEST(is_told_everything)
{
	struct guest *guest GUEST = guest_new();

	ASSERT_TRUE(add_device(guest));
	EXPECT_EQ(1, kernel.owners);
	ASSERT_TRUE(bring_up(guest, 0));

	/* Negotiated features that vhost knows: neither the event index nor the device's bit 2 */
	EXPECT_EQ(FEATURES, kernel.features);
	ASSERT_EQ(2, kernel.nr_regions);
	EXPECT_EQ(SEGMENT_0, kernel.region[0].guest_phys_addr);
	EXPECT_EQ(SEGMENT_1, kernel.region[1].guest_phys_addr);
	EXPECT_EQ(SEGMENT_SIZE, kernel.region[1].memory_size);
	EXPECT_EQ(mapped(guest, SEGMENT_1), kernel.region[1].userspace_addr);

	for (unsigned int i = 0; i < SERVED; i++) {
		EXPECT_EQ(SIZE, kernel.num[i].num);
		EXPECT_EQ(0, kernel.base[i].num);
		EXPECT_EQ(mapped(guest, ring[i].desc), kernel.addr[i].desc_user_addr);
		EXPECT_EQ(mapped(guest, ring[i].avail), kernel.addr[i].avail_user_addr);
		EXPECT_EQ(mapped(guest, ring[i].used), kernel.addr[i].used_user_addr);
		EXPECT_EQ(0, kernel.addr[i].flags);
		EXPECT_EQ(guest->kick_fd[ring[i].kick], kernel.kick[i].fd);
		EXPECT_EQ(guest->call_fd[ring[i].call], kernel.call[i].fd);
		EXPECT_TRUE(kernel.error[i].fd >= 0);
		/* A kick for what the driver made available before DRIVER_OK */
		EXPECT_TRUE(poll(&(struct pollfd){ kernel.kick[i].fd, POLLIN, 0 }, 1, 0) == 1);
	}
}

TEST(reset_and_once_more)
{
	struct guest *guest GUEST = guest_new();
	uint32_t now;

	ASSERT_TRUE(add_device(guest));
	ASSERT_TRUE(bring_up(guest, 0));
	EXPECT_EQ(0, set_status(guest, 0, 0, &now));
	EXPECT_EQ(1, resets);
	EXPECT_EQ(2, kernel.owners);	/* the device is closed and opened again by then */
	EXPECT_EQ(-1, vhost.error_fd);
	EXPECT_TRUE(bring_up(guest, 0));
	EXPECT_STREQ("", said);
}

TEST(broken_queue)
{
	struct guest *guest GUEST = guest_new();
	uint32_t now;

	ASSERT_TRUE(add_device(guest));
	ASSERT_TRUE(bring_up(guest, 0));
	guest->nr_messages = 0;
	capture_start();
	eventfd_write(kernel.error[1].fd, 1);
	guest_run(guest, 0);
	said = capture_end();
	EXPECT_SAID("misbehaved: null cannot use a queue", said);
	EXPECT_EQ(1, resets);
	EXPECT_TRUE(get_status(guest, 0) & VIRTIO_CONFIG_S_NEEDS_RESET);

	EXPECT_EQ(0, set_status(guest, 0, 0, &now));
	EXPECT_EQ(0, now);
	EXPECT_TRUE(bring_up(guest, 0));
}

TEST(cannot_start)
{
	static const struct {
		unsigned long request;
		int error;
		const char *message;
	} cases[] = {
		{ VHOST_SET_FEATURES, EOPNOTSUPP, "test0: null: it refuses features 0x110000000: " },
		{ VHOST_SET_MEM_TABLE, E2BIG, "fewer pieces of memory than the 2 that the guest has; load vhost with max_mem_regions=64" },
		{ VHOST_SET_MEM_TABLE, ENOMEM, "it refuses the guest's memory: Cannot alloc" },
		{ VHOST_SET_VRING_ADDR, EFAULT, "it refuses queue 0: Bad address" },
	};
	struct guest *guest GUEST = guest_new();
	uint32_t now;

	ASSERT_TRUE(add_device(guest));
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		kernel.fail = cases[i].request;
		kernel.with = cases[i].error;
		EXPECT_FALSE(bring_up(guest, 0));
		EXPECT_SAID(cases[i].message, said);
		EXPECT_EQ(0, set_status(guest, 0, 0, &now));
	}
	kernel.fail = 0;
	EXPECT_FALSE(bring_up(guest, 1));
	EXPECT_SAID("the guest's driver left out queue 0", said);
	EXPECT_EQ(0, set_status(guest, 0, 0, &now));
	EXPECT_TRUE(bring_up(guest, 0));
}

TEST_HARNESS_MAIN
