#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=2G timeout=240 qemu=-blockdev qemu=driver=null-co,node-name=nv,size=67108864,read-zeroes=on qemu=-device qemu=nvme,drive=nv,serial=sigma
#
# An NVMe disk has a queue and a managed interrupt for each CPU of the host. When a CPU is lent, the
# kernel shuts its queue and interrupt down, and the disk must work on all CPUs that are left, and
# again on each CPU that comes back.

. "$(dirname "$0")/lib.sh"
need_sigma

disk=/dev/nvme0n1
online_cpus() { seq 0 2 | while read -r cpu; do taskset -c "$cpu" true 2>/dev/null && echo "$cpu"; done; }
read_on() { within 20 taskset -c "$1" dd if=$disk of=/dev/null bs=64k count=64 iflag=direct; }
has_queues() { [ "$(ls -d /sys/block/nvme0n1/mq/*/ | wc -l)" -ge 3 ]; }

check "the host has an NVMe disk" eval 'modprobe nvme && until_true 20 test -b $disk'
check "the NVMe disk has a queue for each CPU" has_queues
remember_host
for cpu in $(online_cpus); do
	check "before the start, CPU $cpu reads the disk" read_on "$cpu"
done

# This process reads during the whole test
(while :; do dd if=$disk of=/dev/null bs=64k count=256 iflag=direct 2>/dev/null || exit 1; done) &
reader=$!
guest g cpus=cpu1,cpu2 disk=/dev/vdb
check "a guest with CPUs 1 and 2 starts" sigmactl start g
check "the guest's user space is up" wait_logged g "guest-rc: up"
for cpu in $(online_cpus); do
	check "while the guest runs, CPU $cpu reads the disk" read_on "$cpu"
done
check "the guest stops" eval 'sigmactl stop g && wait_gone g'
for cpu in $(online_cpus); do
	check "after the stop, CPU $cpu reads the disk" read_on "$cpu"
done
check "three CPUs are online again" [ "$(online_cpus | wc -l)" = 3 ]
check "no read of the background process failed" kill -0 $reader
kill $reader
check "the host has the CPUs and the memory back" host_is_as_before
finish
