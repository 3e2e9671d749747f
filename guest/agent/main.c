// SPDX-License-Identifier: GPL-2.0
/*
 * sigma-agent: runs programs in this guest, as sigmactl on the host asks.
 *
 * It listens at a port of AF_VSOCK that only root can listen at. Programs of this guest can connect
 * to it, too, and so can any user of the host. So it serves the host only, from ports that root alone
 * can connect from, so that nobody else keeps it busy; and only who has the key that sigmad made for
 * this start of the guest. sigmad gives it to the guest in an ACPI table, which the kernel shows to
 * root only.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/version.h"
#include "agent.h"

#define TABLES		"/sys/firmware/acpi/tables/"
#define SESSIONS_MAX	128	/* at a time */
#define WAS_LAST	3	/* exit status of the session with the program of 'sigmactl run' */

static volatile sig_atomic_t sessions;
static bool once;		/* this agent ends with the program of 'sigmactl run' */

static void complain(const char *what, const char *why)
{
	fprintf(stderr, "sigma-agent: %s: %s\n", what, why);
}

/* Read the key. 0, or a reported -errno */
static int read_key(uint8_t key[AGENT_KEY_SIZE])
{
	int fd = open(TABLES AGENT_TABLE, O_RDONLY | O_CLOEXEC), error = 0;

	if (fd < 0) {
		error = -errno;
		complain(TABLES AGENT_TABLE, errno == ENOENT ?
			 "this machine is no SIGMA guest, or its sigmad is older than this agent" :
			 strerror(errno));
		return error;
	}
	if (pread(fd, key, AGENT_KEY_SIZE, AGENT_TABLE_HEADER) != AGENT_KEY_SIZE) {
		complain(TABLES AGENT_TABLE, "too short; use an agent and a sigmad of the same release");
		error = -EINVAL;
	}
	close(fd);
	return error;
}

/* Listen. A socket, or a reported -errno; -EADDRINUSE: another agent does */
static int listen_vsock(void)
{
	const struct sockaddr_vm address = {
		.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = AGENT_PORT,
	};
	int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0), error;

	if (fd < 0) {
		error = -errno;
		complain("no AF_VSOCK", strerror(-error));
		return error;
	}
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) ||
	    listen(fd, SESSIONS_MAX)) {
		error = -errno;
		complain("cannot listen", error == -EADDRINUSE ? "another agent does already" :
			 strerror(-error));
		close(fd);
		return error;
	}
	return fd;
}

static void on_child(int number)
{
	int error = errno, how;

	(void)number;
	while (waitpid(-1, &how, WNOHANG) > 0) {
		sessions--;
		/* Then the init ends all that other sessions run */
		if (once && WIFEXITED(how) && WEXITSTATUS(how) == WAS_LAST)
			_exit(EXIT_SUCCESS);
	}
	errno = error;
}

static bool is_welcome(const struct sockaddr_vm *peer)
{
	return peer->svm_cid == VMADDR_CID_HOST && peer->svm_port <= AGENT_HOST_PORT_MAX &&
	       sessions < SESSIONS_MAX;
}

static void serve(int listener, const uint8_t key[AGENT_KEY_SIZE])
{
	const struct sigaction action = { .sa_handler = on_child, .sa_flags = SA_NOCLDSTOP };
	struct sockaddr_vm peer;
	sigset_t child, none;
	socklen_t len;
	pid_t pid;
	int fd;

	sigemptyset(&none);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigaction(SIGCHLD, &action, NULL);
	for (;;) {
		len = sizeof(peer);
		fd = accept4(listener, (struct sockaddr *)&peer, &len, SOCK_CLOEXEC);
		if (fd < 0)
			continue;
		sigprocmask(SIG_BLOCK, &child, NULL);
		pid = is_welcome(&peer) ? fork() : -1;
		if (!pid) {
			close(listener);
			sigprocmask(SIG_SETMASK, &none, NULL);
			_exit(session_run(fd, key) ? WAS_LAST : EXIT_SUCCESS);
		}
		if (pid > 0)
			sessions++;
		close(fd);
		sigprocmask(SIG_SETMASK, &none, NULL);
	}
}

/* What it opens does not become a standard stream of the programs */
static void open_streams(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

int main(int argc, char *argv[])
{
	uint8_t key[AGENT_KEY_SIZE];
	int listener;

	if (argc > 2 && !strcmp(argv[1], "--cache-save"))
		return cache_save(argv + 2);
	if (argc == 2 && !strcmp(argv[1], "--cache-load"))
		return cache_load_list();
	once = argc == 2 && !strcmp(argv[1], "--once");
	if (argc > 1 && !once) {
		puts("Usage: sigma-agent [--once | --cache-save FOLDER... | --cache-load]\n"
		     "Run programs in this SIGMA guest for sigmactl on the host (" SIGMA_VERSION ").\n"
		     "\n"
		     "  --once        end with the program of 'sigmactl run'\n"
		     "  --cache-save  list what the page cache has of the files in folders\n"
		     "  --cache-load  read what the list on stdin has into the page cache");
		return strcmp(argv[1], "--help") ? EXIT_FAILURE : EXIT_SUCCESS;
	}
	open_streams();
	/* guest/init starts it by a descriptor, which would be its name */
	prctl(PR_SET_NAME, "sigma-agent");
	if (read_key(key))
		return EXIT_FAILURE;
	listener = listen_vsock();
	if (listener < 0)
		return listener == -EADDRINUSE ? EXIT_SUCCESS : EXIT_FAILURE;
	if (chdir("/"))
		return EXIT_FAILURE;
	serve(listener, key);
}
