// SPDX-License-Identifier: GPL-2.0
/*
 * The environment of the program of 'sigmactl run -- CMD'. With env(1)'s rule, all of this process's
 * goes along; with podman(1)'s, for a program of an image, the image's does, and TERM. What --setenv=
 * gives counts before both.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl.h"
#include "run_command.h"

/* These tell a service of this host where its manager is: by what only this process has */
static bool is_of_manager(const char *variable)
{
	static const char *const names[] = {
		"NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "WATCHDOG_USEC",
		"WATCHDOG_PID", "JOURNAL_STREAM", "MAINPID", "INVOCATION_ID",
	};
	const size_t len = strcspn(variable, "=");

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strlen(names[i]) == len && !strncmp(names[i], variable, len))
			return true;
	return false;
}

/* The index of the variable of that name, of "NAME=VALUE"; @nr: there is none */
static unsigned int find(char *const *env, unsigned int nr, const char *variable)
{
	const size_t len = strcspn(variable, "=");

	for (unsigned int i = 0; i < nr; i++)
		if (strcspn(env[i], "=") == len && !strncmp(env[i], variable, len))
			return i;
	return nr;
}

/* The entry of this process's environment; NULL: there is none */
static const char *of_this_process(const char *name)
{
	const size_t len = strlen(name);

	for (char **at = environ; *at; at++)
		if (!strncmp(*at, name, len) && (*at)[len] == '=')
			return *at;
	return NULL;
}

int run_env_add(struct run_options *options, const char *text)
{
	const char *variable = strchr(text, '=') ? text : of_this_process(text);
	unsigned int at;
	char *copy;

	if (!*text || *text == '=')
		return complain(-EINVAL, "run: --setenv=%s: there is no name; give NAME=VALUE, or NAME for the value that it has here",
				text);
	if (!variable)
		return 0;
	at = find(options->env, options->nr_env, variable);
	if (at == VARIABLES_MAX)
		return complain(-EINVAL, "run: --setenv=%s: more than %d of them", text,
				VARIABLES_MAX);
	copy = strdup(variable);
	if (!copy)
		return complain(-ENOMEM, "run: out of memory");
	if (at < options->nr_env)
		free(options->env[at]);
	else
		options->nr_env++;
	options->env[at] = copy;
	return 0;
}

char **run_env_join(const struct run_options *options, char *const *image)
{
	const char *term = image && isatty(STDOUT_FILENO) ? of_this_process("TERM") : NULL;
	char *const *base = image ?: environ;
	unsigned int nr = 0, nr_given = options->nr_env;
	char **env;

	while (base[nr])
		nr++;
	env = calloc(nr_given + nr + 2, sizeof(*env));
	if (!env) {
		complain(-ENOMEM, "run: out of memory");
		return NULL;
	}
	memcpy(env, options->env, nr_given * sizeof(*env));
	if (term && find(env, nr_given, term) == nr_given)
		env[nr_given++] = (char *)term;
	nr = nr_given;
	for (; *base; base++)
		if (find(env, nr_given, *base) == nr_given && (image || !is_of_manager(*base)))
			env[nr++] = *base;
	return env;
}
