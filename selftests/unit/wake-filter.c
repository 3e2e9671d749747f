// SPDX-License-Identifier: GPL-2.0
/*
 * Frames that wake a guest. The kernel itself runs the filter: a datagram socket takes the same programs as
 * a tap, and datagrams stand for frames.
 */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../daemon/virtio/wake_filter.h"
#include "tap.h"

#define MAC	0x52, 0x54, 0x00, 0xab, 0xcd, 0xef
#define OTHER	0x52, 0x54, 0x00, 0xab, 0xcd, 0xee
#define ALL	0xff, 0xff, 0xff, 0xff, 0xff, 0xff
#define HOST	0x02, 0x00, 0x00, 0x00, 0x00, 0x01
#define ARP	0x08, 0x06, 0, 1, 8, 0, 6, 4
#define IPV4(ihl, protocol, fragment)	0x08, 0x00, 0x40 | (ihl), 0, 0, 60, 0, 0, 0, fragment, 64, protocol, \
					0, 0, 10, 9, 1, 1, 10, 9, 1, 255
#define UDP	17
#define UDP_HEADER	0, 9, 0, 9, 0, 110, 0, 0

static const uint8_t mac[] = { MAC };
static const struct wake_frames wanted = {
	.nr_ipv4 = 2, .ipv4 = { { 192, 168, 1, 7 }, { 10, 9, 1, 2 } },
	.nr_groups = 2, .group = { { 0x11, 0x22, 0x33 }, { 0xab, 0xcd, 0xef } },
};
static const struct wake_frames nothing, magic = { .magic_only = true, .nr_ipv4 = 1, .nr_groups = 1 };

/* Does the filter take the frame? -1: it cannot be tried */
static int takes(const struct wake_frames *frames, const uint8_t *frame, size_t len)
{
	struct sock_filter program[WAKE_FILTER_MAX];
	struct sock_fprog filter = { .filter = program };
	char byte;
	int pair[2], taken;

	filter.len = wake_filter_make(program, mac, frames);
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair))
		return -1;
	if (setsockopt(pair[1], SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)))
		taken = -1;
	else
		taken = send(pair[0], frame, len, 0) == (ssize_t)len && recv(pair[1], &byte, 1, 0) == 1;
	close(pair[0]);
	close(pair[1]);
	return taken;
}

#define TAKES(expected, frames, ...) do {				\
	static const uint8_t frame[] = { __VA_ARGS__ };			\
	EXPECT_EQ(expected, takes(frames, frame, sizeof(frame)));	\
} while (0)

TEST(to_its_address)
{
	TAKES(1, &wanted, MAC, HOST, 0x08, 0x00, 0x45);
	TAKES(1, &nothing, MAC, HOST, 0x86, 0xdd, 0x60);
	TAKES(0, &wanted, OTHER, HOST, 0x08, 0x00, 0x45);
	TAKES(0, &wanted, ALL, HOST, IPV4(5, UDP, 0), UDP_HEADER);
	TAKES(0, &wanted, 0x01, 0x00, 0x5e, 0, 0, 0xfb, HOST, IPV4(5, UDP, 0), UDP_HEADER);
	TAKES(0, &magic, MAC, HOST, 0x08, 0x00, 0x45);
}

TEST(looks_for_it_by_arp)
{
	TAKES(1, &wanted, ALL, HOST, ARP, 0, 1, HOST, 10, 9, 1, 1, 0, 0, 0, 0, 0, 0, 10, 9, 1, 2);
	TAKES(1, &wanted, ALL, HOST, ARP, 0, 1, HOST, 10, 9, 1, 1, 0, 0, 0, 0, 0, 0, 192, 168, 1, 7);
	TAKES(0, &wanted, ALL, HOST, ARP, 0, 1, HOST, 10, 9, 1, 2, 0, 0, 0, 0, 0, 0, 10, 9, 1, 3);
	TAKES(0, &wanted, ALL, HOST, ARP, 0, 2, HOST, 10, 9, 1, 1, 0, 0, 0, 0, 0, 0, 10, 9, 1, 2);
	TAKES(0, &wanted, ALL, HOST, ARP, 0, 1, HOST, 10, 9, 1, 1, 0, 0, 0, 0, 0, 0, 10, 9, 1);
	TAKES(0, &nothing, ALL, HOST, ARP, 0, 1, HOST, 10, 9, 1, 1, 0, 0, 0, 0, 0, 0, 10, 9, 1, 2);
	TAKES(0, &magic, ALL, HOST, ARP, 0, 1, HOST, 10, 9, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
}

TEST(looks_for_it_by_neighbour_discovery)
{
	TAKES(1, &wanted, 0x33, 0x33, 0xff, 0xab, 0xcd, 0xef, HOST, 0x86, 0xdd, 0x60);
	TAKES(1, &wanted, 0x33, 0x33, 0xff, 0x11, 0x22, 0x33, HOST, 0x86, 0xdd, 0x60);
	TAKES(0, &wanted, 0x33, 0x33, 0xff, 0x11, 0x22, 0x34, HOST, 0x86, 0xdd, 0x60);
	TAKES(0, &wanted, 0x33, 0x33, 0x00, 0x11, 0x22, 0x33, HOST, 0x86, 0xdd, 0x60);
	TAKES(0, &nothing, 0x33, 0x33, 0xff, 0xab, 0xcd, 0xef, HOST, 0x86, 0xdd, 0x60);
	TAKES(0, &magic, 0x33, 0x33, 0xff, 0, 0, 0, HOST, 0x86, 0xdd, 0x60);
}

TEST(magic_packets)
{
	const struct wake_frames *both[] = { &wanted, &magic };

	for (unsigned int i = 0; i < 2; i++) {
		TAKES(1, both[i], ALL, HOST, 0x08, 0x42, ALL, MAC, MAC, MAC);
		TAKES(0, both[i], ALL, HOST, 0x08, 0x42, ALL, OTHER, OTHER, OTHER);
		TAKES(0, both[i], ALL, HOST, 0x08, 0x42, ALL, MAC, OTHER, MAC);
		TAKES(0, both[i], ALL, HOST, 0x08, 0x42, ALL, MAC);
		TAKES(0, both[i], ALL, HOST, 0x08, 0x42, ALL);
		TAKES(1, both[i], ALL, HOST, IPV4(5, UDP, 0), UDP_HEADER, ALL, MAC, MAC, MAC);
		TAKES(1, both[i], ALL, HOST, IPV4(6, UDP, 0), 1, 1, 1, 1, UDP_HEADER, ALL, MAC, MAC, MAC);
		TAKES(0, both[i], ALL, HOST, IPV4(5, UDP, 1), UDP_HEADER, ALL, MAC, MAC, MAC);
		TAKES(0, both[i], ALL, HOST, IPV4(5, 6, 0), UDP_HEADER, ALL, MAC, MAC, MAC);
		TAKES(0, both[i], ALL, HOST, IPV4(5, UDP, 0), UDP_HEADER, ALL, OTHER, MAC, MAC);
		TAKES(0, both[i], ALL, HOST, 0x88, 0xcc, ALL, MAC, MAC, MAC);
	}
}

TEST(no_frame)
{
	TAKES(0, &wanted, 0x52);
	TAKES(0, &wanted, ALL, HOST);
	TAKES(0, &wanted, ALL, HOST, 0x08);
}

TEST(all_addresses_fit)
{
	struct wake_frames frames = { .nr_ipv4 = SIGMA_WAKE_ADDRESSES, .nr_groups = SIGMA_WAKE_ADDRESSES };
	static const uint8_t last[] = { ALL, HOST, ARP, 0, 1, HOST, 10, 9, 1, 1, 0, 0, 0, 0, 0, 0, 9, 9, 9, 9 };
	struct sock_filter program[WAKE_FILTER_MAX];

	EXPECT_TRUE(wake_filter_make(program, mac, &frames) <= WAKE_FILTER_MAX);
	memset(frames.ipv4[SIGMA_WAKE_ADDRESSES - 1], 9, sizeof(frames.ipv4[0]));
	EXPECT_EQ(1, takes(&frames, last, sizeof(last)));
}

TEST_HARNESS_MAIN
