/* SPDX-License-Identifier: GPL-2.0 */
/* A command to run a back end: the program, and how it is to run. */
#ifndef SIGMA_BACKEND_COMMAND_H
#define SIGMA_BACKEND_COMMAND_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define BACKEND_FD	3	/* its first file descriptor behind stdin, stdout and stderr */
#define BACKEND_FILES	4	/* at most so many more are given to it, which follow */

/**
 * struct backend_note - in a file that outlives sigmad, the 32 bits that become 0
 * @fd: the file, which the process itself does not get
 * @at: where they are, in bytes
 */
struct backend_note {
	int fd;
	uint64_t at;
};

/**
 * struct backend_command - what to run
 * @name: name of the program, for messages; not copied
 * @serves: what the back end serves, for messages: "share things"; copied
 * @argv: path of the program and arguments
 * @fd: file descriptor that the process gets as BACKEND_FD
 * @files: @nr_files more, which it gets behind BACKEND_FD
 * @files_max: number of files that it may open; 0: as many as sigmad
 * @prepare: NULL, or called with @data in the new process before exec. Only system calls are
 *	     allowed there, since sigmad has threads. Return: NULL, or what failed, with errno set
 * @data: for @prepare
 * @confined: run it confined, as the user @uid and the group @gid
 * @plain: for the owner of the guest (backend_own()): run it as a process of theirs in the user
 *	   namespace of the host, with these capabilities, a mask, and without a network
 * @finishes: it finishes its requests at SIGTERM
 * @note: NULL, or for a process that finishes: written when it has ended with status 0, before its
 *	  @files are closed
 */
struct backend_command {
	const char *name, *serves;
	char *const *argv;
	int fd;
	const int *files;
	unsigned int nr_files;
	unsigned int files_max;
	const char *(*prepare)(const void *data);
	const void *data;
	bool confined, finishes;
	uint64_t plain;
	const struct backend_note *note;
	uid_t uid;
	gid_t gid;
};

#endif
