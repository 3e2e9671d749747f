/* SPDX-License-Identifier: GPL-2.0 */
/*
 * sigmactl run -- CMD: a program on a core and a kernel of its own.
 *
 *	run.c			the verb: its help, and 'sigmactl run NAME'
 *	run_command.c		starts the guest, has its agent run the program, gives all back
 *	run_options.c		the options
 *	run_guest.c		composes the guest's file
 *	run_root.c		the root that --rootfs= names, which it may have to unpack
 *	unpack.c image.c	archives; images of containers
 */
#ifndef SIGMACTL_RUN_COMMAND_H
#define SIGMACTL_RUN_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "../common/guestconfig.h"

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
 * @timeout: microseconds; 0: none
 * @command: the program and its arguments; ends with NULL; empty: that of the image
 */
struct run_options {
	const char *name, *cpus, *memory, *kernel, *guard, *profile, *append, *root, *bridge;
	const char *cache;
	enum guest_root_writes writes;
	enum run_net net;
	char *publish[GUEST_FORWARDS_MAX];
	unsigned int nr_publish;
	struct run_share shares[RUN_SHARES_MAX];
	unsigned int nr_shares;
	bool tmp_from_host, unchanging, unpacked, keep, verbose;
	uint64_t timeout;
	char **command;
};

/**
 * run_options_parse - read the options
 * @argc, @argv: from "run" on; the command is behind "--"
 *
 * Return: 0, or a reported -EINVAL. The strings are those of @argv, but for @publish.
 */
int run_options_parse(struct run_options *options, int argc, char **argv);
void run_options_free(struct run_options *options);

/** run_own_folder - the folder of the guest's own that @path is in, or NULL */
const char *run_own_folder(const struct run_options *options, const char *path);

/** run_options_help - the lines for the help of the verb */
extern const char run_options_help[];

/**
 * run_guest_text - compose the guest file
 * @memory: bytes, unless @options has them
 *
 * Return: the text, to be freed; NULL: reported.
 */
char *run_guest_text(const struct run_options *options, uint64_t memory);

/** run_guest_memory - the memory that a guest gets by default: 1 GiB, or less on a small machine */
uint64_t run_guest_memory(void);

/** run_command - the whole of it; the exit status */
int run_command(int argc, char **argv);

#endif
