// SPDX-License-Identifier: GPL-2.0
/* sigmactl exec and shell. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"
#include "ctl.h"

#define CONNECT_USEC	(5 * USEC_PER_SEC)	/* for a guest that has just started */
#define EXTRA_VARIABLES	3		/* TERM, COLORTERM, and the NULL */

/* "NAME=VALUE"; NULL: there is no such variable here. It stays until the end of the process */
static char *variable(const char *name)
{
	const char *value;
	char *text;

	if (strchr(name, '='))
		return (char *)name;
	value = getenv(name);
	return value && asprintf(&text, "%s=%s", name, value) >= 0 ? text : NULL;
}

static void make_env(const struct options *options, bool tty, char **env)
{
	static const char *const of_terminal[] = { "TERM", "COLORTERM" };
	unsigned int nr = 0;

	for (size_t i = 0; tty && i < sizeof(of_terminal) / sizeof(*of_terminal); i++) {
		env[nr] = variable(of_terminal[i]);
		nr += !!env[nr];
	}
	for (unsigned int i = 0; i < options->nr_env; i++) {
		env[nr] = variable(options->env[i]);
		nr += !!env[nr];
	}
	env[nr] = NULL;
}

static int run(const struct options *options, const char *name, char **argv, bool shell)
{
	char *env[VARIABLES_MAX + EXTRA_VARIABLES];
	struct agent_program program = {
		.argv = argv, .env = env, .shell = shell, .workdir = options->workdir,
		.user = options->user, .umask = -1,
		.tty = options->given & OPT_NO_TTY ? AGENT_TTY_NEVER :
		       options->given & OPT_TTY ? AGENT_TTY_ALWAYS : AGENT_TTY_AUTO,
	};
	struct agent_end end;
	int socket;

	if (options->given & OPT_TTY && options->given & OPT_NO_TTY)
		return complain(AGENT_STATUS_FAILED, "--tty and --no-tty exclude each other; give one of them");
	make_env(options, program.tty == AGENT_TTY_ALWAYS ||
		 (program.tty == AGENT_TTY_AUTO && isatty(STDOUT_FILENO)), env);
	socket = agent_connect(name, clock_deadline(CONNECT_USEC));
	if (socket < 0)
		return AGENT_STATUS_FAILED;
	agent_run(name, socket, &program, &end);
	return agent_exit(&end);
}

static int run_exec(const struct options *options, char **args)
{
	return run(options, args[0], args + 1, false);
}

static int run_shell(const struct options *options, char **args)
{
	return run(options, args[0], args + 1, true);
}

#define PROGRAM_OPTIONS (OPT_USER | OPT_WORKDIR | OPT_ENV | OPT_TTY | OPT_NO_TTY)

#define PROGRAM_HELP \
"The guest's agent runs it. The initrd that sigmad makes has the agent in it; a guest with an\n" \
"initrd of its own needs 'sigmactl agent install'. It takes AF_VSOCK: see VSock= in sigma.guest(5).\n"

DEFINE_VERB(exec) = {
	.name = "exec",
	.args = "NAME COMMAND...",
	.summary = "Run a command in a guest",
	.help =
PROGRAM_HELP
"\n"
"The command is like a process of this machine: its standard streams are these of sigmactl,\n"
"signals that sigmactl gets go to the command, and when sigmactl is gone, the command ends. If\n"
"stdout is a terminal, the command has one; Ctrl-] pressed three times within a second leaves it,\n"
"and ends the command. It runs as root in root's home, with an environment of its own: HOME, USER,\n"
"LOGNAME, SHELL, PATH, and with a terminal TERM.\n"
"\n"
"Exit status: that of the command; 127, it is not there; 126, it cannot be executed; 125, sigmactl\n"
"or the agent failed. If a signal ends the command, it ends sigmactl, too.\n"
"\n"
"Examples:\n"
"  sigmactl exec demo -- uname -r\n"
"  sigmactl exec demo -- cat /var/log/syslog | grep error\n"
"  sigmactl exec --user=postgres --env=PGDATABASE=shop demo -- psql -c 'select 1'\n"
"  pg_dump shop | sigmactl exec demo -- psql shop\n",
	.accepts = PROGRAM_OPTIONS,
	.nr_args = 2,
	.more_args = true,
	.run = run_exec,
};

DEFINE_VERB(shell) = {
	.name = "shell",
	.args = "NAME",
	.summary = "Start a login shell in a guest",
	.help =
PROGRAM_HELP
"\n"
"It is the login shell of root, or of the user of --user=. ARGUMENTs are for the shell. All else is\n"
"as with 'sigmactl exec'.\n"
"\n"
"Examples:\n"
"  sigmactl shell demo\n"
"  sigmactl shell --user=alice demo\n",
	.accepts = PROGRAM_OPTIONS,
	.nr_args = 1,
	.more_args = true,
	.run = run_shell,
};
