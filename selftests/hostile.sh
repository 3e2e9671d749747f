#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=2G timeout=500
#
# A guest misuses its devices, each in all the ways that modules/hostile.c knows. Only the misused
# device stops, sigmad says so, and the device works again after a reset.

. "$(dirname "$0")/lib.sh"
need_sigma

# Some attempts crash the virtiofsd of Debian 12, which the host's kernel would log
echo 0 >/proc/sys/debug/exception-trace

things=/srv/things
results=/run/results
data=/run/data.img
socket=/run/storage
mkdir -p $things $results
cp /usr/lib/sigma-rig/{hostile.ko,vsock} $things
head -c 4M /dev/urandom >$data
cp $data /run/served.img
qemu-storage-daemon --blockdev driver=file,node-name=disk,filename=/run/served.img \
	--export type=vhost-user-blk,id=disk,node-name=disk,writable=on,addr.type=unix,addr.path=$socket \
	>/run/storage.log 2>&1 &
storage=$!

# How each device is found in the guest, its virtio device ID, and its driver
declare -A found=(
	[blk]="readlink -f /sys/block/vdb/device"
	[blk-socket]="readlink -f /sys/block/vdc/device"
	[net-vhost]="readlink -f /sys/class/net/eth1/device"
	[net]="readlink -f /sys/class/net/eth2/device"
	[vsock]="grep -lx 0x0013 /sys/bus/virtio/devices/*/device"
	[fs]="grep -lx 0x001a /sys/bus/virtio/devices/*/device"
	[rng]="grep -lx 0x0004 /sys/bus/virtio/devices/*/device"
	[console]="grep -lx 0x0003 /sys/bus/virtio/devices/*/device"
)
declare -A type=([blk]=2 [blk-socket]=2 [net-vhost]=1 [net]=1 [vsock]=19 [fs]=26 [rng]=4 [console]=3)
declare -A driver=([blk]=virtio_blk [blk-socket]=virtio_blk [net-vhost]=virtio_net [net]=virtio_net
	[vsock]=vmw_vsock_virtio_transport [fs]=virtiofs [rng]=virtio_rng [console]=virtio_console)
ATTEMPTS=60 ON_QUEUES=24	# the first ON_QUEUES attempts are on queues
BACK_ENDS="blk blk-socket net net-vhost vsock fs rng console"

# attack BACK_END: misuse the device; $results gets a line for each attempt
attack()
{
	local drivers=/sys/bus/virtio/drivers/${driver[$1]}

	GUEST_TIMEOUT=150 in_guest 1 "device=\$(${found[$1]}) && device=\${device%/device} &&
		name=\${device##*/} && echo \$name >$drivers/unbind && cat \$device/status &&
		dmesg -C && echo ${type[$1]} >/sys/module/hostile/parameters/attack &&
		dmesg | sed -n 's/.* hostile: //p' >/run/attempts && echo \$name >$drivers/bind &&
		cat /run/attempts" >"$OUTPUT" && grep ": " "$OUTPUT" >$results/"$1"
}

# as_wanted BACK_END: sigmad's own back ends stop after each attempt on a queue. The others may
# forgive some attempts, without any gain for the guest. A console writes out whatever it is given.
# vhost complains of an index that jumps, but has taken it: if it is kicked once more before the device is
# stopped, it goes through the ring up to there.
as_wanted()
{
	awk -F ': ' -v back_end="$1" -v attempts=$ATTEMPTS -v on_queues=$ON_QUEUES '
	function wanted(attempt)
	{
		if (attempt == "a reset in mid-request")
			return "quiet"
		if (attempt == "a good request")
			return "works"
		if (attempt == "kicks without end" || back_end attempt == "console" "a request that is none")
			return "answered"
		if (back_end !~ /^(blk|net|rng|console)$/ && attempt ~ \
		    /^(an indirect table in another|an indirect table with a next one|a request that is none)$/)
			return "(broken|answered|passed over|silent)"
		if (back_end ~ /^(net-vhost|vsock)$/ && attempt == "an available index that jumps")
			return "(broken|answered)"
		return NR <= on_queues ? "broken" : "refused"
	}
	$2 !~ "^" wanted($1) "$" { print; bad = 1 }
	END { exit bad || NR != attempts }' $results/"$1"
}

# A table for people: the outcome of each attempt, a column for each back end
table()
{
	# shellcheck disable=SC2086 # a list of files
	cd $results && awk -F ': ' '
	FNR == 1 { head = head sprintf("%-13s", FILENAME) }
	!($1 in line) { order[++nr] = $1 }
	{ line[$1] = line[$1] sprintf("%-13s", $2) }
	END {
		printf "%-42s%s\n", "", head
		for (i = 1; i <= nr; i++)
			printf "%-42s%s\n", order[i], line[order[i]]
	}' $BACK_ENDS
}

end_of_memory() { echo $((0x$(sed -n 's/.*-\([0-9a-f]*\) : SIGMA guest g$/\1/p' /proc/iomem | tail -n 1) + 1)); }
stopped() { grep -oh '[a-z]*[0-9]*: stopped' /run/sigma/g/sigmad.log* | sort -u | wc -l; }

check "a storage daemon serves its vhost-user socket" until_true 20 test -S $socket
remember_host
guest g net=1 disk=/dev/vdb disk=$data line=[Disk] line=Socket=$socket \
	line=[Network] line=Address=10.9.2.1/24 line=[Network] line=Address=10.9.3.1/24 line=VHost=no \
	line=[Share] line=Path=$things
check "the guest starts" sigmactl start g
check "the guest's user space answers" wait_guest 1
check "the guest loads the module that attacks" \
	in_guest 1 "mkdir -p /run/things && mount -t virtiofs things /run/things &&
	cp /run/things/* /run/ && umount /run/things && chmod +x /run/vsock && insmod /run/hostile.ko end=$(end_of_memory)"
for back_end in $BACK_ENDS; do
	check "$back_end: the guest makes all its attempts" attack "$back_end"
done
say "$(table)"

for back_end in $BACK_ENDS; do
	check "$back_end: each attempt has the outcome that is expected" as_wanted "$back_end"
done
check "sigmad logged the stop of each of the 8 devices" [ "$(stopped)" = 8 ]
check "the guest's heartbeat rises" beats g

# ---- the guest's own drivers have the devices again
same_disk() { [ "$(in_guest 1 "sha256sum <$1")" = "$(sha256sum <$data)" ]; }
has_address() { in_guest 1 "ip link set $1 up && ip addr add $2/24 dev $1" && ping -c 1 -W 10 "$2"; }
sees() { grep -a "$1" /run/screen; }
check "blk works after its reset" same_disk /dev/vdb
check "blk-socket works after its reset" same_disk /dev/vdc
check "sigmactl stats lists only the disks that sigmad itself serves" eval \
	'sigmactl stats --json g | jq -e "[.[0].devices[] | select(.kind == \"disk\").name] ==
		[\"/dev/vdb\", \"$data\"]"'
check "net-vhost works after its reset" has_address eth1 10.9.2.2
check "net works after its reset" has_address eth2 10.9.3.2
check "vsock works after its reset" eval 'in_guest 1 "/run/vsock serve 5000" &&
	[ "$(echo hello | within 20 $things/vsock call "$(sigmactl status --json g | jq .vsock_cid)" 5000)" = hello ]'
check "fs works after its reset" \
	in_guest 1 "mount -t virtiofs things /run/things && cmp /run/vsock /run/things/vsock"
check "rng works after its reset" [ "$(in_guest 1 "head -c 100 /dev/hwrng | wc -c")" = 100 ]
# The hvc driver does not work after an unbind and a bind, so look for what the last request wrote
cat /run/sigma/g/console >/run/screen &
reader=$!
check "console wrote the data of the last request" until_true 10 sees '\.\{64\}'
kill $reader
check "the guest stops" eval 'sigmactl stop g && wait_gone g'
kill $storage
wait
check "the host has everything back" host_is_as_before
finish
