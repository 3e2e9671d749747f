/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which frames wake a guest that is asleep: a filter for its tap, which drops all others. So a guest is not
 * woken by every broadcast, and these do not fill its queue meanwhile. The choice is that of NICs with
 * wake-on-LAN (ethtool(8), wol): frames to its address (u), requests for it by ARP or neighbour discovery
 * (a), and magic packets (g).
 */
#ifndef SIGMA_VIRTIO_WAKE_FILTER_H
#define SIGMA_VIRTIO_WAKE_FILTER_H

#include <linux/filter.h>
#include <linux/if_ether.h>
#include <stdbool.h>
#include <stdint.h>

#include "../../kmod/uapi/iosc.h"

/**
 * struct wake_frames - what wakes a guest
 * @magic_only: nothing but magic packets
 * @nr_ipv4: number of @ipv4, 0..SIGMA_WAKE_ADDRESSES
 * @nr_groups: likewise, of @group
 * @ipv4: addresses of the guest, in network byte order
 * @group: last bytes of the Ethernet addresses 33:33:ff:* by which its IPv6 addresses are looked for
 */
struct wake_frames {
	bool magic_only;
	unsigned int nr_ipv4, nr_groups;
	uint8_t ipv4[SIGMA_WAKE_ADDRESSES][4];
	uint8_t group[SIGMA_WAKE_ADDRESSES][3];
};

#define WAKE_FILTER_MAX	128	/* instructions */

/**
 * wake_filter_make - a program of the classic packet filter, for frames that begin with the Ethernet header
 * @mac: the NIC's address
 *
 * Return: the number of instructions.
 */
unsigned short wake_filter_make(struct sock_filter program[WAKE_FILTER_MAX], const uint8_t mac[ETH_ALEN],
				const struct wake_frames *frames);

#endif
