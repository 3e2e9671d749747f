#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=2G timeout=450 tree=passt
#
# A NIC in user mode: passt gives the guest an address, connects as the user who started the guest,
# and forwards ports of the host. A restart of the guest or of sigmad comes with a new passt.

. "$(dirname "$0")/lib.sh"
need_sigma
. "$(dirname "$0")/passt.sh"

MIB=8
SOMEBODY=1 NOBODY=65534
HERE=192.0.2.10		# the host's address, which the guest has, too
GATEWAY=192.0.2.1	# nobody has it
HOST=169.254.1.2	# the host, in the guest
HERE6=2001:db8::10	# as HERE
THERE6=2001:db8:1::1	# another address of the host, which the guest does not have

passt() { pgrep -f "$files/passt --foreground"; }
no_passt() { [ -z "$(passt)" ]; }
user() { awk '$1 == "Uid:" { print $2 }' "/proc/$(passt)/status"; }

sum() { sha256sum "$1" | cut -d ' ' -f 1; }
# shellcheck disable=SC2016 # expanded in the guest
get_address()
{
	in_guest 1 'printf "%s\n" "#!/bin/sh" "[ \$1 = bound ] || exit 0" \
		"ip addr add \$ip/\$mask dev eth1" "ip route replace default via \$router" \
		"echo \$dns >/run/dns" >/run/dhcp &&
		chmod +x /run/dhcp && ip link set eth1 up &&
		busybox udhcpc -i eth1 -n -q -t 10 -T 1 -s /run/dhcp' &&
		in_guest 1 "ip -4 -o addr show dev eth1" | grep -F " $HERE/24 "
}
# The guest makes its address from the prefix that passt advertises
has_ipv6() { in_guest 1 "ip -6 -o addr show dev eth1 scope global -tentative" | grep " 2001:db8::"; }
# serve ADDRESS PORT: send a byte to each that connects to this address of the host alone
# shellcheck disable=SC2016 # expanded by perl
serve()
{
	exec perl -e 'use Socket qw(:all);
		my ($error, $at) = getaddrinfo($ARGV[0], $ARGV[1], { socktype => SOCK_STREAM });
		socket(S, $at->{family}, SOCK_STREAM, 0) && bind(S, $at->{addr}) && listen(S, 8) or die $!;
		while (accept(C, S)) { syswrite(C, "x"); close(C) }' "$1" "$2"
}
# in_reach ADDRESS PORT: g gets something from there
in_reach() { in_guest 1 "[ x = \"\$(timeout 10 bash -c 'head -c 1 </dev/tcp/$1/$2')\" ]"; }
fetches() { [ "$(in_guest_bash 1 "cat </dev/tcp/$HOST/5000 | sha256sum")" = "$(sha256sum <$data)" ]; }
# ask ADDRESS PORT: ask the guest's service through a forwarded port of the host
ask() { within 10 bash -c 'exec 3<>"/dev/tcp/$0/$1" && echo hostname >&3 && cat <&3' "$1" "$2"; }
answers() { ask "$1" "$2" | grep -x sigma-guest; }
# The host asks an NTP server in the guest, which answers by UDP
tells_time() { chronyd -Q -t 10 'server 127.0.0.1 port 5353 iburst maxsamples 1'; }
carrier_gone() { [ "$(in_guest 1 "cat /sys/class/net/eth1/carrier")" = 0 ]; }
sigmad_said() { grep -- "$1" /run/sigma/g/sigmad.log; }

ip link add br0 type bridge && ip addr add $HERE/24 dev br0 && ip link set br0 up
ip route add default via $GATEWAY
ip link add there type dummy && ip addr add $THERE6/64 dev there nodad && ip link set there up
ip addr add $HERE6/64 dev br0 nodad && ip route add default via 2001:db8::1
data=/run/data
dd if=/dev/urandom of=$data bs=1M count=$MIB status=none
busybox nc -ll -p 5000 -e cat $data &
server=$!
serve 127.0.0.1 5002 &
secret=$!
serve ::1 5002 &
secret6=$!
serve $THERE6 5004 &
open6=$!
echo "nameserver 127.0.0.53" >/etc/resolv.conf
serve 127.0.0.53 53 &
resolver=$!
# shellcheck disable=SC2016 # expanded by the inner shell
busybox nc -ll -p 5001 -e sh -c 'cat >/run/got' &
taker=$!
guest g ${KERNEL:+kernel=$KERNEL} disk=/dev/vdb net=1 line=[Network] line=User=yes \
	line=Forward=tcp:2207:7 line=Forward=tcp:127.0.0.1:2208:7 line=Forward=udp:5353:5300 \
	'line=Forward=tcp:[::1]:2210:7' line=MTU=9000
remember_host

# ---- without passt
rm -f "$program"
refuse "User=yes is refused where there is no passt" \
	"g.guest:[0-9]+: User=yes: there is no passt; install" \
	sigmactl start g
check "sigmactl check reports that there is no passt" \
	eval 'sigmactl check | grep "User=yes.*there is no passt"'
printf '#!/bin/sh\necho "passt: unrecognized option" >&2; exit 1\n' >"$program" && chmod +x "$program"
refuse "User=yes is refused with a passt that is too old" \
	"User=yes: $program: does not support vhost-user" sigmactl start g
check "the refused starts took nothing from the host" host_is_as_before
install_passt
check "sigmactl check finds a passt that is new enough" \
	eval 'sigmactl check | grep "ok.*$program.*User=yes"'

# ---- a guest that a user starts
check "a user starts g" env SUDO_UID=$SOMEBODY sigmactl start g
check "g answers" wait_guest 1
check "passt runs as this user" [ "$(user)" = $SOMEBODY ]
check "g gets an address by DHCP" get_address
check "g receives $MIB MiB from a server on the host" fetches
check "a service on the host's loopback answers the host" \
	until_true 10 eval 'head -c 1 </dev/tcp/127.0.0.1/5002 | grep x'
for address in $GATEWAY $HOST 169.254.1.1; do
	check "g does not reach the service on the host's loopback by $address" \
		eval '! in_reach $address 5002 && in_guest 1 true'
done
check "g makes an IPv6 address from the host's network" until_true 20 has_ipv6
check "g reaches a service by IPv6" until_true 10 in_reach $THERE6 5004
check "g does not reach the service on the host's IPv6 loopback" eval '
	head -c 1 </dev/tcp/::1/5002 | grep x &&
	! in_reach "$(in_guest 1 "ip -6 route show default" | sed "s/.* via \([^ ]*\) .*/\1/")%eth1" 5002 &&
	! in_reach $HERE6 5002'
check "the NIC has the MTU of MTU=" [ "$(in_guest 1 'cat /sys/class/net/eth1/mtu')" = 9000 ]
check "g reaches the resolver on the host's loopback at the address that DHCP tells" \
	until_true 10 eval 'in_reach "$(in_guest 1 "cat /run/dns")" 53'
check "g sends $MIB MiB to a server on the host" eval '
	made=$(in_guest_bash 1 "head -c ${MIB}M /dev/urandom >/run/made; cat /run/made >/dev/tcp/$HOST/5001;
		sha256sum </run/made" | cut -d " " -f 1) &&
	until_true 10 eval "[ \$(sum /run/got) = $made ]"'
rm -f /run/got
check "sigmactl stats lists only the NIC whose traffic it can count" eval \
	'sigmactl stats --json g | jq -e "[.[0].devices[] | select(.kind == \"net\")] | length == 1 and
		.[0].bytes_from > 0 and .[0].name != \"user-1\""'
check "a forwarded TCP port of the host reaches g" answers 127.0.0.1 2207
check "the forwarded TCP port listens on all addresses" answers $HERE 2207
check "a port forwarded on one address listens on that one only" \
	eval 'answers 127.0.0.1 2208 && ! ask $HERE 2208'
check "a port forwarded on an IPv6 address reaches g" answers ::1 2210
check "a port forwarded on all addresses is forwarded on IPv6, too" answers $HERE6 2207
in_guest 1 "printf '%s\n' 'local stratum 8' 'allow all' 'port 5300' >/run/chrony.conf
	&& chronyd -f /run/chrony.conf"
check "a forwarded UDP port of the host reaches g" tells_time
guest h ${KERNEL:+kernel=$KERNEL} disk=/dev/vdc line=[Network] line=User=yes line=Forward=tcp:5000:7
refuse "a port that is in use cannot be forwarded" "5000" sigmactl start h

# ---- the guest's kernel restarts, and then sigmad
in_guest 1 "(sleep 1; echo 1 >/proc/sys/kernel/sysrq; echo b >/proc/sysrq-trigger) >/dev/null 2>&1 &"
first=$(passt)
check "g restarts with a new passt" eval 'until_true 20 eval "! kill -0 $first" && wait_guest 1'
check "g gets its address again after the restart" get_address
check "the forwarded port reaches g after the restart" answers 127.0.0.1 2207
check "sigmad is killed, and passt ends with it" eval '
	kill -9 "$(sigmactl status --json g | jq .pid)" && until_true 10 no_passt'
check "sigmactl start takes g over" sigmactl start g
check "after the takeover passt runs as the user who started g first" [ "$(user)" = $SOMEBODY ]
check "g receives from the server after the takeover" until_true 20 fetches
check "the forwarded port reaches g after the takeover" answers 127.0.0.1 2207

# ---- passt dies
first=$(passt)
check "passt is killed" kill -9 "$first"
check "sigmad logs that passt ended and that it started another one" \
	until_true 10 sigmad_said "passt ended, and another one serves"
check "another passt runs" [ "$(passt)" != "$first" ]
check "g receives from the server with the new passt" until_true 20 fetches
check "the forwarded port reaches g with the new passt" until_true 20 answers 127.0.0.1 2207
mv "$program" "$program".away
check "passt is killed where no other one can be started" kill -9 "$(passt)"
check "sigmad logs that the NIC is stopped" \
	until_true 10 sigmad_said "net[0-9]*: stopped: passt ended"
check "the NIC in g loses its carrier" until_true 10 carrier_gone
mv "$program".away "$program"
check "the heartbeat of g rises" beats g
check "g is killed" eval 'sigmactl kill g && wait_gone g'
check "no passt is left after the kill" no_passt
check "the host has everything back" host_is_as_before

# ---- a guest that root starts
check "root starts g" sigmactl start g
check "g answers when root has started it" wait_guest 1
check "passt runs as nobody where root starts the guest" [ "$(user)" = $NOBODY ]
check "g gets an address from the passt of nobody" get_address
check "g receives from the server through the passt of nobody" fetches
check "the NIC is hot-unplugged, and its passt ends" eval 'sigmactl net rm g user-1 && no_passt'
check "a NIC in user mode is hot-plugged, with another forwarded port" \
	eval 'sigmactl net add g user=yes forward=tcp:2209:7 &&
	until_true 20 get_address && answers 127.0.0.1 2209'
check "g stops" eval 'sigmactl stop g && wait_gone g'
check "no passt is left after the stop" no_passt

# ---- sigmactl run
greeted() { [ "$(within 10 cat </dev/tcp/127.0.0.1/2210)" = hello ]; }
# shellcheck disable=SC2016 # expanded in the guest
sigmactl run --kernel="$VMLINUX" --memory=256M --append=mitigations=off --publish=2210:7 -- sh -c '
	ip -4 -o addr show dev eth0; cat /etc/resolv.conf; bash -c "cat </dev/tcp/$0/5000" | sha256sum
	exec busybox nc -l -p 7 -e echo hello' $HOST >/run/said 2>/run/run.err &
check "a program of sigmactl run is reached at a port of the host" \
	eval 'until_true 120 greeted && wait $!'
check "it has the host's address" grep -F " $HERE/24 " /run/said
check "its resolver is the one that DHCP tells" grep -x "nameserver 169.254.1.1" /run/said
check "it received $MIB MiB from a server on the host" grep "$(sum $data)" /run/said
check "the host's resolv.conf is as before" grep 127.0.0.53 /etc/resolv.conf
kill $server $taker $secret $secret6 $open6 $resolver
finish
