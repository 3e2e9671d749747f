// SPDX-License-Identifier: GPL-2.0
/*
 * Starts the agent. Before the root's init it becomes a process of that init. Without it the guest
 * runs, and 'sigmactl exec' on the host says that there is none.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "init.h"

pid_t agent_start(int file, bool once)
{
	char *argv[] = { "sigma-agent", once ? "--once" : NULL, NULL };
	pid_t pid = file < 0 ? -1 : fork();

	if (!pid) {
		fexecve(file, argv, environ);
		init_say(LEVEL_WARNING, "cannot start the agent: %s", strerror(errno));
		_exit(1);
	}
	if (pid < 0)
		init_say(LEVEL_WARNING, "no agent: %s", strerror(errno));
	if (file >= 0)
		close(file);
	return pid;
}
