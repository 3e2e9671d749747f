// SPDX-License-Identifier: GPL-2.0
/* /etc/sigma/run.conf: what users may have of the host. sigma-run.conf(5) has it for people. */
#include <errno.h>
#include <grp.h>
#include <ini.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../common/parse.h"
#include "users.h"

#define GIB	(1ULL << 30)

/* Without the file, or a line of it that says otherwise */
static const struct users_limit of_one = { .cpus = 1, .guests = 1, .memory = GIB };
static const struct users_limit of_all = {
	.cpus = USERS_HALF_OF_CPUS, .guests = 4, .memory = USERS_HALF_OF_MEMORY,
};

/* From the weakest section to the strongest; the first [Group] of the file counts */
enum rank { ANYBODY, OF_GROUP, OF_USER };

struct reading {
	const struct owner *owner;
	struct users_limits *limits;
	enum rank rank;			/* of limits->user */
	char section[128];		/* whose lines are being read */
	struct users_limit *into;	/* NULL: it is about others */
	bool group_found;
	const char *wrong;		/* what is, in the first line that is */
};

static bool is_id(const char *text, unsigned long long *id)
{
	char *end;

	*id = strtoull(text, &end, 10);
	return *text >= '0' && *text <= '9' && !*end && *id < UINT32_MAX;
}

static bool is_user(const char *name, uid_t uid)
{
	unsigned long long id;
	const struct passwd *entry;

	if (is_id(name, &id))
		return id == uid;
	entry = getpwnam(name);
	return entry && entry->pw_uid == uid;
}

static bool in_group(const char *name, const struct owner *owner)
{
	const struct group *entry;
	unsigned long long id;
	gid_t gid;

	if (is_id(name, &id)) {
		gid = id;
	} else {
		entry = getgrnam(name);
		if (!entry)
			return false;
		gid = entry->gr_gid;
	}
	for (unsigned int i = 0; i < owner->nr_groups; i++)
		if (owner->groups[i] == gid)
			return true;
	return owner->gid == gid;
}

/* The user's limits are those of the section that begins, if none before was closer to the user */
static struct users_limit *take_section(struct reading *reading, enum rank rank)
{
	if (rank < reading->rank)
		return NULL;
	/* What a section does not say is as without the file, whatever another one says */
	if (rank > reading->rank)
		reading->limits->user = of_one;
	reading->rank = rank;
	return &reading->limits->user;
}

static bool begin_section(struct reading *reading, const char *name)
{
	snprintf(reading->section, sizeof(reading->section), "%s", name);
	reading->into = NULL;
	if (!strcmp(name, "All")) {
		reading->into = &reading->limits->all;
	} else if (!strcmp(name, "Default")) {
		reading->into = take_section(reading, ANYBODY);
	} else if (!strncmp(name, "User ", 5)) {
		if (is_user(name + 5, reading->owner->uid))
			reading->into = take_section(reading, OF_USER);
	} else if (!strncmp(name, "Group ", 6)) {
		if (!reading->group_found && in_group(name + 6, reading->owner)) {
			reading->group_found = true;
			reading->into = take_section(reading, OF_GROUP);
		}
	} else {
		reading->wrong = "the sections are [Default], [User NAME], [Group NAME] and [All]";
		return false;
	}
	return true;
}

static bool take_number(const char *value, uint32_t *number)
{
	unsigned long long id;

	if (!is_id(value, &id))
		return false;
	*number = id;
	return true;
}

static bool take_memory(const char *value, uint64_t *memory)
{
	char *end;

	return !parse_size(value, &end, memory) && !*end;
}

static int take_key(void *data, const char *section, const char *key, const char *value)
{
	struct reading *reading = data;
	struct users_limit nobody, *into;
	bool good;

	if (reading->wrong)
		return 0;
	if (strcmp(section, reading->section) && !begin_section(reading, section))
		return 0;
	/* A mistake is one, whomever it is about */
	into = reading->into ?: &nobody;
	if (!strcmp(key, "CPUs"))
		good = take_number(value, &into->cpus);
	else if (!strcmp(key, "Guests"))
		good = take_number(value, &into->guests);
	else if (!strcmp(key, "Memory"))
		good = take_memory(value, &into->memory);
	else
		good = false;
	if (!good)
		reading->wrong = "the keys are CPUs= and Guests=, a number each, and Memory=, such as 2G";
	return good;
}

static int explain(char why[USERS_WHY_MAX], int error, const char *path, const char *what)
{
	snprintf(why, USERS_WHY_MAX, "%s: %s; nobody but root starts guests until that is corrected",
		 path, what);
	return error;
}

/* Whoever may write it is root */
static int check_file(FILE *file, const char *path, char why[USERS_WHY_MAX])
{
	struct stat st;

	if (fstat(fileno(file), &st))
		return explain(why, -errno, path, strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_uid || st.st_mode & (S_IWGRP | S_IWOTH))
		return explain(why, -EPERM, path, "is to be a file that belongs to root, and that nobody else can write");
	return 0;
}

int users_limits_read(const char *path, const struct owner *owner, struct users_limits *limits,
		      char why[USERS_WHY_MAX])
{
	/* No section is called so: a key in front of the first one is a mistake */
	struct reading reading = { .owner = owner, .limits = limits, .section = "\n" };
	FILE *file = fopen(path, "re");
	char what[256];
	int line, error;

	*limits = (struct users_limits){ .user = of_one, .all = of_all };
	if (!file)
		return errno == ENOENT ? 0 : explain(why, -errno, path, strerror(errno));
	error = check_file(file, path, why);
	line = error ? 0 : ini_parse_file(file, take_key, &reading);
	fclose(file);
	if (line) {
		snprintf(what, sizeof(what), "line %d: %s", line,
			 reading.wrong ?: "neither [Section] nor Key=value");
		error = explain(why, -EINVAL, path, what);
	}
	return error;
}
