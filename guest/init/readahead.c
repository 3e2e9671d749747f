// SPDX-License-Identifier: GPL-2.0
/*
 * The read-ahead of shares. A file system that is mounted in a share has that of the share, since it has
 * no connection of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "init.h"

void readahead_set(const struct cmdline *cmdline, const char *at)
{
	char path[64];
	struct stat st;
	size_t len;
	int fd;

	if (!cmdline->readahead)
		return;
	len = strlen(cmdline->readahead);
	if (stat(at, &st))
		st.st_dev = 0;
	snprintf(path, sizeof(path), "/sys/class/bdi/%u:%u/read_ahead_kb", major(st.st_dev),
		 minor(st.st_dev));
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, cmdline->readahead, len) != (ssize_t)len)
		init_say(LEVEL_WARNING, "cannot set the read-ahead of %s to %s KiB: %s", at,
			 cmdline->readahead, strerror(errno));
	if (fd >= 0)
		close(fd);
}
