// SPDX-License-Identifier: GPL-2.0
/* [Guest] of a guest file: what the host lends the guest, and what the guest boots. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cpus.h"
#include "guard.h"
#include "guestparser.h"
#include "parse.h"
#include "profile.h"

#define MEMORY_MIN	(128ULL << 20)	/* kernel, initrd and room to unpack them */

#define NUMA_NODE_MAX	1023		/* CONFIG_NODES_SHIFT is 10 at most */

#define CPUS_REMEDY	"give a count (CPUs=2), which may have a kind of cores (CPUs=2 efficiency), or CPUs of the host (CPUs=cpu2,cpu4-7)"

/* The kind of cores, which follows a count or stands alone */
static void set_cpu_kind(struct parser *parser, const char *value, const char *name)
{
	int kind = cpu_kind_from_name(name);

	if (kind < 0)
		wrong(parser, -EINVAL, "CPUs=%s: \"%s\" is no kind of cores: not performance, efficiency or low-power; " CPUS_REMEDY,
		      value, name);
	else
		parser->config->cpu_kind = kind;
}

static void set_cpu_count(struct parser *parser, const char *value)
{
	unsigned long count;
	char *end;

	errno = 0;
	count = strtoul(value, &end, 10);
	if (errno || (*end && !isblank((unsigned char)*end)) || !count || count > SIGMA_CPUS_MAX) {
		wrong(parser, -EINVAL, "CPUs=%s: not 1 to %u CPUs; " CPUS_REMEDY, value,
		      SIGMA_CPUS_MAX);
		return;
	}
	parser->config->nr_cpus = count;
	if (*end)
		set_cpu_kind(parser, value, end + strspn(end, " \t"));
}

/* "cpu2,cpu4-7" */
static void set_cpu_list(struct parser *parser, const char *value)
{
	struct guest_config *config = parser->config;
	unsigned long first, last;
	const char *at = value;
	char *end;

	config->cpus_given = true;
	config->nr_cpus = 0;
	do {
		if (strncmp(at, "cpu", 3) || !isdigit((unsigned char)at[3]))
			goto malformed;
		errno = 0;
		first = strtoul(at + 3, &end, 10);
		last = first;
		if (*end == '-' && isdigit((unsigned char)end[1]))
			last = strtoul(end + 1, &end, 10);
		if (errno || first > last || last > UINT32_MAX || (*end && *end != ','))
			goto malformed;
		if (!first) {
			wrong(parser, -EINVAL,
			      "CPUs=%s: CPU 0 always stays with the host; leave it out",
			      value);
			return;
		}
		for (; first <= last; first++) {
			for (unsigned int i = 0; i < config->nr_cpus; i++) {
				if (config->cpus[i] == first) {
					wrong(parser, -EINVAL,
					      "CPUs=%s: CPU %lu is there twice; name it once",
					      value, first);
					return;
				}
			}
			if (config->nr_cpus == SIGMA_CPUS_MAX) {
				wrong(parser, -EINVAL, "CPUs=%s: more than %u CPUs; name fewer",
				      value, SIGMA_CPUS_MAX);
				return;
			}
			config->cpus[config->nr_cpus++] = first;
		}
		at = end + 1;
	} while (*end);
	return;

malformed:
	wrong(parser, -EINVAL, "CPUs=%s: not a list of CPUs; " CPUS_REMEDY, value);
}

static void set_cpus(struct parser *parser, const char *value)
{
	parser->config->cpus_line = parser->line;
	if (isdigit((unsigned char)*value))
		set_cpu_count(parser, value);
	else if (!strncmp(value, "cpu", 3))
		set_cpu_list(parser, value);
	else
		set_cpu_kind(parser, value, value);
}

static void set_memory(struct parser *parser, const char *value)
{
	uint64_t size;
	char *end;
	int error;

	parser->config->memory_line = parser->line;
	error = parse_size(value, &end, &size);
	if (error == -EINVAL || *end) {
		wrong(parser, -EINVAL, "Memory=%s: not a size; write it like 512M or 2G", value);
		return;
	}
	if (error || size > UINT64_MAX - SIGMA_SEGMENT_ALIGN) {
		wrong(parser, -EINVAL,
		      "Memory=%s: more than any machine has; write it like 512M or 2G",
		      value);
		return;
	}
	if (size < MEMORY_MIN) {
		wrong(parser, -EINVAL,
		      "Memory=%s: too little for a kernel to start; give at least %lluM",
		      value, MEMORY_MIN >> 20);
		return;
	}
	parser->config->memory = (size + SIGMA_SEGMENT_ALIGN - 1) & ~(SIGMA_SEGMENT_ALIGN - 1);
}

/* A kernel needs the rest: at least half, and what it needs to start */
static void set_shared_memory(struct parser *parser, const char *value)
{
	uint64_t size;
	char *end;

	parser->config->shared_line = parser->line;
	if (parse_size(value, &end, &size) || *end || size > UINT64_MAX - SIGMA_SEGMENT_ALIGN)
		wrong(parser, -EINVAL, "SharedMemory=%s: not a size; write it like 64M", value);
	else
		parser->config->shared = (size + SIGMA_SEGMENT_ALIGN - 1) & ~(SIGMA_SEGMENT_ALIGN - 1);
}

static void set_numa_node(struct parser *parser, const char *value)
{
	unsigned long node;
	char *end;

	parser->config->numa_line = parser->line;
	node = strtoul(value, &end, 10);
	if (!isdigit((unsigned char)*value) || *end || node > NUMA_NODE_MAX) {
		wrong(parser, -EINVAL, "NUMANode=%s: not the number of a NUMA node, 0 to %u; 'lscpu' shows those of this machine",
		      value, NUMA_NODE_MAX);
		return;
	}
	parser->config->numa_node = node;
}

static void set_kernel(struct parser *parser, const char *value)
{
	parser->config->kernel_line = parser->line;
	if (guestkeys_usable(parser, parser->line, "Kernel=", value, false, R_OK))
		guestkeys_string(parser, &parser->config->kernel, value);
}

static void set_initrd(struct parser *parser, const char *value)
{
	if (guestkeys_usable(parser, parser->line, "Initrd=", value, false, R_OK))
		guestkeys_string(parser, &parser->config->initrd, value);
}

static void set_modules(struct parser *parser, const char *value)
{
	if (guestkeys_usable(parser, parser->line, "Modules=", value, true, R_OK | X_OK))
		guestkeys_string(parser, &parser->config->modules, value);
}

/* CommandLine= is the only key that indented lines may continue */
static void set_cmdline(struct parser *parser, const char *value)
{
	struct guest_config *config = parser->config;
	char *joined;

	if (!config->cmdline) {
		config->cmdline_line = parser->line;
		guestkeys_string(parser, &config->cmdline, value);
		return;
	}
	if (asprintf(&joined, "%s %s", config->cmdline, value) < 0) {
		wrong(parser, -ENOMEM, "no memory to read this file");
		return;
	}
	free(config->cmdline);
	config->cmdline = joined;
}

/* Only existence, as of a share: virtiofsd opens it with the rights of who starts the guest */
static void set_root(struct parser *parser, const char *value)
{
	parser->config->root_line = parser->line;
	if (strchr(value, ','))
		wrong(parser, -EINVAL, "Root=%s: virtiofsd does not accept a comma in a path; rename the folder, or give a link to it",
		      value);
	else if (guestkeys_usable(parser, parser->line, "Root=", value, true, F_OK))
		guestkeys_string(parser, &parser->config->root, value);
}

static void set_root_writes(struct parser *parser, const char *value)
{
	static const char *const names[] = {
		[ROOT_WRITES_YES] = "yes", [ROOT_WRITES_NO] = "no",
		[ROOT_WRITES_OVERLAY] = "overlay",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (!strcmp(value, names[i])) {
			parser->config->root_writes = i;
			return;
		}
	}
	wrong(parser, -EINVAL, "RootWrites=%s: none of yes, no and overlay; give one of them",
	      value);
}

static void set_root_cache(struct parser *parser, const char *value)
{
	int cache = profile_cache_from_name(value);

	if (cache < 0)
		wrong(parser, -EINVAL, "RootCache=%s: none of auto, always and never; give one of them",
		      value);
	else
		parser->config->root_cache = cache;
}

/*
 * A guest that runs has its command line, and the profile that was kept. It is served whatever has become
 * of that
 */
static void set_profile(struct parser *parser, const char *value)
{
	char why[512];
	int error;

	if (strchr(value, '/') && *value != '/') {
		wrong(parser, -EINVAL, "Profile=%s: give the name of a profile, or an absolute path",
		      value);
		return;
	}
	if (parser->running) {
		profile_load_kept(&parser->config->profile, value, parser->config->name);
		return;
	}
	error = profile_load(&parser->config->profile, value, why, sizeof(why));
	if (error == -ENOENT)
		wrong(parser, error, "Profile=%s: %s", value, why);
	else if (error)
		wrong(parser, error, "Profile=%s: cannot be used; correct that profile, or choose another one",
		      value);
}

static void set_split_cores(struct parser *parser, const char *value)
{
	guestkeys_bool(parser, "SplitCores", &parser->config->split_cores, value);
}

static void set_host_modules(struct parser *parser, const char *value)
{
	guestkeys_bool(parser, "HostModules", &parser->config->host_modules, value);
}

static void set_guard(struct parser *parser, const char *value)
{
	int kind = guard_from_name(value);

	parser->config->guard_line = parser->line;
	if (kind < 0)
		wrong(parser, -EINVAL, "Guard=%s: none of auto, full, memory and no; give one of them",
		      value);
	else
		parser->config->guard = kind;
}

static void set_suspend(struct parser *parser, const char *value)
{
	static const char *const names[] = {
		[SIGMA_SUSPEND_REFUSE] = "refuse", [SIGMA_SUSPEND_SLEEP] = "sleep",
		[SIGMA_SUSPEND_STOP] = "stop",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (!strcmp(value, names[i])) {
			parser->config->suspend = i;
			return;
		}
	}
	wrong(parser, -EINVAL, "Suspend=%s: none of sleep, refuse and stop; give one of them", value);
}

static unsigned int wake_on_from_name(const char *name, size_t len)
{
	static const struct {
		const char *name;
		unsigned int bit;
	} words[] = {
		{ "network", WAKE_ON_NETWORK }, { "magic", WAKE_ON_MAGIC }, { "vsock", WAKE_ON_VSOCK },
		{ "channel", WAKE_ON_CHANNEL },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strlen(words[i].name) == len && !memcmp(words[i].name, name, len))
			return words[i].bit;
	return 0;
}

static void set_wake_on(struct parser *parser, const char *value)
{
	static const char blanks[] = " \t";

	for (const char *at = value + strspn(value, blanks); *at; at += strspn(at, blanks)) {
		size_t len = strcspn(at, blanks);
		unsigned int bit = wake_on_from_name(at, len);

		if (!bit) {
			wrong(parser, -EINVAL, "WakeOn=%s: \"%.*s\" is none of network, magic, vsock and channel; give some of them, with blanks in between",
			      value, (int)len, at);
			return;
		}
		parser->config->wake_on |= bit;
		at += len;
	}
}

static void set_vsock(struct parser *parser, const char *value)
{
	struct guest_vsock *vsock = &parser->config->vsock;
	unsigned long cid;
	char *end;
	bool on = true;

	vsock->line = parser->line;
	errno = 0;
	cid = strtoul(value, &end, 10);
	/* 0 and 1 mean no and yes; neither can be a guest's CID */
	if (!isdigit((unsigned char)*value) || *end || cid <= 1) {
		guestkeys_bool(parser, "VSock", &on, value);
		vsock->off = !on;
	} else if (errno || cid < VSOCK_CID_MIN || cid > VSOCK_CID_MAX) {
		wrong(parser, -EINVAL, "VSock=%s: no CID of a guest; give yes, no, or %u to %u",
		      value, VSOCK_CID_MIN, VSOCK_CID_MAX);
	} else {
		vsock->cid = cid;
	}
}

const struct guest_key guest_itself_keys[SECTION_KEYS_MAX] = {
	{ "CPUs", set_cpus, KEY_ONCE },
	{ "Memory", set_memory, KEY_ONCE },
	{ "SharedMemory", set_shared_memory, KEY_ONCE },
	{ "NUMANode", set_numa_node, KEY_ONCE },
	{ "Kernel", set_kernel, KEY_ONCE },
	{ "Initrd", set_initrd, KEY_ONCE },
	{ "Modules", set_modules, KEY_ONCE },
	{ "HostModules", set_host_modules, KEY_ONCE },
	{ "CommandLine", set_cmdline, KEY_CONTINUES },
	{ "Root", set_root, KEY_ONCE },
	{ "RootWrites", set_root_writes, KEY_ONCE },
	{ "RootCache", set_root_cache, KEY_ONCE },
	{ "Profile", set_profile, KEY_ONCE },
	{ "SplitCores", set_split_cores, KEY_ONCE },
	{ "VSock", set_vsock, KEY_ONCE },
	{ "Guard", set_guard, KEY_ONCE },
	{ "Suspend", set_suspend, KEY_ONCE },
	{ "WakeOn", set_wake_on, KEY_ONCE },
};

/* Behind a quotation mark that is not closed, the kernel would not see the words of sigmad */
static bool closes_quotes(const char *text)
{
	bool quoted = false;

	for (; *text; text++)
		if (*text == '"')
			quoted = !quoted;
	return !quoted;
}

/* The root that Root= names is found by sigmad's own initrd */
static void finish_root(struct parser *parser)
{
	const struct guest_config *config = parser->config;

	if (config->root_line && config->initrd)
		guestfile_mistake(parser, config->root_line, -EINVAL,
				  "Root=: an Initrd= does not find this root; leave one of the two out");
	if (!config->root_line && config->root_cache)
		guestfile_mistake(parser, 0, -EINVAL,
				  "RootCache= without Root=; name the folder that is the root, or leave RootCache= out");
	if (!config->root_line && config->root_writes != ROOT_WRITES_YES)
		guestfile_mistake(parser, 0, -EINVAL,
				  "RootWrites= without Root=; name the folder that is the root, or leave RootWrites= out");
}

void guest_itself_finish(struct parser *parser)
{
	struct guest_config *config = parser->config;
	struct utsname host;

	finish_root(parser);
	if (config->shared && (config->shared > config->memory / 2 ||
			       config->memory - config->shared < MEMORY_MIN))
		guestfile_mistake(parser, config->shared_line, -EINVAL,
				  "SharedMemory=: more than half of Memory=, or leaves the kernel less than %lluM; give the guest more Memory=, or share less",
				  MEMORY_MIN >> 20);

	if (!config->cmdline)
		config->cmdline = strdup("");
	if (config->cmdline && !parser->running && !closes_quotes(config->cmdline))
		guestfile_mistake(parser, config->cmdline_line, -EINVAL,
				  "CommandLine=%s: a quotation mark is not closed; write a second one",
				  config->cmdline);
	if (config->kernel_line)
		return;

	uname(&host);
	if (!config->cmdline ||
	    asprintf(&config->kernel, "/boot/vmlinuz-%s", host.release) < 0) {
		config->kernel = NULL;
		guestfile_mistake(parser, 0, -ENOMEM, "no memory to read this file");
		return;
	}
	guestkeys_usable(parser, 0, "no Kernel= is given, and the host's own, ", config->kernel,
			 false, R_OK);
}
