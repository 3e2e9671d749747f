#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=2 mem=2G timeout=700
#
# Twenty guests, one after the other, some stopped and some killed at any point of their
# boot: the host is the same before and after.

. "$(dirname "$0")/lib.sh"
need_sigma

: "${CYCLES:=20}"

# The guest of a job, of which a signal asks the end: it switches itself off, or this fails
run_until()
{
	local job
	sigmactl run g </dev/null >/tmp/job 2>&1 &
	job=$!
	until_true 60 eval '! is_gone g' && wait_logged g 'guest-rc: up' && kill -"$1" $job
	wait $job
}

# Each fifth is let boot to user space and asked to power off; the others are killed after a
# different while each.
cycle()
{
	case $1 in
	10)	run_until TERM && is_gone g; return ;;
	20)	run_until INT && is_gone g; return ;;
	esac
	sigmactl start g || return
	if [ $(($1 % 5)) = 0 ]; then
		wait_logged g 'guest-rc: up' && sigmactl stop g || return
	else
		sleep "$(($1 % 4)).$(($1 % 10))"
		sigmactl kill g || return
	fi
	wait_gone g
}

guest g disk=/dev/vdb memory=128M
# The first one has the host load modules and grow caches that it keeps
check "first start and stop" cycle 0
remember_host
for i in $(seq $CYCLES); do
	check "cycle $i of $CYCLES" cycle "$i" || break
done
check "online CPUs, iomem, memory, module users as before" host_is_as_before
check "the module can be unloaded" rmmod sigma
check "and loaded again" modprobe sigma
finish
