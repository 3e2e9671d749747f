// SPDX-License-Identifier: GPL-2.0
/*
 * Frames that wake a guest: see wake_filter.h. A load behind the end of a frame drops it. Jumps to TAKE and
 * DROP get their targets last, when the two instructions at the end have their place.
 */
#include <string.h>

#include "../../common/assert.h"
#include "wake_filter.h"

#define TAKE		254	/* in place of an offset that no jump here has */
#define DROP		255
#define ETH_P_WOL	0x0842	/* of magic packets that are sent as frames */

/* Offsets in a frame */
#define TYPE		12
#define ARP_OPERATION	20
#define ARP_TARGET	38
#define IPV4_FRAGMENT	20
#define IPV4_PROTOCOL	23
#define UDP_SIZE	8

#define ARP_REQUEST	1
#define FRAGMENT_MASK	0x1fff
#define PROTOCOL_UDP	17

struct filter {
	struct sock_filter *program;
	unsigned short nr;
};

static void add(struct filter *filter, struct sock_filter instruction)
{
	sigma_assert(filter->nr < WAKE_FILTER_MAX);
	filter->program[filter->nr++] = instruction;
}

static void load(struct filter *filter, unsigned short mode, uint32_t offset)
{
	add(filter, (struct sock_filter)BPF_STMT(BPF_LD | mode, offset));
}

static void jump(struct filter *filter, uint32_t value, uint8_t equal, uint8_t other)
{
	add(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, equal, other));
}

/* The @nr bytes of a value, in network byte order */
static uint32_t number(const uint8_t *bytes, unsigned int nr)
{
	uint32_t value = 0;

	while (nr--)
		value = value << 8 | *bytes++;
	return value;
}

/* Begin a part for frames of @type. end_part() is where others go on */
static unsigned short begin_part(struct filter *filter, uint16_t type)
{
	load(filter, BPF_H | BPF_ABS, TYPE);
	jump(filter, type, 0, 0);
	return filter->nr;
}

static void end_part(struct filter *filter, unsigned short begin)
{
	filter->program[begin - 1].jf = filter->nr - begin;
}

static void take_unicast(struct filter *filter, const uint8_t mac[ETH_ALEN])
{
	load(filter, BPF_W | BPF_ABS, 0);
	jump(filter, number(mac, 4), 0, 2);
	load(filter, BPF_H | BPF_ABS, 4);
	jump(filter, number(mac + 4, 2), TAKE, 0);
}

static void take_arp(struct filter *filter, const struct wake_frames *frames)
{
	unsigned short part = begin_part(filter, ETH_P_ARP);

	load(filter, BPF_H | BPF_ABS, ARP_OPERATION);
	jump(filter, ARP_REQUEST, 0, DROP);
	load(filter, BPF_W | BPF_ABS, ARP_TARGET);
	for (unsigned int i = 0; i < frames->nr_ipv4; i++)
		jump(filter, number(frames->ipv4[i], 4), TAKE, 0);
	end_part(filter, part);
}

static void take_groups(struct filter *filter, const struct wake_frames *frames)
{
	unsigned short part = begin_part(filter, ETH_P_IPV6);

	load(filter, BPF_H | BPF_ABS, 0);
	jump(filter, 0x3333, 0, DROP);
	load(filter, BPF_W | BPF_ABS, 2);
	for (unsigned int i = 0; i < frames->nr_groups; i++)
		jump(filter, 0xff000000 | number(frames->group[i], 3), TAKE, 0);
	end_part(filter, part);
}

/* Six bytes 0xff, then the address sixteen times, of which two are looked at */
static void take_magic_at(struct filter *filter, unsigned short mode, uint32_t at,
			  const uint8_t mac[ETH_ALEN])
{
	load(filter, BPF_W | mode, at);
	jump(filter, 0xffffffff, 0, DROP);
	load(filter, BPF_H | mode, at + 4);
	jump(filter, 0xffff, 0, DROP);
	for (unsigned int i = 1; i <= 2; i++) {
		load(filter, BPF_W | mode, at + i * ETH_ALEN);
		jump(filter, number(mac, 4), 0, DROP);
		load(filter, BPF_H | mode, at + i * ETH_ALEN + 4);
		jump(filter, number(mac + 4, 2), i == 1 ? 0 : TAKE, DROP);
	}
}

/* As a frame, or to any port of UDP over IPv4 */
static void take_magic(struct filter *filter, const uint8_t mac[ETH_ALEN])
{
	unsigned short part = begin_part(filter, ETH_P_WOL);

	take_magic_at(filter, BPF_ABS, ETH_HLEN, mac);
	end_part(filter, part);

	part = begin_part(filter, ETH_P_IP);
	load(filter, BPF_B | BPF_ABS, IPV4_PROTOCOL);
	jump(filter, PROTOCOL_UDP, 0, DROP);
	load(filter, BPF_H | BPF_ABS, IPV4_FRAGMENT);
	add(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, FRAGMENT_MASK, DROP, 0));
	/* X: length of the IPv4 header */
	add(filter, (struct sock_filter)BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, ETH_HLEN));
	take_magic_at(filter, BPF_IND, ETH_HLEN + UDP_SIZE, mac);
	end_part(filter, part);
}

static void resolve(uint8_t *offset, unsigned short from, unsigned short take, unsigned short drop)
{
	if (*offset == TAKE)
		*offset = take - from;
	else if (*offset == DROP)
		*offset = drop - from;
}

unsigned short wake_filter_make(struct sock_filter program[WAKE_FILTER_MAX], const uint8_t mac[ETH_ALEN],
				const struct wake_frames *frames)
{
	_Static_assert(WAKE_FILTER_MAX < TAKE, "jumps reach the end");
	struct filter filter = { .program = program };
	unsigned short drop, take;

	if (!frames->magic_only) {
		take_unicast(&filter, mac);
		take_arp(&filter, frames);
		take_groups(&filter, frames);
	}
	take_magic(&filter, mac);
	drop = filter.nr;
	add(&filter, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0));
	take = filter.nr;
	add(&filter, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, UINT32_MAX));
	for (unsigned short i = 0; i < drop; i++) {
		if (BPF_CLASS(program[i].code) != BPF_JMP)
			continue;
		resolve(&program[i].jt, i + 1, take, drop);
		resolve(&program[i].jf, i + 1, take, drop);
	}
	return filter.nr;
}
