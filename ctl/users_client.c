// SPDX-License-Identifier: GPL-2.0
/* sigmactl run and exec of a user who is not root: see users.h. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../common/parse.h"
#include "../common/version.h"
#include "ctl.h"
#include "users.h"

#define BOOT	"/boot/"

/* What is asked for */

static int only_root(const char *option, const char *remedy)
{
	return complain(-EPERM, "run: --%s is for root alone; %s, or use 'sudo sigmactl run'", option,
			remedy);
}

static int check_rights(const struct run_options *options)
{
	if (options->name)
		return only_root("name", "the guest of a user gets a name");
	if (options->keep)
		return only_root("keep", "the guest of a user ends with its command");
	if (options->nr_shares)
		return only_root("share", "what you may read and write of the host is there already");
	if (strcmp(options->root, "/"))
		return only_root("rootfs", "leave it out");
	if (options->profile)
		return only_root("profile", "leave it out");
	if (options->unchanging || options->cache)
		return only_root(options->cache ? "cache" : "unchanging", "leave it out");
	if (options->net == RUN_NET_BRIDGE)
		return only_root("net=bridge", "give --net=user");
	if (options->guard && strcmp(options->guard, "full") && strcmp(options->guard, "auto"))
		return only_root("guard", "the guest of a user has the guard full");
	return 0;
}

static int take_port(const char *text, size_t len, uint16_t *port)
{
	unsigned long number = 0;

	if (!len || len > 5)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (!isdigit((unsigned char)text[i]))
			return -EINVAL;
		number = number * 10 + text[i] - '0';
	}
	*port = number;
	return !number || number > UINT16_MAX ? -EINVAL : 0;
}

/* "tcp:[ADDRESS:]PORT:PORT"; an IPv6 address is in brackets. The service looks at the address */
static int take_forward(const char *text, struct users_forward *forward)
{
	const char *at = text + 4, *of_guest = strrchr(text, ':'), *of_host = of_guest - 1;
	size_t len;

	forward->udp = *text == 'u';
	while (of_host > at && of_host[-1] != ':')
		of_host--;
	if (of_guest < at || take_port(of_guest + 1, strlen(of_guest + 1), &forward->guest_port) ||
	    take_port(of_host, of_guest - of_host, &forward->host_port))
		goto wrong;
	if (of_host == at)
		return 0;
	len = of_host - 1 - at;
	if (*at == '[' && len > 1 && at[len - 1] == ']') {
		at++;
		len -= 2;
	}
	if (!len || len >= sizeof(forward->address))
		goto wrong;
	memcpy(forward->address, at, len);
	return 0;
wrong:
	return complain(-EINVAL, "run: --publish=%s: give [tcp:|udp:][ADDRESS:]PORT:PORT, such as 8080:80",
			text);
}

static int take_kernel(const char *path, struct users_request *request)
{
	char *real = realpath(path, NULL);
	int error = 0;

	if (!real)
		return complain(-errno, "run: --kernel=%s: %s", path, strerror(errno));
	if (strncmp(real, BOOT, strlen(BOOT)) || strchr(real + strlen(BOOT), '/') ||
	    strlen(real + strlen(BOOT)) >= sizeof(request->kernel))
		error = complain(-EPERM, "run: --kernel=%s: only root uses a kernel that is not in " BOOT "; leave it out, or use 'sudo sigmactl run'",
				 path);
	else
		strcpy(request->kernel, real + strlen(BOOT));
	free(real);
	return error;
}

static int take_numbers(const struct run_options *options, struct users_request *request)
{
	char *end = NULL;
	unsigned long cpus = options->cpus ? strtoul(options->cpus, &end, 10) : 1;

	if (options->cpus && (!isdigit((unsigned char)*options->cpus) || *end || cpus > UINT32_MAX))
		return only_root("cpus with names of CPUs", "give a number");
	request->nr_cpus = cpus;
	if (options->memory && (parse_size(options->memory, &end, &request->memory) || *end ||
				!request->memory))
		return complain(-EINVAL, "run: --memory=%s: give a size such as 512M or 2G",
				options->memory);
	return 0;
}

static int compose(const struct run_options *options, struct users_request *request)
{
	int error = check_rights(options);

	*request = (struct users_request){
		.version = SIGMA_VERSION, .what = USERS_RUN, .writes = options->writes,
		.tmp_from_host = options->tmp_from_host,
	};
	if (!error)
		error = take_numbers(options, request);
	if (!error && options->kernel)
		error = take_kernel(options->kernel, request);
	if (!error && options->append && strlen(options->append) >= sizeof(request->append))
		error = complain(-EINVAL, "run: --append is too long");
	if (error)
		return error;
	if (options->append)
		strcpy(request->append, options->append);
	request->net = run_guest_has_net(options) ? USERS_NET_USER : USERS_NET_NONE;
	for (; request->nr_forwards < options->nr_publish && !error; request->nr_forwards++)
		error = take_forward(options->publish[request->nr_forwards],
				     &request->forward[request->nr_forwards]);
	return error;
}

static int complain_of_service(int error)
{
	if (error == -EACCES)
		return complain(error, "run: only root, and the group " USERS_GROUP ", start guests; 'sudo sigmactl run -- CMD' runs CMD as root, and 'adduser %s " USERS_GROUP "' by root, and a new login, lets you run it as yourself",
				getenv("USER") ?: "USER");
	if (error == -ENOENT || error == -ECONNREFUSED)
		return complain(error, "run: the service that starts guests for users is not there; 'systemctl enable --now sigma-run.socket' by root starts it, or use 'sudo sigmactl run'");
	return complain(error, "run: the service that starts guests for users is not reached: %s",
			strerror(-error));
}

int users_run(const struct run_options *options, const char *workdir, struct agent_end *end)
{
	struct run_steps steps = { .verbose = options->verbose };
	struct users_request request;
	struct users_service service;
	char name[SIGMA_NAME_MAX];
	int error, agent;

	steps.begun = steps.last = clock_now(CLOCK_MONOTONIC);
	if (compose(options, &request))
		return RUN_FAILED;
	error = users_connect(&service, &request);
	if (error) {
		complain_of_service(error);
		return RUN_FAILED;
	}
	agent = users_agent(&service);
	if (agent < 0) {
		users_disconnect(&service);
		return RUN_FAILED;
	}
	snprintf(name, sizeof(name), "%.*s", SIGMA_NAME_MAX - 1, service.answer.text);
	run_step(&steps, name, "its agent answers");
	error = run_program(options, NULL, name, agent, workdir, end);
	/* The service waits for the guest to end by itself, or ends it */
	if (!error)
		send(service.socket, "", 1, MSG_NOSIGNAL);
	shutdown(service.socket, SHUT_WR);
	if (users_next(&service) != USERS_ENDED)
		error = error ?: -EIO;
	else
		run_step(&steps, name, "CPUs and memory are back");
	users_disconnect(&service);
	return error && !end->timed_out ? RUN_FAILED : 0;
}
