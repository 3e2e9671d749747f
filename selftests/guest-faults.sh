#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=2 mem=1G timeout=600 by-name=yes
#
# Each step of sigma_guest.ko fails once, in a guest of its own: see kmod/shared/fault.h. The guest says
# so, and says what it lacks; the host gets everything back. Takes a boot for each step.

. "$(dirname "$0")/lib.sh"
need_sigma

STEPS_MAX=60

guest_log() { sigmactl log --memory g 2>/dev/null; }
has_failed() { guest_log | grep "fail_nth: the step at" >/dev/null; }
failed_or_up() { guest_log | grep -E "fail_nth: the step at|guest-rc: up" >/dev/null; }
says_it() { guest_log | sed '1,/fail_nth: the step at/d' | grep -E "error -12|ENOMEM|Cannot allocate memory"; }
step() { guest_log | sed -n 's/.*fail_nth: the step at \([^ ]*\) .*/\1/p'; }

# A first guest has the host load modules and grow caches that it keeps
guest g memory=128M disk=/dev/vdb
check "a guest without a fault runs" eval 'sigmactl start g && wait_logged g "guest-rc: up"'
check "the guest is killed" eval 'sigmactl kill g && wait_gone g'
remember_host

seen=" "
for ((n = 1; n < STEPS_MAX; n++)); do
	guest g memory=128M disk=/dev/vdb append=sigma_guest.fail_nth=$n
	check "step $n: a guest starts" sigmactl start g
	check "step $n: the step fails" until_true "$GUEST_BOOT" failed_or_up
	has_failed || break
	at=$(step)
	check "step $n: the guest says that it lacks what $at takes" until_true 30 says_it
	say "$(says_it | tail -n 1)"
	check "step $n: the guest is killed, and the host has everything back" \
		eval 'sigmactl kill g && wait_gone g && host_is_as_before'
	# The steps of the next queue, and of the next device, are the same
	[[ $at != @(*queue*|*vqs*) || $seen != *" $at "* ]] || break
	seen+="$at "
done
check "the steps up to those of a second queue have failed" [ -n "${at:-}" ]
is_gone g || check "the last guest is killed" eval 'sigmactl kill g && wait_gone g'
check "the host has everything back" host_is_as_before
finish
