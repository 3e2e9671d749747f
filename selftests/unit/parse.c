// SPDX-License-Identifier: GPL-2.0
/* Values in text. */
#include <errno.h>
#include <stdlib.h>

#include "../../common/parse.h"
#include "tap.h"

static int parse(const char *text, uint64_t *size, const char *rest)
{
	char *end = NULL;
	int error = parse_size(text, &end, size);

	if (!error)
		EXPECT_STREQ(rest, end);
	return error;
}

TEST(a_number_may_have_a_unit)
{
	uint64_t size;

	EXPECT_EQ(0, parse("0", &size, ""));
	EXPECT_EQ(0, size);
	EXPECT_EQ(0, parse("512M", &size, ""));
	EXPECT_EQ(512ULL << 20, size);
	EXPECT_EQ(0, parse("3k", &size, ""));
	EXPECT_EQ(3ULL << 10, size);
	EXPECT_EQ(0, parse("0x10G", &size, ""));
	EXPECT_EQ(16ULL << 30, size);
	EXPECT_EQ(0, parse("1T", &size, ""));
	EXPECT_EQ(1ULL << 40, size);
}

TEST(what_follows_is_left_to_the_caller)
{
	uint64_t size;

	EXPECT_EQ(0, parse("2G@0x1000", &size, "@0x1000"));
	EXPECT_EQ(2ULL << 30, size);
	EXPECT_EQ(0, parse("12MB", &size, "B"));
	EXPECT_EQ(0, parse("010", &size, ""));
	EXPECT_EQ(10, size);
}

TEST(what_is_no_number_is_refused)
{
	uint64_t size;

	EXPECT_EQ(-EINVAL, parse("", &size, ""));
	EXPECT_EQ(-EINVAL, parse("-1", &size, ""));
	EXPECT_EQ(-EINVAL, parse(" 1", &size, ""));
	EXPECT_EQ(-EINVAL, parse("M", &size, ""));
}

TEST(what_is_too_large_is_refused)
{
	uint64_t size;

	EXPECT_EQ(0, parse("0xffffffffffffffff", &size, ""));
	EXPECT_EQ(-ERANGE, parse("18446744073709551616", &size, ""));
	EXPECT_EQ(0, parse("16777215T", &size, ""));
	EXPECT_EQ(-ERANGE, parse("16777216T", &size, ""));
}

TEST(a_line_is_read_without_its_newline)
{
	char path[] = "/tmp/sigma-parse-XXXXXX", line[8] = "before";
	int fd = mkstemp(path);

	ASSERT_TRUE(fd >= 0);
	EXPECT_EQ(-EIO, parse_first_line(line, sizeof(line), "%s", path));
	EXPECT_STREQ("", line);
	ASSERT_EQ(8, write(fd, "one\ntwo\n", 8));
	EXPECT_EQ(0, parse_first_line(line, sizeof(line), "%s", path));
	EXPECT_STREQ("one", line);
	EXPECT_EQ(0, parse_first_line(line, 3, "/tmp/%s", path + 5));
	EXPECT_STREQ("on", line);
	close(fd);
	unlink(path);
	EXPECT_EQ(-ENOENT, parse_first_line(line, sizeof(line), "%s", path));
	EXPECT_STREQ("", line);
}

TEST_HARNESS_MAIN
