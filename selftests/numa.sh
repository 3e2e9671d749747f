#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=4,sockets=2,cores=2 mem=3G timeout=400 append=maxcpus=2 append=tsc=reliable qemu=-object qemu=memory-backend-ram,id=m0,size=1536M qemu=-object qemu=memory-backend-ram,id=m1,size=1536M qemu=-numa qemu=node,nodeid=0,cpus=0-1,memdev=m0 qemu=-numa qemu=node,nodeid=1,cpus=2-3,memdev=m1
#
# A host with two NUMA nodes that has booted with maxcpus=2: the CPUs of the second node were never
# online. They are lent first, with memory of their node, and stay offline. A guest with CPUs of both
# nodes sees both.

. "$(dirname "$0")/lib.sh"
need_sigma

can_lend() { [ "$(cat /sys/class/sigma/control/cpus_lendable)" = "$1" ]; }
new_cpus() { dmesg | grep -c "was never online; the host brings it up once"; }
# Of the nodes, only the second one has memory above 4 GiB, whose addresses have nine digits
is_above_4g() { grep "SIGMA guest g" /proc/iomem | awk 'length($1) < 19 { bad = 1 } END { exit bad || !NR }'; }
is_below_4g() { grep "SIGMA guest g" /proc/iomem | awk 'length($1) > 18 { bad = 1 } END { exit bad || !NR }'; }
nodes_in_guest() { in_guest 1 "ls -d /sys/devices/system/node/node[0-9]* | wc -l"; }
stops() { sigmactl stop g && wait_gone g; }

remember_host
check "CPUs 2 and 3 are offline, and can be lent" \
	eval '[ "$(online)" = 0-1 ] && can_lend 1-3'
check "sigmactl check says so" eval 'sigmactl check | grep "3 can be lent: 1-3; offline, and lent first: 2-3"'

guest g cpus=2 disk=/dev/vdb net=1
check "a guest starts" sigmactl start g
check "it gets the CPUs that are offline" [ "$(cat /sys/class/sigma/g/cpus)" = 2,3 ]
check "they stay offline on the host" [ "$(online)" = 0-1 ]
check "the host has brought each up once" [ "$(new_cpus)" = 2 ]
check "its memory is of their node" is_above_4g
check "it answers, and has two CPUs" eval 'wait_guest 1 && [ "$(in_guest 1 nproc)" = 2 ]'
check "it has one node" [ "$(nodes_in_guest)" = 1 ]
check "it stops, and its CPUs are offline as before" eval 'stops && host_is_as_before'
check "CPU 3 can be onlined and taken offline" eval 'chcpu -e 3 && chcpu -d 3'

# ---- NUMANode=
guest g cpus=1 memory=512M numa=0 disk=/dev/vdb net=1
check "a guest starts on the node of NUMANode=, though the other one has CPUs that are offline" \
	eval 'sigmactl start g && [ "$(cat /sys/class/sigma/g/cpus)" = 1 ]'
check "its memory is of that node" is_below_4g
check "it stops" stops
guest g cpus=2 numa=0 disk=/dev/vdb
refuse "a node with too few CPUs is refused" \
	"cannot lend 2 CPUs: of the CPUs of NUMA node 0 .0-1. the core of cpu 0 stays" sigmactl start g
guest g cpus=cpu1 numa=1 disk=/dev/vdb
refuse "so is a CPU of another node" "g.guest:[0-9]+: NUMANode=1: cpu 1 of CPUs= is not of that node" \
	sigmactl start g
guest g cpus=1 numa=7 disk=/dev/vdb
refuse "so is a node that is not there" "NUMANode=7: .* it has the NUMA nodes 0-1" sigmactl start g
guest g cpus=1 memory=1600M numa=1 disk=/dev/vdb
refuse "so is a node with too little memory" \
	"cannot gather 1600 MiB of memory: the NUMA node of cpu 3 has [0-9]+ MiB" sigmactl start g
check "the refused starts took nothing" host_is_as_before

guest g cpus=cpu1,cpu3 disk=/dev/vdb net=1
check "a guest with CPUs of both nodes starts, and answers" eval 'sigmactl start g && wait_guest 1'
check "no CPU was brought up again" [ "$(new_cpus)" = 2 ]
check "it has two nodes" [ "$(nodes_in_guest)" = 2 ]
check "its CPUs are of two nodes" in_guest 1 \
	'cd /sys/devices/system/cpu && [ "$(echo cpu0/node*)" != "$(echo cpu1/node* | sed s/cpu1/cpu0/)" ]'
check "its kernel takes the table" eval 'sigmactl log g >/tmp/log && ! grep "nodes only cover" /tmp/log'
check "it stops, and the host is as before" eval 'stops && host_is_as_before'

check "the module is unloaded, and the CPUs are offline" eval 'rmmod sigma && [ "$(online)" = 0-1 ]'
check "the host onlines them" eval 'chcpu -e 2,3 && [ "$(online)" = 0-3 ]'
finish
