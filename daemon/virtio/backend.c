// SPDX-License-Identifier: GPL-2.0
/*
 * Runs back ends: see backend.h.
 *
 * Each back end is the init of a PID namespace: when it dies, the kernel kills all processes that
 * it made. It also has a mount namespace.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/assert.h"
#include "../../common/log.h"
#include "../../common/rundir.h"
#include "../../common/text.h"
#include "alive.h"
#include "backend.h"
#include "backend_exec.h"

#define PIPE_SIZE	65536U		/* bytes, pipe(7) */
#define START_MS	60000	/* many times what a busy machine needs */
#define END_MS		1000
#define FINISH_MS	30000U
#define KILL_MS		5000
#define FOLDER_MAX	64

static int __attribute__((format(printf, 3, 4)))
explain(char why[BACKEND_WHY_MAX], int error, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, BACKEND_WHY_MAX, fmt, ap);
	va_end(ap);
	return error;
}

static const struct owner *the_owner;

void backend_own(const struct owner *owner)
{
	the_owner = owner;
}

const struct owner *backend_owner(void)
{
	return the_owner;
}

uid_t backend_caller(void)
{
	const char *text = getenv("SUDO_UID") ?: getenv("PKEXEC_UID");
	unsigned long uid;
	char *end;

	if (geteuid() || !text || !isdigit((unsigned char)*text))
		return geteuid();
	uid = strtoul(text, &end, 10);
	return *end || uid >= UINT32_MAX ? 0 : uid;
}

static int find_identity(struct identity *who, const struct backend_command *command,
			 uid_t starter, char why[BACKEND_WHY_MAX])
{
	const struct passwd *entry;

	*who = (struct identity){ .uid = geteuid(), .gid = getegid() };
	if (command->confined) {
		/* Only root can give a namespace another user than itself */
		if (!geteuid())
			*who = (struct identity) {
				.uid = command->uid, .gid = command->gid, .drop_groups = true,
			};
		who->mapped = true;
		return 0;
	}
	if (the_owner) {
		who->uid = the_owner->uid;
		who->gid = the_owner->gid;
		who->owner = the_owner;
		who->plain = command->plain;
		who->drop_groups = !who->plain;
		who->mapped = !who->plain;
		return 0;
	}
	if (starter && starter != who->uid) {
		entry = getpwuid(starter);
		if (!entry)
			return explain(why, -ENOENT, "user %u, who started the guest, does not exist",
				       starter);
		who->uid = starter;
		who->gid = entry->pw_gid;
		who->drop_groups = true;
	}
	who->mapped = who->uid;
	return 0;
}

static bool ready(int fd, unsigned int ms)
{
	return alive_wait(fd, POLLIN, ms) > 0;
}

static int write_file(pid_t pid, const char *name, const char *text)
{
	char path[64];
	int fd, error = 0;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		error = -errno;
	close(fd);
	return error;
}

/* In the user namespace, root is @who and no other user exists */
static int write_maps(pid_t pid, const struct identity *who)
{
	char map[64];
	int error = 0;

	/* user_namespaces(7): without root, setgroups must be denied before gid_map is written */
	if (geteuid())
		error = write_file(pid, "setgroups", "deny");
	snprintf(map, sizeof(map), "0 %u 1", who->gid);
	if (!error)
		error = write_file(pid, "gid_map", map);
	snprintf(map, sizeof(map), "0 %u 1", who->uid);
	return error ?: write_file(pid, "uid_map", map);
}

static void warn_line(struct backend *backend)
{
	char text[sizeof(backend->line) + TEXT_HELD_MAX + 1];
	struct text_filter filter = { 0 };
	size_t len = text_clean(&filter, backend->line, backend->line_len, text);

	backend->line_len = 0;
	text[len] = '\0';
	if (!len)
		return;
	snprintf(backend->said, sizeof(backend->said), "%.*s", (int)sizeof(backend->said) - 1, text);
	ratelimit_warn(&backend->warned, "%s: %s: %s", backend->serves, backend->name, text);
}

/*
 * Read and log the process's output: as much as a pipe holds, and not what is written meanwhile.
 * A process that writes without pause must not keep the event loop, which calls again for the rest.
 */
static void drain_log(struct backend *backend)
{
	char text[1024];
	ssize_t len;

	for (unsigned int i = 0; i < PIPE_SIZE / sizeof(text) && backend->log_fd >= 0; i++) {
		len = read(backend->log_fd, text, sizeof(text));
		if (len < 0 && errno == EAGAIN)
			return;
		if (len <= 0) {
			warn_line(backend);
			backend->log_source = sd_event_source_disable_unref(backend->log_source);
			close(backend->log_fd);
			backend->log_fd = -1;
			return;
		}
		for (ssize_t at = 0; at < len; at++) {
			if (text[at] == '\n' || backend->line_len == sizeof(backend->line))
				warn_line(backend);
			if (text[at] != '\n')
				backend->line[backend->line_len++] = text[at];
		}
	}
}

static int on_log(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	drain_log(data);
	return 0;
}

static void warn_end(struct backend *backend, const struct backend_fate *fate)
{
	if (backend->finishes && fate->killed && !backend->hangs)
		ratelimit_warn(&backend->warned, "%s: %s did not finish its requests within %u s and was killed: what it had not written yet is lost; check the disk",
			       backend->serves, backend->name, FINISH_MS / 1000);
	else if (fate->code == CLD_EXITED && fate->status)
		ratelimit_warn(&backend->warned, "%s: %s ended with status %d", backend->serves,
			       backend->name, fate->status);
	else if (fate->code && fate->code != CLD_EXITED && !fate->killed)
		ratelimit_warn(&backend->warned, "%s: %s was ended by signal %d (%s)",
			       backend->serves, backend->name, fate->status,
			       strsignal(fate->status));
}

bool backend_await(const struct backend *backend)
{
	return ready(backend->pid_fd, backend->finishes ? FINISH_MS : END_MS);
}

struct backend_fate backend_reap(struct backend *backend)
{
	struct backend_fate fate = {};
	siginfo_t info;

	if (backend->finishes && !backend->hangs)
		pidfd_send_signal(backend->pid_fd, SIGTERM, NULL, 0);
	if (backend->hangs || !backend_await(backend)) {
		pidfd_send_signal(backend->pid_fd, SIGKILL, NULL, 0);
		fate.killed = true;
	}
	if (!ready(backend->pid_fd, KILL_MS))
		fate.lives = true;
	else if (!waitid(P_PIDFD, backend->pid_fd, &info, WEXITED)) {
		fate.code = info.si_code;
		fate.status = info.si_status;
	}
	close(backend->pid_fd);
	return fate;
}

void backend_end(struct backend *backend)
{
	struct backend_fate fate;

	if (!backend->pid)
		return;
	fate = backend->reap(backend);
	backend->stuck = fate.lives;
	if (fate.lives)
		log_warning("%s: %s (process %d) does not die: the guest's memory stays lost to the host until it does",
			    backend->serves, backend->name, backend->pid);
	else
		warn_end(backend, &fate);
	drain_log(backend);
	warn_line(backend);
	backend->log_source = sd_event_source_disable_unref(backend->log_source);
	if (backend->log_fd >= 0)
		close(backend->log_fd);
	backend->pid = 0;
}

/* Let the new process continue, and wait until it reports an error or reaches exec */
static int await_exec(struct backend *backend, const struct backend_command *command,
		      const struct identity *who, int go_fd, int report_fd,
		      char why[BACKEND_WHY_MAX])
{
	const struct rlimit files = { command->files_max, command->files_max };
	struct report report;
	int error = 0;

	/* If this fails, the back end can open fewer files, and says so when it needs more */
	if (command->files_max)
		prlimit(backend->pid, RLIMIT_NOFILE, &files, NULL);
	if (who->mapped)
		error = write_maps(backend->pid, who);
	if (!error && write(go_fd, "", 1) != 1)
		error = -errno;
	if (error)
		return explain(why, error, "%s: %s: %s", backend->name, BACKEND_NO_IDENTITY, strerror(-error));
	if (!ready(report_fd, START_MS))
		return explain(why, -ETIMEDOUT, "%s does not start", backend->name);
	if (read(report_fd, &report, sizeof(report)) != sizeof(report))
		return 0;
	return explain(why, -report.error, "%s: %s: %s", backend->name, report.what,
		       strerror(report.error));
}

/* struct pipes - a back end's stdin and stdout, and what it is started by; see backend_exec() */
struct pipes {
	int null, log[2], report[2], go[2];
};

static int make_pipe(int ends[2])
{
	return pipe2(ends, O_CLOEXEC) ? -errno : 0;
}

static void close_pipe(const int ends[2])
{
	close(ends[0]);
	close(ends[1]);
}

static int open_pipes(struct pipes *pipes)
{
	int error;

	pipes->null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (pipes->null < 0)
		return -errno;
	error = make_pipe(pipes->log);
	if (error)
		goto close_null;
	error = make_pipe(pipes->report);
	if (error)
		goto close_log;
	error = make_pipe(pipes->go);
	if (error)
		goto close_report;
	return 0;

close_report:
	close_pipe(pipes->report);
close_log:
	close_pipe(pipes->log);
close_null:
	close(pipes->null);
	return error;
}

static void close_pipes(const struct pipes *pipes)
{
	close_pipe(pipes->go);
	close_pipe(pipes->report);
	close_pipe(pipes->log);
	close(pipes->null);
}

static int run(struct backend *backend, const struct backend_command *command,
	       const struct identity *who, char why[BACKEND_WHY_MAX])
{
	struct clone_args args = {
		.flags = CLONE_PIDFD | CLONE_NEWPID | CLONE_NEWNS |
			 (who->mapped ? CLONE_NEWUSER : 0) |
			 (command->confined || who->plain ? CLONE_NEWNET | CLONE_NEWIPC : 0),
		.pidfd = (uintptr_t)&backend->pid_fd,
		.exit_signal = SIGCHLD,
	};
	struct pipes pipes;
	int error;

	error = open_pipes(&pipes);
	if (error)
		return explain(why, error, "no pipes for %s: %s", backend->name, strerror(-error));

	backend->pid = syscall(SYS_clone3, &args, sizeof(args));
	if (!backend->pid) {
		int fds[NR_FDS] = {
			[NOTHING] = pipes.null, [LOG] = pipes.log[1], [GIVEN] = command->fd,
			[REPORT] = pipes.report[1], [GO] = pipes.go[0],
			[NOTE] = command->note ? command->note->fd : -1,
		};

		for (unsigned int i = 0; i < command->nr_files; i++)
			fds[GIVEN + 1 + i] = command->files[i];
		close(pipes.go[1]);
		backend_exec(command, who, fds);
	}
	if (backend->pid < 0) {
		error = -errno;
		backend->pid = 0;
		close_pipes(&pipes);
		return explain(why, error, "cannot make a process with namespaces of its own for %s: %s",
			       backend->name, strerror(-error));
	}

	/* Only the new process has its ends from here on, so they are closed when it dies */
	close(pipes.null);
	close(pipes.log[1]);
	close(pipes.report[1]);
	close(pipes.go[0]);
	backend->log_fd = pipes.log[0];
	fcntl(backend->log_fd, F_SETFL, O_NONBLOCK);
	error = await_exec(backend, command, who, pipes.go[1], pipes.report[0], why);
	close(pipes.report[0]);
	close(pipes.go[1]);
	return error;
}

int backend_watch(struct backend *backend, sd_event *event, char why[BACKEND_WHY_MAX])
{
	int error = sd_event_add_io(event, &backend->log_source, backend->log_fd, EPOLLIN, on_log,
				    backend);

	if (error >= 0)
		return 0;
	explain(why, error, "cannot watch %s: %s", backend->name, strerror(-error));
	backend_end(backend);
	return error;
}

int backend_start(struct backend *backend, sd_event *event, const struct backend_command *command,
		  uid_t starter, char why[BACKEND_WHY_MAX])
{
	struct identity who;
	int error;

	*backend = (struct backend) {
		.name = command->name, .pid_fd = -1, .log_fd = -1, .reap = backend_reap,
		.finishes = command->finishes,
		/* A guest can make back ends die one after the other */
		.warned = backend->warned,
	};
	snprintf(backend->serves, sizeof(backend->serves), "%s", command->serves);
	sigma_assert(command->nr_files <= BACKEND_FILES);
	error = find_identity(&who, command, starter, why);
	if (!error)
		error = run(backend, command, &who, why);
	if (error)
		backend_end(backend);
	else if (event)
		error = backend_watch(backend, event, why);
	return error;
}

const char *backend_said(const struct backend *backend)
{
	return backend->said;
}

/* Make a folder that nobody else can enter; false: errno says why not */
static bool make_folder(char folder[FOLDER_MAX])
{
	/* A sigmad that root runs uses the first one, which other users cannot fill */
	static const char *const parents[] = { RUNDIR, "/tmp" };

	for (size_t i = 0; i < sizeof(parents) / sizeof(*parents); i++) {
		snprintf(folder, FOLDER_MAX, "%s/.socket-XXXXXX", parents[i]);
		if (mkdtemp(folder))
			return true;
	}
	return false;
}

static int listen_and_connect(int listener, int connection, const char *folder)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int error;

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/socket", folder);
	if (bind(listener, (struct sockaddr *)&addr, sizeof(addr)))
		return -errno;
	error = listen(listener, 1) || connect(connection, (struct sockaddr *)&addr, sizeof(addr)) ?
		-errno : 0;
	unlink(addr.sun_path);
	return error;
}

int backend_sockets(int *listener, int *connection)
{
	char folder[FOLDER_MAX];
	int error;

	*connection = -1;
	*listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*listener < 0)
		return -errno;
	*connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*connection < 0 || !make_folder(folder)) {
		error = -errno;
		goto close_sockets;
	}
	error = listen_and_connect(*listener, *connection, folder);
	rmdir(folder);
	if (!error)
		return 0;
close_sockets:
	if (*connection >= 0)
		close(*connection);
	close(*listener);
	return error;
}
