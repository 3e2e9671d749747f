// SPDX-License-Identifier: GPL-2.0
/* Ranges for the pool, as text and in a file; the firmware's map, in folders that are made here. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../common/pool.h"
#include "capture.h"
#include "tap.h"

static char folder[] = "/tmp/sigma-unit-XXXXXX";
static const char *said;

static void put(const char *name, const char *text)
{
	char path[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "w");
	if (f) {
		fputs(text, f);
		fclose(f);
	}
}

/* An entry as the kernel shows it, with its newlines */
static void entry(unsigned int number, const char *start, const char *end, const char *type)
{
	char path[PATH_MAX], name[32], text[64];

	snprintf(path, sizeof(path), "%s/%u", folder, number);
	mkdir(path, 0700);
	snprintf(name, sizeof(name), "%u/start", number);
	snprintf(text, sizeof(text), "%s\n", start);
	put(name, text);
	snprintf(name, sizeof(name), "%u/end", number);
	snprintf(text, sizeof(text), "%s\n", end);
	put(name, text);
	snprintf(name, sizeof(name), "%u/type", number);
	snprintf(text, sizeof(text), "%s\n", type);
	put(name, text);
}

/* The map of a machine with 4 GiB; the RAM above 4 GiB is in two entries, the upper one first */
static void machine(void)
{
	char command[PATH_MAX];

	snprintf(command, sizeof(command), "rm -rf %s/*", folder);
	if (access(folder, F_OK) ? !mkdtemp(folder) : system(command))
		return;
	entry(0, "0x0", "0x9fbff", "System RAM");
	entry(1, "0x9fc00", "0x9ffff", "Reserved");
	entry(2, "0x100000", "0x7ffdffff", "System RAM");
	entry(3, "0x7ffe0000", "0x7fffffff", "ACPI Tables");
	entry(4, "0xfeffc000", "0xfeffffff", "Reserved");
	entry(5, "0x120000000", "0x17fffffff", "System RAM");
	entry(10, "0x100000000", "0x11fffffff", "System RAM");
}

static struct pool_range range;

static int parse(const char *text)
{
	int error;

	capture_start();
	error = pool_parse(text, text, &range);
	said = capture_end();
	return error;
}

static int check(uint64_t phys, uint64_t size)
{
	const struct pool_range asked = { .phys = phys, .size = size };
	int error;

	capture_start();
	error = pool_check(folder, "it", &asked);
	said = capture_end();
	return error;
}

TEST(ranges)
{
	static const struct {
		const char *text;
		uint64_t phys, size;
	} good[] = {
		{ "256M@0x110000000", 0x110000000, 256 << 20 },
		{ "1G@5G", 5ULL << 30, 1 << 30 },
		{ "1g@0X140000000", 0x140000000, 1 << 30 },
		{ "2097152@4297064448", 0x100200000, 2 << 20 },
		{ "0x200000@1T", 1ULL << 40, 2 << 20 },
		{ "2048K@4m", 4 << 20, 2 << 20 },
		/* Zeros in front do not make it octal */
		{ "010M@0x0000000120000000", 0x120000000, 10 << 20 },
		/* Multiples of 2 MiB are for sigma.ko to ask for */
		{ "1@0", 0, 1 },
		{ "2M@0xffffffffffe00000", 0xffffffffffe00000, 2 << 20 },
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		EXPECT_EQ(0, parse(good[i].text));
		EXPECT_EQ(good[i].phys, range.phys);
		EXPECT_EQ(good[i].size, range.size);
		EXPECT_STREQ("", said);
	}
}

TEST(malformed_ranges)
{
	static const char * const bad[] = {
		"", "@", "much", "256M", "256M@", "@1G", "256M@@1G", "256M@1G@2G", "256M@1Gi",
		"256MB@1G", "-1@1G", "256M@-1", " 256M@1G", "256M @1G", "256M@1G ", "256M$1G", "0x@1G",
		"256M@0x", "0xg@1G", "256M@0x1z", "ffffM@1G", "1.5G@1G", "256M@1G,256M@2G",
		"99999999999999999999@1G", "1G@99999999999999999999", "99999999999T@1G",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		EXPECT_EQ(-EINVAL, parse(bad[i]));
		EXPECT_SAID("not SIZE@ADDRESS; write it like 512M@0x140000000", said);
	}
}

TEST(impossible_ranges)
{
	static const char * const bad[] = {
		"0@1G", "0M@1G", "2M@0xffffffffffffffff", "4M@0xffffffffffe00000",
		"0xffffffffffffffff@2",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		EXPECT_EQ(-EINVAL, parse(bad[i]));
		EXPECT_SAID("no machine has such a range of memory", said);
	}
}

TEST(what_the_firmware_calls_memory)
{
	machine();
	EXPECT_EQ(0, check(0x100000, 0x7ffdffff - 0x100000 + 1));
	EXPECT_EQ(0, check(0x7ffdffff, 1));
	EXPECT_EQ(0, check(0x100000000, 0x20000000));
	EXPECT_EQ(0, check(0x130000000, 0x10000000));
	/* Across two entries, and both of them */
	EXPECT_EQ(0, check(0x110000000, 0x20000000));
	EXPECT_EQ(0, check(0x100000000, 0x80000000));
	EXPECT_STREQ("", said);
}

TEST(what_the_firmware_does_not_call_memory)
{
	machine();
	EXPECT_EQ(-ENXIO, check(0xfee00000, 0x200000));
	EXPECT_SAID("it: the firmware does not call 0xfee00000 memory; /tmp/sigma-unit-", said);
	/* In part: beyond the end, before the start, across a hole, in an entry of another type */
	EXPECT_EQ(-ENXIO, check(0x170000000, 0x20000000));
	EXPECT_SAID("call 0x180000000 memory", said);
	EXPECT_EQ(-ENXIO, check(0xffe00000, 0x400000));
	EXPECT_SAID("call 0xffe00000 memory", said);
	EXPECT_EQ(-ENXIO, check(0x70000000, 0xa0000000));
	EXPECT_SAID("call 0x7ffe0000 memory", said);
	EXPECT_EQ(-ENXIO, check(0x7fe00000, 0x200000));
	EXPECT_SAID("call 0x7ffe0000 memory", said);
	EXPECT_EQ(-ENXIO, check(0, 0x200000));
	EXPECT_SAID("call 0x9fc00 memory", said);
	EXPECT_EQ(-ENXIO, check(0xffffffffffe00000, 0x200000));
}

TEST(types_that_are_not_quite_memory)
{
	static const char * const types[] = {
		"Reserved", "Soft Reserved", "Persistent Memory", "Unusable memory", "System RAM (kmem)",
		"system ram", "System RA", "",
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		machine();
		entry(6, "0x200000000", "0x23fffffff", types[i]);
		EXPECT_EQ(-ENXIO, check(0x200000000, 0x200000));
	}
}

/* One entry says that it is memory, another one that it is not */
TEST(contradiction)
{
	machine();
	entry(6, "0x140000000", "0x1401fffff", "Reserved");
	EXPECT_EQ(-ENXIO, check(0x130000000, 0x20000000));
	EXPECT_SAID("call 0x140000000 memory", said);
	EXPECT_EQ(-ENXIO, check(0x140000000, 0x200000));
	EXPECT_EQ(-ENXIO, check(0x140100000, 0x200000));
	EXPECT_SAID("call 0x140100000 memory", said);
	EXPECT_EQ(0, check(0x130000000, 0x10000000));
	EXPECT_EQ(0, check(0x140200000, 0x200000));
}

TEST(up_to_the_last_address)
{
	machine();
	entry(6, "0xfffffffffff00000", "0xffffffffffffffff", "System RAM");
	EXPECT_EQ(0, check(0xfffffffffff00000, 0x100000));
	EXPECT_EQ(-ENXIO, check(0xffffffffffe00000, 0x200000));
}

/* What is not understood is no proof, even if another entry has the range */
TEST(malformed_map)
{
	static const char * const addresses[] = { "", "lots", "0x", "0x1 0x2", "0x11111111111111111" };

	for (size_t i = 0; i < sizeof(addresses) / sizeof(*addresses); i++) {
		machine();
		entry(6, addresses[i], "0x200000000", "System RAM");
		EXPECT_EQ(-EIO, check(0x100000000, 0x200000));
		EXPECT_SAID("it: whether this is memory cannot be known", said);
		machine();
		entry(6, "0x200000000", addresses[i], "System RAM");
		EXPECT_EQ(-EIO, check(0x100000000, 0x200000));
	}
	machine();
	put("stray", "");
	EXPECT_EQ(-ENOTDIR, check(0x100000000, 0x200000));
}

TEST(no_map)
{
	static const struct pool_range asked = { .phys = 0x100000000, .size = 0x200000 };

	capture_start();
	EXPECT_EQ(-ENOENT, pool_check("/nonexistent/memmap", "2M@4G", &asked));
	EXPECT_SAID("2M@4G: whether this is memory cannot be known, since /nonexistent/memmap cannot be read: No such file or directory; the host's kernel needs CONFIG_FIRMWARE_MEMMAP",
		    capture_end());
	machine();
	capture_start();
	if (chdir(folder) || system("rm -r *") || chdir("/"))
		TAP_FAIL("cannot empty %s", folder);
	EXPECT_EQ(-ENXIO, pool_check(folder, "2M@4G", &asked));
	capture_end();
}

/* Ranges that pool_read() has passed on */
static struct pool_range taken[8];
static unsigned int nr_taken;

static int take(void *data, const char *where, const struct pool_range *range)
{
	if (nr_taken < 8)
		taken[nr_taken++] = *range;
	snprintf(data, PATH_MAX, "%s", where);
	return range->size == 1 ? -EBUSY : 0;
}

static int read_file(const char *text, char last[PATH_MAX])
{
	char path[PATH_MAX];
	int error;

	machine();
	put("pool.conf", text);
	snprintf(path, sizeof(path), "%s/pool.conf", folder);
	nr_taken = 0;
	*last = '\0';
	capture_start();
	error = pool_read(path, take, last);
	said = capture_end();
	return error;
}

TEST(file)
{
	char last[PATH_MAX];

	EXPECT_EQ(0, read_file("", last));
	EXPECT_EQ(0, nr_taken);
	EXPECT_EQ(0, read_file("# none\n\n   \n\t# 1G@5G\n", last));
	EXPECT_EQ(0, nr_taken);
	EXPECT_EQ(0, read_file("# kept back\n256M@0x110000000\n\n \t1G@5G\t # the rest\r\n2M@4G", last));
	ASSERT_EQ(3, nr_taken);
	EXPECT_EQ(0x110000000, taken[0].phys);
	EXPECT_EQ(256 << 20, taken[0].size);
	EXPECT_EQ(5ULL << 30, taken[1].phys);
	EXPECT_EQ(2 << 20, taken[2].size);
	EXPECT_TRUE(strstr(last, "/pool.conf:5: 2M@4G"));
	EXPECT_STREQ("", said);
}

/* The other lines count all the same, and all mistakes are reported */
TEST(mistakes_in_a_file)
{
	char last[PATH_MAX];

	EXPECT_EQ(-EINVAL, read_file("1G@5G\nmuch\n1@4G\n2M@4G 2M@8G\n2M@4G\n0@4G\n", last));
	ASSERT_EQ(3, nr_taken);
	EXPECT_EQ(5ULL << 30, taken[0].phys);
	EXPECT_EQ(2 << 20, taken[2].size);
	EXPECT_SAID("/pool.conf:2: much: not SIZE@ADDRESS", said);
	EXPECT_SAID("/pool.conf:4: 2M@4G 2M@8G: not SIZE@ADDRESS", said);
	EXPECT_SAID("/pool.conf:6: 0@4G: no machine has", said);
	EXPECT_EQ(-EBUSY, read_file("1@4G\nmuch\n", last));
	EXPECT_EQ(1, nr_taken);
}

TEST(no_file)
{
	capture_start();
	EXPECT_EQ(-ENOENT, pool_read("/nonexistent/pool.conf", take, NULL));
	EXPECT_SAID("/nonexistent/pool.conf: cannot be read: No such file or directory",
		    capture_end());
	capture_start();
	EXPECT_EQ(-EIO, pool_read("/tmp", take, NULL));
	EXPECT_SAID("/tmp: cannot be read to its end", capture_end());
}

/* Not of sigma.ko: the call is not known there */
TEST(other_device)
{
	static const struct pool_range asked = { .phys = 0x100000000, .size = 0x200000 };
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	ASSERT_TRUE(fd >= 0);
	capture_start();
	EXPECT_EQ(-ENOTTY, pool_add(fd, folder, "2M@4G", &asked));
	EXPECT_SAID("2M@4G: sigma.ko cannot add it: Inappropriate ioctl", capture_end());
	close(fd);
}

TEST(clean_up)
{
	char command[PATH_MAX];

	snprintf(command, sizeof(command), "rm -rf %s", folder);
	EXPECT_EQ(0, system(command));
}

TEST_HARNESS_MAIN
