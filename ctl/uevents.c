// SPDX-License-Identifier: GPL-2.0
/*
 * The uevents of sigma.ko. It sends one when a guest is made, one for each change of the guest's
 * state, and one when the guest is gone and all that was lent is back.
 *
 * The socket receives the kernel's own messages. sd-device(3) would receive those that udevd passes
 * on, and so none on a machine without udevd.
 */
#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ctl.h"

#define UEVENT_GROUP	1		/* the kernel's own, not udevd's */
#define UEVENT_QUEUE	(1 << 20)	/* bytes of uevents that may wait in the socket */

int uevents_open(void)
{
	const struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = UEVENT_GROUP };
	const int queue = UEVENT_QUEUE;
	int fd;

	fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &queue, sizeof(queue)) ||
	    bind(fd, (const struct sockaddr *)&address, sizeof(address))) {
		int error = -errno;

		close(fd);
		return error;
	}
	return fd;
}

/* The value of @key in the text, a sequence of "KEY=value" strings that end with NUL; or NULL */
static const char *value(const struct uevent *uevent, size_t len, const char *key)
{
	size_t key_len = strlen(key);

	for (const char *at = uevent->text; at < uevent->text + len; at += strlen(at) + 1)
		if (!strncmp(at, key, key_len) && at[key_len] == '=')
			return at + key_len + 1;
	return NULL;
}

/* Is it about a guest? /dev/sigma/control is not a guest and has no state */
static bool is_of_guest(struct uevent *uevent, size_t len)
{
	const char *subsystem = value(uevent, len, "SUBSYSTEM");
	const char *path = value(uevent, len, "DEVPATH");

	uevent->action = value(uevent, len, "ACTION");
	uevent->state = value(uevent, len, "SIGMA_STATE");
	uevent->name = path ? strrchr(path, '/') : NULL;
	return subsystem && !strcmp(subsystem, "sigma") && uevent->action && uevent->state &&
	       uevent->name++;
}

int uevent_read(int fd, struct uevent *uevent)
{
	for (;;) {
		struct sockaddr_nl sender;
		socklen_t sender_len = sizeof(sender);
		ssize_t len = recvfrom(fd, uevent->text, sizeof(uevent->text) - 1, MSG_DONTWAIT,
				       (struct sockaddr *)&sender, &sender_len);

		if (len < 0)
			return errno == EAGAIN ? 0 : -errno;
		uevent->text[len] = '\0';
		if (!sender.nl_pid && is_of_guest(uevent, len))		/* 0: the kernel's */
			return 1;
	}
}
