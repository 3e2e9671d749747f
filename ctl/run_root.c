// SPDX-License-Identifier: GPL-2.0
/*
 * The root of a run: see run_root.h.
 *
 * RUN_ROOTS has a folder for each guest whose root was unpacked, with the guest's name. Its user holds
 * a lock on it. It is left over once nobody does and there is no such guest: a process that was killed
 * is gone before its guest. RUN_ROOTS itself is locked while such folders are made and removed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../common/control.h"
#include "../common/program.h"
#include "ctl.h"
#include "in_root.h"
#include "run_root.h"

#define PARENT	"/var/lib/sigma"
#define ROOT	"root"
#define LAYOUT	"layout"	/* of an image that came as an archive */

/* rm(1) copes with trees of any depth, and a guest may have made such. 0 or a reported -EIO */
static int remove_folder(const char *name)
{
	static const char *const usual[] = { "/usr/bin", "/bin", NULL };
	char program[PATH_MAX], path[PATH_MAX];
	char *argv[] = { program, "-rf", "--one-file-system", "--", path, NULL };
	int how = 0;
	pid_t pid;

	snprintf(path, sizeof(path), RUN_ROOTS "/%s", name);
	if (!program_find(program, "rm", usual) &&
	    !posix_spawn(&pid, program, NULL, NULL, argv, program_environment) &&
	    waitpid(pid, &how, 0) == pid && WIFEXITED(how) && !WEXITSTATUS(how))
		return 0;
	return complain(-EIO, "%s: cannot remove it; remove it yourself", path);
}

static void remove_all_left(int roots)
{
	int copy = openat(roots, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *entry;
	int fd;

	while (dir && (entry = readdir(dir))) {
		if (*entry->d_name == '.' || control_has_guest(entry->d_name))
			continue;
		fd = openat(roots, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			continue;
		/* Its guest may have come, and its user have gone, before the lock was free */
		if (!flock(fd, LOCK_EX | LOCK_NB) && !control_has_guest(entry->d_name))
			remove_folder(entry->d_name);
		close(fd);
	}
	if (dir)
		closedir(dir);
}

/* Locked. -ENOENT: there is none. Not reported */
static int open_roots(void)
{
	int fd = open(RUN_ROOTS, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), error;

	if (fd >= 0 && !flock(fd, LOCK_EX))
		return fd;
	error = -errno;
	if (fd >= 0)
		close(fd);
	return error;
}

void run_root_remove_left(void)
{
	int roots = open_roots();

	if (roots < 0)
		return;
	remove_all_left(roots);
	close(roots);
}

/* Make the folder of this guest, and lock it. 0 or -errno */
static int make_folder(struct run_root *root)
{
	int roots, error = 0;

	if ((mkdir(PARENT, 0755) && errno != EEXIST) ||
	    (mkdir(RUN_ROOTS, 0700) && errno != EEXIST))
		return -errno;
	roots = open_roots();
	if (roots < 0)
		return roots;
	remove_all_left(roots);
	/* Programs with set-user-ID bits, devices of others: nobody else gets in */
	if (fchmod(roots, 0700) || mkdirat(roots, root->name, 0700))
		error = -errno;
	if (!error) {
		root->lock = openat(roots, root->name,
				    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (root->lock < 0 || flock(root->lock, LOCK_EX | LOCK_NB))
			error = -errno;
	}
	close(roots);
	return error;
}

/* A folder in that of the guest. A descriptor, or a reported -errno */
static int make_in(const struct run_root *root, const char *name)
{
	int fd = -1;

	if (!mkdirat(root->lock, name, 0755))
		fd = openat(root->lock, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? complain(-errno, RUN_ROOTS "/%s/%s: cannot make it: %s", root->name, name,
				 strerror(errno)) : fd;
}

/*
 * What podman(1) makes in the root of each container: where the guest's init mounts file systems, and
 * the program's folder. 0 or a reported -errno
 */
static int complete(const struct run_root *root, int folder)
{
	const char *const needed[] = {
		"/dev", "/proc", "/run", "/sys", "/tmp", "/etc", root->image.workdir,
	};
	int fd;

	for (size_t i = 0; i < sizeof(needed) / sizeof(*needed); i++) {
		fd = needed[i] ? in_root_make_folder(folder, needed[i]) : -1;
		if (needed[i] && fd < 0)
			return complain(fd, "%s: cannot make this folder in the root: %s",
					needed[i], strerror(-fd));
		if (fd >= 0)
			close(fd);
	}
	return 0;
}

static int unpack_image(struct run_root *root, int layout, const char *what, const char *tag,
			struct unpack_report *report)
{
	int folder = make_in(root, ROOT), error;

	if (folder < 0)
		return folder;
	root->has_image = true;
	error = image_unpack(layout, what, tag, folder, &root->image, report) ?:
		complete(root, folder);
	close(folder);
	return error;
}

/* The archive was that of an image, and not of a root */
static int unpack_again(struct run_root *root, const char *what, const char *tag,
			struct unpack_report *report)
{
	char path[PATH_MAX];
	int layout, error;

	if (renameat(root->lock, ROOT, root->lock, LAYOUT))
		return complain(-errno, "%s: cannot unpack it: %s", what, strerror(errno));
	layout = openat(root->lock, LAYOUT, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (layout < 0)
		return complain(-errno, "%s: cannot unpack it: %s", what, strerror(errno));
	error = unpack_image(root, layout, what, tag, report);
	close(layout);
	snprintf(path, sizeof(path), "%s/" LAYOUT, root->name);
	return error ?: remove_folder(path);
}

/* As "docker save" of Docker before 25 makes it */
static bool is_docker_archive(int folder)
{
	return !faccessat(folder, "manifest.json", F_OK, AT_SYMLINK_NOFOLLOW) &&
	       faccessat(folder, "etc", F_OK, AT_SYMLINK_NOFOLLOW);
}

static int unpack_archive(struct run_root *root, int fd, const char *what, const char *tag,
			  struct unpack_report *report)
{
	int folder = make_in(root, ROOT), error;
	bool again;

	if (folder < 0)
		return folder;
	error = unpack(folder, fd, what, false, report);
	again = !error && image_is_layout(folder);
	if (!error && !again && is_docker_archive(folder))
		error = complain(-EINVAL, "%s: an archive of Docker; make an image of OCI from it: 'skopeo copy docker-archive:%s oci:FOLDER'",
				 what, what);
	else if (!error && !again && tag)
		error = complain(-EINVAL, "%s: is no image, so it has no tag %s; leave that out", what,
				 tag);
	else if (!error && !again)
		error = complete(root, folder);
	close(folder);
	return again ? unpack_again(root, what, tag, report) : error;
}

/* @fd: of the archive or the layout. 0, or a reported -errno */
static int unpack_root(struct run_root *root, int fd, bool archive, const char *what,
		       const char *tag)
{
	struct unpack_report report = {};
	/* The root is searched by users of the guest, whatever the mask of its starter */
	const mode_t mask = umask(022);
	int error = make_folder(root);

	if (error) {
		umask(mask);
		return complain(error, RUN_ROOTS "/%s: cannot make it: %s", root->name,
				strerror(-error));
	}
	error = unpack_limit(&report, root->lock);
	if (!error)
		error = archive ? unpack_archive(root, fd, what, tag, &report) :
				  unpack_image(root, fd, what, tag, &report);
	umask(mask);
	if (!error && report.devices)
		complain(0, "%s: %u device files are left out; the guest has a /dev of its own", what,
			 report.devices);
	snprintf(root->path, sizeof(root->path), RUN_ROOTS "/%s/" ROOT, root->name);
	return error;
}

/* "PATH", or "PATH:TAG". A descriptor, or a reported -errno; a colon may also be in a path */
static int open_what(const char *what, char path[PATH_MAX], const char **tag)
{
	const char *colon = strrchr(what, ':');
	int fd = open(what, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	*tag = NULL;
	snprintf(path, PATH_MAX, "%s", what);
	if (fd < 0 && errno == ENOENT && colon && colon > what && colon[1]) {
		snprintf(path, PATH_MAX, "%.*s", (int)(colon - what), what);
		*tag = colon + 1;
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	}
	if (fd < 0)
		return complain(-errno, "run: --rootfs=%s: %s; give a folder, a tar archive, or an OCI image",
				what, strerror(errno));
	return fd;
}

int run_root_open(struct run_root *root, const char *what, const char *name)
{
	char path[PATH_MAX];
	const char *tag;
	struct stat st;
	int fd, error;

	*root = (struct run_root) { .lock = -1, .name = name };
	fd = open_what(what, path, &tag);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) || (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))) {
		error = complain(-EINVAL, "run: --rootfs=%s: neither a folder nor a file", what);
	} else if (S_ISREG(st.st_mode) || image_is_layout(fd)) {
		error = unpack_root(root, fd, S_ISREG(st.st_mode), path, tag);
	} else {
		error = tag ? complain(-EINVAL, "run: --rootfs=%s: is no image, so it has no tag", what) : 0;
		snprintf(root->path, sizeof(root->path), "%s", path);
	}
	close(fd);
	if (error)
		run_root_close(root, false);
	return error;
}

void run_root_close(struct run_root *root, bool keep)
{
	image_free(&root->image);
	if (root->lock < 0)
		return;
	if (!keep && !control_has_guest(root->name))
		remove_folder(root->name);
	close(root->lock);
	root->lock = -1;
}
