// SPDX-License-Identifier: GPL-2.0
/* Programs of other projects: see program.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"

#define SAYS_MS	5000
#define PASST	"passt"

char *const program_environment[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };

int program_find(char path[PATH_MAX], const char *name, const char *const *usual)
{
	const char *at = getenv("PATH") ?: "";

	for (; *usual; usual++) {
		snprintf(path, PATH_MAX, "%s/%s", *usual, name);
		if (!access(path, X_OK))
			return 0;
	}
	while (*at) {
		size_t len = strcspn(at, ":");

		snprintf(path, PATH_MAX, "%.*s/%s", (int)len, at, name);
		if (*at == '/' && !access(path, X_OK))
			return 0;
		at += len + (at[len] == ':');
	}
	return -ENOENT;
}

bool program_says(char *const *argv, const char *what)
{
	posix_spawn_file_actions_t actions;
	char text[1024] = "";
	size_t len = 0;
	ssize_t got;
	struct pollfd readable;
	int output[2];
	pid_t pid;

	if (pipe2(output, O_CLOEXEC))
		return false;
	readable = (struct pollfd){ .fd = output[0], .events = POLLIN };
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, output[1], STDERR_FILENO);
	if (posix_spawn(&pid, argv[0], &actions, NULL, argv, program_environment))
		pid = 0;
	posix_spawn_file_actions_destroy(&actions);
	close(output[1]);
	while (pid && len < sizeof(text) - 1 && poll(&readable, 1, SAYS_MS) > 0) {
		got = read(output[0], text + len, sizeof(text) - 1 - len);
		if (got <= 0)
			break;
		len += got;
	}
	close(output[0]);
	if (pid) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	return strstr(text, what);
}

int program_find_passt(char path[PATH_MAX], char *why, size_t size)
{
	static const char *const usual[] = { "/usr/bin", NULL };
	char *const argv[] = { path, "--vhost-user", "--print-capabilities", NULL };

	if (program_find(path, PASST, usual)) {
		snprintf(why, size, "there is no " PASST "; install the package passt");
		return -ENOENT;
	}
	if (!program_says(argv, "\"net\"")) {
		snprintf(why, size, "%.100s: does not support vhost-user; install a passt of 2025 or later (Debian 13 has one)",
			 path);
		return -EOPNOTSUPP;
	}
	return 0;
}
