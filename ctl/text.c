// SPDX-License-Identifier: GPL-2.0
/* Messages, colours, sizes and times for people. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ctl.h"

int complain(int status, const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);		/* what was said first comes first */
	fputs("sigmactl: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return status;
}

const char *colour(enum colour colour)
{
	static const char * const sequences[] = {
		[COLOUR_NONE]	= "\x1b[0m",
		[COLOUR_GREEN]	= "\x1b[32m",
		[COLOUR_YELLOW]	= "\x1b[33m",
		[COLOUR_RED]	= "\x1b[31m",
		[COLOUR_BOLD]	= "\x1b[1m",
	};
	static int terminal = -1;

	if (terminal < 0) {
		const char *no = getenv("NO_COLOR");	/* https://no-color.org */

		terminal = isatty(STDOUT_FILENO) && !(no && *no);
	}
	return terminal ? sequences[colour] : "";
}

enum colour state_colour(const char *state)
{
	if (!strcmp(state, "running"))
		return COLOUR_GREEN;
	if (!strcmp(state, "panicked") || !strcmp(state, "contained") ||
	    !strcmp(state, "lost"))
		return COLOUR_RED;
	return COLOUR_YELLOW;
}

uint64_t now_usec(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * USEC_PER_SEC + now.tv_nsec / 1000;
}

const char *format_size(char text[32], uint64_t bytes)
{
	static const char units[] = "BKMGTPE";
	unsigned int unit = 0;
	uint64_t rest = 0;

	while (bytes >= 1024 && units[unit + 1]) {
		rest = bytes % 1024;
		bytes /= 1024;
		unit++;
	}
	if (rest)
		snprintf(text, 32, "%" PRIu64 ".%" PRIu64 "%c", bytes, rest * 10 / 1024,
			 units[unit]);
	else
		snprintf(text, 32, "%" PRIu64 "%c", bytes, units[unit]);
	return text;
}

const char *format_span(char text[32], uint64_t usec)
{
	static const struct {
		uint64_t seconds;
		const char *name;
	} units[] = {
		{ 86400, "d" }, { 3600, "h" }, { 60, "min" }, { 1, "s" },
	};
	uint64_t left = usec / USEC_PER_SEC;
	unsigned int i = 0;

	while (i < 3 && left < units[i].seconds)
		i++;
	if (i == 3)
		snprintf(text, 32, "%" PRIu64 "s", left);
	else
		snprintf(text, 32, "%" PRIu64 "%s %" PRIu64 "%s", left / units[i].seconds,
			 units[i].name, left % units[i].seconds / units[i + 1].seconds,
			 units[i + 1].name);
	return text;
}

#define DISTANCE_MAX 32		/* longer words are nothing that is known here */

/* Levenshtein's, with one row of the table */
int wider(int width, const char *text)
{
	int len = strlen(text);

	return len > width ? len : width;
}

unsigned int text_distance(const char *a, const char *b)
{
	unsigned int row[DISTANCE_MAX + 1];
	size_t len = strlen(b);

	if (len > DISTANCE_MAX || strlen(a) > DISTANCE_MAX)
		return DISTANCE_MAX;
	for (size_t i = 0; i <= len; i++)
		row[i] = i;
	for (unsigned int line = 1; *a; a++, line++) {
		unsigned int diagonal = row[0];

		row[0] = line;
		for (size_t i = 1; i <= len; i++) {
			unsigned int change = diagonal + (*a != b[i - 1]);

			diagonal = row[i];
			if (row[i] + 1 < change)
				change = row[i] + 1;
			if (row[i - 1] + 1 < change)
				change = row[i - 1] + 1;
			row[i] = change;
		}
	}
	return row[len];
}

void print_stream(struct text_filter *filter, const char *text, size_t len)
{
	char clean[4096];

	while (len) {
		size_t piece = sizeof(clean) - TEXT_HELD_MAX;

		if (piece > len)
			piece = len;
		fwrite(clean, 1, text_clean(filter, text, piece, clean), stdout);
		text += piece;
		len -= piece;
	}
}

void print_safe(const char *text, size_t len)
{
	struct text_filter filter = {};
	char last;

	print_stream(&filter, text, len);
	if (text_clean_end(&filter, &last))
		putchar(last);
}
