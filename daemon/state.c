// SPDX-License-Identifier: GPL-2.0
/* State that outlives a sigmad: see state.h. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../common/lock.h"
#include "../common/log.h"
#include "../common/rundir.h"
#include "../common/version.h"
#include "state.h"
#include "state_check.h"
#include "state_old.h"
#include "virtio/backend.h"

#define LOCK_SECONDS	5
#define ENDING_SECONDS	60	/* as long as for the requests of a slow disk: virtio/disk.c */
#define DYING		0x4	/* PF_EXITING among the flags in /proc/PID/stat, see proc(5) */

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

/* Make an empty file without a name, locked */
static int make(struct guest_state **state, int *fd)
{
	int error;

	*fd = open(RUNDIR, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (*fd < 0)
		return -errno;
	error = lock_file(*fd, LOCK_EX) ?: map(state, *fd);
	if (error)
		close(*fd);
	return error;
}

static void set_header(struct guest_state *state)
{
	memcpy(state->header.magic, STATE_MAGIC, sizeof(state->header.magic));
	state->header.layout = '0' + STATE_LAYOUT;
	state->header.size = sizeof(*state);
	snprintf(state->version, sizeof(state->version), "%s", SIGMA_VERSION);
}

static int give_name(int fd, const char *path)
{
	char from[32];

	snprintf(from, sizeof(from), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, from, AT_FDCWD, path, AT_SYMLINK_FOLLOW) ? -errno : 0;
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
	error = make(&state, fd);
	if (error)
		return log_error(error, "cannot keep the state of the guest in " RUNDIR ": %s",
				 strerror(-error));

	/* Not realpath(): the guest's name is the name of the file, not of a link's target */
	folder = *config->file == '/' ? NULL : getcwd(NULL, 0);
	snprintf(state->file, sizeof(state->file), "%s%s%s", folder ?: "", folder ? "/" : "",
		 config->file);
	free(folder);
	memcpy(state->text, config->text, config->text_len);
	state->text_len = config->text_len;
	state->starter = config->starter;
	set_header(state);
	*out = state;
	return 0;
}

/*
 * @size: of what has this header. Return: 0; -EPROTO: a newer sigmad wrote it, with layout *@layout; or
 * -EBADMSG
 */
static int check_header(const struct state_header *header, uint64_t size, unsigned int *layout)
{
	if (memcmp(header->magic, STATE_MAGIC, sizeof(header->magic)) || header->layout < '0')
		return -EBADMSG;
	*layout = header->layout - '0';
	if (*layout > STATE_LAYOUT)
		return -EPROTO;
	if (header->size != size ||
	    size != (*layout == STATE_LAYOUT ? sizeof(struct guest_state) : state_old_size(*layout)))
		return -EBADMSG;
	return 0;
}

/* Return: as check_header() */
static int read_saved(struct guest_state *state, const void *bytes, size_t size)
{
	struct state_header header;
	unsigned int layout;
	int error;

	if (size < sizeof(header))
		return -EBADMSG;
	memcpy(&header, bytes, sizeof(header));
	error = check_header(&header, size, &layout);
	if (!error && layout == STATE_LAYOUT)
		memcpy(state, bytes, size);
	else if (!error)
		state_old_read(state, layout, bytes);
	return error;
}

int state_adopt(struct guest_state **out, int *fd, const char *name, const void *bytes, size_t size)
{
	struct guest_state *state = NULL;
	int error = make(&state, fd);

	if (error)
		return log_error(error, "cannot keep the state of the guest in " RUNDIR ": %s",
				 strerror(-error));
	error = read_saved(state, bytes, size) ?: state_check(state);
	if (!error) {
		set_header(state);
		state->starter = backend_caller();
		/* The log of the guest's last life is still in its memory, and this one has no file of it yet */
		state->log_tail = 0;
		*out = state;
		return 0;
	}
	state_close(state, *fd);
	return log_error(error, error == -EPROTO ?
			 "the file was written by a newer sigmad, which has to read it" :
			 "the file is damaged: what it says of the guest's devices cannot be");
}

int state_show(int fd, const char *name)
{
	char path[RUNDIR_PATH_MAX];
	int error;

	rundir_path(path, name, STATE_FILE);
	error = give_name(fd, path);
	return error ? log_error(error, "cannot make %s: %s", path, strerror(-error)) : 0;
}

/* The state that the last sigmad left */

static int cannot_take(const char *name, int error)
{
	return log_error(error, "%s: cannot take the guest over: %s: %s", name, STATE_FILE,
			 strerror(-error));
}

static int damaged(const char *name)
{
	return log_error(-ESTALE, "%s: cannot take the guest over: its state file is damaged; end the guest by 'sigmactl kill %s'",
			 name, name);
}

/* @fd: a file of a layout that this sigmad does not know, since it is older than that */
static int too_new(const char *name, int fd, unsigned int layout)
{
	char version[sizeof(((struct guest_state *)0)->version)] = "";

	if (pread(fd, version, sizeof(version) - 1, sizeof(struct state_header)) < 0)
		return cannot_take(name, -errno);
	return log_error(-ESTALE, "%s: cannot take the guest over: its state file has layout %u of sigmad %s, and this is sigmad " SIGMA_VERSION ", which knows layouts up to %u; the guest runs on: install sigmad %s again and start that, or end the guest by 'sigmactl kill %s'",
			 name, layout, version, STATE_LAYOUT, version, name);
}

/* Put a file of the present layout in the place of @fd, which has an older one */
static int replace(const char *name, int *fd, struct guest_state **out, unsigned int layout)
{
	size_t size = state_old_size(layout);
	char path[RUNDIR_PATH_MAX], path_new[RUNDIR_PATH_MAX];
	struct guest_state *state;
	int error, fd_new;
	void *old;

	old = mmap(NULL, size, PROT_READ, MAP_SHARED, *fd, 0);
	if (old == MAP_FAILED)
		return cannot_take(name, -errno);
	error = make(&state, &fd_new);
	if (error)
		goto unmap;
	state_old_read(state, layout, old);
	set_header(state);
	rundir_path(path, name, STATE_FILE);
	rundir_path(path_new, name, STATE_FILE_NEW);
	unlink(path_new);
	error = give_name(fd_new, path_new);
	if (!error && rename(path_new, path))
		error = -errno;
	if (error) {
		unlink(path_new);
		state_close(state, fd_new);
		goto unmap;
	}
	log_info("%s: read the state that an older sigmad left (layout %u)", name, layout);
	/* Whoever waits for the lock of the old file finds that it is no longer the guest's */
	close(*fd);
	*fd = fd_new;
	*out = state;
unmap:
	munmap(old, size);
	return error ? cannot_take(name, error) : 0;
}

/* The file is locked: read it */
static int read_state(const char *name, int *fd, struct guest_state **out)
{
	struct state_header header;
	struct guest_state *state = NULL;
	unsigned int layout;
	struct stat st;
	int error;

	if (fstat(*fd, &st))
		return cannot_take(name, -errno);
	if (pread(*fd, &header, sizeof(header), 0) != sizeof(header))
		return damaged(name);
	error = check_header(&header, st.st_size, &layout);
	if (error)
		return error == -EPROTO ? too_new(name, *fd, layout) : damaged(name);
	if (layout < STATE_LAYOUT) {
		error = replace(name, fd, &state, layout);
	} else {
		error = map(&state, *fd);
		if (error)
			cannot_take(name, error);
	}
	if (error)
		return error;
	if (state->text_len > sizeof(state->text)) {
		munmap(state, sizeof(*state));
		return damaged(name);
	}
	*out = state;
	return 0;
}

static int try_lock(void *fd)
{
	return lock_file(*(int *)fd, LOCK_EX);
}

/* The process that made the guest's D-Bus socket; 0: none has it open */
static pid_t owner_of_bus(const char *name)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct ucred owner = {};
	socklen_t len = sizeof(owner);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return 0;
	static_assert(sizeof(addr.sun_path) >= RUNDIR_PATH_MAX, "a path is cut off");
	rundir_path(addr.sun_path, name, "bus");
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &owner, &len))
		owner.pid = 0;
	close(fd);
	return owner.pid;
}

/*
 * @hidden: out: one is there, but this process may see no more of it: ProtectProc= of sigma@.service
 * hides processes that have capabilities which this one lacks
 *
 * Does a sigmad live that serves the guest? One that was killed has its files, and so its socket
 * and its lock, until the kernel has finished its requests.
 */
static bool is_served(const char *name, bool *hidden)
{
	const pid_t pid = owner_of_bus(name);
	char path[32], line[1024];
	unsigned int flags;
	bool lives = false;
	const char *at;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	*hidden = !file && pid > 0 && (!kill(pid, 0) || errno == EPERM);
	if (!file)
		return false;
	/* "PID (COMMAND) STATE PPID PGRP SESSION TTY TPGID FLAGS ..." */
	if (fgets(line, sizeof(line), file)) {
		at = strrchr(line, ')');
		lives = at && sscanf(at + 1, " %*c %*d %*d %*d %*d %*d %u", &flags) == 1 &&
			!(flags & DYING);
	}
	fclose(file);
	return lives;
}

static int lock(const char *name, int fd)
{
	int error = lock_patiently(try_lock, &fd, LOCK_SECONDS);
	bool hidden = false;

	if (error == -EBUSY && is_served(name, &hidden))
		return log_error(error, "%s: exists already, and a sigmad serves it", name);
	if (error == -EBUSY)
		error = lock_patiently(try_lock, &fd, ENDING_SECONDS);
	if (error == -EBUSY)
		return log_error(-EAGAIN, "%s: cannot take the guest over: its last sigmad%s was killed and has not ended yet: its disks may have to finish requests; try again then",
				 name, hidden ? ", of which this one cannot see more than that it is there, serves the guest, or" : "");
	return error ? cannot_take(name, error) : 0;
}

/* Has another sigmad replaced the file since it was opened? */
static bool is_replaced(int fd, const char *path)
{
	struct stat opened, named;

	return !fstat(fd, &opened) && !stat(path, &named) && opened.st_ino != named.st_ino;
}

int state_lock(const char *name, int *fd)
{
	char path[RUNDIR_PATH_MAX];
	int error;

	rundir_path(path, name, STATE_FILE);
	for (;;) {
		*fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
		if (*fd < 0)
			return errno == ENOENT ? -ENOENT : cannot_take(name, -errno);
		error = lock(name, *fd);
		if (!error && !is_replaced(*fd, path))
			return 0;
		close(*fd);
		if (error)
			return error;
	}
}

int state_take(struct guest_state **state, int *fd, const char *name)
{
	int error = state_lock(name, fd);

	if (error)
		return error;
	error = read_state(name, fd, state);
	if (error)
		close(*fd);
	return error;
}

void state_close(struct guest_state *state, int fd)
{
	munmap(state, sizeof(*state));
	close(fd);
}
