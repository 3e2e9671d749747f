/* SPDX-License-Identifier: GPL-2.0 */
/*
 * sigmactl run -- CMD: a program on a core and a kernel of its own.
 *
 *	run.c			the verb: its help, who may, and 'sigmactl run NAME'
 *	run_command.c		as root: starts the guest, has its agent run the program, gives all back
 *	run_from.c		the same in a copy of a guest that was saved (--from=)
 *	run_life.c		the guest, from its start until CPUs and memory are back
 *	run_options.c		the options
 *	run_env.c		the program's environment
 *	run_guest.c		composes the guest's file
 *	run_root.c		the root that --rootfs= names, which it may have to unpack
 *	unpack.c image.c	archives; images of containers
 *	users.h			the same for users who are not root
 */
#ifndef SIGMACTL_RUN_COMMAND_H
#define SIGMACTL_RUN_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "../common/guestconfig.h"
#include "agent.h"
#include "ctl.h"
#include "image.h"

/* Exit statuses of sigmactl itself, as timeout(1) and env(1) have them. 126 and 127 are the agent's */
enum {
	RUN_TIMED_OUT	= 124,
	RUN_FAILED	= 125,
};

enum run_net {
	RUN_NET_AUTO,		/* user, if there is a passt, else none */
	RUN_NET_NONE,
	RUN_NET_USER,
	RUN_NET_BRIDGE,
};

/** struct run_share - a folder of the host, and where it is in the guest; @at: NULL: at the same path */
struct run_share {
	const char *path, *at;
};

#define RUN_SHARES_MAX	(GUEST_SHARES_MAX - 2)	/* beside the root, and modules */

/**
 * struct run_options - the command line of 'sigmactl run -- CMD'
 * @name: of the guest; NULL: one is made up
 * @cpus, @memory, @kernel, @guard, @profile: values of the guest file's keys; NULL: the default
 * @append: words for the kernel's command line, or NULL
 * @root: the folder that is the root, or what it is to be unpacked from
 * @bridge: of RUN_NET_BRIDGE
 * @publish: values of Forward=
 * @unchanging: nobody else changes the root and the shares meanwhile
 * @unpacked: the root was unpacked for this guest alone
 * @cache: path of a list of what the guest is to read before, or NULL
 * @from: file of a saved guest, of which this one is a copy; or NULL. Then nothing else that is about the
 *	  guest itself is given
 * @env: "NAME=VALUE" of --setenv=
 * @timeout: microseconds; 0: none
 * @command: the program and its arguments; ends with NULL; empty: that of the image
 */
struct run_options {
	const char *name, *cpus, *memory, *kernel, *guard, *profile, *append, *root, *bridge;
	const char *cache, *from;
	enum guest_root_writes writes;
	enum run_net net;
	char *publish[GUEST_FORWARDS_MAX];
	unsigned int nr_publish;
	struct run_share shares[RUN_SHARES_MAX];
	unsigned int nr_shares;
	char *env[VARIABLES_MAX];
	unsigned int nr_env;
	bool tmp_from_host, unchanging, unpacked, keep, verbose;
	uint64_t timeout;
	char **command;
};

/**
 * run_options_parse - read the options
 * @argc, @argv: from "run" on; the command is behind "--"
 *
 * Return: 0, or a reported -EINVAL. The strings are those of @argv, but for @publish and @env.
 */
int run_options_parse(struct run_options *options, int argc, char **argv);
void run_options_free(struct run_options *options);

/**
 * run_env_add - take what --setenv= gives: NAME=VALUE, or NAME, which has the value that it has here
 *
 * Return: 0 or a reported -errno.
 */
int run_env_add(struct run_options *options, const char *text);

/**
 * run_env_join - the environment of the program
 * @image: NULL, or the variables of the image that the root was made of
 *
 * Return: an array to be freed, of strings that stay those of @options, @image and this process; NULL:
 * reported.
 */
char **run_env_join(const struct run_options *options, char *const *image);

/** run_own_folder - the folder of the guest's own that @path is in, or NULL */
const char *run_own_folder(const struct run_options *options, const char *path);

/** run_options_help - the lines for the help of the verb */
extern const char run_options_help[];

/*
 * The kernel's command line begins with these words: messages only of errors; no self-tests of ciphers, which
 * are a third of a stock kernel's instructions until its first program (fips=1 has them all the same); and
 * for guest/init, that there is a program to run.
 */
#define RUN_GUEST_WORDS	"quiet cryptomgr.notests=1 sigma.run"

/**
 * run_guest_text - compose the guest file
 * @memory: bytes, unless @options has them
 *
 * Return: the text, to be freed; NULL: reported.
 */
char *run_guest_text(const struct run_options *options, uint64_t memory);

/** run_guest_has_net - is there to be a NIC? Without a passt there is none, and a message says so */
bool run_guest_has_net(const struct run_options *options);

/** run_guest_memory - the memory that a guest gets by default: 1 GiB, or less on a small machine */
uint64_t run_guest_memory(void);

/**
 * struct run_life - a guest that has one program to run
 * @caller: the end of the pipe that tells sigmad that this process lives
 * @sigmad: its process ID; 0: there is none
 */
struct run_life {
	char name[SIGMA_NAME_MAX];
	int caller;
	pid_t sigmad;
};

/** run_life_name - make a name up, PREFIX-XXXX; 0 or a reported -errno */
int run_life_name(struct run_life *life, const char *prefix);

/**
 * run_life_start - start the guest, @life->name
 * @text: the guest file
 * @owner: NULL, or the user it belongs to, of owner_format()
 *
 * Return: 0 or a reported -errno.
 */
int run_life_start(struct run_life *life, const char *text, const char *owner);

/** run_life_restore - the same, for a copy of the guest in the file @fd, which is asleep then */
int run_life_restore(struct run_life *life, int fd);

/** run_life_wait - wait until its driver is up; 0 or a reported -errno */
int run_life_wait(struct run_life *life);

/**
 * run_life_give_back - give CPUs and memory back
 * @off: the guest is about to switch itself off
 *
 * Return: all is back, or it was reported that it is not.
 */
bool run_life_give_back(struct run_life *life, bool off);

/** run_life_report - report why the guest ended, when it did not end by itself */
void run_life_report(const struct run_life *life);

/** struct run_steps - --verbose: times on CLOCK_MONOTONIC: of the start, and of the last step */
struct run_steps {
	bool verbose;
	uint64_t begun, last;
};

/** run_step - with --verbose, say that a step was done */
void run_step(struct run_steps *steps, const char *name, const char *what);

/**
 * run_program - run the command as if it were a process of this host, until it ends
 * @image: NULL, or the image that the root was made of: it says who the program is, and where
 * @name: of the guest
 * @socket: of agent_connect(); it is closed
 *
 * Return: as agent_run().
 */
int run_program(const struct run_options *options, const struct image *image, const char *name,
		int socket, const char *workdir, struct agent_end *end);

/** run_as_root - all of it, as root. Return: the exit status, unless @end has another one: 0 */
int run_as_root(const struct run_options *options, const char *workdir, struct agent_end *end);

/** run_from - the same, with @options->from */
int run_from(const struct run_options *options, struct agent_end *end);

#endif
