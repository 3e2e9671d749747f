/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The user that a guest of 'sigmactl run' belongs to, unless that is root: IDs as the kernel has them
 * of the process that asked for the guest. The service that starts guests for users (ctl/users.h)
 * hands them to sigmad, and sigmad to its broker, as one word: "UID:GID:GROUP,GROUP".
 */
#ifndef SIGMA_OWNER_H
#define SIGMA_OWNER_H

#include <stdbool.h>
#include <sys/types.h>

#define OWNER_GROUPS_MAX	256	/* supplementary ones */
#define OWNER_TEXT_MAX		((OWNER_GROUPS_MAX + 2) * 11 + 1)

/** struct owner - @uid is never 0, that of root */
struct owner {
	uid_t uid;
	gid_t gid;
	unsigned int nr_groups;
	gid_t groups[OWNER_GROUPS_MAX];
};

/** owner_format - as text, for owner_parse() */
void owner_format(const struct owner *owner, char text[OWNER_TEXT_MAX]);

/**
 * owner_keep - note whose guest @guest is, for a sigmad that would take it over
 * @owner: NULL: root's
 *
 * Context: the guest has its folder in RUNDIR. Return: 0, or a reported -errno.
 */
int owner_keep(const struct owner *owner, const char *guest);

/**
 * owner_is_kept - is it the guest of this user, or with NULL, of root?
 *
 * Return: true; or false, reported.
 */
bool owner_is_kept(const struct owner *owner, const char *guest);

/** owner_parse - read what owner_format() wrote: 0, or -EINVAL for all else, also for root */
int owner_parse(const char *text, struct owner *owner);

#endif
