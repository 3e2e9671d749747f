/* SPDX-License-Identifier: GPL-2.0 */
/* Locks that somebody may hold for a moment more. */
#ifndef SIGMA_LOCK_H
#define SIGMA_LOCK_H

/**
 * lock_patiently - call @claim until it says something else than -EBUSY
 * @what: for @claim
 * @seconds: after which it is -EBUSY in earnest
 *
 * Above all for a sigmad that was killed, which has its locks until the kernel is done with its
 * memory and its requests. Nothing tells when that is, nor does a lock with a timeout exist.
 *
 * Return: what @claim has said last.
 */
int lock_patiently(int (*claim)(void *what), void *what, unsigned int seconds);

/** lock_file - flock() with @operation, which does not wait; 0, -EBUSY or another -errno */
int lock_file(int fd, int operation);

#endif
