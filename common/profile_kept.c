// SPDX-License-Identifier: GPL-2.0
/* The profile that a guest was started with, in /run/sigma/NAME: see profile.h. */
#include <stdlib.h>
#include <string.h>

#include "profile.h"
#include "rundir.h"

int profile_keep(const struct guest_profile *profile, const char *guest)
{
	if (!profile->name)
		return 0;
	return rundir_keep(guest, "profile", profile->text ?: "", "keep the profile");
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
