#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=2 mem=2G timeout=300 trace=memory_region_ops_* after=meter
#
# The isolation meter: rig/meter finds in a trace of QEMU how an unguarded guest's CPU touches the
# host's hardware. Here the guest boots and works; marks in the trace divide its phases.

. "$(dirname "$0")/lib.sh"
need_sigma

PORT_80=128

# Write three bytes to the diagnostic port, a sequence that nothing else in this machine writes
mark()
{
	perl -e "sysopen(my \$port, q(/dev/port), 1) or die \$!;
		 for (@ARGV) { sysseek(\$port, $PORT_80, 0); syswrite(\$port, chr) or die \$! }" \
		$((0x53)) $((0x47)) "$1"
}

guest g kernel=6.1 guard="${GUARD:-no}" cpus=cpu1 disk=/dev/vdb net=1
check "the trace is marked before the start" mark 1
check "the guest starts" sigmactl start g
check "the guest's user space answers" wait_guest 1
check "the trace is marked when user space is up" mark 2
check "the guest writes 16 MiB to its disk" \
	in_guest 1 'dd if=/dev/zero of=/root/file bs=1M count=16 conv=fsync'
check "the guest answers pings" ping -c 5 -i 0.2 10.9.1.2
check "the guest runs programs" in_guest 1 'for i in $(seq 50); do ls -l / >/dev/null; done'
check "the guest idles for 5 s" sleep 5
check "the trace is marked before the stop" mark 3
check "the guest stops" sigmactl stop g
finish
