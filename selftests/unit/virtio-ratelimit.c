// SPDX-License-Identifier: GPL-2.0
/* Messages that a guest can cause at will: few are printed, from any number of threads. */
#include <pthread.h>
#include <stdint.h>

#include "../../daemon/virtio/ratelimit.h"
#include "capture.h"
#include "tap.h"

#define THREADS		4
#define WARNINGS	1000	/* of each */

static unsigned int lines(const char *said)
{
	unsigned int nr = 0;

	for (; *said; said++)
		nr += *said == '\n';
	return nr;
}

static void *warn(void *limit)
{
	for (unsigned int i = 0; i < WARNINGS; i++)
		ratelimit_warn(limit, "warning %u", i);
	return NULL;
}

/* As if the last message had been @seconds ago */
static void wait_seconds(struct ratelimit *limit, uint64_t seconds)
{
	limit->state -= seconds << 32;
}

TEST(bursts_are_limited)
{
	struct ratelimit limit = { 0 };
	pthread_t thread[THREADS];
	const char *said;

	capture_start();
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, warn, &limit);
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	said = capture_end();
	EXPECT_EQ(RATELIMIT_BURST, lines(said));
	EXPECT_FALSE(strstr(said, "left out"));

	wait_seconds(&limit, RATELIMIT_SECONDS);
	capture_start();
	ratelimit_warn(&limit, "one %s", "more");
	ratelimit_warn(&limit, "and another");
	said = capture_end();
	EXPECT_EQ(2, lines(said));
	EXPECT_SAID("one more (before that, 3995 warnings were left out)\n", said);
	EXPECT_SAID("and another\n", said);
}

TEST(limits_are_independent)
{
	struct ratelimit limit[2] = { 0 };

	capture_start();
	warn(&limit[0]);
	ratelimit_warn(&limit[1], "of another device");
	EXPECT_SAID("of another device", capture_end());
}

TEST(no_note_where_nothing_was_left_out)
{
	struct ratelimit limit = { 0 };

	capture_start();
	for (unsigned int i = 0; i < RATELIMIT_BURST; i++)
		ratelimit_warn(&limit, "x");
	wait_seconds(&limit, RATELIMIT_SECONDS);
	ratelimit_warn(&limit, "last");
	EXPECT_SAID("last\n", capture_end());
}

TEST_HARNESS_MAIN
