// SPDX-License-Identifier: GPL-2.0
/*
 * The device of the root file system. It appears some time after sigma_guest.ko was loaded, when
 * sigmad has answered. So init waits for the kernel's uevents and checks again after each. When
 * the event arrives, devtmpfs has the node already.
 */
#include <assert.h>
#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "init.h"

#define UEVENT_GROUP	1	/* the kernel's own, not udev's */
#define UEVENT_MAX	8192
#define LOOK_AGAIN_MS	250	/* for changes without a uevent */

/* ext2, ext3, ext4: Documentation/filesystems/ext4/super.rst */
#define EXT_SUPER_OFFSET	1024
#define EXT_MAGIC		0xef53

struct ext_super {
	uint8_t skipped[0x38];
	uint16_t magic;			/* little-endian */
	uint8_t skipped2[0x68 - 0x3a];
	uint8_t uuid[16];
	char label[16];			/* NUL-padded */
};

static_assert(offsetof(struct ext_super, uuid) == 0x68, "ext_super.uuid");
static_assert(offsetof(struct ext_super, label) == 0x78, "ext_super.label");

#define UUID_TEXT 37

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

static bool read_ext_super(const char *path, struct ext_super *super)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len;

	if (fd < 0)
		return false;
	len = pread(fd, super, sizeof(*super), EXT_SUPER_OFFSET);
	close(fd);
	return len == sizeof(*super) && le16toh(super->magic) == EXT_MAGIC;
}

static void format_uuid(char text[UUID_TEXT], const uint8_t uuid[16])
{
	for (unsigned int i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*text++ = '-';
		text += sprintf(text, "%02x", uuid[i]);
	}
}

static bool super_matches(const struct ext_super *super, const char *spec)
{
	char uuid[UUID_TEXT];

	if (!strncmp(spec, "LABEL=", 6)) {
		const char *label = spec + 6;
		size_t len = strnlen(super->label, sizeof(super->label));

		return len && strlen(label) == len && !memcmp(label, super->label, len);
	}
	format_uuid(uuid, super->uuid);
	return !strcasecmp(spec + 5, uuid);
}

static bool find_by_super(struct root_device *root)
{
	DIR *dir = opendir("/sys/class/block");
	struct dirent *entry;
	bool found = false;

	if (!dir)
		return false;
	while (!found && (entry = readdir(dir))) {
		struct ext_super super;
		int len = snprintf(root->path, sizeof(root->path), "/dev/%s", entry->d_name);

		found = entry->d_name[0] != '.' && len < (int)sizeof(root->path) &&
			read_ext_super(root->path, &super) && super_matches(&super, root->spec);
	}
	closedir(dir);
	return found;
}

bool root_spec_valid(const char *spec)
{
	return !strncmp(spec, "/dev/", 5) || !strncmp(spec, "UUID=", 5) ||
	       !strncmp(spec, "LABEL=", 6);
}

bool root_find(void *data)
{
	struct root_device *root = data;
	struct stat st;

	if (root->spec[0] != '/')
		return find_by_super(root);
	if (stat(root->spec, &st) || !S_ISBLK(st.st_mode))
		return false;
	return snprintf(root->path, sizeof(root->path), "%s", root->spec) <
	       (int)sizeof(root->path);
}
