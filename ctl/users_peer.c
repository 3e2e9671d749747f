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
	return errno == ENOPROTOOPT ? pidfd_open(pid, 0) : -1;
}

static bool same_file(pid_t pid, const char *name)
{
	char path[64];
	struct stat own, other;

	snprintf(path, sizeof(path), "/proc/self/%s", name);
	if (stat(path, &own))
		return false;
	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return !stat(path, &other) && own.st_dev == other.st_dev && own.st_ino == other.st_ino;
}

/*
 * Is the process the user's, by each of its four IDs? io_uring connects with rights that a process
 * of other namespaces has lent it, and a program with a set-user-ID bit has two users
 */
static bool is_of(pid_t pid, const char *kind, uint32_t id)
{
	char path[64], line[256];
	unsigned int ids[4];
	bool same = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, kind, strlen(kind)) ||
		    sscanf(line + strlen(kind), "%u %u %u %u", &ids[0], &ids[1], &ids[2], &ids[3]) != 4)
			continue;
		same = ids[0] == id && ids[1] == id && ids[2] == id && ids[3] == id;
		break;
	}
	if (file)
		fclose(file);
	return same;
}

/* Files, network and users are those of the service. So a sandbox has no way out by it */
static int check_process(int socket, const struct ucred *peer, char why[USERS_WHY_MAX])
{
	const pid_t pid = peer->pid;
	struct pollfd process = { .fd = open_peer(socket, pid), .events = POLLIN };
	bool same, theirs;
	int error = 0;

	if (process.fd < 0) {
		snprintf(why, USERS_WHY_MAX, "sigmactl has ended");
		return -ESRCH;
	}
	same = same_file(pid, "ns/mnt") && same_file(pid, "ns/net") && same_file(pid, "ns/user") &&
	       same_file(pid, "root");
	theirs = is_of(pid, "Uid:", peer->uid) && is_of(pid, "Gid:", peer->gid);
	/* If it lives now, it was the process of this ID until now */
	if (poll(&process, 1, 0)) {
		snprintf(why, USERS_WHY_MAX, "sigmactl has ended");
		error = -ESRCH;
	} else if (!same) {
		snprintf(why, USERS_WHY_MAX, "sigmactl is in a container or a sandbox: it has a root, mounts, a network or users of its own, and the guest would have the host's; run it outside");
		error = -EPERM;
	} else if (!theirs) {
		snprintf(why, USERS_WHY_MAX, "sigmactl runs with the rights of more than one user or group; run it as one user");
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
	return check_process(socket, &peer, why);
}
