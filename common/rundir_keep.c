// SPDX-License-Identifier: GPL-2.0
/* What a guest was started with, in /run/sigma/NAME: see rundir.h. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "rundir.h"

int rundir_keep(const char *name, const char *file, const char *text, const char *what)
{
	const ssize_t len = strlen(text);
	char path[RUNDIR_PATH_MAX];
	int fd, error = 0;

	rundir_path(path, name, file);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, text, len) != len)
		error = log_error(-errno ?: -EIO, "cannot %s in %s: %s", what, path,
				  strerror(errno));
	if (fd >= 0)
		close(fd);
	return error;
}
