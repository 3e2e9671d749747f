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

#include "../daemon/guest.h"
#include "ctl.h"

#define ANSWER_TIMEOUT	(5 * USEC_PER_SEC)	/* for sigmad */

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
 * Ctrl-C and its like become sigmad's business, since it knows what to put away. It is in a
 * session of its own and gets none by itself; two tell it not to wait for the guest.
 */
static void interrupt(int pidfd)
{
	pidfd_send_signal(pidfd, SIGTERM, NULL, 0);
	pidfd_send_signal(pidfd, SIGINT, NULL, 0);
}

/* 0 when the guest is started, -ECHILD when sigmad ended, -EINTR when we ended it, -errno */
static int wait_ready(int notify, int signals, pid_t pid)
{
	struct pollfd fds[] = {
		{ .fd = notify, .events = POLLIN },
		{ .fd = signals, .events = POLLIN },
		{ .fd = pidfd_open(pid, 0), .events = POLLIN },
	};
	struct signalfd_siginfo info;
	bool interrupted = false;
	int result = -EAGAIN;

	if (fds[2].fd < 0)
		return -errno;
	while (result == -EAGAIN) {
		if (poll(fds, 3, -1) < 0) {
			if (errno != EINTR)
				result = -errno;
		} else if (fds[1].revents) {
			if (read(signals, &info, sizeof(info)) == sizeof(info))
				interrupt(fds[2].fd);
			interrupted = true;
		} else if (fds[0].revents && is_ready(notify, pid) && !interrupted) {
			result = 0;
		} else if (fds[2].revents) {
			result = interrupted ? -EINTR : -ECHILD;
		}
	}
	close(fds[2].fd);
	return result;
}

/* sigmad has ended. Where it could, it has told why */
static void tell_end(const char *name, pid_t pid, bool interrupted)
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
	if (error == -ECHILD || error == -EINTR) {
		tell_end(name, pid, error == -EINTR);
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

/* Else sigmad takes the guest over */
static bool sigmad_lives(const char *name)
{
	sd_bus *bus;
	int error = client_open(&bus, name, deadline_in(ANSWER_TIMEOUT));

	if (!error)
		sd_bus_close_unref(bus);
	return !error || sigmad_seen(error) != SIGMAD_GONE;
}

/* What is known to be wrong before sigmad is asked, for its exit status or a better message */
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
		status = complain(EXIT_FAILED, "%s: exists already, and is %s; 'sigmactl status %s' tells more",
				  name, view.state, name);
	else if (!guest_exists(name) && access(file, F_OK) && errno == ENOENT)
		status = complain(EXIT_NO_GUEST, "%s: no such guest: there is no %s; 'sigmactl start --help' shows what it would hold",
				  name, file);
	else if (access(RUNDIR, W_OK) && errno == EACCES)
		status = complain(EXIT_FAILED, "%s: only root starts guests; the group '" RUNDIR_GROUP "' may use those that run",
				  name);
	free(file);
	return status;
}

static int run(const struct options *options, char **args)
{
	char sigmad[PATH_MAX], name[SIGMA_NAME_MAX];
	int notify, status;

	status = check(args[0], name);
	if (status)
		return status;
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
"'sigmactl wait --state=running NAME' waits until the guest's driver is up. Ctrl-C before it\n"
"returns gives everything back.\n"
"\n"
"Only root starts guests. The group sigma may use those that run: status, console, log,\n"
"wait, stop, kill, disk, net and share.\n"
"\n"
"A guest file, all of it optional, as it can be pasted:\n"
"\n"
"[Guest]\n"
"# How many CPUs, or which ones of the host: cpu3 or cpu2,cpu4-7\n"
"CPUs=1\n"
"# With K, M, G or T; rounded up to 2M\n"
"Memory=512M\n"
"# May hyperthread siblings be split between host and guest?\n"
"SplitCores=no\n"
"# Default: the host's own kernel\n"
"#Kernel=/boot/vmlinuz-6.1.0-50-amd64\n"
"# Default: the folder of that kernel in /lib/modules\n"
"#Modules=/srv/guest/lib/modules/6.1.0-50-amd64\n"
"# Your own; one with SIGMA's drivers is always added. Default: none\n"
"#Initrd=/boot/initrd.img-6.1.0-50-amd64\n"
"# Stands behind sigmad's own; indented lines go on with it. Default: empty\n"
"#CommandLine=root=/dev/vda rw\n"
"# Sockets of vsock(7) to the host: yes, no, or the guest's CID. Default: yes where the\n"
"# host has vhost_vsock, with a CID made from the guest's name\n"
"#VSock=yes\n"
"\n"
"# A file or block device; as often as wanted: /dev/vda, /dev/vdb, ...\n"
"#[Disk]\n"
"#Path=/var/lib/sigma/demo.img\n"
"#ReadOnly=no\n"
"# Past the host's page cache, where the file system can?\n"
"#DirectIO=yes\n"
"# 512 or 4096 bytes. Default: 512 for a file, as the device has it\n"
"#BlockSize=4096\n"
"# The guest has it as /dev/disk/by-id/virtio-SERIAL. Default: sigma-0, sigma-1, ...\n"
"#Serial=database\n"
"# Instead of all these: the vhost-user socket of who serves it, like qemu-storage-daemon\n"
"#Socket=/run/disk.sock\n"
"\n"
"# As often as wanted: eth0, eth1, ... Bridge= of the host, or Address= of the host's end, or\n"
"# User=yes: what the guest connects to it does as you, and nobody reaches it but by Forward=\n"
"# PROTOCOL:[ADDRESS:]PORT of the host:PORT of the guest, as often as wanted. Takes passt\n"
"#[Network]\n"
"#Bridge=br0\n"
"#Address=10.0.0.1/24\n"
"#User=yes\n"
"#Forward=tcp:2222:22\n"
"# Default: made from the guest's name, always the same\n"
"#MACAddress=52:54:00:12:34:56\n"
"# Does the host's kernel move the frames, or sigmad? Default: yes where it has vhost_net\n"
"#VHost=yes\n"
"\n"
"# A folder, as often as wanted; in the guest: mount -t virtiofs TAG /mnt. Takes virtiofsd.\n"
"# Under sudo the guest's root has your rights in it, and its other users may read at most\n"
"#[Share]\n"
"#Path=/home/me/project\n"
"# Default: the folder's name\n"
"#Tag=project\n"
"#ReadOnly=no\n"
"\n"
"Examples:\n"
"  sigmactl start demo\n"
"  sigmactl start ./try.guest\n",
	.nr_args = 1,
	.run = run,
};
