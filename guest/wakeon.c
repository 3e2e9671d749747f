// SPDX-License-Identifier: GPL-2.0
/*
 * What may wake this guest by a network, which sigmad has to know before the guest sleeps: the addresses
 * that others look for when they do not know the address of a NIC (struct sigma_iosc_wake and
 * SIGMA_BUS_SLEEP in uapi/iosc.h). sigmad asks for that if the guest file has WakeOn=network.
 */
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/inetdevice.h>
#include <linux/netdevice.h>
#include <linux/rcupdate.h>

#include "guest.h"

/* A solicited-node group of IPv6 (RFC 4291, 2.7.1) in an Ethernet address (RFC 2464, 7) */
static bool is_solicited_node(const u8 address[ETH_ALEN])
{
	return address[0] == 0x33 && address[1] == 0x33 && address[2] == 0xff;
}

static void add_ipv4(struct sigma_iosc_wake *wake, const struct net_device *dev)
{
	const struct in_device *in_dev = __in_dev_get_rcu(dev);
	const struct in_ifaddr *address;

	if (!in_dev)
		return;
	in_dev_for_each_ifa_rcu(address, in_dev) {
		u32 nr = le32_to_cpu(wake->nr_ipv4);

		if (nr == SIGMA_WAKE_ADDRESSES)
			return;
		memcpy(wake->ipv4[nr], &address->ifa_local, sizeof(wake->ipv4[nr]));
		wake->nr_ipv4 = cpu_to_le32(nr + 1);
	}
}

static void add_groups(struct sigma_iosc_wake *wake, struct net_device *dev)
{
	const struct netdev_hw_addr *group;

	netif_addr_lock_bh(dev);
	netdev_for_each_mc_addr(group, dev) {
		u32 nr = le32_to_cpu(wake->nr_groups);

		if (!is_solicited_node(group->addr) || nr == SIGMA_WAKE_ADDRESSES)
			continue;
		memcpy(wake->group[nr], group->addr + 3, ETH_ALEN - 3);
		wake->nr_groups = cpu_to_le32(nr + 1);
	}
	netif_addr_unlock_bh(dev);
}

/* The address of a bridge counts as that of its NIC does */
static void gather(struct sigma_iosc_wake *wake)
{
	struct net_device *dev;

	rcu_read_lock();
	for_each_netdev_rcu(&init_net, dev) {
		if (dev->type != ARPHRD_ETHER || !(dev->flags & IFF_UP))
			continue;
		add_ipv4(wake, dev);
		add_groups(wake, dev);
	}
	rcu_read_unlock();
}

void sigma_wakeon_tell(struct sigma_guest *guest, bool asleep)
{
	const struct sigma_bus_sleep message = { .asleep = cpu_to_le32(asleep) };
	struct sigma_iosc_wake wake = { };
	const struct sigma_request request = {
		.flags = SIGMA_MSG_BUS,
		.id = SIGMA_BUS_SLEEP,
		.out = &message,
		.out_len = sizeof(message),
	};

	if (!READ_ONCE(guest->tells_sleep))
		return;
	if (asleep) {
		gather(&wake);
		memcpy(&guest->header->wake, &wake, sizeof(wake));
	}
	/* It logs its errors. A guest that cannot be woken by what comes may sleep all the same */
	sigma_iosc_request(guest, &request);
}
