#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=2G timeout=500
#
# Networks: a bridge of the host, two NICs in one guest, two guests on one bridge, IPv4 and IPv6.
# Frames are moved by vhost-net and by sigmad, MAC addresses stay the same, and nothing is left
# behind, however a guest ends.

. "$(dirname "$0")/lib.sh"
need_sigma

MAC=52:54:00:a1:b2:c3

ip link add br0 type bridge
ip addr add 10.9.1.1/24 dev br0 && ip addr add fd09:1::1/64 dev br0 nodad
ip link set br0 up

ports() { ls /sys/class/net/br0/brif; }
mac() { in_guest "$1" "cat /sys/class/net/$2/address"; }
addresses() { ip -4 -o addr show | awk '{ print $2, $4 }'; }
has_address() { addresses | grep -F "$1" >/dev/null; }
reaches() { ping -c 1 -W 5 "$1"; }
# Number of a guest's NICs that vhost-net serves
vhosts() { find "/proc/$(sigmad_pid "$1")/fd" -lname /dev/vhost-net | wc -l; }
# CPU time of a guest's sigmad without its vhost threads, in 1/100 s
sigmad_time()
{
	local pid
	pid=$(sigmad_pid "$1")
	awk '{ print $14 + $15 }' "/proc/$pid/task/$pid/stat"
}
# rate ADDRESS [OPTION...]: Mbit/s of iperf3 to the server at that address
rate()
{
	iperf3 --client "$1" --time 2 --json "${@:2}" |
		jq -r '.end.sum_received.bits_per_second / 1e6 | round'
}
mtu() { in_guest "$1" "cat /sys/class/net/$2/mtu"; }
host_mtu_is() { [ "$(cat "/sys/class/net/$1/mtu")" = "$2" ]; }
sigmad_said() { grep -- "$1" /run/sigma/g/sigmad.log; }
carrier() { in_guest "$1" "cat /sys/class/net/$2/carrier"; }
unplugged() { [ "$(carrier "$1" "$2")" = 0 ]; }
# advertise NUMBER NIC: the guest tells all neighbours that it is the router of 2001:db8:77::/64
# (RFC 4861, 4.2 and 4.6.2), as soon as its NIC has an address. A ping follows, in the same queue
# shellcheck disable=SC2016 # expanded by perl
advertise()
{
	local script='use Socket qw(:all);
		socket(S, AF_INET6, SOCK_RAW, 58) && setsockopt(S, 41, 18, pack("i", 255)) &&
		setsockopt(S, 41, 17, pack("I", $ARGV[0])) &&
		send(S, pack("C2nC2nN2C4N3a16", 134, 0, 0, 64, 0, 1800, 0, 0, 3, 4, 64, 0xc0, 86400,
			     14400, 0, inet_pton(AF_INET6, "2001:db8:77::")), 0,
		     pack_sockaddr_in6(0, inet_pton(AF_INET6, "ff02::1"))) or die $!'
	in_guest "$1" "perl -e '$script' \$(cat /sys/class/net/$2/ifindex) && ping -c 1 -W 5 10.9.2.1"
}
# The multicast bit is clear, the bit for locally administered addresses is set (IEEE 802, 8.2)
is_local_mac() { [ $((0x${1%%:*} & 3)) = 2 ]; }

# Docker makes the host drop what bridges pass on. A stand-in for iptables tells of such a policy
modprobe br_netfilter
[ ! -e /usr/sbin/iptables ] || mv /usr/sbin/iptables /usr/sbin/iptables.away
printf '#!/bin/sh\n[ "$*" != "-S FORWARD" ] || echo "-P FORWARD DROP"\n' >/usr/sbin/iptables
chmod +x /usr/sbin/iptables
check "sigmactl check warns of a host that drops what bridges pass on" eval \
	'sigmactl check --json | jq -e ".[] | select(.check == \"bridges\" and .result == \"warn\") |
		.remedy | contains(\"iptables -I FORWARD -i BRIDGE -o BRIDGE -j ACCEPT\")"'
rm /usr/sbin/iptables
[ ! -e /usr/sbin/iptables.away ] || mv /usr/sbin/iptables.away /usr/sbin/iptables
rmmod br_netfilter		# modprobe -r would remove the module bridge, too

remember_host
before_addresses=$(addresses)

# ---- two NICs
guest g disk=/dev/vdb append=rig.ip=10.9.1.2/24 \
	line=[Network] line=Bridge=br0 \
	line=[Network] line="Address=10.9.2.1/24 fd09:2::1/64" line=MTU=1400 line=MACAddress=$MAC
check "g starts" sigmactl start g
check "the first NIC of g is a port of the bridge" [ "$(ports | wc -w)" = 1 ]
check "the tap of the second NIC of g has an address on the host" has_address "10.9.2.1/24"
check "vhost-net serves both NICs of g" [ "$(vhosts g)" = 2 ]
check "g answers through the bridge" wait_guest 1
check "g has two NICs" [ "$(in_guest 1 'ls -v /sys/class/net' | xargs)" = "eth0 eth1 lo" ]
check "g answers through its own network" eval '
	in_guest 1 "ip link set eth1 up && ip addr add 10.9.2.2/24 dev eth1" &&
	reaches 10.9.2.2 && in_guest 2 true'
check "the guest's end and the host's have the MTU of MTU=" \
	eval '[ "$(mtu 1 eth1)" = 1400 ] && host_mtu_is sg-g-1 1400'
check "g answers by IPv6 through its own network" eval '
	in_guest 1 "ip addr add fd09:2::2/64 dev eth1 nodad" && until_true 10 reaches fd09:2::2'
check "g advertises itself as a router" until_true 20 advertise 1 eth1
check "the host accepts no router advertisement of a guest" eval '
	! { ip -6 addr; ip -6 route; } | grep -E "2001:db8:77|default.*dev sg-g"'
check "the NIC has the address of MACAddress=" [ "$(mac 1 eth1)" = $MAC ]
check "the MTU of the bridge is raised, and the tap follows" \
	eval 'ip link set br0 mtu 1600 && until_true 10 host_mtu_is sg-g-0 1600'
check "sigmad says that the guest keeps its MTU" until_true 10 \
	sigmad_said "br0 has an MTU of 1600 now; the guest's NIC keeps that of 1500"
check "a frame longer than the guest's MTU reaches it" ping -c 1 -W 5 -M "do" -s 1572 10.9.1.2
check "g restarts" eval '
	in_guest 1 "(sleep 1; echo b >/proc/sysrq-trigger) >/dev/null 2>&1 &" && sleep 2 &&
	wait_state g running && wait_guest 1'
check "after the restart, the guest's NIC has the MTU of the bridge" [ "$(mtu 1 eth0)" = 1600 ]
check "the MTU of the bridge is lowered, and sigmad warns" eval 'ip link set br0 mtu 1500 &&
	until_true 10 sigmad_said "br0 has an MTU of 1500, and the guest.s NIC one of 1600"'
check "sigmactl check warns, too" eval 'sigmactl check --json | jq -e ".[] |
	select(.check == \"mtu\" and .result == \"warn\") | .remedy | contains(\"mtu 1500\")"'
check "when a tap is deleted, the guest's NIC loses its carrier" eval '
	in_guest 1 "ip link set eth1 up" && ! unplugged 1 eth1 && ip link del sg-g-1 &&
	until_true 10 unplugged 1 eth1'
check "the other NIC still works" reaches 10.9.1.2
first_mac=$(mac 1 eth0)
check "a NIC without MACAddress= gets a local unicast address" is_local_mac "$first_mac"
check "g stops" eval 'sigmactl stop g && wait_gone g'
check "the bridge has no port after the stop" [ -z "$(ports)" ]
check "the host's addresses are as before" [ "$(addresses)" = "$before_addresses" ]
check "the host has everything back" host_is_as_before

# ---- two guests
check "g starts again" sigmactl start g
guest h disk=/dev/vdc net=3 line=[Network] line=Bridge=br0 line=VHost=no \
	line="GuestAddress=10.9.1.3/24 fd09:1::3/64" line="Gateway=10.9.1.1 fd09:1::1" \
	line="DNS=10.9.1.1 fd09:1::1"
check "h starts" sigmactl start h
check "g and h are ports of the bridge" [ "$(ports | wc -w)" = 2 ]
check "sigmad serves the second NIC of h" [ "$(vhosts h)" = 1 ]
check "g answers" wait_guest 1
check "h answers" wait_guest 3
check "the MAC address of g is the same after a new start" [ "$(mac 1 eth0)" = "$first_mac" ]
check "the first NICs of g and h have different MAC addresses" [ "$(mac 3 eth0)" != "$first_mac" ]
check "the three NICs have three MAC addresses" \
	[ "$(printf '%s\n' "$first_mac" "$(mac 3 eth0)" "$(mac 3 eth1)" | sort -u | wc -l)" = 3 ]
check "the second NIC of h has the addresses of GuestAddress=, and is on the bridge" \
	eval 'reaches 10.9.1.3 && until_true 10 reaches fd09:1::3'
check "h has the routes of Gateway=" eval '
	in_guest 3 "ip route; ip -6 route" >/tmp/routes &&
	grep "^default via 10.9.1.1 dev eth1" /tmp/routes && grep "^default via fd09:1::1 dev eth1" /tmp/routes'
check "h has the DNS servers of DNS=" \
	[ "$(in_guest 3 'cat /etc/resolv.conf' | xargs)" = "nameserver 10.9.1.1 nameserver fd09:1::1" ]
check "h reaches g over the bridge" in_guest 3 "ping -c 1 -W 5 -I eth1 10.9.1.2"
in_guest 3 "iperf3 --server --daemon" >/dev/null
for by in "vhost-net 10.9.3.2" "sigmad 10.9.1.3"; do
	read -r who address <<<"$by"
	awake=$(sigmad_time h)
	to=$(rate "$address") from=$(rate "$address" --reverse)
	awake=$(($(sigmad_time h) - awake))
	check "iperf3 runs both ways through $who" [ $((${to:-0} * ${from:-0})) -gt 0 ]
	say "by $who: $to Mbit/s to the guest, $from from it; sigmad ran for $((awake * 10)) ms of 4 s"
	[ "$who" = sigmad ] ||
		check "sigmad sleeps while vhost-net moves the frames" [ $awake -lt 50 ]
done
check "the bridge learnt the MAC address of g" \
	eval "bridge fdb show br br0 | grep $first_mac >/dev/null"
check "g is killed" eval 'sigmactl kill g && wait_gone g'
check "the bridge keeps the port of h only" [ "$(ports | wc -w)" = 1 ]
check "the address of the tap of g is gone" eval '! has_address 10.9.2.1/24'
check "h still answers over the bridge" reaches 10.9.1.3
check "h is killed" eval 'sigmactl kill h && wait_gone h'
check "the bridge has no port after the kill" [ -z "$(ports)" ]
check "the host's addresses are as before once both are gone" \
	[ "$(addresses)" = "$before_addresses" ]
check "the host has everything back" host_is_as_before
finish
