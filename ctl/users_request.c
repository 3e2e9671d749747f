// SPDX-License-Identifier: GPL-2.0
/*
 * What a user may ask the service for: see users.h. A request is bytes of a user, and what is
 * composed of it is read by root's sigmad. So each text is of a few kinds of letters, none of which
 * ends a line or begins a comment in a guest file.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/version.h"
#include "ctl.h"
#include "users.h"

#define MIB		(1ULL << 20)
#define MEMORY_LEAST	(64 * MIB)
#define MEMORY_MOST	(1ULL << 46)
#define PORT_LEAST	1024	/* those below are root's */
#define LETTERS		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
#define OF_FILE		LETTERS "._+~-"
#define OF_WORDS	LETTERS " .,:=_/+@%-"

static int __attribute__((format(printf, 2, 3)))
refuse(char why[USERS_WHY_MAX], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, USERS_WHY_MAX, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* Does @text end within @size, and has it no other letters? Nothing of it is printed unless it has */
static bool is_text(const char *text, size_t size, const char *letters)
{
	return memchr(text, '\0', size) && !text[strspn(text, letters)];
}

static int check_forward(const struct users_forward *forward, char why[USERS_WHY_MAX])
{
	char binary[sizeof(struct in6_addr)];

	if (!is_text(forward->address, sizeof(forward->address), "0123456789abcdefABCDEF.:"))
		return refuse(why, "--publish: an address without letters of others, please");
	if (*forward->address && inet_pton(AF_INET, forward->address, binary) != 1 &&
	    inet_pton(AF_INET6, forward->address, binary) != 1)
		return refuse(why, "--publish=%s: that is no address", forward->address);
	if (forward->host_port < PORT_LEAST)
		return refuse(why, "--publish: port %u of the host is root's; choose one from %u on",
			      forward->host_port, PORT_LEAST);
	if (!forward->guest_port || forward->udp > 1 || forward->reserved)
		return refuse(why, "--publish: there is no such port or protocol");
	return 0;
}

static int check_words(const struct users_request *request, char why[USERS_WHY_MAX])
{
	if (!is_text(request->kernel, sizeof(request->kernel), OF_FILE) || *request->kernel == '.')
		return refuse(why, "--kernel: a user's guest has a kernel of /boot; give the name of a file there, of letters, digits and ._+~-");
	if (!is_text(request->append, sizeof(request->append), OF_WORDS))
		return refuse(why, "--append: give words of letters, digits and .,:=_/+@%%-, %d at most in all",
			      USERS_APPEND_MAX - 1);
	return 0;
}

static int check_run(const struct users_request *request, char why[USERS_WHY_MAX])
{
	int error;

	if (!request->nr_cpus || request->nr_cpus > SIGMA_CPUS_MAX)
		return refuse(why, "--cpus: give a number, 1 to %u", SIGMA_CPUS_MAX);
	if (request->memory && (request->memory < MEMORY_LEAST ||
				request->memory > MEMORY_MOST || request->memory % MIB))
		return refuse(why, "--memory: give whole MiB, %llu or more", MEMORY_LEAST / MIB);
	if (request->writes > ROOT_WRITES_OVERLAY || request->net >= USERS_NR_NETS ||
	    request->tmp_from_host > 1 || request->nr_forwards > GUEST_FORWARDS_MAX)
		return refuse(why, "sigmactl asks for what this service does not know");
	if (request->nr_forwards && request->net != USERS_NET_USER)
		return refuse(why, "--publish needs --net=user");
	error = check_words(request, why);
	for (unsigned int i = 0; i < request->nr_forwards && !error; i++)
		error = check_forward(&request->forward[i], why);
	return error;
}

int users_request_check(const struct users_request *request, char why[USERS_WHY_MAX])
{
	if (strncmp(request->version, SIGMA_VERSION, sizeof(request->version)))
		return refuse(why, "the service that starts guests is of version " SIGMA_VERSION ", and sigmactl of another one; run 'systemctl restart sigma-run.service' as root");
	switch (request->what) {
	case USERS_RUN:
		return check_run(request, why);
	case USERS_JOIN:
		if (!memchr(request->name, '\0', sizeof(request->name)) ||
		    !guestfile_name_valid(request->name, strlen(request->name)))
			return refuse(why, GUEST_NAME_RULE);
		return 0;
	default:
		return refuse(why, "sigmactl asks for what this service does not know");
	}
}

char *users_request_text(const struct users_request *request)
{
	static const char *const writes[] = {
		[ROOT_WRITES_YES] = "yes", [ROOT_WRITES_NO] = "no",
		[ROOT_WRITES_OVERLAY] = "overlay",
	};
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	bool failed;

	if (!out)
		return NULL;
	fprintf(out, "# made for a user\n[Guest]\nCPUs=%u\nMemory=%lluM\nGuard=full\nRoot=/\n",
		request->nr_cpus, (unsigned long long)(request->memory / MIB));
	fprintf(out, "RootWrites=%s\nVSock=yes\nHostModules=no\n", writes[request->writes]);
	if (*request->kernel)
		fprintf(out, "Kernel=/boot/%s\n", request->kernel);
	fprintf(out, "CommandLine=" RUN_GUEST_WORDS "%s%s %s\n",
		request->net == USERS_NET_USER ? " sigma.net=dhcp" : "",
		request->tmp_from_host ? " sigma.tmp=host" : "", request->append);
	if (request->net == USERS_NET_USER)
		fputs("[Network]\nUser=yes\n", out);
	for (unsigned int i = 0; i < request->nr_forwards; i++) {
		const struct users_forward *forward = &request->forward[i];
		const char *bracket = strchr(forward->address, ':') ? "[" : "";

		fprintf(out, "Forward=%s:%s%s%s%s%u:%u\n", forward->udp ? "udp" : "tcp", bracket,
			forward->address, *bracket ? "]" : "", *forward->address ? ":" : "",
			forward->host_port, forward->guest_port);
	}
	failed = ferror(out);
	if (!fclose(out) && !failed)
		return text;
	free(text);
	return NULL;
}
