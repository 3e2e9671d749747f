// SPDX-License-Identifier: GPL-2.0
/*
 * Chooses the types of file systems whose drivers the initrd gets beside ext4.
 *
 * Most guests need none, and such a driver would make each of their starts longer. So the disks
 * tell, by a few bytes at fixed offsets. What is in a partition is not read: a guest writes its
 * disks, and sigmad follows nothing that a guest wrote. guest/init looks into partitions.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "load.h"

#define DISK_NODE	"/dev/vd"

#define XFS		1U
#define BTRFS		2U

static const struct {
	off_t offset;
	const char *magic;
	size_t len;
	unsigned int types;
} marks[] = {
	{ 0, "XFSB", 4, XFS },
	{ 0x10040, "_BHRfS_M", 8, BTRFS },
	{ 510, "\x55\xaa", 2, XFS | BTRFS },	/* a partition table, or what protects one */
};

static unsigned int disk_types(const struct guest_disk *disk)
{
	unsigned int types = 0;
	char magic[8];
	struct stat st;
	int fd;

	if (!disk->path)
		return disk->socket ? XFS | BTRFS : 0;
	/* A disk that cannot be opened is reported when it is made */
	fd = open(disk->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return 0;
	if (!fstat(fd, &st) && (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode)))
		for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++)
			if (pread(fd, magic, marks[i].len, marks[i].offset) ==
				    (ssize_t)marks[i].len &&
			    !memcmp(magic, marks[i].magic, marks[i].len))
				types |= marks[i].types;
	close(fd);
	return types;
}

/* The number of the disk that @root names by its node, counted from 0; -1: it may be any */
static int named_disk(const char *root)
{
	const size_t len = strlen(DISK_NODE);
	char letter;

	if (!root || strncmp(root, DISK_NODE, len))
		return -1;
	letter = root[len];
	return letter >= 'a' && letter < 'a' + GUEST_DISKS_MAX ? letter - 'a' : -1;
}

const char *rootfs_types(const struct guest_config *config, const char *root, const char *fstype)
{
	static const char *const names[] = { "", "xfs", "btrfs", "xfs,btrfs" };
	const int named = named_disk(root);
	unsigned int types = 0;

	if (config->initrd)
		return names[0];
	if (config->root)
		return config->root_writes == ROOT_WRITES_OVERLAY ? "overlay" : names[0];
	if (fstype)
		return fstype;
	for (unsigned int i = 0; i < config->nr_disks; i++)
		if (named < 0 || i == (unsigned int)named)
			types |= disk_types(&config->disk[i]);
	return names[types];
}
