// SPDX-License-Identifier: GPL-2.0
/*
 * What a process has left once it has shed its privileges, and what happens when it makes a system
 * call that its filter forbids. Each test sheds those of a child. Of the capabilities that sigmad keeps
 * it has those that the test was started with.
 */
#include <errno.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../daemon/privileges.h"
#include "../../daemon/virtio/broker.h"
#include "capture.h"
#include "tap.h"

#define BIT(capability)	(1ULL << (capability))
#define OF_OWNER	(BIT(CAP_CHOWN) | BIT(CAP_NET_BIND_SERVICE))
#define KEPT		(BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FOWNER) | BIT(CAP_NET_ADMIN) | \
			 BIT(CAP_NET_BIND_SERVICE))
#define FILTERED	2	/* SECCOMP_MODE_FILTER */

/* The number in the line @key of /proc/self/status */
static uint64_t status(const char *key, int base)
{
	FILE *file = fopen("/proc/self/status", "re");
	size_t len = strlen(key);
	uint64_t value = ~0ULL;
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, key, len) && line[len] == ':')
			value = strtoull(line + len + 1, NULL, base);
	if (file)
		fclose(file);
	return value;
}

/* The child's result, in which each bit is a check that failed */
static int failed(const bool *passed, unsigned int nr)
{
	int bits = 0;

	for (unsigned int i = 0; i < nr; i++)
		bits |= !passed[i] << i;
	return bits;
}

static bool owned;		/* the guest has an owner */

/* Run @child in a process that has shed its privileges. Return: what waitpid() says of it */
static int shed(int (*child)(void))
{
	int status = -1;
	pid_t pid = fork();

	if (!pid)
		_exit(privileges_shed(owned) ? 0x80 : child());
	if (pid > 0)
		waitpid(pid, &status, 0);
	return status;
}

/* Before they are shed */
static uint64_t permitted, bounding;

static int look(void)
{
	/* Only this capability allows to change the set */
	const uint64_t kept = owned ? OF_OWNER : KEPT;
	const uint64_t bound = permitted & BIT(CAP_SETPCAP) ? kept : ~0ULL;
	const bool passed[] = {
		status("CapEff", 16) == (permitted & kept),
		status("CapPrm", 16) == (permitted & kept),
		!status("CapInh", 16), !status("CapAmb", 16),
		status("CapBnd", 16) == (bounding & bound),
		status("NoNewPrivs", 10) == 1, status("Seccomp", 10) == FILTERED,
	};

	return failed(passed, sizeof(passed) / sizeof(*passed));
}

TEST(little_is_left)
{
	int ended;

	permitted = status("CapPrm", 16);
	bounding = status("CapBnd", 16);
	for (int i = 0; i < 2; i++) {
		owned = i;
		ended = shed(look);
		EXPECT_TRUE(WIFEXITED(ended));
		EXPECT_EQ(0, WEXITSTATUS(ended));
	}
	owned = false;
}

static void *idle(void *data)
{
	return data;
}

static int work(void)
{
	bool passed[5];
	pthread_t thread;

	passed[0] = !pthread_create(&thread, NULL, idle, NULL) && !pthread_join(thread, NULL);
	passed[1] = eventfd(0, EFD_CLOEXEC) >= 0;
	passed[2] = socket(AF_UNIX, SOCK_STREAM, 0) >= 0 && socket(AF_NETLINK, SOCK_RAW, 0) >= 0;
	passed[3] = socket(AF_INET, SOCK_STREAM, 0) < 0 && errno == EAFNOSUPPORT;
	passed[4] = fopen("/dev/null", "r+e");
	return failed(passed, sizeof(passed) / sizeof(*passed));
}

TEST(threads_files_and_sockets_work)
{
	int status = shed(work);

	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
}

static int run_program(void)
{
	char *argv[] = { "/bin/true", NULL };

	return execv(*argv, argv);
}

static int leave_namespace(void)
{
	return unshare(CLONE_NEWNS);
}

static int make_process(void)
{
	return fork();
}

TEST(a_forbidden_call_says_its_name_and_ends_the_process)
{
	static const struct {
		int (*call)(void);
		const char *said;
	} forbidden[] = {
		{ run_program, "made the system call execve (59), which its filter forbids" },
		{ leave_namespace, "made the system call unshare (272), which" },
		{ make_process, "made the system call clone (56), which" },
	};

	for (size_t i = 0; i < sizeof(forbidden) / sizeof(*forbidden); i++) {
		int status;

		capture_start();
		status = shed(forbidden[i].call);
		EXPECT_SAID(forbidden[i].said, capture_end());
		EXPECT_TRUE(WIFSIGNALED(status));
		EXPECT_EQ(SIGSYS, WTERMSIG(status));
	}
}

/* The broker as a child. Return: its process */
static pid_t start_broker(int *other)
{
	int ends[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return -1;
	pid = fork();
	if (!pid) {
		close(ends[0]);
		broker_serve(ends[1], NULL);
		_exit(EXIT_SUCCESS);
	}
	close(ends[1]);
	broker_use(ends[0]);
	*other = ends[0];
	return pid;
}

TEST(broker_checks_its_requests)
{
	const struct guest_share share = { .path = "things", .tag = "things" };
	const struct guest_share options = { .path = "/tmp/a,modcaps=+sys_admin", .tag = "a" };
	struct guest_net net = { .nr_forwards = GUEST_FORWARDS_MAX + 1 };
	char why[BACKEND_WHY_MAX] = "";
	struct backend backend = {};
	int fd, status = -1;
	pid_t pid = start_broker(&fd);

	ASSERT_TRUE(pid > 0);
	EXPECT_EQ(-EINVAL, broker_share(&backend, NULL, &share, 0, why));
	EXPECT_STREQ("the broker refuses this request", why);
	EXPECT_EQ(-EINVAL, broker_share(&backend, NULL, &options, 0, why));
	EXPECT_EQ(-EINVAL, broker_net(&backend, NULL, &net, 0, why));
	net.nr_forwards = 1;
	strcpy(net.forward[0].address, "--pcap");
	EXPECT_EQ(-EINVAL, broker_net(&backend, NULL, &net, 0, why));
	EXPECT_EQ(0, backend.pid);

	/* What is no request ends it, and sigmad says so when it needs it next */
	EXPECT_EQ(1, send(fd, "x", 1, 0));
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_TRUE(broker_share(&backend, NULL, &share, 0, why) < 0);
	EXPECT_TRUE(strstr(why, "sigmad's broker, which starts virtiofsd, has ended"));
	broker_close();
}

TEST_HARNESS_MAIN
