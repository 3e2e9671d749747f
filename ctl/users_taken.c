// SPDX-License-Identifier: GPL-2.0
/*
 * What guests of users have: a note for each guest, a file with the guest's name in a folder that
 * only root can enter. The process that serves the user has the note locked. A note counts while it
 * is locked or the guest exists, so neither a process that died nor a guest that did not end makes the
 * service forget CPUs and memory.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "users.h"

#define GATE		".gate"	/* locked while notes are counted and one is made */
#define NOTE_FORMAT	"%" PRIu32 " %" PRIu32 " %" PRIu64 "\n"	/* UID, CPUs, bytes */
#define NOTE_SCAN	"%" SCNu32 " %" SCNu32 " %" SCNu64
#define NOTE_MAX	64

static int explain(char why[USERS_WHY_MAX], int error, const char *what)
{
	snprintf(why, USERS_WHY_MAX, "cannot note what users have: %.300s: %s", what, strerror(-error));
	return error;
}

static int read_note(int fd, uint32_t *uid, struct users_limit *has)
{
	char text[NOTE_MAX];
	ssize_t len = pread(fd, text, sizeof(text) - 1, 0);

	text[len < 0 ? 0 : len] = '\0';
	*has = (struct users_limit){ .guests = 1 };
	return sscanf(text, NOTE_SCAN, uid, &has->cpus, &has->memory) == 3 ? 0 : -EINVAL;
}

static void add(struct users_limit *sum, const struct users_limit *has)
{
	sum->cpus += has->cpus;
	sum->memory += has->memory;
	sum->guests += has->guests;
}

/* Add up the notes that count, and remove the others */
static int count(const char *folder, uid_t uid, bool (*exists)(const char *name),
		 struct users_limit *user, struct users_limit *all)
{
	DIR *notes = opendir(folder);
	struct users_limit has;
	struct dirent *entry;
	uint32_t whose;
	int fd;

	if (!notes)
		return -errno;
	while ((entry = readdir(notes))) {
		if (entry->d_name[0] == '.')
			continue;
		fd = openat(dirfd(notes), entry->d_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (!flock(fd, LOCK_EX | LOCK_NB) && !exists(entry->d_name)) {
			unlinkat(dirfd(notes), entry->d_name, 0);
		} else if (!read_note(fd, &whose, &has)) {
			add(all, &has);
			if (whose == uid)
				add(user, &has);
		}
		close(fd);
	}
	closedir(notes);
	return 0;
}

static struct users_limit limit_of_all(const struct users_limit *given, const struct users_limit *all)
{
	const uint64_t memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
	struct users_limit limit = *given;

	if (limit.cpus == USERS_HALF_OF_CPUS)
		limit.cpus = (sysconf(_SC_NPROCESSORS_ONLN) + all->cpus) / 2;
	if (limit.memory == USERS_HALF_OF_MEMORY)
		limit.memory = memory / 2;
	return limit;
}

static int refuse(char why[USERS_WHY_MAX], const char *who, const char *what, uint64_t has,
		  uint64_t wanted, uint64_t limit)
{
	snprintf(why, USERS_WHY_MAX, "%s may have %" PRIu64 " %s at a time, and %" PRIu64 " %s taken, so not %" PRIu64 " more; ask for less, wait, or have root change " USERS_CONF,
		 who, limit, what, has, has == 1 ? "is" : "are", wanted);
	return -EDQUOT;
}

static int check(const char *who, const struct users_limit *has, const struct users_limit *wanted,
		 const struct users_limit *limit, char why[USERS_WHY_MAX])
{
	if (has->guests + wanted->guests > limit->guests)
		return refuse(why, who, "guests", has->guests, wanted->guests, limit->guests);
	if (has->cpus + wanted->cpus > limit->cpus)
		return refuse(why, who, "CPUs", has->cpus, wanted->cpus, limit->cpus);
	if (has->memory + wanted->memory > limit->memory)
		return refuse(why, who, "MiB", has->memory >> 20, wanted->memory >> 20,
			      limit->memory >> 20);
	return 0;
}

/* The descriptor stays open, and with it the lock, for as long as this process lives */
static int make_note(const char *folder, const char *name, uid_t uid,
		     const struct users_limit *wanted, char why[USERS_WHY_MAX])
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return explain(why, -errno, path);
	if (!flock(fd, LOCK_EX | LOCK_NB) &&
	    dprintf(fd, NOTE_FORMAT, uid, wanted->cpus, wanted->memory) > 0)
		return 0;
	explain(why, -errno, path);
	unlink(path);
	close(fd);
	return -EIO;
}

int users_take(const char *folder, const char *name, const struct owner *owner,
	       const struct users_limit *wanted, const struct users_limits *limits,
	       bool (*exists)(const char *name), char why[USERS_WHY_MAX])
{
	struct users_limit user = {}, all = {}, limit;
	char path[PATH_MAX];
	int gate, error;

	if (mkdir(folder, 0700) && errno != EEXIST)
		return explain(why, -errno, folder);
	snprintf(path, sizeof(path), "%s/" GATE, folder);
	gate = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (gate < 0 || flock(gate, LOCK_EX)) {
		error = explain(why, -errno, path);
		goto close_gate;
	}
	error = count(folder, owner->uid, exists, &user, &all);
	if (error) {
		explain(why, error, folder);
		goto close_gate;
	}
	limit = limit_of_all(&limits->all, &all);
	error = check("a user", &user, wanted, &limits->user, why) ?:
		check("all users together", &all, wanted, &limit, why) ?:
		make_note(folder, name, owner->uid, wanted, why);
close_gate:
	if (gate >= 0)
		close(gate);
	return error;
}

void users_give_back(const char *folder, const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	unlink(path);
}

bool users_owns(const char *folder, const char *name, uid_t uid)
{
	struct users_limit has;
	char path[PATH_MAX];
	uint32_t whose = 0;
	bool yes;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return false;
	yes = !read_note(fd, &whose, &has) && whose == uid;
	close(fd);
	return yes;
}
