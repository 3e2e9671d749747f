#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=2G kernel=6.12 timeout=240
#
# Disks beside the root file system: as many as a guest can have, in files and on a block device,
# with flush, discard, write-zeroes and read-only as a disk promises them.

. "$(dirname "$0")/lib.sh"
need_sigma

DISKS=16		# GUEST_DISKS_MAX
MIB=1048576
dir=/var/lib/sigma

sum()
{
	sha256sum | cut -d ' ' -f 1
}

# stored FILE: print its contents as they are on the disk below, past all caches of the host.
# Blocks that wait for writeback are in no extent, or in one without a physical address.
stored()
{
	local at blocks
	filefrag -e -b4096 "$1" | awk '$1 ~ /^[0-9]+:$/ { gsub(/[.:]/, " "); print $4, $6 }' |
		while read -r at blocks; do
			dd if=/dev/vda iflag=direct bs=4096 skip="$at" count="$blocks" status=none
		done
}

# zeros FILE SKIP COUNT: these MiB of the host's file read as zeros; zeros_in_guest: of a disk
zeros()
{
	dd if="$1" bs=1M skip="$2" count="$3" status=none | cmp -n $(($3 * MIB)) - /dev/zero
}

zeros_in_guest()
{
	in_guest 1 "dd if=$1 iflag=direct bs=1M skip=$2 count=$3 status=none |
		cmp -n $(($3 * MIB)) - /dev/zero"
}

# mib FILE SKIP COUNT: print the checksum of these MiB
mib()
{
	dd if="$1" bs=1M skip="$2" count="$3" status=none | sum
}

allocated()
{
	stat -c %b "$1"		# 512-byte blocks
}

# disk N: print the name of the guest's disk N, counted from 0
disk()
{
	printf 'vd\\x%x' $((0x61 + $1)) | xargs -0 printf
}

# ---- the root disk, then data, holes, read-only, a block device, and files of various sizes
mkdir -p $dir
truncate -s 8M $dir/data.img
head -c $((32 * MIB)) /dev/urandom >$dir/holes.img
head -c $((3 * MIB)) /dev/urandom >$dir/fixed.img
truncate -s 5M $dir/loop.img
modprobe loop
loop=$(losetup --find --show $dir/loop.img)
# The root's sectors have 4 KiB, which its file system must know
root=$(losetup --find --show --sector-size 4096 /dev/vdb)
images=(disk="$root" "disk=$dir/data.img" "disk=$dir/holes.img"
	"disk=$dir/fixed.img" line=ReadOnly=yes disk="$loop")
sizes="$(blockdev --getsz "$root") 16384 65536 6144 10240"
for ((i = 5; i < DISKS; i++)); do
	truncate -s $((100 + i))K "$dir/$i.img"
	images+=(disk="$dir/$i.img")
	sizes+=" $(((100 + i) * 2))"
done
# Without periodic writeback only a flush writes data to the host's disk
echo 0 >/proc/sys/vm/dirty_writeback_centisecs
sync
remember_host

check "a guest file with $DISKS disks is written" guest g net=1 "${images[@]}"
check "the guest starts" sigmactl start g
check "the guest's user space answers" wait_guest 1
names=$(for ((i = 0; i < DISKS; i++)); do disk $i; echo; done)
check "the guest has exactly these $DISKS disks" [ "$(in_guest 1 'ls -v /sys/block')" = "$names" ]
check "the disks are in the order of the file" \
	[ "$(in_guest 1 "for d in $(xargs <<<"$names"); do cat /sys/block/\$d/size; done" |
	     xargs)" = "$sizes" ]
check "the guest has booted from a disk with sectors of 4 KiB" \
	[ "$(in_guest 1 'cat /sys/block/vda/queue/logical_block_size')" = 4096 ]
serials=$(for ((i = 0; i < DISKS; i++)); do echo "sigma-$i"; done)
check "each disk has its serial number" \
	[ "$(in_guest 1 "for d in $(xargs <<<"$names"); do cat /sys/block/\$d/serial; echo; done" |
	     sed '/^$/d')" = "$serials" ]

# ---- flush
wrote=$(in_guest 1 "head -c $MIB /dev/urandom >/run/data &&
	dd if=/run/data of=/dev/vdb bs=64K conv=fsync status=none &&
	sha256sum </run/data | cut -d ' ' -f 1")
check "the guest writes 1 MiB with fsync" [ ${#wrote} = 64 ]
check "the written data is on the host's disk while the guest runs" \
	[ "$(stored $dir/data.img | head -c $MIB | sum)" = "$wrote" ]
check "the written data is in the host's file" [ "$(mib $dir/data.img 0 1)" = "$wrote" ]

# ---- discard, write zeroes
rest=$(mib $dir/holes.img 24 8)
blocks=$(allocated $dir/holes.img)
check "the guest discards 16 of 32 MiB" in_guest 1 "blkdiscard --length 16M /dev/vdc"
check "the host's file gives the discarded blocks up" \
	[ "$(allocated $dir/holes.img)" -le $((blocks - 16 * MIB / 512)) ]
check "the discarded blocks read as zeros in the guest" zeros_in_guest /dev/vdc 0 16
check "the discarded blocks read as zeros on the host" zeros $dir/holes.img 0 16
blocks=$(allocated $dir/holes.img)
check "the guest zeroes 8 MiB" in_guest 1 "blkdiscard --zeroout --offset 16M --length 8M /dev/vdc"
check "the zeroed blocks read as zeros in the guest" zeros_in_guest /dev/vdc 16 8
check "the zeroed blocks read as zeros on the host" zeros $dir/holes.img 16 8
check "the host's file keeps the zeroed blocks allocated" \
	[ "$(allocated $dir/holes.img)" -ge "$blocks" ]
check "the rest of the file is unchanged" [ "$(mib $dir/holes.img 24 8)" = "$rest" ]
check "the file's size is unchanged" [ "$(stat -c %s $dir/holes.img)" = $((32 * MIB)) ]

# ---- read-only
fixed=$(sum <$dir/fixed.img)
check "ReadOnly=yes: the guest sees a read-only disk" \
	[ "$(in_guest 1 'cat /sys/block/vdd/ro')" = 1 ]
check "ReadOnly=yes: the guest reads the disk" \
	[ "$(in_guest 1 "sha256sum </dev/vdd | cut -d ' ' -f 1")" = "$fixed" ]
refuse "ReadOnly=yes: the guest's kernel refuses writes" "not permitted|read-only" \
	in_guest 1 "dd if=/dev/zero of=/dev/vdd bs=4096 count=1 oflag=direct"
refuse "ReadOnly=yes: sigmad refuses writes when the guest's kernel does not" \
	"error|not permitted|read-only" \
	in_guest 1 "blockdev --setrw /dev/vdd &&
		dd if=/dev/zero of=/dev/vdd bs=4096 count=1 oflag=direct"
check "ReadOnly=yes: the file is unchanged" [ "$(sum <$dir/fixed.img)" = "$fixed" ]

# ---- a block device of the host
wrote=$(in_guest 1 "dd if=/run/data of=/dev/vde bs=64K conv=fsync status=none &&
	sha256sum </run/data | cut -d ' ' -f 1")
check "a block device holds what the guest writes" [ "$(mib "$loop" 0 1)" = "$wrote" ]
check "the file behind the block device holds what the guest writes" \
	[ "$(mib $dir/loop.img 0 1)" = "$wrote" ]

# ---- a block device of the host with sectors of 4 KiB
truncate -s 4M $dir/4k.img
large=$(losetup --find --show --sector-size 4096 $dir/4k.img)
check "a block device with sectors of 4 KiB is added" eval '
	within 60 sigmactl disk rm g "$loop" && within 60 sigmactl disk add g "$large" Serial=large &&
	until_true 20 in_guest 1 "test -e /dev/vde"'
check "the guest sees sectors of 4 KiB" \
	[ "$(in_guest 1 'cat /sys/block/vde/queue/logical_block_size')" = 4096 ]
wrote=$(in_guest 1 "dd if=/run/data of=/dev/vde bs=4K oflag=direct conv=fsync status=none &&
	sha256sum </run/data | cut -d ' ' -f 1")
check "the device with sectors of 4 KiB holds what the guest writes" \
	[ "$(mib "$large" 0 1)" = "$wrote" ]
check "the device with sectors of 4 KiB is removed" within 60 sigmactl disk rm g large
losetup -d "$large"
check "the first block device is added again" within 60 sigmactl disk add g "$loop"

# ---- what cannot be a disk, tried while the first guest runs
refused()
{
	guest h "$@"
	within 30 sigmactl start h
}
check "only g runs before these attempts" [ "$(guests)" = g ]
remember_host
refuse "a file that g writes is refused" "$dir/data.img.*(used|in use)" refused disk=$dir/data.img
refuse "a file that g only reads is refused to a writer" "$dir/fixed.img.*(used|in use)" \
	refused disk=$dir/fixed.img
refuse "a block device that g has is refused" "$loop.*in use" refused disk="$loop"
truncate -s 1M $dir/locked.img
qemu-storage-daemon --blockdev driver=file,node-name=f,filename=$dir/locked.img,locking=on \
	--export type=vhost-user-blk,id=e,node-name=f,addr.type=unix,addr.path=/run/locked,writable=on &
locker=$!
check "QEMU writes to a file" until_true 20 test -S /run/locked
refuse "a file that QEMU writes to is refused" "$dir/locked.img.*(used|in use)" \
	refused disk=$dir/locked.img
kill $locker
wait $locker
refuse "QEMU is kept from a file that g writes to" "Failed to get .* lock" within 30 \
	qemu-storage-daemon --blockdev driver=file,node-name=f,filename=$dir/data.img,locking=on \
	--export type=vhost-user-blk,id=e,node-name=f,addr.type=unix,addr.path=/run/locked,writable=on
mkfs.ext4 -q $dir/5.fs 1M
mounted=$(losetup --find --show $dir/5.fs)
mkdir -p /mnt/fs
mount "$mounted" /mnt/fs
refuse "a mounted block device is refused" "$mounted.*mounted" refused disk="$mounted"
umount /mnt/fs
losetup -d "$mounted"
truncate -s 1000000 $dir/odd.img
refuse "a file whose size is no multiple of 512 is refused" \
	"$dir/odd.img.*512" refused disk=$dir/odd.img
: >$dir/empty.img
refuse "an empty file is refused" "$dir/empty.img.*empty" refused disk=$dir/empty.img
check "the refused starts took nothing from the host" host_is_as_before
check "two guests may read one file" eval '
	guest h disk='$dir'/fixed.img line=ReadOnly=yes append=rdinit=/nowhere &&
	sigmactl start h && sigmactl kill h'
check "g goes on through all of that" in_guest 1 "sync && cmp /run/data /dev/vdb -n $MIB"

check "the guest writes the header of a qcow2 image to its raw disk" in_guest 1 \
	"printf 'QFI\\373\\000\\000\\000\\003' | dd of=/dev/vdb conv=fsync status=none"
check "g stops" sigmactl stop g
check "g is gone" wait_gone g
check "no lock on the file of g is left" is_free $dir/data.img
refuse "a raw disk with a header by a guest is refused, and not converted" \
	"$dir/data.img is a qcow2 image, or a raw disk to which a guest .*Format=raw; do not convert" \
	refused disk=$dir/data.img
check "the block devices of g can be detached" losetup -d "$loop" "$root"
check "the host has the CPUs back, and no guest is left" [ "$(online) $(guests)" = "0-2 " ]
finish
