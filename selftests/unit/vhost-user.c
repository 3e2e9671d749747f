// SPDX-License-Identifier: GPL-2.0
/*
 * The vhost-user front end against a simulated back end: a thread that records what it is told, and
 * misbehaves in every possible way. virtio-fs.c has a real back end.
 */
#include <fcntl.h>
#include <linux/vhost_types.h>
#include <linux/virtio_blk.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "../../daemon/virtio/vhost_user.h"
#include "capture.h"
#include "tap.h"
#include "virtio-guest.h"

#define SIZE		64
#define QUEUES		3
#define PROTOCOL	(1ULL << 30)
#define REPLY_ACK	(1ULL << 3)
#define CHANNEL		(1ULL << 5)
#define CONFIG		(1ULL << 9)
#define SLOTS		(1ULL << 15)

enum {
	GET_FEATURES = 1, SET_FEATURES = 2, SET_OWNER = 3, SET_MEM_TABLE = 5, SET_VRING_NUM = 8,
	SET_VRING_ADDR = 9, SET_VRING_BASE = 10, GET_VRING_BASE = 11, SET_VRING_KICK = 12,
	SET_VRING_CALL = 13, SET_VRING_ERR = 14, GET_PROTOCOL_FEATURES = 15,
	SET_PROTOCOL_FEATURES = 16, GET_QUEUE_NUM = 17, SET_VRING_ENABLE = 18,
	SET_BACKEND_REQ_FD = 21, GET_CONFIG = 24, GET_MAX_MEM_SLOTS = 36,
	ADD_MEM_REG = 37, REQUESTS
};

enum fault {
	NONE, SILENT, CLOSES, TOO_LONG, TOO_SHORT, OTHER_REQUEST, NO_REPLY_FLAG, REFUSES, MANY_FDS,
};

static const char config[] = "config of the device";

struct region {
	uint64_t phys, size, user, offset;
};

static struct back_end {
	int fd;
	pthread_t thread;
	uint64_t offers, protocol;	/* features */
	uint64_t queues, slots;
	char config[sizeof(config)];
	unsigned int fault_at;		/* number of the request */
	enum fault fault;
	/* recorded by the back end */
	uint64_t features, protocol_set;
	unsigned int seen[REQUESTS];
	bool confirm;
	struct region region[8];
	int region_fd[8];
	unsigned int nr_regions;
	struct vhost_vring_addr addr[QUEUES];
	unsigned int num[QUEUES], base[QUEUES], enabled[QUEUES];
	int kick[QUEUES], call[QUEUES], error[QUEUES];
	int channel;
} back;

struct header {
	uint32_t request, flags, size;
};

static void reply(const struct header *to, const void *payload, size_t size)
{
	struct header head = { to->request, 0x5, size };
	char long_one[4096] = "";
	union {
		char bytes[CMSG_SPACE(16 * sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov[] = { { &head, sizeof(head) }, { long_one, size } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };

	memcpy(long_one, payload, size);
	switch (to->request == back.fault_at ? back.fault : NONE) {
	case SILENT:
		return;
	case TOO_LONG:
		head.size = sizeof(long_one);
		iov[1].iov_len = sizeof(long_one);
		break;
	case TOO_SHORT:
		head.size = 4;
		iov[1].iov_len = 4;
		break;
	case OTHER_REQUEST:
		head.request++;
		break;
	case NO_REPLY_FLAG:
		head.flags = 1;
		break;
	case REFUSES:
		long_one[0] = 1;
		break;
	case MANY_FDS:
		control.align = (struct cmsghdr) {
			.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
			.cmsg_len = CMSG_LEN(16 * sizeof(int)),
		};
		for (unsigned int i = 0; i < 16; i++)
			memcpy(CMSG_DATA(&control.align) + i * sizeof(int), &back.fd, sizeof(int));
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		break;
	default:
		break;
	}
	sendmsg(back.fd, &msg, MSG_NOSIGNAL);
}

static void note(const struct header *head, const void *payload, const int *fds,
		 unsigned int nr_fds)
{
	const struct vhost_vring_state *state = payload;
	const struct vhost_vring_addr *addr = payload;
	uint64_t number;

	memcpy(&number, payload, sizeof(number));
	switch (head->request) {
	case SET_FEATURES:
		back.features = number;
		break;
	case SET_PROTOCOL_FEATURES:
		back.protocol_set = number;
		back.confirm = number & REPLY_ACK;
		break;
	case SET_MEM_TABLE:
		back.nr_regions = nr_fds;
		memcpy(back.region, (const char *)payload + 8, nr_fds * sizeof(struct region));
		memcpy(back.region_fd, fds, nr_fds * sizeof(int));
		break;
	case ADD_MEM_REG:
		memcpy(&back.region[back.nr_regions], (const char *)payload + 8,
		       sizeof(struct region));
		back.region_fd[back.nr_regions++] = fds[0];
		break;
	case SET_VRING_NUM:
		back.num[state->index] = state->num;
		break;
	case SET_VRING_BASE:
		back.base[state->index] = state->num;
		break;
	case SET_VRING_ENABLE:
		back.enabled[state->index] = state->num;
		break;
	case SET_VRING_ADDR:
		back.addr[addr->index] = *addr;
		break;
	case SET_VRING_KICK:
		back.kick[number] = fds[0];
		break;
	case SET_VRING_CALL:
		back.call[number] = fds[0];
		break;
	case SET_VRING_ERR:
		back.error[number] = fds[0];
		break;
	case SET_BACKEND_REQ_FD:
		back.channel = fds[0];
		break;
	}
}

static void *back_end(void *data)
{
	union {
		char bytes[CMSG_SPACE(16 * sizeof(int))];
		struct cmsghdr align;
	} control;
	uint64_t payload[64], zero = 0;
	struct header head;
	int fds[16];

	for (;;) {
		struct iovec iov = { &head, sizeof(head) };
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
				      .msg_controllen = sizeof(control) };
		unsigned int nr_fds = 0;
		struct cmsghdr *cmsg;

		if (recvmsg(back.fd, &msg, MSG_WAITALL) != sizeof(head) ||
		    (head.size && recv(back.fd, payload, head.size, MSG_WAITALL) != head.size))
			break;
		cmsg = CMSG_FIRSTHDR(&msg);
		if (cmsg) {
			nr_fds = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
			memcpy(fds, CMSG_DATA(cmsg), nr_fds * sizeof(int));
		}
		back.seen[head.request]++;
		if (head.request == back.fault_at && back.fault == CLOSES)
			break;
		note(&head, payload, fds, nr_fds);

		switch (head.request) {
		case GET_FEATURES:
			reply(&head, &back.offers, 8);
			break;
		case GET_PROTOCOL_FEATURES:
			reply(&head, &back.protocol, 8);
			break;
		case GET_QUEUE_NUM:
			reply(&head, &back.queues, 8);
			break;
		case GET_MAX_MEM_SLOTS:
			reply(&head, &back.slots, 8);
			break;
		case GET_VRING_BASE:
			reply(&head, payload, 8);
			break;
		case GET_CONFIG:
			memcpy((uint8_t *)payload + 12, back.config, sizeof(back.config));
			reply(&head, payload, head.size);
			break;
		default:
			if (head.flags & 0x8)
				reply(&head, &zero, 8);
		}
	}
	close(back.fd);
	return NULL;
}

static struct vhost_user vu;
static struct virtio_device dev;
static struct ring ring[QUEUES];
static unsigned int resets;
static const char *said;

static int start(struct virtio_device *dev)
{
	int error = vhost_user_start(&vu, dev);

	if (error)
		vhost_user_close(&vu);
	return error;
}

static void reset(struct virtio_device *dev)
{
	resets++;
	vhost_user_stop(&vu);
	if (!vhost_user_alive(&vu))
		vhost_user_close(&vu);
}

static void destroy(struct virtio_device *dev)
{
	vhost_user_close(&vu);
	pthread_join(back.thread, NULL);
}

static const struct virtio_device_ops ops = {
	.name = "test", .device_id = 26, .start = start, .reset = reset, .destroy = destroy,
};

static int open_it(unsigned int fault_at, enum fault fault)
{
	int fds[2];

	socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds);
	back.fd = fds[1];
	back.fault_at = fault_at;
	back.fault = fault;
	pthread_create(&back.thread, NULL, back_end, NULL);
	/* Nothing but a back end that is silent is waited for in vain */
	vhost_user_seconds = fault == SILENT ? 1 : VHOST_USER_SECONDS;
	return vhost_user_open(&vu, "back end", fds[0]);
}

static void forget(void)
{
	back = (struct back_end){
		.offers = PROTOCOL | 1ULL << VIRTIO_F_VERSION_1 |
			  1ULL << VIRTIO_RING_F_INDIRECT_DESC,
		.protocol = ~0ULL, .queues = QUEUES, .slots = 32,
	};
	memcpy(back.config, config, sizeof(config));
}

static bool add_device(struct guest *guest)
{
	resets = 0;
	dev = (struct virtio_device){ .ops = &ops, .nr_queues = QUEUES, .lacks = ~vu.features };
	for (unsigned int i = 0; i < QUEUES; i++)
		dev.queue[i].max_size = SIZE;
	return !guest_add(guest, &dev);
}

static bool bring_up(struct guest *guest, unsigned int nr)
{
	bool up = negotiate(guest, 0, get_features(guest, 0));

	for (unsigned int i = 0; i < nr; i++)
		up = up && !ring_open(&ring[i], guest, 0, i, SIZE);
	capture_start();
	up = up && driver_ok(guest, 0);
	said = capture_end();
	return up;
}

static uint64_t mapped(struct guest *guest, uint64_t phys)
{
	return (uintptr_t)at(guest, phys);
}

/* The value at @phys, as the back end sees it */
static uint64_t seen_at(uint64_t phys)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < back.nr_regions; i++)
		if (phys >= back.region[i].phys && phys - back.region[i].phys < back.region[i].size)
			pread(back.region_fd[i], &value, sizeof(value),
			      back.region[i].offset + phys - back.region[i].phys);
	return value;
}

static void is_told_everything(uint64_t without)
{
	struct guest *guest GUEST = guest_new();
	uint32_t now;

	forget();
	back.protocol &= ~without;
	ASSERT_EQ(0, open_it(0, NONE));
	EXPECT_EQ(QUEUES, vu.nr_queues);
	ASSERT_TRUE(add_device(guest));
	/* Features that the back end lacks are not offered */
	EXPECT_EQ(back.offers & ~PROTOCOL, get_features(guest, 0));
	memcpy(at(guest, SEGMENT_0 + 0x3000000), "segment0", 8);
	memcpy(at(guest, SEGMENT_1 + 0x1000), "segment1", 8);
	ASSERT_TRUE(bring_up(guest, 2));
	EXPECT_STREQ("", said);

	/* The back end answers in order, so it has recorded everything before its answer */
	vhost_user_stop(&vu);
	EXPECT_EQ(1, back.seen[SET_OWNER]);
	EXPECT_EQ(back.protocol & (1 | REPLY_ACK | CHANNEL | CONFIG | SLOTS), back.protocol_set);
	EXPECT_EQ(back.offers, back.features);
	EXPECT_EQ(without & SLOTS ? 1 : 0, back.seen[SET_MEM_TABLE]);
	ASSERT_EQ(2, back.nr_regions);
	EXPECT_EQ(SEGMENT_1, back.region[1].phys);
	EXPECT_EQ(SEGMENT_SIZE, back.region[1].size);
	EXPECT_EQ(mapped(guest, SEGMENT_1), back.region[1].user);
	EXPECT_TRUE(seen_at(SEGMENT_0 + 0x3000000) == *(uint64_t *)"segment0");
	EXPECT_TRUE(seen_at(SEGMENT_1 + 0x1000) == *(uint64_t *)"segment1");
	for (unsigned int i = 0; i < 2; i++) {
		EXPECT_EQ(SIZE, back.num[i]);
		EXPECT_EQ(1, back.enabled[i]);
		EXPECT_EQ(mapped(guest, ring[i].desc), back.addr[i].desc_user_addr);
		EXPECT_EQ(mapped(guest, ring[i].avail), back.addr[i].avail_user_addr);
		EXPECT_EQ(mapped(guest, ring[i].used), back.addr[i].used_user_addr);
		EXPECT_TRUE(back.error[i] > 0);
		/* Queues get a kick at the start, since the driver may have filled them before */
		EXPECT_EQ(1, poll(&(struct pollfd){ back.kick[i], POLLIN, 0 }, 1, 0));
		eventfd_write(back.call[i], 1);
		EXPECT_TRUE(ring_called(&ring[i]));
	}
	/* The driver did not set the third queue up */
	EXPECT_EQ(0, back.num[2]);
	EXPECT_EQ(2, back.seen[GET_VRING_BASE]);
	ASSERT_EQ(0, set_status(guest, 0, 0, &now));
	EXPECT_TRUE(vhost_user_alive(&vu));
}

TEST(with_table_of_memory)
{
	is_told_everything(SLOTS);
}

TEST(with_regions_one_by_one)
{
	is_told_everything(0);
}

TEST(without_confirmations)
{
	is_told_everything(REPLY_ACK);
}

/* A queue of a killed sigmad, of which 3 chains were done */
TEST(goes_on_with_a_queue)
{
	struct guest *guest GUEST = guest_new();
	struct virtio_state *state = calloc(1, sizeof(*state));
	const uint64_t features = 1ULL << VIRTIO_F_VERSION_1;
	uint64_t at_ring = guest_alloc(guest, 3 * 4096);

	state->device[0] = (struct device_state) {
		.device_id = ops.device_id, .nr_queues = QUEUES, .negotiated = features,
		.status = STATUS_FEATURES | VIRTIO_CONFIG_S_DRIVER_OK,
		.queue[1] = { .size = SIZE, .desc = at_ring, .avail = at_ring + 4096,
			      .used = at_ring + 8192 },
	};
	((struct vring_avail *)at(guest, at_ring + 4096))->idx = 5;
	((struct vring_used *)at(guest, at_ring + 8192))->idx = 3;
	virtio_bus_keep(guest->bus, state, true);
	forget();
	ASSERT_EQ(0, open_it(0, NONE));
	ASSERT_TRUE(add_device(guest));
	virtio_bus_resume(guest->bus);
	EXPECT_TRUE(dev.started);
	EXPECT_EQ(SIZE, back.num[1]);
	EXPECT_EQ(3, back.base[1]);
	EXPECT_EQ(0, back.num[0]);
	virtio_bus_free(guest->bus);
	guest->bus = NULL;
	free(state);
}

TEST(configuration)
{
	char config[21];

	forget();
	ASSERT_EQ(0, open_it(0, NONE));
	EXPECT_EQ(0, vhost_user_get_config(&vu, config, sizeof(config)));
	EXPECT_STREQ("config of the device", config);
	destroy(NULL);
	ASSERT_EQ(0, open_it(GET_CONFIG, TOO_SHORT));
	EXPECT_EQ(-EPROTO, vhost_user_get_config(&vu, config, sizeof(config)));
	EXPECT_STREQ("answered GET_CONFIG with 4 bytes, not 33", vu.why);
	destroy(NULL);
	back.protocol = 0;
	ASSERT_EQ(0, open_it(0, NONE));
	EXPECT_EQ(-EOPNOTSUPP, vhost_user_get_config(&vu, config, sizeof(config)));
	destroy(NULL);
}

TEST(hostile_from_the_start)
{
	static const struct {
		unsigned int at;
		enum fault fault;
		int error;
		const char *why;
	} cases[] = {
		{ GET_FEATURES, CLOSES, -EPIPE, "closed the connection at GET_FEATURES" },
		{ GET_FEATURES, TOO_LONG, -EPROTO, "answered GET_FEATURES with 4096 bytes, not 8" },
		{ GET_FEATURES, TOO_SHORT, -EPROTO, "answered GET_FEATURES with 4 bytes, not 8" },
		{ GET_FEATURES, OTHER_REQUEST, -EPROTO, "answered GET_FEATURES with message 2, flags 0x5" },
		{ GET_FEATURES, NO_REPLY_FLAG, -EPROTO, "answered GET_FEATURES with message 1, flags 0x1" },
		{ GET_QUEUE_NUM, CLOSES, -EPIPE, "closed the connection at GET_QUEUE_NUM" },
		{ SET_OWNER, REFUSES, -EIO, "refused SET_OWNER" },
		{ SET_OWNER, SILENT, -ETIMEDOUT, "did not answer SET_OWNER in 1 s" },
	};
	struct timespec begin, end;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		forget();
		EXPECT_EQ(cases[i].error, open_it(cases[i].at, cases[i].fault));
		EXPECT_STREQ(cases[i].why, vu.why);
		EXPECT_EQ(-1, vu.fd);
		pthread_join(back.thread, NULL);
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	EXPECT_TRUE(end.tv_sec - begin.tv_sec < 8);

	forget();
	back.offers = PROTOCOL;
	EXPECT_EQ(-EPROTO, open_it(0, NONE));
	EXPECT_SAID("only serves devices older than virtio 1.0", vu.why);
	pthread_join(back.thread, NULL);
}

static unsigned int changes;

static void changed(struct virtio_device *dev)
{
	uint8_t now[sizeof(config)];

	changes += !vhost_user_get_config(&vu, now, sizeof(now)) &&
		   !memcmp(now, back.config, sizeof(now));
}

TEST(says_that_its_configuration_has_changed)
{
	static const struct header change = { 2, 1, 0 }, nonsense = { 2, 1, 4000 };
	struct guest *guest GUEST = guest_new();

	forget();
	changes = 0;
	ASSERT_EQ(0, open_it(0, NONE));
	vu.changed = changed;
	ASSERT_TRUE(add_device(guest));
	ASSERT_TRUE(bring_up(guest, QUEUES));
	back.config[0]++;
	EXPECT_EQ(sizeof(change), write(back.channel, &change, sizeof(change)));
	for (unsigned int i = 0; i < 100 && !changes; i++)
		guest_run(guest, 100);
	EXPECT_EQ(1, changes);
	/* What is no message is the last one that is read, and the device goes on */
	EXPECT_EQ(sizeof(nonsense), write(back.channel, &nonsense, sizeof(nonsense)));
	guest_run(guest, 100);
	EXPECT_EQ(sizeof(change), write(back.channel, &change, sizeof(change)));
	guest_run(guest, 100);
	EXPECT_EQ(1, changes);
	EXPECT_FALSE(get_status(guest, 0) & VIRTIO_CONFIG_S_NEEDS_RESET);
	close(back.channel);
}

TEST(no_channel_without_a_configuration)
{
	forget();
	back.protocol &= ~CONFIG;
	ASSERT_EQ(0, open_it(0, NONE));
	EXPECT_EQ(0, back.seen[SET_BACKEND_REQ_FD]);
	vhost_user_close(&vu);
	pthread_join(back.thread, NULL);
}

static unsigned int open_files(void)
{
	unsigned int nr = 0;

	for (int fd = 0; fd < 256; fd++)
		nr += fcntl(fd, F_GETFD) >= 0;
	return nr;
}

TEST(unwanted_descriptors)
{
	unsigned int before;

	forget();
	before = open_files();
	back.protocol &= ~CHANNEL;
	ASSERT_EQ(0, open_it(GET_FEATURES, MANY_FDS));
	EXPECT_EQ(before + 2, open_files());
	destroy(NULL);
	EXPECT_EQ(before, open_files());
}

TEST(memory_in_too_many_pieces)
{
	struct guest *guest GUEST = guest_new();

	forget();
	back.slots = 1;
	ASSERT_EQ(0, open_it(0, NONE));
	ASSERT_TRUE(add_device(guest));
	EXPECT_FALSE(bring_up(guest, 2));
	EXPECT_SAID("test0: cannot be served: back end takes 1 pieces of memory, but the guest's is in 2; give the guest less, or", said);
	EXPECT_TRUE(get_status(guest, 0) & VIRTIO_CONFIG_S_NEEDS_RESET);
}

TEST(hostile_at_the_start)
{
	struct guest *guest GUEST = guest_new();

	forget();
	ASSERT_EQ(0, open_it(SET_VRING_ADDR, REFUSES));
	ASSERT_TRUE(add_device(guest));
	EXPECT_FALSE(bring_up(guest, 2));
	EXPECT_SAID("test0: cannot be served: back end refused SET_VRING_ADDR", said);
}

TEST(hangs_at_the_stop)
{
	struct guest *guest GUEST = guest_new();
	uint32_t now;

	forget();
	ASSERT_EQ(0, open_it(GET_VRING_BASE, SILENT));
	ASSERT_TRUE(add_device(guest));
	ASSERT_TRUE(bring_up(guest, 2));
	capture_start();
	EXPECT_EQ(0, set_status(guest, 0, 0, &now));
	said = capture_end();
	EXPECT_SAID("test0: disconnected from back end: it did not answer GET_VRING_BASE in 1 s", said);
	EXPECT_EQ(0, now);
	EXPECT_EQ(-1, vu.fd);
}

static void dies(bool speaks)
{
	struct guest *guest GUEST = guest_new();
	uint32_t now;

	forget();
	ASSERT_EQ(0, open_it(0, NONE));
	ASSERT_TRUE(add_device(guest));
	ASSERT_TRUE(bring_up(guest, 2));
	guest->nr_messages = 0;
	capture_start();
	if (speaks)
		send(back.fd, "hello", 5, 0);
	else
		shutdown(back.fd, SHUT_RDWR);
	guest_run(guest, 100);
	said = capture_end();
	EXPECT_SAID("test0: stopped: back end ", said);
	EXPECT_SAID(speaks ? "broke the vhost-user protocol" : "ended; it works again once the guest resets it", said);
	EXPECT_EQ(1, resets);
	EXPECT_EQ(-1, vu.fd);
	EXPECT_EQ(0, back.seen[GET_VRING_BASE]);
	/* The guest is notified, too */
	EXPECT_EQ(1, guest->nr_messages);
	EXPECT_TRUE(get_status(guest, 0) & VIRTIO_CONFIG_S_NEEDS_RESET);
	EXPECT_EQ(0, set_status(guest, 0, 0, &now));
	EXPECT_EQ(0, now);
}

TEST(ends_while_it_serves)
{
	dies(false);
}

TEST(speaks_unasked)
{
	dies(true);
}

TEST(broken_queue)
{
	struct guest *guest GUEST = guest_new();

	forget();
	ASSERT_EQ(0, open_it(0, NONE));
	ASSERT_TRUE(add_device(guest));
	ASSERT_TRUE(bring_up(guest, 2));
	capture_start();
	eventfd_write(back.error[1], 1);
	guest_run(guest, 100);
	said = capture_end();
	EXPECT_SAID("misbehaved: back end cannot use a queue", said);
	EXPECT_EQ(1, resets);
	EXPECT_EQ(2, back.seen[GET_VRING_BASE]);
	EXPECT_TRUE(get_status(guest, 0) & VIRTIO_CONFIG_S_NEEDS_RESET);
}

/* Serve the next one who connects to the socket @data */
static void *accept_one(void *data)
{
	back.fd = accept(*(int *)data, NULL, NULL);
	return back_end(NULL);
}

static void end_disk(struct guest *guest)
{
	uint32_t now;

	EXPECT_EQ(0, set_status(guest, 0, 0, &now));
	pthread_join(back.thread, NULL);
}

TEST(disk_that_became_another)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct guest_disk disk = { .socket = addr.sun_path };
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct guest *guest GUEST = guest_new();

	snprintf(addr.sun_path, sizeof(addr.sun_path), "/tmp/sigma-disk-%d", getpid());
	ASSERT_EQ(0, bind(listener, (struct sockaddr *)&addr, sizeof(addr)));
	ASSERT_EQ(0, listen(listener, 1));
	forget();
	pthread_create(&back.thread, NULL, accept_one, &listener);
	ASSERT_EQ(0, guest_add_disk(guest, &disk));
	ASSERT_TRUE(bring_up(guest, 1));
	end_disk(guest);

	/* Refused each time: the connection of the first time is closed */
	memcpy(back.config + offsetof(struct virtio_blk_config, size_max), "another",
	       strlen("another"));
	for (unsigned int i = 0; i < 2; i++) {
		pthread_create(&back.thread, NULL, accept_one, &listener);
		EXPECT_FALSE(bring_up(guest, 1));
		EXPECT_SAID("the back end serves another disk now", said);
		end_disk(guest);
	}

	memcpy(back.config, config, sizeof(config));
	pthread_create(&back.thread, NULL, accept_one, &listener);
	EXPECT_TRUE(bring_up(guest, 1));
	end_disk(guest);
	close(listener);
	unlink(addr.sun_path);
}

TEST_HARNESS_MAIN
