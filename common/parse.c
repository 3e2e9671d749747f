// SPDX-License-Identifier: GPL-2.0
/* Values in text: see parse.h. */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parse.h"

int parse_size(const char *text, char **end, uint64_t *size)
{
	static const char units[] = "KMGT";
	const char *unit;
	unsigned int shift;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	*size = strtoull(text, end, strncasecmp(text, "0x", 2) ? 10 : 16);
	if (errno)
		return -ERANGE;
	unit = **end ? strchr(units, toupper((unsigned char)**end)) : NULL;
	if (!unit)
		return 0;
	(*end)++;
	shift = 10 * (unit - units + 1);
	if (*size > UINT64_MAX >> shift)
		return -ERANGE;
	*size <<= shift;
	return 0;
}

int parse_first_line(char *line, size_t size, const char *format, ...)
{
	char path[PATH_MAX];
	va_list args;
	int error = 0;
	FILE *file;

	*line = '\0';
	va_start(args, format);
	vsnprintf(path, sizeof(path), format, args);
	va_end(args);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	if (!fgets(line, size, file)) {
		*line = '\0';
		error = -EIO;
	}
	fclose(file);
	line[strcspn(line, "\n")] = '\0';
	return error;
}
