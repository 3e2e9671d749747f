/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The agent: a static program that runs other programs in the guest, as sigmactl on the host asks.
 * common/agent.h describes what they say to each other.
 *
 *	main.c		listens; each connection gets a process of its own
 *	session.c	one connection: its frames, its streams, and the end of its program
 *	request.c	collects what the host says about the program
 *	program.c	starts the program
 *	user.c		users and groups of the guest
 *	pty.c		the program's terminal
 *	cache.c		lists and fills the guest's page cache
 */
#ifndef SIGMA_GUEST_AGENT_H
#define SIGMA_GUEST_AGENT_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "../../common/agent.h"

#define REASON_MAX 512

/* user.c */

/**
 * struct user - who a program runs as
 * @name: "" if the guest has no such user
 */
struct user {
	uid_t uid;
	gid_t gid;
	unsigned int nr_groups;
	gid_t group[AGENT_GROUPS_MAX];
	char name[64];
	char home[PATH_MAX];
	char shell[PATH_MAX];
};

/**
 * user_find - find a user in /etc/passwd and /etc/group
 * @spec: USER or USER:GROUP, names or numbers
 *
 * Return: 0; or -ENOENT, and @why says what is not there.
 */
int user_find(struct user *user, const char *spec, char why[REASON_MAX]);

/** user_from_ids - a user who has numbers, and a name only if the guest knows them */
void user_from_ids(struct user *user, uid_t uid, gid_t gid, const gid_t *group, unsigned int nr);

/** user_become - give this process to the user; 0 or -errno */
int user_become(const struct user *user);

/* request.c */

/** struct strings - a list that ends with NULL */
struct strings {
	char **string;
	unsigned int nr, room;
};

/** struct request - the program that the host wants; all strings are copies */
struct request {
	struct strings arg, env;
	size_t bytes;
	char *workdir;
	struct user user;
	bool has_user;
	mode_t umask;
	bool has_umask, has_limit[RLIM_NLIMITS], has_terminal;
	struct rlimit limit[RLIM_NLIMITS];
	struct agent_terminal terminal;
	struct agent_start start;
};

/**
 * request_take - take a frame that describes the program
 * @payload: @size bytes, and a NUL behind them
 *
 * Return: 0; 1: it is START; -EPROTO: it is no such frame, or a wrong one; -ENOMEM; or -ENOENT, and
 * @why says which user or group there is not.
 */
int request_take(struct request *request, unsigned int type, const uint8_t *payload, size_t size,
		 char why[REASON_MAX]);
void request_free(struct request *request);

/* pty.c */

/**
 * pty_open - make a terminal that becomes that of this session
 * @master, @slave: out
 *
 * Return: 0, or -errno.
 */
int pty_open(const struct agent_terminal *terminal, const struct user *user, int *master,
		  int *slave);

/** pty_end - the keys have ended: what a person says by Ctrl-D */
void pty_end(int master);

/** pty_resize - tell the terminal its size; its foreground process group gets SIGWINCH */
void pty_resize(int master, const struct agent_size *size);

/* program.c */

/**
 * struct program - the program of a session
 * @pid: also its process group
 * @mine: the agent's ends of the streams, non-blocking; -1: none, or the terminal
 * @master, @slave: of the terminal; -1: there is none
 */
struct program {
	pid_t pid;
	int mine[3];
	int master, slave;
};

/**
 * program_start - run what @request says, in a process group of its own in this session
 *
 * Return: 0; or AGENT_STATUS_*, and @why says why it does not run.
 */
int program_start(struct program *program, struct request *request, char why[REASON_MAX]);

/** program_signal - send a signal to the program's process group */
void program_signal(const struct program *program, int number);

/** program_hang_up - tell all processes of this session that the host is gone: SIGHUP */
void program_hang_up(void);

/** program_kill - end all processes of this session; those that left it are no part of it */
void program_kill(void);

/* cache.c */

/** cache_save - write a list of what is cached of the files of @trees, to stdout. Its exit status */
int cache_save(char *const *trees);

/** cache_load_list - read what the list on stdin has. Its exit status */
int cache_load_list(void);

/* session.c */

/**
 * session_run - serve a connection of the host until its end, in a process of its own
 *
 * Return: the host has asked for a program with AGENT_START_LAST.
 */
bool session_run(int connection, const uint8_t key[AGENT_KEY_SIZE]);

#endif
