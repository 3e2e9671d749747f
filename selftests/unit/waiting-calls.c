// SPDX-License-Identifier: GPL-2.0
/* Calls in a thread: their order, and what becomes of them at the end. */
#include <errno.h>
#include <semaphore.h>

#include "../../daemon/calls.h"
#include "tap.h"

#define SECOND	UINT64_C(1000000)

static struct calls calls;
static sem_t go;
static unsigned int order[4], nr;

static int wait_and_tell(void *data)
{
	sem_wait(&go);
	return *(int *)data;
}

static void note_done(void *data, int result)
{
	order[nr++] = result;
}

static int one = 1, two = 2, three = 3;
static struct call first = { .run = wait_and_tell, .done = note_done, .data = &one };
static struct call second = { .run = wait_and_tell, .done = note_done, .data = &two };
static struct call third = { .run = wait_and_tell, .done = note_done, .data = &three };

static void begin(void)
{
	nr = 0;
	sem_init(&go, 0, 0);
	ASSERT_EQ(0, sd_event_new(&calls.event) < 0);
}

TEST(one_after_the_other)
{
	begin();
	ASSERT_EQ(0, calls_add(&calls, &first));
	ASSERT_EQ(0, calls_add(&calls, &second));
	EXPECT_EQ(-EALREADY, calls_add(&calls, &first));
	EXPECT_EQ(-EALREADY, calls_add(&calls, &second));
	/* The event loop goes on meanwhile */
	EXPECT_EQ(0, sd_event_run(calls.event, 0));
	sem_post(&go);
	EXPECT_EQ(1, sd_event_run(calls.event, 60 * SECOND));
	EXPECT_EQ(1, nr);
	ASSERT_EQ(0, calls_add(&calls, &first));
	sem_post(&go);
	sem_post(&go);
	while (nr < 3)
		ASSERT_EQ(1, sd_event_run(calls.event, 60 * SECOND));
	EXPECT_EQ(1, order[0]);
	EXPECT_EQ(2, order[1]);
	EXPECT_EQ(1, order[2]);
	sd_event_unref(calls.event);
}

TEST(forgotten_at_the_end)
{
	begin();
	ASSERT_EQ(0, calls_add(&calls, &first));
	ASSERT_EQ(0, calls_add(&calls, &third));
	sem_post(&go);
	calls_end(&calls);
	calls_end(&calls);
	EXPECT_EQ(0, sd_event_run(calls.event, 0));
	EXPECT_EQ(0, nr);
	sd_event_unref(calls.event);
}

TEST_HARNESS_MAIN
