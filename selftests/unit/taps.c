// SPDX-License-Identifier: GPL-2.0
/*
 * Taps. The tests change the network only in a network namespace of their own. Where that is not
 * allowed, they say so and pass.
 */
#include <errno.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../../daemon/kinds.h"
#include "../../daemon/virtio/tap.h"
#include "capture.h"
#include "tap.h"

#define IPV4(text_, ...) { .family = AF_INET, .prefix = 24, .bytes = { __VA_ARGS__ }, .text = text_ }

static const struct guest_addresses both = {
	.nr = 2, .at = {
		IPV4("10.9.8.1", 10, 9, 8, 1),
		{ .family = AF_INET6, .prefix = 64, .bytes = { 0xfd, [15] = 1 }, .text = "fd00::1" },
	},
};

static const char *said;
static char name[TAP_NAME_MAX];

static bool have_network(void)
{
	static int have = -1;

	if (have < 0)
		have = !access("/dev/net/tun", R_OK | W_OK) && !unshare(CLONE_NEWNET) &&
		       !system("ip link add br7 type bridge && ip link set br7 mtu 1400 up");
	if (!have)
		puts("# not tried: needs root, /dev/net/tun and ip");
	return have;
}

/* Is IPv6 off on the tap? Also where the kernel has no IPv6 */
static bool has_no_ipv6(void)
{
	return access("/proc/sys/net/ipv6", F_OK) ||
	       !system("grep -qx 1 /proc/sys/net/ipv6/conf/sg-demo-0/disable_ipv6");
}

static int try_tap(struct guest_net net)
{
	static struct guest_config config = { .name = "demo", .file = "demo.guest" };
	struct virtio_making making = { .guest = config.name };
	int fd;

	net.line = 7;
	capture_start();
	fd = tap_open(&making, &net, name);
	if (fd < 0)
		kinds_end(&making, &config, net.line, fd);
	said = capture_end();
	return fd;
}

TEST(names)
{
	char other[TAP_NAME_MAX];

	tap_name(name, "demo", 0);
	EXPECT_STREQ("sg-demo-0", name);
	tap_name(name, "ten.chars-", 7);
	EXPECT_STREQ("sg-ten.chars--7", name);

	tap_name(name, "a-long-name-of-a-guest-1", 2);
	EXPECT_EQ(TAP_NAME_MAX - 1, strlen(name));
	EXPECT_EQ(0, strncmp(name, "sg-a-long", 9));
	tap_name(other, "a-long-name-of-a-guest-2", 2);
	EXPECT_NE(0, strcmp(name, other));
}

TEST(with_address)
{
	const struct guest_addresses one = { .nr = 1, .at = { IPV4("10.9.8.1", 10, 9, 8, 1) } };
	struct ifreq ifr = {};
	int fd, size = 0;

	if (!have_network())
		return;
	fd = try_tap((struct guest_net){ .address = one, .mtu = 1400, .mac = { 0xfe, 1, 2, 3, 4, 5 } });
	ASSERT_TRUE(fd >= 0);
	EXPECT_STREQ("sg-demo-0", name);
	EXPECT_EQ(0, ioctl(fd, TUNGETIFF, &ifr));
	EXPECT_TRUE(ifr.ifr_flags & IFF_VNET_HDR);
	EXPECT_EQ(0, ioctl(fd, TUNGETVNETHDRSZ, &size));
	EXPECT_EQ(12, size);
	EXPECT_EQ(0, system("ip -o addr show dev sg-demo-0 up | grep -q 'inet 10.9.8.1/24 '"));
	EXPECT_EQ(0, system("ip route get 10.9.8.2 | grep -q 'dev sg-demo-0'"));
	EXPECT_TRUE(has_no_ipv6());
	EXPECT_EQ(0, system("ip -o link show dev sg-demo-0 | grep -q 'link/ether fa:01:02:03:04:05 '"));

	EXPECT_EQ(1400, tap_mtu(fd, NULL));

	EXPECT_EQ(-EBUSY, try_tap((struct guest_net){ .address = one }));
	EXPECT_TRUE(strstr(said, "another process has it"));

	close(fd);
	EXPECT_NE(0, system("ip link show dev sg-demo-0 2>/dev/null"));
}

TEST(with_ipv6)
{
	int fd;

	if (!have_network() || access("/proc/sys/net/ipv6", F_OK))
		return;
	fd = try_tap((struct guest_net){ .address = both, .mac = { 0x52, 1, 2, 3, 4, 5 } });
	ASSERT_TRUE(fd >= 0);
	EXPECT_EQ(0, system("ip -o addr show dev sg-demo-0 up | grep -q 'inet 10.9.8.1/24 '"));
	EXPECT_EQ(0, system("ip -o addr show dev sg-demo-0 | grep 'inet6 fd00::1/64 ' | grep -qv tentative"));
	EXPECT_EQ(0, system("ip -6 route get fd00::2 | grep -q 'dev sg-demo-0'"));
	EXPECT_EQ(0, system("grep -qx 0 /proc/sys/net/ipv6/conf/sg-demo-0/accept_ra"));
	close(fd);
}

TEST(with_bridge)
{
	int fd;

	if (!have_network())
		return;
	fd = try_tap((struct guest_net){ .bridge = "br7", .mac = { 0x52, 1, 2, 3, 4, 0xab } });
	ASSERT_TRUE(fd >= 0);
	EXPECT_EQ(0, system("ip -o link show dev sg-demo-0 up | grep 'master br7' | grep -q 'mtu 1400'"));
	EXPECT_EQ(0, system("ip -o link show dev sg-demo-0 | grep -q 'link/ether fe:01:02:03:04:ab '"));
	EXPECT_TRUE(has_no_ipv6());
	EXPECT_EQ(1400, tap_mtu(fd, "br7"));
	EXPECT_EQ(0, tap_change_mtu(fd, 1450));
	EXPECT_EQ(1450, tap_mtu(fd, NULL));
	EXPECT_EQ(0, tap_mtu(fd, "br9"));
	close(fd);

	/* The bridge's own MTU is not lowered */
	fd = try_tap((struct guest_net){ .bridge = "br7", .mtu = 1280 });
	ASSERT_TRUE(fd >= 0);
	EXPECT_EQ(1400, tap_mtu(fd, NULL));
	EXPECT_EQ(1400, tap_mtu(fd, "br7"));
	close(fd);
	fd = try_tap((struct guest_net){ .bridge = "br7", .mtu = 9000 });
	ASSERT_TRUE(fd >= 0);
	EXPECT_EQ(9000, tap_mtu(fd, NULL));
	close(fd);
}

TEST(mistakes)
{
	if (!have_network())
		return;
	EXPECT_EQ(-ENODEV, try_tap((struct guest_net){ .bridge = "br9" }));
	EXPECT_TRUE(strstr(said, "demo.guest:7: there is no bridge br9: make it with"));
	EXPECT_EQ(-EINVAL, try_tap((struct guest_net){ .bridge = "lo" }));
	EXPECT_TRUE(strstr(said, "not a bridge"));
	EXPECT_EQ(-EIO, try_tap((struct guest_net){
		.address = { .nr = 1, .at = { { .family = AF_INET, .prefix = 33, .text = "x" } } } }));
	EXPECT_TRUE(strstr(said, "demo.guest:7: cannot give sg-demo-0 the address x/33"));
	EXPECT_NE(0, system("ip link show dev sg-demo-0 2>/dev/null"));
}

TEST_HARNESS_MAIN
