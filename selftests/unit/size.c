// SPDX-License-Identifier: GPL-2.0
/* Sizes as people write them. */
#include <errno.h>

#include "../../common/size.h"
#include "tap.h"

TEST(sizes)
{
	static const struct {
		const char *text;
		uint64_t size;
	} good[] = {
		{ "0", 0 }, { "512", 512 }, { "1k", 1024 }, { "3M", 3 << 20 }, { "20G", 20ULL << 30 },
		{ "2T", 2ULL << 40 }, { "9223372036854775807", INT64_MAX }, { "8388607T", 8388607ULL << 40 },
	};
	static const char *const bad[] = {
		"", "M", "-1", "+1", " 1", "1 M", "1MB", "1.5G", "0x10", "1P", "all",
	};
	static const char *const large[] = {
		"9223372036854775808", "8388608T", "18446744073709551616", "99999999999999999999G",
	};
	uint64_t size;

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		EXPECT_EQ(0, size_parse(good[i].text, INT64_MAX, &size));
		EXPECT_EQ(good[i].size, size);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		EXPECT_EQ(-EINVAL, size_parse(bad[i], INT64_MAX, &size));
	for (size_t i = 0; i < sizeof(large) / sizeof(*large); i++)
		EXPECT_EQ(-ERANGE, size_parse(large[i], INT64_MAX, &size));
}

TEST_HARNESS_MAIN
