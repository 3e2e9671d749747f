/* SPDX-License-Identifier: GPL-2.0 */
/* Locks that another process may hold for a moment more. */
#ifndef SIGMA_LOCK_H
#define SIGMA_LOCK_H

#include <sys/types.h>

/**
 * lock_patiently - call @claim again as long as it returns -EBUSY
 * @claim: tries to take a lock, without waiting
 * @what: argument of @claim
 * @seconds: time after which -EBUSY is final
 *
 * A sigmad that was killed holds its locks until the kernel has released its memory and its
 * requests. Nothing reports when that is, and there is no lock with a timeout.
 *
 * Return: the last result of @claim.
 */
int lock_patiently(int (*claim)(void *what), void *what, unsigned int seconds);

/** lock_file - flock() with @operation, without waiting; 0, -EBUSY or another -errno */
int lock_file(int fd, int operation);

/*
 * Open file description locks on single bytes (fcntl(2)). lock_byte() takes a shared one.
 * lock_test() tells whether another open file has one: 0, -EBUSY or another -errno. lock_release()
 * releases all locks of @fd, also that of lock_file().
 */
int lock_byte(int fd, off_t at);
int lock_test(int fd, off_t at);
void lock_release(int fd);

#endif
