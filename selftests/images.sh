#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=2G kernel=6.12 timeout=400 tree=ksmbd in=matrix
#
# Images on file systems that lock, cache and check data in ways of their own: NFS and SMB, of which the
# host is its own server, and btrfs. The guest writes and reads. While it has an image, nobody else gets
# it, and after another start the data are there.
#
# The host has 6.12: the SMB server of 6.1.176 dereferences a null pointer when a file is opened.

. "$(dirname "$0")/lib.sh"
need_sigma

MIB=1048576
IMAGES="/mnt/nfs/raw.img /mnt/nfs/own.qcow2 /mnt/smb/raw.img /mnt/smb/own.qcow2
	/mnt/btrfs/raw.img /mnt/btrfs/own.qcow2 /mnt/btrfs/direct/raw.img"
DISKS="vdb vdc vdd vde vdf vdg vdh"
KSMBD=$TREES/ksmbd
FOREVER=4000000000	# seconds since 1970

[ -e "$KSMBD/usr/sbin/ksmbd.mountd" ] || skip_all "no ksmbd in this machine"

# The kernel's server needs no daemon when its tables are filled by hand: 9218 is fsid=0, insecure,
# no_root_squash and no_subtree_check (exports(5))
mount_nfs()
{
	modprobe -a nfsd nfsv4 && mount -t nfsd nfsd /proc/fs/nfsd &&
		echo "-2 -3 +4" >/proc/fs/nfsd/versions &&
		echo "nfsd 127.0.0.1 $FOREVER rig" >/proc/net/rpc/auth.unix.ip/channel &&
		echo "0 $FOREVER 1 0" >/proc/net/rpc/auth.unix.gid/channel &&
		echo "rig /srv/nfs $FOREVER 9218 65534 65534 0" >/proc/net/rpc/nfsd.export/channel &&
		printf "rig 1 %s $FOREVER /srv/nfs\n" '\x00000000' >/proc/net/rpc/nfsd.fh/channel &&
		echo "tcp 2049" >/proc/fs/nfsd/portlist && echo 2 >/proc/fs/nfsd/threads || return
	echo Y >/proc/fs/nfsd/v4_end_grace
	mount -i -t nfs4 -o vers=4.2,addr=127.0.0.1,clientaddr=127.0.0.1 127.0.0.1:/ /mnt/nfs
}
ksmbd()
{
	LD_LIBRARY_PATH=$KSMBD/lib/x86_64-linux-gnu:$KSMBD/usr/lib/x86_64-linux-gnu \
		"$KSMBD/usr/sbin/ksmbd.$1" "${@:2}"
}
listens() { (: >"/dev/tcp/127.0.0.1/$1"); }
mount_smb()
{
	mkdir -p /etc/ksmbd
	printf '[global]\n[files]\npath = /srv/smb\nread only = no\nforce user = root\n' \
		>/etc/ksmbd/ksmbd.conf
	modprobe -a ksmbd cifs && ksmbd adduser -a rig -p secret && ksmbd mountd &&
		until_true 20 listens 445 &&
		mount -i -t cifs -o ip=127.0.0.1,username=rig,password=secret,vers=3.1.1 \
			//127.0.0.1/files /mnt/smb
}
mount_btrfs()
{
	truncate -s 192M /srv/btrfs.img
	mkfs.btrfs -q /srv/btrfs.img && mount -o loop /srv/btrfs.img /mnt/btrfs &&
		mkdir /mnt/btrfs/direct && chattr +C /mnt/btrfs/direct
}
format() { case $1 in *.qcow2) echo qcow2 ;; *) echo raw ;; esac; }
make_images()
{
	local image
	for image in $IMAGES; do
		case $image in
		*.qcow2)	make_qcow2 "$image" 8 ;;
		*)		truncate -s 8M "$image" ;;
		esac || return
	done
}
# on_disks COMMAND: run it in the guest for each disk $d
on_disks() { in_guest 1 "for d in $DISKS; do $1 || { echo \$d; false; break; }; done"; }
write_disks()
{
	on_disks "dd if=/run/data of=/dev/\$d bs=64K seek=$1 oflag=direct conv=fsync status=none"
}
read_disks()
{
	on_disks "dd if=/dev/\$d bs=64K skip=$1 count=16 iflag=direct status=none | cmp - /run/data"
}

modprobe loop
mkdir -p /mnt/{nfs,smb,btrfs} /srv/{nfs,smb}
mount -t tmpfs nfs /srv/nfs
mount -t tmpfs smb /srv/smb
check "the host mounts a folder of its own by NFS" mount_nfs
check "the host mounts a folder of its own by SMB" mount_smb
check "the host has a btrfs" mount_btrfs
check "a raw and a qcow2 image are on each, and another one without checksums" make_images
disks=()
for image in $IMAGES; do
	disks+=("disk=$image" "line=Format=$(format "$image")")
done
guest g disk=/dev/vdb "${disks[@]}" net=1
remember_host
check "a guest starts with these images" sigmactl start g
check "its user space answers" wait_guest 1
in_guest 1 "head -c $MIB /dev/urandom >/run/data"
check "the guest writes to all of them" write_disks 0
check "it reads what it wrote" read_disks 0
for image in $IMAGES; do
	guest h memory=128M disk="$image" "line=Format=$(format "$image")"
	refuse "another guest does not get $image" "$image is used by another guest or program; stop" \
		sigmactl start h
done
check "sigmad is killed" kill_sigmad
check "another one takes the guest over" sigmactl start g
check "the guest writes once more" write_disks 32
check "it reads all that it wrote" eval 'read_disks 0 && read_disks 32'
check "the guest keeps the data" in_guest 1 "cp /run/data /root/data; sync"
check "the guest stops" eval 'sigmactl stop g && wait_gone g'
# What was written is in the memory of the two servers' folders
check "the host has everything back" eval 'FREE_SLACK=$((32 * 1024)) host_is_as_before'
for image in $IMAGES; do
	check "no lock on $image is left" is_free "$image"
done
check "the guest starts again" eval 'echo 3 >/proc/sys/vm/drop_caches && sigmactl start g'
check "its user space answers again" wait_guest 1
check "it reads all that it wrote before" \
	eval 'in_guest 1 "cp /root/data /run/data" && read_disks 0 && read_disks 32'
check "it stops" eval 'sigmactl stop g && wait_gone g'
check "the host no longer uses these file systems" umount /mnt/btrfs /mnt/smb /mnt/nfs
ksmbd control -s
echo 0 >/proc/fs/nfsd/threads
finish
