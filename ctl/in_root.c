// SPDX-License-Identifier: GPL-2.0
/* Paths in the root file system of a guest: see in_root.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "in_root.h"

#define DEPTH_MAX	256	/* of folders that are removed: each is open */

int in_root_open(int root, const char *path, int flags)
{
	const struct open_how how = {
		.flags = flags | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	int fd = syscall(SYS_openat2, root, path, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

int in_root_make_folder(int root, const char *path)
{
	char part[PATH_MAX], *slash;
	int parent, fd = in_root_open(root, "/", O_PATH | O_DIRECTORY);

	if (snprintf(part, sizeof(part), "%s/", path) >= (int)sizeof(part)) {
		if (fd >= 0)
			close(fd);
		return -ENAMETOOLONG;
	}
	for (slash = strchr(part + 1, '/'); slash && fd >= 0; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		parent = fd;
		fd = in_root_open(root, part, O_PATH | O_DIRECTORY);
		if (fd == -ENOENT && !mkdirat(parent, strrchr(part, '/') + 1, 0755))
			fd = in_root_open(root, part, O_PATH | O_DIRECTORY);
		close(parent);
		*slash = '/';
	}
	return fd;
}

static int remove_at(int folder, const char *name, unsigned int depth);

/* The descriptor is closed */
static int empty(int fd, unsigned int depth)
{
	DIR *dir = fdopendir(fd);
	struct dirent *entry;
	int error = 0;

	if (!dir) {
		error = -errno;
		close(fd);
		return error;
	}
	while (!error && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			error = remove_at(fd, entry->d_name, depth + 1);
	closedir(dir);
	return error;
}

static int remove_at(int folder, const char *name, unsigned int depth)
{
	int fd, error;

	if (!unlinkat(folder, name, 0) || errno == ENOENT)
		return 0;
	/* Of a folder; a file system may say the second one */
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	if (depth == DEPTH_MAX)
		return -ELOOP;
	fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	error = empty(fd, depth);
	if (error)
		return error;
	return unlinkat(folder, name, AT_REMOVEDIR) ? -errno : 0;
}

int in_root_remove(int folder, const char *name)
{
	return remove_at(folder, name, 0);
}

int in_root_empty(int folder)
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : empty(fd, 0);
}
