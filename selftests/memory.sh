#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=2 mem=3G timeout=300 append=memmap=256M$0x110000000
#
# The sources of guest memory: the running host, a range kept back at boot, blocks set
# offline. From each it comes zeroed, as ordinary pages, and goes back.

. "$(dirname "$0")/lib.sh"
need_sigma

program=/usr/lib/sigma-rig/memory
kept=0x110000000
size=$((256 << 20))

# all_of START SIZE: the program's tests, for memory from there; 0 0 for anywhere
all_of()
{
	POOL_START=$1 POOL_SIZE=$2 $program
}

with_pool()
{
	rmmod sigma && modprobe sigma pool="$1"
}

# A memory block that is offline, as "address size"
offline_block()
{
	lsmem --bytes --raw --noheadings --output RANGE,SIZE,STATE |
		awk '$3 == "offline" { split($1, range, "-"); print range[1], $2; exit }'
}

remember_host
check "the running host: every test of the program" all_of 0 0
check "the running host: all is back" host_is_as_before

check "memmap=: the module takes the range" with_pool "256M@$kept"
check "memmap=: every test of the program" all_of $kept $size
guest g disk=/dev/vdb memory=768M
gathering=/sys/class/sigma/control/gathering
# The range comes first, and then what the running host gives
tells_progress()
{
	local name bytes
	sigmactl start g &
	until [ "${bytes:-0}" -gt 0 ]; do
		kill -0 $! || return
		read -r name bytes <$gathering
	done
	wait $! && echo "$name: $bytes so far" && [ "$name" = g ] && [ "$bytes" -lt $((768 << 20)) ]
}
check "memmap=: while memory is gathered it is told how much" tells_progress
check "memmap=: and nothing afterwards" eval '[ -z "$(cat $gathering)" ] && sigmactl kill g && wait_gone g'
guest g disk=/dev/vdb memory=256M
check "memmap=: a guest runs in it" eval \
	'sigmactl start g && wait_logged g "guest-rc: up" && grep -q "$kept-" /sys/class/sigma/g/segments'
check "memmap=: and stops" eval 'sigmactl stop g && wait_gone g'

check "chmem: the host sets 128 MiB offline" chmem -d 128M
read -r address bytes < <(offline_block)
check "chmem: the module takes the block" with_pool "$bytes@$address"
check "chmem: every test of the program" all_of "$address" "$bytes"
refuse "chmem: the block stays offline" "could only|failed|cannot" chmem -e "$address-$(printf '0x%x' $((address + bytes - 1)))"
check "chmem: without the module it comes online again" eval 'rmmod sigma && chmem -e 128M'

refuse "pool=: memory of the host" "busy" modprobe sigma pool=64M@1G
refuse "pool=: no memory at all" "invalid" modprobe sigma pool=2M@0xfee00000
refuse "pool=: unaligned" "invalid" modprobe sigma pool="256M@$((kept + 4096))"
refuse "pool=: overlapping" "invalid" modprobe sigma pool="4M@$kept,4M@$((kept + (2 << 20)))"
refuse "pool=: nonsense" "invalid" modprobe sigma pool=much
check "the module loads without a pool" modprobe sigma
finish
