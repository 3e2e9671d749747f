/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For stubs that know how to write arguments to a buffer, and no more: what is sent around them. A
 * message is a header and these bytes; the same for all that use this.
 */
#ifndef BENCH_REMOTE_H
#define BENCH_REMOTE_H

#include "stubs.h"

struct head {
	uint32_t op;
	int32_t result;
};

#define FILES	16

static struct iosc *channel;
static uint32_t file;
static uint32_t files[FILES], used;

static void begin(struct iosc *end, int server)
{
	channel = end;
}

static inline int new_file(uint32_t value)
{
	int number = __builtin_ctz(~used);

	if (number >= FILES)
		return -1;
	used |= 1U << number;
	files[number] = value;
	return number;
}

static inline int known(uint32_t number)
{
	return number < FILES && used & 1U << number;
}

/* Room for a message in the ring, of which the stubs write the body */
static inline uint8_t *request(enum op op, size_t longest)
{
	struct head *head = iosc_reserve(channel, sizeof(*head) + longest, 0);

	MUST(head);
	head->op = op;
	return (uint8_t *)(head + 1);
}

/* Send it and wait. Return: the body of the reply, in the ring */
static inline const uint8_t *reply(size_t length, size_t *room)
{
	const struct head *head;

	MUST(!iosc_commit(channel, sizeof(*head) + length));
	*room = iosc_peek(channel, (const void **)&head, 0);
	MUST(*room >= sizeof(*head) && !head->result);
	*room -= sizeof(*head);
	return (const uint8_t *)(head + 1);
}

#define LONGEST	(ENTRIES_BYTES * MANY + 64)

/* What stubs do for one method. Return: bytes of the results, or -1 */
static ssize_t answer(enum op op, const uint8_t *body, size_t length, uint8_t *results);

static void serve(void)
{
	const struct head *in;
	ssize_t room = iosc_peek(channel, (const void **)&in, 0), length;
	struct head *out = iosc_reserve(channel, sizeof(*out) + LONGEST, 0);

	MUST(room >= (ssize_t)sizeof(*in) && out);
	length =
		answer(in->op, (const uint8_t *)(in + 1), room - sizeof(*in), (uint8_t *)(out + 1));
	out->result = length < 0;
	iosc_commit(channel, sizeof(*out) + (length < 0 ? 0 : length));
	iosc_release(channel);
}

static void call_null(void)
{
	size_t room;

	request(OP_NULL, 0);
	reply(0, &room);
	iosc_release(channel);
}

#endif
