#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=2 mem=2G timeout=400
#
# Unmodified stock guest kernels of three series, one after the other on the same CPU, each from its
# bzImage and with KASLR. Each gets a disk, a NIC and a share by hotplug, and loses them by hot-unplug.

. "$(dirname "$0")/lib.sh"
need_sigma

image=/var/lib/sigma/a.img
things=/srv/things
mkdir -p ${image%/*} $things
truncate -s 1M $image
echo "from the host" >$things/note
finds() { until_true 20 in_guest 1 "test -e /dev/vdb -a -e /sys/class/net/eth1"; }
mounts() { until_true 20 in_guest 1 "mkdir -p /run/things && mount -t virtiofs things /run/things"; }
# Where the kernel is, and where it would be without KASLR
text() { in_guest 1 "sed -n 's/ T _text$//p' /proc/kallsyms"; }
LINKED=ffffffff81000000
has_lost() { in_guest 1 "test ! -e /dev/vdb -a ! -e /sys/class/net/eth1 && ! mount -t virtiofs things /run/things"; }

# Initcalls that the guest's kernel has but does not call, since they would change what is the package's
not_called()
{
	local called name found=0

	called=$(in_guest 1 "dmesg | sed -n 's/.* calling  \\([^+ ]*\\).*/\\1/p'") &&
		grep -qx sigma_guest_init <<<"$called" && grep -qx intel_epb_init <<<"$called" || return
	for name in thermal_throttle_init_device resctrl_late_init resctrl_arch_late_init i8237A_init_ops; do
		! grep -qx $name <<<"$called" || { echo "$name was called"; return 1; }
		! in_guest 1 "grep -q ' t $name$' /proc/kallsyms" || found=$((found + 1))
	done
	[ $found = 3 ]
}

remember_host

for kernel in 6.1 6.12 7.2; do
	version=$(kernel_version $kernel)
	guest g kernel=$kernel disk=/dev/vdb net=1 append="initcall_debug log_buf_len=4M"
	check "$kernel: the guest starts" sigmactl start g
	check "$kernel: the guest's driver is up" wait_state g running
	check "$kernel: sysfs shows release $version" \
		[ "$(cat /sys/class/sigma/g/release)" = "$version" ]
	check "$kernel: the guest's user space answers over the network" wait_guest 1
	check "$kernel: the guest runs $version" [ "$(in_guest 1 'uname -r')" = "$version" ]
	check "$kernel: the guest's root file system is on /dev/vda" \
		in_guest 1 'findmnt -n -o SOURCE / | grep -qx /dev/vda'
	check "$kernel: what belongs to the whole package is left alone" not_called
	check "$kernel: a disk, a NIC and a share are added" eval 'sigmactl disk add g $image &&
		sigmactl net add g address=10.9.2.1/24 && sigmactl share add g $things'
	check "$kernel: the guest finds the disk and the NIC, and mounts the share" \
		eval 'finds && mounts'
	check "$kernel: the guest reads from the share and writes to the disk" in_guest 1 "
		cat /run/things/note >/dev/vdb && umount /run/things"
	check "$kernel: the disk, the NIC and the share are removed" \
		eval 'sigmactl disk rm g $image &&
		sigmactl net rm g sg-g-1 && sigmactl share rm g things'
	check "$kernel: the guest no longer has them" has_lost
	check "$kernel: the file behind the disk holds what the guest wrote" \
		eval 'head -n 1 $image | cmp - $things/note'
	truncate -s 0 $image && truncate -s 1M $image
	id=$(boot_id 1) at=$(text)
	check "$kernel: kprobes and ftrace are off" switch_probes_off 1
	in_guest 1 "(sleep 0.5; echo b >/proc/sysrq-trigger) >/dev/null 2>&1 &" >/dev/null
	check "$kernel: sysrq-b restarts the guest, not the machine" \
		until_true "$GUEST_BOOT" another_boot 1 "$id"
	then=$(text)
	say "$at, then $then"
	check "$kernel: the kernel is at addresses drawn at random" \
		eval '[ -n "$at" ] && [ -n "$then" ] && [ "$at $then" != "$LINKED $LINKED" ]'
	check "$kernel: the guest stops" sigmactl stop g
	check "$kernel: the guest is gone" wait_gone g
done
check "the kernels are kept as they were unpacked" [ "$(find /var/cache/sigma -name 'kernel-*' | wc -l)" = 3 ]
check "the host has the CPUs and the memory back" host_is_as_before
finish
