// SPDX-License-Identifier: GPL-2.0
/*
 * Users and groups of the guest: see agent.h. They are looked up in its files, since a static
 * program has no name service: that would load libraries of the guest.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"

#define PASSWD	"/etc/passwd"
#define GROUP	"/etc/group"

static bool is_number(const char *text, unsigned int *number)
{
	unsigned long value;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	value = strtoul(text, &end, 10);
	*number = value;
	/* -1 means "no change" to the kernel */
	return !errno && !*end && value < UINT32_MAX;
}

static void set_defaults(struct user *user)
{
	*user->name = '\0';
	if (!user->uid)
		snprintf(user->name, sizeof(user->name), "root");
	snprintf(user->home, sizeof(user->home), "%s", user->uid ? "/" : "/root");
	snprintf(user->shell, sizeof(user->shell), "/bin/sh");
}

static void take_entry(struct user *user, const struct passwd *entry)
{
	user->uid = entry->pw_uid;
	user->gid = entry->pw_gid;
	set_defaults(user);
	snprintf(user->name, sizeof(user->name), "%s", entry->pw_name);
	if (*entry->pw_dir)
		snprintf(user->home, sizeof(user->home), "%s", entry->pw_dir);
	if (*entry->pw_shell)
		snprintf(user->shell, sizeof(user->shell), "%s", entry->pw_shell);
}

/* Find the user with this name, or, with NULL, this number */
static bool find_user(struct user *user, const char *name, uid_t uid)
{
	FILE *file = fopen(PASSWD, "re");
	const struct passwd *entry;
	bool found = false;

	while (file && !found && (entry = fgetpwent(file))) {
		found = name ? !strcmp(entry->pw_name, name) : entry->pw_uid == uid;
		if (found)
			take_entry(user, entry);
	}
	if (file)
		fclose(file);
	return found;
}

static bool find_group(const char *name, gid_t *gid)
{
	FILE *file = fopen(GROUP, "re");
	const struct group *entry;
	bool found = false;

	while (file && !found && (entry = fgetgrent(file))) {
		found = !strcmp(entry->gr_name, name);
		*gid = entry->gr_gid;
	}
	if (file)
		fclose(file);
	return found;
}

static bool has_member(const struct group *entry, const char *name)
{
	for (char **member = entry->gr_mem; *member; member++)
		if (!strcmp(*member, name))
			return true;
	return false;
}

static void find_groups(struct user *user)
{
	FILE *file = fopen(GROUP, "re");
	const struct group *entry;

	user->group[user->nr_groups++] = user->gid;
	while (file && user->nr_groups < AGENT_GROUPS_MAX && (entry = fgetgrent(file)))
		if (entry->gr_gid != user->gid && has_member(entry, user->name))
			user->group[user->nr_groups++] = entry->gr_gid;
	if (file)
		fclose(file);
}

int user_find(struct user *user, const char *spec, char why[REASON_MAX])
{
	char name[256];
	const char *group = strchr(spec, ':');
	unsigned int number;

	memset(user, 0, sizeof(*user));
	snprintf(name, sizeof(name), "%.*s", (int)(group ? group - spec : (long)strlen(spec)), spec);
	if (!find_user(user, name, 0)) {
		if (strcmp(name, "root") && !is_number(name, &number)) {
			snprintf(why, REASON_MAX, "%s: the guest has no such user in " PASSWD, name);
			return -ENOENT;
		}
		number = strcmp(name, "root") ? number : 0;
		if (!find_user(user, NULL, number)) {
			user->uid = number;
			user->gid = number;
			set_defaults(user);
		}
	}
	if (!group) {
		find_groups(user);
		return 0;
	}
	/* With a group that was asked for, no others, as of chroot(1) and podman */
	if (!find_group(group + 1, &user->gid)) {
		if (!is_number(group + 1, &number)) {
			snprintf(why, REASON_MAX, "%s: the guest has no such group in " GROUP,
				 group + 1);
			return -ENOENT;
		}
		user->gid = number;
	}
	user->group[user->nr_groups++] = user->gid;
	return 0;
}

void user_from_ids(struct user *user, uid_t uid, gid_t gid, const gid_t *group, unsigned int nr)
{
	memset(user, 0, sizeof(*user));
	if (!find_user(user, NULL, uid)) {
		user->uid = uid;
		set_defaults(user);
	}
	user->gid = gid;
	user->nr_groups = nr;
	memcpy(user->group, group, nr * sizeof(*group));
}

int user_become(const struct user *user)
{
	if (setgroups(user->nr_groups, user->group) ||
	    setresgid(user->gid, user->gid, user->gid) ||
	    setresuid(user->uid, user->uid, user->uid))
		return -errno;
	return 0;
}
