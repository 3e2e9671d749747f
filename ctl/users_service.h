/* SPDX-License-Identifier: GPL-2.0 */
/* The connection of sigmactl, as a user, to the service that starts guests for users: see users.h. */
#ifndef SIGMACTL_USERS_SERVICE_H
#define SIGMACTL_USERS_SERVICE_H

#include <netinet/in.h>
#include <stdint.h>

#include "../common/guestconfig.h"
#include "../common/rundir.h"

#define USERS_GROUP	"sigma-run"
#define USERS_SOCKET	RUNDIR "/.run-socket"	/* of sigma-run.socket */

#define USERS_VERSION_MAX	32
#define USERS_KERNEL_MAX	128
#define USERS_APPEND_MAX	1024
#define USERS_TEXT_MAX		512

enum users_what {
	USERS_RUN = 1,		/* start a guest */
	USERS_JOIN,		/* connect to the agent of a guest that this user has started */
};

/* As in struct run_options, but fixed numbers: RUN_NET_AUTO is decided before */
enum { USERS_NET_NONE, USERS_NET_USER, USERS_NR_NETS };

/** struct users_forward - a port of the host that leads to one of the guest; @address "": any */
struct users_forward {
	char address[INET6_ADDRSTRLEN];
	uint16_t host_port, guest_port;
	uint8_t udp, reserved;
};

/**
 * struct users_request - the only message of a client, but for the end of its program (a byte)
 * @version: of sigmactl, which is that of the service
 * @name: for USERS_JOIN
 * @kernel: name of a file in /boot; "": the host's own
 * @append: words for the kernel's command line
 * @memory: bytes; 0: as much as run_guest_memory() says, within the limits
 */
struct users_request {
	char version[USERS_VERSION_MAX];
	uint32_t what;
	uint32_t nr_cpus;
	uint64_t memory;
	char name[SIGMA_NAME_MAX];
	char kernel[USERS_KERNEL_MAX];
	char append[USERS_APPEND_MAX];
	uint8_t writes, net, tmp_from_host, nr_forwards;
	struct users_forward forward[GUEST_FORWARDS_MAX];
};

enum users_answered {
	USERS_LOG = 1,		/* with a pipe, from which messages for stderr come */
	USERS_STARTED,		/* @text: the guest's name */
	USERS_AGENT,		/* with the connection to the agent */
	USERS_ENDED,		/* CPUs and memory are back */
	USERS_FAILED,		/* @text: why, or "": it was said by the pipe */
};

/** struct users_answer - a message to the client */
struct users_answer {
	uint32_t what;
	char text[USERS_TEXT_MAX];
};

/**
 * struct users_service - the connection
 * @log: a pipe with its messages, or -1
 * @file: that came with the last answer, or -1
 */
struct users_service {
	int socket, log, file;
	struct users_answer answer;
};

/** users_connect - connect, and send a request. Return: 0; or -errno, not reported; -EACCES: not for us */
int users_connect(struct users_service *service, const struct users_request *request);
void users_disconnect(struct users_service *service);

/** users_next - print messages until an answer comes that is none. Return: which, or a reported -errno */
int users_next(struct users_service *service);

/** users_agent - wait for the connection to the agent. Return: that, or a reported -errno */
int users_agent(struct users_service *service);

/**
 * users_join - connect to the agent of a guest of this user
 *
 * Return: a socket; or a reported -errno; or -EACCES, not reported: this user has no such guests.
 */
int users_join(const char *name);

#endif
