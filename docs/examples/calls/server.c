// SPDX-License-Identifier: GPL-2.0
/* notes-server CHANNEL...: keep notes for the clients at the other ends of these channels. */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>

#include "notes-server.h"

#define NOTES	100

struct notes {
	unsigned int count;
	size_t length[NOTES];
	char text[NOTES][NOTES_ADD_TEXT_MAX];
};

/* What the client sent is still in the ring, where the client can change it: copy it, then look at it */
static int add(struct iosc_request *request, const char *text, size_t text_length, uint32_t *number)
{
	struct notes *notes = request->context;

	if (notes->count == NOTES)
		return NOTES_ERROR_FULL;
	memcpy(notes->text[notes->count], text, text_length);
	notes->length[notes->count] = text_length;
	*number = ++notes->count;
	return 0;
}

/* The reply's room is in the ring, too: "found" has NOTES_GET_FOUND_MAX bytes */
static int get(struct iosc_request *request, uint32_t number, char *found, size_t *found_length)
{
	struct notes *notes = request->context;

	if (!number || number > notes->count)
		return NOTES_ERROR_NO_SUCH_NOTE;
	*found_length = notes->length[number - 1];
	memcpy(found, notes->text[number - 1], *found_length);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct notes_server functions = { .add = add, .get = get };
	static struct notes notes;
	struct iosc_server *server = iosc_server_new(&notes_service, &functions, &notes);
	int error = server ? 0 : -ENOMEM;

	for (int i = 1; i < argc && !error; i++) {
		error = iosc_server_add(server, argv[i]);
		if (error)
			fprintf(stderr, "%s: ", argv[i]);
	}
	while (error >= 0)
		error = iosc_server_process(server, -1);
	errx(EXIT_FAILURE, "%s", strerror(-error));
}
