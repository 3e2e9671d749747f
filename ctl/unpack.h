/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Unpacks archives into a folder that becomes the root of a guest. Archives are hostile: nothing gets
 * out of the folder, by "..", links or hard links.
 */
#ifndef SIGMACTL_UNPACK_H
#define SIGMACTL_UNPACK_H

#include <stdbool.h>

/** struct unpack_report - what was not as usual; @devices: device files, which are left out */
struct unpack_report {
	unsigned int devices;
};

/**
 * unpack - unpack a tar archive, which may be compressed
 * @root: descriptor of the folder
 * @fd: of the archive, which is read from its begin on
 * @name: of the archive, for messages
 * @layer: it is a layer of an OCI image above others, so names that begin with .wh. remove what is
 *	there from layers below it
 *
 * Owners, modes, times, user.* attributes and file capabilities are those of the archive. The guest
 * has a /dev of its own, so device files are left out.
 *
 * Return: 0, or a reported -errno, and the folder has a part of it.
 */
int unpack(int root, int fd, const char *name, bool layer, struct unpack_report *report);

#endif
