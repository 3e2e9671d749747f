/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Ranges of memory that the administrator has set aside for guests, as text "SIZE@ADDRESS", and
 * adding them to the pool of sigma.ko. All functions say in a message what is wrong. @where stands
 * in front of it: the range as it was given, after "FILE:LINE: " if it is from a file.
 */
#ifndef SIGMA_POOL_H
#define SIGMA_POOL_H

#include <stdint.h>

#define POOL_FILE	"/etc/sigma/pool.conf"
#define POOL_MEMMAP	"/sys/firmware/memmap"

/**
 * struct pool_range - a range of memory
 * @phys: physical address of its first byte
 * @size: bytes, not 0; @phys + @size - 1 is an address, too
 */
struct pool_range {
	uint64_t phys;
	uint64_t size;
};

/** pool_parse - parse "SIZE@ADDRESS"; 0 or a reported -EINVAL */
int pool_parse(const char *where, const char *text, struct pool_range *range);

/**
 * pool_check - did the firmware hand the whole range over as RAM?
 * @folder: POOL_MEMMAP, or a folder like it
 *
 * Return: 0, or a reported negative errno: it did not, or that cannot be known.
 */
int pool_check(const char *folder, const char *where, const struct pool_range *range);

/**
 * pool_add - add a range to the pool of sigma.ko
 * @control_fd: /dev/sigma/control
 * @folder: as above; asked if the host's kernel does not know the memory
 *
 * Return: 0; -EEXIST, not reported: the pool has this range already; or another, reported errno.
 */
int pool_add(int control_fd, const char *folder, const char *where,
	     const struct pool_range *range);

/**
 * pool_read - read a file with one range a line, and comments from '#' on
 * @take: is called for each range; 0 or a reported negative errno
 *
 * Goes on after a mistake. Return: 0, or the negative errno of the first one; all are reported.
 */
int pool_read(const char *path,
	      int (*take)(void *data, const char *where, const struct pool_range *range),
	      void *data);

#endif
