// SPDX-License-Identifier: GPL-2.0
/* Text of a guest, made safe for a terminal. */
#include <stdlib.h>

#include "../../common/text.h"
#include "tap.h"

/* Filter @text in pieces of @step bytes, through a buffer of exactly the needed size */
static const char *clean(const char *text, size_t step)
{
	struct text_filter filter = {};
	size_t len = strlen(text), done = 0;
	static char all[256];

	for (size_t at = 0; at < len; at += step) {
		size_t piece = step < len - at ? step : len - at;
		char *out = malloc(piece + TEXT_HELD_MAX);
		size_t nr = text_clean(&filter, text + at, piece, out);

		memcpy(all + done, out, nr);
		done += nr;
		free(out);
	}
	done += text_clean_end(&filter, all + done);
	all[done] = '\0';
	return all;
}

#define EXPECT_CLEAN(expected, text) do {				\
	EXPECT_STREQ(expected, clean(text, sizeof(text)));		\
	EXPECT_STREQ(expected, clean(text, 1));				\
	EXPECT_STREQ(expected, clean(text, 2));				\
	EXPECT_STREQ(expected, clean(text, 3));				\
} while (0)

TEST(text_stays)
{
	EXPECT_CLEAN("", "");
	EXPECT_CLEAN(" !~\n\ta", " !~\n\ta");
	EXPECT_CLEAN("gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f");
	EXPECT_CLEAN("\xe2\x82\xac \xf0\x9f\x90\xa7", "\xe2\x82\xac \xf0\x9f\x90\xa7");
}

TEST(carriage_returns_go)
{
	EXPECT_CLEAN("a\nb\n", "a\r\nb\r\r\n");
}

/* A dropped byte must not hide the bytes around it */
TEST(carriage_return_within_a_character)
{
	EXPECT_CLEAN("\xc3\xa9", "\xc3\r\xa9");
	EXPECT_CLEAN("?31m", "\xc2\r\x9b" "31m");
	EXPECT_CLEAN("?", "\xc2\r");
}

TEST(c0_and_del)
{
	EXPECT_CLEAN("?[2J???", "\x1b[2J\a\b\x7f");
}

TEST(c1)
{
	EXPECT_CLEAN("?31m", "\xc2\x9b" "31m");
	EXPECT_CLEAN("?\xc2\xa0?", "\xc2\x80\xc2\xa0\xc2\x9f");
	EXPECT_CLEAN("?31m??", "\x9b" "31m\x80\x9f");
}

TEST(edges_of_utf8)
{
	EXPECT_CLEAN("\xdf\xbf\xe0\xa0\x80", "\xdf\xbf\xe0\xa0\x80");
	EXPECT_CLEAN("\xed\x9f\xbf\xee\x80\x80", "\xed\x9f\xbf\xee\x80\x80");
	EXPECT_CLEAN("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf");
}

TEST(malformed)
{
	EXPECT_CLEAN("??", "\xc0\x8a");			/* overlong */
	EXPECT_CLEAN("??", "\xc1\xbf");
	EXPECT_CLEAN("???", "\xe0\x82\x9b");
	EXPECT_CLEAN("????", "\xf0\x80\x82\x9b");
	EXPECT_CLEAN("???", "\xed\xa0\x80");		/* surrogate */
	EXPECT_CLEAN("????", "\xf4\x90\x80\x80");	/* beyond U+10FFFF */
	EXPECT_CLEAN("??a", "\xf5\xff" "a");
}

TEST(cut_short)
{
	EXPECT_CLEAN("?a", "\xc3" "a");
	EXPECT_CLEAN("?a", "\xf0\x9f\x90" "a");
	EXPECT_CLEAN("?\n", "\xe2\x82\n");
	EXPECT_CLEAN("?\xc3\xa9", "\xe2\xc3\xa9");
	EXPECT_CLEAN("??", "\xe2\x82\x1b");
	EXPECT_CLEAN("a?", "a\xf0\x9f\x90");
}

TEST_HARNESS_MAIN
