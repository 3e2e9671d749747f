// SPDX-License-Identifier: GPL-2.0
/* daemon/bootlog.c: memory that holds what looks like a kernel's log. */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../daemon/bootlog.h"
#include "tap.h"

#define PAGE		0x1000UL
#define MEMORY		0x400000UL
#define HALF		(MEMORY / 2)
#define GAP		0x10000000UL	/* between the physical addresses of the two segments */
#define LOG		0x100000UL	/* offset of most logs */
#define OTHER_LOG	0x240000UL
#define STEP		0x40000UL	/* the search reads this much at a time */
#define FIRST_ID	0x3ffffffffffff000UL
#define ID_MASK		0x3fffffffffffffffUL

#define BANNER		"Linux version 6.1.0-test"
#define PANIC		"Kernel panic - not syncing: "

#define LOOKS		3

static uint8_t *map;
static struct guest_memory memory;

static void __attribute__((constructor)) make_memory(void)
{
	map = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		abort();
	memory = (struct guest_memory){
		.base = map, .size = MEMORY, .nr = 2,
		.segment = { { 0, HALF, 0 }, { HALF + GAP, HALF, HALF } },
	};
}

/* Write a record of a printk ring buffer. Return: the offset of the next record. */
static uint64_t put(uint64_t off, uint64_t id, const char *text)
{
	size_t len = strlen(text);

	id &= ID_MASK;
	memcpy(map + off, &id, sizeof(id));
	memcpy(map + off + sizeof(id), text, len);
	return off + sizeof(id) + (len + 7) / 8 * 8;
}

static uint64_t put_banner(uint64_t off)
{
	return put(off, FIRST_ID, BANNER);
}

/* Cases: fill the guest's memory */

static void plain(void)
{
	uint64_t off = put_banner(LOG);

	off = put(off, FIRST_ID + 1, "Command line: panic=0");
	off = put(off, FIRST_ID + 2, PANIC "no root");
	put(off, FIRST_ID + 3, "CPU: 0 PID: 1");
}

static void lines(void)
{
	put(put(put_banner(LOG), FIRST_ID + 1, PANIC "one\ntwo"), FIRST_ID + 2, "CPU: 0");
}

/* A kernel cut two bytes off the front, so the last two are there twice. The IDs pass 2^32. */
static void moved_text(void)
{
	uint64_t off = put(LOG, 0xfffff000, BANNER);

	put(put(off, 0x100000001, PANIC "block(0,0)" "0)\n"), 0x100000002, "CPU: 0");
}

static void moved_lines(void)
{
	put(put(put_banner(LOG), FIRST_ID + 1, PANIC "abab\nb" "\nb" "\n"), FIRST_ID + 2, "CPU: 0");
}

/* The text fills its block, and the next ID begins with a byte that could be a letter */
static void no_gap(void)
{
	put(put(put_banner(LOG), FIRST_ID + 0x40, PANIC "abcd"), FIRST_ID + 0x41, "CPU: 0");
}

static void no_reason(void)
{
	put(put(put_banner(LOG), FIRST_ID + 1, PANIC), FIRST_ID + 2, "CPU: 0");
}

#define TEN	"0123456789"
#define FIFTY	TEN TEN TEN TEN TEN
#define LONG	FIFTY FIFTY FIFTY TEN TEN TEN TEN "0"	/* what the host keeps of a longer one */

static void long_reason(void)
{
	put(put(put_banner(LOG), FIRST_ID + 1, PANIC LONG "123456789" FIFTY FIFTY FIFTY FIFTY),
	    FIRST_ID + 2, "CPU: 0");
}

/* The IDs have wrapped to 0, and an ID between is missing, since several CPUs log */
static void later(void)
{
	uint64_t off = put_banner(LOG) + 0x20000;

	put(put(off, 1UL << 20, PANIC "late"), (1UL << 20) + 2, "CPU: 0");
}

static void moved(void)
{
	put(put_banner(LOG), FIRST_ID + 1, "setup_log_buf");
	put(put(put_banner(OTHER_LOG), FIRST_ID + 2, PANIC "moved"), FIRST_ID + 3, "CPU: 0");
}

static void between_steps(void)
{
	put(put(put_banner(2 * STEP - 8), FIRST_ID + 1, PANIC "step"), FIRST_ID + 2, "CPU: 0");
}

static void many_logs(void)
{
	uint64_t off = LOG;

	for (unsigned int i = 0; i < 10000; i++)
		off = put_banner(off);
	put(put(off, FIRST_ID + 1, PANIC "many"), FIRST_ID + 2, "CPU: 0");
}

static void no_log(void)
{
	put(put(LOG, FIRST_ID + 1, PANIC "no"), FIRST_ID + 2, "CPU: 0");
}

/* Like a kernel's data or a file: the same words, but not as records */
static void no_record(void)
{
	put(put(put(LOG, 0, BANNER), FIRST_ID + 1, PANIC "no"), FIRST_ID + 2, "CPU: 0");
	put(put(put_banner(OTHER_LOG), 0x6961727420736120, PANIC "%s"), 0, "");
}

static void other_log(void)
{
	put(put(put_banner(LOG), FIRST_ID - 1, PANIC "no"), FIRST_ID, "CPU: 0");
}

static void in_a_line(void)
{
	put(put(put_banner(LOG), FIRST_ID + 1, "a user: " PANIC "no"), FIRST_ID + 2, "CPU: 0");
}

static void unfinished(void)
{
	put(put_banner(LOG), FIRST_ID + 1, PANIC "no");
}

static void at_the_end(void)
{
	put_banner(LOG);
	put(MEMORY - 40, FIRST_ID + 1, PANIC "last");
}

static void log_at_the_end(void)
{
	put(MEMORY - 24, FIRST_ID, "Linux version 6.");
}

static void only_a_start(void)
{
	put_banner(LOG);
	put(MEMORY - 16, FIRST_ID + 1, "Kernel p");
}

/* @panic: the reason that must be found; NULL: none */
static const struct {
	const char *name;
	void (*fill)(void);
	const char *panic;
} cases[] = {
	{ "finds a panic", plain, "no root" },
	{ "finds a panic of several lines", lines, "one" },
	{ "finds a panic whose text was moved", moved_text, "block(0,0)" },
	{ "finds a panic of several lines whose text was moved", moved_lines, "abab" },
	{ "finds a panic without a gap before the next record", no_gap, "abcd" },
	{ "finds a panic without a reason", no_reason, "" },
	{ "finds a panic with a long reason", long_reason, LONG },
	{ "finds a late panic of a guest with several CPUs", later, "late" },
	{ "finds a panic in a log that was moved", moved, "moved" },
	{ "finds a panic in a log that crosses a step of the scan", between_steps, "step" },
	{ "finds a panic in the last of many logs", many_logs, "many" },
	{ "ignores a panic outside of a log", no_log, NULL },
	{ "ignores a panic that is no record", no_record, NULL },
	{ "ignores a panic of an older log", other_log, NULL },
	{ "ignores a panic in the middle of a line", in_a_line, NULL },
	{ "ignores a panic without a record after it", unfinished, NULL },
	{ "ignores a panic at the end of the memory", at_the_end, NULL },
	{ "survives a log at the end of the memory", log_at_the_end, NULL },
	{ "survives a panic cut off by the end of the memory", only_a_start, NULL },
};

/* Without the machine's page flags, since the addresses are none of its memory */
static bool look(int pageflags, char *text, size_t size)
{
	struct bootlog log;
	bool found = false;

	bootlog_begin(&log, &memory);
	bootlog_end(&log);
	log.pageflags = pageflags;
	for (unsigned int i = 0; i < LOOKS && !found; i++)
		found = bootlog_look(&log, text, size);
	return found;
}

TEST(panics)
{
	char text[SIGMA_PANIC_MAX];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		bool found;

		printf("# %s\n", cases[i].name);
		memset(map, 0, MEMORY);
		cases[i].fill();
		found = look(-1, text, sizeof(text));
		EXPECT_EQ(cases[i].panic != NULL, found);
		if (found && cases[i].panic)
			EXPECT_STREQ(cases[i].panic, text);
	}
}

TEST(an_init_that_gives_up)
{
	char text[SIGMA_PANIC_MAX];
	struct bootlog log;
	uint64_t off;

	memset(map, 0, MEMORY);
	bootlog_begin(&log, &memory);
	bootlog_end(&log);
	off = put(put_banner(LOG), FIRST_ID + 1, "sigma-init: gives up: no modules");
	EXPECT_EQ(BOOTLOG_NONE, bootlog_look(&log, text, sizeof(text)));
	off = put(off, FIRST_ID + 2, "sigma-init: stops here");
	EXPECT_EQ(BOOTLOG_GAVE_UP, bootlog_look(&log, text, sizeof(text)));
	EXPECT_STREQ("no modules", text);
	put(put(off, FIRST_ID + 3, PANIC "after that"), FIRST_ID + 4, "CPU: 0");
	EXPECT_EQ(BOOTLOG_PANIC, bootlog_look(&log, text, sizeof(text)));
	EXPECT_STREQ("after that", text);
}

/* A search goes on where the last one ended, and finds what appeared meanwhile */
TEST(panic_that_comes_later)
{
	char text[SIGMA_PANIC_MAX];
	struct bootlog log;

	memset(map, 0, MEMORY);
	bootlog_begin(&log, &memory);
	bootlog_end(&log);
	EXPECT_TRUE(!bootlog_look(&log, text, sizeof(text)));
	put_banner(LOG);
	EXPECT_TRUE(!bootlog_look(&log, text, sizeof(text)));
	EXPECT_EQ(1, log.nr_found);
	plain();
	EXPECT_TRUE(bootlog_look(&log, text, sizeof(text)));
	EXPECT_STREQ("no root", text);
}

/* Once a log is found, the memory is searched less and less often */
TEST(searches_become_rare)
{
	char text[SIGMA_PANIC_MAX];
	struct bootlog log;
	unsigned int searches = 0;

	memset(map, 0, MEMORY);
	put_banner(LOG);
	bootlog_begin(&log, &memory);
	bootlog_end(&log);
	for (unsigned int i = 0; i < 1000; i++) {
		unsigned int next = log.next_search;

		bootlog_look(&log, text, sizeof(text));
		searches += log.next_search != next;
	}
	EXPECT_TRUE(searches > 5 && searches < 20);
}

/* Pages that /proc/kpageflags marks are not read, and what is before and after them is found */
TEST(pages_with_memory_errors)
{
	static const uint64_t broken = UINT64_C(1) << 19;
	const uint64_t at[] = { 0, LOG - PAGE, HALF, HALF + STEP + 3 * PAGE, MEMORY - PAGE };
	char name[] = "/tmp/sigma-unit-XXXXXX", text[SIGMA_PANIC_MAX];
	int fd = mkstemp(name);

	ASSERT_TRUE(fd >= 0);
	unlink(name);
	ASSERT_EQ(0, ftruncate(fd, (MEMORY + GAP) / PAGE * sizeof(broken)));
	memset(map, 0, MEMORY);
	moved();
	for (size_t i = 0; i < sizeof(at) / sizeof(*at); i++) {
		uint64_t phys = at[i] < HALF ? at[i] : at[i] + GAP;

		ASSERT_EQ(sizeof(broken), pwrite(fd, &broken, sizeof(broken),
						 phys / PAGE * sizeof(broken)));
		ASSERT_EQ(0, mprotect(map + at[i], PAGE, PROT_NONE));
	}
	EXPECT_TRUE(look(fd, text, sizeof(text)));
	EXPECT_STREQ("moved", text);
	mprotect(map, MEMORY, PROT_READ | PROT_WRITE);
	close(fd);
}

TEST_HARNESS_MAIN
