/* SPDX-License-Identifier: GPL-2.0 */
/* A server of files.capnp, for tests: files are sizes, and the counter counts. */
#ifndef CALLS_SERVER_H
#define CALLS_SERVER_H

#include <stdio.h>
#include <stdlib.h>

#include "files-server.h"

#define ENTRIES		64
#define ENTRY_BYTES	32
#define WAITERS_MAX	64

struct files_file {
	uint64_t size;
};

/**
 * struct files - the server's state: the context of its functions
 * @counter: see count()
 * @waits: calls of await() that were not answered yet, and for which values
 * @open, @gone: files, and those of clients that had gone
 * @cancelled: calls
 */
struct files {
	uint32_t counter;
	struct iosc_request waits[WAITERS_MAX];
	uint32_t wanted[WAITERS_MAX];
	unsigned int nr_waits, open, gone, cancelled;
};

static int serve_null(struct iosc_request *request)
{
	return 0;
}

static struct files_file *new_file(struct files *files)
{
	struct files_file *file = calloc(1, sizeof(*file));

	files->open += !!file;
	return file;
}

static int serve_open(struct iosc_request *request, const char *path, size_t path_length,
		      uint32_t flags, uint32_t mode, struct files_file **file)
{
	char copy[FILES_OPEN_PATH_MAX + 1] = "";

	/* The client may change the path now, but not this one */
	memcpy(copy, path, path_length);
	if (!strncmp(copy, "/none", 5))
		return FILES_ERROR_NO_SUCH_FILE;
	*file = new_file(request->context);
	return *file ? 0 : -ENOMEM;
}

static int serve_open_files(struct iosc_request *request, struct files_file **first,
			    struct files_file **second)
{
	*first = new_file(request->context);
	*second = new_file(request->context);
	return 0;
}

static int serve_write(struct iosc_request *request, struct files_file *file, const void *data,
		       size_t data_length, uint32_t *written)
{
	file->size += data_length;
	*written = data_length;
	return 0;
}

static int serve_get_direntries(struct iosc_request *request, struct files_file *file,
				uint64_t base, uint64_t *next, void *entries,
				size_t *entries_length)
{
	for (unsigned int i = 0; i < ENTRIES; i++)
		memset((char *)entries + i * ENTRY_BYTES, 'a' + (base + i) % 26, ENTRY_BYTES);
	*entries_length = ENTRIES * ENTRY_BYTES;
	*next = base + ENTRIES;
	return 0;
}

static int serve_stat(struct iosc_request *request, struct files_file *file,
		      struct files_stat *stat)
{
	*stat = (struct files_stat){
		.size = file->size, .blocks = file->size / 512, .kind = FILES_KIND_FOLDER,
		.mode = 0755, .readable = true,
	};
	return 0;
}

static int serve_close(struct iosc_request *request, struct files_file *file)
{
	struct files *files = request->context;

	files->open--;
	free(file);
	return 0;
}

static int by_value(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static int serve_sort(struct iosc_request *request, const __le32 *numbers, size_t numbers_count,
		      const struct files_stat_wire *stats, size_t stats_count, enum files_kind kind,
		      const struct files_stat *first, uint64_t *total, __le32 *sorted,
		      size_t *sorted_count, char *name, size_t *name_length)
{
	uint32_t copy[FILES_SORT_NUMBERS_MAX];

	for (size_t i = 0; i < numbers_count; i++) {
		copy[i] = iosc_load32(&numbers[i]);
		*total += copy[i];
	}
	for (size_t i = 0; i < stats_count; i++) {
		struct files_stat stat;

		if (files_stat_read(&stat, &stats[i]))
			return -EBADMSG;
		*total += stat.size;
	}
	*total += first->size + kind;
	qsort(copy, numbers_count, sizeof(*copy), by_value);
	for (size_t i = 0; i < numbers_count; i++)
		iosc_store32(&sorted[i], copy[i]);
	*sorted_count = numbers_count;
	memcpy(name, "sorted", 6);
	*name_length = 6;
	return 0;
}

static void answer_waits(struct files *files)
{
	unsigned int kept = 0;

	for (unsigned int i = 0; i < files->nr_waits; i++) {
		if (files->wanted[i] > files->counter ||
		    files_await_reply(&files->waits[i], 0, files->counter) == -EAGAIN) {
			files->waits[kept] = files->waits[i];
			files->wanted[kept++] = files->wanted[i];
		}
	}
	files->nr_waits = kept;
}

static int serve_count(struct iosc_request *request, uint32_t by, const char *text,
		       size_t text_length)
{
	struct files *files = request->context;
	char copy[FILES_COUNT_TEXT_MAX];

	memcpy(copy, text, text_length);
	files->counter += by;
	answer_waits(files);
	files_counted_send(request->client, files->counter, FILES_KIND_FOLDER, copy, text_length);
	return 0;
}

static int serve_await(struct iosc_request *request, uint32_t counter, uint32_t *seen)
{
	struct files *files = request->context;

	*seen = files->counter;
	if (files->counter >= counter)
		return 0;
	if (files->nr_waits == WAITERS_MAX)
		return FILES_ERROR_TOO_MANY_FILES;
	files->wanted[files->nr_waits] = counter;
	files->waits[files->nr_waits++] = *request;
	return IOSC_LATER;
}

static void serve_cancelled(const struct iosc_request *request)
{
	struct files *files = request->context;

	for (unsigned int i = 0; i < files->nr_waits; i++) {
		if (files->waits[i].client == request->client &&
		    files->waits[i].id == request->id) {
			files->cancelled++;
			files->nr_waits--;
			files->waits[i] = files->waits[files->nr_waits];
			files->wanted[i] = files->wanted[files->nr_waits];
			return;
		}
	}
}

static void client_left(void *context, struct iosc_client *client)
{
	struct files *files = context;
	unsigned int kept = 0;

	for (unsigned int i = 0; i < files->nr_waits; i++) {
		if (files->waits[i].client == client)
			continue;
		files->waits[kept] = files->waits[i];
		files->wanted[kept++] = files->wanted[i];
	}
	files->nr_waits = kept;
}

static void client_has_room(void *context, struct iosc_client *client)
{
	answer_waits(context);
}

static void file_gone(void *context, struct files_file *file)
{
	struct files *files = context;

	files->open--;
	files->gone++;
	free(file);
}

static const struct files_server server_table = {
	.null = serve_null,
	.open = serve_open,
	.open_files = serve_open_files,
	.write = serve_write,
	.get_direntries = serve_get_direntries,
	.stat = serve_stat,
	.close = serve_close,
	.sort = serve_sort,
	.count = serve_count,
	.await = serve_await,
	.left = client_left,
	.room = client_has_room,
	.file_gone = file_gone,
	.cancelled = serve_cancelled,
};

#endif
