// SPDX-License-Identifier: GPL-2.0
/*
 * The small system of 'sigmactl run': with sigma.run there is no init but this one. The root is that
 * of the host, whose init must not start here a second time. So this program makes what programs
 * expect, runs the agent, which runs the program, and switches the guest off when the agent ends.
 *
 * Before that it ends all processes and waits for them. What a process has written by mmap(2) is
 * with the host once it has ended: sync(2) of a FUSE file system need not wait for pages that are
 * still mapped.
 *
 * /run, /tmp, /dev and what is below are in the guest's memory. What the host has there is about the
 * host: sockets of its services, its devices.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "init.h"

#define NIC		"eth0"
#define NIC_TIMEOUT	10	/* seconds */
#define HOSTNAME_FILE	"/etc/hostname"

static volatile sig_atomic_t asked_off;

static const struct mounting {
	const char *type, *at, *options;
	unsigned long flags;
	bool needed;
} mounts[] = {
	{ "tmpfs", "/run", "mode=755", MS_NOSUID | MS_NODEV, true },
	{ "tmpfs", "/tmp", "mode=1777", MS_NOSUID | MS_NODEV, true },
	{ "devpts", "/dev/pts", "mode=620,gid=5,ptmxmode=666", MS_NOSUID | MS_NOEXEC, true },
	{ "tmpfs", "/dev/shm", "mode=1777", MS_NOSUID | MS_NODEV, true },
	{ "mqueue", "/dev/mqueue", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC, false },
	{ "cgroup2", "/sys/fs/cgroup", "nsdelegate", MS_NOSUID | MS_NODEV | MS_NOEXEC, false },
};

static int mount_one(const struct mounting *mounting)
{
	int err;

	mkdir(mounting->at, 0755);
	if (!mount(mounting->type, mounting->at, mounting->type, MS_SILENT | mounting->flags,
		   mounting->options))
		return 0;
	err = -errno;
	if (!mounting->needed)
		return 0;
	init_say(LEVEL_ERROR, "cannot mount a %s at %s: %s%s", mounting->type, mounting->at,
		 strerror(-err), err == -ENOENT ? "; the root must have this folder" : "");
	return err;
}

static int mount_all(const struct cmdline *cmdline)
{
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(mounts) && !err; i++)
		if (!cmdline->tmp_from_host || strcmp(mounts[i].at, "/tmp"))
			err = mount_one(&mounts[i]);
	return err;
}

struct share {
	const char *tag, *at;
	int err;
};

static bool mount_share(void *data)
{
	struct share *share = data;

	share->err = mount(share->tag, share->at, VIRTIOFS, MS_SILENT, NULL) ? -errno : 0;
	/* EINVAL: the share is not there yet */
	return share->err != -EINVAL;
}

/* Return: 0 or a reported -errno */
static int mount_shares(const struct cmdline *cmdline)
{
	int err = 0;

	for (unsigned int i = 0; i < cmdline->nr_shares && !err; i++) {
		char *word = cmdline->shares[i];
		struct share share = { .tag = strsep(&word, ":"), .at = word };

		if (!share.at)
			continue;
		mkdir(share.at, 0755);
		root_wait(mount_share, &share, cmdline->root_timeout);
		err = share.err;
		if (!err)
			readahead_set(cmdline, share.at);
		else
			init_say(LEVEL_ERROR, "cannot mount a share at %s: %s%s", share.at,
				 strerror(-err), err == -ENOENT ?
				 "; the root must have this folder" : "");
	}
	return err;
}

/* What devtmpfs lacks, and udev makes elsewhere */
static void make_links(void)
{
	static const struct {
		const char *to, *at;
	} links[] = {
		{ "/proc/self/fd", "/dev/fd" },
		{ "/proc/self/fd/0", "/dev/stdin" },
		{ "/proc/self/fd/1", "/dev/stdout" },
		{ "/proc/self/fd/2", "/dev/stderr" },
		{ "pts/ptmx", "/dev/ptmx" },
	};

	unlink("/dev/ptmx");
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		if (symlink(links[i].to, links[i].at) && errno != EEXIST)
			init_say(LEVEL_WARNING, "cannot make %s: %s", links[i].at, strerror(errno));
	mkdir("/run/lock", 01777);
	chmod("/run/lock", 01777);
}

/* The name that the root's system has */
static void take_hostname(void)
{
	char name[65];
	size_t len;

	if (file_read(HOSTNAME_FILE, name, sizeof(name)) < 0)
		return;
	len = strcspn(name, " \t\n#");
	if (len)
		sethostname(name, len);
}

int system_set_up(const char *nic)
{
	struct ifreq request = {};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;

	if (fd < 0)
		return -errno;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", nic);
	if (ioctl(fd, SIOCGIFFLAGS, &request)) {
		err = -errno;
	} else {
		request.ifr_flags |= IFF_UP;
		err = ioctl(fd, SIOCSIFFLAGS, &request) ? -errno : 0;
	}
	close(fd);
	return err;
}

static bool has_nic(void *data)
{
	return !access(data, F_OK);
}

static void open_network(void)
{
	int err = system_set_up("lo");

	if (err)
		init_say(LEVEL_WARNING, "no loopback: %s", strerror(-err));
	if (!root_wait(has_nic, "/sys/class/net/" NIC, NIC_TIMEOUT))
		err = -ENODEV;
	else
		err = dhcp_configure(NIC);
	if (err)
		init_say(LEVEL_WARNING, NIC ": no address by DHCP: %s", strerror(-err));
}

/* PID 1 also waits for the processes whose parents have ended */
static void wait_for(pid_t agent)
{
	pid_t pid;

	do
		pid = wait(NULL);
	while (pid != agent && (pid >= 0 || errno == EINTR));
}

static void on_asked_off(int number)
{
	(void)number;
	asked_off = true;
}

int system_ask_off(void)
{
	/* The second one ends the agent, the first one is for an init that has not started it yet */
	return kill(1, SIGTERM) || kill(-1, SIGKILL) ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int switch_off(void)
{
	kill(-1, SIGKILL);
	while (wait(NULL) >= 0 || errno == EINTR)
		;
	sync();
	return reboot(RB_POWER_OFF) ? -errno : 0;
}

/* When the host asks for a power-off, the kernel runs this program. The root's would ask its init */
static void take_power_off(void)
{
	static const char command[] = "/proc/1/exe";
	const struct sigaction action = { .sa_handler = on_asked_off };
	int fd;

	sigaction(SIGTERM, &action, NULL);
	fd = open("/proc/sys/kernel/poweroff_cmd", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, command, strlen(command)) != (ssize_t)strlen(command))
		init_say(LEVEL_WARNING, "cannot set kernel.poweroff_cmd: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
}

void system_run(const struct cmdline *cmdline, int agent)
{
	pid_t pid;
	int err = mount_all(cmdline) ?: mount_shares(cmdline);

	if (err)
		goto off;
	make_links();
	take_power_off();
	take_hostname();
	umask(022);
	if (cmdline->network)
		open_network();
	else
		system_set_up("lo");
	pid = asked_off ? -1 : agent_start(agent, !cmdline->keep);
	if (pid > 0)
		wait_for(pid);
off:
	err = switch_off();
	if (err)
		init_say(LEVEL_ERROR, "cannot switch the guest off: %s", strerror(-err));
}
