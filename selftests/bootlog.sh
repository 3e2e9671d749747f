#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=2 mem=2G timeout=400
#
# A guest panics before its driver is up. sigmad finds the panic in the guest's memory, also where a
# sigmad died meanwhile and another one took the guest over.

. "$(dirname "$0")/lib.sh"
need_sigma
remember_host

LOG=/run/sigma/g/sigmad.log
panic_is() { grep -x 'VFS: Unable to mount root fs on [^)]*)' /sys/class/sigma/g/panic; }
has_panicked() { grep -x panicked /sys/class/sigma/g/state; }

for kernel in 6.1 6.12 7.2; do
	guest g kernel=$kernel memory=128M append="rdinit=/nowhere"
	check "$kernel: the guest starts" sigmactl start g
	check "$kernel: the guest's state becomes panicked" until_true "$GUEST_BOOT" has_panicked
	check "$kernel: sysfs shows why the guest panicked" panic_is
	check "$kernel: sigmad tells why" grep 'the guest panicked: VFS: Unable to mount root fs' "$LOG"
	check "$kernel: the guest is killed" eval 'sigmactl kill g && wait_gone g'
done

guest g memory=128M append="rdinit=/nowhere"
check "takeover: the guest starts" sigmactl start g
check "takeover: sigmad is killed" kill_sigmad
check "takeover: the guest's kernel panics" until_true "$GUEST_BOOT" eval \
	'sigmactl dump g - | grep -a "Kernel panic - not syncing: VFS" >/dev/null'
check "takeover: nobody notices" grep -x booting /sys/class/sigma/g/state
check "takeover: another sigmad takes the guest over" sigmactl start g
check "takeover: the guest's state becomes panicked" until_true "$GUEST_BOOT" has_panicked
check "takeover: sysfs shows why the guest panicked" panic_is
check "takeover: the guest is killed" eval 'sigmactl kill g && wait_gone g'
check "the host has the CPU and the memory back" host_is_as_before
finish
