// SPDX-License-Identifier: GPL-2.0
/* Locks that another process may hold for a moment more: see lock.h. */
#include <errno.h>
#include <sys/file.h>
#include <time.h>

#include "lock.h"

#define TRIES_PER_SECOND 50

int lock_patiently(int (*claim)(void *what), void *what, unsigned int seconds)
{
	const struct timespec pause = { .tv_nsec = 1000000000 / TRIES_PER_SECOND };
	unsigned int tries = seconds * TRIES_PER_SECOND;
	int ret;

	while ((ret = claim(what)) == -EBUSY && --tries)
		nanosleep(&pause, NULL);
	return ret;
}

int lock_file(int fd, int operation)
{
	if (!flock(fd, operation | LOCK_NB))
		return 0;
	return errno == EWOULDBLOCK ? -EBUSY : -errno;
}
