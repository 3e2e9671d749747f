// SPDX-License-Identifier: GPL-2.0
/* Programs of verbs that are no more than parts of what these do: see agent.h. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"
#include "ctl.h"

pid_t agent_spawn(const char *name, char **argv, int in, int out, uint64_t usec)
{
	const struct agent_program program = { .argv = argv, .umask = -1, .tty = AGENT_TTY_NEVER };
	int null, socket = agent_connect(name, clock_deadline(usec));
	struct agent_end end;
	pid_t pid;

	if (socket < 0)
		return socket;
	pid = fork();
	if (pid) {
		close(socket);
		return pid < 0 ? complain(-errno, "no process: %s", strerror(errno)) : pid;
	}
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	dup2(in >= 0 ? in : null, STDIN_FILENO);
	dup2(out >= 0 ? out : null, STDOUT_FILENO);
	/* The other ends of the pipes */
	for (int fd = STDERR_FILENO + 1; fd < 64; fd++)
		if (fd != socket)
			close(fd);
	agent_run(name, socket, &program, &end);
	_exit(end.signal ? AGENT_STATUS_FAILED : end.status);
}
