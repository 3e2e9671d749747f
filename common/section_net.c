// SPDX-License-Identifier: GPL-2.0
/* [Network] of a guest file: a NIC, on a tap of the host or in user mode. */
#include <arpa/inet.h>
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-id128.h>

#include "addresses.h"
#include "guestparser.h"
#include "hash.h"

#define MTU_MAX			65520		/* of a tap, and of passt, which takes multiples of 4 */
#define MTU_MIN_IPV6		1280		/* RFC 8200, 5 */
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
	addresses_add(parser, "Address", &this_net(parser)->address, value, true);
}

static void set_guest_address(struct parser *parser, const char *value)
{
	addresses_add(parser, "GuestAddress", &this_net(parser)->guest_address, value, true);
}

static void set_gateway(struct parser *parser, const char *value)
{
	addresses_add(parser, "Gateway", &this_net(parser)->gateway, value, false);
}

static void set_dns(struct parser *parser, const char *value)
{
	addresses_add(parser, "DNS", &this_net(parser)->dns, value, false);
}

static void set_mtu(struct parser *parser, const char *value)
{
	unsigned long mtu;
	char *end;

	mtu = strtoul(value, &end, 10);
	if (!isdigit((unsigned char)*value) || *end || mtu < ETH_MIN_MTU || mtu > MTU_MAX) {
		wrong(parser, -EINVAL, "MTU=%s: not %u to %u bytes; write it like 1500 or 9000",
		      value, ETH_MIN_MTU, MTU_MAX);
		return;
	}
	this_net(parser)->mtu = mtu;
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

/*
 * Take the address off *@at, which is "ADDRESS:", "[ADDRESS]:" if it is IPv6, or nothing. False: it
 * is no address.
 */
static bool take_address(const char **at, char address[INET6_ADDRSTRLEN])
{
	const char *start = *at, *last = strrchr(start, ':'), *end;
	bool ipv6 = *start == '[';
	struct in6_addr parsed;

	end = ipv6 ? strchr(start, ']') : strchr(start, ':');
	if (!ipv6 && end == last)
		return true;
	if (!end || (ipv6 && end[1] != ':'))
		return false;
	*at = end + 1 + ipv6;
	start += ipv6;
	if (end - start >= INET6_ADDRSTRLEN)
		return false;
	memcpy(address, start, end - start);
	return inet_pton(ipv6 ? AF_INET6 : AF_INET, address, &parsed) == 1;
}

/* PROTOCOL:[ADDRESS:]PORT:PORT */
static void set_forward(struct parser *parser, const char *value)
{
	struct guest_net *net = this_net(parser);
	struct guest_forward forward = { .udp = !strncmp(value, "udp:", 4) };
	const char *at = value + 4, *guest = strrchr(value, ':');

	if ((!forward.udp && strncmp(value, "tcp:", 4)) || !take_address(&at, forward.address) ||
	    !parse_port(at, ':', &forward.host_port) || strchr(at, ':') != guest ||
	    !parse_port(guest + 1, '\0', &forward.guest_port)) {
		wrong(parser, -EINVAL,
		      "Forward=%s: not a port of the host and one of the guest; write it like tcp:2222:22, udp:5353:53, tcp:127.0.0.1:8080:80 or tcp:[::1]:8080:80",
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
	{ "Address", set_address, KEY_REPEATS },
	{ "GuestAddress", set_guest_address, KEY_REPEATS },
	{ "Gateway", set_gateway, KEY_REPEATS },
	{ "DNS", set_dns, KEY_REPEATS },
	{ "MTU", set_mtu, KEY_ONCE },
	{ "MACAddress", set_mac, KEY_ONCE },
	{ "User", set_user, KEY_ONCE },
	{ "Forward", set_forward, KEY_REPEATS },
	{ "VHost", set_vhost, KEY_ONCE },
};

void guest_net_reset(struct guest_net *net)
{
	free(net->bridge);
	*net = (struct guest_net) {};
}

int guestfile_mac(const char *name, unsigned int slot, uint8_t mac[ETH_ALEN])
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

static void check_gateways(struct parser *parser, const struct guest_net *net)
{
	bool seen[2] = { false };

	for (unsigned int i = 0; i < net->gateway.nr; i++) {
		const struct guest_address *gateway = &net->gateway.at[i];
		bool ipv6 = gateway->family == AF_INET6;

		if (!addresses_reach(&net->guest_address, gateway))
			guestfile_mistake(parser, net->line, -EINVAL,
					  "Gateway=%s: in no network of GuestAddress=, so the guest would not find it; correct one of them",
					  gateway->text);
		if (seen[ipv6])
			guestfile_mistake(parser, net->line, -EINVAL,
					  "Gateway=%s: a second one of IPv%u; leave one out",
					  gateway->text, ipv6 ? 6 : 4);
		seen[ipv6] = true;
	}
}

/* Check what guest/init is to set up, which is the guest's first program unless Initrd= has another */
static void check_guest_end(struct parser *parser, const struct guest_net *net)
{
	if (!net->guest_address.nr) {
		if (net->gateway.nr || net->dns.nr)
			guestfile_mistake(parser, net->line, -EINVAL,
					  "[Network] with %s and without GuestAddress=; give the guest an address, or leave it out",
					  net->gateway.nr ? "Gateway=" : "DNS=");
		return;
	}
	if (net->user)
		guestfile_mistake(parser, net->line, -EINVAL,
				  "[Network] with User=yes and GuestAddress=; leave GuestAddress= out: passt tells the guest its address by DHCP");
	if (parser->config->initrd && !parser->running)
		guestfile_mistake(parser, net->line, -EINVAL,
				  "[Network] with GuestAddress=, and [Guest] with Initrd=, which would not set it up; leave one out, or set the address in the guest's own files");
	if (parser->single && !parser->running)
		guestfile_mistake(parser, net->line, -EINVAL,
				  "[Network] with GuestAddress=: it is set up when the guest starts; leave it out for a NIC of a running guest");
	for (unsigned int i = 0; i < net->guest_address.nr; i++)
		if (addresses_have(&net->address, &net->guest_address.at[i]))
			guestfile_mistake(parser, net->line, -EINVAL,
					  "GuestAddress=%s: Address= gives it to the host's end; change one",
					  net->guest_address.at[i].text);
	check_gateways(parser, net);
}

/* Check the keys of a NIC against each other */
static void check_net(struct parser *parser, const struct guest_net *net)
{
	bool ipv6 = net->user || addresses_have_family(&net->address, AF_INET6) ||
		    addresses_have_family(&net->guest_address, AF_INET6);

	if (!!net->bridge + !!net->address.nr + net->user != 1)
		guestfile_mistake(parser, net->line, -EINVAL,
				  "[Network] with %s of Bridge=, Address= and User=yes; give one of them",
				  net->bridge || net->address.nr ? "more than one" : "none");
	if (!net->user && net->nr_forwards)
		guestfile_mistake(parser, net->line, -EINVAL,
				  "[Network] with Forward= and without User=yes; leave Forward= out: the host reaches the guest without it");
	if (net->user && net->vhost != VHOST_IF_POSSIBLE)
		guestfile_mistake(parser, net->line, -EINVAL,
				  "[Network] with User=yes and VHost=; passt serves the queues; leave VHost= out");
	if (net->mtu && net->mtu < MTU_MIN_IPV6 && ipv6)
		guestfile_mistake(parser, net->line, -EINVAL,
				  "[Network] with MTU=%u and %s; IPv6 needs %u bytes at least; give a larger MTU",
				  net->mtu, net->user ? "User=yes" : "an IPv6 address", MTU_MIN_IPV6);
	check_guest_end(parser, net);
}

/* The MAC address of the NIC in @slot, if the file has none */
static void default_mac(struct parser *parser, unsigned int slot)
{
	struct guest_net *net = &parser->config->net[slot];
	int error;

	if (parser->macs & 1U << slot)
		return;
	error = guestfile_mac(parser->config->name, slot, net->mac);
	if (error)
		guestfile_mistake(parser, net->line, error,
				  "cannot make a MAC address from /etc/machine-id: %s; run systemd-machine-id-setup or give MACAddress=",
				  strerror(-error));
}

void guest_net_finish(struct parser *parser)
{
	struct guest_config *config = parser->config;

	for (unsigned int i = 0; i < config->nr_nets; i++) {
		struct guest_net *net = &config->net[i];

		if (!guestdevices_new(parser, i, net->keys))
			continue;
		check_net(parser, net);
		/* Else tap.c looks for it, since a file may be written before there is a bridge */
		if (parser->absent && net->bridge && !if_nametoindex(net->bridge))
			guestfile_absent(parser, net->line, -ENODEV, "Bridge=", net->bridge, "make it");
		default_mac(parser, i);
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
