// SPDX-License-Identifier: GPL-2.0
/*
 * /run/sigma/NAME: see rundir.h. The process whose SIGMA_CREATE succeeded owns the name. A folder
 * that exists already is therefore a dead sigmad's, and is removed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "rundir.h"

static const char * const logs[] = { "log", "log.1", "sigmad.log", "sigmad.log.1" };
static const char * const ends[] = { "agent", "bus", "console", "owner", "profile", "state", "state.new" };

#define NOBODY ((gid_t)-1)
#define COUNT(array) (sizeof(array) / sizeof(*(array)))

void rundir_path(char path[RUNDIR_PATH_MAX], const char *name, const char *file)
{
	snprintf(path, RUNDIR_PATH_MAX, RUNDIR "/%s/%s", name, file);
}

static gid_t group_id(void)
{
	static gid_t id = NOBODY;
	static bool looked_up;

	if (!looked_up) {
		const struct group *group = getgrnam(RUNDIR_GROUP);

		looked_up = true;
		if (group)
			id = group->gr_gid;
	}
	return id;
}

void rundir_share(const char *path, unsigned int mode)
{
	gid_t group = group_id();

	/* Without the group sigma, the file has an arbitrary group, which must get no access */
	if (group == NOBODY)
		mode &= ~S_IRWXG;
	/* The group comes first, so that no other group ever gets the mode */
	if ((group != NOBODY && chown(path, -1, group)) || chmod(path, mode))
		log_warning("cannot let the group " RUNDIR_GROUP " use %s: %s", path,
			    strerror(errno));
}

static void remove_files(const char *dir, const char * const *files, size_t nr)
{
	char path[2 * RUNDIR_PATH_MAX];

	for (size_t i = 0; i < nr; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		unlink(path);
	}
}

static void remove_dir(const char *dir)
{
	remove_files(dir, logs, COUNT(logs));
	remove_files(dir, ends, COUNT(ends));
	if (rmdir(dir) && errno != ENOENT)
		log_warning("cannot remove %s: %s", dir, strerror(errno));
}

static int cannot_make(const char *path)
{
	return log_error(-errno, "cannot make %s: %s%s", path, strerror(errno),
			 errno == EACCES ? "; only root starts guests" : "");
}

int rundir_prepare(void)
{
	return mkdir(RUNDIR, 0755) && errno != EEXIST ? cannot_make(RUNDIR) : 0;
}

int rundir_make(const char *name)
{
	char path[RUNDIR_PATH_MAX];
	int error = rundir_prepare();

	if (error)
		return error;
	rundir_path(path, name, "");
	remove_dir(path);
	if (mkdir(path, 0700))
		return cannot_make(path);
	rundir_share(path, 0750);
	return 0;
}

void rundir_take(const char *name)
{
	char path[RUNDIR_PATH_MAX];

	rundir_path(path, name, "bus");
	unlink(path);
	rundir_path(path, name, "console");
	unlink(path);
}

void rundir_remove(const char *name)
{
	char path[RUNDIR_PATH_MAX];

	rundir_path(path, name, "");
	remove_dir(path);
}

/* Whose guest ended first, if there are more than RUNDIR_LAST_MAX; false: there are not */
static bool find_surplus(char name[SIGMA_NAME_MAX])
{
	DIR *folder = opendir(RUNDIR_LAST);
	struct timespec oldest = {};
	struct dirent *entry;
	unsigned int nr = 0;
	struct stat st;

	while (folder && (entry = readdir(folder))) {
		if (*entry->d_name == '.' || strlen(entry->d_name) >= SIGMA_NAME_MAX ||
		    fstatat(dirfd(folder), entry->d_name, &st, AT_SYMLINK_NOFOLLOW))
			continue;
		if (!nr++ || st.st_ctim.tv_sec < oldest.tv_sec ||
		    (st.st_ctim.tv_sec == oldest.tv_sec && st.st_ctim.tv_nsec < oldest.tv_nsec)) {
			oldest = st.st_ctim;
			strcpy(name, entry->d_name);
		}
	}
	if (folder)
		closedir(folder);
	return nr > RUNDIR_LAST_MAX;
}

static void remove_surplus(void)
{
	char name[SIGMA_NAME_MAX], path[RUNDIR_PATH_MAX];

	/* One more comes at a time; others may do the same meanwhile */
	for (unsigned int i = 0; i < RUNDIR_LAST_MAX && find_surplus(name); i++) {
		snprintf(path, sizeof(path), RUNDIR_LAST "/%s", name);
		remove_dir(path);
	}
}

void rundir_retire(const char *name)
{
	char path[RUNDIR_PATH_MAX], last[RUNDIR_PATH_MAX];

	rundir_path(path, name, "");
	remove_files(path, ends, COUNT(ends));
	snprintf(last, sizeof(last), RUNDIR_LAST "/%s", name);
	remove_dir(last);
	if (mkdir(RUNDIR_LAST, 0755) && errno != EEXIST)
		log_warning("cannot make " RUNDIR_LAST ": %s", strerror(errno));
	if (rename(path, last) && errno != ENOENT) {	/* ENOENT: another process was faster */
		log_warning("cannot keep the logs as %s: %s", last, strerror(errno));
		remove_dir(path);
	}
	remove_surplus();
}
