// SPDX-License-Identifier: GPL-2.0
/* Times and spans of time on the command line. */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "../../ctl/ctl.h"
#include "tap.h"

#define NOON	UINT64_C(1709208000)	/* 2024-02-29 12:00:00 UTC */

static uint64_t usec;

/* Return: seconds, or -1 */
static int64_t span(const char *text)
{
	return when_span(text, &usec) ? -1 : (int64_t)(usec / USEC_PER_SEC);
}

/* Return: seconds from NOON, or -1 */
static int64_t from_noon(const char *text)
{
	setenv("TZ", "UTC", 1);
	tzset();
	return when_time(text, NOON * USEC_PER_SEC, &usec) ? -1 : (int64_t)(usec / USEC_PER_SEC - NOON);
}

TEST(spans)
{
	EXPECT_EQ(90, span("90"));
	EXPECT_EQ(90, span("90s"));
	EXPECT_EQ(600, span("10min"));
	EXPECT_EQ(8 * 3600, span("8h"));
	EXPECT_EQ(365 * 86400, span("365d"));
	EXPECT_EQ(-1, span("366d"));
	EXPECT_EQ(-1, span("31536001"));
	EXPECT_EQ(-1, span("18446744073709551617s"));
	EXPECT_EQ(-1, span("0"));
	EXPECT_EQ(-1, span(""));
	EXPECT_EQ(-1, span("-1"));
	EXPECT_EQ(-1, span("+1"));
	EXPECT_EQ(-1, span("h"));
	EXPECT_EQ(-1, span("1 h"));
	EXPECT_EQ(-1, span("10m"));
	EXPECT_EQ(-1, span("1h30min"));
}

TEST(times)
{
	EXPECT_EQ(60, from_noon("12:01"));
	EXPECT_EQ(1, from_noon("12:00:01"));
	/* The next day's */
	EXPECT_EQ(86400, from_noon("12:00"));
	EXPECT_EQ(86400 - 1, from_noon("11:59:59"));
	EXPECT_EQ(86400 + 1800, from_noon("2024-03-01 12:30"));
	EXPECT_EQ(5, from_noon("2024-02-29 12:00:05"));
	EXPECT_EQ(7, from_noon("@1709208007"));
	EXPECT_EQ(-1, from_noon("2024-02-29 12:00"));
	EXPECT_EQ(-1, from_noon("@1709208000"));
	EXPECT_EQ(-1, from_noon("@0"));
	EXPECT_EQ(-1, from_noon("@99999999999999999999"));
	EXPECT_EQ(-1, from_noon("@253402300801"));
	EXPECT_EQ(-1, from_noon("@1709208007x"));
	EXPECT_EQ(-1, from_noon("@ 1"));
	EXPECT_EQ(-1, from_noon("24:61"));
	EXPECT_EQ(-1, from_noon("12:01 "));
	EXPECT_EQ(-1, from_noon("tomorrow"));
	EXPECT_EQ(-1, from_noon(""));
}

TEST_HARNESS_MAIN
