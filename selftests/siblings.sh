#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=4,sockets=1,cores=2,threads=2 mem=2G timeout=400 kernel=6.12 cpu=Skylake-Client in=matrix
#
# Hyperthread siblings have one owner unless SplitCores=yes, also those that are offline when their
# core is lent.

. "$(dirname "$0")/lib.sh"
need_sigma

system=/sys/devices/system/cpu
siblings() { cat $system/cpu"$1"/topology/thread_siblings_list; }
online_it() { echo 1 >$system/cpu"$1"/online; }
threads() { echo "$1" >$system/smt/control; }
logged() { dmesg | grep "$1" >/dev/null; }
online_are() { echo "online: $(online)"; [ "$(online)" = "$1" ]; }
split() { sed -i '/^CPUs=/a SplitCores=yes' "/etc/sigma/$1.guest"; }
stops() { sigmactl stop "$1" && wait_gone "$1"; }

check "CPUs 2 and 3 share a core" [ "$(siblings 2)" = 2-3 ]
remember_host
guest g cpus=cpu2 disk=/dev/vdb net=1
refuse "half a core is refused" "g.guest:[0-9]+: CPUs=.*cpu 2: shares a core with cpu 3" \
	sigmactl start g
guest g cpus=cpu2,cpu3 disk=/dev/vdb net=1
check "a guest with both CPUs of the core starts, and answers" eval 'sigmactl start g && wait_guest 1'
check "the guest stops, and both CPUs are back" eval 'stops g && host_is_as_before'

# ---- a sibling that is offline before
guest g cpus=cpu2 disk=/dev/vdb net=1
check "offline: CPU 3 is taken offline" chcpu -d 3
check "offline: the guest starts on CPU 2" sigmactl start g
refuse "offline: CPU 3 cannot be onlined while the guest boots" "busy" online_it 3
check "offline: the guest's user space answers" wait_guest 1
refuse "offline: CPU 3 cannot be onlined while the guest runs" "busy" online_it 3
check "offline: the kernel log says why" \
	logged "cpu 3: shares a core with cpu 2, which runs a guest, and cannot be onlined"
check "offline: CPU 3 is still offline" online_are 0-1
check "offline: CPU 1 may go and come" eval 'chcpu -d 1 && online_it 1 && online_are 0-1'
check "offline: the guest stops" stops g
check "offline: CPU 3 can be onlined then, and the host is as before" \
	eval 'online_it 3 && host_is_as_before'

# ---- both CPUs of a core offline: lent without being onlined, and given back as they were
guest h cpus=2 disk=/dev/vdc net=2
check "core offline: the guest gets its CPUs, and they stay offline on the host" eval 'chcpu -d 2,3 &&
	sigmactl start h && [ "$(cat /sys/class/sigma/h/cpus)" = 2,3 ] && online_are 0-1'
check "core offline: the guest answers, and has two CPUs" \
	eval 'wait_guest 2 && [ "$(in_guest 2 nproc)" = 2 ]'
check "core offline: the guest stops, and its CPUs are offline" eval 'stops h && online_are 0-1'
check "core offline: the guest starts again on them" eval 'sigmactl start h && wait_guest 2 && stops h'
check "core offline: they can be onlined, and the host is as before" \
	eval 'chcpu -e 2,3 && host_is_as_before'

# ---- all hyperthreads of the machine switched off before
check "threads off: the host has CPUs 0 and 2" eval 'threads off && online_are 0,2'
check "threads off: the guest starts, and answers" eval 'sigmactl start g && wait_guest 1'
refuse "threads on: refused for the guest's core" "busy" threads on
check "threads on: only CPU 1 has come" online_are 0-1
check "threads on: the guest goes on" beats g
check "threads on: the guest stops" stops g
check "threads off: the guest gets a sibling that is off with the rest of its core" eval 'threads off &&
	guest h cpus=2 disk=/dev/vdc net=2 && sigmactl start h && wait_guest 2 &&
	[ "$(cat /sys/class/sigma/h/cpus)" = 2,3 ]'
check "threads off: the guest stops, and the sibling is still off" eval 'stops h && online_are 0,2'
split h
sed -i 's/^CPUs=.*/CPUs=cpu3/' /etc/sigma/h.guest
refuse "threads off: the sibling alone is refused, with the remedy" \
	"cpu 3: is a hyperthread that the host has switched off.*the rest of that core" sigmactl start h
check "threads off: nothing was taken" eval 'online_are 0,2 && threads on && online_it 1 && online_it 3'
check "threads on: CPU 3 can be onlined, and the host is as before" \
	eval 'online_it 3 && host_is_as_before'

# ---- siblings of two guests: both must allow it
split g
guest h cpus=cpu3 disk=/dev/vdc net=2
check "two guests: the first one starts on half a core with SplitCores=yes" sigmactl start g
refuse "two guests: the other half is refused to a guest without SplitCores=yes" \
	"cpu 3: shares a core with cpu 2" sigmactl start h
split h
check "two guests: with SplitCores=yes it starts" sigmactl start h
check "two guests: both answer" eval 'wait_guest 1 && wait_guest 2'
check "two guests: both stop, and the host is as before" eval 'stops g && stops h && host_is_as_before'

# ---- hyperthreads switched off while a guest has some. A CPU that cannot be onlined rests in the
# entry pages, which stay taken when the module goes: this comes last
guest g cpus=cpu2,cpu3 disk=/dev/vdb net=1
check "threads off meanwhile: a guest has both CPUs of a core" \
	eval 'sigmactl start g && wait_guest 1 && threads off'
check "threads off meanwhile: the guest stops" stops g
check "threads off meanwhile: one of its CPUs is back" online_are 0,2
check "threads off meanwhile: the kernel log tells of the other one" \
	logged "cpu 3: was given back, but the host could not online it"
check "threads off meanwhile: the module can be unloaded" rmmod sigma
check "threads off meanwhile: the kernel log tells of the pages in which it rests" \
	logged "cpu 3: rests below 1 MiB, in pages that stay taken"
check "threads off meanwhile: the module is loaded again, into other pages" \
	eval 'modprobe sigma && rmmod sigma'
check "threads on: all CPUs are back" eval 'threads on && online_are 0-3'
finish
