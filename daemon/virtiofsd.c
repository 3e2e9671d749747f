// SPDX-License-Identifier: GPL-2.0
/*
 * Runs virtiofsd: see virtiofsd.h.
 *
 * It is the init of a PID namespace: when it dies, so does all that it made, whatever kills it.
 * A share that is read-only is so by its mount in the namespace of virtiofsd, which works with
 * each version of it.
 *
 * There are two of them, with different options: the first one, in C, of QEMU up to 7.2 (which
 * is what Debian 12 has), and the one in Rust.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"
#include "text.h"
#include "virtiofsd.h"

#define PROGRAM		"virtiofsd"
#define START_MS	5000
#define END_MS		1000
#define KILL_MS		5000
#define FILES_MAX	1000000		/* one is open for each that the guest knows of */
#define SOCKET_FD	3		/* of virtiofsd */
#define REPORT_FD	4		/* until its exec */

/* What its process is given of sigmad: /dev/null, pipes and the socket it is to accept from */
enum { NOTHING, LOG, LISTENER, REPORT, GO, NR_FDS };

/* struct identity - whom it runs as; @mapped: in a user namespace */
struct identity {
	uid_t uid;
	gid_t gid;
	bool mapped, drop_groups;
};

/* struct report - what went wrong before its exec */
struct report {
	enum { GROUPS, IDS, MOUNTS, READ_ONLY, FOLDER, FILES, EXEC } step;
	int error;
};

static const char *const steps[] = {
	[GROUPS] = "cannot drop its groups",
	[IDS] = "cannot become the user who started the guest",
	[MOUNTS] = "cannot have mounts of its own",
	[READ_ONLY] = "cannot make the folder read-only",
	[FOLDER] = "the user who started the guest cannot read the folder",
	[FILES] = "cannot arrange its files",
	[EXEC] = "cannot be run",
};

static char *const environment[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };

static int __attribute__((format(printf, 3, 4)))
explain(char why[VIRTIOFSD_WHY_MAX], int error, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, VIRTIOFSD_WHY_MAX, fmt, ap);
	va_end(ap);
	return error;
}

static int find_program(char path[PATH_MAX], char why[VIRTIOFSD_WHY_MAX])
{
	static const char *const usual[] = { "/usr/libexec", "/usr/lib/qemu", "/usr/lib" };
	const char *at = getenv("PATH") ?: "";

	for (size_t i = 0; i < sizeof(usual) / sizeof(*usual); i++) {
		snprintf(path, PATH_MAX, "%s/" PROGRAM, usual[i]);
		if (!access(path, X_OK))
			return 0;
	}
	while (*at) {
		size_t len = strcspn(at, ":");

		snprintf(path, PATH_MAX, "%.*s/" PROGRAM, (int)len, at);
		if (*at == '/' && !access(path, X_OK))
			return 0;
		at += len + (at[len] == ':');
	}
	return explain(why, -ENOENT, "there is no " PROGRAM "; install the package virtiofsd (Debian 12: qemu-system-common)");
}

uid_t virtiofsd_caller(void)
{
	const char *text = getenv("SUDO_UID") ?: getenv("PKEXEC_UID");
	unsigned long uid;
	char *end;

	if (geteuid() || !text || !isdigit((unsigned char)*text))
		return geteuid();
	uid = strtoul(text, &end, 10);
	return *end || uid >= UINT32_MAX ? 0 : uid;
}

static int find_identity(struct identity *who, uid_t starter, char why[VIRTIOFSD_WHY_MAX])
{
	const struct passwd *entry;

	*who = (struct identity){ .uid = geteuid(), .gid = getegid() };
	if (starter && starter != who->uid) {
		entry = getpwuid(starter);
		if (!entry)
			return explain(why, -ENOENT, "user %u, who started the guest, is in no list of users",
				       starter);
		who->uid = starter;
		who->gid = entry->pw_gid;
		who->drop_groups = true;
	}
	who->mapped = who->uid;
	return 0;
}

static bool ready(int fd, int ms)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	return poll(&poll_fd, 1, ms) > 0;
}

/* Is it the one in Rust? Only that one says so */
static bool has_separate_options(char *path)
{
	char *argv[] = { path, "--print-capabilities", NULL };
	posix_spawn_file_actions_t actions;
	char text[1024] = "";
	size_t len = 0;
	ssize_t got;
	int output[2];
	pid_t pid;

	if (pipe2(output, O_CLOEXEC))
		return false;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
	if (posix_spawn(&pid, path, &actions, NULL, argv, environment))
		pid = 0;
	posix_spawn_file_actions_destroy(&actions);
	close(output[1]);
	while (pid && len < sizeof(text) - 1 && ready(output[0], START_MS)) {
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
	return strstr(text, "\"separate-options\"");
}

/* Its process, from here on until exec: system calls alone, since sigmad has threads */

static void fail(int step)
{
	struct report report = { .step = step, .error = errno };

	if (write(REPORT_FD, &report, sizeof(report)) != sizeof(report))
		_exit(126);
	_exit(127);
}

static void make_read_only(const char *path)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };

	if (mount(path, path, NULL, MS_BIND | MS_REC, NULL) ||
	    mount_setattr(AT_FDCWD, path, AT_RECURSIVE, &attr, sizeof(attr)))
		fail(READ_ONLY);
}

/* @fds: see below */
static void __attribute__((noreturn))
become(const struct guest_share *share, const struct identity *who, char *const *argv,
       const int fds[NR_FDS])
{
	sigset_t none;
	char byte;
	int copy[NR_FDS];

	/* Away from the numbers that they go to */
	for (unsigned int i = 0; i < NR_FDS; i++)
		copy[i] = fcntl(fds[i], F_DUPFD, REPORT_FD + 1);
	if (read(copy[GO], &byte, 1) != 1 || dup3(copy[REPORT], REPORT_FD, O_CLOEXEC) < 0)
		_exit(126);
	if (dup2(copy[NOTHING], STDIN_FILENO) < 0 || dup2(copy[LOG], STDOUT_FILENO) < 0 ||
	    dup2(copy[LOG], STDERR_FILENO) < 0 || dup2(copy[LISTENER], SOCKET_FD) < 0 ||
	    close_range(REPORT_FD + 1, ~0U, 0))
		fail(FILES);

	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();

	if (who->drop_groups && syscall(SYS_setgroups, 0, NULL))
		fail(GROUPS);
	if (who->mapped && (syscall(SYS_setresgid, 0, 0, 0) || syscall(SYS_setresuid, 0, 0, 0)))
		fail(IDS);
	/* After the ids, whose change undoes it. Without sigmad nobody needs it */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		fail(IDS);
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL))
		fail(MOUNTS);
	if (access(share->path, R_OK | X_OK))
		fail(FOLDER);
	if (share->read_only)
		make_read_only(share->path);
	execve(argv[0], argv, environment);
	fail(EXEC);
	_exit(126);
}

/* sigmad's side */

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

/* Its root is @who, and there is nobody else */
static int write_maps(pid_t pid, const struct identity *who)
{
	char map[64];
	int error = 0;

	/* Who isn't root may only map the own group, and no process must drop it */
	if (geteuid())
		error = write_file(pid, "setgroups", "deny");
	snprintf(map, sizeof(map), "0 %u 1", who->gid);
	if (!error)
		error = write_file(pid, "gid_map", map);
	snprintf(map, sizeof(map), "0 %u 1", who->uid);
	return error ?: write_file(pid, "uid_map", map);
}

/*
 * A listening socket and a first connection to it. virtiofsd wants to accept one itself, and it
 * takes one alone; so it does no harm that others can connect to an abstract address.
 */
static int make_sockets(int *listener, int *connection)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(sa_family_t);	/* the kernel makes a name */
	int error;

	*listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	*connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*listener >= 0 && *connection >= 0 &&
	    !bind(*listener, (struct sockaddr *)&addr, len)) {
		len = sizeof(addr);
		if (!getsockname(*listener, (struct sockaddr *)&addr, &len) &&
		    !listen(*listener, 1) &&
		    !connect(*connection, (struct sockaddr *)&addr, len))
			return 0;
	}
	error = -errno;
	if (*listener >= 0)
		close(*listener);
	if (*connection >= 0)
		close(*connection);
	return error;
}

static void tell_line(struct virtiofsd *server)
{
	char text[sizeof(server->line) + TEXT_HELD_MAX + 1];
	struct text_filter filter = { 0 };
	size_t len = text_clean(&filter, server->line, server->line_len, text);

	server->line_len = 0;
	text[len] = '\0';
	if (len)
		warn_limited(&server->warned, "share %s: " PROGRAM ": %s", server->tag, text);
}

/* What it said until now */
static void drain_log(struct virtiofsd *server)
{
	char text[1024];
	ssize_t len;

	while (server->log_fd >= 0) {
		len = read(server->log_fd, text, sizeof(text));
		if (len < 0 && errno == EAGAIN)
			return;
		if (len <= 0) {
			tell_line(server);
			server->log_source = sd_event_source_disable_unref(server->log_source);
			close(server->log_fd);
			server->log_fd = -1;
			return;
		}
		for (ssize_t i = 0; i < len; i++) {
			if (text[i] == '\n' || server->line_len == sizeof(server->line))
				tell_line(server);
			if (text[i] != '\n')
				server->line[server->line_len++] = text[i];
		}
	}
}

static int on_log(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	drain_log(data);
	return 0;
}

static void tell_end(const struct virtiofsd *server, const siginfo_t *info, bool expected)
{
	if (info->si_code == CLD_EXITED && info->si_status)
		log_warning("share %s: " PROGRAM " ended with status %d", server->tag,
			    info->si_status);
	else if (info->si_code != CLD_EXITED && !expected)
		log_warning("share %s: " PROGRAM " was ended by signal %d (%s)", server->tag,
			    info->si_status, strsignal(info->si_status));
}

void virtiofsd_end(struct virtiofsd *server)
{
	bool killed = false;
	siginfo_t info;

	if (!server->pid)
		return;
	if (!ready(server->pid_fd, END_MS)) {
		pidfd_send_signal(server->pid_fd, SIGKILL, NULL, 0);
		killed = true;
	}
	if (!ready(server->pid_fd, KILL_MS))
		log_warning("share %s: " PROGRAM " (process %d) does not die: the guest's memory stays lost to the host until it does",
			    server->tag, server->pid);
	else if (!waitid(P_PIDFD, server->pid_fd, &info, WEXITED))
		tell_end(server, &info, killed);
	drain_log(server);
	tell_line(server);
	server->log_source = sd_event_source_disable_unref(server->log_source);
	if (server->log_fd >= 0)
		close(server->log_fd);
	close(server->pid_fd);
	server->pid = 0;
}

/* Let it go on, and hear whether it came to its exec */
static int let_go(struct virtiofsd *server, const struct identity *who, int go_fd, int report_fd,
		  char why[VIRTIOFSD_WHY_MAX])
{
	const struct rlimit files = { FILES_MAX, FILES_MAX };
	struct report report;
	int error = 0;

	/* Where that is forbidden it has fewer files, and says so when it needs more */
	prlimit(server->pid, RLIMIT_NOFILE, &files, NULL);
	if (who->mapped)
		error = write_maps(server->pid, who);
	if (!error && write(go_fd, "", 1) != 1)
		error = -errno;
	if (error)
		return explain(why, error, PROGRAM ": %s: %s", steps[IDS], strerror(-error));
	if (!ready(report_fd, START_MS))
		return explain(why, -ETIMEDOUT, PROGRAM " does not start");
	if (read(report_fd, &report, sizeof(report)) != sizeof(report))
		return 0;
	return explain(why, -report.error, PROGRAM ": %s: %s", steps[report.step],
		       strerror(report.error));
}

static int run(struct virtiofsd *server, const struct guest_share *share,
	       const struct identity *who, char *const *argv, int listener,
	       char why[VIRTIOFSD_WHY_MAX])
{
	struct clone_args args = {
		.flags = CLONE_PIDFD | CLONE_NEWPID | CLONE_NEWNS |
			 (who->mapped ? CLONE_NEWUSER : 0),
		.pidfd = (uintptr_t)&server->pid_fd,
		.exit_signal = SIGCHLD,
	};
	int null, error, log[2], report[2], go[2];

	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0 || pipe2(log, O_CLOEXEC) || pipe2(report, O_CLOEXEC) || pipe2(go, O_CLOEXEC))
		return explain(why, -errno, "no pipes for " PROGRAM ": %s", strerror(errno));

	server->pid = syscall(SYS_clone3, &args, sizeof(args));
	if (!server->pid) {
		const int fds[] = {
			[NOTHING] = null, [LOG] = log[1], [LISTENER] = listener,
			[REPORT] = report[1], [GO] = go[0],
		};

		close(go[1]);
		become(share, who, argv, fds);
	}
	error = server->pid < 0 ? -errno : 0;
	close(null);
	close(log[1]);
	close(report[1]);
	close(go[0]);
	if (error) {
		explain(why, error, "cannot make a process with namespaces of its own for " PROGRAM ": %s",
			strerror(-error));
		server->pid = 0;
		close(log[0]);
	} else {
		server->log_fd = log[0];
		fcntl(log[0], F_SETFL, O_NONBLOCK);
		error = let_go(server, who, go[1], report[0], why);
	}
	close(report[0]);
	close(go[1]);
	return error;
}

int virtiofsd_start(struct virtiofsd *server, sd_event *event, const struct guest_share *share,
		    uid_t starter, char why[VIRTIOFSD_WHY_MAX])
{
	char path[PATH_MAX], folder[PATH_MAX + 64], fd_option[16];
	char *separate[] = {
		path, fd_option, "--rlimit-nofile=0", "--thread-pool-size=0", "--log-level=error",
		folder, NULL
	};
	char *joined[] = {
		path, fd_option, "--rlimit-nofile=0", "--thread-pool-size=0", "-o", folder, NULL
	};
	int listener, connection, error;
	struct identity who;
	bool is_separate;

	*server = (struct virtiofsd){ .tag = share->tag, .pid_fd = -1, .log_fd = -1 };
	error = find_program(path, why);
	if (!error)
		error = find_identity(&who, starter, why);
	if (error)
		return error;
	is_separate = has_separate_options(path);
	snprintf(fd_option, sizeof(fd_option), "--fd=%d", SOCKET_FD);
	snprintf(folder, sizeof(folder), is_separate ? "--shared-dir=%s" :
		 "log_level=err,source=%s", share->path);

	error = make_sockets(&listener, &connection);
	if (error)
		return explain(why, error, "no socket for " PROGRAM ": %s", strerror(-error));
	error = run(server, share, &who, is_separate ? separate : joined, listener, why);
	close(listener);
	if (!error) {
		error = sd_event_add_io(event, &server->log_source, server->log_fd, EPOLLIN,
					on_log, server);
		if (error < 0)
			explain(why, error, "cannot watch " PROGRAM ": %s", strerror(-error));
	}
	if (error >= 0)
		return connection;
	close(connection);
	virtiofsd_end(server);
	return error;
}
