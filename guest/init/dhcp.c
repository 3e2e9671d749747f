// SPDX-License-Identifier: GPL-2.0
/*
 * A small DHCP client (RFC 2131, RFC 2132) for the NIC of 'sigmactl run': address, router, name
 * servers. The lease is not renewed: passt's does not end, and a program that runs for longer than
 * another server's lease brings a client of its own.
 *
 * A server may send its answer to the address that the NIC does not have yet, so answers are read
 * with the headers of IP and UDP. The network may be anybody's: each length is checked.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <netpacket/packet.h>
#include <linux/if_ether.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "init.h"

#define SERVER_PORT	67
#define CLIENT_PORT	68
#define TRIES		5
#define TRY_MS		1000
#define PACKET_MAX	1500
#define RESOLV		"/etc/resolv.conf"
#define OWN_RESOLV	"/run/sigma-resolv.conf"

enum { BOOTREQUEST = 1, BOOTREPLY };
enum { DISCOVER = 1, OFFER, REQUEST, ACK = 5, NAK };
enum {
	OPTION_PAD = 0, OPTION_MASK = 1, OPTION_ROUTER = 3, OPTION_DNS = 6, OPTION_MTU = 26,
	OPTION_ADDRESS = 50, OPTION_TYPE = 53, OPTION_SERVER = 54, OPTION_WANTED = 55,
	OPTION_END = 255
};

struct message {
	uint8_t op, htype, hlen, hops;
	uint32_t xid;
	uint16_t secs, flags;
	uint32_t ciaddr, yiaddr, siaddr, giaddr;
	uint8_t chaddr[16];
	uint8_t sname[64], file[128];
	uint8_t magic[4];
	uint8_t options[312];
} __attribute__((packed));

static const uint8_t magic[4] = { 99, 130, 83, 99 };

struct packet {
	struct iphdr ip;
	struct udphdr udp;
	struct message message;
} __attribute__((packed));

/* What identifies this client and its question */
struct client {
	int fd;
	int nic;		/* its index */
	uint8_t mac[6];
	uint32_t xid;
};

static void take_addresses(struct in_addr *to, unsigned int *nr, unsigned int max,
			   const uint8_t *from, size_t len)
{
	for (*nr = 0; *nr < max && len >= sizeof(*to); len -= sizeof(*to), from += sizeof(*to))
		memcpy(&to[(*nr)++], from, sizeof(*to));
}

static void take_option(struct dhcp_lease *lease, uint8_t code, const uint8_t *data, size_t len)
{
	unsigned int nr;

	switch (code) {
	case OPTION_TYPE:
		if (len == 1)
			lease->type = *data;
		break;
	case OPTION_MASK:
		take_addresses(&lease->mask, &nr, 1, data, len);
		break;
	case OPTION_ROUTER:
		take_addresses(&lease->router, &nr, 1, data, len);
		break;
	case OPTION_SERVER:
		take_addresses(&lease->server, &nr, 1, data, len);
		break;
	case OPTION_DNS:
		take_addresses(lease->dns, &lease->nr_dns, DHCP_DNS_MAX, data, len);
		break;
	case OPTION_MTU:
		if (len == 2)
			lease->mtu = data[0] << 8 | data[1];
		break;
	default:
		break;
	}
}

/* The options end at OPTION_END, or where the message does */
static void take_options(struct dhcp_lease *lease, const uint8_t *at, size_t len)
{
	while (len && *at != OPTION_END) {
		if (*at == OPTION_PAD) {
			at++;
			len--;
			continue;
		}
		if (len < 2 || len - 2 < at[1])
			return;
		take_option(lease, at[0], at + 2, at[1]);
		len -= 2 + at[1];
		at += 2 + at[1];
	}
}

bool dhcp_parse(struct dhcp_lease *lease, const uint8_t *data, size_t len, uint32_t xid,
		const uint8_t mac[6])
{
	struct message message = {};
	struct iphdr ip;
	struct udphdr udp;
	size_t head, size;

	memset(lease, 0, sizeof(*lease));
	if (len < sizeof(ip))
		return false;
	memcpy(&ip, data, sizeof(ip));
	head = ip.ihl * 4U;
	if (ip.version != 4 || head < sizeof(ip) || ip.protocol != IPPROTO_UDP ||
	    ntohs(ip.frag_off) & 0x3fff || len < head + sizeof(udp))
		return false;
	memcpy(&udp, data + head, sizeof(udp));
	size = ntohs(udp.len);
	if (ntohs(udp.source) != SERVER_PORT || ntohs(udp.dest) != CLIENT_PORT ||
	    size < sizeof(udp) || len - head < size)
		return false;
	data += head + sizeof(udp);
	size -= sizeof(udp);
	if (size < offsetof(struct message, options))
		return false;
	memcpy(&message, data, size < sizeof(message) ? size : sizeof(message));
	if (message.op != BOOTREPLY || message.xid != xid || memcmp(message.chaddr, mac, 6) ||
	    memcmp(message.magic, magic, sizeof(magic)))
		return false;
	lease->address.s_addr = message.yiaddr;
	take_options(lease, data + offsetof(struct message, options),
		     size - offsetof(struct message, options));
	return true;
}

static uint16_t checksum(const void *data, size_t len)
{
	const uint8_t *at = data;
	uint32_t sum = 0;

	for (; len > 1; len -= 2, at += 2)
		sum += at[0] << 8 | at[1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons(~sum);
}

static uint8_t *put(uint8_t *at, uint8_t code, const void *data, uint8_t len)
{
	*at++ = code;
	*at++ = len;
	memcpy(at, data, len);
	return at + len;
}

/* @offer: NULL: ask for one */
static int send_message(const struct client *client, const struct dhcp_lease *offer)
{
	static const uint8_t wanted[] = { OPTION_MASK, OPTION_ROUTER, OPTION_DNS, OPTION_MTU };
	const struct sockaddr_ll to = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP), .sll_ifindex = client->nic,
		.sll_halen = 6, .sll_addr = { 255, 255, 255, 255, 255, 255 },
	};
	struct packet packet = {
		.ip = {
			.version = 4, .ihl = sizeof(packet.ip) / 4, .ttl = 64,
			.protocol = IPPROTO_UDP, .tot_len = htons(sizeof(packet)),
			.daddr = htonl(INADDR_BROADCAST),
		},
		/* 0 is no checksum, which IPv4 allows */
		.udp = {
			.source = htons(CLIENT_PORT), .dest = htons(SERVER_PORT),
			.len = htons(sizeof(packet) - sizeof(packet.ip)),
		},
		.message = {
			.op = BOOTREQUEST, .htype = 1, .hlen = 6, .xid = client->xid,
			.flags = htons(0x8000),		/* answer by broadcast */
		},
	};
	struct message *message = &packet.message;
	uint8_t type = offer ? REQUEST : DISCOVER, *at = message->options;

	memcpy(message->chaddr, client->mac, sizeof(client->mac));
	memcpy(message->magic, magic, sizeof(magic));
	at = put(at, OPTION_TYPE, &type, 1);
	if (offer) {
		at = put(at, OPTION_ADDRESS, &offer->address, sizeof(offer->address));
		at = put(at, OPTION_SERVER, &offer->server, sizeof(offer->server));
	}
	at = put(at, OPTION_WANTED, wanted, sizeof(wanted));
	*at = OPTION_END;
	packet.ip.check = checksum(&packet.ip, sizeof(packet.ip));
	return sendto(client->fd, &packet, sizeof(packet), 0, (const struct sockaddr *)&to,
		      sizeof(to)) < 0 ? -errno : 0;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Wait for an answer of this type. Return: it came within TRY_MS */
static bool receive(const struct client *client, uint8_t type, struct dhcp_lease *lease)
{
	struct pollfd pfd = { .fd = client->fd, .events = POLLIN };
	const int64_t end = now_ms() + TRY_MS;
	uint8_t packet[PACKET_MAX];
	int64_t left;
	ssize_t len;

	while ((left = end - now_ms()) > 0 && poll(&pfd, 1, left) > 0) {
		len = recv(client->fd, packet, sizeof(packet), 0);
		if (len > 0 && dhcp_parse(lease, packet, len, client->xid, client->mac) &&
		    lease->type == type)
			return true;
	}
	return false;
}

static int ask(const struct client *client, struct dhcp_lease *lease)
{
	struct dhcp_lease offer;
	int err = -ETIMEDOUT;

	for (unsigned int i = 0; i < TRIES; i++) {
		err = send_message(client, NULL);
		/* The NIC may have no carrier yet */
		if (err && err != -ENETDOWN && err != -ENOBUFS)
			return err;
		if (!receive(client, OFFER, &offer))
			continue;
		err = send_message(client, &offer);
		if (err)
			return err;
		if (receive(client, ACK, lease))
			return 0;
	}
	return err ?: -ETIMEDOUT;
}

static int open_client(struct client *client, const char *nic)
{
	struct sockaddr_ll addr = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP) };
	struct ifreq request = {};
	struct timespec now;
	int err;

	client->fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_IP));
	if (client->fd < 0)
		return -errno;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", nic);
	if (ioctl(client->fd, SIOCGIFHWADDR, &request))
		goto failed;
	memcpy(client->mac, request.ifr_hwaddr.sa_data, sizeof(client->mac));
	if (ioctl(client->fd, SIOCGIFINDEX, &request))
		goto failed;
	client->nic = request.ifr_ifindex;
	addr.sll_ifindex = client->nic;
	if (bind(client->fd, (struct sockaddr *)&addr, sizeof(addr)))
		goto failed;
	clock_gettime(CLOCK_MONOTONIC, &now);
	client->xid = now.tv_nsec ^ client->mac[5] << 24;
	return 0;

failed:
	err = -errno;
	close(client->fd);
	return err;
}

static struct sockaddr ip_address(struct in_addr address)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr = address };
	struct sockaddr any;

	memcpy(&any, &in, sizeof(any));
	return any;
}

/* The default route; the router may be outside of the NIC's network, as where passt copies a host */
static int add_routes(int fd, const char *nic, const struct dhcp_lease *lease)
{
	struct rtentry route = {
		.rt_dst = ip_address(lease->router), .rt_flags = RTF_UP | RTF_HOST,
		.rt_genmask = ip_address((struct in_addr){ INADDR_BROADCAST }),
		.rt_dev = (char *)nic,
	};

	if (!lease->router.s_addr)
		return 0;
	if ((lease->address.s_addr ^ lease->router.s_addr) & lease->mask.s_addr &&
	    ioctl(fd, SIOCADDRT, &route) && errno != EEXIST)
		return -errno;
	route.rt_dst = ip_address((struct in_addr){ INADDR_ANY });
	route.rt_genmask = route.rt_dst;
	route.rt_gateway = ip_address(lease->router);
	route.rt_flags = RTF_UP | RTF_GATEWAY;
	return ioctl(fd, SIOCADDRT, &route) && errno != EEXIST ? -errno : 0;
}

static int apply(const char *nic, const struct dhcp_lease *lease)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;
	struct ifreq request = {};

	if (fd < 0)
		return -errno;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", nic);
	if (lease->mtu) {
		request.ifr_mtu = lease->mtu;
		ioctl(fd, SIOCSIFMTU, &request);	/* a NIC that cannot have it works, too */
	}
	request.ifr_addr = ip_address(lease->address);
	if (ioctl(fd, SIOCSIFADDR, &request))
		err = -errno;
	request.ifr_netmask = ip_address(lease->mask);
	if (!err && lease->mask.s_addr && ioctl(fd, SIOCSIFNETMASK, &request))
		err = -errno;
	if (!err)
		err = add_routes(fd, nic, lease);
	close(fd);
	return err;
}

/*
 * /etc/resolv.conf is the host's, and may name a resolver on the host's loopback. It is often a link
 * into /run, which is the guest's own.
 */
static void write_resolv(const struct dhcp_lease *lease)
{
	char target[PATH_MAX], path[PATH_MAX + 8], text[INET_ADDRSTRLEN];
	ssize_t len = readlink(RESOLV, target, sizeof(target) - 1);
	const char *in_run = NULL;
	FILE *file;

	if (len > 0) {
		target[len] = '\0';
		in_run = strstr(target, "run/");
	}
	if (in_run && (in_run == target + 1 || !strncmp(target, "../", 3))) {
		snprintf(path, sizeof(path), "/%s", in_run);
		for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
			*slash = '\0';
			mkdir(path, 0755);
			*slash = '/';
		}
	} else {
		snprintf(path, sizeof(path), OWN_RESOLV);
	}
	file = fopen(path, "we");
	for (unsigned int i = 0; file && i < lease->nr_dns; i++)
		fprintf(file, "nameserver %s\n",
			inet_ntop(AF_INET, &lease->dns[i], text, sizeof(text)));
	if (!file || fclose(file) ||
	    (!strcmp(path, OWN_RESOLV) && mount(path, RESOLV, NULL, MS_BIND, NULL)))
		init_say(LEVEL_WARNING, RESOLV ": cannot write name servers: %s", strerror(errno));
}

int dhcp_configure(const char *nic)
{
	struct dhcp_lease lease;
	struct client client;
	int err = system_set_up(nic);

	if (!err)
		err = open_client(&client, nic);
	if (err)
		return err;
	err = ask(&client, &lease);
	close(client.fd);
	if (!err)
		err = apply(nic, &lease);
	if (!err && lease.nr_dns)
		write_resolv(&lease);
	return err;
}
