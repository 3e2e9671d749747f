// SPDX-License-Identifier: GPL-2.0
/*
 * sigmactl start: run a sigmad in the background and wait until it has started its
 * guest. It tells so as a service tells systemd, by READY=1 on $NOTIFY_SOCKET (sd_notify(3)).
 * Until then its messages come here; afterwards they go to /run/sigma/NAME/sigmad.log.
 */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctl.h"

/* Where sigmad is: where we are told, beside us (a build tree), or where it was installed */
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

/* A datagram socket with an abstract name that the kernel chose, put into $NOTIFY_SOCKET */
static int make_notify_socket(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(sa_family_t);
	char name[sizeof(addr.sun_path) + 1];
	const int on = 1;
	int fd;

	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* Anybody may send to an abstract socket, so each message must say from whom it is */
	if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) ||
	    bind(fd, (struct sockaddr *)&addr, len))
		goto fail;
	len = sizeof(addr);
	if (getsockname(fd, (struct sockaddr *)&addr, &len))
		goto fail;
	len -= offsetof(struct sockaddr_un, sun_path);
	snprintf(name, sizeof(name), "@%.*s", (int)len - 1, addr.sun_path + 1);
	if (setenv("NOTIFY_SOCKET", name, 1))
		goto fail;
	return fd;

fail:
	close(fd);
	return -errno;
}

static int spawn_sigmad(const char *path, char *guest, pid_t *pid)
{
	char *argv[] = { "sigmad", "--background", "--", guest, NULL };
	posix_spawnattr_t attr;
	sigset_t none;
	int error;

	sigemptyset(&none);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
	error = posix_spawn(pid, path, NULL, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	return -error;
}

/* Does the datagram that waits at @fd come from @pid and say READY=1? */
static bool is_ready(int fd, pid_t pid)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	char text[1024];
	struct iovec iov = { .iov_base = text, .iov_len = sizeof(text) - 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	const struct cmsghdr *cmsg;
	struct ucred sender = {};
	ssize_t len;

	len = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (len < 0)
		return false;
	for (cmsg = CMSG_FIRSTHDR(&msg); cmsg; cmsg = CMSG_NXTHDR(&msg, (struct cmsghdr *)cmsg))
		if (cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_CREDENTIALS)
			memcpy(&sender, CMSG_DATA(cmsg), sizeof(sender));
	text[len] = '\0';
	return sender.pid == pid && (!strncmp(text, "READY=1", 7) || strstr(text, "\nREADY=1"));
}

/* Ctrl-C and its like become sigmad's business: it knows what to put away */
static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

/* 0 when the guest is started, -ECHILD when sigmad ended, -errno */
static int wait_ready(int notify, int signals, pid_t pid)
{
	struct pollfd fds[] = {
		{ .fd = notify, .events = POLLIN },
		{ .fd = signals, .events = POLLIN },
		{ .fd = pidfd_open(pid, 0), .events = POLLIN },
	};
	struct signalfd_siginfo info;
	int result = -EAGAIN;

	if (fds[2].fd < 0)
		return -errno;
	while (result == -EAGAIN) {
		if (poll(fds, 3, -1) < 0 && errno != EINTR)
			result = -errno;
		else if (fds[0].revents && is_ready(notify, pid))
			result = 0;
		else if (fds[1].revents && read(signals, &info, sizeof(info)) == sizeof(info))
			kill(pid, SIGTERM);
		else if (fds[2].revents)
			result = -ECHILD;
	}
	close(fds[2].fd);
	return result;
}

static void name_of(const char *guest, char name[NAME_MAX + 1])
{
	const char *slash = strrchr(guest, '/');
	char *suffix;

	snprintf(name, NAME_MAX + 1, "%s", slash ? slash + 1 : guest);
	suffix = strrchr(name, '.');
	if (slash && suffix && !strcmp(suffix, ".guest"))
		*suffix = '\0';
}

static int start(char *guest, const char *name, const char *sigmad, int notify)
{
	char size[32];
	int signals, error, status = EXIT_FAILED;
	struct guest_view view;
	pid_t pid;

	signals = open_signals();
	if (signals < 0)
		return complain(EXIT_FAILED, "cannot catch signals: %s", strerror(errno));
	error = spawn_sigmad(sigmad, guest, &pid);
	if (error) {
		complain(0, "cannot run %s: %s", sigmad, strerror(-error));
		goto close_signals;
	}
	error = wait_ready(notify, signals, pid);
	if (error == -ECHILD) {
		waitpid(pid, NULL, 0);	/* it has told why */
		goto close_signals;
	}
	if (error) {
		complain(0, "cannot wait for sigmad (pid %d), which goes on: %s", pid,
			 strerror(-error));
		goto close_signals;
	}

	if (!guest_view(&view, name))
		printf("%s: started on cpu %s with %s\n", name, view.cpus,
		       format_size(size, view.memory));
	status = EXIT_OK;
close_signals:
	close(signals);
	return status;
}

static int run(const struct options *options, char **args)
{
	char sigmad[PATH_MAX], name[NAME_MAX + 1];
	struct guest_view view;
	int notify, status;

	name_of(args[0], name);
	if (!guest_view(&view, name))
		return complain(EXIT_FAILED, "%s: exists already, and is %s; 'sigmactl status %s' tells more",
				name, view.state, name);
	if (find_sigmad(sigmad))
		return EXIT_FAILED;
	notify = make_notify_socket();
	if (notify < 0)
		return complain(EXIT_FAILED, "cannot make a socket for sigmad to report to: %s",
				strerror(-notify));
	status = start(args[0], name, sigmad, notify);
	close(notify);
	return status;
}

const struct verb verb_start = {
	.name = "start",
	.args = "NAME|FILE",
	.summary = "Start a guest in the background",
	.help =
"NAME means /etc/sigma/NAME.guest; anything with a '/' in it is a file of that kind. The\n"
"guest's CPUs and memory are taken from the host now, its kernel is loaded and started.\n"
"On any mistake in the file nothing is taken. It returns when the guest's CPU has begun;\n"
"'sigmactl wait --state=running NAME' waits until the guest's driver is up.\n"
"\n"
"A guest file, all of it optional:\n"
"  [Guest]\n"
"  CPUs=1                 how many, or which: cpu3, cpu4-7\n"
"  Memory=512M\n"
"  Kernel=/boot/vmlinuz-6.1.0-50-amd64\n"
"  Initrd=                of the user; one with SIGMA's drivers is always added\n"
"  CommandLine=root=/dev/vda1\n"
"  [Disk]                 as often as wanted: /dev/vda, /dev/vdb, ...\n"
"  Path=/var/lib/sigma/demo.img\n"
"  ReadOnly=no\n"
"  [Network]              as often as wanted\n"
"  Bridge=br0             or Address=10.0.0.1/24, of the host's end\n"
"\n"
"Examples:\n"
"  sigmactl start demo\n"
"  sigmactl start ./try.guest\n",
	.nr_args = 1,
	.run = run,
};
