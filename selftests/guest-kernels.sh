#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=2 mem=2G timeout=400
#
# Stock guest kernels of three series, unmodified, one after the other on the same core. A disk, a
# NIC and a share come to each, and go.

. "$(dirname "$0")/lib.sh"
need_sigma

image=/var/lib/sigma/a.img
things=/srv/things
mkdir -p ${image%/*} $things
truncate -s 1M $image
echo "from the host" >$things/note
finds() { until_true 20 in_guest 1 "test -e /dev/vdb -a -e /sys/class/net/eth1"; }
mounts() { until_true 20 in_guest 1 "mkdir -p /run/things && mount -t virtiofs things /run/things"; }
has_lost() { in_guest 1 "test ! -e /dev/vdb -a ! -e /sys/class/net/eth1 && ! mount -t virtiofs things /run/things"; }

remember_host

for kernel in 6.1 6.12 7.2; do
	version=$(kernel_version $kernel)
	guest g kernel=$kernel disk=/dev/vdb net=1
	check "$kernel: starts" sigmactl start g
	check "$kernel: its driver is up" wait_state g running
	check "$kernel: reports $version" [ "$(cat /sys/class/sigma/g/release)" = "$version" ]
	check "$kernel: user space answers over the network" wait_guest 1
	check "$kernel: runs $version" [ "$(in_guest 1 'uname -r')" = "$version" ]
	check "$kernel: root is on the disk" in_guest 1 'findmnt -n -o SOURCE / | grep -qx /dev/vda'
	check "$kernel: a disk, a NIC and a share are added" eval 'sigmactl disk add g $image &&
		sigmactl net add g address=10.9.2.1/24 && sigmactl share add g $things'
	check "$kernel: the guest finds them" eval 'finds && mounts'
	check "$kernel: it writes to the disk, and reads in the share" in_guest 1 "
		cat /run/things/note >/dev/vdb && umount /run/things"
	check "$kernel: they are removed" eval 'sigmactl disk rm g $image &&
		sigmactl net rm g sg-g-1 && sigmactl share rm g things'
	check "$kernel: the guest has them no longer" has_lost
	check "$kernel: what it wrote is in the file" eval 'head -n 1 $image | cmp - $things/note'
	truncate -s 0 $image && truncate -s 1M $image
	check "$kernel: stops" sigmactl stop g
	check "$kernel: is gone" wait_gone g
done
check "CPUs and memory are back" host_is_as_before
finish
