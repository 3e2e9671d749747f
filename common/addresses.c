// SPDX-License-Identifier: GPL-2.0
/* Reads and checks IP addresses: see addresses.h. */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "addresses.h"

#define BLANKS			" \t"
#define PREFIX_MIN		8		/* of a subnet between host and guest */
#define PREFIX_MAX_IPV4		30
#define PREFIX_MAX_IPV6		127

static unsigned int bits_of(const struct guest_address *address)
{
	return address->family == AF_INET ? 32 : 128;
}

static bool same_start(const uint8_t *a, const uint8_t *b, unsigned int bits)
{
	unsigned int bytes = bits / 8, mask = 0xff00 >> bits % 8 & 0xff;

	return !memcmp(a, b, bytes) && (!mask || !((a[bytes] ^ b[bytes]) & mask));
}

/* Are all bits behind the prefix 0, or all 1? */
static bool host_part_is(const struct guest_address *address, bool one)
{
	for (unsigned int bit = address->prefix; bit < bits_of(address); bit++)
		if (!!(address->bytes[bit / 8] & 0x80 >> bit % 8) != one)
			return false;
	return true;
}

static bool is_special(const struct guest_address *address)
{
	const struct in6_addr *ipv6 = (const void *)address->bytes;
	uint32_t ipv4;

	if (address->family == AF_INET6)
		return IN6_IS_ADDR_MULTICAST(ipv6) || IN6_IS_ADDR_LOOPBACK(ipv6) ||
		       IN6_IS_ADDR_UNSPECIFIED(ipv6) || IN6_IS_ADDR_V4MAPPED(ipv6);
	memcpy(&ipv4, address->bytes, sizeof(ipv4));
	ipv4 = ntohl(ipv4);
	return IN_MULTICAST(ipv4) || IN_BADCLASS(ipv4) ||
	       ipv4 >> IN_CLASSA_NSHIFT == IN_LOOPBACKNET || !(ipv4 >> IN_CLASSA_NSHIFT);
}

/* A subnet of two IPv6 addresses has no router's address of its own (RFC 6164, 6) */
static const char *check_host_part(const struct guest_address *address)
{
	if (address->family == AF_INET6 && address->prefix == PREFIX_MAX_IPV6)
		return NULL;
	if (host_part_is(address, false))
		return "the first address of its network, not one of a host";
	if (address->family == AF_INET && host_part_is(address, true))
		return "the broadcast address of its network, not one of a host";
	return NULL;
}

static const char *read_prefix(struct guest_address *address, const char *text)
{
	bool ipv4 = address->family == AF_INET;
	unsigned long length;
	char *end;

	if (!text || !isdigit((unsigned char)*text))
		return "not an IP address with a prefix length";
	length = strtoul(text, &end, 10);
	if (*end || length < PREFIX_MIN || length > (ipv4 ? PREFIX_MAX_IPV4 : PREFIX_MAX_IPV6))
		return ipv4 ? "the prefix length is not 8 to 30" : "the prefix length is not 8 to 127";
	address->prefix = length;
	return check_host_part(address);
}

/* Return: what is wrong, or NULL */
static const char *read_address(struct guest_address *address, const char *word, bool of_link)
{
	const char *slash = of_link ? strchr(word, '/') : NULL, *why;
	char text[INET6_ADDRSTRLEN];
	size_t len = slash ? (size_t)(slash - word) : strlen(word);

	*address = (struct guest_address) { .family = AF_INET };
	if (len >= sizeof(text))
		len = 0;
	memcpy(text, word, len);
	text[len] = '\0';
	if (strchr(text, ':'))
		address->family = AF_INET6;
	if (inet_pton(address->family, text, address->bytes) != 1)
		return of_link ? "not an IP address with a prefix length" : "not an IP address";
	why = of_link ? read_prefix(address, slash ? slash + 1 : NULL) : NULL;
	if (!why && is_special(address))
		why = "multicast, loopback or reserved";
	inet_ntop(address->family, address->bytes, address->text, sizeof(address->text));
	return why;
}

static void add(struct parser *parser, const char *key, struct guest_addresses *list,
		const char *word, bool of_link)
{
	struct guest_address address;
	const char *why = read_address(&address, word, of_link);

	if (why)
		wrong(parser, -EINVAL, "%s=%s: %s; %s", key, word, why,
		      of_link ? "write it like 10.0.0.1/24 or fd00::1/64" :
		      "write it like 10.0.0.1 or fd00::1");
	else if (addresses_have(list, &address))
		wrong(parser, -EINVAL, "%s=%s: this address is there twice; leave one out", key,
		      word);
	else if (list->nr == GUEST_ADDRESSES_MAX)
		wrong(parser, -EINVAL, "%s=%s: more than %u addresses; leave some out", key, word,
		      GUEST_ADDRESSES_MAX);
	else
		list->at[list->nr++] = address;
}

void addresses_add(struct parser *parser, const char *key, struct guest_addresses *list,
		   const char *value, bool of_link)
{
	char *words = strdup(value), *rest = words, *word;

	if (!words) {
		wrong(parser, -ENOMEM, "no memory to read this file");
		return;
	}
	while ((word = strsep(&rest, BLANKS)))
		if (*word)
			add(parser, key, list, word, of_link);
	free(words);
}

bool addresses_have(const struct guest_addresses *list, const struct guest_address *address)
{
	for (unsigned int i = 0; i < list->nr; i++)
		if (list->at[i].family == address->family &&
		    !memcmp(list->at[i].bytes, address->bytes, sizeof(address->bytes)))
			return true;
	return false;
}

bool addresses_reach(const struct guest_addresses *list, const struct guest_address *address)
{
	/* A link-local address is on each link (RFC 4291, 2.5.6) */
	if (address->family == AF_INET6 &&
	    IN6_IS_ADDR_LINKLOCAL((const struct in6_addr *)address->bytes))
		return true;
	for (unsigned int i = 0; i < list->nr; i++)
		if (list->at[i].family == address->family &&
		    same_start(list->at[i].bytes, address->bytes, list->at[i].prefix))
			return true;
	return false;
}

bool addresses_have_family(const struct guest_addresses *list, int family)
{
	for (unsigned int i = 0; i < list->nr; i++)
		if (list->at[i].family == family)
			return true;
	return false;
}
