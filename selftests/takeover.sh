#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=2G timeout=500
#
# sigmad is killed several times while the guest writes to its disks, a raw one and a qcow2 image.
# Each time the next sigmad takes the guest over, and the guest notices nothing but a pause.

. "$(dirname "$0")/lib.sh"
need_sigma

ROUNDS=4
image=/var/lib/sigma/data.img
mkdir -p "${image%/*}"
truncate -s 8M $image
qcow2=${image%.img}.qcow2
make_qcow2 "$qcow2" 8

# A writer in the guest numbers its rounds. In each it writes 1 MiB that contains the number, with
# several requests in flight, flushes it, reads it back past the cache and compares. FOLDER/round is
# replaced atomically, so a reader always finds a number.
# writer FOLDER DISK: its script
writer()
{
	echo "mkdir -p $1; cd $1; echo 0 >round; "'( i=0; while [ ! -e /run/enough ]; do i=$((i + 1));
	yes "round $i of the writer" | head -c 1048576 >out;
	for at in 0 2 4 6; do
		dd if=out of='"$2"' bs=128K oflag=direct conv=fsync count=2 skip=$at seek=$at status=none ||
			echo "write $i" >>failed & done; wait;
	dd if='"$2"' bs=128K iflag=direct count=8 status=none | cmp - out || echo "read $i" >>failed;
	echo $i >next; mv next round; done; : >ended )'
}
round() { in_guest 1 "cat /run/${1:-raw}/round"; }
is_locked() { ! flock --nonblock /run/sigma/g/state true; }
# as_older: make the state file one of the first layout, which had neither disks with unsaved data
# (256 bytes from 69944 on) nor the version of sigmad (bytes 16 to 31)
as_older()
{
	perl -e 'local $/; $_ = <STDIN>; substr($_, 69944, 256) = ""; substr($_, 16, 16) = "";
		substr($_, 7, 1) = "1";
		substr($_, 8, 8) = pack("Q", length); print' </run/sigma/g/state >/run/sigma/g/older &&
		mv /run/sigma/g/older /run/sigma/g/state
}
is_newest() { [ "$(head -c 8 /run/sigma/g/state)" = SGSTATE2 ]; }
has_gone_on() { [ "$(round)" -gt "$1" ]; }
# both_go_on RAW QCOW2: since these rounds
both_go_on() { has_gone_on "$1" && [ "$(round qcow2)" -gt "$2" ]; }

guest g disk=/dev/vdb disk=$image line="[Disk]" line="Path=$qcow2" line="Format=qcow2" net=1
remember_host
check "the guest starts" sigmactl start g
check "the guest's user space answers" wait_guest 1
check "the writers start in the guest" in_guest 1 "
	( $(writer /run/raw /dev/vdb) ) >/dev/null 2>&1 </dev/null &
	( $(writer /run/qcow2 /dev/vdc) ) >/dev/null 2>&1 </dev/null &
	sleep 1"
check "the writers complete a round" until_true 60 both_go_on 1 1

for ((n = 1; n <= ROUNDS; n++)); do
	# A change of the file holds from the next start on, so a takeover must not read it
	echo "Memory=lots" >>/etc/sigma/g.guest
	check "round $n: sigmad is killed" kill_sigmad
	check "round $n: the guest's heartbeat goes on" beats g
	[ "$n" != 2 ] || check "round $n: the state is what an older sigmad left" as_older
	# Hold the lock for a second, as a kernel does that still cleans up after the killed sigmad
	flock /run/sigma/g/state sleep 1 &
	check "round $n: the killed sigmad's lock seems to be held" until_true 10 is_locked
	check "round $n: sigmactl start takes the guest over" sigmactl start g
	check "round $n: the state file has the newest layout" is_newest
	check "round $n: the guest answers" wait_guest 1
	check "round $n: the writers go on" until_true 60 both_go_on "$(round)" "$(round qcow2)"
done

# The locks of the disk and of the state file are held for longer than a start would wait for them, as
# by requests of a slow disk
check "sigmad is killed once more" kill_sigmad
hold()
{
	# An open file description lock of a byte that says "nobody else may write", see disk_lock.c
	perl -MFcntl -e 'open(my $f, "<", $ARGV[0]) or die "$!\n";
		my $lock = pack("s s x4 q q i x4", F_RDLCK, 0, 201, 1, 0);
		fcntl($f, 37, $lock) or die "$!\n";
		open(my $held, ">", "/tmp/held") and sleep 8' $image
}
hold &
flock /run/sigma/g/state sleep 8 &
check "the killed sigmad's lock on the disk seems to be held" until_true 10 test -e /tmp/held
check "sigmactl start waits for the disk and takes the guest over" sigmactl start g
check "the writer goes on with the slow disk" until_true 60 has_gone_on "$(round)"

check "a second sigmad is refused" eval '! /usr/libexec/sigmad g'
check "sigmactl status shows that a sigmad serves the guest" \
	[ "$(sigmactl status --json g | jq -r .sigmad)" = serves ]
check "the log has the kernel's first line exactly once" \
	[ "$(sigmactl log g | grep -c 'Linux version')" = 1 ]
check "the log has what the guest said after the takeovers" eval \
	'in_guest 1 "echo after the takeovers >/dev/kmsg" && wait_logged g "after the takeovers"'
check "the writers end" eval 'in_guest 1 ": >/run/enough" &&
	until_true 60 in_guest 1 "test -e /run/raw/ended && test -e /run/qcow2/ended"'
check "the writers read back everything as they wrote it" \
	in_guest 1 "test ! -e /run/raw/failed && test ! -e /run/qcow2/failed"
check "one qemu-storage-daemon serves the qcow2 image" [ "$(pgrep -c -f ^/usr/bin/qemu-storage-daemon)" = 1 ]
check "qemu-storage-daemon has no capability" grep -E "^CapEff:[[:space:]]*0+$" \
	"/proc/$(pgrep -f ^/usr/bin/qemu-storage-daemon)/status"
check "the guest's log has no I/O error" \
	eval '! sigmactl log g | grep -iE "I/O error|blk_update|timeout"'
check "the host's file holds what the guest wrote last" \
	[ "$(in_guest 1 "sha256sum </run/raw/out")" = "$(head -c 1048576 $image | sha256sum)" ]
check "the console's device is there" [ -c /run/sigma/g/console ]
check "the guest stops" sigmactl stop g
check "the guest is gone" wait_gone g
check "no qemu-storage-daemon is left" [ -z "$(pgrep -f ^/usr/bin/qemu-storage-daemon)" ]
check "the host has everything back" host_is_as_before
finish
