#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=2 mem=2G timeout=600 append=crashkernel=512M by-name=yes
#
# The host panics while a guest runs, and its crash kernel boots, which nothing of the guest may
# disturb. The dump that it saves is good. The crash kernel's host-init runs this script once more.

. "$(dirname "$0")/lib.sh"

vmcore=/proc/vmcore
so_far=/run/rig/so-far		# checks and failures before the panic

save() { makedumpfile -l -d 31 --message-level 1 $vmcore /run/dump; }
says() { makedumpfile --dump-dmesg /run/dump /run/dmesg >/dev/null; grep "$1" /run/dmesg; }
# The vmcoreinfo of a host is that of its crash kernel, too: it is the same kernel
reads_memory() { vmcore-dmesg $vmcore | grep "$1"; }

if [ -e $vmcore ]; then
	read -r checks failures <$so_far
	check "the crash kernel boots, with the host's memory as it was" test -s $vmcore
	check "the crash kernel finds the host's last words" reads_memory "sysrq: Trigger a crash"
	check "makedumpfile saves the dump" save
	check "the dump has the host's last words" says "sysrq: Trigger a crash"
	check "the dump has what sigma.ko said of the guest" says "sigma: g: running"
	check "the crash kernel works for a while beside the guest that still runs" sleep 10
	finish
fi

need_sigma
check "the crash kernel is loaded" kexec -p "/boot/vmlinuz-$(uname -r)" --initrd=/run/rig/initrd \
	--append="$(sed 's/crashkernel=[^ ]*//' /proc/cmdline) nr_cpus=1 reset_devices"
check "the kernel says so" grep -x 1 /sys/kernel/kexec_crash_loaded
guest g disk=/dev/vdb net=1
check "a guest starts" sigmactl start g
check "the guest's user space answers" wait_guest 1
check "the guest writes to its disk until the end" in_guest 1 "
	(while :; do dd if=/dev/urandom of=/root/file bs=64K count=16 conv=fsync; done) >/dev/null 2>&1 &"
echo "$checks $failures" >$so_far
sync
echo c >/proc/sysrq-trigger
