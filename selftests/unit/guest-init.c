// SPDX-License-Identifier: GPL-2.0
/*
 * What the guest's init makes of disks, of its command line, and of answers by DHCP: superblocks,
 * partition tables and packets, made here. And how the system of 'sigmactl run' ends.
 */
#include <ctype.h>
#include <dirent.h>
#include <endian.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "../../guest/init/init.h"
#include "tap.h"

#define BLOCK		512
#define BLOCK_4K	4096
#define ENTRY		128
#define SIZE		(128 << 10)
#define NO_SYSTEM	125		/* it could not be run, or did not switch itself off */

#define UUID		"01234567-89ab-cdef-0011-223344556677"

static const uint8_t uuid[16] = {
	0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77
};

/* UUID as a GUID */
static const uint8_t guid[16] = {
	0x67, 0x45, 0x23, 0x01, 0xab, 0x89, 0xef, 0xcd, 0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77
};

/* The types of a root partition of x86-64, and of one for swap */
static const uint8_t root_type_guid[16] = {
	0xe3, 0xbc, 0x68, 0x4f, 0xcd, 0xe8, 0xb1, 0x4d, 0x96, 0xe7, 0xfb, 0xca, 0xf9, 0x84, 0xb7, 0x09
};
static const uint8_t swap_type_guid[16] = {
	0x6d, 0xfd, 0x57, 0x06, 0xab, 0xa4, 0xc4, 0x43, 0x84, 0xe5, 0x09, 0x33, 0xc8, 0x4b, 0x4f, 0x4f
};

/* The parts of init that are linked here have no /dev/kmsg */
void init_say(int level, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	printf("# %d: ", level);
	vprintf(fmt, args);
	putchar('\n');
	va_end(args);
}

static int disk = -1;

/* Begin with a disk full of zeros */
static void clear(void)
{
	if (disk >= 0)
		close(disk);
	disk = memfd_create("disk", MFD_CLOEXEC);
	if (disk < 0 || ftruncate(disk, SIZE)) {
		perror("no disk");
		exit(EXIT_FAILURE);
	}
}

static void put(off_t at, const void *data, size_t len)
{
	if (pwrite(disk, data, len, at) != (ssize_t)len) {
		perror("cannot write");
		exit(EXIT_FAILURE);
	}
}

static void put32(off_t at, uint32_t value)
{
	value = htole32(value);
	put(at, &value, sizeof(value));
}

static void put64(off_t at, uint64_t value)
{
	value = htole64(value);
	put(at, &value, sizeof(value));
}

static void gpt(unsigned int block, uint64_t entries_block, uint32_t nr, uint32_t entry_size)
{
	clear();
	put(block, "EFI PART", 8);
	put64(block + 72, entries_block);
	put32(block + 80, nr);
	put32(block + 84, entry_size);
}

static void entry(off_t at, const uint8_t type[16], const uint8_t id[16], const char *name)
{
	put(at, type, 16);
	put(at + 16, id, 16);
	for (size_t i = 0; i < strlen(name); i++)
		put(at + 56 + 2 * i, &name[i], 1);
}

TEST(file_systems)
{
	static const struct {
		const char *type, *magic, *label;
		off_t magic_at, uuid_at, label_at;
	} cases[] = {
		{ "ext4", "\x53\xef", "sixteen letters.", 1080, 1128, 1144 },
		{ "xfs", "XFSB", "twelve chars", 0, 32, 108 },
		{ "btrfs", "_BHRfS_M", "a label of btrfs, which may be a long one", 65600, 65568,
		  65835 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct super super;
		char spec[64];

		clear();
		put(cases[i].magic_at, cases[i].magic, strlen(cases[i].magic));
		put(cases[i].uuid_at, uuid, sizeof(uuid));
		put(cases[i].label_at, cases[i].label, strlen(cases[i].label));
		ASSERT_TRUE(super_read(&super, disk));
		EXPECT_STREQ(cases[i].type, super.type);
		EXPECT_TRUE(super_matches(&super, "UUID=" UUID));
		EXPECT_TRUE(super_matches(&super, "UUID=01234567-89AB-CDEF-0011-223344556677"));
		EXPECT_FALSE(super_matches(&super, "UUID=01234567"));
		EXPECT_FALSE(super_matches(&super, "UUID="));
		EXPECT_FALSE(super_matches(&super, "PARTUUID=" UUID));
		snprintf(spec, sizeof(spec), "LABEL=%s", cases[i].label);
		EXPECT_TRUE(super_matches(&super, spec));
		spec[strlen(spec) - 1] = '\0';
		EXPECT_FALSE(super_matches(&super, spec));
		EXPECT_FALSE(super_matches(&super, "LABEL="));
	}
}

TEST(no_file_system)
{
	struct super super;

	clear();
	EXPECT_FALSE(super_read(&super, disk));
	EXPECT_EQ(0, ftruncate(disk, 0));
	EXPECT_FALSE(super_read(&super, disk));
	/* A device that ends in the superblock */
	put(0, "XFSB", 4);
	EXPECT_FALSE(super_read(&super, disk));
}

TEST(no_label)
{
	struct super super;

	clear();
	put(0, "XFSB", 4);
	ASSERT_TRUE(super_read(&super, disk));
	EXPECT_FALSE(super_matches(&super, "LABEL="));
}

TEST(partitions)
{
	static const uint8_t other[16] = { 1 };

	gpt(BLOCK, 2, 128, ENTRY);
	entry(2 * BLOCK, swap_type_guid, other, "swap");
	entry(2 * BLOCK + 4 * ENTRY, root_type_guid, guid, "the root");
	EXPECT_EQ(5, partition_find(disk, BLOCK, "PARTUUID=" UUID));
	EXPECT_EQ(5, partition_find(disk, BLOCK, "PARTUUID=01234567-89AB-CDEF-0011-223344556677"));
	EXPECT_EQ(5, partition_find(disk, BLOCK, "PARTLABEL=the root"));
	EXPECT_EQ(1, partition_find(disk, BLOCK, "PARTLABEL=swap"));
	EXPECT_EQ(5, partition_find(disk, BLOCK, ROOT_AUTO));
	EXPECT_EQ(0, partition_find(disk, BLOCK, "PARTUUID=01234567"));
	EXPECT_EQ(0, partition_find(disk, BLOCK, "PARTUUID="));
	EXPECT_EQ(0, partition_find(disk, BLOCK, "PARTLABEL=the"));
	EXPECT_EQ(0, partition_find(disk, BLOCK, "PARTLABEL="));
	/* Entries that are not used have an ID of zeros, too */
	EXPECT_EQ(0, partition_find(disk, BLOCK, "PARTUUID=00000000-0000-0000-0000-000000000000"));
	/* A table is where the disk's block size puts it */
	EXPECT_EQ(0, partition_find(disk, BLOCK_4K, ROOT_AUTO));

	put64(2 * BLOCK + 4 * ENTRY + 48, 1ULL << 63);	/* not to be found by its type */
	EXPECT_EQ(0, partition_find(disk, BLOCK, ROOT_AUTO));
	EXPECT_EQ(5, partition_find(disk, BLOCK, "PARTUUID=" UUID));
}

TEST(partitions_on_blocks_of_4_kib)
{
	gpt(BLOCK_4K, 3, 4, 2 * ENTRY);
	entry(3 * BLOCK_4K + 2 * ENTRY, root_type_guid, guid, "");
	EXPECT_EQ(2, partition_find(disk, BLOCK_4K, ROOT_AUTO));
	EXPECT_EQ(2, partition_find(disk, BLOCK_4K, "PARTUUID=" UUID));
}

TEST(names_beyond_ascii)
{
	static const uint8_t name[] = { 0xfc, 0, 0xac, 0x20, 0, 0 };

	gpt(BLOCK, 2, 1, ENTRY);
	entry(2 * BLOCK, root_type_guid, guid, "");
	put(2 * BLOCK + 56, name, sizeof(name));
	EXPECT_EQ(1, partition_find(disk, BLOCK, "PARTLABEL=\xc3\xbc\xe2\x82\xac"));

	/* A name that fills its field */
	for (unsigned int i = 0; i < 36; i++)
		put(2 * BLOCK + 56 + 2 * i, "\xac\x20", 2);
	EXPECT_EQ(0, partition_find(disk, BLOCK, "PARTLABEL=\xc3\xbc\xe2\x82\xac"));
}

TEST(damaged_tables)
{
	clear();
	EXPECT_EQ(0, partition_find(disk, BLOCK, ROOT_AUTO));
	gpt(BLOCK, 1ULL << 60, UINT32_MAX, ENTRY);
	EXPECT_EQ(0, partition_find(disk, BLOCK, ROOT_AUTO));
	gpt(BLOCK, 2, UINT32_MAX, 0);
	EXPECT_EQ(0, partition_find(disk, BLOCK, ROOT_AUTO));
	gpt(BLOCK, 2, UINT32_MAX, UINT32_MAX);
	entry(2 * BLOCK, swap_type_guid, guid, "");
	EXPECT_EQ(0, partition_find(disk, BLOCK, ROOT_AUTO));
	gpt(BLOCK, 2, 0, ENTRY);
	entry(2 * BLOCK, root_type_guid, guid, "");
	EXPECT_EQ(0, partition_find(disk, BLOCK, ROOT_AUTO));
}

TEST(disk_signature)
{
	clear();
	put32(440, 0xdeadbeef);
	EXPECT_EQ(0, partition_find(disk, BLOCK, "PARTUUID=deadbeef-01"));
	put(510, "\x55\xaa", 2);
	EXPECT_EQ(1, partition_find(disk, BLOCK, "PARTUUID=deadbeef-01"));
	EXPECT_EQ(0x1f, partition_find(disk, BLOCK, "PARTUUID=DEADBEEF-1f"));
	EXPECT_EQ(0, partition_find(disk, BLOCK, "PARTUUID=deadbeef-"));
	EXPECT_EQ(0, partition_find(disk, BLOCK, "PARTUUID=deadbeef-1"));
	EXPECT_EQ(0, partition_find(disk, BLOCK, "PARTUUID=deadbeef-0g"));
	EXPECT_EQ(0, partition_find(disk, BLOCK, "PARTUUID=deadbee0-01"));
	EXPECT_EQ(0, partition_find(disk, BLOCK, ROOT_AUTO));
	put32(440, 0);
	EXPECT_EQ(0, partition_find(disk, BLOCK, "PARTUUID=00000000-01"));
}

TEST(command_line)
{
	static struct cmdline cmdline;

	strcpy(cmdline.text, "ro root=/dev/vda root=PARTLABEL=\"the root\" rootfstype=xfs rw "
	       "sigma.modules=m sigma.readahead=64 -- root=x\n");
	cmdline_parse(&cmdline);
	EXPECT_STREQ("PARTLABEL=the root", cmdline.root);
	EXPECT_STREQ("xfs", cmdline.fstype);
	EXPECT_STREQ("m", cmdline.modules);
	EXPECT_STREQ("64", cmdline.readahead);
	EXPECT_FALSE(cmdline.read_only);
	EXPECT_FALSE(cmdline.run || cmdline.overlay || cmdline.network || cmdline.nr_shares);
}

TEST(command_line_of_a_run)
{
	static struct cmdline cmdline;

	strcpy(cmdline.text, "root=sigma-root rw sigma.overlay sigma.run=keep sigma.net=dhcp "
	       "sigma.tmp=host \"sigma.share=run-0:/srv/a b\" sigma.share=run-1:/c");
	cmdline_parse(&cmdline);
	EXPECT_TRUE(cmdline.run && cmdline.keep && cmdline.overlay && cmdline.network);
	EXPECT_TRUE(cmdline.tmp_from_host);
	ASSERT_EQ(2, cmdline.nr_shares);
	EXPECT_STREQ("run-0:/srv/a b", cmdline.shares[0]);
	EXPECT_STREQ("run-1:/c", cmdline.shares[1]);

	strcpy(cmdline.text, "sigma.run");
	cmdline_parse(&cmdline);
	EXPECT_TRUE(cmdline.run && !cmdline.keep && !cmdline.nr_shares);
}

/* An answer of a DHCP server: IP, UDP, BOOTP, options */

#define XID	0x11223344
#define BOOTP	240		/* bytes in front of the options */
#define AT	(20 + 8)	/* of BOOTP */

static const uint8_t mac[6] = { 0x52, 0x54, 0, 1, 2, 3 };
static uint8_t answer[600];

static void put16(size_t at, unsigned int value)
{
	answer[at] = value >> 8;
	answer[at + 1] = value;
}

/* Return: its size */
static size_t make_answer(const uint8_t *options, size_t len)
{
	const uint32_t xid = XID;
	size_t size = AT + BOOTP + len;

	memset(answer, 0, sizeof(answer));
	answer[0] = 0x45;
	answer[9] = 17;
	put16(2, size);
	put16(20, 67);
	put16(22, 68);
	put16(24, size - 20);
	answer[AT] = 2;
	memcpy(answer + AT + 4, &xid, sizeof(xid));
	memcpy(answer + AT + 16, "\xc0\0\2\x0a", 4);
	memcpy(answer + AT + 28, mac, sizeof(mac));
	memcpy(answer + AT + 236, "\x63\x82\x53\x63", 4);
	memcpy(answer + AT + BOOTP, options, len);
	return size;
}

static const uint8_t lease_options[] = {
	53, 1, 5, 1, 4, 255, 255, 255, 0, 0, 3, 4, 192, 0, 2, 1, 54, 4, 192, 0, 2, 2,
	6, 16, 9, 9, 9, 9, 8, 8, 8, 8, 7, 7, 7, 7, 6, 6, 6, 6, 26, 2, 0x23, 0x28, 99, 0, 255, 1, 4,
};

TEST(dhcp_lease)
{
	size_t size = make_answer(lease_options, sizeof(lease_options));
	struct dhcp_lease lease;

	ASSERT_TRUE(dhcp_parse(&lease, answer, size, XID, mac));
	EXPECT_EQ(5, lease.type);
	EXPECT_EQ(0xc000020aU, ntohl(lease.address.s_addr));
	EXPECT_EQ(0xffffff00U, ntohl(lease.mask.s_addr));
	EXPECT_EQ(0xc0000201U, ntohl(lease.router.s_addr));
	EXPECT_EQ(0xc0000202U, ntohl(lease.server.s_addr));
	EXPECT_EQ(9000, lease.mtu);
	ASSERT_EQ(3, lease.nr_dns);		/* of four */
	EXPECT_EQ(0x07070707U, lease.dns[2].s_addr);
}

TEST(dhcp_answers_of_others)
{
	size_t size = make_answer(lease_options, sizeof(lease_options));
	const uint8_t other[6] = { 0x52, 0x54, 0, 1, 2, 4 };
	struct dhcp_lease lease;

	EXPECT_FALSE(dhcp_parse(&lease, answer, size, XID + 1, mac));
	EXPECT_FALSE(dhcp_parse(&lease, answer, size, XID, other));
	answer[9] = 6;
	EXPECT_FALSE(dhcp_parse(&lease, answer, size, XID, mac));
	answer[9] = 17;
	put16(22, 69);
	EXPECT_FALSE(dhcp_parse(&lease, answer, size, XID, mac));
}

/* A copy of just that size, so that the sanitizer sees a read behind it */
static bool parse_copy(struct dhcp_lease *lease, size_t len)
{
	uint8_t *copy = malloc(len ?: 1);
	bool is;

	memcpy(copy, answer, len);
	is = dhcp_parse(lease, copy, len, XID, mac);
	free(copy);
	return is;
}

TEST(dhcp_answers_that_are_cut)
{
	static const uint8_t beyond[] = { 53, 1, 5, 1, 200, 255 }, half[] = { 53, 1, 2, 6 };
	size_t size = make_answer(lease_options, sizeof(lease_options));
	struct dhcp_lease lease;

	for (size_t len = 0; len < size; len++)
		EXPECT_FALSE(parse_copy(&lease, len));
	answer[0] = 0x4f;			/* a long header */
	EXPECT_FALSE(parse_copy(&lease, size));
	answer[0] = 0x41;
	EXPECT_FALSE(parse_copy(&lease, size));

	size = make_answer(beyond, sizeof(beyond));
	ASSERT_TRUE(parse_copy(&lease, size));
	EXPECT_EQ(5, lease.type);
	EXPECT_EQ(0, lease.mask.s_addr);
	size = make_answer(half, sizeof(half));
	ASSERT_TRUE(parse_copy(&lease, size));
	EXPECT_EQ(0, lease.nr_dns);
}

TEST(command_line_of_modules)
{
	static struct cmdline cmdline;
	char out[CMDLINE_MAX];

	strcpy(cmdline.text, "root=/dev/vda virtio_net.napi_tx=0 net.x=1 virtio-net.name=\"a b\" "
	       "virtio_net.flag init=/a.b/c virtio_net=x.y -- virtio_net.late=1\n");
	cmdline_parse(&cmdline);
	cmdline_parameters(&cmdline, "/modules/virtio_net.ko.xz", out);
	EXPECT_STREQ("napi_tx=0 \"name=a b\" flag ", out);
	cmdline_parameters(&cmdline, "virtio-net.ko", out);
	EXPECT_STREQ("napi_tx=0 \"name=a b\" flag ", out);
	cmdline_parameters(&cmdline, "/modules/net.ko", out);
	EXPECT_STREQ("x=1 ", out);
	cmdline_parameters(&cmdline, "/modules/virtio.ko", out);
	EXPECT_STREQ("", out);

	/* What has no room is left out, and so are words beyond PARAMETERS_MAX */
	memset(cmdline.text, 'x', CMDLINE_MAX);
	memcpy(cmdline.text, "a.b=", 4);
	cmdline.text[CMDLINE_MAX - 1] = '\0';
	cmdline_parse(&cmdline);
	cmdline_parameters(&cmdline, "a.ko", out);
	EXPECT_STREQ("", out);
	cmdline.text[0] = '\0';
	for (unsigned int i = 0; i < PARAMETERS_MAX + 2; i++)
		strcat(cmdline.text, i < PARAMETERS_MAX ? "a.b " : "c.d ");
	cmdline_parse(&cmdline);
	EXPECT_EQ(PARAMETERS_MAX, cmdline.nr_parameters);
	cmdline_parameters(&cmdline, "c.ko", out);
	EXPECT_STREQ("", out);
}

/* In place of the call that switches the guest off: the number of processes is the exit status */
int reboot(int how)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	int nr = how == RB_POWER_OFF ? 0 : NO_SYSTEM;

	while (proc && (entry = readdir(proc)))
		nr += !!isdigit((unsigned char)*entry->d_name);
	_exit(nr);
}

/* As PID 1, and without /dev and /proc/sys, which are this machine's in each namespace */
static void be_init(int agent)
{
	static const struct cmdline cmdline = { .run = true };

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("proc", "/proc", "proc", 0, NULL) ||
	    mount("tmpfs", "/proc/sys", "tmpfs", 0, NULL) ||
	    mount("tmpfs", "/dev", "tmpfs", 0, NULL) ||
	    mknod("/dev/null", S_IFCHR | 0666, makedev(1, 3)))
		_exit(NO_SYSTEM);
	system_run(&cmdline, agent);
	_exit(NO_SYSTEM);
}

/* The system of run with this script as its agent: how many processes are there when it ends */
static int run_system(const char *script)
{
	int agent = memfd_create("agent", 0), how;
	pid_t pid;

	if (write(agent, script, strlen(script)) < 0)
		return NO_SYSTEM;
	fflush(stdout);
	pid = fork();
	if (!pid) {
		if (unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWNET | CLONE_NEWIPC))
			_exit(NO_SYSTEM);
		pid = fork();
		if (!pid)
			be_init(agent);
		waitpid(pid, &how, 0);
		_exit(WIFEXITED(how) ? WEXITSTATUS(how) : NO_SYSTEM);
	}
	close(agent);
	waitpid(pid, &how, 0);
	return WIFEXITED(how) ? WEXITSTATUS(how) : NO_SYSTEM;
}

TEST(end_of_a_run)
{
	const int alone = run_system("#!/bin/sh\nexit 0\n");

	if (alone == NO_SYSTEM)
		SKIP(return, "no namespaces");
	EXPECT_EQ(1, alone);
	EXPECT_EQ(1, run_system("#!/bin/sh\ntrap '' TERM HUP; sleep 1000 & setsid sleep 1000 & exit 0\n"));
}

TEST_HARNESS_MAIN
