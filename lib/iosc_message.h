/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Messages of calls: their header, and what stubs do to take them apart. iosc_call.h includes this.
 *
 * A message is one record of a channel's ring: struct iosc_message, then the fixed part, which is a
 * struct that iosc-idl laid out, then text, data and lists, each at a multiple of 8. Nobody turns it
 * into another form. The sender's stub stores into the ring, and the receiver's stub loads each
 * field once, checks it, and passes on pointers into the ring.
 */
#ifndef IOSC_MESSAGE_H
#define IOSC_MESSAGE_H

#ifdef __KERNEL__
#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/string.h>
#include <linux/types.h>
#include <asm/byteorder.h>
#else
#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Messages */

enum iosc_kind {
	IOSC_CALL = 1,	 /* client to server; gets a reply */
	IOSC_ONEWAY = 2, /* client to server; gets none */
	IOSC_REPLY = 3,
	IOSC_EVENT = 4,	 /* server to client; gets none */
	IOSC_CANCEL = 5, /* client to server: no reply to call @id is wanted any more */
};

/*
 * Statuses of a reply: 0; 1..IOSC_STATUS_ERRNO - 1: an error of the interface; or this plus an
 * errno
 */
#define IOSC_STATUS_ERRNO	0x8000
#define IOSC_ERRNO_MAX		4095

/**
 * struct iosc_message - what each message begins with
 * @id: of the call, chosen by the client; 0 in one-way messages and events
 * @interface: the low 32 bits of the interface's id
 * @method: the method's ordinal
 * @kind: enum iosc_kind
 * @size: bytes of the fixed part as the sender's version of the interface has it
 * @status: of a reply, see above; else 0
 */
struct iosc_message {
	__le32 id;
	__le32 interface;
	__le16 method;
	__u8 kind;
	__u8 reserved;			/* 0 */
	__le16 size;
	__le16 status;
};

/**
 * struct iosc_incoming - a message that was received
 * @bytes: in the ring: the peer may change them at any time
 * @length: bytes, header included; at least the header and the fixed part, rounded up to 8
 *
 * The other fields are copies of the header's. What a stub gets has its own version's @size.
 */
struct iosc_incoming {
	const __u8 *bytes;
	__u32 length;
	__u32 id, interface;
	__u16 method, size, status;
	__u8 kind;
};

/* For stubs: bytes and fields in a ring. A load happens once, whatever the compiler thinks */

#ifdef __KERNEL__
#define iosc_from_le16(value)	le16_to_cpu(value)
#define iosc_from_le32(value)	le32_to_cpu(value)
#define iosc_from_le64(value)	le64_to_cpu(value)
#define iosc_to_le16(value)	cpu_to_le16(value)
#define iosc_to_le32(value)	cpu_to_le32(value)
#define iosc_to_le64(value)	cpu_to_le64(value)
#else
#define iosc_from_le16(value)	le16toh(value)
#define iosc_from_le32(value)	le32toh(value)
#define iosc_from_le64(value)	le64toh(value)
#define iosc_to_le16(value)	htole16(value)
#define iosc_to_le32(value)	htole32(value)
#define iosc_to_le64(value)	htole64(value)
#endif

#define iosc_load8(field)	(*(const volatile __u8 *)(field))
#define iosc_load16(field)	iosc_from_le16(*(const volatile __le16 *)(field))
#define iosc_load32(field)	iosc_from_le32(*(const volatile __le32 *)(field))
#define iosc_load64(field)	iosc_from_le64(*(const volatile __le64 *)(field))
#define iosc_store8(field, value)	(*(field) = (value))
#define iosc_store16(field, value)	(*(field) = iosc_to_le16(value))
#define iosc_store32(field, value)	(*(field) = iosc_to_le32(value))
#define iosc_store64(field, value)	(*(field) = iosc_to_le64(value))

static inline __u32 iosc_round(__u32 bytes)
{
	return (bytes + 7) & ~7U;
}

/** iosc_tail - where the variable part of a message with a fixed part of @size bytes begins */
static inline __u32 iosc_tail(__u32 size)
{
	return sizeof(struct iosc_message) + iosc_round(size);
}

/* What seldom happens stays out of the way of the rest */
#define IOSC_SELDOM	static __attribute__((__noinline__, __cold__, __unused__))

#define IOSC_OTHER_MAX	16384		/* bytes of a message that iosc_other_version() has made */

IOSC_SELDOM bool iosc_has_more(const struct iosc_incoming *in, __u32 size)
{
	const __u8 *fixed = in->bytes + sizeof(struct iosc_message);
	__u32 i;

	for (i = size; i < in->size; i++)
		if (iosc_load8(fixed + i))
			return true;
	return false;
}

/**
 * iosc_other_version - bring a message of another version of the interface into the form of this one
 * @in: in: the message; out: a private copy, whose fixed part has @size bytes
 * @copy: IOSC_OTHER_MAX bytes for it, aligned to 8
 * @strict: the sender must not ask for more than is known here
 *
 * Stubs get messages of their own version only. A sender of an older version left out the last fields;
 * they are 0. One of a newer version has more of them. Return: 0; -EPROTONOSUPPORT: one of these is
 * not 0, and nobody here knows what it means; -EBADMSG.
 */
IOSC_SELDOM int iosc_other_version(struct iosc_incoming *in, __u8 *copy, __u32 size, bool strict)
{
	__u32 rest = in->length - iosc_tail(in->size), known = in->size < size ? in->size : size;

	if (strict && in->size > size && iosc_has_more(in, size))
		return -EPROTONOSUPPORT;
	if (iosc_tail(size) > IOSC_OTHER_MAX || rest > IOSC_OTHER_MAX - iosc_tail(size))
		return -EBADMSG;
	memset(copy, 0, iosc_tail(size));
	memcpy(copy + sizeof(struct iosc_message), in->bytes + sizeof(struct iosc_message), known);
	memcpy(copy + iosc_tail(size), in->bytes + iosc_tail(in->size), rest);
	in->bytes = copy;
	in->length = iosc_tail(size) + rest;
	in->size = size;
	return 0;
}

static inline void iosc_copy(void *to, const void *from, size_t bytes)
{
	if (bytes)
		memcpy(to, from, bytes);
}

#ifdef __cplusplus
}
#endif
#endif
