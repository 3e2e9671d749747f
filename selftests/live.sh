#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=2G timeout=500
#
# Disks, NICs and shares come to a running guest and go, idle and under load; what cannot be is
# refused and changes nothing; another sigmad goes on with those that are there.

. "$(dirname "$0")/lib.sh"
need_sigma

dir=/var/lib/sigma
things=/srv/things
MIB=1048576

ctl() { timeout 60 sigmactl "$@"; }
# The ID of the device with this name, or nothing
id() { sigmactl status --json g | jq -r --arg name "$1" '.devices[] | select(.name == $name).id'; }
names() { sigmactl status --json g | jq -r '.devices[].name' | xargs; }
nothing_leaves() { [ "$(sigmactl status --json g | jq '[.devices[] | select(.leaving)] | length')" = 0 ]; }
has() { in_guest 1 "test -e $1"; }
has_not() { in_guest 1 "test ! -e $1"; }
comes() { until_true 20 has "$1"; }
is_free() { flock --nonblock "$1" true; }
sum() { sha256sum | cut -d ' ' -f 1; }
host_links() { ls /sys/class/net; }
no_servers() { ! pgrep -x virtiofsd >/dev/null; }
kill_sigmad()
{
	local pid
	pid=$(sigmactl status --json g | jq -e .pid) && kill -9 "$pid" &&
		until_true 10 eval "! kill -0 $pid 2>/dev/null"
}

modprobe loop
mkdir -p $dir $things
truncate -s 8M $dir/a.img $dir/b.img $dir/c.img
head -c $MIB /dev/urandom >$dir/fixed.img
: >$dir/empty.img
echo "from the host" >$things/note
guest g disk=/dev/vdb net=1
remember_host
check "starts" ctl start g
check "answers" wait_guest 1

# ---- a disk
check "a disk is added" ctl disk add g $dir/a.img
check "the guest finds it" comes /dev/vdb
wrote=$(in_guest 1 "head -c $MIB /dev/urandom >/run/data &&
	dd if=/run/data of=/dev/vdb bs=64K status=none && sha256sum </run/data | cut -d ' ' -f 1")
check "the host's file is locked" eval "! is_free $dir/a.img"
check "it is removed, by its path" ctl disk rm g $dir/a.img
check "the guest has it no longer" has_not /dev/vdb
check "what the guest wrote is in the file" \
	[ "$(head -c $MIB $dir/a.img | sum)" = "$wrote" ]
check "others may use the file" is_free $dir/a.img
check "a read-only one is added, as JSON tells" \
	[ "$(ctl disk add --json --read-only g $dir/fixed.img Serial=fixed | jq -r .name)" = $dir/fixed.img ]
check "the guest finds it" comes /dev/vdb
check "it is that one" [ "$(in_guest 1 'echo $(cat /sys/block/vdb/serial) $(cat /sys/block/vdb/ro)')" = "fixed 1" ]
check "it is removed, by its serial" ctl disk rm g fixed

# ---- in use
check "another one is added, from its folder" eval "cd $dir && ctl disk add g b.img blocksize=4096"
check "the guest makes a file system on it" eval 'comes /dev/vdb &&
	in_guest 1 "mkfs.ext4 -q /dev/vdb && mkdir -p /run/b && mount /dev/vdb /run/b"'
refuse "while it is mounted it is not removed" "in use" ctl disk rm g $dir/b.img
refuse "nor is the root disk" "in use" ctl disk rm g /dev/vdb
check "both are there as before" eval 'nothing_leaves && in_guest 1 "echo mine >/run/b/file && cat /bin/true >/dev/null"'
check "by force it is" ctl disk rm --force g $dir/b.img
check "the guest goes on" in_guest 1 "umount -l /run/b; true"
check "its file system has what was written last" eval "mkdir -p /mnt/b && mount -o loop $dir/b.img /mnt/b &&
	[ \"\$(cat /mnt/b/file)\" = mine ] && umount /mnt/b"

# ---- disks of qemu-storage-daemon: a qcow2 image, and by NBD its snapshot
# qmp COMMAND [ARGUMENTS]: ask the one that runs as "storage"
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
check "it is added" ctl disk add g Socket=/run/qcow2
check "the guest writes to it" eval 'comes /dev/vdb &&
	in_guest 1 "dd if=/run/data of=/dev/vdb bs=64K oflag=direct status=none"'
check "a snapshot is taken" eval \
	'qcow2 top && qmp blockdev-snapshot "node: \"base\", overlay: \"top\""'
check "the guest writes on" in_guest 1 "dd if=/dev/zero of=/dev/vdb bs=64K count=1 oflag=direct status=none"
check "what it was goes out by NBD" eval '
	qmp nbd-server-start "addr: {type: \"unix\", data: {path: \"/run/nbd\"}}" &&
	qmp block-export-add "type: \"nbd\", id: \"old\", \"node-name\": \"base\", name: \"old\""'
qemu-storage-daemon --blockdev driver=nbd,node-name=old,read-only=on,export=old,server.type=unix,server.path=/run/nbd \
	--export type=vhost-user-blk,id=old,node-name=old,addr.type=unix,addr.path=/run/old &
nbd_client=$!
check "another one serves that" until_true 20 test -S /run/old
check "it is added, too" eval 'ctl disk add g Socket=/run/old && comes /dev/vdc'
check "the guest finds there what it wrote at first" [ "$(in_guest 1 \
	"head -c $MIB /dev/vdc | sha256sum | cut -d ' ' -f 1")" = "$wrote" ]
check "and on its disk what it wrote last" [ "$(in_guest 1 \
	"head -c 64K /dev/vdb | tr -d '\0' | wc -c; head -c $MIB /dev/vdb | tail -c 960K |
		cmp - <(tail -c 960K /run/data) && echo same")" = $'0\nsame' ]
check "both are removed" eval 'ctl disk rm g /run/old && ctl disk rm g /run/qcow2'
kill $nbd_client "$storage_PID"
wait $nbd_client

# ---- a NIC
links=$(host_links)
check "a NIC is added" ctl net add g address=10.9.2.1/24
check "the guest finds it" comes /sys/class/net/eth1
check "it answers there" eval 'in_guest 1 "ip link set eth1 up && ip addr add 10.9.2.2/24 dev eth1" &&
	until_true 10 in_guest 2 true'
check "one that sigmad serves" eval 'ctl net add g address=10.9.3.1/24 VHost=no && comes /sys/class/net/eth2'
check "it answers there" eval 'in_guest 1 "ip link set eth2 up && ip addr add 10.9.3.2/24 dev eth2" &&
	until_true 10 in_guest 3 true'

# ---- a share
check "a share is added" ctl share add g $things stuff
check "the guest mounts it and reads" eval '
	until_true 20 in_guest 1 "mkdir -p /run/stuff && mount -t virtiofs stuff /run/stuff" &&
	[ "$(in_guest 1 "cat /run/stuff/note")" = "from the host" ]'
refuse "a tag is there once" "same tag" ctl share add g $dir stuff

# ---- what cannot be
before_names=$(names)
refuse "a file that there is not" "no-such: No such file" ctl disk add g $dir/no-such
refuse "an empty file" "empty.img.*empty" ctl disk add g $dir/empty.img
ctl disk add g $dir/a.img >/dev/null
refuse "a disk twice" "has the disk .*already" ctl disk add g $dir/a.img
ln -sf a.img $dir/link.img
refuse "a disk twice by another name" "is used by" ctl disk add g $dir/link.img
ctl disk rm g $dir/a.img
refuse "an unknown key" "Colour=: no key of" ctl disk add g $dir/a.img Colour=red
refuse "a key without a value" "no KEY=VALUE" ctl disk add g $dir/a.img red
refuse "a bridge that there is not" "no bridge br9" ctl net add g bridge=br9
refuse "a NIC without either" "none of Bridge=, Address= and User=yes" ctl net add g VHost=no
refuse "a folder that is none" "not a folder" ctl share add g $dir/a.img
refuse "an ID that there is not" "no disk '63'" ctl disk rm g 63
refuse "the console" "no disk '2'" ctl disk rm g 2
refuse "a NIC as a disk" "no disk 'sg-g-0'" ctl disk rm g sg-g-0
refuse "a guest that there is not" "no such guest" ctl disk add h $dir/a.img
check "nothing has changed" [ "$(names)" = "$before_names" ]
check "no file is locked" is_free $dir/a.img
for ((i = 1; i < 16; i++)); do
	truncate -s 1M "$dir/n$i.img"
	ctl disk add g "$dir/n$i.img" >/dev/null
done
refuse "a disk more than it can have" "more than 16 disks" ctl disk add g $dir/a.img
check "all of them are there" comes /dev/vdp
for ((i = 1; i < 16; i++)); do
	ctl disk rm g "$dir/n$i.img" || say "n$i.img"
done
check "and go again" has_not /dev/vdb

# ---- under load
check "a disk is added" eval "ctl disk add g $dir/a.img && ctl disk add g $dir/c.img && comes /dev/vdc"
in_guest 1 "(while :; do dd if=/dev/zero of=/dev/vdb bs=64K oflag=direct count=128 || break; done;
	: >/run/ended) >/dev/null 2>&1 &"
iperf3 --server --daemon
in_guest 1 "(ping -i 0.002 10.9.2.1 & iperf3 -t 100 -c 10.9.3.1) >/dev/null 2>&1 &"
check "the guest's heart beats" beats g
check "while it is written to it is removed" ctl disk rm --force g $dir/a.img
check "who wrote to it gets an error" comes /run/ended
check "its file is free" is_free $dir/a.img
check "both NICs are removed" eval 'ctl net rm g 10.9.2.1/24 && ctl net rm g sg-g-2'
check "the guest has the first one alone" [ "$(in_guest 1 'ls /sys/class/net' | xargs)" = "eth0 lo" ]
check "their other ends are gone" [ "$(host_links)" = "$links" ]
pkill -x iperf3

# ---- another sigmad
before_names=$(names)
check "sigmad is killed" kill_sigmad
refuse "then nothing can be added" "sigmad is gone" ctl disk add g $dir/b.img
check "another one takes over" ctl start g
check "with what is there" eval 'wait_guest 1 && [ "$(names)" = "$before_names" ]'
check "its disk works" in_guest 1 "dd if=/run/data of=/dev/vdc bs=64K conv=fsync status=none"
check "in the right file" [ "$(head -c $MIB $dir/c.img | sum)" = "$wrote" ]
check "it is removed" ctl disk rm g $dir/c.img
check "another one is added" eval "ctl disk add g $dir/b.img && comes /dev/vdb"
check "its share is mounted anew" \
	until_true 20 in_guest 1 "umount -l /run/stuff; mount -t virtiofs stuff /run/stuff"
in_guest 1 "(while cat /run/stuff/note; do :; done; : >/run/not_read) >/dev/null 2>&1 &"
check "while it is read from it is removed" ctl share rm g $things
check "who read gets an error" comes /run/not_read
check "no virtiofsd is left" until_true 10 no_servers

# ---- its next kernel
in_guest 1 "(sleep 1; echo b >/proc/sysrq-trigger) >/dev/null 2>&1 &"
sleep 2
check "the guest restarts" eval 'wait_state g running && wait_guest 1'
check "it has what it had" has /dev/vdb
check "stops" ctl stop g
check "its file is free" is_free $dir/b.img
check "all is back" host_is_as_before
finish
