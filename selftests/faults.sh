#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=2 mem=1G timeout=400 append=memmap=64M$0x30000000
#
# Whichever step fails of loading the module, of making a guest, of using its device or of adding
# memory to the pool, everything that was taken before is given back: see kmod/shared/fault.h. At the
# end nothing fails, and a guest runs. What fails in a guest is in guest-faults.sh.

. "$(dirname "$0")/lib.sh"
need_sigma

fail_nth=/sys/module/sigma/parameters/fail_nth
STEPS_MAX=60
FIRST_DOORBELL=8
program=/usr/lib/sigma-rig/ioctls

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

# each_fails FIRST LEFT COMMAND...: the command fails with each of its steps, from the FIRST on, and
# the command LEFT finds nothing of it. At last it has so few steps that it succeeds; $n is one more.
each_fails()
{
	local first=$1 left=$2
	shift 2
	for ((n = first; n < STEPS_MAX; n++)); do
		echo $n >$fail_nth
		! "$@" 2>/dev/null || break
		echo "step $n has failed, $(<$fail_nth) to go"
		[ "$(<$fail_nth)" = 0 ] && "$left" || return
	done
	echo "steps $first to $((n - 1)) have failed"
	[ "$(<$fail_nth)" -gt 0 ] && [ $n -gt "$first" ] && echo 0 >$fail_nth
}

creates() { $program create g $((64 << 20)) 0 0 1 1; }
no_guest() { [ "$(state g)" = none ] && host_is_as_before; }
guest_as_before() { [ "$(state g)" = created ]; }
no_pool() { [ "$(pool_size)" = 0 ] && host_is_as_before; }
pool_size() { cat /sys/class/sigma/control/pool_size; }

rmmod sigma
check "no step of loading the module leaves anything when it fails" loads_fail
remember_host
check "no step of making a guest leaves anything when it fails" each_fails 1 no_guest creates
made=$n
check "no step of using a guest's device leaves anything when it fails" \
	each_fails 1 guest_as_before $program use g $FIRST_DOORBELL
check "the guest is destroyed: nothing holds it" $program destroy g
check "the host has the CPU and the memory back" host_is_as_before

check "no step of adding memory to the pool leaves anything when it fails" \
	each_fails 1 no_pool sigmactl pool add 64M@0x30000000
check "the pool has the memory at last" [ "$(pool_size)" = $((64 << 20)) ]

# What the host has had it may need a moment later, so this guest's places are of the pool
remember_host
check "a guest is made of the pool" $program create g $((32 << 20)) 0 0 1 1
places=$($program where g)
check "it is destroyed" $program destroy g
# shellcheck disable=SC2086 # a list
creates_at() { $program create-at g $places; }
restores() { $program restore g 0 "$(cut -d " " -f 4 <<<"$places")"; }
check "no step of making a guest where it was leaves anything when it fails" each_fails 1 no_guest creates_at
check "it is where it was" [ "$($program where g)" = "$places" ]
check "no step of restoring it leaves anything when it fails" each_fails 1 guest_as_before restores
check "it is asleep" [ "$(state g)" = asleep ]
check "the guest is destroyed: nothing holds it" $program destroy g
check "the host has the CPU and the memory back" host_is_as_before
check "the module is unloaded, and loaded again without a pool" eval 'rmmod sigma && modprobe sigma'
remember_host

guest g disk=/dev/vdb memory=128M
# Behind the steps of making a guest: sigmad opens the guest's device, and asks what it got
sigmads_fail()
{
	local step
	for step in "$made" $((made + 1)); do
		echo "$step" >$fail_nth
		! sigmactl start g && [ "$(<$fail_nth)" = 0 ] && no_guest || return
	done
}
check "a sigmad that has made a guest and cannot use it leaves nothing" sigmads_fail
check "the guest runs after that" eval 'sigmactl start g && wait_logged g "guest-rc: up"'
check "the guest is killed" eval 'sigmactl kill g && wait_gone g'
check "the host has the CPUs and the memory back" host_is_as_before
check "the module is unloaded: nothing holds it" rmmod sigma
finish
