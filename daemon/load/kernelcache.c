// SPDX-License-Identifier: GPL-2.0
/*
 * /var/cache/sigma: kernels of bzImages, unpacked, for the next start. To unpack one takes as long as
 * the rest of a guest's boot.
 *
 * A file is named for the bzImage: device, inode, size, and when the inode last changed. Whoever brings a
 * disk of his own can make all of that up, and devices get other numbers. So behind the kernel the file
 * has what it was unpacked from, and is used only for a bzImage that has the same. Nothing reads a file
 * that root has not written: the folder is root's, and no one else may write there. It is complete when it
 * has its name. All of it may be removed at any time, and where it cannot be written, nothing is missing but
 * the time.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../../common/log.h"
#include "../../common/whole.h"
#include "load.h"

#define CACHE_DIR	"/var/cache/sigma"
#define PREFIX		"kernel-"
#define NEW_PREFIX	".new-"		/* not complete yet */
#define KERNELS_MAX	4		/* of some 70 MiB each; those that were used last stay */
#define NEW_SECONDS_MAX	600		/* who wrote this file has died */
#define NAME_SIZE	128

static void name_of(char name[NAME_SIZE], const struct stat *st)
{
	snprintf(name, NAME_SIZE, PREFIX "%" PRIxMAX "-%" PRIxMAX "-%" PRIxMAX "-%" PRIxMAX ".%09ld",
		 (uintmax_t)st->st_dev, (uintmax_t)st->st_ino, (uintmax_t)st->st_size,
		 (uintmax_t)st->st_ctim.tv_sec, st->st_ctim.tv_nsec);
}

/* Open the folder if root alone may change what is in it. Return: -1 if not */
static int open_folder(void)
{
	const char *dir = getenv("SIGMA_CACHEDIR") ?: CACHE_DIR;
	struct stat st;
	int fd;

	if (mkdir(dir, 0700) && errno != EEXIST)
		return -1;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (!fstat(fd, &st) && st.st_uid == geteuid() && !(st.st_mode & 022))
		return fd;
	log_warning("%s: not used for unpacked kernels, since others may write to it; remove it", dir);
	close(fd);
	return -1;
}

/*
 * Was @elf unpacked from @payload, as its end says? Then it becomes the kernel alone. Without a look at
 * the lengths, a payload that ends with another one would pass for that
 */
static bool is_of(struct kernel *elf, const struct payload *payload)
{
	if (elf->size != payload->unpacked + (uint64_t)payload->size ||
	    memcmp(elf->data + payload->unpacked, payload->data, payload->size))
		return false;
	elf->size = payload->unpacked;
	return vmlinux_matches(elf);
}

bool kernelcache_load(struct kernel *elf, const struct stat *image, const struct payload *payload)
{
	int dir = open_folder(), fd = -1;
	char name[NAME_SIZE];
	struct stat st;

	if (dir < 0)
		return false;
	name_of(name, image);
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	close(dir);
	if (fd < 0)
		return false;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || !st.st_size)
		goto close;
	if (kernel_read(elf, fd, st.st_size))
		goto close;
	if (!is_of(elf, payload)) {
		kernel_close(elf);
		goto close;
	}
	futimens(fd, NULL);	/* it was used last */
close:
	close(fd);
	return elf->data;
}

/* Is this the name of a file that nobody finishes any more? */
static bool is_left(const char *name, const struct stat *st)
{
	return !strncmp(name, NEW_PREFIX, strlen(NEW_PREFIX)) &&
	       time(NULL) - st->st_mtim.tv_sec > NEW_SECONDS_MAX;
}

/*
 * Remove what is left over, and the kernel that was not used for longest, other than @kept, if there are
 * too many. Closes @fd.
 */
static void trim(int fd, const char *kept)
{
	char oldest[NAME_MAX + 1] = "";
	unsigned int nr = 0;
	time_t when = 0;
	struct dirent *entry;
	DIR *dir = fdopendir(fd);
	struct stat st;

	if (!dir) {
		close(fd);
		return;
	}
	while ((entry = readdir(dir))) {
		if (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISREG(st.st_mode))
			continue;
		if (is_left(entry->d_name, &st))
			unlinkat(fd, entry->d_name, 0);
		if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)))
			continue;
		nr++;
		if (!strcmp(entry->d_name, kept))
			continue;
		if (!*oldest || st.st_mtim.tv_sec < when) {
			strcpy(oldest, entry->d_name);
			when = st.st_mtim.tv_sec;
		}
	}
	if (nr > KERNELS_MAX)
		unlinkat(fd, oldest, 0);
	closedir(dir);
}

void kernelcache_save(const struct kernel *elf, const struct stat *image, const struct payload *payload)
{
	char name[NAME_SIZE], new[NAME_SIZE];
	int dir = open_folder(), fd;

	if (dir < 0)
		return;
	name_of(name, image);
	snprintf(new, sizeof(new), NEW_PREFIX "%d", (int)getpid());
	unlinkat(dir, new, 0);
	fd = openat(dir, new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		close(dir);
		return;
	}
	/* Whoever finds the name after a crash of the machine must find all of the file */
	if (write_whole(fd, elf->data, elf->size) || write_whole(fd, payload->data, payload->size) ||
	    fsync(fd) || renameat(dir, new, dir, name)) {
		log_info("the unpacked kernel is not kept for the next start: %m");
		unlinkat(dir, new, 0);
	}
	close(fd);
	trim(dir, name);
}
