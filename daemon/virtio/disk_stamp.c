// SPDX-License-Identifier: GPL-2.0
/* Stamps of disks: see disk_stamp.h. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../common/hash.h"
#include "disk.h"
#include "disk_stamp.h"

#define SAMPLE_MAX	(4UL << 20)	/* bytes: beyond the superblock of a first partition */

static int hash_range(int fd, uint64_t offset, size_t len, uint8_t *buffer, uint64_t *hash)
{
	while (len) {
		ssize_t done = pread(fd, buffer, len, offset);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done ? -errno : -EIO;
		*hash = hash_bytes(*hash, buffer, done);
		offset += done;
		len -= done;
	}
	return 0;
}

int disk_stamp(const struct disk *disk, struct disk_stamp *stamp)
{
	size_t len = disk_size(disk) < SAMPLE_MAX ? disk_size(disk) : SAMPLE_MAX;
	uint8_t *buffer = malloc(SAMPLE_MAX);
	struct stat st;
	int error;

	if (!buffer)
		return -ENOMEM;
	*stamp = (struct disk_stamp){ .size = disk_size(disk), .sample = hash_text("") };
	error = hash_range(disk->fd, 0, len, buffer, &stamp->sample);
	if (!error)
		error = hash_range(disk->fd, disk_size(disk) - len, len, buffer, &stamp->sample);
	free(buffer);
	if (!error && fstat(disk->fd, &st))
		error = -errno;
	if (!error && !disk->block_device)
		stamp->modified_ns = st.st_mtim.tv_sec * 1000000000ULL + st.st_mtim.tv_nsec;
	return error;
}
