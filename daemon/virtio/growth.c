// SPDX-License-Identifier: GPL-2.0
/* Notices that a disk may have grown: see growth.h. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "disk.h"
#include "growth.h"

#define KERNEL_GROUP	1	/* what the kernel sends; udevd's own are in another one */
#define UEVENT_MAX	8192	/* lib/kobject_uevent.c sends less */
#define AT_ONCE		64	/* uevents that are read before the event loop goes on */

/* A uevent begins like "change@/devices/", and has strings like "MAJOR=8" behind that */
static struct sock_filter changes[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 'c' << 24 | 'h' << 16 | 'a' << 8 | 'n', 0, 3),
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 4),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 'g' << 24 | 'e' << 16 | '@' << 8 | '/', 0, 1),
	BPF_STMT(BPF_RET | BPF_K, ~0U),
	BPF_STMT(BPF_RET | BPF_K, 0),
};

static int on_file(sd_event_source *source, const struct inotify_event *event, void *data)
{
	struct growth *growth = data;

	growth->look(growth->data);
	return 0;
}

/* @text ends with a NUL */
static bool is_about(dev_t device, const char *text, size_t len)
{
	int of_major = -1, of_minor = -1;
	bool block = false;

	for (const char *at = text; at < text + len; at += strlen(at) + 1) {
		sscanf(at, "MAJOR=%d", &of_major);
		sscanf(at, "MINOR=%d", &of_minor);
		block |= !strcmp(at, "SUBSYSTEM=block");
	}
	return block && makedev(of_major, of_minor) == device;
}

/* Anybody may send these, since all that follows is a look at the size */
static int on_uevent(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct growth *growth = data;
	char text[UEVENT_MAX + 1];
	bool changed = false;

	for (unsigned int i = 0; i < AT_ONCE; i++) {
		ssize_t len = recv(fd, text, UEVENT_MAX, MSG_DONTWAIT);

		if (len < 0 && errno == EINTR)
			continue;
		/* Some were lost, of which one may have been about this device */
		if (len < 0 && errno == ENOBUFS)
			changed = true;
		else if (len < 0)
			break;
		if (len > 0) {
			text[len] = '\0';
			changed |= is_about(growth->device, text, len);
		}
	}
	if (changed)
		growth->look(growth->data);
	return 0;
}

static int watch_file(struct growth *growth, sd_event *event, const struct disk *disk)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", disk->fd);
	return sd_event_add_inotify(event, &growth->source, path, IN_CLOSE_WRITE, on_file, growth);
}

static int watch_device(struct growth *growth, sd_event *event, const struct disk *disk)
{
	const struct sockaddr_nl addr = { .nl_family = AF_NETLINK, .nl_groups = KERNEL_GROUP };
	const struct sock_fprog filter = { sizeof(changes) / sizeof(*changes), changes };
	struct stat st;
	int error;

	growth->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
			    NETLINK_KOBJECT_UEVENT);
	if (growth->fd < 0)
		return -errno;
	if (fstat(disk->fd, &st) ||
	    setsockopt(growth->fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) ||
	    bind(growth->fd, (const struct sockaddr *)&addr, sizeof(addr))) {
		error = -errno;
		goto close_fd;
	}
	growth->device = st.st_rdev;
	error = sd_event_add_io(event, &growth->source, growth->fd, EPOLLIN, on_uevent, growth);
	if (error >= 0)
		return 0;
close_fd:
	close(growth->fd);
	return error;
}

int growth_watch(struct growth *growth, sd_event *event, const struct disk *disk,
		 void (*look)(void *data), void *data)
{
	int error;

	*growth = (struct growth){ .fd = -1, .look = look, .data = data };
	error = disk->block_device ? watch_device(growth, event, disk) :
		watch_file(growth, event, disk);
	if (error < 0)
		*growth = (struct growth){};
	return error < 0 ? error : 0;
}

void growth_end(struct growth *growth)
{
	if (!growth->source)
		return;
	sd_event_source_disable_unref(growth->source);
	if (growth->fd >= 0)
		close(growth->fd);
	*growth = (struct growth){};
}
