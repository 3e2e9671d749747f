#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=2G timeout=500
#
# Hotplug and hot-unplug of disks, NICs and shares, idle and under load. What is impossible is
# refused and changes nothing, and after a takeover sigmad serves the devices that are there.

. "$(dirname "$0")/lib.sh"
need_sigma

dir=/var/lib/sigma
things=/srv/things
MIB=1048576

ctl() { within 60 sigmactl "$@"; }
# id NAME: print the ID of the device with this name, or nothing
id() { sigmactl status --json g | jq -r --arg name "$1" '.devices[] | select(.name == $name).id'; }
names() { sigmactl status --json g | jq -r '.devices[].name' | xargs; }
nothing_leaves() { [ "$(sigmactl status --json g | jq '[.devices[] | select(.leaving)] | length')" = 0 ]; }
has() { in_guest 1 "test -e $1"; }
has_not() { in_guest 1 "test ! -e $1"; }
comes() { until_true 20 has "$1"; }
sum() { sha256sum | cut -d ' ' -f 1; }
host_links() { ls /sys/class/net; }
no_servers() { ! pgrep -x virtiofsd >/dev/null; }
kill_sigmad()
{
	local pid
	pid=$(sigmad_pid g) && kill -9 "$pid" &&
		until_true 10 eval "! kill -0 $pid 2>/dev/null"
}

modprobe loop
mkdir -p $dir $things
truncate -s 8M $dir/a.img $dir/b.img $dir/c.img
head -c $MIB /dev/urandom >$dir/fixed.img
: >$dir/empty.img
printf 'QFI\373\0\0\0\3' >$dir/q.img
truncate -s 1M $dir/q.img
gzip -k $dir/q.img
echo "from the host" >$things/note
# Its slabs have their own numbers, so that it shows whether requests leak
guest g disk=/dev/vdb net=1 append=slab_nomerge
mkdir -p /etc/sigma/profiles
# profile TEXT: what the guest's says
profile() { printf '[Sysctl]\n%s\n' "$1" >/etc/sigma/profiles/mine.conf; }
profile vm.swappiness=77
sed -i 's/^\[Guest\]/&\nProfile=mine/' /etc/sigma/g.guest
remember_host
check "the guest starts" ctl start g
check "the guest's user space answers" wait_guest 1
check "sigmad has shed its privileges" has_shed "$(sigmad_pid g)"

# ---- a disk
check "a disk is added" ctl disk add g $dir/a.img
check "the guest finds the disk" comes /dev/vdb
wrote=$(in_guest 1 "head -c $MIB /dev/urandom >/run/data &&
	dd if=/run/data of=/dev/vdb bs=64K status=none && sha256sum </run/data | cut -d ' ' -f 1")
check "the host's file of the disk is locked" eval "! is_free $dir/a.img"
check "the disk is removed by its path" ctl disk rm g $dir/a.img
check "the guest no longer has the disk" has_not /dev/vdb
check "the file holds what the guest wrote" \
	[ "$(head -c $MIB $dir/a.img | sum)" = "$wrote" ]
check "the file of the removed disk is unlocked" is_free $dir/a.img
check "a read-only disk is added, and its name is printed as JSON" \
	[ "$(ctl disk add --json --read-only g $dir/fixed.img Serial=fixed | jq -r .name)" = $dir/fixed.img ]
check "the guest finds the read-only disk" comes /dev/vdb
check "the guest's disk is read-only and has the serial number" \
	[ "$(in_guest 1 'echo $(cat /sys/block/vdb/serial) $(cat /sys/block/vdb/ro)')" = "fixed 1" ]
check "the read-only disk is removed by its serial number" ctl disk rm g fixed

# ---- a disk that grows
sectors() { in_guest 1 "cat /sys/block/$1/size"; }
has_sectors() { [ "$(sectors "$1")" = "$2" ]; }
truncate -s 8M $dir/grows.img
check "a disk that will grow is added, and mounted in the guest" eval '
	ctl disk add g $dir/grows.img Serial=grows && comes /dev/vdb &&
	in_guest 1 "mkfs.ext4 -q /dev/vdb && mkdir -p /run/grows && mount /dev/vdb /run/grows"'
truncate -s 16M $dir/grows.img
check "a file that grew is noticed, and the guest has the new size" \
	until_true 20 has_sectors vdb 32768
check "the size of a file that grew is shown" eval \
	'ctl disk resize g $dir/grows.img | grep -x "g: $dir/grows.img: 16M"'
check "a file is made larger, and its size is printed as JSON" \
	[ "$(ctl disk resize --json g grows 24M | jq .bytes)" = $((24 * MIB)) ]
check "the guest has the larger size" until_true 20 has_sectors vdb 49152
check "the file has the larger size" [ "$(stat -c %s $dir/grows.img)" = $((24 * MIB)) ]
check "the guest's file system grows while it is mounted, and has room for 16 MiB" in_guest 1 \
	"resize2fs /dev/vdb >/dev/null 2>&1 &&
		dd if=/dev/zero of=/run/grows/file bs=1M count=16 conv=fsync status=none"
refuse "a disk does not shrink" "does not shrink" \
	ctl disk resize g $dir/grows.img 8M
refuse "a size that is none is refused" "not the size of a disk" \
	ctl disk resize g $dir/grows.img large
refuse "a NIC cannot be resized" "neither add nor rm" ctl net resize g sg-g-0
check "the disk that grew is removed" \
	eval 'in_guest 1 "umount /run/grows" && ctl disk rm g grows'
loop=$(losetup --find --show $dir/grows.img)
check "a block device that will grow is added" eval 'ctl disk add g $loop && comes /dev/vdb'
refuse "a block device is not made larger" "by its own tool" ctl disk resize g "$loop" 32M
truncate -s 32M $dir/grows.img
losetup --set-capacity "$loop"
check "a block device that grew is noticed, and the guest has the new size" \
	until_true 20 has_sectors vdb 65536
check "the size of a block device that grew is shown" eval \
	'ctl disk resize g $loop | grep -x "g: $loop: 32M"'
check "the block device that grew is removed" ctl disk rm g "$loop"
losetup -d "$loop"

# ---- the guest file is read again
reloads() { ctl reload g >/tmp/said && { grep -x "g: $1" /tmp/said || { cat /tmp/said; return 1; }; }; }
cp /etc/sigma/g.guest /tmp/g.guest
check "reload: a guest file that is the same changes nothing" reloads "is as its guest file says"
profile vm.swappiness=78
check "reload: the guest has the profile as it was when it started" \
	reloads "Profile=: takes effect when the guest is stopped and started"
profile vm.swappiness=77
printf '[Disk]\nPath=%s\nSerial=new\n' $dir/a.img >>/etc/sigma/g.guest
check "reload: a new section becomes a disk" \
	eval 'reloads "disk $dir/a.img: was added" && comes /dev/vdb'
check "reload: it is one disk, also the second time" reloads "is as its guest file says"
sed -i 's/Serial=new/Serial=other/; s/Memory=256M/Memory=128M/' /etc/sigma/g.guest
check "reload: what needs another start is said" eval \
	'reloads "Memory=: takes effect when the guest is stopped and started" &&
	reloads "disk $dir/a.img: has other keys now, which takes effect .*" && ! grep added /tmp/said'
sed -i 's/Memory=128M/Memory=much/' /etc/sigma/g.guest
refuse "reload: a mistake is told with its line" "g.guest:[0-9]*: Memory=much" ctl reload g
check "reload: the guest has the disk as before" [ "$(in_guest 1 'cat /sys/block/vdb/serial; echo')" = new ]
check "reload: another disk is added without a section" ctl disk add g $dir/b.img
cp /tmp/g.guest /etc/sigma/g.guest
check "reload: the disk that lost its section goes, and the other one stays" eval \
	'reloads "disk $dir/a.img: goes, once the guest has released it" &&
	until_true 20 is_free $dir/a.img && [ "$(names)" = "$(names | xargs -n 1 | grep -v a.img | xargs)" ] &&
	ctl disk rm g $dir/b.img'

# ---- a disk in use
check "a disk is added by a path relative to its folder" \
	eval "cd $dir && ctl disk add g b.img blocksize=4096"
check "the guest makes a file system on the disk and mounts it" eval 'comes /dev/vdb &&
	in_guest 1 "mkfs.ext4 -q /dev/vdb && mkdir -p /run/b && mount /dev/vdb /run/b"'
refuse "a mounted disk is not removed" "in use" ctl disk rm g $dir/b.img
refuse "the root disk is not removed" "in use" ctl disk rm g /dev/vdb
check "the mounted disk and the root disk still work" \
	eval 'nothing_leaves && in_guest 1 "echo mine >/run/b/file && cat /bin/true >/dev/null"'
check "a mounted disk is removed by --force" ctl disk rm --force g $dir/b.img
check "the guest goes on without the disk" in_guest 1 "umount -l /run/b; true"
check "the file system of the removed disk has what the guest wrote last" \
	eval "mkdir -p /mnt/b && mount -o loop $dir/b.img /mnt/b &&
	[ \"\$(cat /mnt/b/file)\" = mine ] && umount /mnt/b"

# ---- disks of qemu-storage-daemon: a qcow2 image, and its snapshot by NBD
# qmp COMMAND [ARGUMENTS]: send it to the daemon that runs as "storage"
qmp()
{
	local line
	jq -cn "{execute: \"$1\", arguments: {${2:-}}}" >&"${storage[1]}"
	while read -r -t 20 -u "${storage[0]}" line; do
		case $line in
		*'"return"'*)	return 0 ;;
		*'"error"'*)	break ;;
		esac
	done
	echo "$1: $line"
	return 1
}
# qcow2 NODE: make an image and open it
qcow2()
{
	: >"$dir/$1.qcow2"
	qmp blockdev-add "driver: \"file\", \"node-name\": \"$1-file\", filename: \"$dir/$1.qcow2\"" &&
		qmp blockdev-create "\"job-id\": \"make-$1\",
			options: {driver: \"qcow2\", file: \"$1-file\", size: $((8 * MIB))}" &&
		until_true 20 qmp job-dismiss "id: \"make-$1\"" &&
		qmp blockdev-add "driver: \"qcow2\", \"node-name\": \"$1\", file: \"$1-file\", backing: null"
}
coproc storage { exec qemu-storage-daemon --chardev stdio,id=qmp --monitor chardev=qmp; }
check "a storage daemon serves a qcow2 image" eval 'qmp qmp_capabilities && qcow2 base &&
	qmp block-export-add "type: \"vhost-user-blk\", id: \"disk\", \"node-name\": \"base\",
		writable: true, addr: {type: \"unix\", path: \"/run/qcow2\"}"'
check "the storage daemon's disk is added" ctl disk add g Socket=/run/qcow2
check "the guest writes to the qcow2 image" eval 'comes /dev/vdb &&
	in_guest 1 "dd if=/run/data of=/dev/vdb bs=64K oflag=direct status=none"'
check "a snapshot is taken of the qcow2 image" eval \
	'qcow2 top && qmp blockdev-snapshot "node: \"base\", overlay: \"top\""'
check "the guest overwrites the first 64 KiB of the disk" \
	in_guest 1 "dd if=/dev/zero of=/dev/vdb bs=64K count=1 oflag=direct status=none"
check "the snapshot is exported by NBD" eval '
	qmp nbd-server-start "addr: {type: \"unix\", data: {path: \"/run/nbd\"}}" &&
	qmp block-export-add "type: \"nbd\", id: \"old\", \"node-name\": \"base\", name: \"old\""'
serve_snapshot()
{
	rm -f /run/old
	qemu-storage-daemon --blockdev driver=nbd,node-name=old,read-only=on,export=old,server.type=unix,server.path=/run/nbd \
		--export type=vhost-user-blk,id=old,node-name=old,addr.type=unix,addr.path=/run/old &
	nbd_client=$!
	until_true 20 test -S /run/old
}
# first_mib DISK: print the checksum of what the guest reads from there
first_mib() { in_guest 1 "head -c $MIB /dev/$1 | sha256sum | cut -d ' ' -f 1"; }
read_disk() { in_guest 1 "dd if=/dev/$1 of=/dev/null bs=4096 count=1 iflag=direct"; }
check "another storage daemon serves the snapshot" serve_snapshot
check "the snapshot's disk is added" eval 'ctl disk add g Socket=/run/old && comes /dev/vdc'
check "the guest reads its first data from the snapshot" [ "$(first_mib vdc)" = "$wrote" ]
check "the guest reads its last data from the qcow2 image" [ "$(in_guest_bash 1 \
	"head -c 64K /dev/vdb | tr -d '\0' | wc -c; head -c $MIB /dev/vdb | tail -c 960K |
		cmp - <(tail -c 960K /run/data) && echo same")" = $'0\nsame' ]
refuse "the disk of another program is not made larger" "make it larger there" \
	ctl disk resize g /run/qcow2 16M
check "both disks of the storage daemons are removed" \
	eval 'ctl disk rm g /run/old && ctl disk rm g /run/qcow2'

# ---- a disk that is registered just when its back end dies
in_flight() { in_guest 1 "grep -v '^ *0 *0$' /sys/block/$1/inflight"; }
kill -STOP "$storage_PID"
check "a disk is added whose back end waits for a program that hangs" eval \
	'ctl disk add g Socket=/run/old && comes /sys/block/vdb && until_true 20 in_flight vdb'
kill -9 "$nbd_client"
wait "$nbd_client"
check "the back end dies, and the guest has the next disk" \
	eval "ctl disk add g $dir/b.img && comes /dev/vdc"
refuse "the guest cannot read from the disk without a back end" "error" read_disk vdb
check "it is removed, and added with its back end started again" eval '
	kill -CONT "$storage_PID" && ctl disk rm --force g /run/old && ctl disk rm g $dir/b.img &&
	serve_snapshot && ctl disk add g Socket=/run/old && comes /dev/vdb &&
	[ "$(first_mib vdb)" = "$wrote" ] && ctl disk rm g /run/old'
kill "$nbd_client" "$storage_PID"
wait "$nbd_client"

# ---- a qcow2 image that sigmad has served
storage_pid() { pgrep -f ^/usr/bin/qemu-storage-daemon; }
no_storage() { [ -z "$(storage_pid)" ]; }
make_qcow2 $dir/own.qcow2 8
check "a qcow2 image is added" ctl disk add g $dir/own.qcow2 Format=qcow2
check "the guest writes to the qcow2 image that sigmad has served" eval 'comes /dev/vdb &&
	in_guest 1 "dd if=/run/data of=/dev/vdb bs=64K oflag=direct conv=fsync status=none"'
check "the qcow2 image is made larger while the guest has it" eval \
	'ctl disk resize g $dir/own.qcow2 16M && until_true 20 has_sectors vdb 32768'

# ---- its storage daemon dies with requests of the guest in flight
status_says() { ctl status g | grep "$1" >/dev/null; }
# hang FILE: the daemon stops, and a program in the guest waits for it. FILE comes when that fails
hang()
{
	kill -STOP "$(storage_pid)" && in_guest 1 "(dd if=/dev/zero of=/dev/vdb bs=64K seek=32 count=32
		oflag=direct || : >$1) >/dev/null 2>&1 &" && until_true 20 in_flight vdb
}
# used_by_requests: objects of the guest's kernel that are lists of pages of a request
used_by_requests()
{
	in_guest 1 "for i in /sys/kernel/slab/sgpool-*; do echo 1 >\$i/shrink; cat \$i/objects; done" |
		awk '{ sum += $1 } END { print sum }'
}
uses_no_more() { [ "$(used_by_requests)" -le "$used" ]; }
used=$(used_by_requests)
check "a program in the guest writes to a disk whose storage daemon hangs" hang /run/failed
check "the daemon is killed, and the program gets an error" \
	eval 'kill -9 $(storage_pid) && comes /run/failed'
refuse "a program that reads from the disk later gets one, too" "error" read_disk vdb
check "sigmactl status names the disk and what to do" eval \
	'status_says "its back end has died.*remove it with --force" &&
	[ "$(ctl status --json g | jq -r ".devices[] | select(.stopped).name")" = $dir/own.qcow2 ]'
check "the disk is removed and added again, and the guest has what it had flushed" eval "
	ctl disk rm --force g $dir/own.qcow2 && ctl disk add g $dir/own.qcow2 Format=qcow2 &&
	comes /dev/vdb && [ \"\$(first_mib vdb)\" = $wrote ]"
check "it hangs once more, and the disk is removed by force while a program waits" \
	eval 'hang /run/failed_again && ctl disk rm --force g $dir/own.qcow2'
check "sigmad has killed the daemon, and the program gets an error" eval '
	comes /run/failed_again && until_true 20 is_free $dir/own.qcow2 &&
	no_storage && [ "$(names)" = "$(names | xargs -n 1 | grep -v own.qcow2 | xargs)" ]'
check "the guest's kernel has released all that these requests had" until_true 20 uses_no_more
check "the guest reads from the qcow2 image what it wrote" eval "
	ctl disk add g --read-only $dir/own.qcow2 Format=qcow2 && comes /dev/vdb &&
	[ \"\$(first_mib vdb)\" = $wrote ]"
# driver VERB: have the guest's driver leave or take the disk
driver() { in_guest 1 "echo $virtio >/sys/bus/virtio/drivers/virtio_blk/$1"; }
virtio=$(in_guest 1 'basename $(readlink /sys/block/vdb/device)')
check "the guest's driver leaves the disk, whose storage daemon ends" eval 'driver unbind && no_storage'
chmod a-x /usr/bin/qemu-storage-daemon
check "it takes the disk again, for which no storage daemon can be started" driver bind
refuse "reading from this disk fails at once" "error" read_disk vdb
chmod a+x /usr/bin/qemu-storage-daemon
check "when one can be started, the guest reads from the disk again" eval "
	driver unbind && driver bind && [ \"\$(first_mib vdb)\" = $wrote ]"
check "the qcow2 image is removed, and its storage daemon ends" \
	eval "ctl disk rm g $dir/own.qcow2 && no_storage"

# ---- faults of the host below raw images: no room, an image that is cut, one that is removed
writes() { in_guest 1 "dd if=/run/data of=/dev/$1 bs=1M seek=$2 oflag=direct conv=fsync status=none"; }
reads() { in_guest 1 "dd if=/dev/$1 bs=1M skip=$2 count=1 iflag=direct | cmp - /run/data"; }
small=/run/small
mkdir $small
mount -t tmpfs -o size=4M small $small
truncate -s 8M $small/full.img $dir/cut.img
check "disks are added in a small file system and in a large one" eval \
	'ctl disk add g $small/full.img && ctl disk add g $dir/cut.img && comes /dev/vdc'
check "no room: the guest writes while there is room" writes vdb 0
head -c 8M /dev/zero >$small/filler 2>/dev/null
refuse "no room: the guest's next write fails" "error|space" writes vdb 4
check "no room: sigmactl status says so" status_says "had no room on the host"
check "no room: the guest still has what it wrote before" reads vdb 0
rm $small/filler
check "no room: with room again, the guest writes again" eval 'writes vdb 4 && reads vdb 4'
check "cut: the guest writes to its image" eval 'writes vdc 0 && writes vdc 6'
truncate -s 4M $dir/cut.img
refuse "cut: the guest cannot read what is gone" "error" reads vdc 6
check "cut: sigmactl status says so" status_says "has become smaller"
check "cut: the guest still has what is left" reads vdc 0
truncate -s 8M $dir/cut.img
check "cut: with its size back, the guest writes there again" eval 'writes vdc 6 && reads vdc 6'
rm $small/full.img $dir/cut.img
check "removed: the guest still writes to its images and reads them" eval '
	for disk in vdb vdc; do writes $disk 2 && reads $disk 2 || return; done'
check "removed: sigmactl status says so" status_says "was removed on the host"
check "the disks are removed, and nothing holds their files" eval \
	'ctl disk rm g $small/full.img && ctl disk rm g $dir/cut.img && umount $small'

# ---- a NIC
links=$(host_links)
check "a NIC is added" ctl net add g address=10.9.2.1/24
check "the guest finds the NIC" comes /sys/class/net/eth1
check "the guest answers on the NIC" \
	eval 'in_guest 1 "ip link set eth1 up && ip addr add 10.9.2.2/24 dev eth1" &&
	until_true 10 in_guest 2 true'
check "a NIC that sigmad serves is added" \
	eval 'ctl net add g address=10.9.3.1/24 VHost=no && comes /sys/class/net/eth2'
check "the guest answers on the NIC that sigmad serves" \
	eval 'in_guest 1 "ip link set eth2 up && ip addr add 10.9.3.2/24 dev eth2" &&
	until_true 10 in_guest 3 true'

# ---- a share
check "a share is added" ctl share add g $things stuff
check "the guest mounts the share and reads from it" eval '
	until_true 20 in_guest 1 "mkdir -p /run/stuff && mount -t virtiofs stuff /run/stuff" &&
	[ "$(in_guest 1 "cat /run/stuff/note")" = "from the host" ]'
refuse "a second share with the same tag is refused" "same tag" ctl share add g $dir stuff

# ---- what is impossible
before_names=$(names)
refuse "a file that does not exist is refused" "no-such: No such file" ctl disk add g $dir/no-such
refuse "a qcow2 image is refused with the command that converts it" \
	"q.img is a qcow2 image.*qemu-img convert" ctl disk add g $dir/q.img
make_qcow2 $dir/based.qcow2 8 /etc/shadow
refuse "a qcow2 image that names another file is refused" \
	"based.qcow2 is based on another file.*Backing=" \
	ctl disk add g $dir/based.qcow2 Format=qcow2
refuse "a compressed image is refused with the command that decompresses it" \
	"q.img.gz is a gzip file.*gzip -d" ctl disk add g $dir/q.img.gz
check "Format=raw: a file that looks like a qcow2 image is added" \
	eval "ctl disk add g $dir/q.img Format=raw && ctl disk rm g $dir/q.img"
refuse "an empty file is refused" "empty.img.*empty" ctl disk add g $dir/empty.img
ctl disk add g $dir/a.img >/dev/null
refuse "a disk that the guest has already is refused" \
	"has the disk .*already" ctl disk add g $dir/a.img
ln -sf a.img $dir/link.img
refuse "a disk that the guest has already under another name is refused" \
	"is used by" ctl disk add g $dir/link.img
ctl disk rm g $dir/a.img
refuse "an unknown key is refused" "Colour=: no key of" ctl disk add g $dir/a.img Colour=red
refuse "a key without a value is refused" "no KEY=VALUE" ctl disk add g $dir/a.img red
refuse "a bridge that does not exist is refused" "no bridge br9" ctl net add g bridge=br9
refuse "a NIC without Bridge=, Address= and User= is refused" \
	"none of Bridge=, Address= and User=yes" ctl net add g VHost=no
refuse "a share of a file is refused" "not a folder" ctl share add g $dir/a.img
refuse "removing a disk by an unknown ID is refused" "no disk '63'" ctl disk rm g 63
refuse "removing the console as a disk is refused" "no disk '2'" ctl disk rm g 2
refuse "removing a NIC as a disk is refused" "no disk 'sg-g-0'" ctl disk rm g sg-g-0
refuse "a guest that does not exist is refused" "no such guest" ctl disk add h $dir/a.img
check "the refused changes left the devices as they were" [ "$(names)" = "$before_names" ]
check "the refused changes left no file locked" is_free $dir/a.img
for ((i = 1; i < 16; i++)); do
	truncate -s 1M "$dir/n$i.img"
	ctl disk add g "$dir/n$i.img" >/dev/null
done
refuse "a disk beyond the limit of 16 is refused" "more than 16 disks" ctl disk add g $dir/a.img
check "the guest has all 16 disks" comes /dev/vdp
for ((i = 1; i < 16; i++)); do
	ctl disk rm g "$dir/n$i.img" || say "n$i.img"
done
check "the guest has only its root disk after their removal" has_not /dev/vdb

# ---- under load
check "two disks are added" \
	eval "ctl disk add g $dir/a.img && ctl disk add g $dir/c.img && comes /dev/vdc"
in_guest 1 "(while :; do dd if=/dev/zero of=/dev/vdb bs=64K oflag=direct count=128 || break; done;
	: >/run/ended) >/dev/null 2>&1 &"
iperf3 --server --daemon
in_guest 1 "(ping -i 0.002 10.9.2.1 & iperf3 -t 100 -c 10.9.3.1) >/dev/null 2>&1 &"
check "the guest's heartbeat rises under load" beats g
check "a disk is removed by --force while the guest writes to it" ctl disk rm --force g $dir/a.img
check "the program that wrote to the removed disk gets an error" comes /run/ended
check "the file of the disk removed under load is unlocked" is_free $dir/a.img
check "both NICs are removed under load" eval 'ctl net rm g 10.9.2.1/24 && ctl net rm g sg-g-2'
check "the guest has its first NIC only" [ "$(in_guest 1 'ls /sys/class/net' | xargs)" = "eth0 lo" ]
check "the taps of the removed NICs are gone" [ "$(host_links)" = "$links" ]
pkill -x iperf3

# ---- a takeover
before_names=$(names)
check "the guest writes the header of a qcow2 image to its raw disk" in_guest 1 \
	"printf 'QFI\\373\\000\\000\\000\\003' | dd of=/dev/vdc conv=fsync status=none"
check "sigmad is killed" kill_sigmad
refuse "a disk cannot be added without a sigmad" "sigmad is gone" ctl disk add g $dir/b.img
check "sigmactl start takes the guest over" ctl start g
check "the new sigmad has the same devices" eval 'wait_guest 1 && [ "$(names)" = "$before_names" ]'
check "the guest writes to its disk after the takeover" \
	in_guest 1 "dd if=/run/data of=/dev/vdc bs=64K conv=fsync status=none"
check "the host's file holds what the guest wrote after the takeover" \
	[ "$(head -c $MIB $dir/c.img | sum)" = "$wrote" ]
check "a disk is removed after the takeover" ctl disk rm g $dir/c.img
check "another disk is added after the takeover" eval "ctl disk add g $dir/b.img && comes /dev/vdb"
check "the guest mounts the share again after the takeover" \
	until_true 20 in_guest 1 "umount -l /run/stuff; mount -t virtiofs stuff /run/stuff"
in_guest 1 "(while cat /run/stuff/note; do :; done; : >/run/not_read) >/dev/null 2>&1 &"
check "a share is removed while the guest reads from it" ctl share rm g $things
check "the program that read from the removed share gets an error" comes /run/not_read
check "no virtiofsd is left" until_true 10 no_servers

# ---- the guest's kernel restarts
in_guest 1 "(sleep 1; echo b >/proc/sysrq-trigger) >/dev/null 2>&1 &"
sleep 2
check "the guest restarts" eval 'wait_state g running && wait_guest 1'
check "the guest has its devices after the restart" has /dev/vdb
check "the guest stops" ctl stop g
check "the file of the last disk is unlocked" is_free $dir/b.img
check "the host has everything back" host_is_as_before
finish
