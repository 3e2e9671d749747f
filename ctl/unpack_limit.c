// SPDX-License-Identifier: GPL-2.0
/* How much may be unpacked: see unpack.h. */
#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>

#include "ctl.h"
#include "unpack.h"

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

int unpack_limit(struct unpack_report *report, int folder)
{
	struct statvfs fs;

	if (fstatvfs(folder, &fs))
		return complain(-errno, "cannot see what is free where roots are unpacked: %s",
				strerror(errno));
	report->bytes_max = least(fs.f_bavail * fs.f_frsize / 10 * 9, UNPACK_BYTES_MAX);
	/* Some file systems make inodes as they need them, and say 0 */
	report->entries_max = fs.f_files ? least(fs.f_favail / 10 * 9, UNPACK_ENTRIES_MAX) :
			      UNPACK_ENTRIES_MAX;
	return 0;
}

int unpack_count(struct unpack_report *report, const char *archive, const char *path,
		 unsigned int entries, uint64_t bytes)
{
	const char *const remedy = "if you trust it, unpack it into a folder yourself, and give that to --rootfs=";

	report->entries += entries;
	report->bytes += entries * (uint64_t)UNPACK_BLOCK +
			 (bytes + UNPACK_BLOCK - 1) / UNPACK_BLOCK * UNPACK_BLOCK;
	if (report->entries > report->entries_max)
		return complain(-EOVERFLOW, "%s: %s: the root has more than %llu files, which is too many; %s",
				archive, path, (unsigned long long)report->entries_max, remedy);
	if (report->bytes > report->bytes_max)
		return complain(-EOVERFLOW, "%s: %s: the root is larger than %llu MiB, and more is not to be unpacked on this disk; make room there, or %s",
				archive, path, (unsigned long long)report->bytes_max >> 20, remedy);
	return 0;
}
