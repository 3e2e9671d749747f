// SPDX-License-Identifier: GPL-2.0
/*
 * Taps: see tap.h. TUNSETIFF makes the interface, which belongs to the open file: the kernel
 * removes it however sigmad ends. rtnetlink does the rest.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../../common/hash.h"
#include "tap.h"

#define TUN "/dev/net/tun"
#define NO_IPV6 "/proc/sys/net/ipv6/conf/%s/disable_ipv6"

/* First bytes of locally administered addresses */
#define MAC_OF_HOST		0xfe
#define MAC_OF_HOST_ELSE	0xfa

/* A name has room for "sg-", 10 characters, "-" and a digit; a cut name has 6 and a hash of 4 */
#define NAME_PLAIN	10
#define NAME_CUT	6

static uint16_t hash16(const char *text)
{
	uint64_t hash = hash_text(text);

	return hash >> 48 ^ hash >> 32 ^ hash >> 16 ^ hash;
}

void tap_name(char name[TAP_NAME_MAX], const char *guest, unsigned int slot)
{
	_Static_assert(GUEST_NETS_MAX <= 10, "the slot is one digit");

	if (strlen(guest) <= NAME_PLAIN)
		snprintf(name, TAP_NAME_MAX, "sg-%.*s-%u", NAME_PLAIN, guest, slot % 10);
	else
		snprintf(name, TAP_NAME_MAX, "sg-%.*s%04x-%u", NAME_CUT, guest, hash16(guest),
			 slot % 10);
}

static int tap_create(struct virtio_making *making, const char *name)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int hdr = sizeof(struct virtio_net_hdr_v1);
	int fd, error;

	fd = open(TUN, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return making_say(making, -errno, errno == ENOENT || errno == ENODEV ?
				 "cannot make a tap: there is no " TUN "; run 'modprobe tun'" :
				 "cannot open " TUN ": %s", strerror(errno));

	memcpy(ifr.ifr_name, name, TAP_NAME_MAX);
	if (ioctl(fd, TUNSETIFF, &ifr)) {
		error = -errno;
		if (error == -EPERM)
			making_say(making, error, "cannot make the tap %s: it takes CAP_NET_ADMIN; run as root",
				  name);
		else if (error == -EBUSY)
			making_say(making, error, "cannot make the tap %s: another process has it; 'ip link show %s' shows it",
				  name, name);
		else
			making_say(making, error, "cannot make the tap %s: %s", name, strerror(-error));
		goto close_fd;
	}
	if (ioctl(fd, TUNSETVNETHDRSZ, &hdr)) {
		error = making_say(making, -errno, "%s: the kernel refuses a %d-byte header: %s", name,
				  hdr, strerror(errno));
		goto close_fd;
	}
	return fd;

close_fd:
	close(fd);
	return error;
}

/* Change @link by @change; @what: the change, for the error message */
static int tap_change(struct virtio_making *making, struct nl_sock *sock,
		      struct rtnl_link *link, struct rtnl_link *change,
		      const char *what)
{
	int error = rtnl_link_change(sock, link, change, 0);

	if (error)
		return making_say(making, -EIO, "%s: cannot %s: %s", rtnl_link_get_name(link), what,
				 nl_geterror(error));
	return 0;
}

static int tap_enslave(struct virtio_making *making, struct nl_sock *sock, struct rtnl_link *link,
		       const struct guest_net *net)
{
	struct rtnl_link *bridge, *change;
	const char *type;
	int error;

	if (rtnl_link_get_kernel(sock, 0, net->bridge, &bridge))
		return making_say(making, -ENODEV, "there is no bridge %s: make it with 'ip link add %s type bridge' and 'ip link set %s up'",
				  net->bridge, net->bridge, net->bridge);
	type = rtnl_link_get_type(bridge);
	if (!type || strcmp(type, "bridge")) {
		error = making_say(making, -EINVAL,
				   "%s is %s, not a bridge: name a bridge, or use Address=",
				   net->bridge, type ?: "an ordinary interface");
		goto put_bridge;
	}
	change = rtnl_link_alloc();
	if (!change) {
		error = making_say(making, -ENOMEM, "no memory for a netlink message");
		goto put_bridge;
	}
	/* A bridge has the smallest MTU of its ports, so the tap must not have a smaller one */
	rtnl_link_set_mtu(change, rtnl_link_get_mtu(bridge));
	rtnl_link_set_master(change, rtnl_link_get_ifindex(bridge));
	error = tap_change(making, sock, link, change, "attach it to the bridge");
	rtnl_link_put(change);
put_bridge:
	rtnl_link_put(bridge);
	return error;
}

/*
 * The host would accept the guest's router advertisements: it would take addresses and its default
 * route from them. Neither end of a tap needs IPv6 of the host: Address= is IPv4, and a port of a
 * bridge has no addresses. rtnetlink cannot switch it off.
 */
static int tap_without_ipv6(struct virtio_making *making, const char *name)
{
	char path[sizeof(NO_IPV6) + TAP_NAME_MAX];
	int fd, error = 0;

	snprintf(path, sizeof(path), NO_IPV6, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)	/* the host has no IPv6 */
		return 0;
	if (fd < 0 || write(fd, "1", 1) != 1)
		error = making_say(making, -errno, "%s: cannot switch IPv6 off, without which the guest could change the host's routes: %s: %s",
				  name, path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return error;
}

/*
 * The MAC address of the host's end: the guest's, but for its first byte. A bridge has the smallest
 * address of its ports, which is hardly this one. And the guest finds the host where it was when
 * another sigmad has made the tap again.
 */
static int tap_mac(struct virtio_making *making, struct nl_sock *sock, struct rtnl_link *link,
		   const struct guest_net *net)
{
	struct rtnl_link *change = rtnl_link_alloc();
	struct nl_addr *addr = NULL;
	uint8_t mac[ETH_ALEN];
	int error;

	memcpy(mac, net->mac, ETH_ALEN);
	mac[0] = mac[0] == MAC_OF_HOST ? MAC_OF_HOST_ELSE : MAC_OF_HOST;
	if (change)
		addr = nl_addr_build(AF_LLC, mac, ETH_ALEN);
	if (addr) {
		rtnl_link_set_addr(change, addr);
		error = tap_change(making, sock, link, change, "set its MAC address");
		nl_addr_put(addr);
	} else {
		error = making_say(making, -ENOMEM, "no memory for a netlink message");
	}
	rtnl_link_put(change);
	return error;
}

static int tap_address(struct virtio_making *making, struct nl_sock *sock, struct rtnl_link *link,
		       const struct guest_net *net)
{
	struct rtnl_addr *addr = rtnl_addr_alloc();
	struct nl_addr *local = NULL;
	int error;

	if (!addr)
		return making_say(making, -ENOMEM, "no memory for a netlink message");
	error = nl_addr_parse(net->address, AF_INET, &local);
	if (error) {
		error = making_say(making, -EINVAL, "Address=%s: %s; write it as 10.0.0.1/24",
				  net->address,
				  nl_geterror(error));
		goto put_addr;
	}
	rtnl_addr_set_ifindex(addr, rtnl_link_get_ifindex(link));
	rtnl_addr_set_local(addr, local);
	error = rtnl_addr_add(sock, addr, 0);
	if (error)
		error = making_say(making, -EIO, "cannot give %s the address %s: %s",
				  rtnl_link_get_name(link), net->address, nl_geterror(error));
	nl_addr_put(local);
put_addr:
	rtnl_addr_put(addr);
	return error;
}

static int tap_up(struct virtio_making *making, struct nl_sock *sock, struct rtnl_link *link)
{
	struct rtnl_link *change = rtnl_link_alloc();
	int error;

	if (!change)
		return making_say(making, -ENOMEM, "no memory for a netlink message");
	rtnl_link_set_flags(change, IFF_UP);
	error = tap_change(making, sock, link, change, "set it up");
	rtnl_link_put(change);
	return error;
}

static int tap_configure(struct virtio_making *making, const char *name,
			 const struct guest_net *net)
{
	struct nl_sock *sock = nl_socket_alloc();
	struct rtnl_link *link;
	int error;

	if (!sock)
		return making_say(making, -ENOMEM, "no memory for a netlink socket");
	error = nl_connect(sock, NETLINK_ROUTE);
	if (error) {
		error = making_say(making, -EIO, "cannot speak to the network stack: %s",
				  nl_geterror(error));
		goto free_sock;
	}
	error = rtnl_link_get_kernel(sock, 0, name, &link);
	if (error) {
		error = making_say(making, -EIO, "cannot find %s, which was just made: %s", name,
				  nl_geterror(error));
		goto free_sock;
	}
	error = tap_without_ipv6(making, name);
	if (!error)
		error = tap_mac(making, sock, link, net);
	if (!error && net->bridge)
		error = tap_enslave(making, sock, link, net);
	if (!error && net->address)
		error = tap_address(making, sock, link, net);
	if (!error)
		error = tap_up(making, sock, link);
	rtnl_link_put(link);
free_sock:
	nl_socket_free(sock);
	return error;
}

int tap_open(struct virtio_making *making, const struct guest_net *net, char name[TAP_NAME_MAX])
{
	int fd, error;

	memset(name, 0, TAP_NAME_MAX);
	tap_name(name, making->guest, making->slot);
	fd = tap_create(making, name);
	if (fd < 0)
		return fd;
	error = tap_configure(making, name, net);
	if (error) {
		close(fd);
		return error;
	}
	return fd;
}
