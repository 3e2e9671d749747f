// SPDX-License-Identifier: GPL-2.0
/*
 * Microcode that was loaded while the machine runs, for 'sigmactl check': see ctl.h. It does not
 * reach lent CPUs, so these have an older revision than the host's, until the guest has ended and the
 * host onlines them. A CPU of the host may have another one, too.
 */
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/parse.h"
#include "ctl.h"
#include "finding.h"

#define KEY	"microcode"

/* The oldest and newest revision of the CPUs that are online; false: it is not known */
static bool read_host(const char *cpuinfo, uint32_t *oldest, uint32_t *newest)
{
	FILE *file = fopen(cpuinfo, "re");
	char line[8192], *colon;
	uint32_t revision;

	*oldest = UINT32_MAX;
	*newest = 0;
	while (file && fgets(line, sizeof(line), file)) {
		colon = strchr(line, ':');
		if (strncmp(line, KEY, strlen(KEY)) || !colon)
			continue;
		revision = strtoul(colon + 1, NULL, 0);
		*oldest = revision < *oldest ? revision : *oldest;
		*newest = revision > *newest ? revision : *newest;
	}
	if (file)
		fclose(file);
	return *newest;
}

/* @path: a file .../NAME/microcode */
static void check_guest(const char *path, uint32_t newest)
{
	char text[32], *name = NULL, *end;
	uint32_t revision;

	if (parse_first_line(text, sizeof(text), "%s", path))
		return;
	revision = strtoul(text, NULL, 0);
	if (!revision || revision == newest)
		return;
	name = strdup(path);
	end = name ? strrchr(name, '/') : NULL;
	if (end) {
		*end = '\0';
		found(KEY, RESULT_WARN, "stop the guest and start it",
		      "a CPU of guest %s has revision 0x%" PRIx32 ", and the host 0x%" PRIx32 ": what was loaded while the guest runs does not reach it",
		      basename(name), revision, newest);
	}
	free(name);
}

void microcode_check(const char *cpuinfo, const char *guests)
{
	uint32_t oldest, newest;
	glob_t paths;

	if (!read_host(cpuinfo, &oldest, &newest))
		return;
	if (oldest != newest)
		found(KEY, RESULT_WARN, "load the microcode again, or restart the machine",
		      "CPUs of the host have different revisions, 0x%" PRIx32 " to 0x%" PRIx32,
		      oldest, newest);
	if (glob(guests, 0, NULL, &paths))
		return;
	for (size_t i = 0; i < paths.gl_pathc; i++)
		check_guest(paths.gl_pathv[i], newest);
	globfree(&paths);
}
