// SPDX-License-Identifier: GPL-2.0
/*
 * Guests as sigma.ko shows them. What is in sysfs is there whether or not a sigmad
 * serves the guest, so it is where every verb looks first.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "ctl.h"

#define SYSFS		"/sys/class/sigma"
#define DEVICES		"/dev/sigma"
#define CONTROL		"control"	/* a device that is no guest */

/* A sigmad that was killed lets go of the guest's memory a moment later */
#define BUSY_TRIES	50
#define BUSY_WAIT_MS	100

bool guest_name_valid(const char *name)
{
	if (!isalnum((unsigned char)*name) || strlen(name) >= SIGMA_NAME_MAX ||
	    !strcmp(name, CONTROL))
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && !strchr("_.-", *name))
			return false;
	return true;
}

static int read_attr(const char *name, const char *attr, char *text, size_t size)
{
	char path[256];
	FILE *f;
	bool ok;

	snprintf(path, sizeof(path), SYSFS "/%s/%s", name, attr);
	*text = '\0';
	f = fopen(path, "re");
	if (!f)
		return -errno;
	ok = fgets(text, size, f);
	fclose(f);
	text[strcspn(text, "\n")] = '\0';
	return ok ? 0 : -EIO;
}

static uint64_t read_number(const char *name, const char *attr)
{
	char text[32];

	read_attr(name, attr, text, sizeof(text));
	return strtoull(text, NULL, 10);
}

int guest_view(struct guest_view *guest, const char *name)
{
	memset(guest, 0, sizeof(*guest));
	if (!guest_name_valid(name) ||
	    read_attr(name, "state", guest->state, sizeof(guest->state)))
		return -ENOENT;
	snprintf(guest->name, sizeof(guest->name), "%s", name);
	read_attr(name, "cpus", guest->cpus, sizeof(guest->cpus));
	read_attr(name, "release", guest->release, sizeof(guest->release));
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
	return guest_name_valid(entry->d_name);
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
		/* One that was destroyed since is left out */
		if (*guests && !guest_view(&(*guests)[found], entries[i]->d_name))
			found++;
		free(entries[i]);
	}
	free(entries);
	return *guests ? found : -ENOMEM;
}

int guest_check(const char *name)
{
	struct guest_view guest;

	if (!guest_name_valid(name))
		return complain(EXIT_USAGE, "'%s' is no guest's name: it begins with a letter or digit, then come letters, digits, '_', '.' and '-', less than %d in all",
				name, SIGMA_NAME_MAX);
	if (!guest_view(&guest, name))
		return EXIT_OK;
	if (access(SYSFS, F_OK))
		return complain(EXIT_NO_GUEST, "%s: no such guest: sigma.ko is not loaded; 'sigmactl check' says what this machine can do",
				name);
	return complain(EXIT_NO_GUEST, "%s: no such guest; 'sigmactl list' shows those there are, 'sigmactl start %s' starts it",
			name, name);
}

static int open_device(const char *name)
{
	char path[sizeof(DEVICES) + SIGMA_NAME_MAX + 1];
	int fd;

	snprintf(path, sizeof(path), DEVICES "/%s", name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	return complain(-errno, "cannot open %s: %s%s", path, strerror(errno),
			errno == EACCES ? "; be root, or in the group that owns it ('sigma')" :
			"");
}

static int destroy(int control, const char *name)
{
	const struct timespec wait = { .tv_nsec = BUSY_WAIT_MS * 1000 * 1000 };
	struct sigma_destroy arg = {};

	snprintf(arg.name, sizeof(arg.name), "%s", name);
	for (int i = 0; i < BUSY_TRIES; i++) {
		if (!ioctl(control, SIGMA_DESTROY, &arg) || errno == ENOENT)
			return 0;
		if (errno != EBUSY)
			break;
		nanosleep(&wait, NULL);
	}
	return -errno;
}

int guest_remove(const char *name)
{
	int fd, control, error;

	control = open_device(CONTROL);
	if (control < 0)
		return control;
	fd = open_device(name);
	if (fd < 0) {
		error = fd;
		goto close_control;
	}
	/* EIO is told by the destruction, which fails for the same reason */
	ioctl(fd, SIGMA_STOP);
	close(fd);

	error = destroy(control, name);
	if (error == -EIO)
		complain(error, "%s: a CPU did not answer INIT: it and the guest's memory stay lost to the host until the machine is restarted",
			 name);
	else if (error == -EBUSY)
		complain(error, "%s: stopped, but a process still has its memory open, so CPUs and memory stay lent; end that process and try again",
			 name);
	else if (error)
		complain(error, "%s: cannot be destroyed: %s", name, strerror(-error));
close_control:
	close(control);
	return error;
}
