// SPDX-License-Identifier: GPL-2.0
/* Sizes, spans of time and a guest's texts, formatted for people. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ctl.h"

const char *text_size(char text[32], uint64_t bytes)
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

const char *text_span(char text[32], uint64_t usec)
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

int text_wider(int width, const char *text)
{
	int len = strlen(text);

	return len > width ? len : width;
}

#define DISTANCE_MAX 32		/* no verb is longer */

/* The Levenshtein distance, with one row of the table */
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

void text_print_stream(struct text_filter *filter, const char *text, size_t len)
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

void text_print(const char *text, size_t len)
{
	struct text_filter filter = {};
	char last;

	text_print_stream(&filter, text, len);
	if (text_clean_end(&filter, &last))
		putchar(last);
}
