#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=2G timeout=900 cpu=max,-la57 append=memmap=320M$0x60000000 in=matrix
#
# Guests of three kernel series, with one CPU and two and with each guard, are saved and restored.

. "$(dirname "$0")/lib.sh"
need_sigma
check "memory is set aside" sigmactl pool add 320M@0x60000000
remember_host

saved=/tmp/g.saved
for spec in 6.12/2/no 7.2/2/no host/1/memory 6.12/1/full 7.2/2/full; do
	IFS=/ read -r kernel cpus guard <<<"$spec"
	what="$spec"
	kernel=${kernel/host/}
	guest g disk=/dev/vdb net=1 cpus="$cpus" guard="$guard" ${kernel:+kernel=$kernel}
	check "$what: a guest starts" sigmactl start g
	check "$what: its user space answers" wait_guest 1
	check "$what: it has something to keep" make_memory
	for round in first second; do
		check "$what: it is saved for the $round time" sigmactl save --force g $saved
		check "$what: it is restored" sigmactl restore $saved
		check "$what: its memory, file, disk and process are as before" has_memory
		check "$what: it has $cpus CPUs" has_cpus "$cpus"
	done
	check "$what: its heart beats" beats g
	check "$what: it is killed" eval 'sigmactl kill g && wait_gone g'
done
rm $saved
check "the host has the CPUs and the memory back" host_is_as_before
finish
