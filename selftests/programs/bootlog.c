// SPDX-License-Identifier: GPL-2.0
/*
 * For bootlog.sh, in a host that can lend CPU 1: guests that do nothing, whose memory holds what
 * looks like a kernel's log. Prints "ok CASE" or "not ok CASE" for each case, after a line that
 * tells why; the exit status is 1 when a case failed.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "guest.h"

#define PARAMS_OFF	PAGE
#define LOG		0x100000UL	/* offset of most logs */
#define OTHER_LOG	0x200000UL
#define STEP		0x40000UL	/* the host reads this much at a time */
#define FIRST_ID	0x3ffffffffffff000UL
#define ID_MASK		0x3fffffffffffffffUL

#define BANNER		"Linux version 6.1.0-test"
#define PANIC		"Kernel panic - not syncing: "

#define SECONDS_TO_PANIC	60
#define SECONDS_TO_LIVE		3	/* longer than the host takes between two looks */

static struct guest guest;

/* Write a record of a printk ring buffer. Return: the offset of the next record. */
static uint64_t put(uint64_t off, uint64_t id, const char *text)
{
	size_t len = strlen(text);

	id &= ID_MASK;
	memcpy(guest.map + off, &id, sizeof(id));
	memcpy(guest.map + off + sizeof(id), text, len);
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

/* @panic: the reason that sysfs must show; NULL: the guest must stay booting */
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

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

/* Return: the guest's state after @seconds, or earlier when it is no longer booting */
static uint32_t wait_state(int seconds)
{
	struct pollfd change = { .fd = guest.fd, .events = POLLPRI };

	while (state(&guest) == SIGMA_STATE_BOOTING && poll(&change, 1, seconds * 1000) == 1)
		;
	return guest.info.state;
}

static bool panic_is(const char *wanted)
{
	char text[4096];
	int fd = open("/sys/class/sigma/bootlog/panic", O_RDONLY | O_CLOEXEC);
	ssize_t len = read(fd, text, sizeof(text) - 1);

	close(fd);
	if (len < 0)
		die("its panic");
	text[len] = '\0';
	text[strcspn(text, "\n")] = '\0';
	if (!strcmp(text, wanted))
		return true;
	printf("# its panic is '%s'\n", text);
	return false;
}

static bool try(void (*fill)(void), const char *panic)
{
	static const uint8_t spin[] = { 0xf3, 0x90, 0xeb, 0xfc };
	struct sigma_start start;
	uint32_t found;
	double begun;
	bool right;

	make(&guest, "bootlog", 1);
	memcpy(guest.map, spin, sizeof(spin));
	start.entry = guest.phys;
	start.boot_params = guest.phys + PARAMS_OFF;
	if (ioctl(guest.fd, SIGMA_START, &start))
		die("bootlog: does not start");
	/* The host must find a log that appears while the guest runs */
	fill();
	begun = now();
	found = wait_state(panic ? SECONDS_TO_PANIC : SECONDS_TO_LIVE);
	if (panic) {
		printf("# seen after %.1f s\n", now() - begun);
		right = found == SIGMA_STATE_PANICKED && panic_is(panic);
	} else {
		right = found == SIGMA_STATE_BOOTING;
	}
	if (!right)
		printf("# its state is %u\n", found);
	destroy(&guest);
	return right;
}

int main(void)
{
	bool failed = false;

	setvbuf(stdout, NULL, _IOLBF, 0);
	control = open("/dev/sigma/control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		die("/dev/sigma/control");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		bool right = try(cases[i].fill, cases[i].panic);

		printf("%s %s\n", right ? "ok" : "not ok", cases[i].name);
		failed |= !right;
	}
	return failed;
}
