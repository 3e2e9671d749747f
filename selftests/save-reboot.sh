#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=2G timeout=500 cpu=max,-la57 append=memmap=320M$0x60000000 in=matrix
#
# A guest is saved, the host starts anew, here by kexec, and the guest goes on. Its memory and the window that
# it shares with the host are of memory that was set aside at boot, which the next kernel does not use,
# either. The next kernel's host-init runs this script once more.

. "$(dirname "$0")/lib.sh"

so_far=/run/rig/so-far		# checks and failures before that
saved=/run/rig/g.saved
again=/run/rig/g-again.saved

set_aside() { sigmactl pool add 320M@0x60000000; }

if [ -e $so_far ]; then
	read -r checks failures id <$so_far
	check "another kernel runs" [ "$(cat /proc/sys/kernel/random/boot_id)" != "$id" ]
	need_sigma
	refuse "without the memory that was set aside the guest is refused" "no memory at 0x.* that can be lent" \
		sigmactl restore $saved
	check "the same memory is set aside" set_aside
	check "the guest is restored" sigmactl restore $saved
	check "its memory, file, disk and process are as before" has_memory
	check "its clock is the host's" clock_is_right
	check "its heart beats" beats g
	check "it can be saved here" sigmactl save g $again
	check "and goes on" eval 'sigmactl restore $again && has_memory'
	check "it is killed" eval 'sigmactl kill g && wait_gone g'
	rm -f $saved $again $so_far
	finish
fi

need_sigma
rm -f $saved $again
check "the next kernel is loaded" kexec -l "/boot/vmlinuz-$(uname -r)" --initrd=/run/rig/initrd \
	--append="$(cat /proc/cmdline)"
check "memory is set aside" set_aside
guest g disk=/dev/vdb net=1 cpus=2 guard=no
check "a guest starts" eval 'sigmactl start g && wait_guest 1'
check "it has something to keep" make_memory
check "it is saved" sigmactl save g $saved
echo "$checks $failures $(cat /proc/sys/kernel/random/boot_id)" >$so_far
sync
kexec -e
check "the next kernel starts" false
finish
