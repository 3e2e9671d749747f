// SPDX-License-Identifier: GPL-2.0
/* The guest's log: a ring that the guest writes without limits, to a file of bounded size. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../daemon/guestlog.h"
#include "../../kmod/uapi/iosc.h"
#include "tap.h"

static uint8_t iosc[SIGMA_IOSC_SIZE] __attribute__((aligned(4096)));
static struct sigma_iosc_log *const ring = (void *)(iosc + SIGMA_IOSC_LOG_OFF);
static char dir[] = "/tmp/sigma-unit-XXXXXX";
static char path[64], older[64];
static struct guestlog *guestlog;
static uint64_t tail;
static sd_event *event;

/* What an observer is told */
static char heard[64];

static void on_text(void *data, enum guest_stream stream, const char *text, size_t len)
{
	if (stream == STREAM_KERNEL)
		snprintf(heard + strlen(heard), sizeof(heard) - strlen(heard), "%.*s", (int)len,
			 text);
}

static const struct observer_ops observer = { .text = on_text };
static const struct observers observers = { .nr = 1, .observer = { { .ops = &observer } } };

/* Log like a guest */
static void say(const char *text)
{
	for (; *text; text++)
		ring->data[ring->head++ % SIGMA_IOSC_LOG_BYTES] = *text;
}

static const char *file(void)
{
	static char text[1 << 20];
	FILE *f = fopen(path, "r");
	size_t len = f ? fread(text, 1, sizeof(text) - 1, f) : 0;

	if (f)
		fclose(f);
	text[len] = '\0';
	return text;
}

static off_t size_of(const char *name)
{
	struct stat st;

	return stat(name, &st) ? -1 : st.st_size;
}

static bool begin(void)
{
	if (!event) {
		if (sd_event_new(&event) < 0 || !mkdtemp(dir))
			return false;
		snprintf(path, sizeof(path), "%s/log", dir);
		snprintf(older, sizeof(older), "%s/log.1", dir);
	}
	unlink(older);
	memset(iosc, 0, sizeof(iosc));
	*heard = '\0';
	tail = 0;
	return !guestlog_open(&guestlog, event, iosc, path, &tail, &observers);
}

static void end(void)
{
	guestlog_close(guestlog);
}

TEST(follows)
{
	ASSERT_TRUE(begin());
	guestlog_drain(guestlog);
	EXPECT_STREQ("", file());
	say("one\n");
	guestlog_drain(guestlog);
	say("two\n");
	say("three\n");
	guestlog_drain(guestlog);
	guestlog_drain(guestlog);
	EXPECT_STREQ("one\ntwo\nthree\n", file());
	EXPECT_STREQ("one\ntwo\nthree\n", heard);
	end();
}

TEST(wraps)
{
	ASSERT_TRUE(begin());
	ring->head = SIGMA_IOSC_LOG_BYTES - 3;
	memset(ring->data, 'x', SIGMA_IOSC_LOG_BYTES);
	guestlog_drain(guestlog);
	say("abcdef\n");
	guestlog_drain(guestlog);
	EXPECT_STREQ("xabcdef\n", strrchr(file(), 'x'));
	end();
}

TEST(overrun_is_counted)
{
	ASSERT_TRUE(begin());
	memset(ring->data, 'x', SIGMA_IOSC_LOG_BYTES);
	ring->head = SIGMA_IOSC_LOG_BYTES + 1000;
	guestlog_drain(guestlog);
	EXPECT_EQ(0, strncmp(file(), "<missed 1000 bytes>\nxxx", 23));
	EXPECT_EQ(20 + SIGMA_IOSC_LOG_BYTES, size_of(path));
	end();
}

TEST(head_that_jumps)
{
	ASSERT_TRUE(begin());
	say("one\n");
	guestlog_drain(guestlog);
	ring->head = 2;				/* backwards */
	guestlog_drain(guestlog);
	EXPECT_STREQ("one\n", file());
	ring->head = UINT64_MAX / 2;		/* far ahead */
	guestlog_drain(guestlog);
	EXPECT_TRUE(strstr(file(), "<missed 9223372036854513661 bytes>\n"));
	end();
}

TEST(restarts)
{
	ASSERT_TRUE(begin());
	say("first run\n");
	guestlog_drain(guestlog);
	ring->head = 0;
	guestlog_restart(guestlog);
	say("second run\n");
	guestlog_drain(guestlog);
	EXPECT_STREQ("first run\nsecond run\n", file());
	end();
}

TEST(lines_that_the_log_lacks)
{
	static const char memory[] = "--- why ---\n[1.0] one\n[2.0] two\n[2.1] two\n[3.0] three\n";
	const size_t size = sizeof(memory) - 1;

	ASSERT_TRUE(begin());
	EXPECT_STREQ(memory, guestlog_rest(guestlog, memory, size));
	say("[1.0] one\n[2.0] tw");
	guestlog_drain(guestlog);
	EXPECT_STREQ("[2.0] two\n[2.1] two\n[3.0] three\n", guestlog_rest(guestlog, memory, size));
	say("o\n");
	guestlog_drain(guestlog);
	EXPECT_STREQ("[2.1] two\n[3.0] three\n", guestlog_rest(guestlog, memory, size));
	say("[2.1] two\n[3.0] three\n");
	guestlog_drain(guestlog);
	EXPECT_STREQ("", guestlog_rest(guestlog, memory, size));
	for (unsigned int i = 0; i < SIGMA_IOSC_LOG_BYTES - 10; i++)
		say("x");
	say("\n[1.0] one\n");
	guestlog_drain(guestlog);
	EXPECT_STREQ("[2.0] two\n[2.1] two\n[3.0] three\n", guestlog_rest(guestlog, memory, size));
	say("[9.0] not in memory\n");
	guestlog_drain(guestlog);
	EXPECT_STREQ(memory, guestlog_rest(guestlog, memory, size));
	end();
}

TEST(terminal_commands_are_taken_out)
{
	ASSERT_TRUE(begin());
	say("\x1b[2J\a\tab\r\n\xc2\x9b" "31m \xc3\xa9\x7f\n");
	say("\x9b" "31m\xc2\r");
	guestlog_drain(guestlog);
	say("\x9b" "31m\n");		/* parts that a carriage return or time separates */
	guestlog_drain(guestlog);
	EXPECT_STREQ("?[2J?\tab\n?31m \xc3\xa9?\n?31m?31m\n", file());
	end();
}

TEST(size_is_bounded)
{
	static char line[1024];
	unsigned int lines = 3 * GUESTLOG_FILE_MAX / sizeof(line);

	ASSERT_TRUE(begin());
	memset(line, 'y', sizeof(line));
	for (unsigned int i = 0; i < lines; i++)
		guestlog_write(guestlog, line, sizeof(line));
	guestlog_write(guestlog, "newest\n", 7);
	EXPECT_TRUE(size_of(path) <= GUESTLOG_FILE_MAX);
	EXPECT_EQ(GUESTLOG_FILE_MAX, size_of(older));
	EXPECT_TRUE(strstr(file(), "newest\n"));
	end();
}

TEST(clean_up)
{
	unlink(path);
	unlink(older);
	EXPECT_EQ(0, rmdir(dir));
	sd_event_unref(event);
}

TEST_HARNESS_MAIN
