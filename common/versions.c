// SPDX-License-Identifier: GPL-2.0
/* The versions of what works together: see versions.h. */
#include <stdio.h>
#include <string.h>

#include "parse.h"
#include "version.h"
#include "versions.h"

bool versions_fit(const char *path, const char *program, char why[VERSIONS_TEXT_MAX])
{
	char version[64];

	*why = '\0';
	if (parse_first_line(version, sizeof(version), "%s", path) ||
	    !strcmp(version, SIGMA_VERSION))
		return true;
	snprintf(why, VERSIONS_TEXT_MAX, "the loaded sigma.ko is version %s, and this %s is version " SIGMA_VERSION,
		 version, program);
	return false;
}
