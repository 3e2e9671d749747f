#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=2 mem=2G timeout=400
#
# A guest panics before its driver is up. The host's kernel finds the panic in the guest's memory,
# whether a sigmad serves the guest or not, and takes nothing else for a panic.

. "$(dirname "$0")/lib.sh"
need_sigma
remember_host

/usr/lib/sigma-rig/bootlog >/tmp/bootlog
status=$?
while read -r line; do
	case $line in
	"ok "*|"not ok "*)	check "${line#*ok }" [ "${line%%ok*}" = "" ] ;;
	*)			say "${line#\# }" ;;
	esac
done </tmp/bootlog
check "the program has run all its cases" [ $status = 0 ]
check "the host has the CPU and the memory back" host_is_as_before

for kernel in 6.1 6.12 7.2; do
	guest g kernel=$kernel memory=128M append="rdinit=/nowhere"
	check "$kernel: the guest starts" sigmactl start g
	check "$kernel: sigmad is killed" kill_sigmad
	check "$kernel: the guest's state becomes panicked" \
		until_true "$GUEST_BOOT" grep -x panicked /sys/class/sigma/g/state
	check "$kernel: sysfs shows why the guest panicked" \
		grep -x 'VFS: Unable to mount root fs on [^)]*)' /sys/class/sigma/g/panic
	check "$kernel: the guest is killed" eval 'sigmactl kill g && wait_gone g'
done
check "the host has the CPU and the memory back" host_is_as_before
finish
