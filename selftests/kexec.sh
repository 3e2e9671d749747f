#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=4 mem=2G timeout=400 after=powered-off by-name=yes
#
# The host starts another kernel by kexec while guests run, one of which hangs. They must be stopped
# before that; rig/powered-off checks it in the host's kernel log. The next kernel has all CPUs and all
# memory, and starts guests. Its host-init runs this script once more.

. "$(dirname "$0")/lib.sh"

so_far=/run/rig/so-far		# checks and failures before that, and what the host had

VARIES=16384			# KiB of memory that a kernel takes for itself
memory() { awk '$1 == "MemTotal:" { print $2 }' /proc/meminfo; }
has_all() { echo "$(online) $(memory)"; [ "$(online)" = "$cpus" ] && [ $(($(memory) + VARIES)) -gt "$memory" ]; }

if [ -e $so_far ]; then
	read -r checks failures id cpus memory <$so_far
	check "another kernel runs" [ "$(cat /proc/sys/kernel/random/boot_id)" != "$id" ]
	check "it has all CPUs and all memory" has_all
	need_sigma
	guest i cpus=3 disk=/dev/vdb net=1
	check "a guest starts there, on all CPUs that were lent before" eval 'sigmactl start i && wait_guest 1'
	check "it is killed, and the host has everything back" eval 'sigmactl kill i && wait_gone i && has_all'
	finish
fi

need_sigma
had="$(online) $(memory)"
check "the next kernel is loaded" kexec -l "/boot/vmlinuz-$(uname -r)" --initrd=/run/rig/initrd \
	--append="$(cat /proc/cmdline)"
cp /usr/lib/sigma-rig/hang.ko /run/hang.disk
truncate -s %512 /run/hang.disk
guest g cpus=2 disk=/dev/vdb net=1
guest h disk=/dev/vdc disk=/run/hang.disk net=2
check "a guest with two CPUs starts" eval 'sigmactl start g && wait_guest 1'
check "it writes to its disk until the end" in_guest 1 "
	(while :; do dd if=/dev/urandom of=/root/file bs=64K count=16 conv=fsync; done) >/dev/null 2>&1 &"
check "another guest starts" eval 'sigmactl start h && wait_guest 2'
check "it hangs" eval '
	in_guest 2 "(sleep 0.5; head -c $(stat -c %s /usr/lib/sigma-rig/hang.ko) /dev/vdb >/run/hang.ko;
		insmod /run/hang.ko) >/dev/null 2>&1 </dev/null &" && wait_state h unresponsive'
check "the first one still runs" [ "$(state g)" = running ]
echo "$checks $failures $(cat /proc/sys/kernel/random/boot_id) $had" >$so_far
sync
kexec -e
check "the next kernel starts" false
finish
