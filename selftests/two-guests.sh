#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=4 mem=3G timeout=300
#
# Two guests at once: neither knows of the other, and one's end is not the other's.

. "$(dirname "$0")/lib.sh"
need_sigma
remember_host

guest a disk=/dev/vdb net=1
guest b kernel=6.12 disk=/dev/vdc net=2
lists() { sigmactl list | awk -v name="$1" '$1 == name { found = 1 } END { exit !found }'; }
overlap() { cat /sys/class/sigma/{a,b}/segments | sort | uniq -d | grep -q .; }

check "a starts" sigmactl start a
check "b starts while a boots" sigmactl start b
check "a is up" wait_guest 1
check "b is up" wait_guest 2
check "a runs on a CPU that b doesn't" \
	[ "$(cat /sys/class/sigma/a/cpus)" != "$(cat /sys/class/sigma/b/cpus)" ]
check "their memory does not overlap" eval "! overlap"
check "a is listed" lists a
check "b is listed" lists b
refuse "a disk in use is not lent twice" 'vdb' sigmactl start \
	"$(guest c disk=/dev/vdb; echo c)"
refuse "a cannot be started twice" 'already|exist|run' sigmactl start a
check "a and b answer, each as itself" eval \
	'[ "$(in_guest 1 "uname -r")" != "$(in_guest 2 "uname -r")" ]'
check "a is killed" sigmactl kill a
check "a is gone" wait_gone a
check "b's heart beats on" beats b
check "b still answers" in_guest 2 true
check "a starts again" sigmactl start a
check "a is up again" wait_guest 1
check "b did not notice" in_guest 2 true
check "a stops" sigmactl stop a
check "b stops" sigmactl stop b
check "both are gone" eval 'wait_gone a && wait_gone b'
check "CPUs and memory are back" host_is_as_before
finish
