#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=2G timeout=400
#
# fio reads back what it writes on a guest's disks: at all queue depths, with all sizes of requests,
# with discards between, with and without page caches, and while one sigmad after the other is
# killed. What the guest flushed before both sigmad and the guest were killed is in the host's file.

. "$(dirname "$0")/lib.sh"
need_sigma

DEPTHS="1 2 4 8 16 32 64 128 256"	# the queue has 256 entries
SIZES=512/25:1k/10:4k/35:16k/20:64k/8:256k/2
KILLS=3
REGION=256k				# is flushed at a time
REGIONS=200
ram=/run/ram.img
file=/var/lib/sigma/file.img
stable=/var/lib/sigma/stable.img

mkdir -p /var/lib/sigma
for image in $ram $file $stable /var/lib/sigma/loop.img; do
	dd if=/dev/zero of="$image" bs=1M count=64 status=none
done
modprobe loop
loop=$(losetup --find --show --direct-io=on /var/lib/sigma/loop.img)

job=(--name=verify --thread --verify=crc32c --verify_fatal=1)
# A job for each depth: random writes, and reads between them that verify the last ones
depths()
{
	local depth engines=("$@")
	printf '%s\n' "[global]" thread direct=1 rw=randwrite bssplit=$SIZES size=2M \
		verify=crc32c verify_fatal=1 verify_backlog=96
	for depth in $DEPTHS; do
		printf '%s\n' "[depth $depth]" stonewall "iodepth=$depth" "ioengine=${engines[0]}"
		engines=("${engines[1]}" "${engines[0]}")
	done
}
# fio_in_guest ARGUMENT...: run fio; where it fails, print its last lines
fio_in_guest() { GUEST_TIMEOUT=120 in_guest_bash 1 "fio --output=/run/fio $* || { tail -n 20 /run/fio; false; }"; }
verify_depths() { fio_in_guest "--filename=$1 - <<<$(printf %q "$(depths "${@:2}")")"; }
verify_on_host() { within 60 fio "${job[@]}" --verify_only "$@"; }

guest g net=1 disk=/dev/vdb disk=$ram disk=$file disk="$loop" disk=$stable
remember_host
check "the guest starts" sigmactl start g
check "the guest's user space answers" wait_guest 1

# ---- every depth
check "fio verifies a file in memory, through the host's page cache" \
	verify_depths /dev/vdb libaio io_uring
check "fio verifies a file past the host's page cache" verify_depths /dev/vdc io_uring libaio
check "fio verifies a block device" verify_depths /dev/vdd libaio io_uring
# fio discards each block before it writes it
trims=(--rw=randtrimwrite --bs=4k --size=2M --direct=1 --ioengine=libaio --iodepth=32)
discards() { in_guest 1 "awk '{ print \$12 }' /sys/block/$1/stat"; }
for disk in vdb vdc vdd; do
	before_trims=$(discards $disk)
	check "fio verifies discards and writes on $disk" \
		fio_in_guest "${job[@]}" "${trims[@]}" --filename=/dev/$disk
	check "each block of $disk was discarded" [ $(($(discards $disk) - before_trims)) -ge 512 ]
done
cached=(--rw=randwrite --bs=4k --size=2M --direct=0 --ioengine=psync --fsync=64)
check "fio verifies writes through the guest's page cache, with fsync" \
	fio_in_guest "${job[@]}" "${cached[@]}" --filename=/dev/vdc
check "fio on the host verifies the same data in the host's file" \
	verify_on_host "${cached[@]}" --filename=$file
check "two bytes of the host's file are overwritten" eval \
	'printf "\xa5\x5a" | dd of=$file bs=1 seek=$((1048576 + 1111)) conv=notrunc status=none'
refuse "fio in the guest finds the overwritten bytes" "verify: bad|verify failed" \
	fio_in_guest "${job[@]}" --verify_only "${cached[@]}" --filename=/dev/vdc

# ---- sigmad is killed, and the next one takes the guest over
# /run/round is replaced atomically, so a reader always finds a number
round() { in_guest 1 "cat /run/round"; }
has_gone_on() { [ "$(round)" -gt "$1" ]; }
busy="${job[*]} --group_reporting --output=/run/fio --rw=randwrite --direct=1 --bssplit=$SIZES
	--verify_backlog=200 --size=2M --ioengine=libaio --iodepth=128 --filename=/dev/vdb
	--name=cached --rw=randwrite --direct=0 --bs=4k --size=1M --ioengine=psync --fsync=32
	--verify=crc32c --verify_fatal=1 --filename=/dev/vdc"
check "fio starts to verify in a loop" in_guest 1 "echo 0 >/run/round;
	( i=0; while [ ! -e /run/enough ] && fio $busy; do i=\$((i + 1));
		echo \$i >/run/next; mv /run/next /run/round; done;
	[ -e /run/enough ] || : >/run/failed; : >/run/ended ) >/dev/null 2>&1 </dev/null &"
check "fio completes a round" until_true 60 has_gone_on 0
for ((n = 1; n <= KILLS; n++)); do
	check "kill $n: sigmad is killed" kill_sigmad
	check "kill $n: sigmactl start takes the guest over" sigmactl start g
	check "kill $n: the guest answers" wait_guest 1
	check "kill $n: fio goes on" until_true 60 has_gone_on "$(round)"
done
check "the loop of fio ends" \
	eval 'in_guest 1 ": >/run/enough" && until_true 60 in_guest 1 "test -e /run/ended"'
check "fio has verified everything that it wrote" \
	in_guest 1 "test ! -e /run/failed || { tail -n 20 /run/fio; false; }"

# ---- sigmad is killed, and then the guest
# The guest logs the number of regions that it flushed; the host keeps the guest's log in a file
region=(--rw=randwrite --bs=4k "--size=$REGION" --direct=0 --ioengine=psync --end_fsync=1)
stable_regions() { sigmactl log g | sed -n 's/.*stable: \([0-9]*\)$/\1/p' | tail -n 1; }
has_stable() { [ "$(stable_regions)" -ge "$1" ]; }
# verify_regions FIRST END: verify the regions from FIRST up to END on the host
verify_regions()
{
	local i regions=()
	for ((i = $1; i < $2; i++)); do
		regions+=("--name=region$i" --thread --verify=crc32c --verify_fatal=1 --verify_only
			  "${region[@]}" "--offset=$((i * 256))k" "--filename=$stable")
	done
	within 60 fio "${regions[@]}"
}
check "fio starts to write and flush one region after the other" in_guest 1 "(
	i=0; while [ \$i -lt $REGIONS ] && fio ${job[*]} ${region[*]} --offset=\$((i * 256))k --filename=/dev/vde;
	do i=\$((i + 1)); echo stable: \$i >/dev/kmsg; done ) >/dev/null 2>&1 </dev/null &"
check "some regions are flushed" until_true 60 has_stable 4
check "sigmad is killed while fio writes" kill_sigmad
check "the guest is killed while fio writes" eval 'sigmactl kill g && wait_gone g'
n=$(stable_regions)
check "the $n flushed regions are in the host's file" verify_regions 0 "$n"
refuse "the last region, which fio did not reach, is not in the host's file" \
	"verify: bad|verify failed" \
	verify_regions $((REGIONS - 1)) $REGIONS
losetup -d "$loop"
check "the host has everything back" host_is_as_before
finish
