// SPDX-License-Identifier: GPL-2.0
/*
 * Runs virtiofsd: see virtiofsd.h.
 *
 * A read-only share is mounted read-only in the mount namespace of virtiofsd. This works with each
 * version of virtiofsd.
 *
 * virtiofsd makes the folder the root of its mount namespace, which it cannot do with the folder that
 * is the root already. So the host's root is mounted a second time.
 *
 * If the guest has an owner other than root, the share is the host's root, as they see it. virtiofsd
 * is a process of theirs, and needs no sandbox against more rights. What is hidden from it is what it
 * could use against itself, or the guest for another thing than files: processes, devices, sockets.
 *
 * There are two programs of this name with different options: the older one in C, of QEMU up to 7.2
 * (as in Debian 12), and the one in Rust.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../common/program.h"
#include "../../common/rundir.h"
#include "kernel_mounts.h"
#include "virtiofsd.h"

#define PROGRAM		"virtiofsd"
#define HOST_ROOT	RUNDIR "/.root"	/* where the host's root is mounted a second time */
#define FILES_MAX	1000000		/* virtiofsd has each file open that the guest has cached */
#define OWNER_FILES_MAX	65536		/* the same, where the guest has an owner */
#define MODE_NOTHING	"mode=555,size=4k,nr_inodes=2"

/* What it has of its owner's guest: what it needs to begin, and one by which nobody may trace it */
#define MARK		(1ULL << CAP_NET_BIND_SERVICE)
#define TO_BEGIN	(1ULL << CAP_SYS_CHROOT | 1ULL << CAP_SETPCAP)
#define MARK_ALONE	"modcaps=+net_bind_service:-chown:-dac_override:-fowner:-fsetid:-setgid:" \
			"-setuid:-mknod:-setfcap,sandbox=chroot,"

/**
 * struct served - for the new process, before exec
 * @hidden: paths that are to be empty, and a NULL; NULL: none
 */
struct served {
	const struct guest_share *share;
	char **hidden;
};

/* Is it the one in Rust? Only that one has this capability */
static bool has_separate_options(char *path)
{
	char *argv[] = { path, "--print-capabilities", NULL };

	return program_says(argv, "\"separate-options\"");
}

static bool is_root(const char *path)
{
	return path[strspn(path, "/")] == '\0';
}

/* The folder that virtiofsd is told to serve */
static const char *served_path(const struct guest_share *share)
{
	return is_root(share->path) ? HOST_ROOT : share->path;
}

/* For struct backend_command: called in the new process, before exec */
static const char *prepare(const void *data)
{
	/* What the host mounts later would come here with its own flags, and could be written to */
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY, .propagation = MS_PRIVATE };
	const struct guest_share *share = ((const struct served *)data)->share;
	const char *path = served_path(share);

	if (access(share->path, R_OK | X_OK))
		return "the user who started the guest cannot read the folder";
	if ((share->read_only || is_root(share->path)) &&
	    mount(share->path, path, NULL, MS_BIND | MS_REC, NULL))
		return "cannot mount the folder once more";
	if (share->read_only &&
	    mount_setattr(AT_FDCWD, path, AT_RECURSIVE, &attr, sizeof(attr)))
		return "cannot make the folder read-only";
	return NULL;
}

static bool hide(const char *folder)
{
	const unsigned long flags = MS_RDONLY | MS_NODEV | MS_NOSUID | MS_NOEXEC;

	/* It may have been a file that was mounted, of which no program makes use */
	return !mount("tmpfs", folder, "tmpfs", flags, MODE_NOTHING) || errno == ENOENT ||
	       errno == ENOTDIR;
}

/*
 * The same, where the guest has an owner. It is still root that does this. The virtiofsd in Rust has
 * no sandbox then, and hands names of a hostile guest to mkdirat(2) and its like as they come, also
 * "/x" and "../x": so what is not below the folder that is served cannot be written to. And what the
 * host mounts later does not come here.
 */
static const char *prepare_owned(const void *data)
{
	const struct served *what = data;
	const struct guest_share *share = what->share;
	const uint64_t kept_out = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID;
	struct mount_attr served = { .attr_set = kept_out, .propagation = MS_PRIVATE };
	struct mount_attr rest = {
		.attr_set = kept_out | MOUNT_ATTR_RDONLY, .propagation = MS_PRIVATE,
	};
	int tree;

	if (share->read_only)
		served.attr_set |= MOUNT_ATTR_RDONLY;
	tree = open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	if (tree < 0)
		return "cannot mount the root once more";
	if (mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &served, sizeof(served)) ||
	    mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &rest, sizeof(rest)))
		return "cannot keep devices out of the root";
	if (move_mount(tree, "", AT_FDCWD, HOST_ROOT, MOVE_MOUNT_F_EMPTY_PATH))
		return "cannot mount the root once more";
	close(tree);
	if (!hide(HOST_ROOT "/proc") || !hide(HOST_ROOT "/sys") || !hide(HOST_ROOT "/dev") ||
	    !hide(HOST_ROOT "/run"))
		return "cannot hide what is no file from the guest";
	for (char **path = what->hidden; *path; path++)
		if (!hide(*path))
			return "cannot hide what is no file from the guest";
	return NULL;
}

/*
 * The options that the share's keys ask for. ACLs are extended attributes: neither program takes
 * --posix-acl alone.
 */
enum { XATTR, ACL, SUBMOUNTS, NR_OPTIONS };

static void wanted_options(const struct guest_share *share, bool wanted[NR_OPTIONS])
{
	wanted[XATTR] = share->xattr || share->acl;
	wanted[ACL] = share->acl;
	wanted[SUBMOUNTS] = share->submounts;
}

/* Both programs have "auto" by default. What is "none" to the older one is "never" to the other */
static const char *cache_option(const struct guest_share *share, bool separate)
{
	switch (share->cache) {
	case CACHE_ALWAYS:
		return "cache=always,";
	case CACHE_NEVER:
		return separate ? "cache=never," : "cache=none,";
	default:
		return "cache=auto,";
	}
}

/* @argv: up to a NULL, behind which there is room */
static void add_one(char *argv[], char *option)
{
	while (*argv)
		argv++;
	*argv = option;
}

/* The program in Rust announces by default */
static void add_separate(char *argv[], const struct guest_share *share)
{
	static char *const options[NR_OPTIONS][2] = {
		[XATTR] = { NULL, "--xattr" },
		[ACL] = { NULL, "--posix-acl" },
		[SUBMOUNTS] = { "--no-announce-submounts", "--announce-submounts" },
	};
	bool wanted[NR_OPTIONS];

	wanted_options(share, wanted);
	for (unsigned int i = 0; i < NR_OPTIONS; i++)
		if (options[i][wanted[i]])
			add_one(argv, options[i][wanted[i]]);
}

/* The argument of -o */
static void join(char *to, size_t size, const struct guest_share *share)
{
	static const char *const options[NR_OPTIONS] = {
		"xattr,", "posix_acl,", "announce_submounts,",
	};
	bool wanted[NR_OPTIONS];

	wanted_options(share, wanted);
	snprintf(to, size, "%s%s%s%s%slog_level=err,source=%s", backend_owner() ? MARK_ALONE : "",
		 wanted[XATTR] ? options[XATTR] : "",
		 wanted[ACL] ? options[ACL] : "", wanted[SUBMOUNTS] ? options[SUBMOUNTS] : "",
		 cache_option(share, false), served_path(share));
}

int virtiofsd_find(char path[PATH_MAX])
{
	static const char *const usual[] = { "/usr/libexec", "/usr/lib/qemu", "/usr/lib", NULL };

	return program_find(path, PROGRAM, usual);
}

int virtiofsd_start(struct backend *server, sd_event *event, const struct guest_share *share,
		    uid_t starter, char why[BACKEND_WHY_MAX])
{
	char path[PATH_MAX], folder[PATH_MAX + 256], fd_option[16], serves[GUEST_TAG_MAX + 8];
	char cache[32];
	char *separate[9 + NR_OPTIONS] = {
		path, fd_option, "--rlimit-nofile=0", "--thread-pool-size=0", "--log-level=error",
		cache, folder,
	};
	char *joined[] = {
		path, fd_option, "--rlimit-nofile=0", "--thread-pool-size=0", "-o", folder, NULL
	};
	struct served what = { .share = share };
	struct backend_command command = {
		.name = PROGRAM, .serves = serves, .files_max = FILES_MAX,
		.prepare = prepare, .data = &what,
	};
	int connection, error;
	bool is_separate;

	error = virtiofsd_find(path);
	if (error) {
		snprintf(why, BACKEND_WHY_MAX, "there is no " PROGRAM "; install the package virtiofsd (Debian 12: qemu-system-common)");
		return error;
	}
	is_separate = has_separate_options(path);
	command.argv = is_separate ? separate : joined;
	if (backend_owner()) {
		/* Only the older one has a sandbox then, and gives up by itself what that takes */
		command.plain = is_separate ? MARK : MARK | TO_BEGIN;
		command.prepare = prepare_owned;
		command.files_max = OWNER_FILES_MAX;
	}
	snprintf(serves, sizeof(serves), "share %s", share->tag);
	snprintf(fd_option, sizeof(fd_option), "--fd=%d", BACKEND_FD);
	if (is_root(share->path) && mkdir(HOST_ROOT, 0700) && errno != EEXIST) {
		error = -errno;
		snprintf(why, BACKEND_WHY_MAX, "cannot make " HOST_ROOT ": %s", strerror(errno));
		return error;
	}
	if (is_separate) {
		snprintf(cache, sizeof(cache), "--%s", cache_option(share, true));
		cache[strcspn(cache, ",")] = '\0';
		snprintf(folder, sizeof(folder), "--shared-dir=%s", served_path(share));
		add_separate(separate, share);
		if (backend_owner())
			add_one(separate, "--sandbox=none");
	} else {
		join(folder, sizeof(folder), share);
	}

	what.hidden = backend_owner() ? kernel_mounts_find(HOST_ROOT) : NULL;
	if (backend_owner() && !what.hidden) {
		error = -errno;
		snprintf(why, BACKEND_WHY_MAX, "cannot see what is mounted: %s", strerror(errno));
		return error;
	}
	error = backend_sockets(&command.fd, &connection);
	if (error) {
		snprintf(why, BACKEND_WHY_MAX, "no socket for " PROGRAM ": %s", strerror(-error));
		goto free_hidden;
	}
	error = backend_start(server, event, &command, starter, why);
	close(command.fd);
	if (error)
		close(connection);
free_hidden:
	kernel_mounts_free(what.hidden);
	return error ?: connection;
}
