// SPDX-License-Identifier: GPL-2.0
/*
 * Network devices. A pair of datagram sockets stands in for the tap; some tests take a real tap, in
 * a network namespace of their own, where that is allowed.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/vhost.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "../../common/guestfile.h"
#include "../../daemon/virtio/tap.h"
#include "capture.h"
#include "tap.h"
#include "virtio-guest.h"

#define F(bit)		(1ULL << (bit))
#define F_MERGEABLE	(F(VIRTIO_F_VERSION_1) | F(VIRTIO_NET_F_MRG_RXBUF))
#define HEADER		sizeof(struct virtio_net_hdr_v1)
#define W		VRING_DESC_F_WRITE
#define QUEUE		64

static const struct guest_net wanted = {
	.mac = { 0x02, 0, 0, 0, 0, 1 }, .vhost = VHOST_NO,
};
static uint8_t frame[70000];

static int read_error;		/* the error of the next readv() of a frame, once */

ssize_t readv(int fd, const struct iovec *iov, int nr)
{
	ssize_t n = syscall(SYS_readv, fd, iov, nr);

	if (n <= 0 || !read_error)
		return n;
	errno = read_error;
	read_error = 0;
	return -1;
}

/* A simulated vhost-net, or none; other requests go to the kernel */
static struct {
	bool present;
	unsigned int opened;
	int backend[2];
} vhost;

int open(const char *path, int flags, ...)
{
	if (strcmp(path, "/dev/vhost-net"))
		return openat(AT_FDCWD, path, flags, 0600);
	if (!vhost.present) {
		errno = ENOENT;
		return -1;
	}
	vhost.opened++;
	return openat(AT_FDCWD, "/dev/null", flags);
}

int ioctl(int fd, unsigned long request, ...)
{
	const struct vhost_vring_file *file;
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	file = arg;
	if (_IOC_TYPE(request) != VHOST_VIRTIO)
		return syscall(SYS_ioctl, fd, request, arg);
	if (request == VHOST_GET_FEATURES)
		*(uint64_t *)arg = F_MERGEABLE;
	else if (request == VHOST_NET_SET_BACKEND)
		vhost.backend[file->index] = file->fd;
	return 0;
}

struct nic {
	struct guest *guest;
	int wire;			/* the test's end */
	struct ring rx, tx;
	uint64_t memory;		/* for frames, guest physical */
};

static void nic_start(struct nic *nic, uint64_t features)
{
	if (!negotiate(nic->guest, 0, features) || ring_open(&nic->rx, nic->guest, 0, 0, QUEUE) ||
	    ring_open(&nic->tx, nic->guest, 0, 1, QUEUE) || !driver_ok(nic->guest, 0))
		abort();
	guest_run(nic->guest, 0);
}

static struct guest *nic_new(struct nic *nic, uint64_t features)
{
	struct guest *guest = guest_new();
	int pair[2], size = 1 << 20;

	signal(SIGPIPE, SIG_IGN);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair))
		abort();
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (guest_add_tap(guest, pair[1], &wanted) < 0)
		abort();
	*nic = (struct nic) { .guest = guest, .wire = pair[0] };
	nic->memory = guest_alloc(guest, 1 << 20);
	nic_start(nic, features);
	for (unsigned int i = 0; i < sizeof(frame); i++)
		frame[i] = i % 251;
	return guest;
}

/* Offer @nr receive buffers of @len bytes each */
static void supply(struct nic *nic, unsigned int nr, uint32_t len)
{
	for (unsigned int i = 0; i < nr; i++) {
		const struct buffer buf = { nic->memory + nic->rx.next * len, len, W };

		ring_add(&nic->rx, &buf, 1);
	}
	ring_kick(&nic->rx);
	guest_run(nic->guest, 0);
}

static bool from_wire(struct nic *nic, size_t len)
{
	bool sent = send(nic->wire, frame, len, 0) == (ssize_t)len;

	guest_run(nic->guest, 0);
	return sent;
}

/* Take a frame of @len bytes in @nr buffers of @size and compare it; false without a frame */
static bool received(struct nic *nic, size_t len, unsigned int nr, uint32_t size)
{
	uint8_t got[sizeof(frame)];
	struct vring_used_elem elem;
	uint16_t num_buffers;
	size_t at_byte = 0;

	for (unsigned int i = 0; i < nr; i++) {
		if (!ring_take(&nic->rx, 0, &elem) || elem.len > size ||
		    at_byte + elem.len > sizeof(got))
			return false;
		memcpy(got + at_byte, at(nic->guest, nic->memory + elem.id * size), elem.len);
		at_byte += elem.len;
	}
	memcpy(&num_buffers, got + offsetof(struct virtio_net_hdr_v1, num_buffers), 2);
	return at_byte == len && num_buffers == nr && !memcmp(got, frame, 10) &&
	       !memcmp(got + HEADER, frame + HEADER, len - HEADER);
}

TEST(config)
{
	struct nic nic;
	struct guest *guest GUEST = nic_new(&nic, F_MERGEABLE);
	struct sigma_msg_config msg = { .length = 8 };

	ASSERT_EQ(0, ask(guest, 0, SIGMA_MSG_GET_CONFIG, 0, &msg, sizeof(msg), &msg,
			 sizeof(msg)));
	EXPECT_EQ(0, memcmp(msg.data, wanted.mac, sizeof(wanted.mac)));
	EXPECT_EQ(VIRTIO_NET_S_LINK_UP, msg.data[6]);
	EXPECT_EQ(0, get_features(guest, 0) & F(VIRTIO_NET_F_GUEST_TSO4));
	close(nic.wire);
}

TEST(sends)
{
	struct nic nic;
	struct guest *guest GUEST = nic_new(&nic, F_MERGEABLE);
	const struct buffer whole = { nic.memory, HEADER + 60, 0 };
	const struct buffer parts[] = { { nic.memory, 5, 0 }, { nic.memory + 5, HEADER + 55, 0 } };
	struct vring_used_elem elem;
	uint8_t got[2048];

	memcpy(at(guest, nic.memory), frame, 2048);
	ring_add(&nic.tx, &whole, 1);
	ring_add(&nic.tx, parts, 2);
	ring_kick(&nic.tx);
	guest_run(guest, 0);
	for (unsigned int i = 0; i < 2; i++) {
		ASSERT_EQ((ssize_t)HEADER + 60, recv(nic.wire, got, sizeof(got), 0));
		EXPECT_EQ(0, memcmp(got, frame, HEADER + 60));
		ASSERT_TRUE(ring_take(&nic.tx, 0, &elem));
		EXPECT_EQ(0, elem.len);
	}
	close(nic.wire);
}

TEST(sends_more_than_a_batch)
{
	struct nic nic;
	struct guest *guest GUEST = nic_new(&nic, F_MERGEABLE);
	const struct buffer buf = { nic.memory, HEADER + 60, 0 };
	struct vring_used_elem elem;
	uint8_t got[128];

	for (unsigned int i = 0; i < 10; i++) {
		for (unsigned int j = 0; j < QUEUE; j++)
			ring_add(&nic.tx, &buf, 1);
		ring_kick(&nic.tx);
		guest_run(guest, 0);
		for (unsigned int j = 0; j < QUEUE; j++) {
			ASSERT_TRUE(ring_take(&nic.tx, 0, &elem));
			recv(nic.wire, got, sizeof(got), 0);
		}
	}
	close(nic.wire);
}

TEST(refused_frames_are_dropped)
{
	struct nic nic;
	struct guest *guest GUEST = nic_new(&nic, F_MERGEABLE);
	const struct buffer buf = { nic.memory, 30000, 0 };
	struct vring_used_elem elem;

	/* Nobody reads the wire, so it fills up; the guest's frames are still taken */
	for (unsigned int i = 0; i < QUEUE; i++)
		ring_add(&nic.tx, &buf, 1);
	ring_kick(&nic.tx);
	guest_run(guest, 0);
	for (unsigned int i = 0; i < QUEUE; i++)
		ASSERT_TRUE(ring_take(&nic.tx, 0, &elem));
	close(nic.wire);
}

TEST(receives)
{
	struct nic nic;
	struct guest *guest GUEST = nic_new(&nic, F_MERGEABLE);

	ASSERT_TRUE(guest && from_wire(&nic, HEADER + 60));
	supply(&nic, 4, 1526);		/* only now */
	EXPECT_TRUE(received(&nic, HEADER + 60, 1, 1526));
	ASSERT_TRUE(from_wire(&nic, 1526));
	EXPECT_TRUE(received(&nic, 1526, 1, 1526));
	close(nic.wire);
}

TEST(merges_buffers)
{
	struct nic nic;
	struct guest *guest GUEST = nic_new(&nic, F_MERGEABLE);

	supply(&nic, QUEUE, 200);
	ASSERT_TRUE(guest && from_wire(&nic, 1500));
	EXPECT_TRUE(received(&nic, 1500, 8, 200));
	ASSERT_TRUE(from_wire(&nic, 200));
	EXPECT_TRUE(received(&nic, 200, 1, 200));
	close(nic.wire);
}

TEST(frame_longer_than_what_was_gathered)
{
	struct nic nic;
	struct guest *guest GUEST = nic_new(&nic, F_MERGEABLE);
	struct vring_used_elem elem;

	supply(&nic, 3, 1024);
	ASSERT_TRUE(guest && from_wire(&nic, 20000));
	EXPECT_FALSE(ring_take(&nic.rx, 0, &elem));
	supply(&nic, 3, 1024);
	EXPECT_FALSE(ring_take(&nic.rx, 0, &elem));
	ASSERT_TRUE(from_wire(&nic, 100));	/* has to wait for the first one */
	supply(&nic, 20, 1024);
	EXPECT_TRUE(received(&nic, 20000, 20, 1024));
	EXPECT_TRUE(received(&nic, 100, 1, 1024));
	close(nic.wire);
}

/* Short frames advance the device to each position in its batch */
TEST(long_frame_at_any_moment)
{
	struct nic nic;
	struct guest *guest GUEST = nic_new(&nic, F_MERGEABLE | F(VIRTIO_RING_F_EVENT_IDX));

	supply(&nic, QUEUE, 1024);
	for (unsigned int runts = 0; runts < 150; runts++) {
		for (unsigned int i = 0; i < runts; i++)
			ASSERT_EQ((ssize_t)HEADER - 1, send(nic.wire, frame, HEADER - 1, 0));
		ASSERT_TRUE(guest && from_wire(&nic, 20000));
		ASSERT_TRUE(received(&nic, 20000, 20, 1024));
		supply(&nic, 20, 1024);
	}
	close(nic.wire);
}

TEST(frame_that_never_fits)
{
	struct nic nic;
	struct guest *guest GUEST = nic_new(&nic, F_MERGEABLE);

	supply(&nic, QUEUE, 100);
	ASSERT_TRUE(guest && from_wire(&nic, 64 * 100 + 1));
	ASSERT_TRUE(from_wire(&nic, 100));
	EXPECT_TRUE(received(&nic, 100, 1, 100));
	close(nic.wire);
}

TEST(unmerged_buffers)
{
	struct nic nic;
	struct guest *guest GUEST = nic_new(&nic, F(VIRTIO_F_VERSION_1));

	supply(&nic, 8, 1526);
	ASSERT_TRUE(guest && from_wire(&nic, 1527));	/* too long: dropped */
	ASSERT_TRUE(from_wire(&nic, 1526));
	EXPECT_TRUE(received(&nic, 1526, 1, 1526));
	close(nic.wire);
}

TEST(many_frames_in_turn)
{
	struct nic nic;
	struct guest *guest GUEST = nic_new(&nic, F_MERGEABLE | F(VIRTIO_RING_F_EVENT_IDX));

	supply(&nic, QUEUE, 1024);
	for (unsigned int i = 0; i < 3000; i++) {
		size_t len = HEADER + 14 + i * 37 % 9000;
		unsigned int nr = (len + 1023) / 1024;

		ASSERT_TRUE(guest && from_wire(&nic, len));
		ASSERT_TRUE(received(&nic, len, nr, 1024));
		supply(&nic, nr, 1024);
	}
	close(nic.wire);
}

TEST(runt_from_the_wire)
{
	struct nic nic;
	struct guest *guest GUEST = nic_new(&nic, F_MERGEABLE);

	supply(&nic, 2, 1526);
	ASSERT_TRUE(guest && from_wire(&nic, HEADER - 1));
	ASSERT_TRUE(from_wire(&nic, 100));
	EXPECT_TRUE(received(&nic, 100, 1, 1526));
	close(nic.wire);
}

/* Like a tap with an offload that the header cannot express */
TEST(frame_that_the_wire_drops)
{
	struct nic nic;
	struct guest *guest GUEST = nic_new(&nic, F_MERGEABLE);

	supply(&nic, 2, 1526);
	read_error = EINVAL;
	ASSERT_TRUE(guest && from_wire(&nic, 200));
	ASSERT_TRUE(from_wire(&nic, 100));
	EXPECT_TRUE(received(&nic, 100, 1, 1526));
	close(nic.wire);
}

TEST(lost_wire)
{
	struct nic nic;
	struct guest *guest GUEST = nic_new(&nic, F_MERGEABLE);
	struct sigma_msg_config msg = { .offset = 6, .length = 2 };

	supply(&nic, 2, 1526);
	guest->nr_messages = 0;
	close(nic.wire);
	guest_run(guest, 0);
	ASSERT_EQ(1, guest->nr_messages);
	EXPECT_EQ(SIGMA_MSG_EVENT_CONFIG, guest->message[0].head.id);
	ask(guest, 0, SIGMA_MSG_GET_CONFIG, 0, &msg, sizeof(msg), &msg, sizeof(msg));
	EXPECT_EQ(0, msg.data[0]);
}

TEST(reset_forgets_gathered_buffers)
{
	struct nic nic;
	struct guest *guest GUEST = nic_new(&nic, F_MERGEABLE);
	uint32_t now;

	supply(&nic, 2, 1024);
	ASSERT_TRUE(from_wire(&nic, 20000));	/* waits in the spill buffer */
	ASSERT_EQ(0, set_status(guest, 0, 0, &now));
	memset(at(guest, nic.memory), 0x77, 4096);
	ASSERT_TRUE(from_wire(&nic, 100));
	EXPECT_EQ(0x77, *(uint8_t *)at(guest, nic.memory));
	nic_start(&nic, F_MERGEABLE);
	supply(&nic, 2, 1024);
	EXPECT_TRUE(received(&nic, 100, 1, 1024));
	close(nic.wire);
}

static void malformed(bool tx, const struct buffer *buf)
{
	struct nic nic;
	struct guest *guest GUEST = nic_new(&nic, F_MERGEABLE);

	ring_add(tx ? &nic.tx : &nic.rx, buf, 1);
	ring_kick(tx ? &nic.tx : &nic.rx);
	from_wire(&nic, 100);
	EXPECT_TRUE(get_status(guest, 0) & VIRTIO_CONFIG_S_NEEDS_RESET);
	close(nic.wire);
}

TEST(malformed_buffers)
{
	const struct buffer readable = { SEGMENT_1, 1526, 0 }, writable = { SEGMENT_1, 1526, W },
		tiny = { SEGMENT_1, HEADER - 1, W }, runt = { SEGMENT_1, HEADER - 1, 0 },
		outside = { NOWHERE, 1526, W };

	malformed(false, &readable);
	malformed(false, &tiny);
	malformed(false, &outside);
	malformed(true, &writable);
	malformed(true, &runt);
	malformed(true, &outside);
}

/* A tap that ends with this process, or -1 where that is impossible */
static int open_tap(struct ifreq *ifr)
{
	int header = HEADER, tap;

	if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET))
		return -1;
	tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (tap < 0)
		return -1;
	*ifr = (struct ifreq) { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	if (ioctl(tap, TUNSETIFF, ifr) || ioctl(tap, TUNSETVNETHDRSZ, &header)) {
		close(tap);
		return -1;
	}
	return tap;
}

/* Set the tap up, and open a socket for frames on the host's side */
static int open_host_side(struct ifreq *ifr)
{
	struct sockaddr_ll here = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, htons(ETH_P_ALL));

	ifr->ifr_flags = IFF_UP;
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, ifr))
		return -1;
	here.sll_ifindex = if_nametoindex(ifr->ifr_name);
	return bind(fd, (struct sockaddr *)&here, sizeof(here)) ? -1 : fd;
}

TEST(real_tap)
{
	const uint64_t offloads = F(VIRTIO_NET_F_GUEST_CSUM) | F(VIRTIO_NET_F_GUEST_TSO4) |
				  F(VIRTIO_NET_F_GUEST_TSO6) | F(VIRTIO_NET_F_CSUM) |
				  F(VIRTIO_NET_F_HOST_TSO4) | F(VIRTIO_NET_F_HOST_TSO6);
	/* Broadcasts of an EtherType that nobody else sends */
	static uint8_t ethernet[60] = {
		255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 9, 0x88, 0xb5, 'x',
	};
	struct guest *guest GUEST = guest_new();
	struct sigma_msg_config msg = { .offset = 10, .length = 2 };
	struct nic nic = { .guest = guest };
	const struct buffer buf = { SEGMENT_1, HEADER + sizeof(ethernet), 0 };
	struct vring_used_elem elem;
	bool crossed = false;
	uint8_t got[2048];
	struct ifreq ifr;
	int tap = open_tap(&ifr);

	if (tap < 0)
		SKIP(return, "no tap for this user");
	ASSERT_EQ(0, guest_add_tap(guest, tap, &wanted));
	EXPECT_EQ(offloads, get_features(guest, 0) & offloads);
	ASSERT_TRUE(get_features(guest, 0) & F(VIRTIO_NET_F_MTU));
	ASSERT_EQ(0, ask(guest, 0, SIGMA_MSG_GET_CONFIG, 0, &msg, sizeof(msg), &msg,
			 sizeof(msg)));
	EXPECT_EQ(1500, msg.data[0] | msg.data[1] << 8);

	nic.memory = guest_alloc(guest, 1 << 20);
	nic_start(&nic, F_MERGEABLE | offloads);
	supply(&nic, QUEUE, 2048);
	memcpy(at(guest, SEGMENT_1 + HEADER), ethernet, sizeof(ethernet));

	/* The tap is down: the frame is dropped, and its buffer used */
	ring_add(&nic.tx, &buf, 1);
	ring_kick(&nic.tx);
	guest_run(guest, 0);
	EXPECT_TRUE(ring_take(&nic.tx, 0, &elem));

	nic.wire = open_host_side(&ifr);
	ASSERT_TRUE(nic.wire >= 0);
	ring_add(&nic.tx, &buf, 1);
	ring_kick(&nic.tx);
	guest_run(guest, 0);
	EXPECT_TRUE(ring_take(&nic.tx, 0, &elem));
	for (ssize_t n; (n = recv(nic.wire, got, sizeof(got), 0)) > 0;)
		crossed |= n == sizeof(ethernet) && !memcmp(got, ethernet, n);
	EXPECT_TRUE(crossed);

	ASSERT_EQ((ssize_t)sizeof(ethernet), send(nic.wire, ethernet, sizeof(ethernet), 0));
	guest_run(guest, 50);
	for (crossed = false; ring_take(&nic.rx, 0, &elem);)
		crossed |= elem.len == HEADER + sizeof(ethernet) &&
			   !memcmp(at(guest, nic.memory + elem.id * 2048 + HEADER), ethernet,
				   sizeof(ethernet));
	EXPECT_TRUE(crossed);
	EXPECT_FALSE(get_status(guest, 0) & VIRTIO_CONFIG_S_NEEDS_RESET);
	close(nic.wire);
}

/* A NIC on @fd with @how in its guest file; the messages are in @said */
static const char *said;

static int add_nic(struct guest *guest, int fd, enum guest_vhost how)
{
	struct guest_net net = wanted;
	int error;

	net.vhost = how;
	net.line = 7;
	capture_start();
	error = guest_add_tap(guest, fd, &net);
	said = capture_end();
	return error;
}

TEST(host_without_vhost)
{
	struct guest *guest GUEST = guest_new();
	int pair[2];

	vhost.present = false;
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair));
	EXPECT_EQ(-ENOENT, add_nic(guest, pair[1], VHOST_YES));
	EXPECT_SAID("web.guest:7: VHost=yes: there is no /dev/vhost-net; run 'modprobe", said);
	EXPECT_EQ(0, add_nic(guest, pair[1], VHOST_IF_POSSIBLE));
	EXPECT_SAID("web.guest:7: sigmad moves the frames of this NIC itself: there is no", said);
	close(pair[0]);
}

TEST(host_with_vhost)
{
	struct guest *guest GUEST = guest_new();
	struct nic nic = { .guest = guest };
	struct pollfd kick = { .events = POLLIN };
	uint32_t now;
	int pair[2];

	vhost.present = true;
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair));
	ASSERT_EQ(0, add_nic(guest, pair[1], VHOST_IF_POSSIBLE));
	EXPECT_STREQ("", said);
	for (unsigned int i = 0; i < 2; i++) {
		nic_start(&nic, F_MERGEABLE);
		EXPECT_EQ(pair[1], vhost.backend[0]);
		EXPECT_EQ(pair[1], vhost.backend[1]);

		/* sigmad does not take the kicks */
		ring_kick(&nic.tx);
		guest_run(guest, 0);
		kick.fd = guest->kick_fd[nic.tx.kick];
		EXPECT_EQ(1, poll(&kick, 1, 0));

		vhost.opened = 0;
		ASSERT_EQ(0, set_status(guest, 0, 0, &now));
		EXPECT_EQ(-1, vhost.backend[0]);
		EXPECT_EQ(-1, vhost.backend[1]);
		EXPECT_EQ(1, vhost.opened);
	}
	close(pair[0]);
}

static bool delete_link(const char *name)
{
	struct nl_sock *sock = nl_socket_alloc();
	struct rtnl_link *link = rtnl_link_alloc();
	bool deleted;

	rtnl_link_set_name(link, name);
	deleted = !nl_connect(sock, NETLINK_ROUTE) && !rtnl_link_delete(sock, link);
	rtnl_link_put(link);
	nl_socket_free(sock);
	return deleted;
}

/* The MTU that a driver reads when it starts */
static unsigned int mtu_of(struct guest *guest)
{
	struct sigma_msg_config msg = { .offset = offsetof(struct virtio_net_config, mtu), .length = 2 };

	if (ask(guest, 0, SIGMA_MSG_GET_CONFIG, 0, &msg, sizeof(msg), &msg, sizeof(msg)))
		return 0;
	return msg.data[0] | msg.data[1] << 8;
}

static void set_mtu(struct guest *guest, const char *link, unsigned int mtu)
{
	char command[64];

	snprintf(command, sizeof(command), "ip link set %s mtu %u", link, mtu);
	if (system(command))
		abort();
	capture_start();
	guest_run(guest, 0);
	said = capture_end();
}

TEST(mtu_of_a_bridge)
{
	struct guest *guest GUEST = guest_new();
	struct nic nic = { .guest = guest };
	struct guest_net net = wanted;
	char command[64];
	struct ifreq ifr;
	uint32_t now;
	int tap = open_tap(&ifr);

	snprintf(command, sizeof(command), "ip link set %.16s master br5", tap < 0 ? "" : ifr.ifr_name);
	if (tap < 0 || system("ip link add br5 type bridge && ip link set br5 mtu 1500") ||
	    system(command))
		SKIP(return, "no tap for this user, or no bridge");
	net.bridge = "br5";
	ASSERT_EQ(0, guest_add_tap(guest, tap, &net));
	EXPECT_EQ(1500, mtu_of(guest));
	nic_start(&nic, F_MERGEABLE | F(VIRTIO_NET_F_MTU));

	/* Upwards the tap follows at once, and the guest with its next driver */
	set_mtu(guest, "br5", 2000);
	EXPECT_SAID("net0: br5 has an MTU of 2000 now; the guest's NIC keeps that of 1500", said);
	EXPECT_EQ(2000, tap_mtu(tap, NULL));
	EXPECT_EQ(1500, mtu_of(guest));
	EXPECT_SAID("keeps its MTU of 1500 until the guest restarts, and br5 has one of 2000", virtio_bus_trouble(guest->bus, 0));
	ASSERT_EQ(0, set_status(guest, 0, 0, &now));
	EXPECT_EQ(2000, mtu_of(guest));
	EXPECT_TRUE(!virtio_bus_trouble(guest->bus, 0));

	nic_start(&nic, F_MERGEABLE | F(VIRTIO_NET_F_MTU));
	set_mtu(guest, "br5", 1400);
	EXPECT_SAID("warning: net0: br5 has an MTU of 1400, and the guest's NIC one of 2000", said);
	EXPECT_EQ(2000, tap_mtu(tap, NULL));
	EXPECT_SAID("has an MTU of 2000, and br5 one of 1400: longer frames", virtio_bus_trouble(guest->bus, 0));
	ASSERT_EQ(0, set_status(guest, 0, 0, &now));
	EXPECT_EQ(1400, mtu_of(guest));
	EXPECT_EQ(1400, tap_mtu(tap, NULL));
	set_mtu(guest, "br5", 1400);
	EXPECT_STREQ("", said);
}

TEST(mtu_of_the_guest_file)
{
	struct guest *guest GUEST = guest_new();
	struct nic nic = { .guest = guest };
	struct guest_net net = wanted;
	struct ifreq ifr;
	uint32_t now;
	int tap = open_tap(&ifr);

	if (tap < 0)
		SKIP(return, "no tap for this user");
	net.mtu = 9000;
	capture_start();
	ASSERT_EQ(0, guest_add_tap(guest, tap, &net));
	EXPECT_SAID("the tap has an MTU of 1500, and the guest's NIC one of 9000", capture_end());
	nic_start(&nic, F_MERGEABLE | F(VIRTIO_NET_F_MTU));
	ASSERT_EQ(0, set_status(guest, 0, 0, &now));
	EXPECT_EQ(9000, mtu_of(guest));
	EXPECT_SAID("one of 1500: longer frames of the guest may get lost; correct MTU=", virtio_bus_trouble(guest->bus, 0));
}

TEST(lost_tap_of_vhost)
{
	struct guest *guest GUEST = guest_new();
	struct sigma_msg_config msg = { .offset = 6, .length = 2 };
	struct nic nic = { .guest = guest };
	struct ifreq ifr;
	int tap = open_tap(&ifr);

	if (tap < 0)
		SKIP(return, "no tap for this user");
	vhost.present = true;
	ASSERT_EQ(0, add_nic(guest, tap, VHOST_YES));
	nic_start(&nic, F_MERGEABLE);
	guest->nr_messages = 0;
	nic.wire = open_host_side(&ifr);	/* sets the tap up: another link change */
	ASSERT_TRUE(nic.wire >= 0);
	guest_run(guest, 0);
	EXPECT_EQ(0, guest->nr_messages);
	close(nic.wire);

	ASSERT_TRUE(delete_link(ifr.ifr_name));
	capture_start();
	guest_run(guest, 0);
	said = capture_end();
	EXPECT_SAID("net0: its tap is gone", said);
	ASSERT_EQ(1, guest->nr_messages);
	EXPECT_EQ(SIGMA_MSG_EVENT_CONFIG, guest->message[0].head.id);
	ask(guest, 0, SIGMA_MSG_GET_CONFIG, 0, &msg, sizeof(msg), &msg, sizeof(msg));
	EXPECT_EQ(0, msg.data[0]);
}

TEST_HARNESS_MAIN
