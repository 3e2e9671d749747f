#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=2 mem=2G timeout=400
#
# A guest that panics before its driver is up: the host's kernel finds that in its memory, whether
# anybody serves the guest or not, and takes nothing else for a panic.

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
check "all was tried" [ $status = 0 ]
check "CPU and memory are back" host_is_as_before

for kernel in 6.1 6.12 7.2; do
	guest g kernel=$kernel memory=128M append="rdinit=/nowhere"
	check "$kernel: starts" sigmactl start g
	check "$kernel: sigmad is killed" kill_sigmad
	check "$kernel: is panicked" until_true $GUEST_BOOT grep -x panicked /sys/class/sigma/g/state
	check "$kernel: why" grep -x 'VFS: Unable to mount root fs on [^)]*)' /sys/class/sigma/g/panic
	check "$kernel: ends" eval 'sigmactl kill g && wait_gone g'
done
check "CPU and memory are back" host_is_as_before
finish
