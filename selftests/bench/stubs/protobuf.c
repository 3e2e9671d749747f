// SPDX-License-Identifier: GPL-2.0
/* What protoc-c makes of files.proto. Unpacking allocates, as the library does it. */
#include "files.pb-c.h"

#include "remote.h"

static void call_open(void)
{
	OpenArgs args = OPEN_ARGS__INIT;
	OpenResults *results;
	const uint8_t *body;
	size_t room;

	args.path = (ProtobufCBinaryData){ sizeof(PATH) - 1, (uint8_t *)PATH };
	args.flags = 1;
	args.mode = 2;
	body = reply(open_args__pack(&args, request(OP_OPEN, 512)), &room);
	results = open_results__unpack(NULL, room, body);
	MUST(results);
	file = results->file;
	open_results__free_unpacked(results, NULL);
	iosc_release(channel);
}

static void call_write(void)
{
	static uint8_t data[WRITE_BYTES];
	WriteArgs args = WRITE_ARGS__INIT;
	WriteResults *results;
	const uint8_t *body;
	size_t room;

	args.file = file;
	args.data = (ProtobufCBinaryData){ sizeof(data), data };
	body = reply(write_args__pack(&args, request(OP_WRITE, 512)), &room);
	results = write_results__unpack(NULL, room, body);
	MUST(results && results->written == sizeof(data));
	write_results__free_unpacked(results, NULL);
	iosc_release(channel);
}

static void call_entries(void)
{
	static char entries[ENTRIES_BYTES * MANY];
	EntriesArgs args = ENTRIES_ARGS__INIT;
	EntriesResults *results;
	const uint8_t *body;
	size_t room;

	args.file = file;
	args.start = 1;
	body = reply(entries_args__pack(&args, request(OP_ENTRIES, 64)), &room);
	results = entries_results__unpack(NULL, room, body);
	MUST(results && results->entries.len == ENTRIES_BYTES);
	memcpy(entries, results->entries.data, results->entries.len);
	entries_results__free_unpacked(results, NULL);
	iosc_release(channel);
}

static ssize_t answer_open(const uint8_t *body, size_t length, uint8_t *to)
{
	OpenArgs *args = open_args__unpack(NULL, length, body);
	OpenResults results = OPEN_RESULTS__INIT;

	if (!args)
		return -1;
	results.file = new_file(
		work_open((char *)args->path.data, args->path.len, args->flags, args->mode));
	open_args__free_unpacked(args, NULL);
	return open_results__pack(&results, to);
}

static ssize_t answer_write(const uint8_t *body, size_t length, uint8_t *to)
{
	WriteArgs *args = write_args__unpack(NULL, length, body);
	WriteResults results = WRITE_RESULTS__INIT;
	int good = args && known(args->file);

	if (good)
		results.written = work_write(args->data.data, args->data.len);
	write_args__free_unpacked(args, NULL);
	return good ? (ssize_t)write_results__pack(&results, to) : -1;
}

static ssize_t answer_entries(const uint8_t *body, size_t length, uint8_t *to)
{
	static uint8_t bytes[4096];
	EntriesArgs *args = entries_args__unpack(NULL, length, body);
	EntriesResults results = ENTRIES_RESULTS__INIT;
	int good = args && known(args->file);

	results.entries.data = bytes;
	if (good)
		results.entries.len = work_entries(args->start, bytes, &results.next);
	entries_args__free_unpacked(args, NULL);
	return good ? (ssize_t)entries_results__pack(&results, to) : -1;
}

static ssize_t answer(enum op op, const uint8_t *body, size_t length, uint8_t *results)
{
	switch (op) {
	case OP_NULL:
		return 0;
	case OP_OPEN:
		return answer_open(body, length, results);
	case OP_WRITE:
		return answer_write(body, length, results);
	case OP_ENTRIES:
		return answer_entries(body, length, results);
	default:
		return -1;
	}
}

static const struct piece pieces[] = { { } };

const struct way by_protobuf = {
	"protobuf-c", begin, { call_null, call_open, call_write, call_entries }, serve, pieces
};
