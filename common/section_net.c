// SPDX-License-Identifier: GPL-2.0
/* [Network] of a guest file: a NIC, on a tap of the host or in user mode. */
#include <arpa/inet.h>
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-id128.h>

#include "guestparser.h"
#include "hash.h"

#define PREFIX_MIN		8		/* of a subnet between host and guest */
#define PREFIX_MAX		30
#define MAC_MULTICAST		0x01		/* in the first byte */
#define MAC_LOCAL		0x02

/* Application ID for IDs that are derived from the machine's; a random number */
#define GUEST_MAC_ID SD_ID128_MAKE(5b, 0e, 6d, 2c, 91, 7a, 4f, 38, \
				   a3, d4, 1c, 8e, 72, f0, b9, 46)

static_assert(GUEST_NETS_MAX <= 8 * sizeof(((struct parser *)NULL)->macs), "a bit for each NIC");

static struct guest_net *this_net(struct parser *parser)
{
	return &parser->config->net[parser->slot];
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
	guestkeys_string(parser, &this_net(parser)->bridge, value);
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
	guestkeys_string(parser, &this_net(parser)->address, value);
}

static void set_user(struct parser *parser, const char *value)
{
	guestkeys_bool(parser, "User", &this_net(parser)->user, value);
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

	guestkeys_bool(parser, "VHost", &on, value);
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

const struct guest_key guest_net_keys[SECTION_KEYS_MAX] = {
	{ "Bridge", set_bridge, KEY_ONCE },
	{ "Address", set_address, KEY_ONCE },
	{ "MACAddress", set_mac, KEY_ONCE },
	{ "User", set_user, KEY_ONCE },
	{ "Forward", set_forward, KEY_REPEATS },
	{ "VHost", set_vhost, KEY_ONCE },
};

void guest_net_reset(struct guest_net *net)
{
	free(net->bridge);
	free(net->address);
	*net = (struct guest_net) {};
}

/* A NIC's MAC address is the same whenever the guest starts, but differs between hosts. */
static int stable_mac(const char *name, unsigned int slot, uint8_t mac[ETH_ALEN])
{
	uint64_t hash = hash_byte(hash_text(name), slot);
	sd_id128_t id = GUEST_MAC_ID;
	int error;

	for (unsigned int i = 0; i < sizeof(hash); i++)
		id.bytes[i] ^= hash >> (8 * i);
	error = sd_id128_get_machine_app_specific(id, &id);
	if (error < 0)
		return error;
	memcpy(mac, id.bytes, ETH_ALEN);
	mac[0] = (mac[0] & ~MAC_MULTICAST) | MAC_LOCAL;
	return 0;
}

void guest_net_finish(struct parser *parser)
{
	struct guest_config *config = parser->config;
	int error;

	for (unsigned int i = 0; i < config->nr_nets; i++) {
		struct guest_net *net = &config->net[i];

		if (!guestdevices_new(parser, i, net->keys))
			continue;
		if (!!net->bridge + !!net->address + net->user != 1)
			guestfile_mistake(parser, net->line, -EINVAL,
					  "[Network] with %s of Bridge=, Address= and User=yes; give one of them",
					  net->bridge || net->address ? "more than one" : "none");
		if (!net->user && net->nr_forwards)
			guestfile_mistake(parser, net->line, -EINVAL,
					  "[Network] with Forward= and without User=yes; leave Forward= out: the host reaches the guest without it");
		if (net->user && net->vhost != VHOST_IF_POSSIBLE)
			guestfile_mistake(parser, net->line, -EINVAL,
					  "[Network] with User=yes and VHost=; passt serves the queues; leave VHost= out");

		/* Else tap.c looks for it, since a file may be written before there is a bridge */
		if (parser->absent && net->bridge && !if_nametoindex(net->bridge))
			guestfile_absent(parser, net->line, -ENODEV, "Bridge=", net->bridge, "make it");
		if (!(parser->macs & 1U << i)) {
			error = stable_mac(config->name, i, net->mac);
			if (error)
				guestfile_mistake(parser, net->line, error,
						  "cannot make a MAC address from /etc/machine-id: %s; run systemd-machine-id-setup or give MACAddress=",
						  strerror(-error));
		}
		for (unsigned int j = 0; j < config->nr_nets; j++) {
			const struct guest_net *other = &config->net[j];

			if (guestdevices_rivals(parser, i, j, other->keys) &&
			    !memcmp(other->mac, net->mac, ETH_ALEN))
				guestfile_mistake(parser, net->line, -EINVAL,
						  "the same MACAddress= as that of the [Network] %s; change one",
						  guestdevices_where(parser, other->line).text);
		}
	}
}
