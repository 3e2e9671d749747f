// SPDX-License-Identifier: GPL-2.0
/* Guest files: what is read from good ones, and the messages about bad ones. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "../../common/guestfile.h"
#include "capture.h"
#include "tap.h"

static char dir[] = "/tmp/sigma-unit-XXXXXX";
static struct guest_config config;
static const char *said;

static void __attribute__((constructor)) make_dir(void)
{
	static const char *const files[] = { "vmlinuz", "initrd", "a.img", "b.img" };
	char path[128];

	if (!mkdtemp(dir) || chdir(dir)) {
		perror(dir);
		exit(EXIT_FAILURE);
	}
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		close(creat(path, 0600));
	}
	mkdir("modules", 0700);
}

static void __attribute__((destructor)) remove_dir(void)
{
	static const char *const files[] = { "vmlinuz", "initrd", "a.img", "b.img", "web.guest" };

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		unlink(files[i]);
	rmdir("modules");
	rmdir(dir);
}

/* Load a file with this text, where @ stands for the folder; capture the messages */
static int load(const char *text)
{
	FILE *file = fopen("web.guest", "w");
	int error;

	for (; *text; text++) {
		if (*text == '@')
			fputs(dir, file);
		else
			putc(*text, file);
	}
	fclose(file);

	capture_start();
	error = guestfile_load(&config, "./web.guest");
	said = capture_end();
	return error;
}

#define KERNEL "[Guest]\nKernel=@/vmlinuz\n"

/* A bad file is refused with a message that has @line and @what */
#define EXPECT_WRONG(text, line, what) do {				\
	EXPECT_EQ(-EINVAL, load(text));					\
	EXPECT_SAID("./web.guest:" #line ": ", said);			\
	EXPECT_SAID(what, said);					\
} while (0)

TEST(defaults)
{
	ASSERT_EQ(0, load(KERNEL));
	EXPECT_STREQ("", said);
	EXPECT_STREQ("web", config.name);
	EXPECT_EQ(1, config.nr_cpus);
	EXPECT_FALSE(config.cpus_given);
	EXPECT_EQ(512U << 20, config.memory);
	EXPECT_EQ(0, config.shared);
	EXPECT_EQ(NUMA_NODE_ANY, config.numa_node);
	EXPECT_TRUE(strstr(config.kernel, "/vmlinuz"));
	EXPECT_EQ(2, config.kernel_line);
	EXPECT_EQ(0, config.memory_line);
	EXPECT_TRUE(!config.initrd && !config.modules && !config.split_cores);
	EXPECT_TRUE(config.host_modules);
	EXPECT_STREQ("", config.cmdline);
	EXPECT_EQ(0, config.nr_disks + config.nr_nets);
	guestfile_free(&config);
}

TEST(everything)
{
	ASSERT_EQ(0, load("# a comment\n[Guest]\nCPUs=cpu2,cpu4-6\nMemory=130M\n"
			  "Kernel=@/vmlinuz ; another\nInitrd=@/initrd\nModules=@/modules\n"
			  "CommandLine=root=/dev/vda rw\n  quiet\n\tsystemd.unit=a.target\n"
			  "SplitCores=yes\nHostModules=no\n\n[Disk]\nPath=@/a.img\n[Disk]\nReadOnly=on\n"
			  "Path=@/b.img\n[Network]\nBridge=br0\nMACAddress=52:54:00:aB:cd:ef\n"
			  "[Network]\nAddress=10.0.0.1/24\n"));
	EXPECT_EQ(4, config.nr_cpus);
	EXPECT_TRUE(config.cpus_given);
	EXPECT_EQ(2, config.cpus[0]);
	EXPECT_EQ(4, config.cpus[1]);
	EXPECT_EQ(6, config.cpus[3]);
	EXPECT_EQ(130U << 20, config.memory);
	EXPECT_STREQ("root=/dev/vda rw quiet systemd.unit=a.target", config.cmdline);
	EXPECT_TRUE(config.split_cores && config.initrd && config.modules);
	EXPECT_FALSE(config.host_modules);
	ASSERT_EQ(2, config.nr_disks);
	EXPECT_FALSE(config.disk[0].read_only);
	EXPECT_TRUE(config.disk[1].read_only);
	EXPECT_TRUE(strstr(config.disk[1].path, "/b.img"));
	EXPECT_EQ(16, config.disk[1].line);
	ASSERT_EQ(2, config.nr_nets);
	EXPECT_STREQ("br0", config.net[0].bridge);
	EXPECT_EQ(0, memcmp(config.net[0].mac, "\x52\x54\x00\xab\xcd\xef", 6));
	ASSERT_EQ(1, config.net[1].address.nr);
	EXPECT_STREQ("10.0.0.1", config.net[1].address.at[0].text);
	EXPECT_EQ(24, config.net[1].address.at[0].prefix);
	EXPECT_EQ(2, config.net[1].mac[0] & 3);
	guestfile_free(&config);
}

TEST(disks)
{
	ASSERT_EQ(0, load(KERNEL "[Disk]\nPath=@/a.img\n[Disk]\nPath=@/b.img\nDirectIO=no\n"
			  "BlockSize=4096\nSerial=01234567890123456789\n"));
	EXPECT_TRUE(config.disk[0].direct && !config.disk[0].block_size && !*config.disk[0].serial);
	EXPECT_FALSE(config.disk[1].direct);
	EXPECT_EQ(4096, config.disk[1].block_size);
	EXPECT_STREQ("01234567890123456789", config.disk[1].serial);
	EXPECT_EQ(FORMAT_AUTO, config.disk[0].format);
	guestfile_free(&config);
	ASSERT_EQ(0, load(KERNEL "[Disk]\nPath=@/a.img\nFormat=auto\n[Disk]\nFormat=raw\nPath=@/b.img\n"));
	EXPECT_EQ(FORMAT_AUTO, config.disk[0].format);
	EXPECT_EQ(FORMAT_RAW, config.disk[1].format);
	guestfile_free(&config);
	EXPECT_WRONG(KERNEL "[Disk]\nPath=@/a.img\nFormat=vmdk\n", 5, "Format=vmdk: none of auto, raw and qcow2");
	ASSERT_EQ(0, load(KERNEL "[Disk]\nPath=@/a.img\nFormat=qcow2\nBacking=@/b.img\n"));
	EXPECT_EQ(FORMAT_QCOW2, config.disk[0].format);
	EXPECT_TRUE(strstr(config.disk[0].backing, "/b.img"));
	guestfile_free(&config);
	EXPECT_WRONG(KERNEL "[Disk]\nPath=@/a.img\nBacking=@/b.img\n", 3, "without Format=qcow2");
	EXPECT_WRONG(KERNEL "[Disk]\nPath=@/a.img\nFormat=qcow2\nBacking=b.img\n", 6,
		     "Backing=b.img: not an absolute path");
	EXPECT_WRONG(KERNEL "[Disk]\nPath=@/a.img\nFormat=qcow2\nSerial=x\n", 3,
		     "leave Serial= out");
	EXPECT_WRONG(KERNEL "[Disk]\nPath=@/a.img\nBlockSize=1024\n", 5, "neither 512 nor 4096");
	EXPECT_WRONG(KERNEL "[Disk]\nPath=@/a.img\nSerial=012345678901234567890\n", 5, "has at most 20");
	EXPECT_WRONG(KERNEL "[Disk]\nPath=@/a.img\nSerial=a/b\n", 5, "has at most 20");
	EXPECT_WRONG(KERNEL "[Disk]\nPath=@/a.img\nSerial=x\n[Disk]\nPath=@/b.img\nSerial=x\n", 6,
		     "the same Serial= as that of the [Disk] in line 3");
}

TEST(channels)
{
	ASSERT_EQ(0, load(KERNEL "[Channel]\nNumber=3\n[Channel]\nMode=0606\nUser=root\n"
			  "Number=16\nGroup=1234\n[Channel]\nUser=0\nNumber=1\n"));
	ASSERT_EQ(3, config.nr_channels);
	EXPECT_EQ(3, config.channel[0].number);
	EXPECT_EQ(0, config.channel[0].user);
	EXPECT_EQ(GUEST_NO_GROUP, config.channel[0].group);
	EXPECT_EQ(0660, config.channel[0].mode);
	EXPECT_EQ(16, config.channel[1].number);
	EXPECT_EQ(1234, config.channel[1].group);
	EXPECT_EQ(0606, config.channel[1].mode);
	guestfile_free(&config);
	EXPECT_WRONG(KERNEL "[Channel]\nNumber=17\n", 4, "not a channel; give 1 to 16");
	EXPECT_WRONG(KERNEL "[Channel]\nNumber=0\n", 4, "not a channel");
	EXPECT_WRONG(KERNEL "[Channel]\nNumber=-1\n", 4, "not a channel");
	EXPECT_WRONG(KERNEL "[Channel]\nMode=0600\n", 3, "without Number=");
	EXPECT_WRONG(KERNEL "[Channel]\nNumber=1\nMode=0770\n", 5, "in octal");
	EXPECT_WRONG(KERNEL "[Channel]\nNumber=1\nMode=689\n", 5, "in octal");
	EXPECT_WRONG(KERNEL "[Channel]\nNumber=1\nUser=no such user\n", 5, "no user of this host");
	EXPECT_WRONG(KERNEL "[Channel]\nNumber=1\nGroup=4294967295\n", 5, "no group of this host");
	EXPECT_WRONG(KERNEL "[Channel]\nNumber=1\n[Channel]\nNumber=1\n", 5,
		     "the same Number= as that of the [Channel] in line 3");
	EXPECT_WRONG(KERNEL "[Channel]\nPath=/x\n", 4, "it has Number= User= Group= Mode=");
}

TEST(guard)
{
	ASSERT_EQ(0, load(KERNEL));
	EXPECT_EQ(SIGMA_GUARD_AUTO, config.guard);
	EXPECT_EQ(0, config.guard_line);
	guestfile_free(&config);
	ASSERT_EQ(0, load(KERNEL "Guard=no\n"));
	EXPECT_EQ(SIGMA_GUARD_NO, config.guard);
	guestfile_free(&config);
	ASSERT_EQ(0, load(KERNEL "\nGuard=full\n"));
	EXPECT_EQ(SIGMA_GUARD_FULL, config.guard);
	EXPECT_EQ(4, config.guard_line);
	guestfile_free(&config);

	EXPECT_WRONG(KERNEL "Guard=yes\n", 3, "none of auto, full, memory and no");
}

TEST(suspend)
{
	ASSERT_EQ(0, load(KERNEL));
	EXPECT_EQ(SIGMA_SUSPEND_SLEEP, config.suspend);
	guestfile_free(&config);
	ASSERT_EQ(0, load(KERNEL "Suspend=refuse\n"));
	EXPECT_EQ(SIGMA_SUSPEND_REFUSE, config.suspend);
	guestfile_free(&config);
	ASSERT_EQ(0, load(KERNEL "Suspend=stop\n"));
	EXPECT_EQ(SIGMA_SUSPEND_STOP, config.suspend);
	guestfile_free(&config);

	EXPECT_WRONG(KERNEL "Suspend=no\n", 3, "none of sleep, refuse and stop");
}

TEST(wake_on)
{
	ASSERT_EQ(0, load(KERNEL));
	EXPECT_EQ(0, config.wake_on);
	guestfile_free(&config);
	ASSERT_EQ(0, load(KERNEL "WakeOn=network vsock\tchannel\n"));
	EXPECT_EQ(WAKE_ON_NETWORK | WAKE_ON_VSOCK | WAKE_ON_CHANNEL, config.wake_on);
	guestfile_free(&config);
	ASSERT_EQ(0, load(KERNEL "WakeOn=magic channel magic\n"));
	EXPECT_EQ(WAKE_ON_MAGIC | WAKE_ON_CHANNEL, config.wake_on);
	guestfile_free(&config);

	EXPECT_WRONG(KERNEL "WakeOn=network,vsock\n", 3, "\"network,vsock\" is none of network, magic, vsock and channel");
	EXPECT_WRONG(KERNEL "WakeOn=vsock net\n", 3, "\"net\" is none of");
	EXPECT_WRONG(KERNEL "WakeOn=yes\n", 3, "none of network");
}

TEST(vsock)
{
	ASSERT_EQ(0, load(KERNEL));
	EXPECT_FALSE(config.vsock.off || config.vsock.cid || config.vsock.line);
	guestfile_free(&config);
	ASSERT_EQ(0, load(KERNEL "VSock=no\n"));
	EXPECT_TRUE(config.vsock.off);
	guestfile_free(&config);
	ASSERT_EQ(0, load(KERNEL "VSock=1\n"));
	EXPECT_FALSE(config.vsock.off || config.vsock.cid);
	EXPECT_EQ(3, config.vsock.line);
	guestfile_free(&config);
	ASSERT_EQ(0, load(KERNEL "VSock=4294967294\n"));
	EXPECT_EQ(4294967294, config.vsock.cid);
	guestfile_free(&config);

	EXPECT_WRONG(KERNEL "VSock=2\n", 3, "VSock=2: no CID of a guest; give yes, no, or 3 to 4294967294");
	EXPECT_WRONG(KERNEL "VSock=4294967295\n", 3, "no CID of a guest");
	EXPECT_WRONG(KERNEL "VSock=99999999999999999999\n", 3, "no CID of a guest");
	EXPECT_WRONG(KERNEL "VSock=-3\n", 3, "neither yes nor no");
}

TEST(vhost)
{
	ASSERT_EQ(0, load(KERNEL "[Network]\nBridge=a\nMACAddress=52:54:00:ab:cd:ef\nVHost=no\n"));
	EXPECT_EQ(VHOST_NO, config.net[0].vhost);
	guestfile_free(&config);
	ASSERT_EQ(0, load(KERNEL "[Network]\nBridge=a\nMACAddress=52:54:00:ab:cd:ef\nVHost=yes\n"));
	EXPECT_EQ(VHOST_YES, config.net[0].vhost);
	guestfile_free(&config);
	EXPECT_WRONG(KERNEL "[Network]\nBridge=a\nVHost=maybe\n", 5, "VHost=maybe: neither yes nor no");
}

TEST(user_network)
{
	const struct guest_forward *forward = config.net[0].forward;

	ASSERT_EQ(0, load(KERNEL "[Network]\nUser=yes\nMACAddress=52:54:00:ab:cd:ef\n"
			  "Forward=tcp:2222:22\nForward=udp:65535:1\n"
			  "Forward=tcp:127.0.0.1:8080:80\n"));
	EXPECT_TRUE(config.net[0].user);
	ASSERT_EQ(3, config.net[0].nr_forwards);
	EXPECT_FALSE(forward[0].udp);
	EXPECT_STREQ("", forward[0].address);
	EXPECT_EQ(2222, forward[0].host_port);
	EXPECT_EQ(22, forward[0].guest_port);
	EXPECT_TRUE(forward[1].udp);
	EXPECT_EQ(65535, forward[1].host_port);
	EXPECT_STREQ("127.0.0.1", forward[2].address);
	EXPECT_EQ(8080, forward[2].host_port);
	guestfile_free(&config);

	ASSERT_EQ(0, load(KERNEL "[Network]\nUser=yes\nMACAddress=52:54:00:ab:cd:ef\nMTU=1280\n"
			  "Forward=tcp:[::1]:8080:80\nForward=udp:[fd00:1:2:3:4:5:6:7]:53:5353\n"));
	EXPECT_EQ(1280, config.net[0].mtu);
	EXPECT_STREQ("::1", forward[0].address);
	EXPECT_EQ(8080, forward[0].host_port);
	EXPECT_EQ(80, forward[0].guest_port);
	EXPECT_TRUE(forward[1].udp);
	EXPECT_STREQ("fd00:1:2:3:4:5:6:7", forward[1].address);
	EXPECT_EQ(5353, forward[1].guest_port);
	guestfile_free(&config);
}

TEST(addresses)
{
	const struct guest_addresses *list = &config.net[0].address;

	ASSERT_EQ(0, load(KERNEL "[Network]\nMACAddress=52:54:00:ab:cd:ef\nMTU=65520\n"
			  "Address=10.0.0.1/8  FD00:0::1/64\nAddress=10.1.0.1/30\n"
			  "Address=fe80::1/64\nAddress=fd00:1::/127\n"));
	EXPECT_EQ(65520, config.net[0].mtu);
	ASSERT_EQ(5, list->nr);
	EXPECT_EQ(AF_INET, list->at[0].family);
	EXPECT_EQ(8, list->at[0].prefix);
	EXPECT_EQ(0, memcmp(list->at[0].bytes, "\x0a\0\0\x01", 4));
	EXPECT_EQ(AF_INET6, list->at[1].family);
	EXPECT_STREQ("fd00::1", list->at[1].text);
	EXPECT_EQ(64, list->at[1].prefix);
	EXPECT_STREQ("10.1.0.1", list->at[2].text);
	EXPECT_STREQ("fe80::1", list->at[3].text);
	EXPECT_EQ(127, list->at[4].prefix);
	guestfile_free(&config);
	ASSERT_EQ(0, load(KERNEL "[Network]\nMACAddress=52:54:00:ab:cd:ef\nBridge=b\nMTU=68\n"));
	EXPECT_EQ(68, config.net[0].mtu);
	guestfile_free(&config);
}

#define NIC KERNEL "[Network]\nMACAddress=52:54:00:ab:cd:ef\n"

TEST(addresses_of_the_guest)
{
	const struct guest_net *net = &config.net[0];

	ASSERT_EQ(0, load(NIC "Address=10.0.0.1/24\nGuestAddress=10.0.0.2/24 fd00::2/64\n"
			  "GuestAddress=10.1.0.2/16\nGateway=10.0.0.1 fe80::1\nDNS=10.0.0.1\nDNS=fd00::53\n"));
	ASSERT_EQ(3, net->guest_address.nr);
	EXPECT_STREQ("fd00::2", net->guest_address.at[1].text);
	EXPECT_EQ(16, net->guest_address.at[2].prefix);
	ASSERT_EQ(2, net->gateway.nr);
	EXPECT_STREQ("fe80::1", net->gateway.at[1].text);
	ASSERT_EQ(2, net->dns.nr);
	EXPECT_STREQ("fd00::53", net->dns.at[1].text);
	guestfile_free(&config);

	EXPECT_WRONG(NIC "Bridge=b\nGateway=10.0.0.1\n", 3, "with Gateway= and without GuestAddress=");
	EXPECT_WRONG(NIC "Bridge=b\nDNS=10.0.0.1\n", 3, "with DNS= and without GuestAddress=");
	EXPECT_WRONG(NIC "Bridge=b\nGuestAddress=10.0.0.2\n", 6,
		     "GuestAddress=10.0.0.2: not an IP address with a prefix length");
	EXPECT_WRONG(NIC "Bridge=b\nGuestAddress=10.0.0.2/24\nGateway=10.0.0.1/24\n", 7,
		     "Gateway=10.0.0.1/24: not an IP address; write it like 10.0.0.1 or fd00::1");
	EXPECT_WRONG(NIC "Bridge=b\nGuestAddress=10.0.0.2/24\nGateway=10.0.1.1\n", 3,
		     "Gateway=10.0.1.1: in no network of GuestAddress=");
	EXPECT_WRONG(NIC "Bridge=b\nGuestAddress=10.0.0.2/27\nGateway=10.0.0.33\n", 3,
		     "in no network of GuestAddress=");
	EXPECT_WRONG(NIC "Bridge=b\nGuestAddress=10.0.0.2/24\nGateway=10.0.0.1 10.0.0.3\n", 3,
		     "Gateway=10.0.0.3: a second one of IPv4");
	EXPECT_WRONG(NIC "Bridge=b\nGuestAddress=10.0.0.2/24\nDNS=localhost\n", 7, "not an IP address");
	EXPECT_WRONG(NIC "User=yes\nGuestAddress=10.0.0.2/24\n", 3, "passt tells the guest");
	EXPECT_WRONG(NIC "Address=10.0.0.1/24\nGuestAddress=10.0.0.1/24\n", 3,
		     "GuestAddress=10.0.0.1: Address= gives it to the host's end");
	EXPECT_WRONG(KERNEL "Initrd=@/initrd\n[Network]\nBridge=b\nGuestAddress=10.0.0.2/24\n", 4,
		     "and [Guest] with Initrd=");
}

TEST(bad_addresses)
{
	char text[4096] = KERNEL "[Network]\nAddress=10.1.1.1/24";

	EXPECT_WRONG(KERNEL "[Network]\nAddress=fd00::1\n", 4, "not an IP address with a prefix");
	EXPECT_WRONG(KERNEL "[Network]\nAddress=fd00::1%eth0/64\n", 4, "not an IP address");
	EXPECT_WRONG(KERNEL "[Network]\nAddress=fd00:::1/64\n", 4, "not an IP address");
	EXPECT_WRONG(KERNEL "[Network]\nAddress=fd00::1/128\n", 4, "prefix length is not 8 to 127");
	EXPECT_WRONG(KERNEL "[Network]\nAddress=fd00::1/7\n", 4, "prefix length is not 8 to 127");
	EXPECT_WRONG(KERNEL "[Network]\nAddress=fd00::/64\n", 4, "first address");
	EXPECT_WRONG(KERNEL "[Network]\nAddress=ff02::1/64\n", 4, "multicast");
	EXPECT_WRONG(KERNEL "[Network]\nAddress=::1/64\n", 4, "loopback");
	EXPECT_WRONG(KERNEL "[Network]\nAddress=::ffff:10.0.0.1/120\n", 4, "reserved");
	EXPECT_WRONG(KERNEL "[Network]\nAddress=10.0.0.1/24\nAddress=fd00::1/64 10.0.0.1/16\n", 5,
		     "Address=10.0.0.1/16: this address is there twice");
	EXPECT_WRONG(KERNEL "[Network]\nAddress=10.0.0.1/24,fd00::1/64\n", 4, "prefix length");
	for (unsigned int i = 0; i < GUEST_ADDRESSES_MAX; i++)
		sprintf(text + strlen(text), " fd00::%x/64", i + 1);
	strcat(text, "\n");
	EXPECT_WRONG(text, 4, "more than 16 addresses");

	EXPECT_WRONG(KERNEL "[Network]\nBridge=b\nMTU=67\n", 5, "MTU=67: not 68 to 65520 bytes");
	EXPECT_WRONG(KERNEL "[Network]\nBridge=b\nMTU=65521\n", 5, "not 68 to 65520");
	EXPECT_WRONG(KERNEL "[Network]\nBridge=b\nMTU=1500k\n", 5, "not 68 to 65520");
	EXPECT_WRONG(KERNEL "[Network]\nBridge=b\nMTU=-1\n", 5, "not 68 to 65520");
	EXPECT_WRONG(KERNEL "[Network]\nAddress=fd00::1/64\nMTU=1279\n", 3,
		     "MTU=1279 and an IPv6 address; IPv6 needs 1280");
	EXPECT_WRONG(KERNEL "[Network]\nUser=yes\nMTU=1279\n", 3, "MTU=1279 and User=yes");
}

TEST(bad_forwards)
{
	static const char *const bad[] = {
		"22", "tcp", "tcp:", "tcp:22", "tcp::22", "tcp:22:", "sctp:22:22", "TCP:22:22",
		"tcp:0:22", "tcp:22:0", "tcp:65536:22", "tcp:22:65536", "tcp:+22:22", "tcp:-1:22",
		"tcp:22:22:", "tcp: 22:22", "tcp:22x:22", "tcp:22:22x", "tcp:22-23:22",
		"tcp:1.2.3:22:22", "tcp:1.2.3.256:22:22", "tcp::22:22", "tcp:::1:22:22",
		"tcp:1.2.3.4:22:22:22", "tcp:1.2.3.4:22", "tcp:1111111111111111.2.3.4:22:22",
		"tcp:18446744073709551638:22", "tcp:[::1]8080:80", "tcp:[::1:8080:80", "tcp:[]:80:80",
		"tcp:[127.0.0.1]:80:80", "tcp:[::1]:80", "tcp:::1:8080:80", "tcp:[::1%lo]:80:80",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		char text[256];

		snprintf(text, sizeof(text), KERNEL "[Network]\nUser=yes\nForward=%s\n", bad[i]);
		EXPECT_WRONG(text, 5, "not a port of the host and one of the guest");
	}
}

TEST(disk_on_a_socket)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX, .sun_path = "socket" };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	ASSERT_EQ(0, bind(fd, (struct sockaddr *)&addr, sizeof(addr)));
	ASSERT_EQ(0, load(KERNEL "[Disk]\nSocket=@/socket\n"));
	EXPECT_TRUE(strstr(config.disk[0].socket, "/socket") && !config.disk[0].path);
	guestfile_free(&config);
	EXPECT_WRONG(KERNEL "[Disk]\nSocket=@/a.img\n", 4, "no socket; correct the path");
	EXPECT_WRONG(KERNEL "[Disk]\nSocket=@/socket\nPath=@/a.img\n", 3,
		     "both Path= and Socket=");
	EXPECT_WRONG(KERNEL "[Disk]\nSocket=@/socket\nReadOnly=yes\n", 3, "has no other key");
	EXPECT_WRONG(KERNEL "[Disk]\nSocket=@/socket\nFormat=raw\n", 3, "has no other key");
	EXPECT_WRONG(KERNEL "[Disk]\nSocket=@/socket\nBacking=@/a.img\n", 3, "has no other key");
	unlink("socket");
	close(fd);
}

TEST(shares)
{
	ASSERT_EQ(0, load(KERNEL "[Share]\nPath=@/modules//\n[Share]\nPath=@\nTag=all#1\n"
			  "ReadOnly=yes\n"));
	ASSERT_EQ(2, config.nr_shares);
	EXPECT_STREQ("modules", config.share[0].tag);
	EXPECT_FALSE(config.share[0].read_only);
	EXPECT_STREQ(dir, config.share[1].path);
	EXPECT_STREQ("all#1", config.share[1].tag);
	EXPECT_TRUE(config.share[1].read_only);
	EXPECT_EQ(5, config.share[1].line);
	EXPECT_FALSE(config.share[0].xattr || config.share[0].acl);
	EXPECT_TRUE(config.share[0].submounts);
	guestfile_free(&config);
	ASSERT_EQ(0, load(KERNEL "[Share]\nPath=@\nXattr=yes\nACL=yes\nSubmounts=no\n"));
	EXPECT_TRUE(config.share[0].xattr && config.share[0].acl);
	EXPECT_FALSE(config.share[0].submounts);
	guestfile_free(&config);
	EXPECT_WRONG(KERNEL "[Share]\nPath=@\nXattr=maybe\n", 5, "Xattr=maybe: neither yes nor no");

	EXPECT_WRONG(KERNEL "[Share]\nTag=x\n", 3, "a [Share] without Path=; name the folder");
	EXPECT_WRONG(KERNEL "[Share]\nPath=@/a.img\n", 3, "not a folder");
	EXPECT_WRONG(KERNEL "[Share]\nPath=/\n", 3, "its last part cannot be a tag; give Tag=");
	EXPECT_WRONG(KERNEL "[Share]\nPath=@\nTag=a b\n", 5, "at most 36 characters and no blanks");
	EXPECT_WRONG(KERNEL "[Share]\nPath=@\nTag=0123456789012345678901234567890123456\n", 5,
		     "at most 36 characters and no blanks");
	EXPECT_WRONG(KERNEL "[Share]\nPath=@/modules\n[Share]\nPath=@\nTag=modules\n", 5,
		     "the same tag, modules, as that of the [Share] in line 3");
	mkdir("a,b", 0700);
	EXPECT_WRONG(KERNEL "[Share]\nPath=@/a,b\n", 3, "does not accept a comma");
	rmdir("a,b");
}

TEST(profiles_and_caches)
{
	FILE *file = fopen("my.conf", "w");
	char config_text[256];

	snprintf(config_text, sizeof(config_text), "[Guest]\nKernel=%s/vmlinuz\nProfile=%s/my.conf\n", dir,
		 dir);

	fputs("[Kernel]\nMitigations=off\n[Share]\nCache=always\n", file);
	fclose(file);
	/* The cache of a profile is for shares that have none of their own, also those above it */
	ASSERT_EQ(0, load("[Share]\nPath=@/modules\nTag=a\n[Share]\nPath=@/modules\nTag=b\nCache=never\n"
			  KERNEL "Root=@/modules\nRootCache=auto\nProfile=@/my.conf\n"));
	EXPECT_STREQ(" mitigations=off", config.profile.words);
	EXPECT_EQ(CACHE_ALWAYS, config.share[0].cache);
	EXPECT_EQ(CACHE_NEVER, config.share[1].cache);
	EXPECT_EQ(CACHE_AUTO, config.root_cache);
	guestfile_free(&config);
	EXPECT_WRONG("[Share]\nPath=@/modules\nCache=yes\n" KERNEL, 3, "none of auto, always and never");

	file = fopen("my.conf", "w");
	fputs("[Kernel]\nTick=no\n", file);
	fclose(file);
	EXPECT_WRONG(KERNEL "Profile=@/my.conf\n", 3, "cannot be used");
	EXPECT_SAID("my.conf:2: Tick=no", said);
	/* A guest that runs is served all the same */
	capture_start();
	EXPECT_EQ(0, guestfile_parse(&config, "./web.guest", config_text, strlen(config_text)));
	capture_end();
	guestfile_free(&config);
	unlink("my.conf");
	EXPECT_EQ(-ENOENT, load(KERNEL "Profile=@/my.conf\n"));
	EXPECT_SAID("web.guest:3: Profile=", said);
	EXPECT_EQ(-ENOENT, load(KERNEL "Profile=none\n"));
	EXPECT_SAID("no file of this name in", said);
	EXPECT_WRONG(KERNEL "Profile=./my.conf\n", 3, "an absolute path");
}

TEST(root)
{
	ASSERT_EQ(0, load(KERNEL));
	EXPECT_TRUE(!config.root && config.root_writes == ROOT_WRITES_YES);
	guestfile_free(&config);
	ASSERT_EQ(0, load(KERNEL "Root=/\nRootWrites=overlay\n"));
	EXPECT_STREQ("/", config.root);
	EXPECT_EQ(3, config.root_line);
	EXPECT_EQ(ROOT_WRITES_OVERLAY, config.root_writes);
	guestfile_free(&config);
	ASSERT_EQ(0, load(KERNEL "RootWrites=no\nRoot=@/modules\n"));
	EXPECT_EQ(ROOT_WRITES_NO, config.root_writes);
	guestfile_free(&config);

	EXPECT_EQ(-ENOENT, load(KERNEL "Root=@/none\n"));
	EXPECT_SAID("web.guest:3: Root=", said);
	EXPECT_WRONG(KERNEL "Root=modules\n", 3, "Root=modules");
	EXPECT_WRONG(KERNEL "Root=/a,b\n", 3, "comma");
	EXPECT_WRONG(KERNEL "Root=/\nRootWrites=maybe\n", 4, "none of yes, no and overlay");
	EXPECT_WRONG(KERNEL "Root=/\nInitrd=@/initrd\n", 3, "leave one of the two out");
	EXPECT_WRONG(KERNEL "Root=/\nRootCache=maybe\n", 4, "none of auto, always and never");
	EXPECT_EQ(-EINVAL, load(KERNEL "RootCache=always\n"));
	EXPECT_SAID("RootCache= without Root=", said);
	EXPECT_EQ(-EINVAL, load(KERNEL "RootWrites=no\n"));
	EXPECT_SAID("without Root=", said);
}

TEST(memory_is_rounded_up)
{
	ASSERT_EQ(0, load(KERNEL "Memory=134217729\n"));
	EXPECT_EQ(130U << 20, config.memory);
	guestfile_free(&config);
	ASSERT_EQ(0, load(KERNEL "Memory=2g\n"));
	EXPECT_EQ(2ULL << 30, config.memory);
	guestfile_free(&config);
}

TEST(shared_memory)
{
	ASSERT_EQ(0, load(KERNEL "Memory=512M\nSharedMemory=63M\n"));
	EXPECT_EQ(64U << 20, config.shared);
	guestfile_free(&config);
	EXPECT_WRONG(KERNEL "SharedMemory=some\n", 3, "not a size");
	EXPECT_WRONG(KERNEL "SharedMemory=18446744073709551615\n", 3, "not a size");
	EXPECT_WRONG(KERNEL "Memory=512M\nSharedMemory=258M\n", 4, "more than half of Memory=");
	EXPECT_WRONG(KERNEL "Memory=200M\nSharedMemory=80M\n", 4, "less than 128M");
}

TEST(numa_node)
{
	ASSERT_EQ(0, load(KERNEL "NUMANode=1\n"));
	EXPECT_EQ(1, config.numa_node);
	EXPECT_EQ(3, config.numa_line);
	guestfile_free(&config);
	EXPECT_WRONG(KERNEL "NUMANode=-1\n", 3, "not the number of a NUMA node, 0 to 1023");
	EXPECT_WRONG(KERNEL "NUMANode=1024\n", 3, "not the number of a NUMA node");
	EXPECT_WRONG(KERNEL "NUMANode=0-1\n", 3, "not the number of a NUMA node");
}

TEST(stable_mac)
{
	uint8_t first[2][6];

	if (access("/etc/machine-id", R_OK))
		return;
	ASSERT_EQ(0, load(KERNEL "[Network]\nBridge=a\n[Network]\nBridge=b\n"));
	memcpy(first[0], config.net[0].mac, 6);
	memcpy(first[1], config.net[1].mac, 6);
	guestfile_free(&config);
	EXPECT_NE(0, memcmp(first[0], first[1], 6));
	ASSERT_EQ(0, load(KERNEL "[Network]\nAddress=10.1.1.1/30\n"));
	EXPECT_EQ(0, memcmp(first[0], config.net[0].mac, 6));
	guestfile_free(&config);
}

TEST(structure)
{
	EXPECT_WRONG("CPUs=1\n", 1, "in no section");
	EXPECT_WRONG(KERNEL "[Disc]\nPath=/x\n", 3, "[Disc]: no section");
	EXPECT_WRONG(KERNEL "CPU=1\n", 3, "CPU=: no key of [Guest]; it has CPUs= Memory=");
	EXPECT_WRONG(KERNEL "Path=/x\n", 3, "Path=: no key of [Guest]");
	EXPECT_WRONG(KERNEL "CPUs=1\nCPUs=1\n", 4, "CPUs=: given before");
	EXPECT_WRONG(KERNEL "CommandLine=a\nCPUs=1\nCommandLine=b\n", 5, "given before");
	EXPECT_WRONG(KERNEL "CommandLine=a\n b=\"c d\n", 3, "a quotation mark is not closed");
	EXPECT_WRONG(KERNEL "CPUs=1\n  Memory=1G\n", 4, "don't indent it");
	EXPECT_WRONG(KERNEL "[Guest]\n", 3, "a second [Guest]");
	EXPECT_WRONG(KERNEL "Memory=\n", 3, "Memory=: empty");
	EXPECT_WRONG(KERNEL "nonsense\n", 3, "neither [Section] nor Key=value");
	EXPECT_WRONG(KERNEL "[Disk\nPath=/x\n", 3, "neither [Section]");
	EXPECT_WRONG("[Guest]\n\n\nMemory=1\n\nSplitCores=maybe\n", 6, "neither yes nor no");
	EXPECT_SAID(":4: Memory=1: too little", said);
}

TEST(long_lines)
{
	char text[4096] = KERNEL "CommandLine=";
	size_t len = strlen(text);

	/* A value that is too long for inih, a comment behind it, and lines that continue it */
	memset(text + len, 'x', 300);
	strcpy(text + len + 300, " ; comment\n short\n");
	memset(text + strlen(text), ' ', 250);
	strcat(text, "long ; comment\nCPUs=2\n");
	ASSERT_EQ(0, load(text));
	ASSERT_EQ(300 + strlen(" short long"), strlen(config.cmdline));
	EXPECT_STREQ("x short long", config.cmdline + 299);
	EXPECT_EQ(2, config.nr_cpus);
	guestfile_free(&config);

	/* A file that ends in such a line */
	memset(text + len, 'x', 300);
	text[len + 300] = '\0';
	ASSERT_EQ(0, load(text));
	EXPECT_EQ(300, strlen(config.cmdline));
	guestfile_free(&config);

	/* Mistakes have their line, also behind it */
	strcpy(text + len + 300, "\nnonsense\n");
	EXPECT_WRONG(text, 4, "neither");
	text[strlen(KERNEL)] = '[';
	EXPECT_WRONG(text, 3, "neither [Section] nor Key=value");
	text[strlen(KERNEL)] = '#';
	strcpy(text + len + 300, "\nCPUs=2");
	ASSERT_EQ(0, load(text));
	EXPECT_EQ(2, config.nr_cpus);
	guestfile_free(&config);
}

TEST(long_paths)
{
	char text[4096] = KERNEL "[Disk]\nPath=@";
	size_t len = strlen(text);

	/* The same file by a path that is long */
	for (unsigned int i = 0; i < 1500; i++)
		strcpy(text + len + 2 * i, "/.");
	strcat(text, "/a.img\n");
	ASSERT_EQ(0, load(text));
	EXPECT_EQ(strlen(dir) + 3000 + strlen("/a.img"), strlen(config.disk[0].path));
	guestfile_free(&config);
	strcpy(text + strlen(text) - 1, ".none\n");
	EXPECT_EQ(-ENOENT, load(text));
	EXPECT_SAID("/./a.img.none: No such file or directory; make it", said);
}

TEST(cpus_of_a_kind)
{
	ASSERT_EQ(0, load(KERNEL "CPUs=2 efficiency\n"));
	EXPECT_EQ(2, config.nr_cpus);
	EXPECT_EQ(CPU_KIND_EFFICIENCY, config.cpu_kind);
	EXPECT_FALSE(config.cpus_given);
	guestfile_free(&config);
	ASSERT_EQ(0, load(KERNEL "CPUs=low-power\n"));
	EXPECT_EQ(1, config.nr_cpus);
	EXPECT_EQ(CPU_KIND_LOW_POWER, config.cpu_kind);
	guestfile_free(&config);
	ASSERT_EQ(0, load(KERNEL "CPUs=3\n"));
	EXPECT_EQ(CPU_KIND_ANY, config.cpu_kind);
	guestfile_free(&config);
}

TEST(bad_cpus)
{
	EXPECT_WRONG(KERNEL "CPUs=2 fast\n", 3, "\"fast\" is no kind of cores: not performance");
	EXPECT_WRONG(KERNEL "CPUs=2 efficiency cores\n", 3, "is no kind of cores");
	EXPECT_WRONG(KERNEL "CPUs=Performance\n", 3, "(CPUs=2 efficiency)");
	EXPECT_WRONG(KERNEL "CPUs=0 efficiency\n", 3, "not 1 to 64");
	EXPECT_WRONG(KERNEL "CPUs=cpu2 efficiency\n", 3, "not a list of CPUs");
	EXPECT_WRONG(KERNEL "CPUs=0\n", 3, "not 1 to 64");
	EXPECT_WRONG(KERNEL "CPUs=65\n", 3, "not 1 to 64");
	EXPECT_WRONG(KERNEL "CPUs=99999999999999999999\n", 3, "not 1 to 64");
	EXPECT_WRONG(KERNEL "CPUs=2,3\n", 3, "not 1 to 64");
	EXPECT_WRONG(KERNEL "CPUs=-1\n", 3, "\"-1\" is no kind of cores");
	EXPECT_WRONG(KERNEL "CPUs=cpu\n", 3, "not a list of CPUs");
	EXPECT_WRONG(KERNEL "CPUs=cpu3-\n", 3, "not a list of CPUs");
	EXPECT_WRONG(KERNEL "CPUs=cpu5-3\n", 3, "not a list of CPUs");
	EXPECT_WRONG(KERNEL "CPUs=cpu3,\n", 3, "not a list of CPUs");
	EXPECT_WRONG(KERNEL "CPUs=cpu3,4\n", 3, "not a list of CPUs");
	EXPECT_WRONG(KERNEL "CPUs=cpu99999999999999999999\n", 3, "not a list of CPUs");
	EXPECT_WRONG(KERNEL "CPUs=cpu0\n", 3, "CPU 0 always stays");
	EXPECT_WRONG(KERNEL "CPUs=cpu3,cpu2-4\n", 3, "CPU 3 is there twice");
	EXPECT_WRONG(KERNEL "CPUs=cpu1-4000000000\n", 3, "more than 64 CPUs");
}

TEST(bad_memory)
{
	EXPECT_WRONG(KERNEL "Memory=lots\n", 3, "not a size");
	EXPECT_WRONG(KERNEL "Memory=-1M\n", 3, "not a size");
	EXPECT_WRONG(KERNEL "Memory=512MB\n", 3, "not a size");
	EXPECT_WRONG(KERNEL "Memory=64M\n", 3, "at least 128M");
	EXPECT_WRONG(KERNEL "Memory=0\n", 3, "at least 128M");
	EXPECT_WRONG(KERNEL "Memory=99999999999999999999\n", 3, "more than any machine has");
	EXPECT_WRONG(KERNEL "Memory=18014398509481984K\n", 3, "more than any machine has");
	EXPECT_WRONG(KERNEL "Memory=18446744073709551615\n", 3, "more than any machine has");
}

TEST(bad_paths)
{
	/* What a terminal would obey is not said */
	EXPECT_EQ(-ENOENT, load("[Guest]\nKernel=/\x1b[2J\xff\n"));
	EXPECT_SAID("./web.guest:2: Kernel=/?[2J?: No such file", said);
	EXPECT_EQ(-ENOENT, load("[Guest]\nKernel=@/none\n"));
	EXPECT_SAID("web.guest:2: Kernel=", said);
	EXPECT_SAID("No such file", said);
	EXPECT_WRONG("[Guest]\nKernel=vmlinuz\n", 2, "not an absolute path");
	EXPECT_WRONG("[Guest]\nKernel=@/modules\n", 2, "a folder");
	EXPECT_WRONG(KERNEL "Modules=@/vmlinuz\n", 3, "not a folder");
	EXPECT_WRONG(KERNEL "Initrd=/dev/null\n", 3, "neither a file nor a block device");
	EXPECT_WRONG(KERNEL "[Disk]\nReadOnly=yes\n", 3, "without Path=");
	EXPECT_WRONG(KERNEL "[Disk]\n", 3, "without Path=");
	EXPECT_WRONG(KERNEL "[Disk]\nPath=@/modules\n", 3, "a folder");
	EXPECT_EQ(-ENOENT, load(KERNEL "[Disk]\nPath=@/none.img\n"));
	EXPECT_SAID("web.guest:3: Path=", said);
}

TEST(what_comes_late)
{
	char absent[GUEST_ABSENT_MAX];

	/* Not a mistake, if there is no other */
	EXPECT_EQ(-ENOENT, load(KERNEL "[Disk]\nPath=@/none.img\n"));
	EXPECT_EQ(-EAGAIN, guestfile_load_late(&config, "./web.guest", absent));
	EXPECT_TRUE(strstr(absent, "/none.img (./web.guest:3)"));
	EXPECT_EQ(-ENOENT, load(KERNEL "[Disk]\nPath=@/none.img\n[Disk]\nSocket=@/none\n"));
	EXPECT_EQ(-EAGAIN, guestfile_load_late(&config, "./web.guest", absent));
	EXPECT_TRUE(strstr(absent, "Socket=") && strstr(absent, "/none (./web.guest:6)"));
	EXPECT_EQ(-EINVAL, load(KERNEL "CPUs=no\n[Disk]\nPath=@/none.img\n"));
	capture_start();
	EXPECT_EQ(-EINVAL, guestfile_load_late(&config, "./web.guest", absent));
	EXPECT_SAID("./web.guest:3: ", capture_end());

	/* Whether there is a bridge, only sigmad asks */
	ASSERT_EQ(0, load(KERNEL "[Network]\nBridge=nobridge0\n"));
	guestfile_free(&config);
	EXPECT_EQ(-EAGAIN, guestfile_load_late(&config, "./web.guest", absent));
	EXPECT_STREQ("Bridge=nobridge0 (./web.guest:3)", absent);
	ASSERT_EQ(0, load(KERNEL "[Network]\nBridge=lo\n"));
	guestfile_free(&config);
	ASSERT_EQ(0, guestfile_load_late(&config, "./web.guest", absent));
	guestfile_free(&config);
}

TEST(bad_networks)
{
	EXPECT_WRONG(KERNEL "[Network]\n", 3, "none of Bridge=, Address= and User=yes");
	EXPECT_WRONG(KERNEL "[Network]\nUser=no\n", 3, "none of");
	EXPECT_WRONG(KERNEL "[Network]\nBridge=br0\nAddress=10.0.0.1/24\n", 3, "more than one");
	EXPECT_WRONG(KERNEL "[Network]\nBridge=br0\nUser=yes\n", 3, "more than one");
	EXPECT_WRONG(KERNEL "[Network]\nBridge=br0\nForward=tcp:2:2\n", 3, "without User=yes");
	EXPECT_WRONG(KERNEL "[Network]\nUser=yes\nVHost=no\n", 3, "User=yes and VHost=");
	EXPECT_WRONG(KERNEL "[Network]\nBridge=a-very-long-bridge-name\n", 4, "at most 15");
	EXPECT_WRONG(KERNEL "[Network]\nBridge=../br0\n", 4, "cannot be the name");
	EXPECT_WRONG(KERNEL "[Network]\nAddress=10.0.0.1\n", 4, "not an IP address");
	EXPECT_WRONG(KERNEL "[Network]\nAddress=10.0.0.256/24\n", 4, "not an IP address");
	EXPECT_WRONG(KERNEL "[Network]\nAddress=10.0.0.1/x\n", 4, "not an IP address");
	EXPECT_WRONG(KERNEL "[Network]\nAddress=10.0.0.1/31\n", 4, "prefix length");
	EXPECT_WRONG(KERNEL "[Network]\nAddress=10.0.0.1/24x\n", 4, "prefix length");
	EXPECT_WRONG(KERNEL "[Network]\nAddress=10.0.0.0/24\n", 4, "first address");
	EXPECT_WRONG(KERNEL "[Network]\nAddress=10.0.0.255/24\n", 4, "broadcast address");
	EXPECT_WRONG(KERNEL "[Network]\nAddress=224.0.0.1/24\n", 4, "multicast");
	EXPECT_WRONG(KERNEL "[Network]\nAddress=127.0.0.1/24\n", 4, "loopback");
	EXPECT_WRONG(KERNEL "[Network]\nBridge=b\nMACAddress=52:54:00:12:34\n", 5, "not a MAC");
	EXPECT_WRONG(KERNEL "[Network]\nBridge=b\nMACAddress=52:54:00:12:34:5g\n", 5, "not a MAC");
	EXPECT_WRONG(KERNEL "[Network]\nBridge=b\nMACAddress=52:54:00:12:34:56:78\n", 5,
		     "not a MAC");
	EXPECT_WRONG(KERNEL "[Network]\nBridge=b\nMACAddress=53:54:00:12:34:56\n", 5, "multicast");
	EXPECT_WRONG(KERNEL "[Network]\nBridge=b\nMACAddress=00:00:00:00:00:00\n", 5, "all zeros");
	EXPECT_WRONG(KERNEL "[Network]\nBridge=b\nMACAddress=52:54:00:12:34:56\n"
		     "[Network]\nBridge=b\nMACAddress=52:54:00:12:34:56\n", 6, "in line 3");
}

TEST(too_many)
{
	char text[4096] = KERNEL;

	for (int i = 0; i <= GUEST_DISKS_MAX; i++)
		strcat(text, "[Disk]\nPath=@/a.img\n");
	EXPECT_WRONG(text, 35, "more than 16 disks");
	strcpy(text, KERNEL);
	for (int i = 0; i <= GUEST_NETS_MAX; i++)
		strcat(text, "[Network]\nBridge=br0\n");
	EXPECT_WRONG(text, 19, "more than 8 NICs");
}

/* Add a device with these keys, where @ stands for the folder */
static int add(enum guest_device kind, int slot, const char *keys)
{
	char text[512] = "";
	int ret;

	for (; *keys; keys++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s",
			 *keys == '@' ? dir : (char[]){ *keys, '\0' });
	capture_start();
	ret = guestfile_add(&config, kind, slot, 0, text);
	said = capture_end();
	return ret;
}

/* The message has no line number, and nothing is added */
#define EXPECT_REFUSED(kind, keys, what) do {				\
	EXPECT_TRUE(add(kind, -1, keys) < 0);				\
	EXPECT_SAID("sigmad: error: " what, said);			\
} while (0)

TEST(devices_that_are_added)
{
	ASSERT_EQ(0, load(KERNEL "[Disk]\nPath=@/a.img\nSerial=first\n[Share]\nPath=@/modules\n"));
	EXPECT_EQ(1, add(GUEST_DISK, -1, "path=@/b.img\nREADONLY=yes\n"));
	EXPECT_STREQ("", said);
	EXPECT_TRUE(config.disk[1].read_only && config.disk[1].direct);
	EXPECT_EQ(0, config.disk[1].line);
	EXPECT_EQ(0, strncmp(guestfile_keys(&config, GUEST_DISK, 1), "Path=/", 6));
	EXPECT_TRUE(strstr(guestfile_keys(&config, GUEST_DISK, 1), "/b.img\nReadOnly=yes\n"));
	EXPECT_EQ(0, add(GUEST_NET, -1, "Bridge=br0"));
	EXPECT_EQ(1, add(GUEST_NET, -1, "Bridge=br0"));
	EXPECT_NE(0, memcmp(config.net[0].mac, config.net[1].mac, sizeof(config.net[0].mac)));

	EXPECT_REFUSED(GUEST_DISK, "", "a [Disk] without Path=");
	EXPECT_REFUSED(GUEST_DISK, "Path=@/c.img", "Path=");
	EXPECT_REFUSED(GUEST_DISK, "Path=@/b.img\nSerial=first",
		       "the same Serial= as that of the [Disk] in line 3 of ./web.guest");
	EXPECT_REFUSED(GUEST_DISK, "Path=@/b.img\nColour=red", "Colour=: no key of [Disk]");
	EXPECT_REFUSED(GUEST_DISK, "Path=@/b.img\nPath=@/b.img", "Path=: given before");
	EXPECT_REFUSED(GUEST_DISK, "[Guest]", "[Guest]: no Key=value");
	EXPECT_REFUSED(GUEST_SHARE, "Path=@/modules", "the same tag, modules");
	EXPECT_REFUSED(GUEST_NET, "Bridge=br0\nGuestAddress=10.0.0.2/24",
		       "[Network] with GuestAddress=: it is set up when the guest starts");
	EXPECT_REFUSED(GUEST_NET, "Address=10.0.0.1", "Address=10.0.0.1: not an IP address");
	EXPECT_FALSE(guestfile_keys(&config, GUEST_DISK, 2));
	EXPECT_FALSE(guestfile_keys(&config, GUEST_SHARE, 1));
	EXPECT_FALSE(guestfile_keys(&config, GUEST_NET, 2));
	guestfile_free(&config);
}

TEST(slots_are_used_again)
{
	uint8_t mac[6];

	ASSERT_EQ(0, load(KERNEL "[Network]\nBridge=b\n[Network]\nBridge=b\n"));
	memcpy(mac, config.net[0].mac, sizeof(mac));
	guestfile_drop(&config, GUEST_NET, 0);
	EXPECT_FALSE(guestfile_keys(&config, GUEST_NET, 0));
	EXPECT_EQ(0, add(GUEST_NET, -1, "Address=10.0.0.1/24"));
	EXPECT_EQ(0, memcmp(config.net[0].mac, mac, sizeof(mac)));
	/* A takeover puts the device where it was, unless there is one */
	EXPECT_EQ(5, add(GUEST_NET, 5, "Bridge=b"));
	EXPECT_EQ(-EINVAL, add(GUEST_NET, 5, "Bridge=b"));
	EXPECT_EQ(-EINVAL, add(GUEST_NET, GUEST_NETS_MAX, "Bridge=b"));
	for (int i = 2; i < GUEST_NETS_MAX; i++)
		if (i != 5)
			EXPECT_EQ(i, add(GUEST_NET, -1, "Bridge=b"));
	EXPECT_REFUSED(GUEST_NET, "Bridge=b", "more than 8 NICs; remove one first");
	guestfile_free(&config);
}

TEST(file_without_its_devices)
{
	static const char text[] = "[Disk]\nPath=/nowhere\n[Guest]\nCPUs=2\nKernel=/etc/passwd\n";

	ASSERT_EQ(0, guestfile_parse(&config, "./web.guest", text, strlen(text)));
	EXPECT_EQ(2, config.nr_cpus);
	EXPECT_EQ(0, config.nr_disks);
	guestfile_free(&config);
}

/* A guest that runs needs its kernel no more. Those who make its devices say what is missing */
TEST(files_that_are_gone)
{
	static const char text[] =
		"[Guest]\nKernel=/nowhere/k\nInitrd=/nowhere/i\nModules=/nowhere/m\n";

	ASSERT_EQ(0, guestfile_parse(&config, "./web.guest", text, strlen(text)));
	EXPECT_STREQ("/nowhere/k", config.kernel);
	EXPECT_EQ(0, add(GUEST_DISK, 0, "Path=/nowhere/d"));
	EXPECT_EQ(1, add(GUEST_DISK, 1, "Socket=/nowhere/s"));
	EXPECT_EQ(0, add(GUEST_SHARE, 0, "Path=/nowhere/f"));
	EXPECT_STREQ("f", config.share[0].tag);
	/* One that is added new is checked */
	EXPECT_REFUSED(GUEST_DISK, "Path=/nowhere/d", "Path=/nowhere/d: No such file");
	EXPECT_EQ(-EINVAL, add(GUEST_DISK, 2, "Path=nowhere"));
	guestfile_free(&config);
}

TEST(names)
{
	static const char *const bad[] = {
		"", "-x", ".hidden", "a b", "control", "./control.guest", "/tmp/", "ä",
		"./a-name-that-is-longer-than-31-bytes.guest",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		capture_start();
		EXPECT_EQ(-EINVAL, guestfile_load(&config, bad[i]));
		EXPECT_SAID("cannot be the name of a guest", capture_end());
	}
	capture_start();
	EXPECT_EQ(-ENOENT, guestfile_load(&config, "no-such-guest"));
	EXPECT_SAID("/etc/sigma/no-such-guest.guest: No such file", capture_end());
	capture_start();
	EXPECT_EQ(-EISDIR, guestfile_load(&config, "./modules"));
	EXPECT_SAID("a folder", capture_end());
}

TEST(guest_and_file_of_an_argument)
{
	static const struct {
		const char *given, *name, *file;
	} good[] = {
		{ "web", "web", "/etc/sigma/web.guest" },
		{ "web.guest", "web.guest", "/etc/sigma/web.guest.guest" },
		{ "./try.guest", "try", "./try.guest" },
		{ "/tmp/b.c/a", "a", "/tmp/b.c/a" },
	};
	char name[SIGMA_NAME_MAX], *file;

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		ASSERT_EQ(0, guestfile_find(good[i].given, name, &file));
		EXPECT_STREQ(good[i].name, name);
		EXPECT_STREQ(good[i].file, file);
		free(file);
	}
}

TEST_HARNESS_MAIN
