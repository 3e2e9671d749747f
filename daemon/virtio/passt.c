// SPDX-License-Identifier: GPL-2.0
/* Runs passt: see passt.h. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../common/program.h"
#include "passt.h"

#define PROGRAM		"passt"
#define FORWARD_TEXT	(INET6_ADDRSTRLEN + sizeof("/65535:65535"))

/* The argument of passt's -t and -u: ADDRESS/PORT:PORT */
static void format_forward(const struct guest_forward *forward, char text[FORWARD_TEXT])
{
	snprintf(text, FORWARD_TEXT, "%s%s%u:%u", forward->address, *forward->address ? "/" : "",
		 forward->host_port, forward->guest_port);
}

int passt_start(struct backend *server, sd_event *event, const struct guest_net *net,
		uid_t starter, char why[BACKEND_WHY_MAX])
{
	char path[PATH_MAX], fd_option[16], mtu_option[16], forwards[GUEST_FORWARDS_MAX][FORWARD_TEXT];
	char *argv[2 * GUEST_FORWARDS_MAX + 11] = {
		path, "--foreground", "--quiet", "--vhost-user", fd_option, "--no-map-gw",
		"--map-guest-addr=" PASST_HOST, "--dns-forward=" PASST_RESOLVER,
	};
	struct backend_command command = {
		.name = PROGRAM, .serves = "NIC in user mode", .argv = argv,
	};
	unsigned int nr = 8;
	int error, ends[2];

	error = program_find_passt(path, why, BACKEND_WHY_MAX);
	if (error)
		return error;
	/* With --fd=, passt ends when this connection ends */
	snprintf(fd_option, sizeof(fd_option), "--fd=%d", BACKEND_FD);
	/* As root, passt would become nobody by itself, too, but with a warning */
	if (!starter && !geteuid())
		argv[nr++] = "--runas=nobody";
	if (net->mtu) {
		snprintf(mtu_option, sizeof(mtu_option), "--mtu=%u", net->mtu);
		argv[nr++] = mtu_option;
	}
	for (unsigned int i = 0; i < net->nr_forwards; i++) {
		format_forward(&net->forward[i], forwards[i]);
		argv[nr++] = net->forward[i].udp ? "-u" : "-t";
		argv[nr++] = forwards[i];
	}

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)) {
		error = -errno;
		snprintf(why, BACKEND_WHY_MAX, "no socket for " PROGRAM ": %s", strerror(-error));
		return error;
	}
	command.fd = ends[1];
	error = backend_start(server, event, &command, starter, why);
	close(ends[1]);
	if (!error)
		return ends[0];
	close(ends[0]);
	return error;
}
