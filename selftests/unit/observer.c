// SPDX-License-Identifier: GPL-2.0
/* Observers of the guest: who is told what, in which order. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../../daemon/observer.h"
#include "tap.h"

static char log[256];

static void note(const char *who, const char *what)
{
	snprintf(log + strlen(log), sizeof(log) - strlen(log), "%s %s\n", who, what);
}

static int on_open(void *data)
{
	note(data, "open");
	return 0;
}

static int on_open_fails(void *data)
{
	note(data, "fails");
	return -EIO;
}

static void on_close(void *data)
{
	note(data, "close");
}

static void on_progress(void *data, const char *what)
{
	note(data, what);
}

static void on_state(void *data, uint32_t state)
{
	note(data, state == 3 ? "state 3" : "state");
}

static void on_released(void *data, unsigned int id, int error)
{
	note(data, id == 7 && error == -EBUSY ? "released 7" : "released");
}

static const struct observer_ops some = {
	.open = on_open, .close = on_close, .progress = on_progress, .state = on_state,
	.released = on_released,
};

/* One that is told of states alone, and needs no opening */
static const struct observer_ops few = { .state = on_state };
static const struct observer_ops failing = { .open = on_open_fails, .close = on_close };

TEST(all_are_told_in_order)
{
	struct observers observers = {};

	*log = '\0';
	observers_add(&observers, &some, "a");
	observers_add(&observers, &few, "b");
	observers_progress(&observers, "%d of %d", 1, 2);	/* also before it is open */
	EXPECT_EQ(0, observers_open(&observers));
	observers_state(&observers, 3);
	observers_released(&observers, 7, -EBUSY);
	observers_devices(&observers);
	observers_close(&observers);
	observers_close(&observers);
	EXPECT_STREQ("a 1 of 2\na open\na state 3\nb state 3\na released 7\na close\n", log);
}

TEST(one_that_cannot_be_opened)
{
	struct observers observers = {};

	*log = '\0';
	observers_add(&observers, &some, "a");
	observers_add(&observers, &few, "b");
	observers_add(&observers, &failing, "c");
	observers_add(&observers, &some, "d");
	EXPECT_EQ(-EIO, observers_open(&observers));
	observers_close(&observers);
	EXPECT_STREQ("a open\nc fails\na close\n", log);
}

TEST_HARNESS_MAIN
