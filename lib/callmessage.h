/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Taking the header off a message, and writing it: what both sides of a call do. */
#ifndef IOSC_CALLMESSAGE_H
#define IOSC_CALLMESSAGE_H

#include "iosc_call.h"

/** iosc_dispatch - iosc_serve(), so that what it takes can be counted (selftests/bench/stubs) */
int iosc_dispatch(const struct iosc_service *service, struct iosc_serving *serving, __u8 *copy);

/** incoming - copy the header, once. Return: 0, or -EBADMSG where the message is too short */
static inline int incoming(struct iosc_incoming *in, const void *bytes, __u32 length)
{
	const struct iosc_message *message = bytes;

	if (length < sizeof(*message))
		return -EBADMSG;
	in->bytes = bytes;
	in->length = length;
	in->id = iosc_load32(&message->id);
	in->interface = iosc_load32(&message->interface);
	in->method = iosc_load16(&message->method);
	in->kind = iosc_load8(&message->kind);
	in->size = iosc_load16(&message->size);
	in->status = iosc_load16(&message->status);
	return iosc_tail(in->size) > length ? -EBADMSG : 0;
}

static inline void outgoing(void *bytes, const struct iosc_incoming *head)
{
	struct iosc_message *message = bytes;

	iosc_store32(&message->id, head->id);
	iosc_store32(&message->interface, head->interface);
	iosc_store16(&message->method, head->method);
	iosc_store8(&message->kind, head->kind);
	iosc_store8(&message->reserved, 0);
	iosc_store16(&message->size, head->size);
	iosc_store16(&message->status, head->status);
}

#endif
