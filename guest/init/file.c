// SPDX-License-Identifier: GPL-2.0
/* Small text files. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "init.h"

ssize_t file_read(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len;

	if (fd < 0)
		return -errno;
	len = read(fd, text, size - 1);
	if (len < 0)
		len = -errno;
	close(fd);
	text[len < 0 ? 0 : len] = '\0';
	return len;
}
