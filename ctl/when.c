// SPDX-License-Identifier: GPL-2.0
/* Times and spans of time that people write on the command line. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl.h"

#define DAY_SEC		86400
#define YEAR_SEC	(365 * DAY_SEC)
#define TIME_MAX	UINT64_C(253402300800)	/* seconds: the year 10000 */

/* Return: -EINVAL unless there is a number of at most @max seconds; @end: out: what follows it */
static int parse_seconds(const char *text, uint64_t max, char **end, uint64_t *seconds)
{
	errno = 0;
	*seconds = strtoull(text, end, 10);
	return isdigit((unsigned char)*text) && !errno && *seconds <= max ? 0 : -EINVAL;
}

int when_span(const char *text, uint64_t *usec)
{
	static const struct {
		const char *name;
		unsigned int seconds;
	} units[] = { { "", 1 }, { "s", 1 }, { "min", 60 }, { "h", 3600 }, { "d", DAY_SEC } };
	uint64_t count;
	char *unit;

	if (parse_seconds(text, YEAR_SEC, &unit, &count) || !count)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (strcmp(unit, units[i].name) || count > YEAR_SEC / units[i].seconds)
			continue;
		*usec = count * units[i].seconds * USEC_PER_SEC;
		return 0;
	}
	return -EINVAL;
}

/* Does @text have this form, of strptime(3), and no more? */
static bool has_form(const char *text, const char *form, struct tm *tm)
{
	const char *end = strptime(text, form, tm);

	return end && !*end;
}

/* Return: seconds since 1970, or -1 */
static time_t parse_local(const char *text, time_t now)
{
	static const char *const days[] = { "%H:%M", "%H:%M:%S" };
	static const char *const dates[] = { "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S" };
	struct tm tm;
	time_t time;

	for (size_t i = 0; i < sizeof(days) / sizeof(*days); i++) {
		if (!localtime_r(&now, &tm))
			return -1;
		tm.tm_sec = 0;
		tm.tm_isdst = -1;
		if (!has_form(text, days[i], &tm))
			continue;
		time = mktime(&tm);
		if (time <= now) {
			tm.tm_mday++;
			tm.tm_isdst = -1;
			time = mktime(&tm);
		}
		return time;
	}
	for (size_t i = 0; i < sizeof(dates) / sizeof(*dates); i++) {
		memset(&tm, 0, sizeof(tm));
		tm.tm_isdst = -1;
		if (has_form(text, dates[i], &tm))
			return mktime(&tm);
	}
	return -1;
}

int when_time(const char *text, uint64_t now, uint64_t *usec)
{
	uint64_t seconds;
	char *end;

	if (*text == '@') {
		if (parse_seconds(text + 1, TIME_MAX, &end, &seconds) || *end)
			return -EINVAL;
	} else {
		time_t time = parse_local(text, now / USEC_PER_SEC);

		if (time < 0 || (uint64_t)time > TIME_MAX)
			return -EINVAL;
		seconds = time;
	}
	*usec = seconds * USEC_PER_SEC;
	return *usec > now ? 0 : -EINVAL;
}
