// SPDX-License-Identifier: GPL-2.0
/* notes-client CHANNEL TEXT...: have these texts kept, and print what the server has kept. */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>

#include <iosc.h>

#include "notes-client.h"

/* Positive: an error of the interface. Negative: of calls, see iosc_call(3) */
static void check(int error, const char *what)
{
	if (error == NOTES_ERROR_NO_SUCH_NOTE)
		errx(EXIT_FAILURE, "%s: there is no such note", what);
	if (error == NOTES_ERROR_FULL)
		errx(EXIT_FAILURE, "%s: the server has no room for more notes", what);
	if (error)
		errx(EXIT_FAILURE, "%s: %s", what, strerror(-error));
}

int main(int argc, char **argv)
{
	struct iosc *channel = argc > 1 ? iosc_open_path(argv[1]) : NULL;
	struct iosc_caller *caller = channel ? iosc_caller_new(channel) : NULL;

	if (!caller)
		err(EXIT_FAILURE, "%s", argc > 1 ? argv[1] : "give a channel");
	for (int i = 2; i < argc; i++) {
		char found[NOTES_GET_FOUND_MAX];
		uint32_t number;
		size_t length;

		check(notes_add(caller, argv[i], strlen(argv[i]), &number), argv[i]);
		check(notes_get(caller, number, found, sizeof(found), &length), argv[i]);
		printf("%u: %.*s\n", number, (int)length, found);
	}
	iosc_caller_free(caller);
	iosc_close(channel);
	return EXIT_SUCCESS;
}
