// SPDX-License-Identifier: GPL-2.0
/* The keys of a guest file: their valid values, and messages about other values. */
#include <arpa/inet.h>
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cpus.h"
#include "guard.h"
#include "guestparser.h"

#define MEMORY_MIN		(128ULL << 20)	/* kernel, initrd and room to unpack them */
#define PREFIX_MIN		8		/* of a subnet between host and guest */
#define PREFIX_MAX		30
#define MAC_MULTICAST		0x01		/* in the first byte */
#define COUNT(array)		(sizeof(array) / sizeof(*(array)))

static void set_string(struct parser *parser, char **to, const char *value)
{
	*to = strdup(value);
	if (!*to)
		wrong(parser, -ENOMEM, "no memory to read this file");
}

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
	static const char units[] = "KMGT";
	unsigned long long size;
	unsigned int shift = 0;
	char *end;

	parser->config->memory_line = parser->line;
	errno = 0;
	size = strtoull(value, &end, 10);
	if (*end && strchr(units, toupper((unsigned char)*end))) {
		shift = 10 * (strchr(units, toupper((unsigned char)*end)) - units + 1);
		end++;
	}
	if (!isdigit((unsigned char)*value) || *end) {
		wrong(parser, -EINVAL, "Memory=%s: not a size; write it like 512M or 2G", value);
		return;
	}
	if (errno || size > (UINT64_MAX - SIGMA_SEGMENT_ALIGN) >> shift) {
		wrong(parser, -EINVAL,
		      "Memory=%s: more than any machine has; write it like 512M or 2G",
		      value);
		return;
	}
	size <<= shift;
	if (size < MEMORY_MIN) {
		wrong(parser, -EINVAL,
		      "Memory=%s: too little for a kernel to start; give at least %lluM",
		      value, MEMORY_MIN >> 20);
		return;
	}
	parser->config->memory = (size + SIGMA_SEGMENT_ALIGN - 1) & ~(SIGMA_SEGMENT_ALIGN - 1);
}

bool guestkeys_usable(struct parser *parser, unsigned int line, const char *what, const char *path,
		      bool folder, int mode)
{
	struct stat st;

	if (*path != '/') {
		guestfile_mistake(parser, line, -EINVAL,
				  "%s%s: not an absolute path; begin it with /", what, path);
		return false;
	}
	if (stat(path, &st)) {
		guestfile_mistake(parser, line, -errno, "%s%s: %m; make it or correct the path",
				  what, path);
		return false;
	}
	if (folder != S_ISDIR(st.st_mode)) {
		guestfile_mistake(parser, line, -EINVAL, "%s%s: %s; correct the path", what, path,
				  folder ? "not a folder" : "a folder");
		return false;
	}
	if (!folder && !S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
		guestfile_mistake(parser, line, -EINVAL,
				  "%s%s: neither a file nor a block device; correct the path",
				  what, path);
		return false;
	}
	if (access(path, mode)) {
		guestfile_mistake(parser, line, -errno,
				  "%s%s: cannot be %s: %m; change its permissions",
				  what, path, mode & W_OK ? "written" : "read");
		return false;
	}
	return true;
}

static void set_kernel(struct parser *parser, const char *value)
{
	parser->config->kernel_line = parser->line;
	if (guestkeys_usable(parser, parser->line, "Kernel=", value, false, R_OK))
		set_string(parser, &parser->config->kernel, value);
}

static void set_initrd(struct parser *parser, const char *value)
{
	if (guestkeys_usable(parser, parser->line, "Initrd=", value, false, R_OK))
		set_string(parser, &parser->config->initrd, value);
}

static void set_modules(struct parser *parser, const char *value)
{
	if (guestkeys_usable(parser, parser->line, "Modules=", value, true, R_OK | X_OK))
		set_string(parser, &parser->config->modules, value);
}

/* CommandLine= is the only key that indented lines may continue */
static void set_cmdline(struct parser *parser, const char *value)
{
	struct guest_config *config = parser->config;
	char *joined;

	if (!config->cmdline) {
		set_string(parser, &config->cmdline, value);
		return;
	}
	if (asprintf(&joined, "%s %s", config->cmdline, value) < 0) {
		wrong(parser, -ENOMEM, "no memory to read this file");
		return;
	}
	free(config->cmdline);
	config->cmdline = joined;
}

static void set_bool(struct parser *parser, const char *key, bool *to, const char *value)
{
	/* The words of systemd.syntax(7) */
	static const char *const words[2][4] = {
		{ "no", "false", "off", "0" }, { "yes", "true", "on", "1" },
	};

	for (size_t truth = 0; truth < COUNT(words); truth++) {
		for (size_t i = 0; i < COUNT(words[truth]); i++) {
			if (!strcasecmp(value, words[truth][i])) {
				*to = truth;
				return;
			}
		}
	}
	wrong(parser, -EINVAL, "%s=%s: neither yes nor no; write one of them", key, value);
}

static void set_split_cores(struct parser *parser, const char *value)
{
	set_bool(parser, "SplitCores", &parser->config->split_cores, value);
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
		set_bool(parser, "VSock", &on, value);
		vsock->off = !on;
	} else if (errno || cid < VSOCK_CID_MIN || cid > VSOCK_CID_MAX) {
		wrong(parser, -EINVAL, "VSock=%s: no CID of a guest; give yes, no, or %u to %u",
		      value, VSOCK_CID_MIN, VSOCK_CID_MAX);
	} else {
		vsock->cid = cid;
	}
}

static struct guest_disk *this_disk(struct parser *parser)
{
	return &parser->config->disk[parser->slot];
}

static struct guest_net *this_net(struct parser *parser)
{
	return &parser->config->net[parser->slot];
}

/* guest_disk_finish() tests the path, since the test depends on ReadOnly=, which may come later */
static void set_path(struct parser *parser, const char *value)
{
	set_string(parser, &this_disk(parser)->path, value);
}

static void set_socket(struct parser *parser, const char *value)
{
	struct stat st;

	if (*value != '/')
		wrong(parser, -EINVAL, "Socket=%s: not an absolute path; begin it with /", value);
	else if (stat(value, &st))
		wrong(parser, -errno, "Socket=%s: %m; start the program that serves it", value);
	else if (!S_ISSOCK(st.st_mode))
		wrong(parser, -EINVAL, "Socket=%s: no socket; correct the path", value);
	set_string(parser, &this_disk(parser)->socket, value);
}

static void set_read_only(struct parser *parser, const char *value)
{
	set_bool(parser, "ReadOnly", &this_disk(parser)->read_only, value);
}

static void set_direct(struct parser *parser, const char *value)
{
	set_bool(parser, "DirectIO", &this_disk(parser)->direct, value);
}

static void set_block_size(struct parser *parser, const char *value)
{
	if (!strcmp(value, "512"))
		this_disk(parser)->block_size = 512;
	else if (!strcmp(value, "4096"))
		this_disk(parser)->block_size = 4096;
	else
		wrong(parser, -EINVAL, "BlockSize=%s: neither 512 nor 4096; give one of them, or leave it out",
		      value);
}

/* A serial number must be fit for a file name, which udev makes of it */
static void set_serial(struct parser *parser, const char *value)
{
	bool valid = strlen(value) <= GUEST_SERIAL_MAX;

	for (const char *at = value; *at; at++)
		valid = valid && (isalnum((unsigned char)*at) || strchr("_.-", *at));
	if (!valid) {
		wrong(parser, -EINVAL, "Serial=%s: a serial number has at most %u letters, digits, '_', '.' and '-'; change it",
		      value, GUEST_SERIAL_MAX);
		return;
	}
	strcpy(this_disk(parser)->serial, value);
}

static void set_bridge(struct parser *parser, const char *value)
{
	if (strlen(value) >= IFNAMSIZ || strpbrk(value, "/: \t") || !strcmp(value, ".") ||
	    !strcmp(value, "..")) {
		wrong(parser, -EINVAL,
		      "Bridge=%s: cannot be the name of an interface; give the bridge's name, at most %u characters",
		      value, IFNAMSIZ - 1);
		return;
	}
	set_string(parser, &this_net(parser)->bridge, value);
}

static void set_address(struct parser *parser, const char *value)
{
	static const char remedy[] = "write the host's end of the link like 10.0.0.1/24";
	const char *slash = strchr(value, '/');
	char text[INET_ADDRSTRLEN] = "";
	struct in_addr address;
	unsigned long length;
	uint32_t ip, host;
	char *end;

	if (slash && (size_t)(slash - value) < sizeof(text))
		memcpy(text, value, slash - value);
	if (inet_pton(AF_INET, text, &address) != 1 || !isdigit((unsigned char)slash[1])) {
		wrong(parser, -EINVAL, "Address=%s: not an IPv4 address with a prefix length; %s",
		      value, remedy);
		return;
	}
	length = strtoul(slash + 1, &end, 10);
	if (*end || length < PREFIX_MIN || length > PREFIX_MAX) {
		wrong(parser, -EINVAL, "Address=%s: the prefix length is not %u to %u; %s", value,
		      PREFIX_MIN, PREFIX_MAX, remedy);
		return;
	}

	ip = ntohl(address.s_addr);
	host = ip & (UINT32_MAX >> length);
	if (!host || host == UINT32_MAX >> length) {
		wrong(parser, -EINVAL,
		      "Address=%s: the %s address of its network, not one of a host; %s",
		      value, host ? "broadcast" : "first", remedy);
		return;
	}
	if (IN_MULTICAST(ip) || IN_BADCLASS(ip) || ip >> IN_CLASSA_NSHIFT == IN_LOOPBACKNET ||
	    !(ip >> IN_CLASSA_NSHIFT)) {
		wrong(parser, -EINVAL, "Address=%s: multicast, loopback or reserved; %s", value,
		      remedy);
		return;
	}
	set_string(parser, &this_net(parser)->address, value);
}

static void set_user(struct parser *parser, const char *value)
{
	set_bool(parser, "User", &this_net(parser)->user, value);
}

/* Parse a port number, which must end before the character @end */
static bool parse_port(const char *text, char end, uint16_t *port)
{
	unsigned long number;
	char *rest;

	number = strtoul(text, &rest, 10);
	*port = number;
	return isdigit((unsigned char)*text) && *rest == end && number && number <= UINT16_MAX;
}

/* PROTOCOL:[ADDRESS:]PORT:PORT */
static void set_forward(struct parser *parser, const char *value)
{
	struct guest_net *net = this_net(parser);
	struct guest_forward forward = { .udp = !strncmp(value, "udp:", 4) };
	const char *at = value + 4, *guest = strrchr(value, ':'), *second;
	struct in_addr address;
	bool valid;

	valid = forward.udp || !strncmp(value, "tcp:", 4);
	second = valid ? strchr(at, ':') : NULL;
	if (second && second != guest) {
		valid = second - at < INET_ADDRSTRLEN;
		if (valid)
			memcpy(forward.address, at, second - at);
		valid = valid && inet_pton(AF_INET, forward.address, &address) == 1;
		at = second + 1;
	}
	if (!valid || !second || !parse_port(at, ':', &forward.host_port) ||
	    strchr(at, ':') != guest || !parse_port(guest + 1, '\0', &forward.guest_port)) {
		wrong(parser, -EINVAL,
		      "Forward=%s: not a port of the host and one of the guest; write it like tcp:2222:22, udp:5353:53 or tcp:127.0.0.1:8080:80",
		      value);
		return;
	}
	if (net->nr_forwards == GUEST_FORWARDS_MAX) {
		wrong(parser, -EINVAL, "more than %u times Forward=; leave some out",
		      GUEST_FORWARDS_MAX);
		return;
	}
	net->forward[net->nr_forwards++] = forward;
}

static void set_vhost(struct parser *parser, const char *value)
{
	bool on = true;

	set_bool(parser, "VHost", &on, value);
	this_net(parser)->vhost = on ? VHOST_YES : VHOST_NO;
}

static void set_mac(struct parser *parser, const char *value)
{
	static const char remedy[] = "write it like 52:54:00:12:34:56, or leave it out";
	uint8_t mac[ETH_ALEN], any = 0;
	const char *at = value;

	for (unsigned int i = 0; i < ETH_ALEN; i++, at += 3) {
		if (!isxdigit((unsigned char)at[0]) || !isxdigit((unsigned char)at[1]) ||
		    at[2] != (i + 1 < ETH_ALEN ? ':' : '\0')) {
			wrong(parser, -EINVAL, "MACAddress=%s: not a MAC address; %s", value,
			      remedy);
			return;
		}
		mac[i] = strtoul(at, NULL, 16);
		any |= mac[i];
	}
	if (mac[0] & MAC_MULTICAST || !any) {
		wrong(parser, -EINVAL, "MACAddress=%s: %s, which no NIC can have; %s", value,
		      any ? "a multicast address" : "all zeros", remedy);
		return;
	}
	memcpy(this_net(parser)->mac, mac, ETH_ALEN);
	parser->macs |= 1U << parser->slot;
}

static struct guest_share *this_share(struct parser *parser)
{
	return &parser->config->share[parser->slot];
}

static void set_share_path(struct parser *parser, const char *value)
{
	set_string(parser, &this_share(parser)->path, value);
}

/* A tag is one word, because people write it in mount(8) and fstab(5) */
static void set_tag(struct parser *parser, const char *value)
{
	bool valid = strlen(value) <= GUEST_TAG_MAX;

	for (const char *at = value; *at; at++)
		valid = valid && isgraph((unsigned char)*at);
	if (!valid) {
		wrong(parser, -EINVAL, "Tag=%s: a tag has at most %u characters and no blanks; change it",
		      value, GUEST_TAG_MAX);
		return;
	}
	strcpy(this_share(parser)->tag, value);
}

static void set_share_read_only(struct parser *parser, const char *value)
{
	set_bool(parser, "ReadOnly", &this_share(parser)->read_only, value);
}

static struct guest_channel *this_channel(struct parser *parser)
{
	return &parser->config->channel[parser->config->nr_channels - 1];
}

/* Parse @value, all of which must be a number up to @max */
static bool read_number(const char *value, int base, unsigned long max, unsigned long *number)
{
	char *end;

	errno = 0;
	*number = strtoul(value, &end, base);
	return isdigit((unsigned char)*value) && !*end && !errno && *number <= max;
}

static void set_number(struct parser *parser, const char *value)
{
	unsigned long number;

	if (!read_number(value, 10, SIGMA_CHANNELS, &number) || !number)
		wrong(parser, -EINVAL, "Number=%s: not a channel; give 1 to %u", value,
		      SIGMA_CHANNELS);
	else
		this_channel(parser)->number = number;
}

static void set_channel_user(struct parser *parser, const char *value)
{
	const struct passwd *user = getpwnam(value);
	unsigned long number;

	if (user)
		this_channel(parser)->user = user->pw_uid;
	else if (read_number(value, 10, UINT32_MAX - 1, &number))
		this_channel(parser)->user = number;
	else
		wrong(parser, -EINVAL, "User=%s: no user of this host; make it (adduser) or correct the name",
		      value);
}

static void set_group(struct parser *parser, const char *value)
{
	const struct group *group = getgrnam(value);
	unsigned long number;

	if (group)
		this_channel(parser)->group = group->gr_gid;
	else if (read_number(value, 10, UINT32_MAX - 1, &number))
		this_channel(parser)->group = number;
	else
		wrong(parser, -EINVAL, "Group=%s: no group of this host; make it (addgroup) or correct the name",
		      value);
}

static void set_mode(struct parser *parser, const char *value)
{
	unsigned long mode;

	if (read_number(value, 8, 0666, &mode) && !(mode & 0111))
		this_channel(parser)->mode = mode;
	else
		wrong(parser, -EINVAL, "Mode=%s: not permissions to read and write, in octal; write it like 0660",
		      value);
}

static const struct {
	enum section section;
	const char *name;
	void (*set)(struct parser *parser, const char *value);
	enum { ONCE, CONTINUES, REPEATS } often;
} keys[] = {
	{ SECTION_GUEST, "CPUs", set_cpus, ONCE },
	{ SECTION_GUEST, "Memory", set_memory, ONCE },
	{ SECTION_GUEST, "Kernel", set_kernel, ONCE },
	{ SECTION_GUEST, "Initrd", set_initrd, ONCE },
	{ SECTION_GUEST, "Modules", set_modules, ONCE },
	{ SECTION_GUEST, "CommandLine", set_cmdline, CONTINUES },
	{ SECTION_GUEST, "SplitCores", set_split_cores, ONCE },
	{ SECTION_GUEST, "VSock", set_vsock, ONCE },
	{ SECTION_GUEST, "Guard", set_guard, ONCE },
	{ SECTION_DISK, "Path", set_path, ONCE },
	{ SECTION_DISK, "Socket", set_socket, ONCE },
	{ SECTION_DISK, "ReadOnly", set_read_only, ONCE },
	{ SECTION_DISK, "DirectIO", set_direct, ONCE },
	{ SECTION_DISK, "BlockSize", set_block_size, ONCE },
	{ SECTION_DISK, "Serial", set_serial, ONCE },
	{ SECTION_NET, "Bridge", set_bridge, ONCE },
	{ SECTION_NET, "Address", set_address, ONCE },
	{ SECTION_NET, "MACAddress", set_mac, ONCE },
	{ SECTION_NET, "User", set_user, ONCE },
	{ SECTION_NET, "Forward", set_forward, REPEATS },
	{ SECTION_NET, "VHost", set_vhost, ONCE },
	{ SECTION_SHARE, "Path", set_share_path, ONCE },
	{ SECTION_SHARE, "Tag", set_tag, ONCE },
	{ SECTION_SHARE, "ReadOnly", set_share_read_only, ONCE },
	{ SECTION_CHANNEL, "Number", set_number, ONCE },
	{ SECTION_CHANNEL, "User", set_channel_user, ONCE },
	{ SECTION_CHANNEL, "Group", set_group, ONCE },
	{ SECTION_CHANNEL, "Mode", set_mode, ONCE },
};

static_assert(COUNT(keys) <= 8 * sizeof(((struct parser *)NULL)->seen), "a bit for each key");
static_assert(GUEST_NETS_MAX <= 8 * sizeof(((struct parser *)NULL)->macs), "a bit for each NIC");

static void unknown_key(struct parser *parser, const char *name)
{
	char known[256] = "";
	size_t len = 0;

	for (size_t i = 0; i < COUNT(keys); i++)
		if (keys[i].section == parser->section)
			len += snprintf(known + len, sizeof(known) - len, " %s=", keys[i].name);
	wrong(parser, -EINVAL, "%s=: no key of [%s]; it has%s", name,
	      guestfile_sections[parser->section], known);
}

/* Keep a device's keys as they were given; a take-over makes the device from them again */
static void keep_key(struct parser *parser, const char *name, const char *value)
{
	enum guest_device kind = guestdevices_kind(parser->section);
	char **keys, *joined;

	if (!kind)
		return;
	keys = guestdevices_keys(parser->config, kind, parser->slot);
	if (asprintf(&joined, "%s%s=%s\n", *keys, name, value) < 0) {
		wrong(parser, -ENOMEM, "no memory to read this file");
		return;
	}
	free(*keys);
	*keys = joined;
}

/* The key of a hotplugged device comes from a command line, where case does not matter */
static bool is_key(const struct parser *parser, const char *known, const char *name)
{
	return parser->single ? !strcasecmp(known, name) : !strcmp(known, name);
}

void guestkeys_set(struct parser *parser, const char *name, const char *value)
{
	for (size_t i = 0; i < COUNT(keys); i++) {
		bool seen = parser->seen & 1U << i;

		if (keys[i].section != parser->section || !is_key(parser, keys[i].name, name))
			continue;
		if (seen && parser->indented && keys[i].often != CONTINUES)
			wrong(parser, -EINVAL,
			      "an indented line continues %s=, which must be one line; don't indent it",
			      name);
		else if (seen && !parser->indented && keys[i].often != REPEATS)
			wrong(parser, -EINVAL, "%s=: given before in this section; leave one out",
			      name);
		else if (!*value)
			wrong(parser, -EINVAL, "%s=: empty; give a value or leave the line out",
			      name);
		else
			keys[i].set(parser, value);
		keep_key(parser, keys[i].name, value);
		parser->seen |= 1U << i;
		return;
	}
	unknown_key(parser, name);
}
