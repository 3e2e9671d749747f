/* SPDX-License-Identifier: GPL-2.0 */
/*
 * 'sigmactl run -- CMD' of a user who is not root, but a member of the group sigma-run.
 *
 *	users_client.c		sigmactl, as the user: asks the service for a guest
 *	users_service.c		its connection to the service, and what they say to each other
 *	users_serve.c		the service, as root: one process for each connection
 *	users_peer.c		who is at the other end of a connection
 *	users_request.c		checks a request, and composes the guest file
 *	users_limits.c		/etc/sigma/run.conf
 *	users_taken.c		what guests of users have now
 *
 * The service (sigma-run.service) believes nothing that a request says. It takes numbers and words
 * that it checks, and no files. The user is who the kernel says has connected. What it hands back is
 * its messages, and a connection to the agent in the guest. All else is done by sigmactl as the user:
 * folder, limits, environment and streams of the program are its own. The guest has the guard "full",
 * and what serves it runs as the user (daemon/virtio/backend.h). Its end of the connection is what the
 * guest lives for.
 */
#ifndef SIGMACTL_USERS_H
#define SIGMACTL_USERS_H

#include <stdbool.h>
#include <stdint.h>

#include "../common/owner.h"
#include "agent.h"
#include "run_command.h"
#include "users_service.h"

#define USERS_CONF	"/etc/sigma/run.conf"
#define USERS_WHY_MAX		512

/* users_client.c */

/** users_run - run the command by the service. Return: the exit status, unless @end has another one: 0 */
int users_run(const struct run_options *options, const char *workdir, struct agent_end *end);

/* users_serve.c */

/** users_serve - be the service; the exit status */
int users_serve(void);

/* users_peer.c */

/**
 * users_peer - who has connected
 * @why: out, on an error: for a message to them
 *
 * Return: 0 or -errno. Those who see another file system than this process are refused: the guest
 * would give them this one.
 */
int users_peer(int socket, struct owner *owner, char why[USERS_WHY_MAX]);

/* users_request.c */

/** users_request_check - is it what a user may ask for? 0, or -EINVAL and @why */
int users_request_check(const struct users_request *request, char why[USERS_WHY_MAX]);

/** users_request_text - the guest file for a request that was checked: to be freed; NULL: no memory */
char *users_request_text(const struct users_request *request);

/* users_limits.c */

/** struct users_limit - what one user, or all of them, may have at a time; @memory in bytes */
struct users_limit {
	uint32_t cpus, guests;
	uint64_t memory;
};

/** struct users_limits - for one user, and for all users together; @all may have the values below */
struct users_limits {
	struct users_limit user, all;
};

#define USERS_HALF_OF_CPUS	UINT32_MAX	/* of the host's */
#define USERS_HALF_OF_MEMORY	UINT64_MAX

/**
 * users_limits_read - the limits for a user
 * @path: USERS_CONF, which need not be there
 *
 * Return: 0; or -errno and @why: then nobody may start guests, until root has corrected the file.
 */
int users_limits_read(const char *path, const struct owner *owner, struct users_limits *limits,
		      char why[USERS_WHY_MAX]);

/* users_taken.c */

/**
 * users_take - note that a user takes CPUs and memory for a guest, if the limits allow it
 * @folder: of the notes; it is made
 * @exists: does a guest of this name exist?
 *
 * The note holds while this process lives, and then as long as the guest exists. So what a guest has
 * is counted until it is back. Return: 0; or -EDQUOT or another -errno, and @why.
 */
int users_take(const char *folder, const char *name, const struct owner *owner,
	       const struct users_limit *wanted, const struct users_limits *limits,
	       bool (*exists)(const char *name), char why[USERS_WHY_MAX]);

/** users_give_back - remove the note of this process's guest */
void users_give_back(const char *folder, const char *name);

/** users_owns - is there a note that the guest is this user's? */
bool users_owns(const char *folder, const char *name, uid_t uid);

#endif
