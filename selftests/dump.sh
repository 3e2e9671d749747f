#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=2 mem=2G timeout=240
#
# The tools that read /proc/vmcore also read the output of "sigmactl dump": of a running guest, of a
# panicked guest without a sigmad, and of a guest that died before its driver was up.

. "$(dirname "$0")/lib.sh"
need_sigma
remember_host

PHDR1=$((64 + 56))		# offset of the first PT_LOAD in an ELF64 file
PHDR_OFFSET=8 PHDR_PADDR=24
cores=/tmp/cores
mkdir -p $cores

# u64 FILE OFFSET: print a 64-bit number of the file
u64() { od -An -tu8 -j "$2" -N 8 "$1" | tr -d ' '; }
dmesg_of() { vmcore-dmesg "$1" 2>/dev/null; }
says() { dmesg_of "$1" | grep -- "$2" >/dev/null || { dmesg_of "$1" | tail -n 5; return 1; }; }

# The dump has the guest's low memory, below 1 MiB, with what its CPUs were started with
has_low_memory()
{
	local offset paddr
	offset=$(u64 "$1" $((PHDR1 + PHDR_OFFSET)))
	paddr=$(u64 "$1" $((PHDR1 + PHDR_PADDR)))
	echo "low memory $paddr at $offset"
	[ "$paddr" -gt 0 ] && [ "$paddr" -lt $((1 << 20)) ] &&
		dd if="$1" bs=4096 skip=$((offset / 4096)) count=10 status=none | tr -d '\0' | grep -qa .
}

# tools FILE COMPRESSION PATTERN: each tool finds the guest's last words in the dump
tools()
{
	check "$1: vmcore-dmesg finds the guest's last words" says "$cores/$1" "$3"
	check "$1: makedumpfile finds the same log" \
		eval "makedumpfile --dump-dmesg $cores/$1 $cores/$1.log &&
		diff <(dmesg_of $cores/$1) $cores/$1.log"
	check "$1: makedumpfile filters and compresses the dump" eval "
		makedumpfile $2 -d 31 $cores/$1 $cores/$1.small &&
		[ \$(stat -c %s $cores/$1.small) -lt \$((\$(stat -c %s $cores/$1) / 4)) ]"
	check "$1: the compressed dump has the last words, too" eval "
		makedumpfile --dump-dmesg -f $cores/$1.small $cores/$1.log && grep -- '$3' $cores/$1.log"
}

dump() { sigmactl dump g "$cores/$1"; }

# ---- a running guest
guest g memory=128M disk=/dev/vdb net=1
check "the guest starts" sigmactl start g
check "the guest's user space answers" wait_guest 1
in_guest 1 "echo the dump has this >/dev/kmsg" >/dev/null
check "the running guest is dumped" dump live
check "the guest's heartbeat goes on after the dump" beats g
check "only the dump's owner may read it" [ "$(stat -c %a $cores/live)" = 600 ]
check "the dump is a sparse file" \
	[ $(($(stat -c '%b * %B' $cores/live))) -lt "$(stat -c %s $cores/live)" ]
check "the dump has the guest's low memory" has_low_memory $cores/live
tools live -l "the dump has this"
refuse "a dump does not overwrite a file" "exists already" dump live
refuse "a dump larger than the file size limit fails with the reason" "too large.*removed" \
	bash -c "ulimit -f 4096; exec sigmactl dump g $cores/large"
check "the dump that was too large leaves no file" [ ! -e $cores/large ]
mkdir -p /tmp/small && mount -t tmpfs -o size=4M tmpfs /tmp/small
refuse "a dump without enough disk space fails with the reason" \
	"No space left.*takes up to 128.0M.*removed" \
	sigmactl dump g /tmp/small/core
check "the dump without enough disk space leaves no file" [ -z "$(ls /tmp/small)" ]
umount /tmp/small
rm $cores/*

# ---- a panicked guest without a sigmad
in_guest 1 "(sleep 0.5; echo c >/proc/sysrq-trigger) >/dev/null 2>&1 &" >/dev/null
check "the guest's state becomes panicked" wait_state g panicked
panic="sysrq triggered crash"
check "the guest's bus shows why it panicked" \
	eval 'busctl --address=unix:path=/run/sigma/g/bus get-property \
	org.sigma /org/sigma/Guest org.sigma.Guest Panic | grep -x "s \"$panic\""'
check "the guest's sigmad is killed" kill_sigmad
check "sigmactl show shows why the guest panicked" \
	[ "$(sigmactl show -p Panic --value g)" = "$panic" ]
check "sigmactl status shows why the guest panicked" \
	eval 'sigmactl status g | grep "Panic: sysrq triggered crash"'
check "the panicked guest is dumped" dump dead
tools dead -l "Kernel panic.*sysrq triggered crash"
check "a dump through a pipe is the same as one to a file" \
	eval "sigmactl dump g - | cmp - $cores/dead"
check "the guest is killed" sigmactl kill g
refuse "a dump of a guest that is gone fails with the reason" "no such guest" dump gone
rm $cores/*

# ---- a guest that died before its driver was up
guest g kernel=6.12 memory=128M append="rdinit=/nowhere"
check "6.12: the guest starts" sigmactl start g
check "6.12: the guest's state becomes panicked" wait_state g panicked
check "6.12: the panic is in the guest's memory" \
	eval 'sigmactl log --memory g | grep "Kernel panic"'
check "6.12: the guest that died early is dumped" dump early
tools early -c "Kernel panic.*VFS"
check "6.12: the guest is killed" eval 'sigmactl kill g && wait_gone g'
rm -r $cores
check "the host has the CPU and the memory back" host_is_as_before
finish
