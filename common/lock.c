// SPDX-License-Identifier: GPL-2.0
/* Locks that another process may hold for a moment more: see lock.h. */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

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

int lock_byte(int fd, off_t at)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = 1 };

	if (!fcntl(fd, F_OFD_SETLK, &lock))
		return 0;
	return errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
}

int lock_test(int fd, off_t at)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = 1 };

	if (fcntl(fd, F_OFD_GETLK, &lock))
		return -errno;
	return lock.l_type == F_UNLCK ? 0 : -EBUSY;
}

void lock_release(int fd)
{
	struct flock lock = { .l_type = F_UNLCK, .l_whence = SEEK_SET };

	fcntl(fd, F_OFD_SETLK, &lock);
	flock(fd, LOCK_UN);
}
