#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=2 mem=2G timeout=400
#
# Root file systems with our own init: ext4, xfs and btrfs in the partitions of one disk, found by
# their IDs, labels and type, and a share. With Root=, a folder of the host.

. "$(dirname "$0")/lib.sh"
need_sigma

dir=/var/lib/sigma
image=$dir/parts.img
part_id=0f2c1f0a-1b7e-4c1e-9d56-5f0d3f1b2c3d
xfs_id=5a0e9d0e-6f0b-4a54-8f0c-0d9f7c1e2a11
btrfs_id=b3c7a1f4-2d0e-4a0b-9c4d-7e8f90a1b2c3
# mkfs.xfs makes no file system of less than 300 MB but for tests, which set these
export TEST_DIR=1 TEST_DEV=1 QA_CHECK_FS=1

# root TYPE [FILE]: make a folder that has busybox and an init, and a file system of it in FILE
root()
{
	rm -rf $dir/root
	mkdir -p $dir/root/{bin,dev,lib/modules,proc,sys,sbin}
	cp "$(command -v busybox)" $dir/root/bin/busybox
	ln -s busybox $dir/root/bin/sh
	cat >$dir/root/sbin/init <<-END
		#!/bin/sh
		[ ! -e /lib/modules/\$(busybox uname -r)/modules.dep ] || echo "root: modules" >/dev/hvc0
		echo "root: this is $1, \$(busybox grep ' / ' /proc/mounts | busybox tail -n 1)" >/dev/hvc0
		echo "by the guest" >/made && sync
		busybox poweroff -f
	END
	chmod 755 $dir/root/sbin/init
	case $1 in
	ext4)	truncate -s 16M "$2" && mkfs.ext4 -q -d $dir/root "$2" ;;
	btrfs)	truncate -s 128M "$2" && mkfs.btrfs -q -U $btrfs_id -L "the btrfs" -r $dir/root "$2" ;;
	xfs)	truncate -s 64M "$2" && mkfs.xfs -q -m uuid=$xfs_id "$2" && modprobe xfs &&
		mkdir -p $dir/mnt && mount -o loop "$2" $dir/mnt && cp -a $dir/root/. $dir/mnt &&
		umount $dir/mnt ;;
	esac
}

# fill TYPE MIB: make that file system, and copy it into the image at this offset
fill()
{
	root "$1" "$dir/$1.fs" && dd if="$dir/$1.fs" of=$image bs=1M seek="$2" conv=notrunc,sparse \
		status=none && rm "$dir/$1.fs"
}

mkdir -p $dir
modprobe loop
check "a disk with three partitions is made" eval '
	truncate -s 220M $image && sfdisk -q $image <<-END
		label: gpt
		start=1MiB, size=64MiB, name=an-xfs
		start=66MiB, size=16MiB, type=4f68bce3-e8cd-4db1-96e7-fbcaf984b709, uuid=$part_id
		start=84MiB, size=128MiB, name=a-btrfs
	END'
check "xfs, ext4 and btrfs are in its partitions" eval 'fill xfs 1 && fill ext4 66 && fill btrfs 84'

# boots TYPE DEVICE WORDS...: the guest of these words boots this root, says so, and powers off
boots()
{
	local say="root: this is $1, $2 / "
	shift 2
	guest g "$@" && sigmactl run g </dev/null >/tmp/boot 2>&1
	cat /tmp/boot
	grep -qF -- "$say" /tmp/boot && wait_gone g
}

# boots_root MOUNT LINES...: the guest with these lines in place of a root= boots a folder as its root
boots_root()
{
	local say="root: this is share, $1 / "
	shift
	{
		guest g && sed -n '/^\[Guest\]/p; /^Kernel=/p; /^Memory=/p' /etc/sigma/g.guest
		printf '%s\n' "CommandLine=init=${INIT:-/sbin/init} mitigations=off${APPEND:+ $APPEND}" "$@"
	} >/tmp/g.guest && mv /tmp/g.guest /etc/sigma/g.guest &&
		sigmactl run g </dev/null >/tmp/boot 2>&1
	cat /tmp/boot
	grep -qF -- "$say" /tmp/boot && wait_gone g
}

# The last root= and init= count, so these override those of guest()
remember_host
init=init=/sbin/init
check "root=PARTUUID= of an ext4" \
	boots ext4 /dev/vda2 disk=$image "append=$init root=PARTUUID=$part_id"
check "root=UUID= of an xfs" boots xfs /dev/vda1 disk=$image "append=$init root=UUID=$xfs_id"
check "root=LABEL= of a btrfs" \
	boots btrfs /dev/vda3 disk=$image "append=$init root=LABEL=\"the btrfs\""
check "root=PARTLABEL= of an xfs" \
	boots xfs /dev/vda1 disk=$image "append=$init root=PARTLABEL=an-xfs"
check "a root partition by its type" boots ext4 /dev/vda2 disk=$image "append=$init root=gpt-auto"
if [ -x /usr/lib/qemu/virtiofsd ]; then
	check "without HostModules=, the root has no modules" eval '! grep "root: modules" /tmp/boot'
	check "a root without modules, read-only" boots ext4 /dev/vda2 disk=$image host_modules=yes \
		"append=$init root=/dev/vda2 ro"
	check "this root has the modules of the host" grep "root: modules" /tmp/boot
	root share
	check "root= of a share" boots share theroot "append=$init rootfstype=virtiofs root=theroot" \
		"line=[Share]" line=Path=$dir/root line=Tag=theroot
	check "Root= is a folder" boots_root sigma-root Root=$dir/root
	check "what the guest wrote there is on the host" [ "$(cat $dir/root/made)" = "by the guest" ]
	rm $dir/root/made
	check "RootWrites=no" boots_root sigma-root Root=$dir/root RootWrites=no
	check "the guest could not write there" eval '[ ! -e $dir/root/made ] && grep "Read-only" /tmp/boot'
	check "RootWrites=overlay" boots_root overlay Root=$dir/root RootWrites=overlay
	check "the guest could write, and nothing of that is on the host" \
		eval '[ ! -e $dir/root/made ] && ! grep "Read-only" /tmp/boot'
	cp $dir/root/sbin/init /root-init
	INIT=/root-init
	check "Root=/ is the root of the host" boots_root sigma-root Root=/ RootWrites=no
	INIT=""
	rm /root-init
fi
rm $image
check "the host has the CPU and the memory back" host_is_as_before
finish
