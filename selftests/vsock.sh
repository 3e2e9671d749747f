#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=2G timeout=500
#
# AF_VSOCK between host and guest: both directions, streams and records, and the guest's CID, which
# stays the same for the guest's whole life and belongs to no other guest. And the agent, which runs
# programs in the guest as if they were processes of the host.

. "$(dirname "$0")/lib.sh"
need_sigma

MIB=8
HOST=2			# VMADDR_CID_HOST
program=/usr/lib/sigma-rig/vsock
size=$(stat -c %s $program)
data=/run/data

cid() { sigmactl status --json "$1" | jq .vsock_cid; }
is_loaded() { grep -q "^$1 " /proc/modules; }

# The guest's root file system lacks the program, so it comes as a disk
bring_program() { in_guest "$1" "head -c $size /dev/vdb >/run/vsock && chmod +x /run/vsock"; }
serve_in_guest() { bring_program "$1" && in_guest "$1" "/run/vsock serve 5000"; }
from_host() { within 60 $program "$@"; }

# echoed COMMAND...: the command returns the data that it is given
echoed() { [ "$(within 60 "$@" <$data | sha256sum)" = "$(sha256sum <$data)" ]; }

# Open a connection to the echo in the guest, and keep it open
wait_for_guest()
{
	rm -f /run/heard
	{ echo hello; sleep 100; } | $program call "$1" 5000 >/run/heard 2>&1 &
	caller=$!
	until_true 10 test -s /run/heard
}
caller_gone() { ! kill -0 "$caller" 2>/dev/null; }

dd if=/dev/urandom of=$data bs=1M count=$MIB status=none
cp $program /run/program.disk && truncate -s 1M /run/program.disk
disks=(disk=/dev/vdb disk=/run/program.disk)
remember_host

# ---- a guest without VSock= in its file
guest g "${disks[@]}" net=1
check "g starts" sigmactl start g
check "the driver of g is up" wait_state g running
check "vhost_vsock was loaded on demand" is_loaded vhost_vsock
first=$(cid g)
check "g has a CID" [ "${first:-0}" -ge 3 ]
check "g answers" wait_guest 1
check "g serves a vsock port" serve_in_guest 1
check "g knows its own CID" [ "$(in_guest 1 '/run/vsock cid')" = "$first" ]
start=$(date +%s.%N)
check "$MIB MiB go from the host to g and back" echoed $program call "$first" 5000
say "$(awk -v a="$start" -v b="$(date +%s.%N)" -v mib=$MIB \
	'BEGIN { printf "%.1f MiB/s each way", mib / (b - a) }')"
check "records from the host to g and back keep their bounds" from_host records "$first" 5001
check "a connection to a port without a server is refused" \
	eval "! from_host call $first 6000 </dev/null"
$program serve 7000
check "8 MiB go from g to the host and back" in_guest 1 "head -c 8M /dev/urandom >/run/data &&
	/run/vsock call $HOST 7000 </run/data | cmp - /run/data"
check "records from g to the host and back keep their bounds" \
	in_guest 1 "/run/vsock records $HOST 7001"

# ---- the agent
run() { within 60 sigmactl exec "$@"; }
# gives STATUS COMMAND...: its exit status
gives() { local status=$1; shift; "$@"; [ $? = "$status" ]; }
# as_tty COMMAND: with a terminal of 33 lines, and with keys that do not end, which would end script(1)
mkfifo /run/keys
as_tty() { script -qec "stty rows 33 cols 111; $1" /dev/null 0<>/run/keys | tr -d '\r'; }
hears() { grep "$1" /run/heard >/dev/null 2>&1; }
in_g() { run g -- sh -c "grep -l '$1' /proc/[0-9]*/cmdline" >/dev/null 2>&1; }
not_in_g() { ! in_g "$1"; }

check "a program of g writes to stdout and stderr" eval \
	'[ "$(run g -- sh -c "echo out; echo err >&2" 2>/run/heard)" = out ] && [ "$(cat /run/heard)" = err ]'
check "its exit status is handed on" gives 7 run g -- sh -c 'exit 7'
check "death by a signal is handed on" gives 137 run g sh -c 'kill -KILL $$'
check "a program that is not there" gives 127 run g -- /no/such
check "a file that is no program" gives 126 run g -- /etc
check "$MIB MiB go through a program of g" echoed sigmactl exec g -- cat
check "a program ends when nobody reads its output" eval \
	'run g -- yes | head -n 1 >/run/heard; [ "${PIPESTATUS[0]}" = 141 ]'
check "user, folder and variables" eval '[ "$(run --user=daemon --workdir=/usr -e A=b g -- \
	sh -c "id -un; pwd; echo \$A")" = $'"'daemon\n/usr\nb'"' ]'
check "a terminal stays one" eval '[ "$(as_tty "sigmactl exec g -- stty size")" = "33 111" ]'
check "a shell has a terminal, too" eval \
	'as_tty "sigmactl shell g -c tty" | grep "^/dev/pts/" >/dev/null'
sigmactl exec g -- sh -c 'trap "echo bye; exit 5" TERM; echo up; while :; do sleep 0.2; done' \
	>/run/heard 2>&1 &
caller=$!
check "a program with a handler runs" until_true 20 hears up
kill -TERM $caller
check "a signal arrives at it" eval 'wait $caller; [ $? = 5 ] && hears bye'
sigmactl exec g -- sleep 7777 &
caller=$!
check "a program runs" until_true 20 in_g '777[7]'
kill -KILL $caller
check "it ends with sigmactl" until_true 20 not_in_g '777[7]'
mkdir -p /run/folder/sub && cp $data /run/folder/sub && chmod 711 /run/folder/sub
check "a folder is copied to g and back" eval 'within 60 sigmactl cp /run/folder g:/run/copy &&
	within 60 sigmactl cp g:/run/copy /run/back && diff -r /run/folder /run/back &&
	[ "$(stat -c %a /run/back/sub)" = 711 ]'
check "a file is copied into a folder of g" eval \
	'within 60 sigmactl cp $data g:/run/copy && run g -- cmp /run/copy/data /run/copy/sub/data'
rm -r /run/folder /run/back
check "a file that g does not have is not copied" eval '! within 60 sigmactl cp g:/no/such /run'
check "users of g do not get the key" eval \
	'! run --user=daemon g -- cat /sys/firmware/acpi/tables/SGAK 2>/run/heard && hears denied'
# From a port of root, the agent would say that it does not speak version 9
check "who is not at a port of root gets no answer, even with the key" eval \
	'{ printf "\x30\0\0\0\1\0\0\0SGAGENT\0\x09\0\0\0\0\0\0\0"; head -c 32 /run/sigma/g/agent; } |
		within 60 $program call "$first" 744 >/run/heard 2>/dev/null; [ ! -s /run/heard ]'
kill_sigmad g
check "another sigmad takes g over" sigmactl start g
check "programs run in g after that" eval '[ "$(run g -- echo hello)" = hello ]'

# ---- the guest's kernel restarts
check "a connection from the host to g is open" wait_for_guest "$first"
in_guest 1 "(sleep 1; echo b >/proc/sysrq-trigger) >/dev/null 2>&1 &"
check "the connection ends with the kernel of g" until_true 20 caller_gone
check "g is up again" eval 'wait_state g running && wait_guest 1'
check "the CID of g is the same after the restart" [ "$(cid g)" = "$first" ]
check "programs run in g again" eval '[ "$(run g -- echo hello)" = hello ]'
check "g serves the port again" serve_in_guest 1
check "data goes to g and back again" echoed $program call "$first" 5000

# ---- a CID belongs to one guest
guest h disk=/dev/vdc net=3
sed -i "/^CPUs=/a VSock=$first" /etc/sigma/h.guest
refuse "a second guest with the CID of g is refused" \
	"h.guest:.*VSock=.*another machine" sigmactl start h
sed -i "s/^VSock=.*/VSock=4242/" /etc/sigma/h.guest
check "h starts with a CID of its own" sigmactl start h
check "h has the CID of its file" [ "$(cid h)" = 4242 ]
check "h answers" wait_guest 3
check "h is killed" eval 'sigmactl kill h && wait_gone h'
check "a connection to the CID of h is refused after its end" \
	eval '! from_host call 4242 5000 </dev/null'
check "data still goes to g and back" echoed $program call "$first" 5000
check "another connection from the host to g is open" wait_for_guest "$first"
check "g is killed" eval 'sigmactl kill g && wait_gone g'
check "the connection ends with g" until_true 10 caller_gone

# ---- without vsock
sed -i "s/^VSock=.*/VSock=no/" /etc/sigma/h.guest
check "h starts with VSock=no" sigmactl start h
check "h has no CID" [ "$(cid h)" = 0 ]
refuse "programs do not run in h" "h: .*no AF_VSOCK.*VSock=" sigmactl exec h -- true
check "h answers without a CID" wait_guest 3
check "h is killed again" eval 'sigmactl kill h && wait_gone h'
pkill -x vsock
until_true 10 modprobe -r vhost_vsock
rm /dev/vhost-vsock
sed -i "s/^VSock=.*/VSock=yes/" /etc/sigma/h.guest
refuse "VSock=yes is refused where the host has no vhost-vsock" \
	"h.guest:.*VSock=.*modprobe vhost-vsock" \
	sigmactl start h
check "the refused start took nothing from the host" host_is_as_before
check "g starts without a CID where its file has no VSock=" \
	eval 'sigmactl start g && [ "$(cid g)" = 0 ]'
check "g is killed again" eval 'sigmactl kill g && wait_gone g'
check "the host has everything back" host_is_as_before
finish
