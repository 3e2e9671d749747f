#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=2G timeout=300
#
# The guest's PTP clock shows the host's time, also when the host's clock is stepped and while its
# rate is steered. chrony in the guest sets the guest's own clock by it.

. "$(dirname "$0")/lib.sh"
need_sigma

program=/usr/lib/sigma-rig/clock
size=$(stat -c %s $program)
clocksource=/sys/devices/system/clocksource/clocksource0/current_clocksource
STEP=600		# seconds
ESTIMATED=1000000	# ns of error where the host does not count by the TSC
STEERED=6553600		# 100 ppm, in the units of adjtimex(2)

# The guest's root file system lacks the program, so it comes as a disk
bring_program() { in_guest 1 "head -c $size /dev/vdb >/run/clock && chmod +x /run/clock"; }
host_now() { $program read realtime; }
guest_now() { in_guest 1 "/run/clock $1 $ptp"; }

# same_time VERB [NS]: the guest's reading lies between two of the host, in the order of the TSC
same_time()
{
	local first reading last
	# shellcheck disable=SC2086 # three numbers each
	first=$(host_now) && reading=$(guest_now "$1" | cut -d ' ' -f 1-3) && last=$(host_now) &&
		echo "host $first, guest $reading, host $last" &&
		$program compare $first $reading $last "${2:-0}"
}

# offset_by VERB FIELD: ns that the guest's own clock is ahead of its PTP clock
offset_by() { guest_now "$1" | awk -v field="$2" '{ print $field }'; }
near() { [ $(($1 - $2)) -lt "$3" ] && [ $(($2 - $1)) -lt "$3" ]; }
guest_is_off()
{
	local off
	off=$(offset_by cross 4 | tr -d -)
	[ "$off" -gt "$1" ] && [ "$off" -lt "$2" ]
}
chrony_follows() { in_guest 1 "chronyc -n waitsync 40 0.0005 0 0.5"; }

cp $program /run/program.disk && truncate -s 1M /run/program.disk
check "the host counts by the TSC" [ "$(cat $clocksource)" = tsc ]
remember_host
guest g ${KERNEL:+kernel=$KERNEL} disk=/dev/vdb disk=/run/program.disk net=1
check "the guest starts" sigmactl start g
check "the guest's user space answers" wait_guest 1
check "the guest has a PTP clock" eval '
	ptp=/dev/$(in_guest 1 "grep -lx sigma /sys/class/ptp/*/clock_name" | cut -d / -f 5) &&
	in_guest 1 "test -c $ptp"'
check "the guest copies the program from its disk" bring_program

check "the PTP clock shows the host's time" same_time read
check "cross-timestamps show the host's time" same_time cross
by_cross=$(offset_by cross 4)
read -r by_turns width <<<"$(guest_now offset)"
check "cross-timestamps and alternating reads give the same offset of the guest's clock" \
	near "$by_cross" "$by_turns" "$width"
refuse "the PTP clock cannot be set" "not supported" guest_now set

busybox adjtimex -q -f $STEERED
check "cross-timestamps follow a host whose clock runs faster" until_true 10 same_time cross
check "the PTP clock shows the time of a host whose clock runs faster" same_time read
busybox adjtimex -q -f -$STEERED
check "cross-timestamps follow a host whose clock runs slower" until_true 10 same_time cross
busybox adjtimex -q -f 0
check "cross-timestamps follow a host whose clock is no longer steered" \
	until_true 10 same_time cross
now=$(date +%s)
date -s "@$((now + STEP))" >/dev/null
check "cross-timestamps follow a step of the host's clock at once" same_time cross
check "the PTP clock follows the step, too" same_time read
date -s "@$((now - STEP))" >/dev/null
check "cross-timestamps follow the step back" same_time cross

echo hpet >$clocksource
refuse "cross-timestamps are refused while the host does not count by the TSC" "not supported" \
	guest_now cross
check "the PTP clock shows the host's time all the same" same_time read $ESTIMATED
echo tsc >$clocksource
check "cross-timestamps work when the host counts by the TSC again" same_time cross

# An error too small for sigma_guest.ko to correct by itself, however long date(1) takes
goes_wrong()
{
	in_guest 1 "date -s @\$(/run/clock read $ptp | awk '{ printf \"%.6f\", \$2 / 1e9 - 0.2 }')" &&
		guest_is_off 100000000 500000000
}
check "the PTP clock shows that the guest's clock was set wrong" until_true 20 goes_wrong
check "chrony starts in the guest" in_guest 1 "
	echo 'refclock PHC $ptp poll 0 dpoll -2' >/run/chrony.conf && chronyd -f /run/chrony.conf"
check "chrony sets the guest's clock by the PTP clock" chrony_follows
say "$(in_guest 1 "chronyc -n tracking")"
check "the guest's clock is within 1 ms of the host's" near "$(offset_by cross 4)" 0 1000000
check "the guest is killed" eval 'sigmactl kill g && wait_gone g'
check "the host has everything back" host_is_as_before
finish
