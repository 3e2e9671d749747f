#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=3G timeout=1200 kernel=6.1 by-name=yes
#
# A guest whose kernel, of the tree "debug", looks for faults of its own: it finds none in
# sigma_guest.ko, while devices come and go, the guest reboots, and it powers off.

. "$(dirname "$0")/lib.sh"
need_sigma

# Of a guest that is gone, sigmactl prints the log of its last run. BAD_LOG is the rig's
healthy()
{
	sigmactl log g >/run/guest.log && grep "guest-rc: up" /run/guest.log &&
		! (. ./rig/lib.sh && grep -aE -A 12 "$BAD_LOG" /run/guest.log)
}
run_detached() { in_guest 1 "(sleep 0.5; $1) >/dev/null 2>&1 &" >/dev/null; }
has_device() { in_guest 1 "[ -b /dev/$1 ]"; }
writes()
{
	in_guest 1 "dd if=/dev/urandom of=/root/data bs=64k count=64 oflag=direct 2>/dev/null &&
		cp /root/data /root/copy && sync && echo 3 >/proc/sys/vm/drop_caches &&
		cmp /root/data /root/copy"
}
disk_comes_and_goes()
{
	sigmactl disk add g /run/more.img && until_true 30 has_device vdb &&
		in_guest 1 "dd if=/dev/zero of=/dev/vdb bs=64k count=16 oflag=direct 2>&1" &&
		sigmactl disk rm g /run/more.img
}
line_to_guest()
{
	echo from the host >/dev/iosc/g/1 &
	[ "$(in_guest 1 'cat /dev/iosc/1 2>/dev/null')" = "from the host" ]
}
line_to_host()
{
	in_guest 1 "(echo from the guest >/dev/iosc/2) >/dev/null 2>&1 </dev/null &"
	[ "$(within 20 cat /dev/iosc/g/2 2>/dev/null)" = "from the guest" ]
}
restarts()
{
	local id
	id=$(boot_id 1) && run_detached "busybox reboot -f" && until_true "$GUEST_BOOT" another_boot 1 "$id" ||
		last_words g "started again"
}

truncate -s 16M /run/more.img
guest g kernel=debug cpus=2 memory=1280M disk=/dev/vdb net=1
check "the guest starts" sigmactl start g
check "its user space answers" wait_guest 1
check "its kernel is the one that looks for faults" in_guest 1 'uname -r | grep -e -debug'
for n in 1 2; do
	check "round $n: it writes to its disk, and reads it" writes
	check "round $n: its network carries much" load_network
	check "round $n: a disk is added and removed" disk_comes_and_goes
	check "round $n: a line reaches the guest by a channel" line_to_guest
	check "round $n: a line reaches the host by a channel" line_to_host
	check "round $n: sigmactl exec runs a program" within 60 sigmactl exec g -- uname -r
	check "round $n: its kernel has found no fault" healthy
	[ "$n" = 2 ] || check "it reboots" restarts
done
check "it powers off in order" eval 'sigmactl stop g && wait_gone g'
check "until its end its kernel has found no fault" healthy
finish
