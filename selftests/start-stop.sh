#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=2 mem=2G timeout=500
#
# Ten guests, one after the other, stopped or killed at various points of their boot. The host
# is the same before and after.

. "$(dirname "$0")/lib.sh"
need_sigma

: "${CYCLES:=10}"

# run_until SIGNAL: send it to the sigmactl run of a guest that is up, which must power itself off
run_until()
{
	local job
	sigmactl run g </dev/null >/tmp/job 2>&1 &
	job=$!
	until_true 60 eval '! is_gone g' && wait_logged g 'guest-rc: up' && kill -"$1" $job
	wait $job
}

# cycle N: the one before the others boots to user space and is stopped, and so are two of the others,
# by a signal to sigmactl run. The rest are killed, each after a different time.
cycle()
{
	case $1 in
	5)	run_until TERM && is_gone g; return ;;
	10)	run_until INT && is_gone g; return ;;
	esac
	sigmactl start g || return
	if [ "$1" = 0 ]; then
		wait_logged g 'guest-rc: up' && sigmactl stop g || return
	else
		sleep "$(($1 % 4)).$(($1 % 10))"
		sigmactl kill g || return
	fi
	wait_gone g
}

guest g disk=/dev/vdb memory=128M
# During the first cycle the host loads modules and grows caches that it keeps
check "the first guest starts and stops" cycle 0
remember_host
for i in $(seq "$CYCLES"); do
	check "cycle $i of $CYCLES: the guest starts and ends" cycle "$i" || break
done
check "online CPUs, iomem, memory and module users are as before" host_is_as_before
check "the module can be unloaded" rmmod sigma
check "the module can be loaded again" modprobe sigma
finish
