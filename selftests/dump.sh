#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=2 mem=2G timeout=240
#
# What "sigmactl dump" writes is read by the tools that read /proc/vmcore: of a guest that runs,
# of one that panicked and has no sigmad any more, and of one that died before its driver was up.

. "$(dirname "$0")/lib.sh"
need_sigma
remember_host

PHDR1=$((64 + 56))		# of an ELF64 file: the first PT_LOAD
PHDR_OFFSET=8 PHDR_PADDR=24
cores=/tmp/cores
mkdir -p $cores

# u64 FILE OFFSET
u64() { od -An -tu8 -j "$2" -N 8 "$1" | tr -d ' '; }
dmesg_of() { vmcore-dmesg "$1" 2>/dev/null; }
says() { dmesg_of "$1" | grep -- "$2" >/dev/null || { dmesg_of "$1" | tail -n 5; return 1; }; }

# The first MiB of the machine is there, and what the guest's CPUs were started with is in it
has_low_memory()
{
	local offset paddr
	offset=$(u64 "$1" $((PHDR1 + PHDR_OFFSET)))
	paddr=$(u64 "$1" $((PHDR1 + PHDR_PADDR)))
	echo "low memory $paddr at $offset"
	[ "$paddr" -gt 0 ] && [ "$paddr" -lt $((1 << 20)) ] &&
		dd if="$1" bs=4096 skip=$((offset / 4096)) count=16 status=none | tr -d '\0' | grep -qa .
}

# tools FILE COMPRESSION PATTERN: each of them finds these last words
tools()
{
	check "vmcore-dmesg finds its last words" says "$cores/$1" "$3"
	check "makedumpfile finds the same log" eval "makedumpfile --dump-dmesg $cores/$1 $cores/$1.log &&
		diff <(dmesg_of $cores/$1) $cores/$1.log"
	check "makedumpfile filters and compresses it" eval "
		makedumpfile $2 -d 31 $cores/$1 $cores/$1.small &&
		[ \$(stat -c %s $cores/$1.small) -lt \$((\$(stat -c %s $cores/$1) / 4)) ]"
	check "which still has them" eval "
		makedumpfile --dump-dmesg -f $cores/$1.small $cores/$1.log && grep -- '$3' $cores/$1.log"
}

dump() { sigmactl dump g "$cores/$1"; }

# ---- one that runs
guest g memory=128M disk=/dev/vdb net=1
check "starts" sigmactl start g
check "user space answers" wait_guest 1
in_guest 1 "echo the dump has this >/dev/kmsg" >/dev/null
check "running: is dumped" dump live
check "its heart beats on" beats g
check "only its owner may read it" [ "$(stat -c %a $cores/live)" = 600 ]
check "zeros are holes" [ $(($(stat -c '%b * %B' $cores/live))) -lt "$(stat -c %s $cores/live)" ]
check "low memory is in it" has_low_memory $cores/live
tools live -l "the dump has this"
refuse "a file that exists is not overwritten" "exists already" dump live
refuse "larger than may be: says so" "too large.*removed" \
	bash -c "ulimit -f 4096; exec sigmactl dump g $cores/large"
check "and leaves nothing" [ ! -e $cores/large ]
mkdir -p /tmp/small && mount -t tmpfs -o size=4M tmpfs /tmp/small
refuse "no room left: says so" "No space left.*takes up to 128.0M.*removed" \
	sigmactl dump g /tmp/small/core
check "and leaves nothing" [ -z "$(ls /tmp/small)" ]
umount /tmp/small
rm $cores/*

# ---- one that panicked, and has no sigmad
in_guest 1 "(sleep 0.5; echo c >/proc/sysrq-trigger) >/dev/null 2>&1 &" >/dev/null
check "is panicked" wait_state g panicked
panic="sysrq triggered crash"
check "its bus tells why" eval 'busctl --address=unix:path=/run/sigma/g/bus get-property \
	org.sigma /org/sigma/Guest org.sigma.Guest Panic | grep -x "s \"$panic\""'
check "its sigmad is killed" kill_sigmad
check "show tells why" [ "$(sigmactl show -p Panic --value g)" = "$panic" ]
check "status tells why" eval 'sigmactl status g | grep "Panic: sysrq triggered crash"'
check "panicked: is dumped" dump dead
tools dead -l "Kernel panic.*sysrq triggered crash"
check "through a pipe it is the same" eval "sigmactl dump g - | cmp - $cores/dead"
check "is killed" sigmactl kill g
refuse "one that is gone: says so" "no such guest" dump gone
rm $cores/*

# ---- one that died before its driver was up
guest g kernel=6.12 memory=128M append="rdinit=/nowhere"
check "6.12: starts" sigmactl start g
check "it is panicked" wait_state g panicked
check "its panic is in its memory" eval 'sigmactl log --memory g | grep "Kernel panic"'
check "died early: is dumped" dump early
tools early -c "Kernel panic.*VFS"
check "is killed" eval 'sigmactl kill g && wait_gone g'
rm -r $cores
check "CPUs and memory are back" host_is_as_before
finish
