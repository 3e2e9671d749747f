/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Processes that serve a device of the guest as vhost-user back ends: virtiofsd, passt,
 * qemu-storage-daemon.
 *
 * A back end has no more rights than the person who started the guest. sigmad runs as root, so
 * under sudo or pkexec the back end is put into a user namespace in which this person is root and
 * no other user exists. If root itself started the guest, there is no such namespace.
 *
 * A guest of a user, which root's service started for them, has an owner (backend_own()). Its back
 * ends have the rights of the process that asked for it. virtiofsd then is in no user namespace:
 * it sees who owns each file, and has the owner's groups.
 *
 * A back end that is confined always has such a namespace, for a user that the caller names. It
 * has no capability even there, and no network.
 *
 * The broker (broker.h) is the parent of all of them. A back end ends with its sigmad. One that
 * finishes is sent SIGTERM then, and completes the requests that are in flight.
 */
#ifndef SIGMA_BACKEND_H
#define SIGMA_BACKEND_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "../../common/owner.h"
#include "backend_command.h"
#include "ratelimit.h"

#define BACKEND_WHY_MAX	256

/**
 * struct backend_fate - how a back end ended
 * @code, @status: as si_code and si_status of waitid(2); @code is 0 if nobody knows
 * @killed: it did not end by itself
 * @lives: it did not even die when it was killed
 */
struct backend_fate {
	int code, status;
	bool killed, lives;
};

/**
 * struct backend - a back end, which may run or not; zero to begin with
 * @pid: 0: it does not run
 * @hangs: it does not answer, so backend_end() kills it at once
 * @stuck: it was to end, and does not even die
 * @warned: limits warnings about its output and how it ended; kept when it is started again
 */
struct backend {
	pid_t pid;
	bool hangs, stuck;
	struct ratelimit warned;
	/* private to backend.c */
	const char *name;
	char serves[64];
	unsigned int slot;		/* of broker.c */
	struct backend_fate (*reap)(struct backend *backend);
	int pid_fd;
	int log_fd;			/* its output, a pipe; -1: closed */
	sd_event_source *log_source;
	bool finishes;
	char line[256];			/* output without its line break yet */
	size_t line_len;
	char said[256];			/* its last line of output */
};

/**
 * backend_own - from now on, back ends run as @owner, and no starter is asked for
 * @owner: must stay
 */
void backend_own(const struct owner *owner);

/** backend_owner - the owner of the guest; NULL: it has none */
const struct owner *backend_owner(void);

/** backend_caller - user ID of the person who started sigmad, also by sudo or pkexec */
uid_t backend_caller(void);

/**
 * backend_start - run a back end
 * @event: the event loop that reads its output; NULL: the caller hands @backend->log_fd on
 * @starter: user ID of the person who started the guest; 0: run it as sigmad itself
 * @why: out: what is wrong and what to do, to be put after a colon
 *
 * Return: 0, or a negative errno: it does not run.
 */
int backend_start(struct backend *backend, sd_event *event, const struct backend_command *command,
		  uid_t starter, char why[BACKEND_WHY_MAX]);

/** backend_watch - have the event loop read a back end's output; it is ended if that fails */
int backend_watch(struct backend *backend, sd_event *event, char why[BACKEND_WHY_MAX]);

/** backend_await - wait until it has ended, as long as backend_end() says. Return: it has */
bool backend_await(const struct backend *backend);

/** backend_reap - the part of backend_end() that a child's parent does */
struct backend_fate backend_reap(struct backend *backend);

/**
 * backend_end - end a back end whose socket was closed
 *
 * The process gets a second to end by itself, or half a minute if it finishes its requests. Then it
 * is killed with all processes that it made, so that on return none of them has the guest's memory
 * mapped.
 */
void backend_end(struct backend *backend);

/** backend_said - the last line that it wrote, also after it has ended; "": none */
const char *backend_said(const struct backend *backend);

/**
 * backend_sockets - make a listening socket, for a back end, and connect to it
 *
 * The back end accepts the connection itself, and serves the first one to whoever made it. So the
 * socket is in a folder that nobody else can enter, and has no name any more on return.
 * Return: 0 or a negative errno.
 */
int backend_sockets(int *listener, int *connection);

#endif
