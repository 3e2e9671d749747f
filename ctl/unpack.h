/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Unpacks archives into a folder that becomes the root of a guest. Archives are hostile: nothing gets
 * out of the folder, by "..", links or hard links, and what is unpacked has a limit.
 */
#ifndef SIGMACTL_UNPACK_H
#define SIGMACTL_UNPACK_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct unpack_report - what may be unpacked of all archives of a root, and what was
 * @entries_max: how many files, folders and links; @bytes_max: what they may take on the disk, about.
 *	unpack_limit() sets both
 * @entries, @bytes: so many there are
 * @devices: device files, which are left out
 */
struct unpack_report {
	uint64_t entries, entries_max, bytes, bytes_max;
	unsigned int devices;
};

/**
 * unpack_limit - set what may be unpacked
 * @folder: descriptor of the folder in which that is going to be
 *
 * A small archive may hold more than any disk has. A root may have UNPACK_ENTRIES_MAX entries and
 * UNPACK_BYTES_MAX bytes, several times what the largest images have. It leaves the file system a tenth
 * of what is free there, of bytes and of inodes.
 * Return: 0, or a reported -errno of fstatvfs(3).
 */
#define UNPACK_ENTRIES_MAX	(4U << 20)
#define UNPACK_BYTES_MAX	(64ULL << 30)
int unpack_limit(struct unpack_report *report, int folder);

/**
 * unpack_count - count what is about to be made
 * @archive, @path: where, for messages
 * @entries: each also takes UNPACK_BLOCK bytes, as a folder does
 * @bytes: one piece of a file, which counts as whole blocks: a sparse file may be many pieces of one byte
 * Return: 0, or a reported -EOVERFLOW.
 */
#define UNPACK_BLOCK		4096
int unpack_count(struct unpack_report *report, const char *archive, const char *path,
		 unsigned int entries, uint64_t bytes);

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
 * Return: 0, or a reported -errno, and the folder has a part of it; -EOVERFLOW: it is more than @report
 * allows.
 */
int unpack(int root, int fd, const char *name, bool layer, struct unpack_report *report);

#endif
