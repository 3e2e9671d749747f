// SPDX-License-Identifier: GPL-2.0
/* sigmactl nmi. sigma.ko sends the NMI, so this works without a sigmad. */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ctl.h"

static int run(const struct options *options, char **args)
{
	const char *name = args[0];
	int fd, error = 0, status;

	status = guest_check(name);
	if (status)
		return status;
	fd = guest_device(name);
	if (fd < 0)
		return fd == -ESRCH ? guest_check(name) : EXIT_FAILED;
	if (ioctl(fd, SIGMA_NMI))
		error = errno;
	close(fd);
	switch (error) {
	case 0:
		printf("%s: sent; 'sigmactl log --memory %s' shows where its boot CPU was\n", name,
		       name);
		return EXIT_OK;
	case EPIPE:
		return complain(EXIT_FAILED, "%s: its driver is not up, so that an NMI could reset the machine; 'sigmactl log --memory %s' shows how far it came",
				name, name);
	case EOPNOTSUPP:
		return complain(EXIT_FAILED, "%s: its driver does not take NMIs: install the sigma_guest.ko that belongs to this sigma.ko and start it anew",
				name);
	default:
		return complain(EXIT_FAILED, "%s: no NMI could be sent: %s", name, strerror(error));
	}
}

const struct verb verb_nmi = {
	.name = "nmi",
	.args = "NAME",
	.summary = "Have a guest that hangs log where it is",
	.help =
"Sends a non-maskable interrupt to the guest's boot CPU, which reaches it with its interrupts off,\n"
"too. The guest's driver logs a backtrace of what that CPU was at, and the guest goes on.\n"
"'sigmactl log --memory' reads it in the guest's memory, where a kernel that hangs leaves it.\n"
"\n"
"Only where the driver is up, since an NMI to a kernel that is not ready for one would reset the\n"
"machine. No guard stands in its way, since no guard takes NMIs from the guest.\n"
"\n"
"Examples:\n"
"  sigmactl nmi demo && sigmactl log --memory -n 40 demo\n",
	.nr_args = 1,
	.run = run,
};
