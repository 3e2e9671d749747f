#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=2 mem=1G timeout=300
#
# Whichever step of loading the module or of making a guest fails, everything that was taken before
# is given back: see kmod/fault.h. At the end nothing fails, and a guest runs.

. "$(dirname "$0")/lib.sh"
need_sigma

fail_nth=/sys/module/sigma/parameters/fail_nth
STEPS_MAX=40

# What modprobe says does not matter: a load that was to fail has failed, and left nothing
loads_fail()
{
	local n
	for ((n = 1; n < STEPS_MAX; n++)); do
		! modprobe sigma fail_nth=$n 2>/dev/null || break
		[ ! -e /sys/module/sigma ] || return
	done
	echo "$((n - 1)) steps have failed"
	[ "$(<$fail_nth)" -gt 0 ] && [ $n -gt 1 ] && echo 0 >$fail_nth
}

starts_fail()
{
	local n
	for ((n = 1; n < STEPS_MAX; n++)); do
		echo $n >$fail_nth
		! sigmactl start g 2>/dev/null || break
		echo "step $n has failed, $(<$fail_nth) to go, g: $(state g)"
		[ "$(<$fail_nth)" = 0 ] || return
		[ "$(state g)" = none ] || return
		host_is_as_before || return
	done
	echo "$((n - 1)) steps have failed"
	[ "$(<$fail_nth)" -gt 0 ] && [ $n -gt 1 ] && echo 0 >$fail_nth
}

rmmod sigma
check "no step of loading the module leaves anything when it fails" loads_fail
guest g disk=/dev/vdb memory=128M
remember_host
check "no step of making a guest leaves anything when it fails" starts_fail
check "the guest runs after that" wait_logged g "guest-rc: up"
check "the guest is killed" eval 'sigmactl kill g && wait_gone g'
check "the host has the CPUs and the memory back" host_is_as_before
check "the module is unloaded: nothing holds it" rmmod sigma
finish
