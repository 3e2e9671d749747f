// SPDX-License-Identifier: GPL-2.0
/*
 * What somebody may write by hand for these four calls alone: one call at a time, one version, a
 * struct for each message, each field read once and checked.
 */
#include <errno.h>

#include "stubs.h"

#define FILES	16

struct message {
	uint32_t op;
	uint32_t file;
	uint64_t number;
	uint32_t flags, mode, length;
	int32_t result;
	char bytes[];
};

static struct iosc *channel;
static uint32_t file;
static uint32_t files[FILES];
static volatile uint32_t used;		/* of @files */

static void begin(struct iosc *end, int server)
{
	channel = end;
}

static struct message *request(uint32_t op, size_t length)
{
	struct message *message = iosc_reserve(channel, sizeof(*message) + length, 0);

	MUST(message);
	message->op = op;
	message->length = length;
	return message;
}

static const struct message *reply(size_t length, size_t *room)
{
	const struct message *message;

	MUST(!iosc_commit(channel, sizeof(*message) + length));
	*room = iosc_peek(channel, (const void **)&message, 0);
	MUST(*room >= sizeof(*message));
	*room -= sizeof(*message);
	return message;
}

static void null(void)
{
	size_t room;

	request(OP_NULL, 0);
	MUST(!reply(0, &room)->result);
	iosc_release(channel);
}

static void open_file(const char *path, size_t length, uint32_t flags, uint32_t mode)
{
	struct message *message = request(OP_OPEN, length);
	const struct message *answer;
	size_t room;

	message->flags = flags;
	message->mode = mode;
	memcpy(message->bytes, path, length);
	answer = reply(length, &room);
	MUST(!answer->result);
	file = answer->file;
	iosc_release(channel);
}

static uint32_t write_file(const void *data, size_t length)
{
	struct message *message = request(OP_WRITE, length);
	const struct message *answer;
	uint32_t written;
	size_t room;

	message->file = file;
	memcpy(message->bytes, data, length);
	answer = reply(length, &room);
	MUST(!answer->result);
	written = answer->length;
	iosc_release(channel);
	return written;
}

static size_t get_entries(uint64_t base, uint64_t *next, void *entries, size_t size)
{
	struct message *message = request(OP_ENTRIES, 0);
	const struct message *answer;
	size_t length, room;

	message->file = file;
	message->number = base;
	answer = reply(0, &room);
	MUST(!answer->result);
	length = *(const volatile uint32_t *)&answer->length;
	MUST(length <= room && length <= size);
	*next = answer->number;
	memcpy(entries, answer->bytes, length);
	iosc_release(channel);
	return length;
}

static void call_open(void)
{
	open_file(PATH, sizeof(PATH) - 1, 1, 2);
}

static void call_write(void)
{
	static char data[WRITE_BYTES];

	MUST(write_file(data, sizeof(data)) == sizeof(data));
}

static void call_entries(void)
{
	static char entries[ENTRIES_BYTES * MANY];
	uint64_t next;

	MUST(get_entries(1, &next, entries, sizeof(entries)) == ENTRIES_BYTES);
}

static int known(uint32_t number)
{
	return number < FILES && used & 1U << number;
}

static int answer(const struct message *in, size_t room, struct message *out)
{
	uint32_t length = *(const volatile uint32_t *)&in->length;
	uint32_t number = *(const volatile uint32_t *)&in->file;

	if (length > room)
		return -EBADMSG;
	switch (*(const volatile uint32_t *)&in->op) {
	case OP_NULL:
		return 0;
	case OP_OPEN:
		number = __builtin_ctz(~used);
		if (number >= FILES)
			return -EMFILE;
		files[number] = work_open(in->bytes, length, in->flags, in->mode);
		used |= 1U << number;
		out->file = number;
		return 0;
	case OP_WRITE:
		if (!known(number))
			return -EBADF;
		out->length = work_write(in->bytes, length);
		return 0;
	case OP_ENTRIES:
		if (!known(number))
			return -EBADF;
		out->length = work_entries(in->number, out->bytes, &out->number);
		return 0;
	default:
		return -ENOSYS;
	}
}

static void serve(void)
{
	const struct message *in;
	ssize_t room = iosc_peek(channel, (const void **)&in, 0);
	struct message *out = iosc_reserve(channel, sizeof(*out) + ENTRIES_BYTES * MANY, 0);
	uint32_t length = 0;

	MUST(room >= (ssize_t)sizeof(*in) && out);
	out->result = answer(in, room - sizeof(*in), out);
	if (!out->result && in->op == OP_ENTRIES)
		length = out->length;
	iosc_commit(channel, sizeof(*out) + length);
	iosc_release(channel);
}

static const struct piece pieces[] = { { } };

const struct way by_hand = {
	"by hand", begin, { null, call_open, call_write, call_entries }, serve, pieces
};
