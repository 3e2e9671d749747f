#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=2G timeout=300 append=tsc=reliable
#
# The guest's PTP clock shows the host's time: at any moment, when the host's clock is stepped,
# and while its rate is steered. chrony in the guest keeps the guest's own clock by it.

. "$(dirname "$0")/lib.sh"
need_sigma

program=/usr/lib/sigma-rig/clock
size=$(stat -c %s $program)
clocksource=/sys/devices/system/clocksource/clocksource0/current_clocksource
STEP=600		# seconds
ESTIMATED=1000000	# ns by which a host may be off that only knows about how fast the TSC is
STEERED=6553600		# 100 ppm, in the units of adjtimex(2)

# The guests have no such program: it comes to them as a disk
bring_program() { in_guest 1 "head -c $size /dev/vdb >/run/clock && chmod +x /run/clock"; }
host_now() { $program read realtime; }
guest_now() { in_guest 1 "/run/clock $1 $ptp"; }

# same_time VERB [NS]: the guest's reading stands between two of the host, by the TSC that they share
same_time()
{
	local first reading last
	first=$(host_now) && reading=$(guest_now "$1" | cut -d ' ' -f 1-3) && last=$(host_now) &&
		echo "host $first, guest $reading, host $last" &&
		$program compare $first $reading $last "${2:-0}"
}

# The two clocks of the guest, by all ways of asking, ns
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
check "g starts" sigmactl start g
check "it answers" wait_guest 1
check "it has a PTP clock" eval '
	ptp=/dev/$(in_guest 1 "grep -lx sigma /sys/class/ptp/*/clock_name" | cut -d / -f 5) &&
	in_guest 1 "test -c $ptp"'
check "bring the program" bring_program

check "it shows the host's time" same_time read
check "so do cross-timestamps" same_time cross
by_cross=$(offset_by cross 4)
read -r by_turns width <<<"$(guest_now offset)"
check "they tell how far the guest's own clock is off, as reading both by turns does" \
	near "$by_cross" "$by_turns" "$width"
refuse "it cannot be set" "not supported" guest_now set

busybox adjtimex -q -f $STEERED
check "it keeps the pace of a host whose clock is steered" until_true 10 same_time cross
check "and shows its time" same_time read
busybox adjtimex -q -f -$STEERED
check "whichever way" until_true 10 same_time cross
busybox adjtimex -q -f 0
check "and of one that is no longer" until_true 10 same_time cross
now=$(date +%s)
date -s "@$((now + STEP))" >/dev/null
check "the host's clock is stepped, and it follows at once" same_time cross
check "by another way of reading, too" same_time read
date -s "@$((now - STEP))" >/dev/null
check "it goes back, too" same_time cross

echo hpet >$clocksource
refuse "a host that counts by another counter gives no cross-timestamps" "not supported" \
	guest_now cross
check "but its time" same_time read $ESTIMATED
echo tsc >$clocksource
check "until it counts by the TSC again" same_time cross

# Less than what sigma_guest.ko itself would set right, however long date(1) takes
goes_wrong()
{
	in_guest 1 "date -s @\$(/run/clock read $ptp | awk '{ printf \"%.6f\", \$2 / 1e9 - 0.2 }')" &&
		guest_is_off 100000000 500000000
}
check "the guest's clock goes wrong, as the PTP clock tells" until_true 20 goes_wrong
check "chrony starts in the guest" in_guest 1 "
	echo 'refclock PHC $ptp poll 0 dpoll -2' >/run/chrony.conf && chronyd -f /run/chrony.conf"
check "it steers the guest's clock by this one" chrony_follows
say "$(in_guest 1 "chronyc -n tracking")"
check "which is near the host's" near "$(offset_by cross 4)" 0 1000000
check "g is killed" eval 'sigmactl kill g && wait_gone g'
check "all is back" host_is_as_before
finish
