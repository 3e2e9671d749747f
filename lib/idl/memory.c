// SPDX-License-Identifier: LGPL-2.1-or-later
/* See memory.h. All pieces are in a list, so that tools that look for leaks find them. */
#include <err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

struct piece {
	struct piece *next;
	max_align_t bytes[];
};

static struct piece *pieces;

void *keep(size_t size)
{
	struct piece *piece = calloc(1, sizeof(*piece) + size);

	if (!piece)
		err(EXIT_FAILURE, "memory");
	piece->next = pieces;
	pieces = piece;
	return piece->bytes;
}

char *text(const char *format, ...)
{
	va_list args;
	char *made, *kept;
	int length;

	va_start(args, format);
	length = vasprintf(&made, format, args);
	va_end(args);
	if (length < 0)
		err(EXIT_FAILURE, "memory");
	kept = keep(length + 1);
	memcpy(kept, made, length);
	free(made);
	return kept;
}
