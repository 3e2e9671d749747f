// SPDX-License-Identifier: GPL-2.0
/* read(2) and write(2) of all bytes: see whole.h. */
#include <errno.h>
#include <stdint.h>
#include <unistd.h>

#include "whole.h"

int read_whole(int fd, void *buffer, size_t len)
{
	uint8_t *at = buffer;

	while (len) {
		ssize_t done = read(fd, at, len);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done ? -errno : -ENODATA;
		at += done;
		len -= done;
	}
	return 0;
}

int write_whole(int fd, const void *buffer, size_t len)
{
	const uint8_t *at = buffer;

	while (len) {
		ssize_t done = write(fd, at, len);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done ? -errno : -EIO;
		at += done;
		len -= done;
	}
	return 0;
}
