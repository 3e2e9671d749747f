// SPDX-License-Identifier: GPL-2.0
/*
 * The device of the root file system. It appears some time after sigma_guest.ko was loaded, when
 * sigmad has answered. So init waits for the kernel's uevents and checks again after each. When
 * the event arrives, devtmpfs has the node already.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "init.h"

#define UEVENT_GROUP	1	/* the kernel's own, not udev's */
#define UEVENT_MAX	8192
#define LOOK_AGAIN_MS	250	/* for changes without a uevent */

static int uevents = -1;

int root_listen(void)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK, .nl_groups = UEVENT_GROUP };

	uevents = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			 NETLINK_KOBJECT_UEVENT);
	if (uevents < 0)
		return -errno;
	if (bind(uevents, (struct sockaddr *)&addr, sizeof(addr))) {
		int error = -errno;

		close(uevents);
		uevents = -1;
		return error;
	}
	return 0;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool root_wait(bool (*done)(void *data), void *data, unsigned int seconds)
{
	int64_t end = now_ms() + (int64_t)seconds * 1000;
	struct pollfd pfd = { .fd = uevents, .events = POLLIN };
	char event[UEVENT_MAX];

	while (!done(data)) {
		if (now_ms() >= end)
			return false;
		/* Without the socket (fd -1) this is a plain sleep */
		poll(&pfd, 1, LOOK_AGAIN_MS);
		/* The contents of events do not matter, so dropped ones do no harm */
		while (recv(uevents, event, sizeof(event), 0) > 0)
			;
	}
	return true;
}

/* Open the node of a block device. Return: the descriptor, or -1 */
static int open_node(char *path, size_t size, const char *name)
{
	if (snprintf(path, size, "/dev/%s", name) >= (int)size)
		return -1;
	return open(path, O_RDONLY | O_CLOEXEC);
}

static bool is_block_device(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISBLK(st.st_mode);
}

static bool find_by_super(struct root_device *root, const char *name)
{
	int fd = open_node(root->path, sizeof(root->path), name);
	struct super super;
	bool found;

	if (fd < 0)
		return false;
	found = super_read(&super, fd) && super_matches(&super, root->spec);
	close(fd);
	return found;
}

/* A disk has its node before the kernel has read its partition table */
static bool find_by_partition(struct root_device *root, const char *name)
{
	unsigned int number = 0;
	int fd, block_size;
	size_t len;

	fd = open_node(root->path, sizeof(root->path), name);
	if (fd < 0)
		return false;
	if (!ioctl(fd, BLKSSZGET, &block_size))
		number = partition_find(fd, block_size, root->spec);
	close(fd);
	if (!number)
		return false;
	len = strlen(root->path);
	snprintf(root->path + len, sizeof(root->path) - len, "%s%u",
		 isdigit((unsigned char)root->path[len - 1]) ? "p" : "", number);
	return is_block_device(root->path);
}

/* alphasort() would bring the locales into this program */
static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* In the order of the names, so that of several devices it is always the same one */
static bool find_on_devices(struct root_device *root,
			    bool (*find)(struct root_device *root, const char *name))
{
	struct dirent **devices;
	bool found = false;
	int nr;

	nr = scandir("/sys/class/block", &devices, NULL, by_name);
	if (nr < 0)
		return false;
	for (int i = 0; i < nr; i++) {
		if (!found && devices[i]->d_name[0] != '.')
			found = find(root, devices[i]->d_name);
		free(devices[i]);
	}
	free(devices);
	return found;
}

bool root_spec_valid(const char *spec)
{
	static const char *const names[] = { "UUID", "LABEL", "PARTUUID", "PARTLABEL" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (value_of(spec, names[i]))
			return true;
	return !strncmp(spec, "/dev/", 5) || !strcmp(spec, ROOT_AUTO);
}

bool root_find(void *data)
{
	struct root_device *root = data;

	if (!strncmp(root->spec, "PART", 4) || !strcmp(root->spec, ROOT_AUTO))
		return find_on_devices(root, find_by_partition);
	if (root->spec[0] != '/')
		return find_on_devices(root, find_by_super);
	return is_block_device(root->spec) &&
	       snprintf(root->path, sizeof(root->path), "%s", root->spec) <
	       (int)sizeof(root->path);
}

const char *root_type(const struct root_device *root)
{
	int fd = open(root->path, O_RDONLY | O_CLOEXEC);
	struct super super;
	bool known;

	if (fd < 0)
		return NULL;
	known = super_read(&super, fd);
	close(fd);
	return known ? super.type : NULL;
}
