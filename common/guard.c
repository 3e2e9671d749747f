// SPDX-License-Identifier: GPL-2.0
/* Names of guards: see guard.h. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guard.h"
#include "parse.h"

static const char *const guard_names[] = {
	[SIGMA_GUARD_NO]	= "no",
	[SIGMA_GUARD_MEMORY]	= "memory",
	[SIGMA_GUARD_FULL]	= "full",
	[SIGMA_GUARD_AUTO]	= "auto",
};

const char *guard_name(uint32_t kind)
{
	return kind <= SIGMA_GUARD_AUTO ? guard_names[kind] : "unknown";
}

int guard_from_name(const char *name)
{
	for (int kind = 0; kind <= SIGMA_GUARD_AUTO; kind++)
		if (!strcmp(guard_names[kind], name))
			return kind;
	return -EINVAL;
}

int guard_of_machine(const char *folder, char why[REASON_TEXT_MAX])
{
	char line[32];

	parse_first_line(line, sizeof(line), "%s/guard_missing", folder);
	reason_text(&(struct sigma_why){ .reason = atoi(line) }, 0, why);
	parse_first_line(line, sizeof(line), "%s/guard", folder);
	return guard_from_name(line);
}
