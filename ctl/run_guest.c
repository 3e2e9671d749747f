// SPDX-License-Identifier: GPL-2.0
/* Composes the guest file of 'sigmactl run -- CMD'. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>

#include "../common/meminfo.h"
#include "../common/program.h"
#include "ctl.h"
#include "run_command.h"

#define MIB		(1ULL << 20)
#define MEMORY_MOST	(1024 * MIB)
#define MEMORY_LEAST	(256 * MIB)	/* below that, let sigmad say that there is too little */

uint64_t run_guest_memory(void)
{
	uint64_t pool = guests_control_number("pool_free"), half = meminfo_available() / 2;

	if (pool >= MEMORY_MOST || half >= MEMORY_MOST)
		return MEMORY_MOST;
	return MAX(MAX(pool, half) & ~(2 * MIB - 1), MEMORY_LEAST);
}

/* Would the guest file say something else with this path? */
static bool breaks_line(const char *path)
{
	return strpbrk(path, "\n\r") || strstr(path, " ;") || strstr(path, "\t;");
}

/*
 * A path of a guest file is absolute. One that is not there is reported by sigmad. A link may lead to
 * a name that no guest file can have. Then the path stays as it was given, and was checked.
 */
static void print_path(FILE *out, const char *key, const char *path)
{
	char *absolute = path ? realpath(path, NULL) : NULL;

	if (absolute && breaks_line(absolute)) {
		free(absolute);
		absolute = NULL;
	}
	if (path)
		fprintf(out, "%s=%s\n", key, absolute ?: path);
	free(absolute);
}

static void print_key(FILE *out, const char *key, const char *value)
{
	if (value)
		fprintf(out, "%s=%s\n", key, value);
}

static void print_cmdline(FILE *out, const struct run_options *options, bool nic)
{
	fprintf(out, "CommandLine=" RUN_GUEST_WORDS "%s%s%s", options->keep ? "=keep" : "",
		nic ? " sigma.net=dhcp" : "", options->tmp_from_host ? " sigma.tmp=host" : "");
	for (unsigned int i = 0; i < options->nr_shares; i++)
		fprintf(out, " \"sigma.share=run-%u:%s\"", i,
			options->shares[i].at ?: options->shares[i].path);
	if (options->append)
		fprintf(out, " %s", options->append);
	fputc('\n', out);
}

static void print_network(FILE *out, const struct run_options *options)
{
	fputs("[Network]\n", out);
	if (options->bridge) {
		print_key(out, "Bridge", options->bridge);
		return;
	}
	fputs("User=yes\n", out);
	for (unsigned int i = 0; i < options->nr_publish; i++)
		print_key(out, "Forward", options->publish[i]);
}

bool run_guest_has_net(const struct run_options *options)
{
	char path[PATH_MAX], why[256];

	if (options->net != RUN_NET_AUTO || options->nr_publish)
		return options->net != RUN_NET_NONE;
	if (!program_find_passt(path, why, sizeof(why)))
		return true;
	complain(0, "run: the guest has no network: %s; --net=none says that this is as it should be",
		 why);
	return false;
}

char *run_guest_text(const struct run_options *options, uint64_t memory)
{
	const bool nic = run_guest_has_net(options);
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	bool failed;

	if (!out)
		goto no_memory;
	fputs("# made by 'sigmactl run'\n[Guest]\n", out);
	print_key(out, "CPUs", options->cpus);
	if (options->memory)
		print_key(out, "Memory", options->memory);
	else
		fprintf(out, "Memory=%lluM\n", (unsigned long long)(memory / MIB));
	print_path(out, "Kernel", options->kernel);
	print_key(out, "Guard", options->guard);
	if (options->profile && strchr(options->profile, '/'))
		print_path(out, "Profile", options->profile);
	else
		print_key(out, "Profile", options->profile);
	print_path(out, "Root", options->root);
	if (options->unchanging || options->unpacked)
		fputs("RootCache=always\n", out);
	fprintf(out, "RootWrites=%s\nVSock=yes\n",
		options->writes == ROOT_WRITES_NO ? "no" :
		options->writes == ROOT_WRITES_OVERLAY ? "overlay" : "yes");
	print_cmdline(out, options, nic);
	if (nic)
		print_network(out, options);
	for (unsigned int i = 0; i < options->nr_shares; i++)
		fprintf(out, "[Share]\nPath=%s\nTag=run-%u\n%s", options->shares[i].path, i,
			options->unchanging ? "Cache=always\n" : "");
	failed = ferror(out);
	if (!fclose(out) && !failed)
		return text;
no_memory:
	free(text);
	complain(0, "run: no memory to compose the guest");
	return NULL;
}
