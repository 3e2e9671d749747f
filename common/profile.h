/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Profiles: what fits a guest to a kind of work. Files that people write, NAME.conf in PROFILES_OWN,
 * or else in PROFILES_SHIPPED; the latter's sources are in profiles/. Sections and keys:
 *
 *	[Profile]	Summary=: for lists
 *	[Kernel]	CommandLine=, repeatable; Tick=full|idle|periodic; Mitigations=auto|off
 *	[Memory]	HugePages=COUNT|PERCENT%; HugePageSize=2M|1G; TransparentHugePages=
 *	[Sysctl]	NAME=VALUE for each sysctl of the guest's kernel
 *	[Share]		Cache=auto|always|never, for the root that Root= names, and for each share;
 *			ReadAhead=SIZE
 *
 * sigma.guest(5) says what they mean.
 */
#ifndef SIGMA_PROFILE_H
#define SIGMA_PROFILE_H

#include <limits.h>

#include "guestconfig.h"

#define PROFILES_OWN		"/etc/sigma/profiles"
#define PROFILES_SHIPPED	SIGMA_LIBDIR "/profiles"
#define PROFILE_SUFFIX		".conf"
#define PROFILE_MAX		(64U << 10)	/* bytes of a file */

/**
 * profile_load - read a profile
 * @name: of the profile, or the path of a file, with a '/'
 * @why: out: for -ENOENT, which profiles there are
 *
 * Return: 0; -ENOENT, not reported: there is no such profile; or another -errno, reported.
 */
int profile_load(struct guest_profile *profile, const char *name, char *why, size_t size);
void profile_free(struct guest_profile *profile);

/**
 * profile_keep - keep a profile for as long as the guest @guest is there
 *
 * Its file may change while the guest runs with what it said. Context: the guest has its folder in RUNDIR.
 * Return: 0, also without a profile, or a reported -errno.
 */
int profile_keep(const struct guest_profile *profile, const char *guest);

/**
 * profile_load_kept - read the profile that was kept for a guest that runs
 * @name: as the guest file has it
 *
 * Return: as profile_load(); -ENOENT: none was kept.
 */
int profile_load_kept(struct guest_profile *profile, const char *name, const char *guest);

/**
 * profile_path - the file of a profile
 *
 * Return: 0, or -ENOENT.
 */
int profile_path(const char *name, char path[PATH_MAX]);

/** profile_names - the names of all profiles, sorted, to be freed with profile_names_free() */
char **profile_names(unsigned int *nr);
void profile_names_free(char **names, unsigned int nr);

/** profile_cache_from_name - an enum guest_cache, or -EINVAL */
int profile_cache_from_name(const char *name);

#endif
