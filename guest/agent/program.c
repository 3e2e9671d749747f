// SPDX-License-Identifier: GPL-2.0
/*
 * Starts the program: see agent.h.
 *
 * The session's process is the leader of the session and the program's parent, and the program has
 * a process group of its own in this session. So the group is not orphaned: a process group whose
 * parents are all in other sessions ignores SIGTSTP, and nobody could stop it.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent.h"

#define PATH_OF_ROOT	"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define PATH_OF_USERS	"/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games"
#define UMASK_DEFAULT	022
#define KILL_ROUNDS	10

enum stage { STAGE_LIMIT, STAGE_USER, STAGE_STREAMS, STAGE_WORKDIR, STAGE_EXEC };

/* What the child could not do */
struct failure {
	enum stage stage;
	int error;
};

/* The environment */

static bool has_variable(const struct strings *env, const char *name, size_t len)
{
	for (unsigned int i = 0; i < env->nr; i++)
		if (!strncmp(env->string[i], name, len) && env->string[i][len] == '=')
			return true;
	return false;
}

/* Add a variable that the host did not give */
static void add_variable(struct request *request, const char *name, const char *value)
{
	struct strings *env = &request->env;
	char **larger;

	if (!*value || has_variable(env, name, strlen(name)))
		return;
	larger = reallocarray(env->string, env->nr + 2, sizeof(*larger));
	if (!larger)
		return;
	env->string = larger;
	if (asprintf(&larger[env->nr], "%s=%s", name, value) < 0)
		larger[env->nr] = NULL;
	else
		larger[++env->nr] = NULL;
}

static void add_variables(struct request *request)
{
	const struct user *user = &request->user;

	add_variable(request, "HOME", user->home);
	add_variable(request, "USER", user->name);
	add_variable(request, "LOGNAME", user->name);
	add_variable(request, "SHELL", user->shell);
	add_variable(request, "PATH", user->uid ? PATH_OF_USERS : PATH_OF_ROOT);
}

/* "-bash": a shell that is called so is a login shell */
static char *name_of_shell(const char *shell)
{
	const char *base = strrchr(shell, '/');
	char *name;

	return asprintf(&name, "-%s", base ? base + 1 : shell) < 0 ? NULL : name;
}

/* Put the shell's name in front of its arguments */
static int prepend_shell(struct request *request)
{
	struct strings *arg = &request->arg;
	char **larger = reallocarray(arg->string, arg->nr + 2, sizeof(*larger));
	char *name = name_of_shell(request->user.shell);

	if (larger)
		arg->string = larger;
	if (!larger || !name) {
		free(name);
		return -ENOMEM;
	}
	memmove(larger + 1, larger, arg->nr * sizeof(*larger));
	larger[0] = name;
	larger[++arg->nr] = NULL;
	return 0;
}

/* The child */

static void set_signals(uint64_t ignored)
{
	sigset_t none;

	for (int i = 1; i <= AGENT_SIGNAL_MAX; i++)
		signal(i, ignored >> (i - 1) & 1 ? SIG_IGN : SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int set_limits(const struct request *request)
{
	for (int i = 0; i < (int)RLIM_NLIMITS; i++)
		if (request->has_limit[i] && setrlimit(i, &request->limit[i]))
			return -errno;
	return 0;
}

static int set_streams(const int theirs[3])
{
	/* Above 2, so that no dup2() overwrites one that is still needed */
	for (int i = 0; i < 3; i++)
		if (dup2(theirs[i], i) < 0)
			return -errno;
	return close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) ? -errno : 0;
}

/* A home that is not there is no reason not to run */
static int enter_folder(const struct request *request)
{
	if (request->workdir)
		return chdir(request->workdir) ? -errno : 0;
	if (request->start.flags & AGENT_START_BARE || chdir(request->user.home))
		return chdir("/") ? -errno : 0;
	return 0;
}

static struct failure become_program(struct request *request, const struct program *program,
				     const int theirs[3])
{
	bool shell = request->start.flags & AGENT_START_SHELL;
	int error;

	setpgid(0, 0);
	/* SIGTTOU is still ignored, as in the agent */
	if (program->slave >= 0)
		tcsetpgrp(program->slave, getpid());
	umask(request->has_umask ? request->umask : UMASK_DEFAULT);
	error = set_limits(request);
	if (error)
		return (struct failure) { STAGE_LIMIT, error };
	error = set_streams(theirs);
	if (error)
		return (struct failure) { STAGE_STREAMS, error };
	error = user_become(&request->user);
	if (error)
		return (struct failure) { STAGE_USER, error };
	error = enter_folder(request);
	if (error)
		return (struct failure) { STAGE_WORKDIR, error };
	set_signals(request->start.ignored);
	/* execvp() looks for it in the program's own PATH */
	environ = request->env.string ?: (char *[]){ NULL };
	execvp(shell ? request->user.shell : request->arg.string[0], request->arg.string);
	return (struct failure) { STAGE_EXEC, -errno };
}

/* The agent */

static int explain(const struct failure *failure, const struct request *request,
		   char why[REASON_MAX])
{
	const char *text = strerror(-failure->error);

	switch (failure->stage) {
	case STAGE_LIMIT:
		snprintf(why, REASON_MAX, "cannot set the program's limits: %s", text);
		return AGENT_STATUS_FAILED;
	case STAGE_USER:
		snprintf(why, REASON_MAX, "cannot become user %u: %s", request->user.uid, text);
		return AGENT_STATUS_FAILED;
	case STAGE_WORKDIR:
		snprintf(why, REASON_MAX, "cannot enter the folder %.400s: %s", request->workdir ?: "/",
			 text);
		return AGENT_STATUS_FAILED;
	case STAGE_EXEC:
		snprintf(why, REASON_MAX, "cannot run %.400s: %s",
			 request->start.flags & AGENT_START_SHELL ? request->user.shell :
			 request->arg.string[0], text);
		return failure->error == -ENOENT ? AGENT_STATUS_NOT_FOUND : AGENT_STATUS_NOT_RUN;
	default:
		snprintf(why, REASON_MAX, "cannot prepare the program: %s", text);
		return AGENT_STATUS_FAILED;
	}
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Make a stream: a pipe, or a part of the terminal. 0 or -errno */
static int make_stream(struct program *program, const struct request *request, int stream,
		       int *theirs)
{
	int ends[2];
	bool in = stream == AGENT_STDIN;

	if (request->has_terminal && request->terminal.streams >> stream & 1) {
		*theirs = fcntl(program->slave, F_DUPFD_CLOEXEC, 3);
		return *theirs < 0 ? -errno : 0;
	}
	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	*theirs = ends[!in];
	program->mine[stream] = ends[in];
	return fcntl(ends[in], F_SETFL, O_NONBLOCK) ? -errno : 0;
}

static int open_streams(struct program *program, const struct request *request, int theirs[3])
{
	int error = 0;

	if (request->has_terminal)
		error = pty_open(&request->terminal, &request->user, &program->master,
				      &program->slave);
	for (int i = 0; i < 3 && !error; i++)
		error = make_stream(program, request, i, &theirs[i]);
	return error;
}

/* Fork and hear from the child. 0 once the program runs */
static int spawn(struct program *program, struct request *request, const int theirs[3],
		 struct failure *failure)
{
	int report[2];
	ssize_t len;

	if (pipe2(report, O_CLOEXEC))
		return -errno;
	program->pid = fork();
	if (program->pid < 0) {
		*failure = (struct failure) { STAGE_STREAMS, -errno };
		close(report[0]);
		close(report[1]);
		return failure->error;
	}
	if (!program->pid) {
		*failure = become_program(request, program, theirs);
		len = write(report[1], failure, sizeof(*failure));
		_exit(len == sizeof(*failure) ? AGENT_STATUS_FAILED : AGENT_STATUS_NOT_RUN);
	}
	/* So that a signal that comes at once finds the group */
	setpgid(program->pid, program->pid);
	close(report[1]);
	do
		len = read(report[0], failure, sizeof(*failure));
	while (len < 0 && errno == EINTR);
	close(report[0]);
	return len == sizeof(*failure) ? failure->error : 0;
}

int program_start(struct program *program, struct request *request, char why[REASON_MAX])
{
	struct failure failure = { .stage = STAGE_STREAMS };
	int theirs[3] = { -1, -1, -1 }, error;

	*program = (struct program) { .mine = { -1, -1, -1 }, .master = -1, .slave = -1 };
	if (!(request->start.flags & AGENT_START_BARE))
		add_variables(request);
	error = request->start.flags & AGENT_START_SHELL ? prepend_shell(request) : 0;
	if (!error)
		error = open_streams(program, request, theirs);
	if (!error)
		error = spawn(program, request, theirs, &failure);
	for (int i = 0; i < 3; i++)
		close_fd(&theirs[i]);
	if (!error)
		return 0;
	for (int i = 0; i < 3; i++)
		close_fd(&program->mine[i]);
	close_fd(&program->master);
	close_fd(&program->slave);
	failure.error = error;
	return explain(&failure, request, why);
}

void program_signal(const struct program *program, int number)
{
	kill(-program->pid, number);
}

static bool signal_session(int number)
{
	DIR *proc = opendir("/proc");
	const pid_t self = getpid();
	const struct dirent *entry;
	bool found = false;
	pid_t pid;

	while (proc && (entry = readdir(proc))) {
		pid = isdigit((unsigned char)*entry->d_name) ? atoi(entry->d_name) : 0;
		if (pid <= 0 || pid == self || getsid(pid) != self)
			continue;
		found |= !kill(pid, number);
	}
	if (proc)
		closedir(proc);
	return found;
}

void program_hang_up(void)
{
	signal_session(SIGHUP);
	signal_session(SIGCONT);
}

void program_kill(void)
{
	/* A process may fork while the list of all is read. Those that wait for nobody stay in it */
	for (unsigned int i = 0; i < KILL_ROUNDS && signal_session(SIGKILL); i++)
		waitpid(-1, NULL, WNOHANG);
}
