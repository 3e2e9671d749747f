// SPDX-License-Identifier: GPL-2.0
/* State that outlives a sigmad: see state.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common/log.h"
#include "../common/rundir.h"
#include "../common/lock.h"
#include "state.h"

#define LOCK_SECONDS	5
#define MAGIC	0x3145544154534753ULL	/* "SGSTATE1"; a new layout gets a new digit */

/*
 * Map the whole file, without holes: a store into a hole needs room in /run, and would be a SIGBUS
 * without it, at a moment that a guest can choose. An older sigmad left holes.
 */
static int map(struct guest_state **state, int fd)
{
	int error = posix_fallocate(fd, 0, sizeof(**state));
	void *at;

	if (error)
		return -error;
	at = mmap(NULL, sizeof(**state), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		return -errno;
	*state = at;
	return 0;
}

static int make(struct guest_state **state, int fd)
{
	return flock(fd, LOCK_EX | LOCK_NB) ? -errno : map(state, fd);
}

int state_make(struct guest_state **out, int *fd, const struct guest_config *config)
{
	struct guest_state *state = NULL;
	char *folder;
	int error;

	error = rundir_prepare();
	if (error)
		return error;
	/* The file gets its name in state_show(), once sigma.ko has given the guest its name */
	*fd = open(RUNDIR, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	error = *fd < 0 ? -errno : make(&state, *fd);
	if (error)
		goto failed;

	/* Not realpath(): the guest's name is the name of the file, not of a link's target */
	folder = *config->file == '/' ? NULL : getcwd(NULL, 0);
	snprintf(state->file, sizeof(state->file), "%s%s%s", folder ?: "", folder ? "/" : "",
		 config->file);
	free(folder);
	memcpy(state->text, config->text, config->text_len);
	state->text_len = config->text_len;
	state->starter = config->starter;
	state->size = sizeof(*state);
	state->magic = MAGIC;
	*out = state;
	return 0;

failed:
	if (*fd >= 0)
		close(*fd);
	return log_error(error, "cannot keep the state of the guest in " RUNDIR ": %s",
			 strerror(-error));
}

int state_show(int fd, const char *name)
{
	char from[32], path[RUNDIR_PATH_MAX];

	snprintf(from, sizeof(from), "/proc/self/fd/%d", fd);
	rundir_path(path, name, STATE_FILE);
	if (linkat(AT_FDCWD, from, AT_FDCWD, path, AT_SYMLINK_FOLLOW))
		return log_error(-errno, "cannot make %s: %s", path, strerror(errno));
	return 0;
}

static int check(int fd, struct guest_state **out)
{
	struct guest_state *state = NULL;
	struct stat st;
	int error;

	if (fstat(fd, &st))
		return -errno;
	if (st.st_size != sizeof(*state))
		return -ESTALE;
	error = map(&state, fd);
	if (error)
		return error;
	if (state->magic == MAGIC && state->size == sizeof(*state) &&
	    state->text_len <= sizeof(state->text)) {
		*out = state;
		return 0;
	}
	munmap(state, sizeof(*state));
	return -ESTALE;
}

static int try_lock(void *fd)
{
	return lock_file(*(int *)fd, LOCK_EX);
}

int state_take(struct guest_state **state, int *fd, const char *name)
{
	char path[RUNDIR_PATH_MAX];
	int error;

	rundir_path(path, name, STATE_FILE);
	*fd = open(path, O_RDWR | O_CLOEXEC);
	if (*fd < 0)
		return -errno;
	error = lock_patiently(try_lock, fd, LOCK_SECONDS);
	if (!error)
		error = check(*fd, state);
	if (error)
		close(*fd);
	return error;
}

void state_close(struct guest_state *state, int fd)
{
	munmap(state, sizeof(*state));
	close(fd);
}
