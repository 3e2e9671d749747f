// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The client's side of calls, for any number of threads on one channel: see iosc_call.h.
 *
 * One lock protects everything. It is held from iosc_call_begin() until the message is sent, and
 * never while a thread sleeps.
 *
 * Of the threads that wait for replies one receives: it has the role `receiving`, sleeps in the
 * channel, and has each reply taken by its call's function, whoever's it is, so results go straight
 * from the ring to where they are wanted. The others sleep on their call's state, a futex. When the
 * receiving thread has its own result it passes the role to another that waits.
 *
 * A call is found by its id: the low bits are its place in the table, the rest is a count, so that
 * a late reply finds nobody.
 */
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "callmessage.h"
#include "deadline.h"
#include "iosc.h"

enum state {
	WAITS,			/* nobody sleeps on it */
	SLEEPS,			/* a thread sleeps on it */
	RECEIVES,		/* that thread is to receive now */
	DONE,
};

#define PLACE(id)	((id) % IOSC_CALLS_MAX)
#define PROCESS_MAX	256		/* messages in one iosc_caller_process() */
#define RETRY_NS	1000000		/* for room, while another thread receives */

/**
 * struct iosc_caller - the client's end of a channel
 * @error: 0, or the error that ended the session
 * @receiving: a thread has the role
 * @used: bit N: @calls[N] is under way
 * @count: makes ids differ
 * @length: of the message for which room is reserved
 * @timeout: of iosc_call_run(), milliseconds or -1
 * @other: for messages of other versions; whoever has the role uses it
 */
struct iosc_caller {
	pthread_mutex_t lock;
	struct iosc *channel;
	int error;
	bool receiving;
	uint64_t used;
	uint32_t count;
	uint32_t length;
	int timeout;
	struct iosc_call *calls[IOSC_CALLS_MAX];
	const struct iosc_listener *listener;
	const void *table;
	void *context;
	unsigned long dropped;
	__u8 other[IOSC_OTHER_MAX] __attribute__((aligned(8)));
};

struct iosc_caller *iosc_caller_new(struct iosc *channel)
{
	struct iosc_caller *caller = calloc(1, sizeof(*caller));

	if (!caller)
		return NULL;
	pthread_mutex_init(&caller->lock, NULL);
	caller->channel = channel;
	caller->timeout = -1;
	return caller;
}

void iosc_caller_set_timeout(struct iosc_caller *caller, int milliseconds)
{
	caller->timeout = milliseconds;
}

void iosc_caller_listen(struct iosc_caller *caller, const struct iosc_listener *listener,
			const void *table, void *context)
{
	pthread_mutex_lock(&caller->lock);
	caller->listener = listener;
	caller->table = table;
	caller->context = context;
	pthread_mutex_unlock(&caller->lock);
}

int iosc_caller_fd(const struct iosc_caller *caller)
{
	return iosc_fd(caller->channel);
}

unsigned long iosc_caller_dropped(const struct iosc_caller *caller)
{
	return caller->dropped;
}

/* All from here on is called with the lock held, unless it says otherwise */

/* Around a function of the program: it may start calls, but not wait, since this thread receives */
static __thread bool in_callback;

static void leave(struct iosc_caller *caller)
{
	in_callback = true;
	pthread_mutex_unlock(&caller->lock);
}

static void come_back(struct iosc_caller *caller)
{
	pthread_mutex_lock(&caller->lock);
	in_callback = false;
}

static void forget(struct iosc_caller *caller, struct iosc_call *call)
{
	caller->used &= ~(1ULL << PLACE(call->id));
	caller->calls[PLACE(call->id)] = NULL;
}

static void pass_role(struct iosc_caller *caller)
{
	caller->receiving = false;
	for (uint64_t left = caller->used; left; left &= left - 1) {
		struct iosc_call *call = caller->calls[__builtin_ctzll(left)];

		if (call->state == SLEEPS) {
			caller->receiving = true;
			__atomic_store_n(&call->state, RECEIVES, __ATOMIC_RELEASE);
			futex_wake(&call->state);
			return;
		}
	}
}

/* The lock is released around the program's function. @call may be gone afterwards */
static void finish(struct iosc_caller *caller, struct iosc_call *call, int result)
{
	__u32 was = call->state;

	forget(caller, call);
	call->result = result;
	if (call->done) {
		call->state = DONE;
		leave(caller);
		call->done(call);
		come_back(caller);
		return;
	}
	__atomic_store_n(&call->state, DONE, __ATOMIC_RELEASE);
	if (was == SLEEPS)
		futex_wake(&call->state);
	else if (was == RECEIVES)
		pass_role(caller);
}

static void end_session(struct iosc_caller *caller, int error)
{
	caller->error = error;
	while (caller->used)
		finish(caller, caller->calls[__builtin_ctzll(caller->used)], error);
}

/* What a reply without results means. The peer cannot say that the session is over */
static int result_of(const struct iosc_call *call, const struct iosc_incoming *reply)
{
	int error = reply->status - IOSC_STATUS_ERRNO;

	if (error < 0)
		return reply->status <= call->method->errors ? reply->status : -EREMOTEIO;
	if (!error || error > IOSC_ERRNO_MAX || error == EPIPE || error == EPROTO)
		return -EREMOTEIO;
	return -error;
}

/* A newer server's further results are ignored */
static int take_results(struct iosc_caller *caller, struct iosc_call *call, struct iosc_incoming *reply)
{
	const struct iosc_method *method = call->method;

	if (reply->interface != method->interface || reply->method != method->method)
		return -EBADMSG;
	if (reply->size != method->results) {
		int error = iosc_other_version(reply, caller->other, method->results, false);

		if (error)
			return error;
	}
	return method->take(call, reply);
}

static void take_reply(struct iosc_caller *caller, struct iosc_incoming *reply)
{
	struct iosc_call *call = caller->calls[PLACE(reply->id)];
	int result;

	if (!call || call->id != reply->id) {
		caller->dropped++;
		iosc_release(caller->channel);
		return;
	}
	result = reply->status ? result_of(call, reply) : take_results(caller, call, reply);
	iosc_release(caller->channel);
	finish(caller, call, result);
}

static const struct iosc_hear *find_event(const struct iosc_listener *listener,
					  const struct iosc_incoming *event)
{
	if (!listener || listener->interface != event->interface ||
	    event->method >= listener->methods || !listener->hear[event->method].take)
		return NULL;
	return &listener->hear[event->method];
}

static void take_event(struct iosc_caller *caller, struct iosc_incoming *event)
{
	const struct iosc_hear *hear = find_event(caller->listener, event);
	const void *table = caller->table;
	void *context = caller->context;
	int error = hear ? 0 : -ENOSYS;

	if (!error && event->size != hear->size)
		error = iosc_other_version(event, caller->other, hear->size, false);
	if (!error) {
		leave(caller);
		error = hear->take(table, context, event);
		come_back(caller);
	}
	if (error)
		caller->dropped++;
	iosc_release(caller->channel);
}

/* Called by the thread that has the role. Return: 1: a message was taken, 0: none is there */
static int receive(struct iosc_caller *caller)
{
	struct iosc_incoming in;
	const void *bytes;
	ssize_t length = iosc_peek(caller->channel, &bytes, IOSC_DONTWAIT);

	if (length < 0) {
		if (errno != EAGAIN && errno != EINTR && !caller->error)
			end_session(caller, -errno);
		return 0;
	}
	if (incoming(&in, bytes, length))
		in.kind = 0;
	if (in.kind == IOSC_REPLY) {
		take_reply(caller, &in);
	} else if (in.kind == IOSC_EVENT) {
		take_event(caller, &in);
	} else {
		caller->dropped++;
		iosc_release(caller->channel);
	}
	return 1;
}

/* Sleep without the lock, and receive. For the thread that has the role */
static void sleep_and_receive(struct iosc_caller *caller, short events, int64_t deadline)
{
	struct timespec left;

	pthread_mutex_unlock(&caller->lock);
	iosc_wait(caller->channel, events, time_left(deadline, &left));
	pthread_mutex_lock(&caller->lock);
	receive(caller);
}

/* Sending */

/* Receive meanwhile: the server may wait until we take its replies */
static void wait_for_room(struct iosc_caller *caller, int64_t deadline)
{
	static const struct timespec retry = { .tv_nsec = RETRY_NS };

	if (caller->receiving) {
		pthread_mutex_unlock(&caller->lock);
		nanosleep(&retry, NULL);
		pthread_mutex_lock(&caller->lock);
		return;
	}
	caller->receiving = true;
	sleep_and_receive(caller, POLLIN | POLLOUT, deadline);
	pass_role(caller);
}

static void *reserve(struct iosc_caller *caller, uint32_t length, int *error)
{
	int64_t deadline = 0;

	for (;;) {
		void *room;

		*error = caller->error;
		if (*error)
			return NULL;
		room = iosc_reserve(caller->channel, length, IOSC_DONTWAIT);
		if (room)
			return room;
		*error = -errno;
		if (errno == EPIPE || errno == EPROTO)
			end_session(caller, *error);
		else if (errno != EAGAIN || in_callback)
			return NULL;
		deadline = deadline ?: deadline_after(caller->timeout);
		if (passed(deadline)) {
			*error = -ETIMEDOUT;
			return NULL;
		}
		wait_for_room(caller, deadline);
	}
}

/* Return: where the fixed part goes */
static void *begin_message(struct iosc_caller *caller, const struct iosc_method *method, void *room,
			   __u32 length, __u32 id)
{
	const struct iosc_incoming head = {
		.id = id, .interface = method->interface, .method = method->method,
		.size = method->size, .kind = id ? IOSC_CALL : IOSC_ONEWAY,
	};
	struct iosc_message *message = room;

	caller->length = length;
	outgoing(message, &head);
	return message + 1;
}

void *iosc_call_begin(struct iosc_caller *caller, struct iosc_call *call,
		      const struct iosc_method *method, __u32 length)
{
	unsigned int place;
	void *room;

	pthread_mutex_lock(&caller->lock);
	room = reserve(caller, length, &call->result);
	if (!room)
		goto unlock;
	if (!~caller->used) {
		call->result = -EBUSY;
		goto unlock;
	}
	place = __builtin_ctzll(~caller->used);
	call->id = ++caller->count * IOSC_CALLS_MAX + place;
	if (!call->id)		/* of one-way messages */
		call->id = ++caller->count * IOSC_CALLS_MAX + place;
	call->state = WAITS;
	call->method = method;
	call->caller = caller;
	caller->used |= 1ULL << place;
	caller->calls[place] = call;
	return begin_message(caller, method, room, length, call->id);

unlock:
	pthread_mutex_unlock(&caller->lock);
	return NULL;
}

void *iosc_oneway_begin(struct iosc_caller *caller, const struct iosc_method *method, __u32 length,
			int *error)
{
	void *room;

	pthread_mutex_lock(&caller->lock);
	room = reserve(caller, length, error);
	if (room)
		return begin_message(caller, method, room, length, 0);
	pthread_mutex_unlock(&caller->lock);
	return NULL;
}

static int commit(struct iosc_caller *caller)
{
	return iosc_commit(caller->channel, caller->length) ? -errno : 0;
}

int iosc_call_start(struct iosc_call *call)
{
	struct iosc_caller *caller = call->caller;
	int error = commit(caller);

	if (error)
		forget(caller, call);
	pthread_mutex_unlock(&caller->lock);
	return error;
}

int iosc_oneway_send(struct iosc_caller *caller)
{
	int error = commit(caller);

	pthread_mutex_unlock(&caller->lock);
	return error;
}

/* Tell the server if there is room; if not, its reply finds nobody */
static void give_up(struct iosc_caller *caller, struct iosc_call *call, int result)
{
	struct iosc_incoming head = {
		.id = call->id,
		.interface = call->method->interface,
		.method = call->method->method,
		.kind = IOSC_CANCEL,
	};
	void *message = iosc_reserve(caller->channel, sizeof(struct iosc_message), IOSC_DONTWAIT);

	if (message) {
		outgoing(message, &head);
		iosc_commit(caller->channel, sizeof(struct iosc_message));
	}
	finish(caller, call, result);
}

int iosc_call_cancel(struct iosc_caller *caller, struct iosc_call *call)
{
	int error = -EALREADY;

	pthread_mutex_lock(&caller->lock);
	if (caller->calls[PLACE(call->id)] == call && call->state != DONE) {
		give_up(caller, call, -ECANCELED);
		error = 0;
	}
	pthread_mutex_unlock(&caller->lock);
	return error;
}

/* Waiting */

/* As the thread that receives. The lock is held, and the call is not done */
static void wait_receiving(struct iosc_caller *caller, struct iosc_call *call, int64_t deadline)
{
	caller->receiving = true;
	call->state = WAITS;
	while (call->state != DONE) {
		/* A server that sends without end does not keep a deadline from passing */
		if (passed(deadline))
			give_up(caller, call, -ETIMEDOUT);
		else if (!receive(caller) && call->state != DONE)
			sleep_and_receive(caller, POLLIN, deadline);
	}
	pass_role(caller);
}

static void wait_locked(struct iosc_caller *caller, struct iosc_call *call, int64_t deadline)
{
	if (in_callback && call->state != DONE)
		give_up(caller, call, -EDEADLK);
	while (call->state != DONE) {
		if (!caller->receiving || call->state == RECEIVES) {
			wait_receiving(caller, call, deadline);
			return;
		}
		if (passed(deadline)) {
			give_up(caller, call, -ETIMEDOUT);
			return;
		}
		call->state = SLEEPS;
		pthread_mutex_unlock(&caller->lock);
		futex_wait(&call->state, SLEEPS, deadline);
		pthread_mutex_lock(&caller->lock);
		if (call->state == SLEEPS)
			call->state = WAITS;
	}
}

int iosc_call_run(struct iosc_call *call)
{
	struct iosc_caller *caller = call->caller;
	int64_t deadline = deadline_after(caller->timeout);
	int error = commit(caller);

	if (error) {
		forget(caller, call);
		pthread_mutex_unlock(&caller->lock);
		return error;
	}
	wait_locked(caller, call, deadline);
	pthread_mutex_unlock(&caller->lock);
	return call->result;
}

int iosc_call_wait(struct iosc_caller *caller, struct iosc_call *call, int milliseconds)
{
	pthread_mutex_lock(&caller->lock);
	wait_locked(caller, call, deadline_after(milliseconds));
	pthread_mutex_unlock(&caller->lock);
	return call->result;
}

int iosc_caller_process(struct iosc_caller *caller)
{
	int error;

	pthread_mutex_lock(&caller->lock);
	if (!caller->receiving) {
		caller->receiving = true;
		for (unsigned int i = 0; i < PROCESS_MAX && receive(caller); i++)
			;
		pass_role(caller);
	}
	error = caller->error;
	pthread_mutex_unlock(&caller->lock);
	return error;
}

void iosc_caller_free(struct iosc_caller *caller)
{
	if (!caller)
		return;
	pthread_mutex_lock(&caller->lock);
	end_session(caller, -EPIPE);
	pthread_mutex_unlock(&caller->lock);
	pthread_mutex_destroy(&caller->lock);
	free(caller);
}
