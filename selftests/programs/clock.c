// SPDX-License-Identifier: GPL-2.0
/*
 * Read clocks and the TSC, which host and guest share, on both sides of clock.sh. A reading is
 * "TSC NS WIDTH": the clock showed NS at some point within WIDTH cycles around TSC.
 *
 *	clock read realtime	read this system's CLOCK_REALTIME
 *	clock read DEVICE	read a PTP clock
 *	clock cross DEVICE	read a PTP clock by a cross-timestamp, and print the system's clock
 *				minus the PTP clock in ns behind it
 *	clock offset DEVICE	print the system's clock minus the PTP clock by PTP_SYS_OFFSET, ns
 *	clock set DEVICE	set the PTP clock to 0, which must fail
 *	clock compare READING READING READING NS
 *				the first and last reading are of one clock; does the middle one, of
 *				another clock, lie on the line between them, give or take NS?
 */
#include <err.h>
#include <fcntl.h>
#include <linux/ptp_clock.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <x86intrin.h>

#define NS		1000000000LL
#define ATTEMPTS	2000		/* the one with the smallest width counts */
#define WIDTH_MAX_NS	50000		/* largest width of a reading that is worth comparing */
#define WANDER_NS	1000		/* a kernel's clock is even over ticks, not within one */

struct reading {
	int64_t tsc, ns, width;
};

static uint64_t rdtsc_ordered(void)
{
	uint64_t tsc;

	_mm_lfence();
	tsc = __rdtsc();
	_mm_lfence();
	return tsc;
}

static clockid_t clock_of(int fd)
{
	return ~(clockid_t)fd << 3 | 3;		/* FD_TO_CLOCKID() of clock_gettime(2) */
}

static int64_t read_clock(clockid_t id)
{
	struct timespec now;

	if (clock_gettime(id, &now))
		err(EXIT_FAILURE, "clock_gettime");
	return now.tv_sec * NS + now.tv_nsec;
}

static int64_t to_ns(const struct ptp_clock_time *time)
{
	return time->sec * NS + time->nsec;
}

static int64_t read_cross(int fd, int64_t *offset)
{
	struct ptp_sys_offset_precise stamp = { 0 };

	if (ioctl(fd, PTP_SYS_OFFSET_PRECISE, &stamp))
		err(EXIT_FAILURE, "PTP_SYS_OFFSET_PRECISE");
	*offset = to_ns(&stamp.sys_realtime) - to_ns(&stamp.device);
	return to_ns(&stamp.device);
}

static int print_reading(int fd, clockid_t id, bool cross)
{
	struct reading best = { .width = INT64_MAX };
	int64_t best_offset = 0;

	for (unsigned int i = 0; i < ATTEMPTS; i++) {
		int64_t offset = 0, before = rdtsc_ordered();
		int64_t ns = cross ? read_cross(fd, &offset) : read_clock(id);
		int64_t after = rdtsc_ordered();

		if (after - before >= best.width)
			continue;
		best = (struct reading){ before + (after - before) / 2, ns, after - before };
		best_offset = offset;
	}
	printf("%ld %ld %ld", best.tsc, best.ns, best.width);
	if (cross)
		printf(" %ld", best_offset);
	putchar('\n');
	return EXIT_SUCCESS;
}

static int print_offset(int fd)
{
	struct ptp_sys_offset samples = { .n_samples = PTP_MAX_SAMPLES };
	int64_t best = INT64_MAX, offset = 0;

	if (ioctl(fd, PTP_SYS_OFFSET, &samples))
		err(EXIT_FAILURE, "PTP_SYS_OFFSET");
	/* The samples alternate between the system's clock and the PTP clock */
	for (unsigned int i = 0; i < samples.n_samples; i++) {
		int64_t before = to_ns(&samples.ts[2 * i]);
		int64_t after = to_ns(&samples.ts[2 * i + 2]);

		if (after - before >= best)
			continue;
		best = after - before;
		offset = before + (after - before) / 2 - to_ns(&samples.ts[2 * i + 1]);
	}
	printf("%ld %ld\n", offset, best);
	return EXIT_SUCCESS;
}

static int set(int fd)
{
	const struct timespec zero = { 0 };

	if (clock_settime(clock_of(fd), &zero))
		err(EXIT_FAILURE, "clock_settime");
	return EXIT_SUCCESS;
}

static struct reading parse(char *const *words)
{
	return (struct reading){ strtoll(words[0], NULL, 10), strtoll(words[1], NULL, 10),
				 strtoll(words[2], NULL, 10) };
}

static int compare(char *const *words)
{
	struct reading first = parse(words), other = parse(words + 3), last = parse(words + 6);
	double rate = (double)(last.ns - first.ns) / (last.tsc - first.tsc);
	double off = other.ns - first.ns - (other.tsc - first.tsc) * rate;
	double width = (first.width > last.width ? first.width : last.width) / 2 * rate;
	double bound = width + other.width / 2 * rate + WANDER_NS;
	int64_t allowed = strtoll(words[9], NULL, 10);

	printf("off by %.0f ns, of which the readings' widths explain %.0f; %.6f GHz\n", off,
	       bound, 1 / rate);
	if (first.tsc >= other.tsc || other.tsc >= last.tsc)
		errx(EXIT_FAILURE, "the readings are not in order");
	if (bound > WIDTH_MAX_NS)
		errx(EXIT_FAILURE, "read too slowly to tell anything");
	bound += allowed;
	return off >= -bound && off <= bound ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";
	int fd = -1;

	if (!strcmp(verb, "compare") && argc == 12)
		return compare(argv + 2);
	if (argc != 3)
		errx(EXIT_FAILURE, "see the comment on top of programs/clock.c");
	if (!strcmp(verb, "read") && !strcmp(argv[2], "realtime"))
		return print_reading(-1, CLOCK_REALTIME, false);
	fd = open(argv[2], O_RDWR);
	if (fd < 0)
		err(EXIT_FAILURE, "%s", argv[2]);
	if (!strcmp(verb, "read"))
		return print_reading(fd, clock_of(fd), false);
	if (!strcmp(verb, "cross"))
		return print_reading(fd, -1, true);
	if (!strcmp(verb, "offset"))
		return print_offset(fd);
	if (!strcmp(verb, "set"))
		return set(fd);
	errx(EXIT_FAILURE, "see the comment on top of programs/clock.c");
}
