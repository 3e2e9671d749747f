/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Processes that serve a device of the guest as vhost-user back ends: virtiofsd, passt.
 *
 * A back end has no more rights than the person who started the guest. sigmad runs as root, so
 * under sudo or pkexec the back end is put into a user namespace in which this person is root and
 * no other user exists. If root itself started the guest, there is no such namespace.
 */
#ifndef SIGMA_BACKEND_H
#define SIGMA_BACKEND_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "ratelimit.h"

#define BACKEND_WHY_MAX	256
#define BACKEND_FD	3	/* its file descriptor beside stdin, stdout and stderr */

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
 * @warned: limits warnings about its output and how it ended; kept when it is started again
 */
struct backend {
	pid_t pid;
	struct ratelimit warned;
	/* private to backend.c */
	const char *name;
	char serves[64];
	unsigned int slot;		/* of broker.c */
	struct backend_fate (*reap)(struct backend *backend);
	int pid_fd;			/* of a child of this process */
	int log_fd;			/* its output, a pipe; -1: closed */
	sd_event_source *log_source;
	char line[256];			/* output without its line break yet */
	size_t line_len;
};

/**
 * struct backend_command - what to run
 * @name: name of the program, for messages; not copied
 * @serves: what the back end serves, for messages: "share things"; copied
 * @argv: path of the program and arguments
 * @fd: file descriptor that the process gets as BACKEND_FD
 * @files_max: number of files that it may open; 0: as many as sigmad
 * @prepare: NULL, or called with @data in the new process before exec. Only system calls are
 *	     allowed there, since sigmad has threads. Return: NULL, or what failed, with errno set
 * @data: for @prepare
 */
struct backend_command {
	const char *name, *serves;
	char *const *argv;
	int fd;
	unsigned int files_max;
	const char *(*prepare)(const void *data);
	const void *data;
};

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

/** backend_reap - the part of backend_end() that a child's parent does */
struct backend_fate backend_reap(struct backend *backend);

/**
 * backend_end - end a back end whose socket was closed
 *
 * The process gets a second to end by itself. Then it is killed with all processes that it made, so
 * that on return none of them has the guest's memory mapped.
 */
void backend_end(struct backend *backend);

#endif
