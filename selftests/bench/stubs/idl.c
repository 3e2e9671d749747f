// SPDX-License-Identifier: GPL-2.0
/* Stubs of iosc-idl. */
#include "../../../lib/callmessage.h"
#include "files-client.h"
#include "files-server.h"
#include "stubs.h"

struct files_file {
	uint32_t number;
};

static struct iosc_caller *caller;
static struct iosc_client *client;
static struct files_file_id file;
static struct files_file the_file;

static int serve_null(struct iosc_request *request)
{
	return 0;
}

static int serve_open(struct iosc_request *request, const char *path, size_t path_length,
		      uint32_t flags, uint32_t mode, struct files_file **opened)
{
	the_file.number = work_open(path, path_length, flags, mode);
	*opened = &the_file;
	return 0;
}

static int serve_write(struct iosc_request *request, struct files_file *written_to,
		       const void *data, size_t data_length, uint32_t *written)
{
	*written = work_write(data, data_length);
	return 0;
}

static int serve_entries(struct iosc_request *request, struct files_file *folder, uint64_t base,
			 uint64_t *next, void *entries, size_t *entries_length)
{
	*entries_length = work_entries(base, entries, next);
	return 0;
}

static const struct files_server table = {
	.null = serve_null,
	.open = serve_open,
	.write = serve_write,
	.get_direntries = serve_entries,
};

static void begin(struct iosc *channel, int server)
{
	if (server)
		client = iosc_client_new(channel, &files_service, &table, NULL);
	else
		caller = iosc_caller_new(channel);
	MUST(client || caller);
}

static void call_null(void)
{
	MUST(!files_null(caller));
}

static void call_open(void)
{
	MUST(!files_open(caller, PATH, sizeof(PATH) - 1, 1, 2, &file));
}

static void call_write(void)
{
	static char data[WRITE_BYTES];
	uint32_t written;

	MUST(!files_write(caller, file, data, sizeof(data), &written) && written == sizeof(data));
}

static void call_entries(void)
{
	static char entries[ENTRIES_BYTES * MANY];
	uint64_t next;
	size_t length;

	MUST(!files_get_direntries(caller, file, 1, &next, entries, sizeof(entries), &length) &&
	     length == ENTRIES_BYTES);
}

static void serve(void)
{
	MUST(iosc_client_serve(client, 1) == 1);
}

static const struct piece pieces[] = {
	{ iosc_call_begin, CHANNEL },
	{ iosc_call_run, CHANNEL },
	{ iosc_client_serve, CHANNEL },
	{ iosc_answer_begin, CHANNEL },
	{ files_null_take, STUB },
	{ files_open_take, STUB },
	{ files_write_take, STUB },
	{ files_get_direntries_take, STUB },
	{ iosc_dispatch, STUB },
	{ files_serve_null, STUB },
	{ files_serve_open, STUB },
	{ files_serve_write, STUB },
	{ files_serve_get_direntries, STUB },
	{ serve_null, WORK },
	{ serve_open, WORK },
	{ serve_write, WORK },
	{ serve_entries, WORK },
	{ },
};

const struct way by_idl = {
	"iosc-idl", begin, { call_null, call_open, call_write, call_entries }, serve, pieces
};
