#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=2G timeout=400
#
# sigmad is killed while the guest writes to its disk, again and again: the next one takes over,
# and the guest has seen nothing but a pause.

. "$(dirname "$0")/lib.sh"
need_sigma

ROUNDS=4
image=/var/lib/sigma/data.img
mkdir -p "${image%/*}"
truncate -s 8M $image

# The writer in the guest numbers its rounds: in each it writes 1 MiB of numbers with many
# requests at a time, makes it stable, reads it back past its cache and compares. Whoever looks for
# the number finds one at any time
writer='i=0; while [ ! -e /run/enough ]; do i=$((i + 1));
	yes "round $i of the writer" | head -c 1048576 >/run/out;
	dd if=/run/out of=/dev/vdb bs=128K oflag=direct conv=fsync status=none || echo "write $i" >>/run/failed;
	dd if=/dev/vdb bs=128K iflag=direct count=8 status=none | cmp - /run/out || echo "read $i" >>/run/failed;
	echo $i >/run/next; mv /run/next /run/round; done; : >/run/ended'
round() { in_guest 1 "cat /run/round"; }
is_locked() { ! flock --nonblock /run/sigma/g/state true; }
has_gone_on() { [ "$(round)" -gt "$1" ]; }

guest g disk=/dev/vdb disk=$image net=1
remember_host
check "starts" sigmactl start g
check "user space answers" wait_guest 1
check "the guest begins to write" in_guest 1 "echo 0 >/run/round; ( $writer ) >/dev/null 2>&1 </dev/null &"
check "and goes on" until_true 30 has_gone_on 1

for ((n = 1; n <= ROUNDS; n++)); do
	# A file that changed meanwhile is the next start's, not this guest's
	echo "Memory=lots" >>/etc/sigma/g.guest
	check "round $n: sigmad is killed" kill_sigmad
	check "round $n: the guest's heart beats" beats g
	# As the kernel does that is not done with the last one yet
	flock /run/sigma/g/state sleep 1 &
	check "round $n: its lock is there" until_true 10 is_locked
	check "round $n: start takes it over" sigmactl start g
	check "round $n: it answers" wait_guest 1
	check "round $n: it goes on writing" until_true 60 has_gone_on "$(round)"
done

check "a second sigmad is refused" eval '! /usr/libexec/sigmad g'
check "status knows it" [ "$(sigmactl status --json g | jq -r .sigmad)" = serves ]
check "the log is whole: its first line is there once" \
	[ "$(sigmactl log g | grep -c 'Linux version')" = 1 ]
check "what came after the takeovers is there, too" eval \
	'in_guest 1 "echo after the takeovers >/dev/kmsg" && wait_logged g "after the takeovers"'
check "the writer ends" eval 'in_guest 1 ": >/run/enough" && until_true 60 in_guest 1 "test -e /run/ended"'
check "nothing it wrote was lost or mixed up" in_guest 1 "test ! -e /run/failed"
check "no I/O error in the guest" eval '! sigmactl log g | grep -iE "I/O error|blk_update|timeout"'
check "the host's file is what the guest wrote last" \
	[ "$(in_guest 1 "sha256sum </run/out")" = "$(head -c 1048576 $image | sha256sum)" ]
check "the console is there" [ -c /run/sigma/g/console ]
check "it stops in order" sigmactl stop g
check "is gone" wait_gone g
check "all is back" host_is_as_before
finish
