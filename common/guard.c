// SPDX-License-Identifier: GPL-2.0
/* Names of guards: see guard.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "guard.h"

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

int guard_of_machine(const char *path, char why[GUARD_WHY_MAX])
{
	FILE *file = fopen(path, "re");
	char line[GUARD_WHY_MAX] = "", *reason;

	*why = '\0';
	if (file) {
		if (!fgets(line, sizeof(line), file))
			*line = '\0';
		fclose(file);
	}
	line[strcspn(line, "\n")] = '\0';
	reason = strstr(line, ": ");
	if (reason) {
		*reason = '\0';
		strcpy(why, reason + strlen(": "));
	}
	return guard_from_name(line);
}
