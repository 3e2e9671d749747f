// SPDX-License-Identifier: GPL-2.0
/* What rpcgen makes of xdr.x: XDR, by the routines of libtirpc, straight to and from the ring. */
#include "xdr.h"

#include "remote.h"

static size_t encode(uint8_t *to, size_t size, xdrproc_t proc, void *value)
{
	XDR xdr;

	xdrmem_create(&xdr, (char *)to, size, XDR_ENCODE);
	MUST(proc(&xdr, value));
	return xdr_getpos(&xdr);
}

static int decode(const uint8_t *from, size_t size, xdrproc_t proc, void *value)
{
	XDR xdr;

	xdrmem_create(&xdr, (char *)from, size, XDR_DECODE);
	return proc(&xdr, value);
}

static void call_open(void)
{
	open_args args = { .path = PATH, .flags = 1, .mode = 2 };
	uint8_t *body = request(OP_OPEN, 512);
	size_t room;
	const uint8_t *results = reply(encode(body, 512, (xdrproc_t)xdr_open_args, &args), &room);

	MUST(decode(results, room, (xdrproc_t)xdr_u_int, &file));
	iosc_release(channel);
}

static void call_write(void)
{
	static char data[WRITE_BYTES];
	write_args args = { .file = file, .data = { .data_len = sizeof(data), .data_val = data } };
	uint8_t *body = request(OP_WRITE, 512);
	size_t room;
	const uint8_t *results = reply(encode(body, 512, (xdrproc_t)xdr_write_args, &args), &room);
	u_int written;

	MUST(decode(results, room, (xdrproc_t)xdr_u_int, &written) && written == sizeof(data));
	iosc_release(channel);
}

static void call_entries(void)
{
	static char entries[ENTRIES_BYTES * MANY];
	entries_args args = { .file = file, .base = 1 };
	entries_results got = { .entries = { .entries_val = entries } };
	uint8_t *body = request(OP_ENTRIES, 64);
	size_t room;
	const uint8_t *results = reply(encode(body, 64, (xdrproc_t)xdr_entries_args, &args), &room);

	MUST(decode(results, room, (xdrproc_t)xdr_entries_results, &got));
	MUST(got.entries.entries_len == ENTRIES_BYTES);
	iosc_release(channel);
}

static ssize_t answer(enum op op, const uint8_t *body, size_t length, uint8_t *results)
{
	static char bytes[4096];
	open_args opened = { .path = bytes };
	write_args written = { .data = { .data_val = bytes } };
	entries_args asked;
	entries_results found = { .entries = { .entries_val = bytes } };
	u_int number;

	switch (op) {
	case OP_NULL:
		return 0;
	case OP_OPEN:
		if (!decode(body, length, (xdrproc_t)xdr_open_args, &opened))
			return -1;
		number = new_file(
			work_open(opened.path, strlen(opened.path), opened.flags, opened.mode));
		return encode(results, LONGEST, (xdrproc_t)xdr_u_int, &number);
	case OP_WRITE:
		if (!decode(body, length, (xdrproc_t)xdr_write_args, &written) ||
		    !known(written.file))
			return -1;
		number = work_write(written.data.data_val, written.data.data_len);
		return encode(results, LONGEST, (xdrproc_t)xdr_u_int, &number);
	case OP_ENTRIES:
		if (!decode(body, length, (xdrproc_t)xdr_entries_args, &asked) ||
		    !known(asked.file))
			return -1;
		found.entries.entries_len =
			work_entries(asked.base, bytes, (uint64_t *)&found.next);
		return encode(results, LONGEST, (xdrproc_t)xdr_entries_results, &found);
	default:
		return -1;
	}
}

static const struct piece pieces[] = { { } };

const struct way by_rpcgen = {
	"rpcgen", begin, { call_null, call_open, call_write, call_entries }, serve, pieces
};
