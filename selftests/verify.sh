#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=2G timeout=400
#
# What fio writes on a guest's disks it reads back: at every queue depth, with every size of
# requests, with discards between, through either cache, while one sigmad dies after the other. And
# what it had made stable when both sigmad and guest died is in the host's file.

. "$(dirname "$0")/lib.sh"
need_sigma

DEPTHS="1 2 4 8 16 32 64 128 256"	# the queue has 256 entries
SIZES=512/25:1k/10:4k/35:16k/20:64k/8:256k/2
KILLS=3
REGION=256k				# what is made stable at a time
REGIONS=200
ram=/run/ram.img
file=/var/lib/sigma/file.img
stable=/var/lib/sigma/stable.img

mkdir -p /var/lib/sigma
for image in $ram $file $stable /var/lib/sigma/loop.img; do
	dd if=/dev/zero of=$image bs=1M count=64 status=none
done
modprobe loop
loop=$(losetup --find --show --direct-io=on /var/lib/sigma/loop.img)

job="--name=verify --thread --verify=crc32c --verify_fatal=1"
# Random writes, with reads that look at the last ones between them
depths()
{
	local depth engines=("$@")
	printf '%s\n' [global] thread direct=1 rw=randwrite bssplit=$SIZES size=2M \
		verify=crc32c verify_fatal=1 verify_backlog=96
	for depth in $DEPTHS; do
		printf '%s\n' "[depth $depth]" stonewall "iodepth=$depth" "ioengine=${engines[0]}"
		engines=("${engines[1]}" "${engines[0]}")
	done
}
# fio_in_guest ARGUMENT...: its last words where it fails
fio_in_guest() { GUEST_TIMEOUT=120 in_guest 1 "fio --output=/run/fio $* || { tail -n 20 /run/fio; false; }"; }
verify_depths() { fio_in_guest "--filename=$1 - <<<$(printf %q "$(depths "${@:2}")")"; }
verify_on_host() { timeout 60 fio $job --verify_only "$@"; }

guest g net=1 disk=/dev/vdb disk=$ram disk=$file disk="$loop" disk=$stable
remember_host
check "starts" sigmactl start g
check "user space answers" wait_guest 1

# ---- every depth
check "a file in memory, by the host's cache" verify_depths /dev/vdb libaio io_uring
check "a file past the host's cache" verify_depths /dev/vdc io_uring libaio
check "a block device" verify_depths /dev/vdd libaio io_uring
# Each block is discarded before it is written
trims="--rw=randtrimwrite --bs=4k --size=2M --direct=1 --ioengine=libaio --iodepth=32"
discards() { in_guest 1 "awk '{ print \$12 }' /sys/block/$1/stat"; }
for disk in vdb vdc vdd; do
	before_trims=$(discards $disk)
	check "discards and writes, $disk" fio_in_guest $job $trims --filename=/dev/$disk
	check "each block was discarded" [ $(($(discards $disk) - before_trims)) -ge 512 ]
done
cached="--rw=randwrite --bs=4k --size=2M --direct=0 --ioengine=psync --fsync=64"
check "through the guest's cache, with fsync" fio_in_guest $job $cached --filename=/dev/vdc
check "the same is in the host's file" verify_on_host $cached --filename=$file
check "one byte that is wrong there" eval \
	'printf "\xa5\x5a" | dd of=$file bs=1 seek=$((1048576 + 1111)) conv=notrunc status=none'
refuse "is seen by fio in the guest" "verify: bad|verify failed" \
	fio_in_guest $job --verify_only $cached --filename=/dev/vdc

# ---- sigmad dies, another one takes over
# Whoever looks for the number of rounds finds one at any time
round() { in_guest 1 "cat /run/round"; }
has_gone_on() { [ "$(round)" -gt "$1" ]; }
busy="$job --group_reporting --output=/run/fio --rw=randwrite --direct=1 --bssplit=$SIZES
	--verify_backlog=200 --size=2M --ioengine=libaio --iodepth=128 --filename=/dev/vdb
	--name=cached --rw=randwrite --direct=0 --bs=4k --size=1M --ioengine=psync --fsync=32
	--verify=crc32c --verify_fatal=1 --filename=/dev/vdc"
check "fio begins a round after the other" in_guest 1 "echo 0 >/run/round;
	( i=0; while [ ! -e /run/enough ] && fio $busy; do i=\$((i + 1));
		echo \$i >/run/next; mv /run/next /run/round; done;
	[ -e /run/enough ] || : >/run/failed; : >/run/ended ) >/dev/null 2>&1 </dev/null &"
check "and ends one" until_true 60 has_gone_on 0
for ((n = 1; n <= KILLS; n++)); do
	check "kill $n: sigmad is killed" kill_sigmad
	check "kill $n: start takes the guest over" sigmactl start g
	check "kill $n: it answers" wait_guest 1
	check "kill $n: fio goes on" until_true 60 has_gone_on "$(round)"
done
check "it ends" eval 'in_guest 1 ": >/run/enough" && until_true 60 in_guest 1 "test -e /run/ended"'
check "it found all that it had written" in_guest 1 "test ! -e /run/failed || { tail -n 20 /run/fio; false; }"

# ---- sigmad dies, the guest is destroyed
# What is said in the guest's kernel log is in the host's file of it
region="--rw=randwrite --bs=4k --size=$REGION --direct=0 --ioengine=psync --end_fsync=1"
stable_regions() { sigmactl log g | sed -n 's/.*stable: \([0-9]*\)$/\1/p' | tail -n 1; }
has_stable() { [ "$(stable_regions)" -ge "$1" ]; }
# verify_regions FIRST END
verify_regions()
{
	local i regions=()
	for ((i = $1; i < $2; i++)); do
		regions+=("--name=region$i" --thread --verify=crc32c --verify_fatal=1 --verify_only
			  $region "--offset=$((i * 256))k" "--filename=$stable")
	done
	timeout 60 fio "${regions[@]}"
}
check "fio makes a region after the other stable" in_guest 1 "(
	i=0; while [ \$i -lt $REGIONS ] && fio $job $region --offset=\$((i * 256))k --filename=/dev/vde;
	do i=\$((i + 1)); echo stable: \$i >/dev/kmsg; done ) >/dev/null 2>&1 </dev/null &"
check "some are" until_true 60 has_stable 4
check "sigmad is killed" kill_sigmad
check "the guest is destroyed" eval 'sigmactl kill g && wait_gone g'
n=$(stable_regions)
check "the $n regions that were stable are in the host's file" verify_regions 0 "$n"
refuse "the last one, which it never came to, is not" "verify: bad|verify failed" \
	verify_regions $((REGIONS - 1)) $REGIONS
losetup -d "$loop"
check "all is back" host_is_as_before
finish
