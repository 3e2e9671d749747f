#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=2G timeout=500
#
# A guest that misuses its devices, each of them in every way that modules/hostile.c knows. What it
# does harms nobody but that device, which says so, and which works again once it is reset.

. "$(dirname "$0")/lib.sh"
need_sigma

# The virtiofsd of Debian 12 does not outlive some of it, which the kernel would log
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

# How each device is found in the guest, its type, and its driver
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
ATTEMPTS=60 ON_QUEUES=24	# in this order
BACK_ENDS="blk blk-socket net net-vhost vsock fs rng console"

# attack BACK_END: what the guest says of each attempt goes to $results
attack()
{
	local drivers=/sys/bus/virtio/drivers/${driver[$1]}

	GUEST_TIMEOUT=150 in_guest 1 "device=\$(${found[$1]}) && device=\${device%/device} &&
		name=\${device##*/} && echo \$name >$drivers/unbind && cat \$device/status &&
		dmesg -C && echo ${type[$1]} >/sys/module/hostile/parameters/attack &&
		dmesg | sed -n 's/.* hostile: //p' >/run/attempts && echo \$name >$drivers/bind &&
		cat /run/attempts" >"$OUTPUT" && grep ": " "$OUTPUT" >$results/"$1"
}

# Of what is done to a queue ours is broken, and other back ends are but for some that they forgive;
# the guest has nothing of it. A console sends what it is given to read, which may be nothing.
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
		return NR <= on_queues ? "broken" : "refused"
	}
	$2 !~ "^" wanted($1) "$" { print; bad = 1 }
	END { exit bad || NR != attempts }' $results/"$1"
}

# For people: what came of each attempt, back end by back end
table()
{
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

check "a back end of a disk serves its socket" until_true 20 test -S $socket
remember_host
guest g net=1 disk=/dev/vdb disk=$data line=[Disk] line=Socket=$socket \
	line=[Network] line=Address=10.9.2.1/24 line=[Network] line=Address=10.9.3.1/24 line=VHost=no \
	line=[Share] line=Path=$things
check "starts" sigmactl start g
check "user space answers" wait_guest 1
check "takes the module" in_guest 1 "mkdir -p /run/things && mount -t virtiofs things /run/things &&
	cp /run/things/* /run/ && umount /run/things && chmod +x /run/vsock && insmod /run/hostile.ko end=$(end_of_memory)"
for back_end in $BACK_ENDS; do
	check "$back_end: the guest does all it can" attack "$back_end"
done
say "$(table)"

for back_end in $BACK_ENDS; do
	check "$back_end: nothing came of it but that the device had to be reset" as_wanted "$back_end"
done
check "sigmad said which devices it stopped" [ "$(stopped)" = 8 ]
check "its heart beats" beats g

# ---- their own drivers have them again
same_disk() { [ "$(in_guest 1 "sha256sum <$1")" = "$(sha256sum <$data)" ]; }
has_address() { in_guest 1 "ip link set $1 up && ip addr add $2/24 dev $1" && ping -c 1 -W 10 "$2"; }
sees() { grep -a "$1" /run/screen; }
check "blk works" same_disk /dev/vdb
check "blk-socket works" same_disk /dev/vdc
check "stats tell of disks but what others serve" eval \
	'sigmactl stats --json g | jq -e "[.[0].devices[] | select(.kind == \"disk\").name] ==
		[\"/dev/vdb\", \"$data\"]"'
check "net-vhost works" has_address eth1 10.9.2.2
check "net works" has_address eth2 10.9.3.2
check "vsock works" eval 'in_guest 1 "/run/vsock serve 5000" &&
	[ "$(echo hello | timeout 20 $things/vsock call "$(sigmactl status --json g | jq .vsock_cid)" 5000)" = hello ]'
check "fs works" in_guest 1 "mount -t virtiofs things /run/things && cmp /run/vsock /run/things/vsock"
check "rng works" [ "$(in_guest 1 "head -c 100 /dev/hwrng | wc -c")" = 100 ]
# Nor does a hvc work that its driver has left and come back to; so what the last request sent
cat /run/sigma/g/console >/run/screen &
reader=$!
check "console sent what it was given" until_true 10 sees '\.\{64\}'
kill $reader
check "g stops" eval 'sigmactl stop g && wait_gone g'
kill $storage
wait
check "all is back" host_is_as_before
finish
