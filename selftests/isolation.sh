#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=2 mem=2G timeout=300 trace=memory_region_ops_* after=meter
#
# What of the host's hardware does the CPU of a guest touch that is not confined? The machine's
# outside knows (rig/meter); here the guest boots and works, with marks at its stations.

. "$(dirname "$0")/lib.sh"
need_sigma

PORT_80=128

# Three bytes to the diagnostic port, which nothing else in this machine writes like that
mark()
{
	perl -e "sysopen(my \$port, q(/dev/port), 1) or die \$!;
		 for (@ARGV) { sysseek(\$port, $PORT_80, 0); syswrite(\$port, chr) or die \$! }" \
		$((0x53)) $((0x47)) "$1"
}

guest g kernel=6.1 guard="${GUARD:-no}" cpus=cpu1 disk=/dev/vdb net=1
check "mark: to be started" mark 1
check "the guest starts" sigmactl start g
check "user space answers" wait_guest 1
check "mark: up" mark 2
check "it works: disk" in_guest 1 'dd if=/dev/zero of=/root/file bs=1M count=16 conv=fsync'
check "it works: network" ping -c 5 -i 0.2 10.9.1.2
check "it works: programs" in_guest 1 'for i in $(seq 50); do ls -l / >/dev/null; done'
check "it rests a while" sleep 5
check "mark: end" mark 3
check "it stops" sigmactl stop g
finish
