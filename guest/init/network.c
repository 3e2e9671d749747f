// SPDX-License-Identifier: GPL-2.0
/*
 * Gives the guest's NICs the addresses of the guest file, which sigmad packed as a list beside this
 * program (network_list() in daemon/load/load.h). Whatever configures the network in the root file
 * system may add to them.
 *
 * The root file system may be read-only, and is the user's: nothing is written to it but an empty
 * /etc/resolv.conf where there is none. The DNS servers are in a file in /run, which is mounted over
 * that one. Where it is a link into /run, some program of the root writes it: systemd-resolved has a
 * file of its own for servers that others know.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init.h"

#define LIST		"/network"
#define NICS		"/sys/class/net"
#define RESOLV_CONF	"/etc/resolv.conf"
#define OUR_RESOLV_CONF	"/run/sigma-resolv.conf"
#define RESOLVED	"/run/systemd/resolved.conf.d"
#define SERVERS_MAX	4096
#define METRIC		1024	/* of the first NIC's default route, behind those of DHCP clients */

/* A request of rtnetlink(7) */
struct request {
	struct nlmsghdr head;
	union {
		struct ifinfomsg link;
		struct ifaddrmsg addr;
		struct rtmsg route;
	};
	char attributes[128];
};

struct nic {
	const char *mac;
	char name[IFNAMSIZ];
	unsigned int number;	/* among those of the list */
	int index;
};

static char servers[SERVERS_MAX];	/* of DNS, with blanks between them */

static bool has_mac(const char *name, const char *mac)
{
	char path[sizeof(NICS) + IFNAMSIZ + 16], found[32] = "";

	snprintf(path, sizeof(path), NICS "/%.*s/address", IFNAMSIZ, name);
	if (file_read(path, found, sizeof(found)) < 0)
		return false;
	found[strcspn(found, "\n")] = '\0';
	return !strcmp(found, mac);
}

/* A condition for root_wait() */
static bool find_nic(void *data)
{
	struct nic *nic = data;
	DIR *dir = opendir(NICS);
	const struct dirent *entry;

	nic->index = 0;
	while (dir && !nic->index && (entry = readdir(dir)))
		if (*entry->d_name != '.' && has_mac(entry->d_name, nic->mac)) {
			snprintf(nic->name, sizeof(nic->name), "%.*s", IFNAMSIZ - 1, entry->d_name);
			nic->index = if_nametoindex(nic->name);
		}
	if (dir)
		closedir(dir);
	return nic->index;
}

static struct request request(uint16_t type, uint16_t flags, size_t header)
{
	return (struct request) {
		.head = {
			.nlmsg_len = NLMSG_LENGTH(header), .nlmsg_type = type,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags,
		},
	};
}

static void attribute(struct request *request, uint16_t type, const void *data, size_t len)
{
	struct rtattr *attribute = (void *)((char *)request + NLMSG_ALIGN(request->head.nlmsg_len));

	attribute->rta_type = type;
	attribute->rta_len = RTA_LENGTH(len);
	memcpy(RTA_DATA(attribute), data, len);
	request->head.nlmsg_len = NLMSG_ALIGN(request->head.nlmsg_len) + RTA_ALIGN(RTA_LENGTH(len));
}

/* Return: 0 or -errno */
static int ask(const struct request *request)
{
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
		char request[sizeof(struct request)];
	} answer;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), error = 0;

	if (fd < 0)
		return -errno;
	if (send(fd, request, request->head.nlmsg_len, 0) < 0 || recv(fd, &answer, sizeof(answer), 0) < 0)
		error = -errno;
	else if (answer.head.nlmsg_type == NLMSG_ERROR)
		error = answer.error.error;
	close(fd);
	return error;
}

static int set_up(const struct nic *nic)
{
	struct request up = request(RTM_NEWLINK, 0, sizeof(struct ifinfomsg));

	up.link = (struct ifinfomsg) {
		.ifi_index = nic->index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP,
	};
	return ask(&up);
}

/* Read an address. Return: its family, or 0 */
static int read_address(const char *text, uint8_t address[sizeof(struct in6_addr)], size_t *len)
{
	int family = strchr(text, ':') ? AF_INET6 : AF_INET;

	*len = family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr);
	return inet_pton(family, text, address) == 1 ? family : 0;
}

/* @text: ADDRESS/LENGTH */
static int add_address(const struct nic *nic, char *text)
{
	struct request add = request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE,
				     sizeof(struct ifaddrmsg));
	uint8_t address[sizeof(struct in6_addr)];
	char *slash = strchr(text, '/');
	struct in_addr broadcast;
	size_t len;
	int family, prefix;

	if (!slash)
		return -EINVAL;
	*slash = '\0';
	prefix = atoi(slash + 1);
	family = read_address(text, address, &len);
	*slash = '/';
	if (!family)
		return -EINVAL;
	add.addr = (struct ifaddrmsg) {
		.ifa_family = family, .ifa_prefixlen = prefix, .ifa_index = nic->index,
	};
	attribute(&add, IFA_LOCAL, address, len);
	attribute(&add, IFA_ADDRESS, address, len);
	if (family == AF_INET) {
		memcpy(&broadcast, address, sizeof(broadcast));
		broadcast.s_addr |= htonl(UINT32_MAX >> prefix);
		attribute(&add, IFA_BROADCAST, &broadcast, sizeof(broadcast));
	}
	return ask(&add);
}

static int add_gateway(const struct nic *nic, const char *text)
{
	struct request add = request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE,
				     sizeof(struct rtmsg));
	uint8_t address[sizeof(struct in6_addr)];
	uint32_t metric = METRIC + nic->number;
	size_t len;
	int family = read_address(text, address, &len);

	if (!family)
		return -EINVAL;
	add.route = (struct rtmsg) {
		.rtm_family = family, .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_STATIC,
		.rtm_scope = RT_SCOPE_UNIVERSE, .rtm_type = RTN_UNICAST,
	};
	attribute(&add, RTA_GATEWAY, address, len);
	attribute(&add, RTA_OIF, &nic->index, sizeof(nic->index));
	attribute(&add, RTA_PRIORITY, &metric, sizeof(metric));
	return ask(&add);
}

static void add_server(const char *text)
{
	size_t len = strlen(servers);

	snprintf(servers + len, sizeof(servers) - len, "%s%s", len ? " " : "", text);
}

static int begin_nic(struct nic *nic, const char *mac, unsigned int number, unsigned int seconds)
{
	*nic = (struct nic) { .mac = mac, .number = number };
	return root_wait(find_nic, nic, seconds) ? set_up(nic) : -ENODEV;
}

/* Do what a line of the list says; @nic is the NIC that it is about */
static void take_line(struct nic *nic, const char *word, char *value, unsigned int seconds)
{
	int error = 0;

	if (!strcmp(word, "nic"))
		error = begin_nic(nic, value, nic->mac ? nic->number + 1 : 0, seconds);
	else if (!strcmp(word, "dns"))
		add_server(value);
	else if (!nic->index)
		return;		/* which was said */
	else if (!strcmp(word, "address"))
		error = add_address(nic, value);
	else if (!strcmp(word, "gateway"))
		error = add_gateway(nic, value);
	if (error)
		init_say(LEVEL_ERROR, "cannot set up the network: %s %s%s%s: %s", word, value,
			 *nic->name ? " of " : "", nic->name, strerror(-error));
	else if (!strcmp(word, "address"))
		init_say(LEVEL_INFO, "%s has the address %s", nic->name, value);
}

void network_start(unsigned int seconds)
{
	static char text[1 << 16];
	char *rest = text, *line, *value;
	struct nic nic = { 0 };

	if (file_read(LIST, text, sizeof(text)) < 0)
		return;
	while ((line = strsep(&rest, "\n"))) {
		value = strchr(line, ' ');
		if (!value)
			continue;
		*value++ = '\0';
		take_line(&nic, line, value, seconds);
	}
}

/* Return: 0 or -errno */
static int write_file(const char *path, const char *before, const char *separator)
{
	FILE *file = fopen(path, "we");
	const char *at = servers;
	size_t len;

	if (!file)
		return -errno;
	fputs(before, file);
	while (*at) {
		len = strcspn(at, " ");
		fprintf(file, "%.*s", (int)len, at);
		at += len + strspn(at + len, " ");
		fputs(*at ? separator : "\n", file);
	}
	return fclose(file) ? -EIO : 0;
}

/* Write through the link @target, relative to /etc, whose folder may be missing yet */
static int write_linked(char *target)
{
	int error = chdir("/etc") ? -errno : 0;

	for (char *slash = strchr(target + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(target, 0755);
		*slash = '/';
	}
	error = error ?: write_file(target, "nameserver ", "\nnameserver ");
	if (chdir("/"))
		return -errno;
	return error;
}

static int tell_programs(void)
{
	char target[256];
	ssize_t len = readlink(RESOLV_CONF, target, sizeof(target) - 1);
	int fd, error;

	if (len > 0) {
		target[len] = '\0';
		if (!strncmp(target, "/run/", 5) || !strncmp(target, "../run/", 7))
			return write_linked(target);
	}
	error = write_file(OUR_RESOLV_CONF, "nameserver ", "\nnameserver ");
	if (error)
		return error;
	fd = open(RESOLV_CONF, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd >= 0)
		close(fd);
	return mount(OUR_RESOLV_CONF, RESOLV_CONF, NULL, MS_BIND, NULL) ? -errno : 0;
}

void network_servers(void)
{
	int error;

	if (!*servers)
		return;
	/* As the initrds of distributions do; systemd takes it as it is */
	mkdir("/run", 0755);
	if (mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755")) {
		init_say(LEVEL_WARNING, "cannot tell programs the DNS servers: cannot mount /run: %s",
			 strerror(errno));
		return;
	}
	mkdir("/run/systemd", 0755);
	mkdir(RESOLVED, 0755);
	error = write_file(RESOLVED "/sigma.conf", "[Resolve]\nDNS=", " ") ?: tell_programs();
	if (error)
		init_say(LEVEL_WARNING, "cannot tell programs the DNS servers: %s", strerror(-error));
}
