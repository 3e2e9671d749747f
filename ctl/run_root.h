/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The root that 'sigmactl run --rootfs=' names. A folder is used as it is. An archive or an image is
 * unpacked, into a folder of RUN_ROOTS that only root can enter, and is removed when the guest is gone.
 */
#ifndef SIGMACTL_RUN_ROOT_H
#define SIGMACTL_RUN_ROOT_H

#include <limits.h>
#include <stdbool.h>

#include "image.h"

#define RUN_ROOTS	"/var/lib/sigma/roots"

/**
 * struct run_root - the root of a run
 * @path: of the folder that is the root
 * @image: what an image says about its program, if @has_image
 * @lock: descriptor of the folder in RUN_ROOTS, locked while it is in use; -1: none was made
 * @name: of this folder: that of the guest
 */
struct run_root {
	char path[PATH_MAX];
	bool has_image;
	struct image image;
	int lock;
	const char *name;
};

/**
 * run_root_open - find or make the root
 * @what: a folder; a tar archive; an OCI image, as a folder or as a tar archive, which may be followed
 *	by ":TAG"
 * @name: of the guest
 *
 * Return: 0, and run_root_close() has to follow; or a reported -errno.
 */
int run_root_open(struct run_root *root, const char *what, const char *name);

/** run_root_close - @keep: the guest goes on; what was unpacked is removed later */
void run_root_close(struct run_root *root, bool keep);

/** run_root_remove_left - remove what runs have left that were killed, or whose guests went on */
void run_root_remove_left(void);

#endif
