/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Calls over channels: what the stubs that iosc-idl(1) makes are built on. iosc-calls(7) explains
 * the model, iosc_call(3) is the manual of what programs use.
 *
 * Functions return 0 or a negative errno, since kernels use stubs, too, and a positive number is an
 * error that the interface declares. -EPIPE: the peer is gone. -EPROTO: a ring is invalid. Both are
 * final. All other errors concern one call.
 */
#ifndef IOSC_CALL_H
#define IOSC_CALL_H

#include "iosc_message.h"

#ifdef __cplusplus
extern "C" {
#endif

struct iosc;
struct iosc_caller;
struct iosc_client;
struct iosc_server;

/* The client's side */

/**
 * struct iosc_method - what stubs say about a method
 * @interface: the low 32 bits of the interface's id
 * @method: its ordinal
 * @size: bytes of the fixed part of its arguments
 * @results: bytes of the fixed part of its results
 * @errors: the highest error of the interface, 0: it has none
 * @take: take the results out of a reply with status 0. Called by whichever thread receives it
 */
struct iosc_call;
struct iosc_method {
	__u32 interface;
	__u16 method;
	__u16 size;
	__u16 results;
	__u16 errors;
	int (*take)(struct iosc_call *call, const struct iosc_incoming *reply);
};

/**
 * struct iosc_call - a call under way
 * @done: NULL, or set by the program before the call starts: called when @result is there. The call
 *	is not touched afterwards. It may start calls, and must not wait for one
 * @result: 0, an error of the interface, or a negative errno
 *
 * The other fields are the library's. A call lives until it is done, in memory of the program.
 */
struct iosc_call {
	void (*done)(struct iosc_call *call);
	int result;
	__u32 id;
	__u32 state;
	__u32 length;
	const struct iosc_method *method;
	struct iosc_caller *caller;
};

#define IOSC_CALLS_MAX	64		/* under way at once over one channel */

/**
 * iosc_call_begin - make room in the ring for a call's message
 * @length: of the message, header and fixed part included
 *
 * Waits for a peer and for room, at most the caller's timeout, and receives replies meanwhile. In a
 * function of the program that a caller calls it does not wait, but fails with -EAGAIN. Return:
 * where the fixed part goes; the caller is locked until iosc_call_run() or iosc_call_start(). NULL:
 * call->result is the error; -EBUSY: IOSC_CALLS_MAX calls are under way.
 */
void *iosc_call_begin(struct iosc_caller *caller, struct iosc_call *call,
		      const struct iosc_method *method, __u32 length);

/** iosc_call_run - send it and wait, for at most the caller's timeout. Return: its result */
int iosc_call_run(struct iosc_call *call);

/** iosc_call_start - send it. Return: 0 or a negative errno */
int iosc_call_start(struct iosc_call *call);

/**
 * iosc_oneway_begin - as iosc_call_begin(), for a one-way message
 * @error: out, where NULL is returned
 */
void *iosc_oneway_begin(struct iosc_caller *caller, const struct iosc_method *method, __u32 length,
			int *error);

/** iosc_oneway_send - send it. Return: 0 or a negative errno */
int iosc_oneway_send(struct iosc_caller *caller);

/**
 * iosc_call_wait - wait for a call that was started
 * @milliseconds: at most; -1: without end. Then it is cancelled, and its result is -ETIMEDOUT
 */
int iosc_call_wait(struct iosc_caller *caller, struct iosc_call *call, int milliseconds);

/**
 * iosc_call_cancel - give up a call that another thread waits for, or nobody
 *
 * Its result is -ECANCELED. The server is told, and may have done the work nevertheless.
 * Return: 0; -EALREADY: the call is done.
 */
int iosc_call_cancel(struct iosc_caller *caller, struct iosc_call *call);

/**
 * struct iosc_hear - what stubs say about an event
 * @size: bytes of the fixed part of its arguments
 * @take: call the function of the program's table. Return: 0, or a negative errno for an event that was
 *	dropped. NULL: the method is no event
 */
struct iosc_hear {
	__u16 size;
	int (*take)(const void *table, void *context, const struct iosc_incoming *event);
};

/**
 * struct iosc_listener - who gets the events of one interface
 * @interface: the low 32 bits of its id
 * @methods: number of @hear
 * @hear: by the methods' ordinals
 */
struct iosc_listener {
	__u32 interface;
	__u32 methods;
	const struct iosc_hear *hear;
};

/**
 * iosc_caller_listen - have events of @listener passed on to @table, of which the stubs know the
 * type
 */
void iosc_caller_listen(struct iosc_caller *caller, const struct iosc_listener *listener,
			const void *table, void *context);

#ifndef __KERNEL__
/**
 * iosc_caller_new - make the client's end of a channel
 * @channel: stays the program's, which closes it after iosc_caller_free()
 *
 * Any number of threads may use a caller. Nothing else may use the channel. NULL: errno.
 */
struct iosc_caller *iosc_caller_new(struct iosc *channel);

/**
 * iosc_caller_free - calls that are under way end with -EPIPE. No thread may wait. NULL: nothing
 */
void iosc_caller_free(struct iosc_caller *caller);

/** iosc_caller_set_timeout - how long iosc_call_run() waits; -1, the default: without end */
void iosc_caller_set_timeout(struct iosc_caller *caller, int milliseconds);

/** iosc_caller_fd - for poll(2): POLLIN: call iosc_caller_process() */
int iosc_caller_fd(const struct iosc_caller *caller);

/**
 * iosc_caller_process - receive what has come: replies of calls without a thread that waits, events
 *
 * Does not wait. Return: 0; -EPIPE, -EPROTO: all calls have ended so.
 */
int iosc_caller_process(struct iosc_caller *caller);

/** iosc_caller_dropped - messages that were malformed, or no answer to any call */
unsigned long iosc_caller_dropped(const struct iosc_caller *caller);
#endif

/* The server's side */

#define IOSC_LATER 0x40000000 /* a function of a server returns it: the reply comes later */
#define IOSC_HANDLES	256		/* of one client at once */

/**
 * struct iosc_request - what a function of a server is called for
 * @client: who called
 * @context: what the program gave to iosc_client_new() or iosc_server_new()
 * @handles: of the client
 * @id: of the call; 0: nobody wants a reply
 * @method: its ordinal
 * @interface: the low 32 bits of the interface's id
 *
 * A function that returns IOSC_LATER copies it, and what it needs of its arguments.
 */
struct iosc_request {
	struct iosc_client *client;
	void *context;
	struct iosc_handles *handles;
	__u32 id;
	__u32 interface;
	__u16 method;
};

/**
 * struct iosc_answer - a reply that is being made
 * @room: in the ring, where the fixed part goes; NULL: not any more, since the function has sent
 *	something else meanwhile: see iosc_answer_begin()
 * @size: out: of the fixed part
 * @length: out: of the message, header included
 * @lent: the function writes results to that room itself, so it stays
 */
struct iosc_answer {
	void *room;
	__u32 size, length;
	bool lent;
};

/**
 * struct iosc_serving - a message that is being served
 * @in: of the stub's version
 * @table: the program's functions
 */
struct iosc_serving {
	struct iosc_request request;
	struct iosc_incoming in;
	struct iosc_answer answer;
	const void *table;
};

/**
 * struct iosc_serve - what stubs say about a method
 * @size: bytes of the fixed part of its arguments
 * @kind: IOSC_CALL or IOSC_ONEWAY; 0: it is an event, and @call is iosc_serve_nothing()
 * @call: call the function of the program's table. Return: its result, -ENOSYS, -EBADMSG or -EBADF
 */
struct iosc_serve {
	__u16 size;
	__u8 kind;
	int (*call)(struct iosc_serving *serving);
};

/**
 * struct iosc_service - what iosc-idl makes of the server's side of an interface
 * @interface: the low 32 bits of its id
 * @longest: bytes of its longest reply, header included
 * @methods: number of @serve
 * @serve: by the methods' ordinals
 * @cancelled: NULL, or the client does not want the reply to call @id any more
 * @room: NULL, or a client reads again, for which a reply or an event had no room
 * @left: NULL, or a client has gone: it and its requests are not to be used any more
 * @gone: NULL, or a handle that it had, of the type and with the object of iosc_handle_give()
 */
struct iosc_service {
	__u32 interface;
	__u32 longest;
	__u32 methods;
	const struct iosc_serve *serve;
	void (*cancelled)(const void *table, const struct iosc_request *request);
	void (*room)(const void *table, void *context, struct iosc_client *client);
	void (*left)(const void *table, void *context, struct iosc_client *client);
	void (*gone)(const void *table, void *context, unsigned int type, void *object);
};

/**
 * struct iosc_handle - what a number of a client means
 * @object: the server's
 * @next: of a free one: the next free one, or NULL
 * @type: of the object, nonzero; 0: it is free
 * @number: what the client has, or gets next: its place in the table, and above that how often the
 *	place was used, at least once
 */
struct iosc_handle {
	union {
		void *object;
		struct iosc_handle *next;
	};
	__u32 type, number;
};

/**
 * struct iosc_handles - the handles of a client; iosc_handles_init() makes them
 * @free: the first free one, or NULL
 */
struct iosc_handles {
	struct iosc_handle *free;
	struct iosc_handle handle[IOSC_HANDLES];
};

/** iosc_handles_init - none is given yet */
void iosc_handles_init(struct iosc_handles *handles);

/** iosc_handle_new - for stubs: a new handle to an object; NULL: the client has IOSC_HANDLES handles */
static inline const struct iosc_handle *iosc_handle_new(struct iosc_handles *handles, __u32 type,
							void *object)
{
	struct iosc_handle *handle = handles->free;

	if (!handle)
		return NULL;
	handles->free = handle->next;
	handle->object = object;
	handle->type = type;
	return handle;
}

/**
 * iosc_handle_give - give the client a handle to an object
 * @handles: of the request, or of iosc_client_handles()
 * @type: nonzero
 *
 * Return: its number, never 0; 0: the client has IOSC_HANDLES handles.
 */
static inline __u32 iosc_handle_give(struct iosc_handles *handles, __u32 type, void *object)
{
	const struct iosc_handle *handle = iosc_handle_new(handles, type, object);

	return handle ? handle->number : 0;
}

/** iosc_handle_at - for stubs: the handle, or NULL if the client has no such handle of @type */
static inline const struct iosc_handle *iosc_handle_at(const struct iosc_handles *handles, __u32 type,
						       __u32 number)
{
	const struct iosc_handle *handle = &handles->handle[number % IOSC_HANDLES];

	return handle->type == type && handle->number == number ? handle : NULL;
}

/** iosc_handle_find - the object of a handle, or NULL if the client has no such handle of @type */
static inline void *iosc_handle_find(const struct iosc_handles *handles, __u32 type, __u32 number)
{
	const struct iosc_handle *handle = iosc_handle_at(handles, type, number);

	return handle ? handle->object : NULL;
}

/** iosc_handle_close - take the handle back. Return: its object, or NULL as above */
void *iosc_handle_close(struct iosc_handles *handles, __u32 type, __u32 number);

/**
 * iosc_answer_begin - for stubs: make room again for the reply of a function that has returned
 *
 * There is always some for @length bytes. Return: serving->answer.room.
 */
void *iosc_answer_begin(struct iosc_serving *serving, __u32 length);

/* In the place of an event: a message of kind 0 and without a fixed part has what it says */
IOSC_SELDOM int iosc_serve_nothing(struct iosc_serving *serving)
{
	return -ENOSYS;
}

IOSC_SELDOM int iosc_serve_other(const struct iosc_serve *serve, struct iosc_serving *serving, __u8 *copy)
{
	int error;

	if (serving->in.kind != serve->kind)
		return serve->kind ? -EBADMSG : -ENOSYS;
	error = iosc_other_version(&serving->in, copy, serve->size, true);
	return error ? error : serve->call(serving);
}

/**
 * iosc_serve - call the stub for a message, of any version
 * @copy: see iosc_other_version()
 *
 * Return: its result, -ENOSYS, -EBADMSG, -EPROTONOSUPPORT, or -EBADF.
 */
static inline int iosc_serve(const struct iosc_service *service, struct iosc_serving *serving,
			     __u8 *copy)
{
	const struct iosc_serve *serve;

	if (serving->in.method >= service->methods)
		return -ENOSYS;
	serve = &service->serve[serving->in.method];
	if (serving->in.kind != serve->kind || serving->in.size != serve->size)
		return iosc_serve_other(serve, serving, copy);
	return serve->call(serving);
}

/**
 * iosc_reply_begin - make room for a reply that comes later
 * @answer: out: room for @length bytes
 *
 * Return: 0; -EAGAIN: the client does not read its replies; the server's function "room" says when
 * to try again. -EBUSY: a function of this client runs that has text, data or lists as results, and
 * their room is in use; try again when it has returned. -EPIPE: the client has gone.
 */
int iosc_reply_begin(const struct iosc_request *request, struct iosc_answer *answer, __u32 length);

/**
 * iosc_reply_send - send it: @result as a function of a server returns it. Return: 0 or an errno
 */
int iosc_reply_send(const struct iosc_request *request, const struct iosc_answer *answer,
		    int result);

/** iosc_event_begin, iosc_event_send - likewise for an event to the client */
int iosc_event_begin(struct iosc_client *client, struct iosc_answer *answer, __u32 length);
int iosc_event_send(struct iosc_client *client, const struct iosc_answer *answer, __u32 interface,
		    __u16 method);

#ifndef __KERNEL__
/**
 * iosc_client_new - serve one client
 * @channel: stays the program's, which closes it after iosc_client_free()
 * @service: from the interface's header
 * @table: the functions; of the type of the interface's header
 * @context: for the functions
 *
 * One thread at a time may use it. NULL: errno.
 */
struct iosc_client *iosc_client_new(struct iosc *channel, const struct iosc_service *service,
				    const void *table, void *context);

/**
 * iosc_client_free - the server's functions are told that it left, and of each handle that it had
 */
void iosc_client_free(struct iosc_client *client);

/** iosc_client_handles - its handles */
struct iosc_handles *iosc_client_handles(struct iosc_client *client);

/** iosc_client_channel - its channel */
struct iosc *iosc_client_channel(const struct iosc_client *client);

/**
 * iosc_client_serve - answer what has come
 * @most: messages; the rest waits
 *
 * Does not wait. Return: messages taken; -EPIPE, -EPROTO: the session is over.
 */
int iosc_client_serve(struct iosc_client *client, unsigned int most);

/**
 * iosc_client_events - what to poll for: POLLIN, or POLLOUT while the client does not read replies
 */
short iosc_client_events(const struct iosc_client *client);

/** iosc_client_dropped - messages that were malformed and got no reply */
unsigned long iosc_client_dropped(const struct iosc_client *client);

/**
 * iosc_server_new - serve many clients
 *
 * Arguments as of iosc_client_new(). NULL: errno.
 */
struct iosc_server *iosc_server_new(const struct iosc_service *service, const void *table,
				    void *context);

/** iosc_server_free - end all sessions */
void iosc_server_free(struct iosc_server *server);

/**
 * iosc_server_add - serve a channel, one client after the other
 * @path: of its device
 *
 * When a session is over the channel is opened again for the next one. Return: 0; -errno of
 * open(2).
 */
int iosc_server_add(struct iosc_server *server, const char *path);

/** iosc_server_fd - for poll(2) or sd_event_add_io(3): POLLIN: call iosc_server_process() */
int iosc_server_fd(const struct iosc_server *server);

/**
 * iosc_server_process - wait for messages and answer them
 * @milliseconds: to wait at most; 0: not at all; -1: without end
 *
 * Return: messages answered; -EINTR: a signal came; -ENODEV: the guests of all channels are gone.
 */
int iosc_server_process(struct iosc_server *server, int milliseconds);
#endif

#ifdef __cplusplus
}
#endif
#endif
