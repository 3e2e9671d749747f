/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Processes that serve a device of the guest as vhost-user back ends: virtiofsd, passt.
 *
 * One can do no more than the person who started the guest. sigmad runs as root, so under sudo or
 * pkexec the back end is put into a user namespace where this person is root and nobody else
 * exists. Where root itself started the guest, there is no such namespace.
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
#define BACKEND_FD	3	/* what its process has beside stdin, stdout and stderr */

/**
 * struct backend - one that runs, or not; zero to begin with
 * @pid: 0: none runs
 * @warned: of what it and those before it said, and how they ended
 */
struct backend {
	pid_t pid;
	struct ratelimit warned;
	/* private to backend.c */
	const char *name;
	char serves[64];
	int pid_fd;
	int log_fd;			/* what it says; -1: no more */
	sd_event_source *log_source;
	char line[256];			/* of which the end is to come */
	size_t line_len;
};

/**
 * struct backend_command - what to run
 * @name: of the program, for messages; a string that stays
 * @serves: what for: "share things"; for messages, too
 * @argv: with its path; it gets a file descriptor BACKEND_FD
 * @fd: which that is here
 * @files_max: how many files it may open; 0: as many as sigmad
 * @prepare: NULL, or called in its process before it runs, where only system calls are allowed,
 *	     since sigmad has threads; NULL or what cannot be done, by errno
 */
struct backend_command {
	const char *name, *serves;
	char *const *argv;
	int fd;
	unsigned int files_max;
	const char *(*prepare)(const void *data);
	const void *data;
};

/** backend_caller - user ID of who runs us, behind sudo and pkexec */
uid_t backend_caller(void);

/**
 * backend_start - run one
 * @starter: user ID of who started the guest; 0: as sigmad itself
 * @why: out: what is wrong and what to do, in the middle of a sentence
 *
 * Return: 0, or a negative errno: none runs.
 */
int backend_start(struct backend *backend, sd_event *event, const struct backend_command *command,
		  uid_t starter, char why[BACKEND_WHY_MAX]);

/**
 * backend_end - have it gone, after its socket was closed
 *
 * It gets a second to end by itself and is killed then, with all processes that it made, so that
 * on return nobody has the guest's memory mapped.
 */
void backend_end(struct backend *backend);

#endif
