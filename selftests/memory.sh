#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=2 mem=3G timeout=300 append=memmap=256M$0x110000000
#
# The sources of guest memory: the running host, a range reserved at boot, and memory blocks that
# were set offline. Memory from each source arrives zeroed as ordinary pages, and is given back.

. "$(dirname "$0")/lib.sh"
need_sigma

program=/usr/lib/sigma-rig/memory
kept=0x110000000
size=$((256 << 20))

# all_of START SIZE: run the program's tests on memory from that range; 0 0 means any memory
all_of()
{
	POOL_START=$1 POOL_SIZE=$2 $program
}

with_pool()
{
	rmmod sigma && modprobe sigma pool="$1"
}

# Print the memory block that is offline as "address size"
offline_block()
{
	lsmem --bytes --raw --noheadings --output RANGE,SIZE,STATE |
		awk '$3 == "offline" { split($1, range, "-"); print range[1], $2; exit }'
}

remember_host
check "running host: every test of the program passes" all_of 0 0
check "running host: all memory is back" host_is_as_before

# The page stays out of use for good. hwpoison-inject reports its error as a memory controller does
guest g disk=/dev/vdb memory=256M
failed_kib() { awk '$1 == "HardwareCorrupted:" { print $2 }' /proc/meminfo; }
failing_page() { segments g | head -n 1 | { IFS=- read -r _ last; echo $((0x$last >> 12)); }; }
check "memory error: a guest runs" eval 'sigmactl start g && wait_logged g "guest-rc: up"'
check "memory error: the last page of its first piece fails" eval 'modprobe hwpoison-inject &&
	page=$(failing_page) && { echo $page >/sys/kernel/debug/hwpoison/corrupt-pfn || true; } &&
	[ "$(failed_kib)" = 4 ]'
check "memory error: the guest is killed" eval 'sigmactl kill g && wait_gone g'
check "memory error: the page is still out of use" [ "$(failed_kib)" = 4 ]
check "memory error: another guest gets other pages" eval 'sigmactl start g && wait_logged g "guest-rc: up" &&
	segments g | { while IFS=- read -r first last; do
		[ $page -lt $((0x$first >> 12)) ] || [ $page -gt $((0x$last >> 12)) ] || exit; done; }'
check "memory error: the guest is killed" eval 'sigmactl kill g && wait_gone g'

check "memmap=: the module takes the range" with_pool "256M@$kept"
check "memmap=: every test of the program passes" all_of $kept $size
guest g disk=/dev/vdb memory=768M
control=/sys/class/sigma/control
# The pool is used first, then memory of the running host
tells_progress()
{
	local name bytes
	sigmactl start g &
	until [ "${bytes:-0}" -gt 0 ]; do
		kill -0 $! || return
		name=$(<$control/gathering) bytes=$(<$control/gathered)
	done
	wait $! && echo "$name: $bytes so far" && [ "$name" = g ] && [ "$bytes" -lt $((768 << 20)) ]
}
check "memmap=: sysfs shows how much memory is gathered so far" tells_progress
check "memmap=: sysfs shows nothing when the memory is gathered" \
	eval '[ -z "$(cat $control/gathering)" ] && sigmactl kill g && wait_gone g'
guest g disk=/dev/vdb memory=256M
check "memmap=: a guest runs in the range" eval \
	'sigmactl start g && wait_logged g "guest-rc: up" && segments g | grep -q "^${kept#0x}-"'
check "memmap=: the guest stops" eval 'sigmactl stop g && wait_gone g'

check "chmem: the host sets 128 MiB offline" chmem -d 128M
read -r address bytes < <(offline_block)
check "chmem: the module takes the offline block" with_pool "$bytes@$address"
check "chmem: every test of the program passes" all_of "$address" "$bytes"
refuse "chmem: the block cannot be set online while the module has it" \
	"could only|failed|cannot" chmem -e "$address-$(printf '0x%x' $((address + bytes - 1)))"
check "chmem: the block can be set online without the module" eval 'rmmod sigma && chmem -e 128M'

refuse "pool=: memory that the host uses is refused" "busy" modprobe sigma pool=64M@1G
refuse "pool=: a range without memory is refused" "invalid" modprobe sigma pool=2M@0xfee00000
refuse "pool=: an unaligned range is refused" "invalid" modprobe sigma pool="256M@$((kept + 4096))"
refuse "pool=: overlapping ranges are refused" \
	"invalid" modprobe sigma pool="4M@$kept,4M@$((kept + (2 << 20)))"
refuse "pool=: a value that is no range is refused" "invalid" modprobe sigma pool=much
check "the module loads without a pool" modprobe sigma
finish
