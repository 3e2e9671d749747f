// SPDX-License-Identifier: GPL-2.0
/*
 * The service that starts guests for users: see users.h. systemd listens at its socket, which only
 * the group sigma-run may connect to, and starts it at the first connection.
 *
 * Each connection has a process of its own, a child. What it does ends with it: a guest that it has
 * started, too (run_life.c). While the guest starts, the end of the connection is a signal, so nothing
 * has to be waited for. Messages go to the user by a pipe that never makes their writer wait.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "../common/control.h"
#include "../common/guard.h"
#include "ctl.h"
#include "users.h"

#define NOTES		RUNDIR "/.users"
#define CONNECTIONS_MAX	256
#define OF_ONE_USER	8		/* of these */
#define REQUEST_SEC	10		/* to send the request, or to take an answer */
#define RETRY_SEC	5		/* to remove a guest that is held */
#define AGENT_TIMEOUT	(120 * USEC_PER_SEC)	/* from the driver to the agent */
#define JOIN_TIMEOUT	(5 * USEC_PER_SEC)
#define MEMORY_UNIT	(2ULL << 20)

/** struct serving - one connection, in the process that serves it */
struct serving {
	int socket;
	struct owner owner;
	struct users_limits limits;
	struct users_request request;
	struct run_life life;
};

/* @fd: -1, or to go with it */
static int answer(const struct serving *serving, enum users_answered what, const char *text, int fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {};
	struct users_answer message = { .what = what };
	struct iovec iov = { .iov_base = &message, .iov_len = sizeof(message) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	snprintf(message.text, sizeof(message.text), "%s", text);
	if (fd >= 0) {
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control.space);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	}
	return sendmsg(serving->socket, &msg, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int refuse(const struct serving *serving, const char *why)
{
	answer(serving, USERS_FAILED, why, -1);
	return EXIT_FAILED;
}

static int take_request(struct serving *serving, char why[USERS_WHY_MAX])
{
	struct users_request *request = &serving->request;
	const struct timeval limit = { .tv_sec = REQUEST_SEC };
	ssize_t len;

	setsockopt(serving->socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(serving->socket, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	/* Files that come with it are closed by the kernel */
	len = recv(serving->socket, request, sizeof(*request), MSG_TRUNC);
	if (len != sizeof(*request)) {
		snprintf(why, USERS_WHY_MAX, "sigmactl sent no request of this version; install the same version of all packages");
		return -EINVAL;
	}
	return users_request_check(request, why);
}

/* What is written to stderr goes to the user, or is lost if they do not read it */
static int redirect_messages(const struct serving *serving)
{
	int ends[2], error = 0;

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	if (fcntl(ends[1], F_SETFL, O_NONBLOCK) || dup2(ends[1], STDERR_FILENO) < 0)
		error = -errno;
	else
		error = answer(serving, USERS_LOG, "", ends[0]);
	close(ends[0]);
	close(ends[1]);
	return error;
}

/* The kernel is read by root, so nobody else may have written it */
static int check_kernel(const char *name, char why[USERS_WHY_MAX])
{
	char path[sizeof("/boot/") + USERS_KERNEL_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "/boot/%s", name);
	if (!*name)
		return 0;
	if (!stat(path, &st) && S_ISREG(st.st_mode) && !st.st_uid &&
	    !(st.st_mode & (S_IWGRP | S_IWOTH)))
		return 0;
	snprintf(why, USERS_WHY_MAX, "--kernel: %s is no file that only root can write", path);
	return -EPERM;
}

/* sigma.ko decides for each guest, and refuses the guest then; this is for the message */
static int check_guard(char why[USERS_WHY_MAX])
{
	char reason[REASON_TEXT_MAX];
	int guard = guard_of_machine(GUARD_SYSFS, reason);

	if (guard == SIGMA_GUARD_FULL)
		return 0;
	if (guard < 0)
		snprintf(why, USERS_WHY_MAX, "sigma.ko is not loaded; 'modprobe sigma' by root loads it");
	else
		snprintf(why, USERS_WHY_MAX, "users start guests only with the guard full, and this machine has the guard %s: %.200s; 'sudo sigmactl run -- CMD' runs CMD as root, whose guest is trusted",
			 guard_name(guard), reason);
	return -EOPNOTSUPP;
}

/* Have the limits allow it, and note that it is taken */
static int take(struct serving *serving, char why[USERS_WHY_MAX])
{
	struct users_request *request = &serving->request;
	struct users_limit wanted = { .cpus = request->nr_cpus, .guests = 1 };
	char prefix[16];
	int error;

	error = check_guard(why) ?:
		users_limits_read(USERS_CONF, &serving->owner, &serving->limits, why) ?:
		check_kernel(request->kernel, why);
	if (error)
		return error;
	if (!request->memory)
		request->memory = MIN(run_guest_memory(), serving->limits.user.memory) &
				  ~(MEMORY_UNIT - 1);
	wanted.memory = request->memory;
	snprintf(prefix, sizeof(prefix), "u%u", serving->owner.uid);
	*why = '\0';
	return run_life_name(&serving->life, prefix) ?:
	       users_take(NOTES, serving->life.name, &serving->owner, &wanted, &serving->limits,
			  control_has_guest, why);
}

/* While @on, whatever the client sends, and its end, are a SIGTERM */
static int end_with_client(const struct serving *serving, bool on)
{
	const int flags = fcntl(serving->socket, F_GETFL);
	struct pollfd client = { .fd = serving->socket, .events = POLLIN | POLLRDHUP };

	if (fcntl(serving->socket, F_SETSIG, SIGTERM) ||
	    fcntl(serving->socket, F_SETOWN, getpid()) ||
	    fcntl(serving->socket, F_SETFL, on ? flags | O_ASYNC : flags & ~O_ASYNC))
		return -errno;
	return on && poll(&client, 1, 0) ? -ECONNRESET : 0;
}

/* To the agent. Return: 0, or a reported -errno */
static int bring_up(struct serving *serving)
{
	char owner[OWNER_TEXT_MAX], *text = users_request_text(&serving->request);
	int agent, error;

	owner_format(&serving->owner, owner);
	error = text ? run_life_start(&serving->life, text, owner) :
		       complain(-ENOMEM, "run: no memory to compose the guest");
	free(text);
	if (error)
		return error;
	answer(serving, USERS_STARTED, serving->life.name, -1);
	error = run_life_wait(&serving->life);
	agent = error ?: agent_connect(serving->life.name, clock_deadline(AGENT_TIMEOUT));
	if (agent < 0) {
		run_life_report(&serving->life);
		return agent;
	}
	end_with_client(serving, false);
	error = answer(serving, USERS_AGENT, serving->life.name, agent);
	close(agent);
	return error;
}

/* Until the program has ended, or the client, or the guest. Return: the guest ends by itself */
static bool wait_end(const struct serving *serving)
{
	struct pollfd ends[] = {
		{ .fd = serving->socket, .events = POLLIN },
		{ .fd = pidfd_open(serving->life.sigmad, 0), .events = POLLIN },
	};
	bool off = false;
	char byte;

	while (poll(ends, 2, -1) < 0 && errno == EINTR)
		;
	if (ends[1].revents)
		off = true;
	else if (ends[0].revents)
		off = recv(serving->socket, &byte, 1, MSG_DONTWAIT) == 1;
	if (ends[1].fd >= 0)
		close(ends[1].fd);
	return off;
}

/*
 * sigmad may have died, and a file system of the user that never answers may have kept virtiofsd,
 * and so the guest's memory: the guest is removed once that has ended, whether the user is still
 * there or not.
 */
static void remove_guest(const char *name)
{
	while (control_has_guest(name) && guest_remove(name) < 0)
		sleep(RETRY_SEC);
}

static int start_guest(struct serving *serving)
{
	const struct users_request *request = &serving->request;
	char why[USERS_WHY_MAX];
	bool off = false;
	int error;

	/* Before anything that complain() reports */
	if (redirect_messages(serving))
		return EXIT_FAILED;
	if (take(serving, why))
		return refuse(serving, why);
	/* For the journal */
	printf("%s: for user %u: %u CPUs, %llu MiB, %s\n", serving->life.name, serving->owner.uid,
	       request->nr_cpus, (unsigned long long)request->memory >> 20,
	       request->net == USERS_NET_USER ? "a network" : "no network");
	fflush(stdout);
	error = end_with_client(serving, true);
	if (!error)
		error = bring_up(serving);
	if (!error)
		off = wait_end(serving);
	if (!run_life_give_back(&serving->life, off))
		error = -EBUSY;
	answer(serving, error ? USERS_FAILED : USERS_ENDED, "", -1);
	remove_guest(serving->life.name);
	users_give_back(NOTES, serving->life.name);
	return EXIT_OK;
}

static int join_guest(const struct serving *serving)
{
	const char *name = serving->request.name;
	int agent;

	/* No word about those of others */
	if (!users_owns(NOTES, name, serving->owner.uid) || !control_has_guest(name))
		return refuse(serving, "you have started no guest of this name; root, and the group " RUNDIR_GROUP ", may use those of others");
	if (redirect_messages(serving))
		return EXIT_FAILED;
	agent = agent_connect(name, clock_deadline(JOIN_TIMEOUT));
	if (agent < 0)
		return refuse(serving, "");
	answer(serving, USERS_AGENT, name, agent);
	close(agent);
	return EXIT_OK;
}

static int serve(int socket)
{
	struct serving serving = { .socket = socket, .life.caller = -1 };
	char why[USERS_WHY_MAX];

	if (users_peer(socket, &serving.owner, why) || take_request(&serving, why))
		return refuse(&serving, why);
	return serving.request.what == USERS_RUN ? start_guest(&serving) : join_guest(&serving);
}

/* The children; @pid 0: there is none */
static struct {
	pid_t pid;
	uid_t uid;
} children[CONNECTIONS_MAX];

static void forget_ended(void)
{
	for (unsigned int i = 0; i < CONNECTIONS_MAX; i++)
		if (children[i].pid && waitpid(children[i].pid, NULL, WNOHANG))
			children[i].pid = 0;
}

/* Where the process for this user's connection is noted; -1: they have too many, or all have */
static int free_slot(uid_t uid)
{
	unsigned int of_user = 0;
	int slot = -1;

	for (unsigned int i = 0; i < CONNECTIONS_MAX; i++) {
		if (!children[i].pid)
			slot = i;
		else if (children[i].uid == uid)
			of_user++;
	}
	return of_user < OF_ONE_USER ? slot : -1;
}

static void take_connection(int listener)
{
	int socket = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	struct ucred peer;
	socklen_t len = sizeof(peer);
	int slot;

	if (socket < 0)
		return;
	slot = getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &len) ? -1 : free_slot(peer.uid);
	if (slot >= 0) {
		children[slot].uid = peer.uid;
		children[slot].pid = fork();
		if (!children[slot].pid) {
			signal(SIGCHLD, SIG_DFL);
			close(listener);
			exit(serve(socket));
		}
		if (children[slot].pid < 0)
			children[slot].pid = 0;
	}
	close(socket);
}

static void on_child(int number)
{
}

int users_serve(void)
{
	/* Without SA_RESTART, so that the end of a child ends poll() */
	struct sigaction action = { .sa_handler = on_child };
	struct pollfd listener = { .fd = SD_LISTEN_FDS_START, .events = POLLIN };

	if (sd_listen_fds(1) != 1 || sd_is_socket(listener.fd, AF_UNIX, SOCK_SEQPACKET, 1) <= 0)
		return complain(EXIT_USAGE, "--serve-users is for sigma-run.service; 'systemctl start sigma-run.socket' has it started when a user needs it");
	fcntl(listener.fd, F_SETFD, FD_CLOEXEC);
	sigaction(SIGCHLD, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	for (;;) {
		forget_ended();
		if (poll(&listener, 1, -1) > 0)
			take_connection(listener.fd);
	}
}
