#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=5 mem=4G timeout=1800 in=matrix
#
# A hundred runs of sigmactl run, four at a time: each gives the program's output and exit status, and in
# the end the host has everything back. CYCLES=n: how many runs.

. "$(dirname "$0")/lib.sh"
need_sigma
[ -x /usr/lib/qemu/virtiofsd ] || skip_all "no virtiofsd in this machine"

RUNS=${CYCLES:-100}
AT_ONCE=4
EVERY=25	# so many say how far it is
work=/srv/work

# one N: its status is that of N
one()
{
	local status=0
	sigmactl run --kernel="$VMLINUX" --net=none --append=mitigations=off --memory=256M -- \
		sh -c "cat in; echo $1; echo $1 >made.$1; exit $(($1 % 100))" >"out.$1" 2>"err.$1" || status=$?
	[ $status = $(($1 % 100)) ] && [ "$(cat "out.$1")" = "$(printf 'in\n%s' "$1")" ] && [ "$(cat "made.$1")" = "$1" ] &&
		echo "$1" >>ended
}
# series FIRST: one run after the other
series() { local n; for ((n = $1; n <= RUNS; n += AT_ONCE)); do one "$n" || { tail "err.$n" "out.$n"; touch failed; break; }; done; }
are_done() { [ "$(wc -l <ended)" -ge "$1" ]; }
are_done_or_failed() { are_done "$1" || [ -e failed ]; }
is_over() { [ -z "$(sigmactl list --no-legend)" ] && ! pgrep -x sigmad && ! pgrep -x virtiofsd; }
is_back() { until_true 60 is_over && host_is_as_before; }

mkdir -p $work
cd $work || exit
echo in >in
: >ended
remember_host
for ((first = 1; first <= AT_ONCE; first++)); do
	series "$first" >"series.$first" 2>&1 &
	series+=($!)
done
for ((n = EVERY; n < RUNS; n += EVERY)); do
	check "$n runs have ended well" eval 'until_true $((EVERY * 20)) are_done_or_failed $n && are_done $n'
done
wait "${series[@]}"
say "$(cat series.*)"
check "$RUNS runs, $AT_ONCE at a time, have ended well" are_done "$RUNS"
check "everything is back" is_back
check "no file of these runs is left" eval '[ -z "$(find /run/sigma/.run /var/lib/sigma/roots -mindepth 1 2>/dev/null)" ]'
finish
