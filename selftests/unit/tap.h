/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Unit tests that speak TAP 13, with the macros of the kernel's kselftest_harness.h:
 *
 *	TEST(name)
 *	{
 *		ASSERT_TRUE(pointer);		ends this test when it fails
 *		EXPECT_EQ(4, 2 + 2);		goes on
 *	}
 *
 *	TEST_HARNESS_MAIN
 *
 * SKIP(return, "why") ends a test that cannot run on this machine. Tests run in the order of the
 * file; one that takes longer than TAP_SECONDS ends the program. The exit code is kselftest's:
 * 0 passed, 1 failed, 4 all skipped.
 */
#ifndef SIGMA_TEST_TAP_H
#define SIGMA_TEST_TAP_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TAP_SECONDS	60
#define TAP_EXIT_SKIP	4

struct tap_test {
	const char *name;
	void (*run)(void);
	struct tap_test *next;
};

static struct tap_test *tap_first, **tap_last = &tap_first;
static unsigned int tap_count;
static bool tap_failed;		/* the running test failed */
static const char *tap_skipped;	/* why the running test was skipped */

#define TEST(test_name)							\
	static void test_name(void);					\
	static struct tap_test tap_##test_name = {			\
		.name = #test_name, .run = test_name,			\
	};								\
	static void __attribute__((constructor)) tap_add_##test_name(void) \
	{								\
		*tap_last = &tap_##test_name;				\
		tap_last = &tap_##test_name.next;			\
		tap_count++;						\
	}								\
	static void test_name(void)

#define TAP_FAIL(...) do {						\
	printf("# %s:%d: ", __FILE__, __LINE__);			\
	printf(__VA_ARGS__);						\
	putchar('\n');							\
	tap_failed = true;						\
} while (0)

#define TAP_COMPARE(expected, operator, seen, on_failure) do {		\
	__typeof__(seen) tap_seen = (seen);				\
	__typeof__(tap_seen) tap_expected = (expected);			\
	if (!(tap_seen operator tap_expected)) {			\
		TAP_FAIL("%s is %lld, not %s %s (%lld)", #seen,		\
			 (long long)tap_seen, #operator, #expected,	\
			 (long long)tap_expected);			\
		on_failure;						\
	}								\
} while (0)

#define TAP_TRUE(condition, on_failure) do {				\
	if (!(condition)) {						\
		TAP_FAIL("not so: %s", #condition);			\
		on_failure;						\
	}								\
} while (0)

#define TAP_STREQ(expected, seen, on_failure) do {			\
	const char *tap_seen = (seen), *tap_expected = (expected);	\
	if (!tap_seen || strcmp(tap_seen, tap_expected)) {		\
		TAP_FAIL("%s is \"%s\", not \"%s\"", #seen,		\
			 tap_seen ? tap_seen : "(null)", tap_expected);	\
		on_failure;						\
	}								\
} while (0)

/* SKIP(return, "no depmod") - this machine cannot run the test */
#define SKIP(statement, reason) do {					\
	tap_skipped = reason;						\
	statement;							\
} while (0)

#define EXPECT_EQ(expected, seen)	TAP_COMPARE(expected, ==, seen, )
#define EXPECT_NE(expected, seen)	TAP_COMPARE(expected, !=, seen, )
#define EXPECT_TRUE(condition)		TAP_TRUE(condition, )
#define EXPECT_FALSE(condition)		TAP_TRUE(!(condition), )
#define EXPECT_STREQ(expected, seen)	TAP_STREQ(expected, seen, )
#define ASSERT_EQ(expected, seen)	TAP_COMPARE(expected, ==, seen, return)
#define ASSERT_NE(expected, seen)	TAP_COMPARE(expected, !=, seen, return)
#define ASSERT_TRUE(condition)		TAP_TRUE(condition, return)
#define ASSERT_FALSE(condition)		TAP_TRUE(!(condition), return)
#define ASSERT_STREQ(expected, seen)	TAP_STREQ(expected, seen, return)

static inline int tap_run(void)
{
	unsigned int number = 0, skipped = 0;
	bool any_failed = false;

	/* A crash must not lose the output so far */
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("TAP version 13\n1..%u\n", tap_count);
	for (struct tap_test *test = tap_first; test; test = test->next) {
		tap_failed = false;
		tap_skipped = NULL;
		alarm(TAP_SECONDS);
		test->run();
		printf("%sok %u %s%s%s\n", tap_failed ? "not " : "", ++number, test->name,
		       tap_skipped ? " # SKIP " : "", tap_skipped ? tap_skipped : "");
		any_failed |= tap_failed;
		skipped += !!tap_skipped;
	}
	if (any_failed)
		return 1;
	return skipped == tap_count ? TAP_EXIT_SKIP : 0;
}

#define TEST_HARNESS_MAIN						\
	int main(void)							\
	{								\
		return tap_run();					\
	}

#endif
