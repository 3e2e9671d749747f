// SPDX-License-Identifier: GPL-2.0
/*
 * The life of a guest that has one program to run: see run_command.h.
 *
 * sigmad holds the other end of a pipe. When this process ends in whatever way, the pipe is closed,
 * and sigmad stops the guest at once.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../common/control.h"
#include "../common/gueststate.h"
#include "ctl.h"
#include "run_command.h"

#define FOLDER		RUNDIR "/.run"		/* guest files, until sigmad has read them */
#define NAME_TRIES	16
#define ANSWER_TIMEOUT	(10 * USEC_PER_SEC)	/* for sigmad */
#define BOOT_TIMEOUT	(300 * USEC_PER_SEC)	/* to the driver; sigmad warns, too */
#define OFF_MS		30000			/* for the guest to switch itself off */
#define RETURN_MS	60000			/* memory is zeroed, CPUs come back */

/* The guest file */

int run_life_name(struct run_life *life, const char *prefix)
{
	uint16_t number;

	for (unsigned int i = 0; i < NAME_TRIES; i++) {
		if (getrandom(&number, sizeof(number), 0) != sizeof(number))
			return complain(-EIO, "run: no random number for the guest's name");
		snprintf(life->name, sizeof(life->name), "%s-%04x", prefix, number);
		if (!control_has_guest(life->name))
			return 0;
	}
	return complain(-EEXIST, "run: no free name for the guest; give one by --name=NAME");
}

/* Remove the files of earlier ones that were killed: those in use are locked */
static void remove_left(void)
{
	DIR *folder = opendir(FOLDER);
	struct dirent *entry;
	int fd;

	while (folder && (entry = readdir(folder))) {
		fd = entry->d_name[0] == '.' ? -1 :
		     openat(dirfd(folder), entry->d_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (!flock(fd, LOCK_EX | LOCK_NB))
			unlinkat(dirfd(folder), entry->d_name, 0);
		close(fd);
	}
	if (folder)
		closedir(folder);
}

/* Return: the file, locked, to be closed after it was unlinked; or NULL, reported */
static FILE *write_file(const char *name, const char *text, char path[PATH_MAX])
{
	char unnamed[64];
	FILE *file = NULL;
	int fd;

	snprintf(path, PATH_MAX, FOLDER "/%s" GUEST_SUFFIX, name);
	if (rundir_prepare() || (mkdir(FOLDER, 0700) && errno != EEXIST)) {
		complain(-errno, "run: cannot make " FOLDER ": %s", strerror(errno));
		return NULL;
	}
	remove_left();
	/* It has no name before it is locked */
	fd = open(FOLDER, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	file = fd < 0 ? NULL : fdopen(fd, "w");
	snprintf(unnamed, sizeof(unnamed), "/proc/self/fd/%d", fd);
	if (!file || flock(fd, LOCK_EX) || fputs(text, file) < 0 || fflush(file) ||
	    linkat(AT_FDCWD, unnamed, AT_FDCWD, path, AT_SYMLINK_FOLLOW)) {
		complain(-errno, "run: cannot write %s: %s", path, strerror(errno));
		if (file)
			fclose(file);
		else if (fd >= 0)
			close(fd);
		file = NULL;
	}
	return file;
}

/* The guest */

int run_life_start(struct run_life *life, const char *text, const char *owner)
{
	struct sigmad_bond bond = { .owner = owner };
	char path[PATH_MAX], name[SIGMA_NAME_MAX];
	int ends[2], status;
	sigset_t none;
	FILE *file;

	if (pipe2(ends, O_CLOEXEC))
		return complain(-errno, "run: no pipe: %s", strerror(errno));
	file = write_file(life->name, text, path);
	if (!file) {
		close(ends[0]);
		close(ends[1]);
		return -EIO;
	}
	bond.caller = ends[0];
	status = sigmad_begin(path, name, &bond, &life->sigmad, NULL);
	close(ends[0]);
	unlink(path);
	fclose(file);
	life->caller = ends[1];
	if (status) {
		/* It was waited for, and has reported */
		life->sigmad = 0;
		return -EIO;
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	return 0;
}

int run_life_restore(struct run_life *life, int fd)
{
	int ends[2], status;
	sigset_t none;

	if (pipe2(ends, O_CLOEXEC))
		return complain(-errno, "run: no pipe: %s", strerror(errno));
	status = sigmad_copy(life->name, fd, ends[0], &life->sigmad);
	close(ends[0]);
	life->caller = ends[1];
	if (status) {
		life->sigmad = 0;
		return -EIO;
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	return 0;
}

static int on_state(sd_bus_message *m, void *data, sd_bus_error *error)
{
	const char *state;

	if (sd_bus_message_read(m, "s", &state) > 0)
		*(int *)data = guest_state_from_name(state);
	return 0;
}

/* Until its driver is up, the guest has no devices, and its agent cannot be reached */
int run_life_wait(struct run_life *life)
{
	const uint64_t deadline = clock_deadline(BOOT_TIMEOUT);
	int state = SIGMA_STATE_BOOTING, ret = 1;
	char *now;
	sd_bus *bus;

	ret = client_watch(&bus, life->name, clock_deadline(ANSWER_TIMEOUT), on_state, &state, &now);
	if (ret)
		return client_complain(ret, life->name, ret);
	state = guest_state_from_name(now);
	free(now);
	for (ret = 1; state == SIGMA_STATE_BOOTING && ret > 0;)
		ret = client_step(bus, deadline);
	sd_bus_close_unref(bus);
	if (state == SIGMA_STATE_RUNNING)
		return 0;
	if (state == SIGMA_STATE_BOOTING && !ret)
		return complain(-ETIMEDOUT, "%s: its driver is not up after %llu s", life->name,
				BOOT_TIMEOUT / USEC_PER_SEC);
	return complain(-EIO, "%s: did not boot: it is %s", life->name,
			state >= 0 && ret >= 0 ? guest_state_name(state) : "gone");
}

static bool ended_within(pid_t pid, int ms)
{
	struct pollfd ended = { .fd = pidfd_open(pid, 0), .events = POLLIN };
	bool yes = ended.fd < 0 || poll(&ended, 1, ms) > 0;

	if (ended.fd >= 0)
		close(ended.fd);
	return yes;
}

bool run_life_give_back(struct run_life *life, bool off)
{
	if (!life->sigmad)
		return true;
	if (off && !ended_within(life->sigmad, OFF_MS))
		complain(0, "%s: did not switch itself off in time and is stopped", life->name);
	close(life->caller);
	life->caller = -1;
	if (!ended_within(life->sigmad, RETURN_MS))
		return complain(false, "%s: its CPUs and memory are not back yet; 'sigmactl kill %s' forces it",
				life->name, life->name);
	waitpid(life->sigmad, NULL, 0);
	/* sigmad died, and the guest is still there */
	return !control_has_guest(life->name) || guest_remove(life->name) >= 0;
}

void run_life_report(const struct run_life *life)
{
	struct guest_view view;

	if (!guest_view(&view, life->name)) {
		if (*view.panic)
			complain(0, "%s: its kernel panicked: %s", life->name, view.panic);
		else if (!strcmp(view.state, guest_state_name(SIGMA_STATE_CONTAINED)))
			complain(0, "%s: its guard stopped it; dmesg says why", life->name);
	}
	complain(0, "%s: 'sigmactl log %s' shows the last messages of its kernel", life->name,
		 life->name);
}
