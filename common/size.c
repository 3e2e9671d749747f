// SPDX-License-Identifier: GPL-2.0
/* Sizes as people write them: see size.h. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "size.h"

int size_parse(const char *text, uint64_t max, uint64_t *size)
{
	static const char units[] = "KMGT";
	unsigned long long number;
	unsigned int shift = 0;
	char *end;

	errno = 0;
	number = strtoull(text, &end, 10);
	if (*end && strchr(units, toupper((unsigned char)*end))) {
		shift = 10 * (strchr(units, toupper((unsigned char)*end)) - units + 1);
		end++;
	}
	if (!isdigit((unsigned char)*text) || *end)
		return -EINVAL;
	if (errno || number > max >> shift)
		return -ERANGE;
	*size = number << shift;
	return 0;
}
