#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=2G timeout=240 kernel=7.2 append=setcpuid=hw_pstate
#
# While a CPU is lent nobody takes it, unloads the module or puts the machine to sleep; each is
# refused with a reason.
#
# The host takes its CPUs for such that are asked for speed by AMD's PERF_CTL, so that what starts
# a lent CPU does write a register for that; the emulated ones have none that would tell.

. "$(dirname "$0")/lib.sh"
need_sigma
remember_host

control=/sys/devices/system/cpu/cpu2/online
online_it() { echo 1 >$control; }
sleep_now() { echo freeze >/sys/power/state; }
logged() { dmesg | grep "$1" >/dev/null; }

guest g kernel=6.1 cpus=cpu2 disk=/dev/vdb net=1
check "starts on cpu 2" sigmactl start g
check "cpu 2 is not the host's" [ "$(online)" = 0-1 ]
refuse "onlining cpu 2 while it boots" "invalid argument" online_it
check "user space answers" wait_guest 1
check "cpu 2 asked for its highest performance" \
	logged "cpu 2: asks for its highest performance, by MSR 0xc0010062"
check "a report for bug reports has the guest, and what was said of it" eval \
	'sigmactl check --report >/tmp/report; grep "^guest g: running, CPUs 2, " /tmp/report &&
	grep "sigma: cpu 2: lent" /tmp/report && grep "SIGMA guest g$" /tmp/report &&
	grep "^ok .*cpus " /tmp/report'
refuse "onlining cpu 2" "invalid argument" online_it
refuse "chcpu -e 2" "" chcpu -e 2
check "the kernel log says why" logged "cpu 2: lent; the host .*cannot online it"
refuse "unloading the module" "in use" rmmod sigma
refuse "suspend" "busy" sleep_now
check "the kernel log says why" logged "cannot sleep while a guest exists"
check "all CPUs are online again after that" [ "$(online)" = 0-1 ]
guest h cpus=cpu2 disk=/dev/vdc
refuse "lending cpu 2 again" "cpu 2: is lent" sigmactl start h
guest h cpus=cpu0 disk=/dev/vdc
refuse "lending cpu 0" "cpu 0" sigmactl start h
guest h cpus=cpu9 disk=/dev/vdc
refuse "lending a cpu that isn't there" "cpu 9" sigmactl start h
guest h cpus=2 disk=/dev/vdc
refuse "lending more than there are" "" sigmactl start h
check "the guest noticed nothing" eval 'beats g && in_guest 1 true'
check "stops" sigmactl stop g
check "is gone" wait_gone g
check "CPUs and memory are back" host_is_as_before
finish
