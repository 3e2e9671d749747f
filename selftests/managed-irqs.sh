#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=2G timeout=240 qemu=-blockdev qemu=driver=null-co,node-name=nv,size=67108864,read-zeroes=on qemu=-device qemu=nvme,drive=nv,serial=sigma
#
# An NVMe disk has a queue and a managed interrupt for each CPU of the host. Those of a CPU that is
# lent go with it, and the disk works on from every CPU that is left; when the CPU is back, from
# there too.

. "$(dirname "$0")/lib.sh"
need_sigma

disk=/dev/nvme0n1
online_cpus() { seq 0 2 | while read -r cpu; do taskset -c "$cpu" true 2>/dev/null && echo "$cpu"; done; }
read_on() { timeout 20 taskset -c "$1" dd if=$disk of=/dev/null bs=64k count=64 iflag=direct; }
has_queues() { [ "$(ls -d /sys/block/nvme0n1/mq/*/ | wc -l)" -ge 3 ]; }

check "the host has an NVMe disk" eval 'modprobe nvme && until_true 20 test -b $disk'
check "with a queue for each CPU" has_queues
remember_host
for cpu in $(online_cpus); do
	check "before: it is read on CPU $cpu" read_on "$cpu"
done

# All the while somebody reads
(while :; do dd if=$disk of=/dev/null bs=64k count=256 iflag=direct 2>/dev/null || exit 1; done) &
reader=$!
guest g cpus=cpu1,cpu2 disk=/dev/vdb
check "a guest takes CPUs 1 and 2" sigmactl start g
check "user space is up" wait_logged g "guest-rc: up"
for cpu in $(online_cpus); do
	check "meanwhile: it is read on CPU $cpu" read_on "$cpu"
done
check "the guest stops" eval 'sigmactl stop g && wait_gone g'
for cpu in $(online_cpus); do
	check "after: it is read on CPU $cpu" read_on "$cpu"
done
check "three CPUs are online again" [ "$(online_cpus | wc -l)" = 3 ]
check "nobody's read failed" kill -0 $reader
kill $reader
check "CPUs and memory are back" host_is_as_before
finish
