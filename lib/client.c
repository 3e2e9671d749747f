// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The server's side of calls: one client, see iosc_call.h.
 *
 * A call is not looked at before there is room for the longest reply, so an answer never waits:
 * while a client does not read its replies, its calls stay in its ring, and the server goes on with
 * others. If the function that answers a call fills the room with events, its reply is held until
 * there is some.
 */
#include <poll.h>
#include <stdlib.h>

#include "callmessage.h"
#include "iosc.h"

/**
 * struct iosc_client - a client of a server
 * @no_room: the last call was left in the ring, since there was no room for its reply
 * @answer: the reply to the call that is being answered
 * @dropped: messages that were malformed and got no reply
 * @held_length: bytes of the reply in @held, 0: none
 * @other: for messages of other versions
 */
struct iosc_client {
	struct iosc *channel;
	const struct iosc_service *service;
	const void *table;
	void *context;
	struct iosc_answer *answer;
	bool no_room;
	unsigned long dropped;
	__u32 held_length;
	__u8 held[IOSC_MESSAGE_MAX] __attribute__((aligned(8)));
	__u8 other[IOSC_OTHER_MAX] __attribute__((aligned(8)));
	struct iosc_handles handles;
};

struct iosc_client *iosc_client_new(struct iosc *channel, const struct iosc_service *service,
				    const void *table, void *context)
{
	struct iosc_client *client = calloc(1, sizeof(*client));

	if (!client)
		return NULL;
	client->channel = channel;
	client->service = service;
	client->table = table;
	client->context = context;
	iosc_handles_init(&client->handles);
	return client;
}

void iosc_client_free(struct iosc_client *client)
{
	const struct iosc_service *service;

	if (!client)
		return;
	service = client->service;
	if (service->left)
		service->left(client->table, client->context, client);
	for (unsigned int i = 0; i < IOSC_HANDLES; i++) {
		const struct iosc_handle *handle = &client->handles.handle[i];

		if (handle->type && service->gone)
			service->gone(client->table, client->context, handle->type, handle->object);
	}
	free(client);
}

struct iosc *iosc_client_channel(const struct iosc_client *client)
{
	return client->channel;
}

short iosc_client_events(const struct iosc_client *client)
{
	return client->no_room ? POLLOUT : POLLIN;
}

unsigned long iosc_client_dropped(const struct iosc_client *client)
{
	return client->dropped;
}

struct iosc_handles *iosc_client_handles(struct iosc_client *client)
{
	return &client->handles;
}

/* Sending */

static void prepare(struct iosc_answer *answer, __u8 *bytes)
{
	answer->room = bytes + sizeof(struct iosc_message);
	answer->size = 0;
	answer->length = sizeof(struct iosc_message);
}

/* Return: 0 or a negative errno */
static int make_room(struct iosc_client *client, struct iosc_answer *answer, __u32 length)
{
	__u8 *bytes;

	if (client->answer) {
		if (client->answer->lent)
			return -EBUSY;
		client->answer->room = NULL;
	}
	bytes = iosc_reserve(client->channel, length, IOSC_DONTWAIT);
	client->no_room = !bytes && errno == EAGAIN;
	if (!bytes)
		return -errno;
	prepare(answer, bytes);
	return 0;
}

/* Return: 0 or a negative errno */
static int send_held(struct iosc_client *client)
{
	struct iosc_answer answer;
	int error = client->held_length ? make_room(client, &answer, client->held_length) : 0;

	if (error || !client->held_length)
		return error;
	memcpy((__u8 *)answer.room - sizeof(struct iosc_message), client->held,
	       client->held_length);
	iosc_commit(client->channel, client->held_length);
	client->held_length = 0;
	return 0;
}

static int send_answer(struct iosc_client *client, const struct iosc_answer *answer,
		       struct iosc_incoming *head)
{
	__u8 *bytes = (__u8 *)answer->room - sizeof(struct iosc_message);

	head->size = answer->size;
	outgoing(bytes, head);
	if (bytes == client->held) {
		client->held_length = answer->length;
		return 0;
	}
	return iosc_commit(client->channel, answer->length) ? -errno : 0;
}

void *iosc_answer_begin(struct iosc_serving *serving, __u32 length)
{
	struct iosc_client *client = serving->request.client;

	/* Not even now, after events; or nobody will read it */
	if (make_room(client, &serving->answer, length))
		prepare(&serving->answer, client->held);
	return serving->answer.room;
}

static __u16 status_of(int result)
{
	if (result >= 0)
		return result < IOSC_STATUS_ERRNO ? result : IOSC_STATUS_ERRNO + EINVAL;
	return IOSC_STATUS_ERRNO + (-result <= IOSC_ERRNO_MAX ? -result : EINVAL);
}

int iosc_reply_begin(const struct iosc_request *request, struct iosc_answer *answer, __u32 length)
{
	return make_room(request->client, answer, length);
}

int iosc_reply_send(const struct iosc_request *request, const struct iosc_answer *answer,
		    int result)
{
	struct iosc_incoming head = {
		.id = request->id, .interface = request->interface, .method = request->method,
		.kind = IOSC_REPLY, .status = status_of(result),
	};
	struct iosc_answer bare = { .room = answer->room, .length = sizeof(struct iosc_message) };

	return send_answer(request->client, result ? &bare : answer, &head);
}

int iosc_event_begin(struct iosc_client *client, struct iosc_answer *answer, __u32 length)
{
	return make_room(client, answer, length);
}

int iosc_event_send(struct iosc_client *client, const struct iosc_answer *answer, __u32 interface,
		    __u16 method)
{
	struct iosc_incoming head = {
		.interface = interface, .method = method, .kind = IOSC_EVENT,
	};

	return send_answer(client, answer, &head);
}

/* Receiving */

__attribute__((noinline)) int iosc_dispatch(const struct iosc_service *service,
					    struct iosc_serving *serving, __u8 *copy)
{
	return iosc_serve(service, serving, copy);
}

static int serve(struct iosc_client *client, struct iosc_serving *serving)
{
	if (serving->in.interface != client->service->interface)
		return -EPROTOTYPE;
	return iosc_dispatch(client->service, serving, client->other);
}

/* Return: 0, or a negative errno; -EAGAIN: there is no room for the reply */
static int take_call(struct iosc_client *client, struct iosc_serving *serving, int malformed)
{
	struct iosc_answer *answer = &serving->answer;
	int result = make_room(client, answer, client->service->longest), error = 0;

	if (result)
		return result;
	client->answer = answer;
	result = malformed ?: serve(client, serving);
	answer->lent = false;
	if (result != IOSC_LATER) {
		if (!answer->room)
			iosc_answer_begin(serving, sizeof(struct iosc_message));
		error = iosc_reply_send(&serving->request, answer, result);
	}
	client->answer = NULL;
	return error;
}

static int take_message(struct iosc_client *client, const void *bytes, __u32 length)
{
	const struct iosc_service *service = client->service;
	struct iosc_serving serving = {
		.request = {
			.client = client, .context = client->context, .handles = &client->handles,
		},
		.table = client->table,
	};
	int malformed = incoming(&serving.in, bytes, length);

	serving.request.id = serving.in.id;
	serving.request.interface = serving.in.interface;
	serving.request.method = serving.in.method;
	switch (serving.in.kind) {
	case IOSC_CALL:
		return take_call(client, &serving, malformed);
	case IOSC_ONEWAY:
		serving.request.id = 0;
		if (malformed || serve(client, &serving) < 0)
			client->dropped++;
		return 0;
	case IOSC_CANCEL:
		if (service->cancelled)
			service->cancelled(client->table, &serving.request);
		return 0;
	default:
		client->dropped++;
		return 0;
	}
}

/* Is there room again, after there was none? */
static bool room_again(struct iosc_client *client)
{
	struct iosc_answer answer;

	if (make_room(client, &answer, client->service->longest))
		return false;
	if (client->service->room)
		client->service->room(client->table, client->context, client);
	return !client->no_room;
}

int iosc_client_serve(struct iosc_client *client, unsigned int most)
{
	unsigned int taken = 0;

	if (client->no_room && !room_again(client) && client->no_room)
		return 0;
	while (taken < most) {
		const void *bytes;
		int error = send_held(client);
		ssize_t length = error ? 0 : iosc_peek(client->channel, &bytes, IOSC_DONTWAIT);

		if (error == -EAGAIN)
			break;
		if (error)
			return error;
		if (length < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (length < 0)
			return taken ? (int)taken : -errno;
		error = take_message(client, bytes, length);
		if (error == -EAGAIN)
			break;
		if (error)
			return error;
		iosc_release(client->channel);
		taken++;
	}
	return taken;
}
