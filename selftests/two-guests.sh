#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=4 mem=3G timeout=300
#
# Two guests at once: they share nothing, and the end of one does not touch the other

. "$(dirname "$0")/lib.sh"
need_sigma
remember_host

# "memory" has a host that is left to SIGMA to zero
check "memory that the host's kernel has zeroed is zero" env POOL_START=0 POOL_SIZE=0 /usr/lib/sigma-rig/memory

guest a disk=/dev/vdb net=1
guest b kernel=6.12 disk=/dev/vdc net=2
lists() { sigmactl list | awk -v name="$1" '$1 == name { found = 1 } END { exit !found }'; }

both_start()
{
	sigmactl start a &
	sigmactl start b && wait $!
}
check "guests a and b start at the same time" both_start
check "the user space of a answers" wait_guest 1
check "the user space of b answers" wait_guest 2
check "a and b run on different CPUs" \
	[ "$(cat /sys/class/sigma/a/cpus)" != "$(cat /sys/class/sigma/b/cpus)" ]
check "the memory of a and b does not overlap" eval "! overlap a b"
check "sigmactl list shows a" lists a
check "sigmactl list shows b" lists b
refuse "a third guest is refused a disk that is in use" 'vdb' sigmactl start \
	"$(guest c disk=/dev/vdb; echo c)"
refuse "starting a again is refused" 'already|exist|run' sigmactl start a
check "a and b each run their own kernel" eval \
	'[ "$(in_guest 1 "uname -r")" != "$(in_guest 2 "uname -r")" ]'
of_a=$(cut -d , -f 1 /sys/class/sigma/a/cpus)
refuse "a third guest is refused a CPU that a has" 'lent to a guest already' sigmactl start \
	"$(guest c "cpus=cpu$of_a"; echo c)"
check "a is killed" sigmactl kill a
check "a is gone" wait_gone a
check "the heartbeat of b goes on" beats b
check "b still answers" in_guest 2 true
check "a starts again" sigmactl start a
check "the user space of a answers again" wait_guest 1
check "b still answers after the new start of a" in_guest 2 true
check "a stops" sigmactl stop a
check "b stops" sigmactl stop b
check "both guests are gone" eval 'wait_gone a && wait_gone b'
check "the host has the CPUs and the memory back" host_is_as_before
finish
