// SPDX-License-Identifier: GPL-2.0
/* sigmactl restore. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "../common/control.h"
#include "../common/savefile.h"
#include "ctl.h"

#define TIMEOUT	(60 * USEC_PER_SEC)	/* for the guest to wake up */

/* The file is still there, so of the guest nothing is kept. Return: @status */
static int undo(int status, const char *name)
{
	if (control_has_guest(name) && guest_remove(name) >= 0) {
		rundir_remove(name);
		complain(0, "%s: everything was given back, and the file is as it was", name);
	}
	return status;
}

static int restore(int fd, const char *path, const struct options *options)
{
	uint64_t timeout = options->given & OPT_TIMEOUT ? options->timeout : TIMEOUT;
	char why[SAVE_WHY_MAX], name[SIGMA_NAME_MAX], size[32];
	struct save_head head;
	struct guest_view view;
	const bool copies = options->copy;
	bool refused;
	int status;

	if (save_head_read(fd, &head, why))
		return complain(EXIT_FAILED, "%s: %s", path, why);
	snprintf(name, sizeof(name), "%s", options->copy ?: head.name);
	if (!guest_view(&view, name))
		return complain(EXIT_FAILED, "%s: exists already, and is %s; 'sigmactl status %s' shows more",
				name, view.state, name);
	/* sigmad reads it from the beginning */
	if (lseek(fd, 0, SEEK_SET))
		return complain(EXIT_FAILED, "%s: cannot be read: %s", path, strerror(errno));
	status = sigmad_restore(name, fd, options->given & OPT_FORCE, copies);
	if (status)
		return undo(status, name);
	status = wake_guest(name, timeout, &refused);
	if (status)
		return refused ? undo(status, name) : status;
	status = copies ? identity_give(name, head.name) : EXIT_OK;
	if (!guest_view(&view, name))
		printf("%s: restored on cpu %s with %s\n", name, view.cpus, text_size(size, view.memory));
	return status;
}

static int run(const struct options *options, char **args)
{
	int fd, status;

	if (options->copy && !guestfile_name_valid(options->copy, strlen(options->copy)))
		return complain(EXIT_USAGE, "\"%s\": %s", options->copy, GUEST_NAME_RULE);
	fd = open(args[0], O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return complain(EXIT_FAILED, "%s: cannot be read: %s", args[0], strerror(errno));
	status = restore(fd, args[0], options);
	close(fd);
	return status;
}

DEFINE_VERB(restore) = {
	.name = "restore",
	.args = "FILE",
	.summary = "Make a guest from a file again, wake it, and wait",
	.help =
"FILE is one of 'sigmactl save'. The guest gets the CPUs and the places in memory that it had. If the host\n"
"or another guest has one of them, if the CPU is another one, or if the file is damaged, nothing is taken,\n"
"and the message tells why. The command returns when the guest's processes run; its clock is the host's\n"
"then. FILE stays.\n"
"\n"
"A guest whose disk was written to since is refused: it knows nothing of that, and would destroy the\n"
"disk's file systems. So a file serves once, unless the disks are put back, too. --force does not look.\n"
"\n"
"With --copy=NAME it is another guest, which has NAME, a host name, machine ID, AF_VSOCK CID and MAC\n"
"addresses of its own; its agent sees to that. It needs the same CPUs and places in memory, so the guest\n"
"that was saved must be gone, and it must not write to a disk, so all have ReadOnly=yes. Any number of\n"
"copies may follow each other: each begins where the guest was saved.\n"
"\n"
"Only root restores guests. A file is as powerful as a guest file and a kernel together: it names disks\n"
"and bridges, and without a guard it can take over the machine. Restore only what you have saved.\n"
"\n"
"Examples:\n"
"  sigmactl restore /var/lib/demo.saved\n"
"  sigmactl restore --copy=demo2 /var/lib/demo.saved\n",
	.accepts = OPT_TIMEOUT | OPT_FORCE | OPT_COPY,
	.nr_args = 1,
	.run = run,
};
