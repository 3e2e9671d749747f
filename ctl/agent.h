/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Programs in a guest, run by its agent as if they were processes of the host.
 *
 *	agent.c			the connection to the agent, by way of sigmad
 *	agent_request.c		what the agent is told about the program
 *	agent_run.c		the program's streams, signals and end
 *	agent_spawn.c		a program in a process of its own, whose streams are files or pipes
 *	agent_signals.c		signals of this process that are for the program
 *	agent_terminal.c	this terminal, as that of the program
 */
#ifndef SIGMACTL_AGENT_H
#define SIGMACTL_AGENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <termios.h>

#include "../common/agent.h"
#include "../common/relay.h"

enum agent_tty {
	AGENT_TTY_AUTO,		/* if stdout is a terminal; streams that are none stay what they are */
	AGENT_TTY_ALWAYS,	/* all three streams are one, also if there is none here */
	AGENT_TTY_NEVER,
};

/**
 * struct agent_program - a program to be run
 * @argv: ends with NULL; with @shell, what follows the shell's name
 * @env: variables NAME=VALUE; ends with NULL; may be NULL
 * @bare: these are all; otherwise the agent adds HOME, USER, LOGNAME, SHELL and PATH
 * @shell: run the user's login shell
 * @workdir: NULL: the user's home, or with @bare, /
 * @user: "USER" or "USER:GROUP", names or numbers of the guest; NULL: root
 * @ids: NULL, or in place of @user: UID, GID, and the supplementary groups; @nr_ids of them all
 * @umask: -1: the guest's default
 * @timeout: 0, or the microseconds after which it gets SIGTERM
 * @grace: microseconds from then to SIGKILL, and from that to leaving a guest that hangs
 * @last: it is the program of 'sigmactl run', with which its guest ends
 * @limits: this process's limits become the program's
 */
struct agent_program {
	char *const *argv;
	char *const *env;
	bool bare, shell;
	const char *workdir, *user;
	const uint32_t *ids;
	unsigned int nr_ids;
	int umask;
	bool limits;
	bool last;
	uint64_t timeout, grace;
	enum agent_tty tty;
};

/**
 * struct agent_end - how it ended: by @signal, or, if that is 0, with the exit status @status
 * @timed_out: it got SIGTERM, since its timeout was over
 */
struct agent_end {
	int status, signal;
	bool timed_out;
};

/* agent.c */

/**
 * agent_connect - connect to the agent of a guest
 * @deadline: on CLOCK_MONOTONIC: until then, wait for an agent that does not listen yet
 *
 * Return: a socket, ready for agent_run(); or a reported -errno.
 */
int agent_connect(const char *name, uint64_t deadline);

/* agent_run.c */

/**
 * agent_run - run a program, connected to this process's streams and terminal, until it ends
 * @name: of the guest, for messages
 * @socket: of agent_connect(); it is closed
 * @end: out
 *
 * Until the program runs, signals have their usual effect. From then on they go to the program: they
 * are blocked, and SIGPIPE is ignored, for the rest of this process. When the program has exited and
 * its output is not all written, a signal that would end this process is in @end. When stdout cannot
 * be written any more, the program gets SIGPIPE. Unless that is for want of a reader, output_close()
 * has the message, and @end does not say that all is well.
 *
 * Return: 0; or a reported -errno: then @end has one of AGENT_STATUS_*. -ETIMEDOUT: the program was
 * to end by its timeout, and the guest did not do that.
 */
int agent_run(const char *name, int socket, const struct agent_program *program,
	      struct agent_end *end);

/** agent_exit - end as the program did: returns an exit status, or ends this process by a signal */
int agent_exit(const struct agent_end *end);

/* agent_spawn.c */

/**
 * agent_spawn - run a program as root of the guest, with a process here as its client
 * @in, @out: its streams, or -1: none
 * @usec: how long to wait for the agent
 *
 * Return: the process ID, which ends with the program's exit status or with AGENT_STATUS_FAILED; or a
 * reported -errno.
 */
pid_t agent_spawn(const char *name, char **argv, int in, int out, uint64_t usec);

/* agent_request.c */

struct agent_terminal_here;

/**
 * agent_send_request - tell the agent about the program, to START
 * @terminal: of this process, which is to be the program's; or NULL
 * @ignored: bit N - 1: the program ignores signal N
 *
 * Return: 0, -E2BIG, or another -errno of the connection; not reported.
 */
int agent_send_request(struct relay *relay, const struct agent_program *program,
		       const struct agent_terminal_here *terminal, uint64_t ignored);

/* agent_signals.c */

/**
 * struct agent_signals - signals of this process that are for the program
 * @fd: a signalfd; -1: none is caught
 * @pending: those that came and are still to be sent; bit N - 1: signal N
 */
struct agent_signals {
	int fd;
	uint64_t pending;
};

uint64_t agent_signal_bit(int number);

/** agent_signals_ignored - the signals that this process ignores, as the program is to do */
uint64_t agent_signals_ignored(void);

/** agent_signals_catch - catch the others, but for those that are about this process; 0 or -errno */
int agent_signals_catch(struct agent_signals *signals);

/** agent_signals_take - take those that have come */
void agent_signals_take(struct agent_signals *signals);

/** agent_signals_stop - stop as the program has, by this signal; @job: with the process group */
void agent_signals_stop(int number, bool job);

/* agent_terminal.c */

/**
 * struct agent_terminal_here - the terminal of this process
 * @in, @out: to read keys and to write output; -1: there is none
 * @streams: bits 1 << AGENT_STDIN and so on: the program's streams that are its terminal
 * @raw: it is in raw mode now
 * @before: its mode before, if @has_mode
 */
struct agent_terminal_here {
	int in, out;
	unsigned int streams;
	bool raw, has_mode;
	struct termios before;
};

/** agent_terminal_open - find it. Return: the program gets a terminal */
bool agent_terminal_open(struct agent_terminal_here *terminal, enum agent_tty tty);
void agent_terminal_close(struct agent_terminal_here *terminal);

/** agent_terminal_take, agent_terminal_give_back - put it into raw mode, and undo that */
void agent_terminal_take(struct agent_terminal_here *terminal);
void agent_terminal_give_back(struct agent_terminal_here *terminal);

/** agent_terminal_take_signals - the same, but keys like Ctrl-C make signals of this process */
void agent_terminal_take_signals(struct agent_terminal_here *terminal);

/** agent_terminal_size - its size; false: it has none */
bool agent_terminal_size(const struct agent_terminal_here *terminal, struct agent_size *size);

#endif
