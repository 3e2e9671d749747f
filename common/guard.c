// SPDX-License-Identifier: GPL-2.0
/* Names of guards: see guard.h. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
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

static void read_line(const char *folder, const char *name, char *line, size_t size)
{
	char path[PATH_MAX];
	FILE *file;

	*line = '\0';
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "re");
	if (!file)
		return;
	if (!fgets(line, size, file))
		*line = '\0';
	fclose(file);
	line[strcspn(line, "\n")] = '\0';
}

int guard_of_machine(const char *folder, char why[REASON_TEXT_MAX])
{
	char line[32];

	read_line(folder, "guard_missing", line, sizeof(line));
	reason_text(&(struct sigma_why){ .reason = atoi(line) }, 0, why);
	read_line(folder, "guard", line, sizeof(line));
	return guard_from_name(line);
}
