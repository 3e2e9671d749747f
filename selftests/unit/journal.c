// SPDX-License-Identifier: GPL-2.0
/* What of the guest's text goes to the journal, of which this test has one with a clock of its own. */
#include <sys/mman.h>
#include <sys/stat.h>
#include <systemd/sd-journal.h>
#include <time.h>

#include "../../daemon/journal.h"
#include "tap.h"

#define NOW	1000			/* the clock's first second */
#define LONG	1000			/* seconds */

static struct observers observers;
static time_t now;
static int journal[GUEST_STREAMS];
static unsigned int nr_streams;

int clock_gettime(clockid_t id, struct timespec *time)
{
	*time = (struct timespec){ .tv_sec = now };
	return 0;
}

int sd_journal_stream_fd(const char *identifier, int priority, int level_prefix)
{
	int fd = memfd_create(identifier, MFD_CLOEXEC);

	return journal[nr_streams++ % GUEST_STREAMS] = fd;
}

static void begin(void)
{
	now = NOW;
	nr_streams = 0;
	observers = (struct observers){ 0 };
	journal_close();
	journal_open(&observers, "demo");
}

static void put(const char *line, unsigned int nr)
{
	while (nr--)
		observers_text(&observers, STREAM_KERNEL, line, strlen(line));
}

static uint64_t size(unsigned int nr)
{
	struct stat st = { 0 };

	fstat(journal[nr], &st);
	return st.st_size;
}

/* How many times does the journal have this text? */
static unsigned int count(const char *text)
{
	size_t len = size(0);
	char *all = mmap(NULL, len + 1, PROT_READ, MAP_SHARED, journal[0], 0), *at = all;
	unsigned int nr = 0;

	if (all == MAP_FAILED)
		return 0;
	while ((at = memmem(at, len - (at - all), text, strlen(text)))) {
		at++;
		nr++;
	}
	munmap(all, len + 1);
	return nr;
}

TEST(a_boot_is_there)
{
	begin();
	put("a line of a kernel that boots, as long as they usually are\n", JOURNAL_BURST);
	EXPECT_EQ(JOURNAL_BURST, count("as they usually are\n"));
	put("one more\n", 1);
	EXPECT_EQ(0, count("one more"));
	now += 10;
	put("another\n", 1);
	EXPECT_EQ(1, count("<1 lines are left out here>\nanother\n"));
}

/* A guest must not push out what others have logged */
TEST(a_guest_that_never_stops)
{
	char line[JOURNAL_LINE_MAX];

	memset(line, 'x', sizeof(line) - 2);
	strcpy(line + sizeof(line) - 2, "\n");
	begin();
	for (; now < NOW + LONG; now++)
		put(line, 20);
	EXPECT_TRUE(size(0) > JOURNAL_SAVED);
	EXPECT_TRUE(size(0) < JOURNAL_SAVED + LONG * JOURNAL_RATE);
	/* The end of such a guest is there, once it was silent for a minute */
	now += 60;
	put("Kernel panic - not syncing: the end of it\n", 100);
	EXPECT_EQ(100, count("not syncing: the end of it\n"));
	/* Each line is there or counted */
	EXPECT_TRUE(count("lines are left out here>\n") > LONG / 2);
}

/* The fields of an entry take room, too */
TEST(short_lines)
{
	begin();
	for (; now < NOW + LONG; now++)
		put("x\n", 150);
	EXPECT_TRUE(count("x\n") < LONG * 150 / 2);
}

TEST_HARNESS_MAIN
