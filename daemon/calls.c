// SPDX-License-Identifier: GPL-2.0
/* Calls in a thread of their own: see calls.h. A thread makes one call. */
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "calls.h"

static void *make_call(void *data)
{
	struct calls *calls = data;

	calls->first->result = calls->first->run(calls->first->data);
	eventfd_write(calls->fd, 1);
	return NULL;
}

static void join(struct calls *calls)
{
	pthread_join(calls->thread, NULL);
	calls->source = sd_event_source_disable_unref(calls->source);
	close(calls->fd);
}

static int begin_first(struct calls *calls);

/* The next one begins first, so that what done() adds comes behind it */
static int on_done(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct calls *calls = data;
	struct call *call = calls->first, *failed;
	int error;

	join(calls);
	calls->first = call->next;
	error = calls->first ? begin_first(calls) : 0;
	failed = error ? calls->first : NULL;
	if (error)
		calls->first = NULL;
	call->done(call->data, call->result);
	for (; failed; failed = call) {
		call = failed->next;
		failed->done(failed->data, error);
	}
	return 0;
}

static int begin_first(struct calls *calls)
{
	sigset_t all, old;
	int error;

	calls->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (calls->fd < 0)
		return -errno;
	error = sd_event_add_io(calls->event, &calls->source, calls->fd, EPOLLIN, on_done, calls);
	if (error < 0)
		goto close_fd;
	/* As of a disk's thread: the main thread handles the signals */
	sigfillset(&all);
	sigdelset(&all, SIGSYS);
	sigdelset(&all, SIGBUS);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = -pthread_create(&calls->thread, NULL, make_call, calls);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!error)
		return 0;
	calls->source = sd_event_source_disable_unref(calls->source);
close_fd:
	close(calls->fd);
	return error;
}

int calls_add(struct calls *calls, struct call *call)
{
	struct call **last = &calls->first;
	int error;

	for (; *last; last = &(*last)->next)
		if (*last == call)
			return -EALREADY;
	call->next = NULL;
	*last = call;
	if (calls->first != call)
		return 0;
	error = begin_first(calls);
	if (error)
		calls->first = NULL;
	return error;
}

void calls_end(struct calls *calls)
{
	if (calls->first)
		join(calls);
	calls->first = NULL;
}
