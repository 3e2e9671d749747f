// SPDX-License-Identifier: GPL-2.0
/*
 * Who is at the other end of a connection: as the kernel noted it when they connected, with the groups
 * that this process of theirs had, which may be others than those in the table of groups.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "users.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD	77	/* Linux 6.5 */
#endif

/* Of the process itself, from its first moment; on older kernels of whoever has its ID now */
static int open_peer(int socket, pid_t pid)
{
	socklen_t len = sizeof(int);
	int pidfd;

	if (!getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &len))
		return pidfd;
	return pidfd_open(pid, 0);
}

static bool same_namespace(pid_t pid, const char *kind)
{
	char path[64];
	struct stat own, other;

	snprintf(path, sizeof(path), "/proc/self/ns/%s", kind);
	if (stat(path, &own))
		return false;
	snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, kind);
	return !stat(path, &other) && own.st_dev == other.st_dev && own.st_ino == other.st_ino;
}

/* Files, network and users are those of the service. So a sandbox has no way out by it */
static int check_namespaces(int socket, pid_t pid, char why[USERS_WHY_MAX])
{
	struct pollfd process = { .fd = open_peer(socket, pid), .events = POLLIN };
	bool same;
	int error = 0;

	if (process.fd < 0) {
		snprintf(why, USERS_WHY_MAX, "sigmactl has ended");
		return -ESRCH;
	}
	same = same_namespace(pid, "mnt") && same_namespace(pid, "net") &&
	       same_namespace(pid, "user");
	/* If it lives now, it was the process of this ID until now */
	if (poll(&process, 1, 0)) {
		snprintf(why, USERS_WHY_MAX, "sigmactl has ended");
		error = -ESRCH;
	} else if (!same) {
		snprintf(why, USERS_WHY_MAX, "sigmactl is in a container or a sandbox: it has mounts, a network or users of its own, and the guest would have the host's; run it outside");
		error = -EPERM;
	}
	close(process.fd);
	return error;
}

int users_peer(int socket, struct owner *owner, char why[USERS_WHY_MAX])
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	*owner = (struct owner){};
	if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &len)) {
		snprintf(why, USERS_WHY_MAX, "cannot find out who you are: %s", strerror(errno));
		return -errno;
	}
	owner->uid = peer.uid;
	owner->gid = peer.gid;
	len = sizeof(owner->groups);
	if (getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, owner->groups, &len)) {
		/* Left out, one could give rights: a file may keep a group out */
		snprintf(why, USERS_WHY_MAX, "cannot find out your groups: %s; you may be in %d at most",
			 strerror(errno), OWNER_GROUPS_MAX);
		return -errno;
	}
	owner->nr_groups = len / sizeof(*owner->groups);
	if (!owner->uid) {
		snprintf(why, USERS_WHY_MAX, "root needs no service to start guests");
		return -EINVAL;
	}
	return check_namespaces(socket, peer.pid, why);
}
