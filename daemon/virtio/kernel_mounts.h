/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Mounts of the host that have no files but what its kernel makes up: processes, devices, settings. People
 * mount them not only at /proc, /sys and /dev, but also in the roots of containers and of chroot(8).
 */
#ifndef SIGMA_KERNEL_MOUNTS_H
#define SIGMA_KERNEL_MOUNTS_H

/**
 * kernel_mounts_find - find them
 * @prefix: for each path
 *
 * Those below /proc, /sys, /dev and /run are left out. Return: PREFIX/PATH of each, behind the last one
 * NULL, to be freed with kernel_mounts_free(); NULL: they cannot be found, with errno.
 */
char **kernel_mounts_find(const char *prefix);
void kernel_mounts_free(char **paths);

#endif
