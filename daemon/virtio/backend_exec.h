/* SPDX-License-Identifier: GPL-2.0 */
/* The part of a back end's process that runs before exec. */
#ifndef SIGMA_BACKEND_EXEC_H
#define SIGMA_BACKEND_EXEC_H

#include <stdbool.h>
#include <sys/types.h>

#include "../../common/owner.h"
#include "backend_command.h"

#define BACKEND_NO_IDENTITY	"cannot become the user that it should run as"

/*
 * Files that the process is given: /dev/null, output pipe, two pipes for its start, the note,
 * BACKEND_FD and those behind it
 */
enum { NOTHING, LOG, REPORT, GO, NOTE, GIVEN, NR_FDS = GIVEN + 1 + BACKEND_FILES };

/*
 * struct identity - the user that the process runs as; @mapped: in a user namespace; @plain: as
 * @owner, all of whose groups it has
 */
struct identity {
	uid_t uid;
	gid_t gid;
	bool mapped, drop_groups, plain;
	const struct owner *owner;
};

/* struct report - what failed before exec; @what: address of a string, valid in both processes */
struct report {
	const char *what;
	int error;
};

/**
 * backend_exec - in the new process: go on as @command
 * @fds: indexed by NOTHING to GIVEN and the files behind it
 *
 * A failure is reported through the pipe REPORT.
 */
void backend_exec(const struct backend_command *command, const struct identity *who,
		  const int fds[NR_FDS]) __attribute__((noreturn));

#endif
