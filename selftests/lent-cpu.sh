#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=2G timeout=240 kernel=7.2 append=setcpuid=hw_pstate
#
# While a CPU is lent, nobody can online it, unload the module or suspend the machine; each is
# refused with a reason.
#
# setcpuid=hw_pstate makes the host believe that its CPUs have AMD's PERF_CTL, so that starting a
# lent CPU writes that register. The emulated CPUs announce no such interface.

. "$(dirname "$0")/lib.sh"
need_sigma
remember_host

control=/sys/devices/system/cpu/cpu2/online
online_it() { echo 1 >$control; }
sleep_now() { echo freeze >/sys/power/state; }
logged() { dmesg | grep "$1" >/dev/null; }

guest g kernel=6.1 cpus=cpu2 disk=/dev/vdb net=1
sed -i 's/^CPUs=.*/&\nSuspend=refuse/' /etc/sigma/g.guest
check "a guest on CPU 2 starts" sigmactl start g
check "CPU 2 is not online in the host" [ "$(online)" = 0-1 ]
refuse "onlining CPU 2 while the guest boots is refused" "invalid argument" online_it
check "the guest's user space answers" wait_guest 1
check "CPU 2 asked for its highest performance when it was lent" \
	logged "cpu 2: asks for its highest performance, by MSR 0xc0010062"
check "sigmactl check --report has the guest, its log lines and the checks" eval \
	'sigmactl check --report >/tmp/report; grep "^guest g: running, CPUs 2, " /tmp/report &&
	grep "sigma: cpu 2: lent" /tmp/report && grep "SIGMA guest g$" /tmp/report &&
	grep "^ok .*cpus " /tmp/report'
refuse "onlining CPU 2 while the guest runs is refused" "invalid argument" online_it
refuse "chcpu -e 2 is refused" "" chcpu -e 2
check "the kernel log says why CPU 2 stays offline" \
	logged "cpu 2: lent; the host .*cannot online it"
refuse "unloading the module is refused" "in use" rmmod sigma
refuse "suspend is refused" "busy" sleep_now
check "the kernel log says why the machine cannot sleep" logged "cannot sleep: guest g: it is to run on"
check "all CPUs of the host are online after the refused suspend" [ "$(online)" = 0-1 ]
guest h cpus=cpu2 disk=/dev/vdc
refuse "a second guest is refused CPU 2" "cpu 2: is lent" sigmactl start h
guest h cpus=cpu0 disk=/dev/vdc
refuse "a guest is refused CPU 0" "cpu 0" sigmactl start h
guest h cpus=cpu9 disk=/dev/vdc
refuse "a guest is refused a CPU that does not exist" "cpu 9" sigmactl start h
guest h cpus=2 disk=/dev/vdc
refuse "a guest is refused more CPUs than can be lent" "" sigmactl start h
check "the first guest goes on through all of that" eval 'beats g && in_guest 1 true'
check "the guest stops" sigmactl stop g
check "the guest is gone" wait_gone g
check "the host has the CPUs and the memory back" host_is_as_before
finish
