// SPDX-License-Identifier: GPL-2.0
/* Colours on a terminal. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl.h"

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

enum colour colour_of_state(const char *state)
{
	if (!strcmp(state, "running"))
		return COLOUR_GREEN;
	if (!strcmp(state, "panicked") || !strcmp(state, "contained") ||
	    !strcmp(state, "lost"))
		return COLOUR_RED;
	return COLOUR_YELLOW;
}
