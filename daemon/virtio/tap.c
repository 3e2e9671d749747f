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
#include <sys/param.h>
#include <unistd.h>

#include "../../common/hash.h"
#include "tap.h"

#define TUN "/dev/net/tun"
#define IPV6 "/proc/sys/net/ipv6/conf/%s"

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
	/*
	 * A bridge has the smallest MTU of its ports, so the tap must not have a smaller one. The
	 * guest may: it receives longer frames than it sends.
	 */
	rtnl_link_set_mtu(change, MAX(rtnl_link_get_mtu(bridge), net->mtu));
	rtnl_link_set_master(change, rtnl_link_get_ifindex(bridge));
	error = tap_change(making, sock, link, change, "attach it to the bridge");
	rtnl_link_put(change);
put_bridge:
	rtnl_link_put(bridge);
	return error;
}

/* Write @value to a file of the tap's in /proc/sys/net/ipv6, which rtnetlink has no messages for */
static int tap_ipv6(struct virtio_making *making, const char *name, const char *file, char value)
{
	char path[sizeof(IPV6) + TAP_NAME_MAX + 32];
	int fd, error = 0;

	snprintf(path, sizeof(path), IPV6 "/%s", name, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)	/* the host has no IPv6 */
		return 0;
	if (fd < 0 || write(fd, &value, 1) != 1)
		error = making_say(making, -errno, "%s: cannot keep the guest from changing the host's routes by IPv6: %s: %s",
				  name, path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return error;
}

/*
 * The host would accept the guest's router advertisements: it would take addresses and its default
 * route from them. So it has no IPv6 on its end, unless Address= has such an address. A port of a
 * bridge has no addresses.
 */
static int tap_shield(struct virtio_making *making, const char *name, const struct guest_net *net)
{
	bool ipv6 = false;

	for (unsigned int i = 0; i < net->address.nr; i++)
		ipv6 |= net->address.at[i].family == AF_INET6;
	if (!ipv6)
		return tap_ipv6(making, name, "disable_ipv6", '1');
	return tap_ipv6(making, name, "accept_ra", '0') ?:
	       tap_ipv6(making, name, "accept_redirects", '0') ?:
	       tap_ipv6(making, name, "disable_ipv6", '0');
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
		       const struct guest_address *address)
{
	struct rtnl_addr *addr = rtnl_addr_alloc();
	struct nl_addr *local = nl_addr_build(address->family, address->bytes,
					      address->family == AF_INET ? sizeof(struct in_addr) :
					      sizeof(struct in6_addr));
	int error;

	if (!addr || !local) {
		error = making_say(making, -ENOMEM, "no memory for a netlink message");
		goto put;
	}
	nl_addr_set_prefixlen(local, address->prefix);
	rtnl_addr_set_ifindex(addr, rtnl_link_get_ifindex(link));
	rtnl_addr_set_local(addr, local);
	/* Nobody else on the link has it, and the guest may not claim it to keep the host from it */
	if (address->family == AF_INET6)
		rtnl_addr_set_flags(addr, IFA_F_NODAD);
	error = rtnl_addr_add(sock, addr, 0);
	if (error)
		error = making_say(making, -EIO, "cannot give %s the address %s/%u: %s%s",
				  rtnl_link_get_name(link), address->text, address->prefix,
				  nl_geterror(error), address->family == AF_INET6 ?
				  "; does the host have IPv6?" : "");
put:
	if (local)
		nl_addr_put(local);
	if (addr)
		rtnl_addr_put(addr);
	return error;
}

static int tap_set_mtu(struct virtio_making *making, struct nl_sock *sock, struct rtnl_link *link,
		       unsigned int mtu)
{
	struct rtnl_link *change = rtnl_link_alloc();
	int error;

	if (!change)
		return making_say(making, -ENOMEM, "no memory for a netlink message");
	rtnl_link_set_mtu(change, mtu);
	error = tap_change(making, sock, link, change, "set its MTU");
	rtnl_link_put(change);
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
	error = tap_shield(making, name, net);
	if (!error)
		error = tap_mac(making, sock, link, net);
	if (!error && net->bridge)
		error = tap_enslave(making, sock, link, net);
	else if (!error && net->mtu)
		error = tap_set_mtu(making, sock, link, net->mtu);
	if (!error)
		error = tap_up(making, sock, link);
	for (unsigned int i = 0; i < net->address.nr && !error; i++)
		error = tap_address(making, sock, link, &net->address.at[i]);
	rtnl_link_put(link);
free_sock:
	nl_socket_free(sock);
	return error;
}

/* Read the MTU of an interface, or set it if @ifr has one. Return: 0 or -errno */
static int mtu_ioctl(unsigned long request, struct ifreq *ifr)
{
	/* Any kind of socket does, and sigmad's filter allows this one (../privileges.c) */
	int sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), error;

	if (sock < 0)
		return -errno;
	error = ioctl(sock, request, ifr) ? -errno : 0;
	close(sock);
	return error;
}

unsigned int tap_mtu(int fd, const char *bridge)
{
	struct ifreq ifr = { 0 };

	if (bridge)
		snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", bridge);
	else if (ioctl(fd, TUNGETIFF, &ifr))
		return 0;
	if (mtu_ioctl(SIOCGIFMTU, &ifr) || ifr.ifr_mtu < ETH_MIN_MTU || ifr.ifr_mtu > (int)ETH_MAX_MTU)
		return 0;
	return ifr.ifr_mtu;
}

int tap_change_mtu(int fd, unsigned int mtu)
{
	struct ifreq ifr = { 0 };

	if (ioctl(fd, TUNGETIFF, &ifr))
		return -errno;
	ifr.ifr_mtu = mtu;
	return mtu_ioctl(SIOCSIFMTU, &ifr);
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
