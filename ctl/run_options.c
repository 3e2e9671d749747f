// SPDX-License-Identifier: GPL-2.0
/*
 * The options of 'sigmactl run -- CMD'. They are apart from those of the other verbs, since many of
 * them are only of use here, and --memory has a value here.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl.h"
#include "run_command.h"

#define TIMEOUT_SEC_MAX	(365UL * 86400)

const char run_options_help[] =
"Options before -- CMD:\n"
"      --cpus=N|LIST         CPUs of the guest: a number (1), or cpu2,cpu3\n"
"      --memory=SIZE         its memory (1G, or half of what is free, if that is less)\n"
"      --read-only           the guest cannot write to the root\n"
"      --overlay             what it writes to the root stays in its memory\n"
"      --rootfs=DIR          another root than the host's\n"
"      --rootfs=TAR|IMAGE[:TAG]   a root that is unpacked, and removed when the guest is gone: a tar\n"
"                            archive, or an OCI image, as a folder or an archive. Without CMD, the\n"
"                            image's program runs; user, folder and environment are the image's\n"
"      --unchanging          nobody else changes files of the root and the shares meanwhile: the\n"
"                            guest keeps in its memory what it has read\n"
"      --cache=FILE          before CMD begins, the guest reads what this list of 'sigmactl cache\n"
"                            save' has; with --unchanging, or a root that was unpacked\n"
"      --share=DIR[:PATH]    a folder of the host that it can write to, at PATH, a folder that is\n"
"                            there, or in /run or /tmp; may be repeated\n"
"      --tmp-from-host       /tmp is the host's\n"
"      --net=user|none|bridge=NAME   its network (user, by passt)\n"
"      --publish=[tcp:|udp:][ADDRESS:]PORT:PORT   a port of the host that leads to one of the\n"
"                            guest; may be repeated\n"
"  -E, --setenv=NAME[=VALUE] a variable of CMD's environment; without a value it has the one that it\n"
"                            has here; may be repeated\n"
"      --kernel=FILE         another kernel than the host's\n"
"      --profile=NAME|FILE   fit the guest to a kind of work: latency, throughput, jvm, database,\n"
"                            hpc, or another one that 'sigmactl profiles' shows\n"
"      --append=WORDS        more words for the kernel's command line\n"
"      --guard=KIND          full, memory, no, or auto, the strongest one\n"
"      --name=NAME           the guest's name (run-XXXX)\n"
"      --timeout=SEC         end CMD by SIGTERM after SEC seconds, 10 s later by SIGKILL, and a\n"
"                            guest that hangs 10 s later\n"
"      --from=FILE           in a guest that has booted already: a copy of one that was saved to FILE by\n"
"                            'sigmactl save'. Root only; with --name, --setenv, --timeout and\n"
"                            --verbose alone\n"
"      --keep                the guest goes on when CMD has ended\n"
"      --verbose             say when each step was done\n";

enum {
	SETENV = 'E',
	CPUS = 256, MEMORY, READ_ONLY, OVERLAY, ROOTFS, SHARE, TMP_FROM_HOST, NET, PUBLISH, KERNEL,
	APPEND, GUARD, NAME, TIMEOUT, KEEP, VERBOSE, PROFILE, UNCHANGING, CACHE, FROM
};

static const struct option known[] = {
	{ "cpus", required_argument, NULL, CPUS },
	{ "memory", required_argument, NULL, MEMORY },
	{ "read-only", no_argument, NULL, READ_ONLY },
	{ "overlay", no_argument, NULL, OVERLAY },
	{ "rootfs", required_argument, NULL, ROOTFS },
	{ "share", required_argument, NULL, SHARE },
	{ "tmp-from-host", no_argument, NULL, TMP_FROM_HOST },
	{ "net", required_argument, NULL, NET },
	{ "publish", required_argument, NULL, PUBLISH },
	{ "setenv", required_argument, NULL, SETENV },
	{ "kernel", required_argument, NULL, KERNEL },
	{ "profile", required_argument, NULL, PROFILE },
	{ "unchanging", no_argument, NULL, UNCHANGING },
	{ "cache", required_argument, NULL, CACHE },
	{ "from", required_argument, NULL, FROM },
	{ "append", required_argument, NULL, APPEND },
	{ "guard", required_argument, NULL, GUARD },
	{ "name", required_argument, NULL, NAME },
	{ "timeout", required_argument, NULL, TIMEOUT },
	{ "keep", no_argument, NULL, KEEP },
	{ "verbose", no_argument, NULL, VERBOSE },
	{}
};

static int set_writes(struct run_options *options, enum guest_root_writes writes)
{
	if (options->writes != ROOT_WRITES_YES && options->writes != writes)
		return complain(-EINVAL, "run: --read-only and --overlay are two ways; give one of them");
	options->writes = writes;
	return 0;
}

/* What is written into the guest file and means something else there */
static int check_text(const char *option, const char *text)
{
	if (!*text)
		return complain(-EINVAL, "run: --%s= is empty; give a value, or leave it out", option);
	if (strpbrk(text, "\n\r") || strstr(text, " ;") || strstr(text, "\t;"))
		return complain(-EINVAL, "run: --%s: a guest file cannot have a line break, or a blank and a ';', in a value; leave it out",
				option);
	return 0;
}

static int add_share(struct run_options *options, char *text)
{
	struct run_share *share;
	char *at;

	if (options->nr_shares == RUN_SHARES_MAX)
		return complain(-EINVAL, "run: --share=%s: more than %d of them", text,
				RUN_SHARES_MAX);
	share = &options->shares[options->nr_shares++];
	*share = (struct run_share){ .path = text };
	at = strchr(text, ':');
	if (at) {
		*at++ = '\0';
		share->at = at;
	}
	if (*text != '/' || (at && *at != '/') || strpbrk(text, ",\"") ||
	    (at && strpbrk(at, ":\"")))
		return complain(-EINVAL, "run: --share=%s%s%s: give absolute paths without , and \", such as /srv/out or /srv/out:/out",
				text, at ? ":" : "", at ?: "");
	return check_text("share", text) ?: at ? check_text("share", at) : 0;
}

static int set_net(struct run_options *options, const char *text)
{
	if (!strcmp(text, "none")) {
		options->net = RUN_NET_NONE;
	} else if (!strcmp(text, "user")) {
		options->net = RUN_NET_USER;
	} else if (!strncmp(text, "bridge=", 7) && text[7]) {
		options->net = RUN_NET_BRIDGE;
		options->bridge = text + 7;
	} else {
		return complain(-EINVAL, "run: --net=%s: give user, none, or bridge=NAME", text);
	}
	return 0;
}

/* sigmad checks the rest, and says what is wrong with it */
static int add_publish(struct run_options *options, const char *text)
{
	const bool has_protocol = !strncmp(text, "tcp:", 4) || !strncmp(text, "udp:", 4);

	if (options->nr_publish == GUEST_FORWARDS_MAX)
		return complain(-EINVAL, "run: --publish=%s: more than %d of them", text,
				GUEST_FORWARDS_MAX);
	if (asprintf(&options->publish[options->nr_publish], "%s%s", has_protocol ? "" : "tcp:",
		     text) < 0)
		return complain(-ENOMEM, "run: out of memory");
	options->nr_publish++;
	return 0;
}

static int set_timeout(struct run_options *options, const char *text)
{
	unsigned long seconds;
	char *end;

	errno = 0;
	seconds = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || !seconds || seconds > TIMEOUT_SEC_MAX)
		return complain(-EINVAL, "run: --timeout=%s: give whole seconds, 1 to %lu", text,
				TIMEOUT_SEC_MAX);
	options->timeout = seconds * USEC_PER_SEC;
	return 0;
}

static int set_text(const char **to, const char *option, const char *text)
{
	*to = text;
	return check_text(option, text);
}

static int take_option(struct run_options *options, int opt)
{
	switch (opt) {
	case CPUS:
		return set_text(&options->cpus, "cpus", optarg);
	case MEMORY:
		return set_text(&options->memory, "memory", optarg);
	case READ_ONLY:
		return set_writes(options, ROOT_WRITES_NO);
	case OVERLAY:
		return set_writes(options, ROOT_WRITES_OVERLAY);
	case ROOTFS:
		return set_text(&options->root, "rootfs", optarg);
	case SHARE:
		return add_share(options, optarg);
	case TMP_FROM_HOST:
		options->tmp_from_host = true;
		return 0;
	case NET:
		return check_text("net", optarg) ?: set_net(options, optarg);
	case PUBLISH:
		return check_text("publish", optarg) ?: add_publish(options, optarg);
	case SETENV:
		return run_env_add(options, optarg);
	case KERNEL:
		return set_text(&options->kernel, "kernel", optarg);
	case PROFILE:
		return set_text(&options->profile, "profile", optarg);
	case CACHE:
		return set_text(&options->cache, "cache", optarg);
	case FROM:
		return set_text(&options->from, "from", optarg);
	case UNCHANGING:
		options->unchanging = true;
		return 0;
	case APPEND:
		return set_text(&options->append, "append", optarg);
	case GUARD:
		return set_text(&options->guard, "guard", optarg);
	case NAME:
		return set_text(&options->name, "name", optarg);
	case TIMEOUT:
		return set_timeout(options, optarg);
	case KEEP:
		options->keep = true;
		return 0;
	case VERBOSE:
		options->verbose = true;
		return 0;
	default:
		return -EINVAL;		/* getopt has printed a message */
	}
}

const char *run_own_folder(const struct run_options *options, const char *path)
{
	static const char *const own[] = { "/proc", "/sys", "/dev", "/run", "/tmp" };

	for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++) {
		const size_t len = strlen(own[i]);

		if (!strncmp(path, own[i], len) && (!path[len] || path[len] == '/') &&
		    !strstr(path, "/..") && (strcmp(own[i], "/tmp") || !options->tmp_from_host))
			return own[i];
	}
	return NULL;
}

/* A folder that the guest made in the host's root, to mount a share there, would stay */
static int check_share(const struct run_options *options, const struct run_share *share)
{
	struct stat st;

	if (!share->at || strcmp(options->root, "/") || options->writes == ROOT_WRITES_OVERLAY ||
	    run_own_folder(options, share->at) || (!stat(share->at, &st) && S_ISDIR(st.st_mode)))
		return 0;
	return complain(-EINVAL, "run: --share=%s:%s: there is no folder %s, and none is made in this host's root; make it, choose a path in /run%s, which the guest has of its own, or give --overlay",
			share->path, share->at, share->at, options->tmp_from_host ? "" : " or /tmp");
}

/* The guest is as it was saved */
static int check_from(const struct run_options *options)
{
	if (!options->from)
		return 0;
	if (geteuid())
		return complain(-EPERM, "run: --from=%s: only root restores guests", options->from);
	if (options->cpus || options->memory || options->kernel || options->guard || options->profile ||
	    options->append || options->cache || options->nr_publish || options->nr_shares ||
	    options->net != RUN_NET_AUTO || options->writes != ROOT_WRITES_YES || options->tmp_from_host ||
	    options->unchanging || options->keep || strcmp(options->root, "/"))
		return complain(-EINVAL, "run: --from=%s: the guest is as it was saved; give --name, --setenv, --timeout and --verbose alone with it",
				options->from);
	return 0;
}

static int check(const struct run_options *options)
{
	int error = check_from(options);

	if (error)
		return error;
	if (!*options->command && !strcmp(options->root, "/"))
		return complain(-EINVAL, "run: there is no command behind --; write 'sigmactl run -- CMD', such as 'sigmactl run -- uname -a'");
	if (options->name && !guestfile_name_valid(options->name, strlen(options->name)))
		return complain(-EINVAL, "run: --name=%s: " GUEST_NAME_RULE, options->name);
	if (options->nr_publish && (options->net == RUN_NET_NONE ||
				    options->net == RUN_NET_BRIDGE))
		return complain(-EINVAL, "run: --publish needs --net=user; leave one of the two out");
	for (unsigned int i = 0; i < options->nr_shares && !error; i++)
		error = check_share(options, &options->shares[i]);
	return error;
}

int run_options_parse(struct run_options *options, int argc, char **argv)
{
	int opt, error = 0;

	*options = (struct run_options){ .root = "/" };
	optind = 1;
	while (!error && (opt = getopt_long(argc, argv, "+E:", known, NULL)) != -1)
		error = take_option(options, opt);
	if (error)
		return error;
	if (strcmp(argv[optind - 1], "--"))
		return complain(-EINVAL, "run: '%s' is in front of --; the name of a guest file, or options, -- and a command, but not both",
				argv[optind]);
	options->command = argv + optind;
	return check(options);
}

void run_options_free(struct run_options *options)
{
	while (options->nr_publish)
		free(options->publish[--options->nr_publish]);
	while (options->nr_env)
		free(options->env[--options->nr_env]);
}
