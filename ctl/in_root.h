/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Paths in the root file system of a guest, which can have any links in it. Each path is resolved as
 * the guest would, with this root: none leads out of it, whatever its links and ".." say.
 */
#ifndef SIGMACTL_IN_ROOT_H
#define SIGMACTL_IN_ROOT_H

#include <sys/types.h>

/** in_root_open - open a path; @root: the folder that is the root. A descriptor, or -errno */
int in_root_open(int root, const char *path, int flags);

/**
 * in_root_make_folder - open a folder, and make those on the way to it that are not there
 * @path: begins with '/'
 *
 * Return: a descriptor, with O_PATH, or -errno.
 */
int in_root_make_folder(int root, const char *path);

/**
 * in_root_remove - remove a file, or a folder with all that is in it; no link is followed
 * @folder: where it is
 *
 * Return: 0, also if there is none, or -errno; -ELOOP: too many folders are in each other.
 */
int in_root_remove(int folder, const char *name);

/** in_root_empty - remove all that is in the folder; 0 or -errno */
int in_root_empty(int folder);

#endif
