// SPDX-License-Identifier: GPL-2.0
/*
 * Runs systemctl(1) and does not talk to systemd directly: systemctl also works in a chroot or an
 * image in which systemd does not run.
 */
#include <errno.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctl.h"

int systemctl(const char *verb, const char *option, const char *name, const char *remedy)
{
	char unit[sizeof("sigma@.service") + SIGMA_NAME_MAX];
	char *argv[] = { "systemctl", (char *)verb, (char *)option, unit, NULL };
	int error, how;
	pid_t pid;

	snprintf(unit, sizeof(unit), "sigma@%s.service", name);
	error = posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ);
	if (error)
		return complain(EXIT_FAILED, "%s: cannot run systemctl: %s; %s", name,
				strerror(error), remedy);
	if (waitpid(pid, &how, 0) < 0)
		return complain(EXIT_FAILED, "%s: cannot wait for systemctl: %s", name,
				strerror(errno));
	if (WIFEXITED(how) && !WEXITSTATUS(how))
		return EXIT_OK;
	return complain(EXIT_FAILED, "%s: systemctl %s %s failed; see its message", name, verb, unit);
}
