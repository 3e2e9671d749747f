// SPDX-License-Identifier: GPL-2.0
/* Finds mounts without files: see kernel_mounts.h. */
#include <errno.h>
#include <mntent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel_mounts.h"

#define LINE_SIZE	16384	/* a path and its options, with blanks as four characters */

static bool is_one_of(const char *text, const char *const *list)
{
	while (*list && strcmp(text, *list))
		list++;
	return *list;
}

static bool is_left_out(const char *path)
{
	static const char *const folders[] = { "/proc", "/sys", "/dev", "/run" };

	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
		const size_t len = strlen(folders[i]);

		if (!strncmp(path, folders[i], len) && (!path[len] || path[len] == '/'))
			return true;
	}
	return false;
}

static bool is_of_kernel(const char *type)
{
	static const char *const types[] = {
		"autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts",
		"devtmpfs", "efivarfs", "fusectl", "mqueue", "nfsd", "nsfs", "proc", "pstore", "resctrl",
		"rpc_pipefs", "securityfs", "selinuxfs", "smackfs", "sysfs", "tracefs", "xenfs", NULL,
	};

	return is_one_of(type, types);
}

/* Add PREFIX/PATH to a list of @nr and a NULL. 0 or -ENOMEM */
static int add(char ***paths, size_t nr, const char *prefix, const char *path)
{
	char **larger = reallocarray(*paths, nr + 2, sizeof(*larger));

	if (!larger)
		return -ENOMEM;
	*paths = larger;
	larger[nr + 1] = NULL;
	if (asprintf(&larger[nr], "%s%s", prefix, path) >= 0)
		return 0;
	larger[nr] = NULL;
	return -ENOMEM;
}

char **kernel_mounts_find(const char *prefix)
{
	FILE *list = setmntent("/proc/self/mounts", "re");
	char **paths = calloc(1, sizeof(*paths)), line[LINE_SIZE];
	struct mntent *mount, entry;
	int error = 0;
	size_t nr = 0;

	while (list && paths && !error && (mount = getmntent_r(list, &entry, line, sizeof(line)))) {
		if (!is_of_kernel(mount->mnt_type) || is_left_out(mount->mnt_dir))
			continue;
		error = add(&paths, nr, prefix, mount->mnt_dir);
		nr += !error;
	}
	if (list && paths && !error) {
		endmntent(list);
		return paths;
	}
	if (list)
		endmntent(list);
	kernel_mounts_free(paths);
	errno = error ? -error : errno;
	return NULL;
}

void kernel_mounts_free(char **paths)
{
	for (char **path = paths; path && *path; path++)
		free(*path);
	free(paths);
}
