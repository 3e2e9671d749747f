// SPDX-License-Identifier: GPL-2.0
/*
 * Guests in the sysfs of sigma.ko. A guest is in sysfs whether or not a sigmad serves it, so every
 * verb looks there first.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "../common/control.h"
#include "../common/gueststate.h"
#include "../common/parse.h"
#include "ctl.h"

#define SYSFS		"/sys/class/sigma"
#define CONTROL		"control"

/* The kernel unmaps the guest's memory from a killed sigmad a moment after the kill */
#define BUSY_TRIES	50
#define BUSY_WAIT_MS	100

static bool name_valid(const char *name)
{
	return guestfile_name_valid(name, strlen(name));
}

static int read_attr(const char *name, const char *attr, char *text, size_t size)
{
	return parse_first_line(text, size, SYSFS "/%s/%s", name, attr);
}

FILE *guests_open_attr(const char *name, const char *attr)
{
	char path[sizeof(SYSFS) + SIGMA_NAME_MAX + 32];

	snprintf(path, sizeof(path), SYSFS "/%s/%s", name, attr);
	return fopen(path, "re");
}

static uint64_t read_number(const char *name, const char *attr)
{
	char text[32];

	read_attr(name, attr, text, sizeof(text));
	return strtoull(text, NULL, 10);
}

uint64_t guests_control_number(const char *attr)
{
	return read_number(CONTROL, attr);
}

uint64_t guest_gathered(const char *name)
{
	char gathering[SIGMA_NAME_MAX + 1];

	if (read_attr(CONTROL, "gathering", gathering, sizeof(gathering)) ||
	    strcmp(gathering, name))
		return 0;
	return read_number(CONTROL, "gathered");
}

/* Return: the device of a guest that is in @wanted, or -errno */
static int open_in_state(const char *name, enum sigma_state wanted)
{
	char path[sizeof(SIGMA_DEVICES_DIR) + SIGMA_NAME_MAX + 1], state[32];
	int fd;

	if (!name_valid(name) || read_attr(name, "state", state, sizeof(state)) ||
	    guest_state_from_name(state) != (int)wanted)
		return -ENOENT;
	snprintf(path, sizeof(path), SIGMA_DEVICES_DIR "/%s", name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

void guest_sleeps_on(const char *name, char why[REASON_TEXT_MAX])
{
	int fd = open_in_state(name, SIGMA_STATE_ASLEEP);
	struct sigma_wake_failure failure = {};

	*why = '\0';
	if (fd < 0)
		return;
	if (!ioctl(fd, SIGMA_GET_WAKE_FAILURE, &failure) && failure.error)
		reason_of_wake(-(int)failure.error, &failure.why, why);
	close(fd);
}

int guest_violation(const char *name, struct sigma_violation *violation)
{
	int fd = open_in_state(name, SIGMA_STATE_CONTAINED), error;

	if (fd < 0)
		return fd;
	error = violation_get(fd, violation);
	close(fd);
	return error;
}

int guest_view(struct guest_view *guest, const char *name)
{
	memset(guest, 0, sizeof(*guest));
	if (!name_valid(name) ||
	    read_attr(name, "state", guest->state, sizeof(guest->state)))
		return -ENOENT;
	snprintf(guest->name, sizeof(guest->name), "%s", name);
	read_attr(name, "cpus", guest->cpus, sizeof(guest->cpus));
	read_attr(name, "cpus_lent", guest->cpus_lent, sizeof(guest->cpus_lent));
	read_attr(name, "release", guest->release, sizeof(guest->release));
	read_attr(name, "guard", guest->guard, sizeof(guest->guard));
	read_attr(name, "panic", guest->panic, sizeof(guest->panic));
	guest->memory = read_number(name, "memory");
	guest->heartbeat = read_number(name, "heartbeat");
	guest->doorbells_sent = read_number(name, "doorbells_sent");
	guest->ipis_sent = read_number(name, "ipis_sent");
	guest->doorbells_received = read_number(name, "doorbells_received");
	guest->interrupts_received = read_number(name, "interrupts_received");
	return 0;
}

static int is_guest(const struct dirent *entry)
{
	return name_valid(entry->d_name);
}

int guest_views(struct guest_view **guests)
{
	struct dirent **entries;
	int nr, found = 0;

	*guests = NULL;
	nr = scandir(SYSFS, &entries, is_guest, alphasort);
	if (nr < 0)
		return errno == ENOENT ? 0 : -errno;
	*guests = calloc(nr + 1, sizeof(**guests));
	for (int i = 0; i < nr; i++) {
		/* Leave out guests that were destroyed meanwhile */
		if (*guests && !guest_view(&(*guests)[found], entries[i]->d_name))
			found++;
		free(entries[i]);
	}
	free(entries);
	return *guests ? found : -ENOMEM;
}

bool guest_has_file(const char *name)
{
	char path[sizeof(GUEST_FILES) + SIGMA_NAME_MAX + sizeof(GUEST_SUFFIX)];

	snprintf(path, sizeof(path), GUEST_FILES "/%s" GUEST_SUFFIX, name);
	return !access(path, F_OK);
}

static int is_guest_file(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name), suffix = strlen(GUEST_SUFFIX);

	return len > suffix && !strcmp(entry->d_name + len - suffix, GUEST_SUFFIX) &&
	       guestfile_name_valid(entry->d_name, len - suffix);
}

static int compare_names(const void *a, const void *b)
{
	const struct guest_view *one = a, *other = b;

	return strcmp(one->name, other->name);
}

int guest_views_all(struct guest_view **guests)
{
	int nr = guest_views(guests), found = nr, files;
	struct dirent **entries;
	struct guest_view *all;

	if (nr < 0)
		return nr;
	files = scandir(GUEST_FILES, &entries, is_guest_file, NULL);
	if (files < 0 && errno == ENOENT)
		return nr;
	if (files < 0) {
		int error = -errno;

		free(*guests);
		return error;
	}
	all = realloc(*guests, (nr + files + 1) * sizeof(*all));
	if (all)
		*guests = all;
	for (int i = 0; i < files; i++) {
		struct guest_view off = { .state = GUEST_OFF };

		memcpy(off.name, entries[i]->d_name,
		       strlen(entries[i]->d_name) - strlen(GUEST_SUFFIX));
		if (all && !bsearch(&off, all, nr, sizeof(off), compare_names))
			all[found++] = off;
		free(entries[i]);
	}
	free(entries);
	if (!all) {
		free(*guests);
		return -ENOMEM;
	}
	qsort(all, found, sizeof(*all), compare_names);
	return found;
}

int guest_check(const char *name)
{
	struct guest_view guest;

	if (!name_valid(name))
		return complain(EXIT_USAGE, "\"%s\": " GUEST_NAME_RULE, name);
	if (!guest_view(&guest, name))
		return EXIT_OK;
	if (access(SYSFS, F_OK))
		return complain(EXIT_NO_GUEST, "%s: no such guest: sigma.ko is not loaded; 'sigmactl check' says what this machine can do",
				name);
	return complain(EXIT_NO_GUEST, "%s: no such guest; 'sigmactl list' shows all guests, 'sigmactl start %s' starts this one",
			name, name);
}

/* A descriptor; -ESRCH, not reported, if the guest is gone meanwhile; or a reported -errno */
static int open_device(const char *device, const char *name)
{
	char path[sizeof(SIGMA_DEVICES_DIR) + SIGMA_NAME_MAX + 1];
	struct guest_view guest;
	int fd, error;

	snprintf(path, sizeof(path), SIGMA_DEVICES_DIR "/%s", device);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	error = -errno;
	if (guest_view(&guest, name))
		return -ESRCH;
	return complain(error, "%s: cannot open %s: %s%s", name, path, strerror(-error),
			error == -EACCES ?
			"; be root, or join the group '" RUNDIR_GROUP "'" : "");
}

int guest_device(const char *name)
{
	return open_device(name, name);
}

static int destroy(int control, const char *name)
{
	const struct timespec wait = { .tv_nsec = BUSY_WAIT_MS * 1000 * 1000 };
	char why[256];
	int error;

	for (int i = 0; i < BUSY_TRIES; i++) {
		error = control_give_back(control, name, why, sizeof(why));
		if (error != -EBUSY)
			break;
		nanosleep(&wait, NULL);
	}
	return error ? complain(error, "%s: %s", name, why) : 0;
}

int guest_remove(const char *name)
{
	int fd, control, error;

	control = open_device(CONTROL, name);
	if (control < 0)
		return control == -ESRCH ? 1 : control;
	fd = guest_device(name);
	if (fd < 0) {
		error = fd == -ESRCH ? 1 : fd;
		goto close_control;
	}
	/* If this fails, destroy() fails for the same reason and reports it */
	ioctl(fd, SIGMA_STOP);
	close(fd);
	error = destroy(control, name);
close_control:
	close(control);
	return error;
}
