// SPDX-License-Identifier: GPL-2.0
/*
 * sigmactl agent: puts the agent into a root folder, which may be the file system of a guest.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl.h"
#include "in_root.h"

#define UNIT		"sigma-agent.service"
#define PROGRAM		"sigma-agent"
#define UNITS		"../systemd/system"	/* beside SIGMA_LIBDIR */
#define UNITS_OF_GUEST	"/etc/systemd/system"
#define WANTS		UNITS_OF_GUEST "/multi-user.target.wants"
#define NEW		".new"

static int copy_all(int from, int to)
{
	ssize_t len;

	do
		len = sendfile(to, from, NULL, INT_MAX);
	while (len > 0);
	return len < 0 ? -errno : 0;
}

/* Copy a file into @folder, in place of one that may be there and in use. 0 or -errno */
static int copy_file(const char *source, int folder, const char *name, mode_t mode)
{
	char new[NAME_MAX];
	int from, to, error;

	from = open(source, O_RDONLY | O_CLOEXEC);
	if (from < 0)
		return complain(-errno, "%s: %s; it comes with SIGMA: install SIGMA again", source,
				strerror(errno));
	snprintf(new, sizeof(new), "%s" NEW, name);
	unlinkat(folder, new, 0);
	to = openat(folder, new, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	error = to < 0 ? -errno : copy_all(from, to);
	if (!error && (fchmod(to, mode) || fsync(to) || renameat(folder, new, folder, name)))
		error = -errno;
	if (to >= 0)
		close(to);
	close(from);
	if (error)
		unlinkat(folder, new, 0);
	return error ? complain(error, "%s: cannot write it: %s", name, strerror(-error)) : 0;
}

static int install_file(int root, const char *source, const char *folder, const char *name,
			mode_t mode)
{
	int error, fd = in_root_make_folder(root, folder);

	if (fd < 0)
		return complain(fd, "%s: cannot make this folder there: %s", folder, strerror(-fd));
	error = copy_file(source, fd, name, mode);
	close(fd);
	return error;
}

/* What "systemctl enable" does */
static int enable(int root)
{
	int error = 0, fd = in_root_make_folder(root, WANTS);

	if (fd < 0)
		return complain(fd, WANTS ": cannot make this folder there: %s", strerror(-fd));
	if (symlinkat(UNITS_OF_GUEST "/" UNIT, fd, UNIT) && errno != EEXIST)
		error = complain(-errno, WANTS "/" UNIT ": cannot make it: %s", strerror(errno));
	close(fd);
	return error;
}

static int install(const char *folder)
{
	const char *libdir = getenv("SIGMA_LIBDIR") ?: SIGMA_LIBDIR;
	char program[PATH_MAX], unit[PATH_MAX];
	int root, error;

	root = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return complain(EXIT_FAILED, "%s: %s; give the folder of a guest's root file system",
				folder, strerror(errno));
	snprintf(program, sizeof(program), "%s/" PROGRAM, libdir);
	snprintf(unit, sizeof(unit), "%s/" UNITS "/" UNIT, libdir);
	/* The unit names this path, too */
	error = install_file(root, program, SIGMA_LIBDIR, PROGRAM, 0755);
	if (!error)
		error = install_file(root, unit, UNITS_OF_GUEST, UNIT, 0644);
	if (!error)
		error = enable(root);
	close(root);
	return error ? EXIT_FAILED : EXIT_OK;
}

static int run(const struct options *options, char **args)
{
	if (strcmp(args[0], "install"))
		return complain(EXIT_USAGE, "agent %s: say 'agent install FOLDER'", args[0]);
	return install(args[1]);
}

DEFINE_VERB(agent) = {
	.name = "agent",
	.args = "install FOLDER",
	.summary = "Put the agent into the root file system of a guest",
	.help =
"The agent is what 'sigmactl exec', 'shell' and 'cp' need in a guest. The initrd that sigmad makes\n"
"has it, and starts it in any guest. A guest whose file has an Initrd= needs it in its root file\n"
"system. FOLDER is where that is mounted. The agent goes to " SIGMA_LIBDIR " there, and a systemd\n"
"unit to " UNITS_OF_GUEST ", enabled. Where SIGMA's package is installed in the guest, the agent is\n"
"there already.\n"
"\n"
"Examples:\n"
"  sigmactl agent install /mnt                   after 'mount -o loop web.img /mnt'\n",
	.nr_args = 2,
	.run = run,
};
