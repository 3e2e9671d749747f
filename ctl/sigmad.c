// SPDX-License-Identifier: GPL-2.0
/*
 * Starts a sigmad in the background and waits until it has started its guest. As a service tells
 * systemd, sigmad reports this by READY=1 on $NOTIFY_SOCKET (sd_notify(3)), and before that, by
 * STATUS=, what it is doing. Until READY=1, sigmad's messages go to our stderr, afterwards to
 * /run/sigma/NAME/sigmad.log.
 */
#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../common/control.h"
#include "../common/gueststate.h"
#include "ctl.h"

#define ANSWER_TIMEOUT	(5 * USEC_PER_SEC)	/* for sigmad */
#define PROGRESS_MS	1000
#define MESSAGE_MAX	1024

/* Find sigmad: in $SIGMA_LIBEXECDIR, beside sigmactl (in a build tree), or where it is installed */
static int find_sigmad(char path[PATH_MAX])
{
	const char *dir = getenv("SIGMA_LIBEXECDIR");
	char self[PATH_MAX] = "";
	const char *own = dirname(self);
	char tries[4][PATH_MAX + 32];

	if (readlink("/proc/self/exe", self, sizeof(self) - 1) > 0)
		own = dirname(self);
	snprintf(tries[0], sizeof(tries[0]), "%s/sigmad", dir ?: own);
	snprintf(tries[1], sizeof(tries[1]), "%s/sigmad", own);
	snprintf(tries[2], sizeof(tries[2]), "%s/../libexec/sigmad", own);
	snprintf(tries[3], sizeof(tries[3]), "/usr/libexec/sigmad");

	for (size_t i = 0; i < sizeof(tries) / sizeof(*tries); i++)
		if (!access(tries[i], X_OK) && realpath(tries[i], path))
			return 0;
	return complain(-ENOENT, "sigmad is neither in %s nor in /usr/libexec: install it, or name its directory with $SIGMA_LIBEXECDIR",
			dir ?: own);
}

/**
 * struct progress - a line on a terminal that shows what sigmad is doing
 * @name: of the guest
 * @begun: on CLOCK_MONOTONIC
 * @what: sigmad's last STATUS=
 * @file: that sigmad reads, at the same position as this process; -1: none
 * @shown: the line is on the terminal
 */
struct progress {
	const char *name;
	uint64_t begun;
	char what[128];
	int file;
	bool shown;
};

/* "34%, " of the file was read; "" if there is none, or nothing was */
static const char *share_read(int file, char text[16])
{
	off_t at = file < 0 ? 0 : lseek(file, 0, SEEK_CUR);
	struct stat st;

	*text = '\0';
	if (at > 0 && !fstat(file, &st) && st.st_size >= at)
		snprintf(text, 16, "%u%%, ", (unsigned int)(at * 100 / st.st_size));
	return text;
}

/* The cursor returns to the start of the line, so that a message of sigmad overwrites it */
static void show_progress(struct progress *progress)
{
	uint64_t gathered = guest_gathered(progress->name);
	char span[32], size[32], share[16];

	if (!*progress->what)
		return;
	fprintf(stderr, "%s: %s (%s%s%s%s)\x1b[K\r", progress->name, progress->what,
		gathered ? text_size(size, gathered) : "", gathered ? " so far, " : "",
		share_read(progress->file, share), text_span(span, clock_now(CLOCK_MONOTONIC) - progress->begun));
	progress->shown = true;
}

static void end_progress(const struct progress *progress)
{
	if (progress->shown)
		fputs("\x1b[K", stderr);
}

#define NOTIFY_PREFIX ".start-"
#define QUEUE_MAX 64	/* messages that wait: more than net.unix.max_dgram_qlen, which is 10 */

static struct sockaddr_un notify_address = { .sun_family = AF_UNIX };

static void remove_notify_socket(void)
{
	unlink(notify_address.sun_path);
}

/* Remove the sockets of earlier sigmactls that were killed: nobody receives there any more */
static void remove_dead_sockets(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	DIR *folder = opendir(RUNDIR);
	struct dirent *entry;
	int fd;

	while (folder && (entry = readdir(folder))) {
		if (strncmp(entry->d_name, NOTIFY_PREFIX, strlen(NOTIFY_PREFIX)))
			continue;
		snprintf(addr.sun_path, sizeof(addr.sun_path), RUNDIR "/%.64s", entry->d_name);
		fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr)) &&
		    errno == ECONNREFUSED)
			unlink(addr.sun_path);
		if (fd >= 0)
			close(fd);
	}
	if (folder)
		closedir(folder);
}

/*
 * Make a datagram socket to which only root may send, and set $NOTIFY_SOCKET. With an abstract
 * name, which anybody may use, a flood of messages would keep those of sigmad away.
 */
static int make_notify_socket(void)
{
	const int on = 1;
	int fd, error;
	mode_t mask;

	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	snprintf(notify_address.sun_path, sizeof(notify_address.sun_path),
		 RUNDIR "/" NOTIFY_PREFIX "%d", getpid());
	/* A sigmactl that was killed may have had the same process ID */
	remove_dead_sockets();
	mask = umask(0177);
	error = bind(fd, (struct sockaddr *)&notify_address, sizeof(notify_address)) ? -errno : 0;
	umask(mask);
	/* sigmad is not the only one that root runs, so the kernel names the sender */
	if (!error && (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) ||
		       setenv("NOTIFY_SOCKET", notify_address.sun_path, 1)))
		error = -errno;
	if (!error)
		return fd;
	close(fd);
	return error;
}

/*
 * By its stdin sigmad notices our end, or gets the file of the guest. If it does both, the file is its stdout
 */
static int spawn_sigmad(const char *path, const char *guest, const struct sigmad_bond *bond,
			pid_t *pid)
{
	char *argv[10] = { "sigmad", "--background" };
	unsigned int nr = 2;
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none;
	int error;

	sigemptyset(&none);
	posix_spawn_file_actions_init(&files);
	if (bond) {
		if (bond->restores)
			argv[nr++] = "--restore";
		if (bond->caller >= 0)
			argv[nr++] = "--with-caller";
		posix_spawn_file_actions_adddup2(&files, bond->caller >= 0 ? bond->caller : bond->file,
						 STDIN_FILENO);
		if (bond->restores && bond->caller >= 0)
			posix_spawn_file_actions_adddup2(&files, bond->file, STDOUT_FILENO);
	}
	if (bond && bond->force)
		argv[nr++] = "--force";
	if (bond && bond->copies)
		argv[nr++] = "--copy";
	if (bond && bond->owner) {
		argv[nr++] = "--for";
		argv[nr++] = (char *)bond->owner;
	}
	argv[nr++] = "--";
	argv[nr++] = (char *)guest;
	argv[nr] = NULL;
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
	error = posix_spawn(pid, path, &files, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	return -error;
}

/* Receive a datagram without waiting; @text is "" if the sender is not @pid. -EAGAIN: none waits */
static int receive(int fd, pid_t pid, char *text, size_t size)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct iovec iov = { .iov_base = text, .iov_len = size - 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	const struct cmsghdr *cmsg;
	struct ucred sender = {};
	ssize_t len;

	len = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (len < 0)
		return -errno;
	for (cmsg = CMSG_FIRSTHDR(&msg); cmsg; cmsg = CMSG_NXTHDR(&msg, (struct cmsghdr *)cmsg))
		if (cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_CREDENTIALS)
			memcpy(&sender, CMSG_DATA(cmsg), sizeof(sender));
	text[sender.pid == pid ? len : 0] = '\0';
	return 0;
}

/*
 * The value of a variable in a datagram of sd_notify(3), whose lines are VARIABLE=VALUE; NULL: it
 * has none. @variable: with its '='. The value ends with the line.
 */
static char *value_of(char *text, const char *variable)
{
	while (strncmp(text, variable, strlen(variable))) {
		text = strchr(text, '\n');
		if (!text++)
			return NULL;
	}
	return text + strlen(variable);
}

/* Receive a datagram: is it READY=1? The text of a STATUS= goes to @progress */
static bool is_ready(int fd, pid_t pid, struct progress *progress)
{
	char text[MESSAGE_MAX], *status, *ready;

	if (receive(fd, pid, text, sizeof(text)))
		return false;
	status = value_of(text, "STATUS=");
	if (status)
		snprintf(progress->what, sizeof(progress->what), "%.*s",
			 (int)strcspn(status, "\n"), status);
	ready = value_of(text, "READY=");
	return ready && *ready == '1';
}

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

/*
 * Pass Ctrl-C and the like on to sigmad, which can undo all that it did. sigmad has its own
 * session, so the terminal sends it no signal. The second signal means not to wait for the guest.
 */
static void interrupt(int pidfd)
{
	pidfd_send_signal(pidfd, SIGTERM, NULL, 0);
	pidfd_send_signal(pidfd, SIGINT, NULL, 0);
}

/*
 * sigmad has ended: did it say READY=1 before? There are as many messages as wait in a socket at most,
 * so that a program of root which sends without end holds nobody up.
 */
static bool was_ready(int notify, pid_t pid, struct progress *progress)
{
	bool ready = false;

	for (unsigned int i = 0; i < QUEUE_MAX && !ready; i++)
		ready = is_ready(notify, pid, progress);
	return ready;
}

/* 0: the guest is started; -ECHILD: sigmad ended; -EINTR: we ended it; or another -errno */
static int wait_ready(const char *name, int notify, int signals, pid_t pid, int file)
{
	struct pollfd fds[] = {
		{ .fd = notify, .events = POLLIN },
		{ .fd = signals, .events = POLLIN },
		{ .events = POLLIN },
	};
	struct progress progress = {
		.name = name, .begun = clock_now(CLOCK_MONOTONIC), .file = file,
	};
	int every_ms = isatty(STDERR_FILENO) ? PROGRESS_MS : -1;
	struct signalfd_siginfo info;
	bool interrupted = false;
	int ready, result = -EAGAIN;

	fds[2].fd = pidfd_open(pid, 0);
	if (fds[2].fd < 0)
		return -errno;
	while (result == -EAGAIN) {
		ready = poll(fds, 3, every_ms);
		if (ready < 0) {
			if (errno != EINTR)
				result = -errno;
		} else if (!ready) {
			show_progress(&progress);
		} else if (fds[1].revents) {
			if (read(signals, &info, sizeof(info)) == sizeof(info))
				interrupt(fds[2].fd);
			interrupted = true;
		} else if (fds[2].revents) {
			if (interrupted)
				result = -EINTR;
			else
				result = was_ready(notify, pid, &progress) ? 0 : -ECHILD;
		} else if (is_ready(notify, pid, &progress) && !interrupted) {
			result = 0;
		}
	}
	close(fds[2].fd);
	end_progress(&progress);
	return result;
}

/* Report that sigmad has ended, unless it has exited by itself and has reported why */
static void report_end(const char *name, pid_t pid, bool interrupted)
{
	struct guest_view guest;
	bool exists;
	int how;

	if (waitpid(pid, &how, 0) < 0)
		return;
	exists = !guest_view(&guest, name);
	if (interrupted)
		complain(0, exists ? "%s: interrupted, but not everything was given back: 'sigmactl kill %s' tries again" :
			 "%s: interrupted; nothing stays taken", name, name);
	else if (WIFSIGNALED(how))
		complain(0, exists ? "%s: sigmad died of signal %d (SIG%s); 'sigmactl kill %s' takes everything back" :
			 "%s: sigmad died of signal %d (SIG%s); nothing was taken", name,
			 WTERMSIG(how), sigabbrev_np(WTERMSIG(how)) ?: "?", name);
}

/* Does the guest have a sigmad? If not, a new one takes the guest over */
static bool sigmad_lives(const char *name)
{
	sd_bus *bus;
	int error = client_open(&bus, name, clock_deadline(ANSWER_TIMEOUT));

	if (!error)
		sd_bus_close_unref(bus);
	return !error || client_seen(error) != SIGMAD_GONE;
}

/* Find mistakes before sigmad does, for their exit status or a better message */
static int check(const char *guest, char name[SIGMA_NAME_MAX])
{
	struct guest_view view;
	int error, status = EXIT_OK;
	char *file;

	error = guestfile_find(guest, name, &file);
	if (error)
		return complain(error == -EINVAL ? EXIT_USAGE : EXIT_FAILED, "\"%s\": %s", guest,
				error == -EINVAL ? GUEST_NAME_RULE : strerror(-error));
	if (!guest_view(&view, name) && sigmad_lives(name))
		status = complain(EXIT_FAILED, "%s: exists already, and is %s; 'sigmactl status %s' shows more",
				  name, view.state, name);
	else if (!control_has_guest(name) && access(file, F_OK) && errno == ENOENT)
		status = complain(EXIT_NO_GUEST, "%s: no such guest: there is no %s; 'sigmactl start --help' shows an example of this file",
				  name, file);
	else if (access(RUNDIR, W_OK) && errno == EACCES)
		status = complain(EXIT_FAILED, "%s: only root starts guests; the group '" RUNDIR_GROUP "' may use guests that run",
				  name);
	free(file);
	return status;
}

static int begin(const char *guest, const char *name, int notify,
		 const struct sigmad_bond *bond, pid_t *pid)
{
	int signals, error, status = EXIT_FAILED;
	char sigmad[PATH_MAX];

	if (find_sigmad(sigmad))
		return EXIT_FAILED;
	signals = open_signals();
	if (signals < 0)
		return complain(EXIT_FAILED, "cannot catch signals: %s", strerror(errno));
	error = spawn_sigmad(sigmad, guest, bond, pid);
	if (error) {
		complain(0, "cannot run %s: %s", sigmad, strerror(-error));
		goto close_signals;
	}
	error = wait_ready(name, notify, signals, *pid, bond && bond->restores ? bond->file : -1);
	if (error == -ECHILD || error == -EINTR)
		report_end(name, *pid, error == -EINTR);
	else if (error)
		complain(0, "cannot wait for sigmad (pid %d), which goes on: %s", *pid,
			 strerror(-error));
	else
		status = EXIT_OK;
close_signals:
	close(signals);
	return status;
}

int sigmad_last_state(int notify, pid_t pid)
{
	char text[MESSAGE_MAX], *name;
	int state = -ENOMSG;

	while (!receive(notify, pid, text, sizeof(text))) {
		name = value_of(text, GUEST_STATE_VARIABLE);
		if (!name)
			continue;
		name[strcspn(name, "\n")] = '\0';
		if (guest_state_from_name(name) >= 0)
			state = guest_state_from_name(name);
	}
	return state;
}

static int prepare_and_begin(const char *guest, const char *name, const struct sigmad_bond *bond,
			     pid_t *pid, int *out)
{
	int notify, status;

	if (rundir_prepare())
		return EXIT_FAILED;
	/* sigmad reports as long as the guest lives, to nobody in the end */
	atexit(remove_notify_socket);
	notify = make_notify_socket();
	if (notify < 0)
		return complain(EXIT_FAILED, "cannot make a socket for sigmad to report to: %s%s",
				strerror(-notify),
				notify == -EACCES ? "; only root starts guests" : "");
	status = begin(guest, name, notify, bond, pid);
	if (!status && out) {
		*out = notify;
	} else {
		close(notify);
		remove_notify_socket();
	}
	return status;
}

int sigmad_begin(const char *guest, char name[SIGMA_NAME_MAX], const struct sigmad_bond *bond,
		 pid_t *pid, int *notify)
{
	int status = check(guest, name);

	return status ?: prepare_and_begin(guest, name, bond, pid, notify);
}

int sigmad_restore(const char *name, int fd, bool force, bool copies)
{
	const struct sigmad_bond bond = {
		.caller = -1, .file = fd, .restores = true, .force = force, .copies = copies,
	};
	pid_t pid;

	if (access(RUNDIR, W_OK) && errno == EACCES)
		return complain(EXIT_FAILED, "%s: only root restores guests", name);
	return prepare_and_begin(name, name, &bond, &pid, NULL);
}

int sigmad_copy(const char *name, int fd, int caller, pid_t *pid)
{
	const struct sigmad_bond bond = { .caller = caller, .file = fd, .restores = true, .copies = true };

	return prepare_and_begin(name, name, &bond, pid, NULL);
}
