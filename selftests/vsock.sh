#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=2G timeout=500
#
# AF_VSOCK between host and guest: both directions, streams and records, and the guest's address,
# which stays as long as the guest does and is its alone.

. "$(dirname "$0")/lib.sh"
need_sigma

MIB=8
HOST=2			# VMADDR_CID_HOST
program=/usr/lib/sigma-rig/vsock
size=$(stat -c %s $program)
data=/run/data

cid() { sigmactl status --json "$1" | jq .vsock_cid; }
is_loaded() { grep -q "^$1 " /proc/modules; }

# The guests have no such program: it comes to them as a disk
bring_program() { in_guest "$1" "head -c $size /dev/vdb >/run/vsock && chmod +x /run/vsock"; }
serve_in_guest() { bring_program "$1" && in_guest "$1" "/run/vsock serve 5000"; }
from_host() { timeout 60 $program "$@"; }

# echoed COMMAND...: data that goes through it comes back the same
echoed() { [ "$(timeout 60 "$@" <$data | sha256sum)" = "$(sha256sum <$data)" ]; }

# A connection of the host that waits for the guest to say something
wait_for_guest()
{
	rm -f /run/heard
	{ echo hello; sleep 100; } | $program call "$1" 5000 >/run/heard 2>&1 &
	caller=$!
	until_true 10 test -s /run/heard
}
caller_gone() { ! kill -0 $caller 2>/dev/null; }

dd if=/dev/urandom of=$data bs=1M count=$MIB status=none
cp $program /run/program.disk && truncate -s 1M /run/program.disk
disks=(disk=/dev/vdb disk=/run/program.disk)
remember_host

# ---- a guest whose file says nothing of it
guest g "${disks[@]}" net=1
check "g starts" sigmactl start g
check "its driver is up" wait_state g running
check "the host loaded vhost_vsock by itself" is_loaded vhost_vsock
first=$(cid g)
check "it has an address" [ "${first:-0}" -ge 3 ]
check "it answers" wait_guest 1
check "it serves" serve_in_guest 1
check "it knows its address" [ "$(in_guest 1 '/run/vsock cid')" = "$first" ]
start=$(date +%s.%N)
check "$MIB MiB, host to guest and back" echoed $program call "$first" 5000
say "$(awk -v a="$start" -v b="$(date +%s.%N)" -v mib=$MIB \
	'BEGIN { printf "%.1f MiB/s each way", mib / (b - a) }')"
check "records keep their bounds" from_host records "$first" 5001
check "nobody listens at another port" eval "! from_host call $first 6000 </dev/null"
$program serve 7000
check "guest to host and back" in_guest 1 "head -c 8M /dev/urandom >/run/data &&
	/run/vsock call $HOST 7000 </run/data | cmp - /run/data"
check "guest to host, records" in_guest 1 "/run/vsock records $HOST 7001"

# ---- its kernel goes and comes
check "a connection is open" wait_for_guest "$first"
in_guest 1 "(sleep 1; echo b >/proc/sysrq-trigger) >/dev/null 2>&1 &"
check "a connection ends with the guest's kernel" until_true 20 caller_gone
check "the guest is up again" eval 'wait_state g running && wait_guest 1'
check "its address is the one it had" [ "$(cid g)" = "$first" ]
check "it serves again" serve_in_guest 1
check "and answers" echoed $program call "$first" 5000

# ---- an address is one guest's
guest h disk=/dev/vdc net=3
sed -i "/^CPUs=/a VSock=$first" /etc/sigma/h.guest
refuse "h cannot have the same" "h.guest:.*VSock=.*another machine" sigmactl start h
sed -i "s/^VSock=.*/VSock=4242/" /etc/sigma/h.guest
check "h has one of its own" sigmactl start h
check "h is found there" [ "$(cid h)" = 4242 ]
check "h answers" wait_guest 3
check "h is killed" eval 'sigmactl kill h && wait_gone h'
check "its address is nobody's" eval '! from_host call 4242 5000 </dev/null'
check "g answers" echoed $program call "$first" 5000
check "a connection is open" wait_for_guest "$first"
check "g is killed" eval 'sigmactl kill g && wait_gone g'
check "a connection ends with the guest" until_true 10 caller_gone

# ---- without
sed -i "s/^VSock=.*/VSock=no/" /etc/sigma/h.guest
check "h starts with VSock=no" sigmactl start h
check "h has no address" [ "$(cid h)" = 0 ]
check "h answers" wait_guest 3
check "h is killed" eval 'sigmactl kill h && wait_gone h'
pkill -x vsock
until_true 10 modprobe -r vhost_vsock
rm /dev/vhost-vsock
sed -i "s/^VSock=.*/VSock=yes/" /etc/sigma/h.guest
refuse "where the host cannot, VSock=yes is refused" "h.guest:.*VSock=.*modprobe vhost-vsock" \
	sigmactl start h
check "nothing was taken" host_is_as_before
check "g does without" eval 'sigmactl start g && [ "$(cid g)" = 0 ]'
check "g is killed" eval 'sigmactl kill g && wait_gone g'
check "all is back" host_is_as_before
finish
