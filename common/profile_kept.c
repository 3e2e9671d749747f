// SPDX-License-Identifier: GPL-2.0
/* The profile that a guest was started with, in /run/sigma/NAME: see profile.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "profile.h"
#include "rundir.h"

int profile_keep(const struct guest_profile *profile, const char *guest)
{
	char path[RUNDIR_PATH_MAX];
	size_t len = profile->text ? strlen(profile->text) : 0;
	int fd, error = 0;

	if (!profile->name)
		return 0;
	rundir_path(path, guest, "profile");
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, profile->text, len) != (ssize_t)len)
		error = log_error(-errno ?: -EIO, "cannot keep the profile in %s: %s", path,
				  strerror(errno));
	if (fd >= 0)
		close(fd);
	return error;
}

int profile_load_kept(struct guest_profile *profile, const char *name, const char *guest)
{
	char path[RUNDIR_PATH_MAX], why[512];
	int error;

	rundir_path(path, guest, "profile");
	error = profile_load(profile, path, why, sizeof(why));
	if (error)
		return error;
	free(profile->name);
	profile->name = strdup(name);
	return 0;
}
