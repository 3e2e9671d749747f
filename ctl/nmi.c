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
		return complain(EXIT_FAILED, "%s: its driver is not up, and without it an NMI could reset the machine; 'sigmactl log --memory %s' shows how far the guest got",
				name, name);
	case EOPNOTSUPP:
		return complain(EXIT_FAILED, "%s: its driver does not take NMIs; install the sigma_guest.ko that belongs to this sigma.ko, and start the guest again",
				name);
	default:
		return complain(EXIT_FAILED, "%s: no NMI could be sent: %s", name, strerror(error));
	}
}

DEFINE_VERB(nmi) = {
	.name = "nmi",
	.args = "NAME",
	.summary = "Make a guest that hangs log a backtrace",
	.help =
"A non-maskable interrupt (NMI) is sent to the guest's boot CPU. It arrives even when this CPU has\n"
"its interrupts off. The guest's driver then logs a backtrace of the CPU, and the guest goes on.\n"
"'sigmactl log --memory' shows the backtrace, also of a kernel that hangs.\n"
"\n"
"The driver must be up, since an NMI to a kernel that is not ready for one would reset the\n"
"machine. This works with every guard.\n"
"\n"
"Examples:\n"
"  sigmactl nmi demo && sigmactl log --memory -n 40 demo\n",
	.nr_args = 1,
	.run = run,
};
