#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=2G timeout=500
#
# Networks: a bridge of the host, two NICs in one guest, two guests on one bridge; frames moved by
# vhost-net and by sigmad; MAC addresses that stay; and nothing left behind, however a guest
# ends.

. "$(dirname "$0")/lib.sh"
need_sigma

MAC=52:54:00:a1:b2:c3

ip link add br0 type bridge
ip addr add 10.9.1.1/24 dev br0
ip link set br0 up

ports() { ls /sys/class/net/br0/brif; }
mac() { in_guest "$1" "cat /sys/class/net/$2/address"; }
addresses() { ip -4 -o addr show | awk '{ print $2, $4 }'; }
has_address() { addresses | grep -F "$1" >/dev/null; }
reaches() { ping -c 1 -W 5 "$1"; }
# How many NICs of a guest the host's kernel serves
vhosts() { find "/proc/$(sigmad_pid "$1")/fd" -lname /dev/vhost-net | wc -l; }
# CPU time of a guest's sigmad, without that of vhost's threads: 1/100 s
sigmad_time()
{
	local pid
	pid=$(sigmad_pid "$1")
	awk '{ print $14 + $15 }' "/proc/$pid/task/$pid/stat"
}
# iperf3 to ADDRESS, where a server runs, MORE...: Mbit/s
rate()
{
	iperf3 --client "$1" --time 2 --json "${@:2}" |
		jq -r '.end.sum_received.bits_per_second / 1e6 | round'
}
carrier() { in_guest "$1" "cat /sys/class/net/$2/carrier"; }
unplugged() { [ "$(carrier "$1" "$2")" = 0 ]; }
# A multicast address is nobody's, and the one that says "made here" is set (IEEE 802, 8.2)
is_local_mac() { [ $((0x${1%%:*} & 3)) = 2 ]; }

remember_host
before_addresses=$(addresses)

# ---- two NICs
guest g disk=/dev/vdb append=rig.ip=10.9.1.2/24 \
	line=[Network] line=Bridge=br0 \
	line=[Network] line=Address=10.9.2.1/24 line=MACAddress=$MAC
check "g starts" sigmactl start g
check "its first NIC is a port of the bridge" [ "$(ports | wc -w)" = 1 ]
check "its second has an address on the host" has_address "10.9.2.1/24"
check "vhost-net moves the frames of both" [ "$(vhosts g)" = 2 ]
check "it answers through the bridge" wait_guest 1
check "it has two NICs" [ "$(in_guest 1 'ls -v /sys/class/net' | xargs)" = "eth0 eth1 lo" ]
check "it answers through its own network" eval '
	in_guest 1 "ip link set eth1 up && ip addr add 10.9.2.2/24 dev eth1" &&
	reaches 10.9.2.2 && in_guest 2 true'
check "MACAddress= is honoured" [ "$(mac 1 eth1)" = $MAC ]
check "it restarts" eval '
	in_guest 1 "(sleep 1; echo b >/proc/sysrq-trigger) >/dev/null 2>&1 &" && sleep 2 &&
	wait_state g running && wait_guest 1'
check "a tap that is deleted is a cable that is unplugged" eval '
	in_guest 1 "ip link set eth1 up" && ! unplugged 1 eth1 && ip link del sg-g-1 &&
	until_true 10 unplugged 1 eth1'
check "the other one works" reaches 10.9.1.2
first_mac=$(mac 1 eth0)
check "without it a NIC gets one of its own" is_local_mac "$first_mac"
check "stops" eval 'sigmactl stop g && wait_gone g'
check "the bridge has no port" [ -z "$(ports)" ]
check "the address is gone" [ "$(addresses)" = "$before_addresses" ]
check "all is back" host_is_as_before

# ---- two guests
check "g starts again" sigmactl start g
guest h disk=/dev/vdc net=3 line=[Network] line=Bridge=br0 line=VHost=no
check "h starts" sigmactl start h
check "both are ports of the bridge" [ "$(ports | wc -w)" = 2 ]
check "sigmad moves the frames of h's second NIC" [ "$(vhosts h)" = 1 ]
check "g answers" wait_guest 1
check "h answers" wait_guest 3
check "g's MAC address is the one it had" [ "$(mac 1 eth0)" = "$first_mac" ]
check "h's is another" [ "$(mac 3 eth0)" != "$first_mac" ]
check "h's second is yet another" \
	[ "$(printf '%s\n' "$first_mac" "$(mac 3 eth0)" "$(mac 3 eth1)" | sort -u | wc -l)" = 3 ]
check "h's second NIC is on the bridge" eval '
	in_guest 3 "ip link set eth1 up && ip addr add 10.9.1.3/24 dev eth1" && reaches 10.9.1.3'
check "h reaches g over the bridge" in_guest 3 "ping -c 1 -W 5 -I eth1 10.9.1.2"
in_guest 3 "iperf3 --server --daemon" >/dev/null
for by in "vhost-net 10.9.3.2" "sigmad 10.9.1.3"; do
	read -r who address <<<"$by"
	awake=$(sigmad_time h)
	to=$(rate "$address") from=$(rate "$address" --reverse)
	awake=$(($(sigmad_time h) - awake))
	check "$who moves many frames" [ $((${to:-0} * ${from:-0})) -gt 0 ]
	say "by $who: $to Mbit/s to the guest, $from from it; sigmad ran for $((awake * 10)) ms of 4 s"
	[ "$who" = sigmad ] || check "for which sigmad does not wake up" [ $awake -lt 50 ]
done
check "the bridge learnt g's MAC address" eval "bridge fdb show br br0 | grep $first_mac >/dev/null"
check "g is killed" eval 'sigmactl kill g && wait_gone g'
check "the bridge has h's port alone" [ "$(ports | wc -w)" = 1 ]
check "g's address is gone" eval '! has_address 10.9.2.1/24'
check "h still answers over the bridge" reaches 10.9.1.3
check "h is killed" eval 'sigmactl kill h && wait_gone h'
check "the bridge has no port again" [ -z "$(ports)" ]
check "no address is left" [ "$(addresses)" = "$before_addresses" ]
check "all is back" host_is_as_before
finish
