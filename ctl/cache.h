/* SPDX-License-Identifier: GPL-2.0 */
/* The page cache of a guest, as a list of common/cachelist.h. */
#ifndef SIGMACTL_CACHE_H
#define SIGMACTL_CACHE_H

#include <stdint.h>

/**
 * cache_open - open a list, all of which is as it should be
 *
 * Return: a descriptor, at the list's begin, or a reported -errno.
 */
int cache_open(const char *path);

/**
 * cache_load - have a guest read what a list has
 * @fd: of cache_open()
 * @out: where it says how much that was, or -1: nowhere
 * @usec: how long to wait for its agent
 *
 * Return: 0 or a reported -errno.
 */
int cache_load(const char *name, int fd, int out, uint64_t usec);

#endif
