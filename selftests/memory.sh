#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=2 mem=3G timeout=300 append=init_on_alloc=0 append=memmap=256M$0x110000000
#
# The sources of guest memory: the running host, a range reserved at boot, and memory blocks that
# were set offline. Memory from each source arrives zeroed as ordinary pages, though this host's
# kernel does not zero what it allocates, and is given back. What is no memory for guests is refused.

. "$(dirname "$0")/lib.sh"
need_sigma

program=/usr/lib/sigma-rig/memory
kept=0x110000000
size=$((256 << 20))
conf=/etc/sigma/pool.conf
control=/sys/class/sigma/control

# all_of START SIZE: run the program's tests on memory from that range; 0 0 means any memory
all_of()
{
	POOL_START=$1 POOL_SIZE=$2 $program
}

# The pool is empty when the module is loaded
empty_pool() { rmmod sigma && modprobe sigma; }
with_pool() { empty_pool && sigmactl pool add "$1"; }
pool_has() { [ "$(<$control/pool_size)" = "$1" ] || { cat $control/pool_*; return 1; }; }

# offline_block [NOT]: print the memory block that is offline, and is not at NOT, as "address size"
offline_block()
{
	lsmem --all --bytes --raw --noheadings --output RANGE,SIZE,STATE | awk -v not="${1:-}" '
		{ split($1, range, "-") } $3 == "offline" && range[1] != not { print range[1], $2; exit }'
}

remember_host
check "running host: every test of the program passes" all_of 0 0
check "running host: all memory is back" host_is_as_before

# The page stays out of use for good. hwpoison-inject reports its error as a memory controller does
guest g disk=/dev/vdb memory=256M
fail() { echo "$1" >/sys/kernel/debug/hwpoison/corrupt-pfn || true; }
failed_kib() { awk '$1 == "HardwareCorrupted:" { print $2 }' /proc/meminfo; }
failing_page() { segments g | head -n 1 | { IFS=- read -r _ last; echo $((0x$last >> 12)); }; }
check "memory error: a guest runs" eval 'sigmactl start g && wait_logged g "guest-rc: up"'
check "memory error: the last page of its first piece fails" eval 'modprobe hwpoison-inject &&
	page=$(failing_page) && fail $page && [ "$(failed_kib)" = 4 ]'
check "memory error: the dump goes on, and tells of it" eval 'sigmactl dump g - 2>/tmp/said >/dev/null &&
	grep "1 page of the guest has a memory error" /tmp/said'
check "memory error: the next sigmad finds the log in the memory" eval 'kill_sigmad &&
	sigmactl start g && sigmactl log --memory g | grep "Linux version"'
check "memory error: the guest is killed" eval 'sigmactl kill g && wait_gone g'
check "memory error: the page is still out of use" [ "$(failed_kib)" = 4 ]
check "memory error: another guest gets other pages" eval 'sigmactl start g && wait_logged g "guest-rc: up" &&
	segments g | { while IFS=- read -r first last; do
		[ $page -lt $((0x$first >> 12)) ] || [ $page -gt $((0x$last >> 12)) ] || exit; done; }'
check "memory error: the guest is killed" eval 'sigmactl kill g && wait_gone g'
check "memory error: a program gets EIO, or SIGBUS, for the page alone" env FAIL_PAGE=1 $program

check "memmap=: the module takes the range" with_pool "256M@$kept"
check "memmap=: every test of the program passes" all_of $kept $size
guest g disk=/dev/vdb memory=768M
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
check "chmem: every test of the program passes after that" all_of "$address" "$bytes"
check "chmem: the block can be set online without the module" eval 'rmmod sigma && chmem -e 128M'
failed=$address
check "chmem: a page of it fails, and it is set offline again" eval '
	fail $(((address + bytes) / 4096 - 1)) && chmem -d "$address-$(printf 0x%x $((address + bytes - 1)))"'
check "chmem: no guest gets the memory around that page" eval 'modprobe sigma &&
	sigmactl pool add "$bytes@$address" && [ "$(<$control/pool_free)" = $((bytes - (2 << 20))) ]'
# Kernel 6.1 has cleared the mark of the error before it asks
check "chmem: nor once the host was refused to set it online" eval '
	! chmem -e "$address-$(printf 0x%x $((address + bytes - 1)))" && rmmod sigma && modprobe sigma &&
	sigmactl pool add "$bytes@$address" && [ "$(<$control/pool_free)" = $((bytes - (2 << 20))) ] &&
	rmmod sigma'

check "the module loads without a pool" modprobe sigma
check "pool: it is empty at first" pool_has 0
refuse "pool: memory that the host uses is refused" "the host uses this" sigmactl pool add 64M@1G
refuse "pool: a range without memory is refused" "firmware does not call 0xfee00000 memory" \
	sigmactl pool add 2M@0xfee00000
refuse "pool: an unaligned range is refused" "multiples of 2 MiB" \
	sigmactl pool add "256M@$((kept + 4096))"
refuse "pool: an unaligned size is refused" "multiples of 2 MiB" sigmactl pool add "1M@$kept"
refuse "pool: a value that is no range is refused" "not SIZE@ADDRESS" sigmactl pool add much
refuse "pool: root without CAP_SYS_ADMIN is refused" "only root may" \
	setpriv --bounding-set=-sys_admin sigmactl pool add "4M@$kept"
check "pool: it is empty after all that" pool_has 0
refuse "pool: overlapping ranges are refused" "overlaps another range" \
	sigmactl pool add "4M@$kept" "4M@$((kept + (2 << 20)))"
check "pool: it has the first of the two" pool_has $((4 << 20))
refuse "pool: the same range a second time is refused" "in the pool already" \
	sigmactl pool add "4M@$kept"
check "pool: /proc/iomem shows the range" grep -i "${kept#0x}-1103fffff : SIGMA pool" /proc/iomem
add_seven()
{
	local i
	for i in 1 2 3 4 5 6 7; do
		sigmactl pool add "4M@$((kept + i * (4 << 20)))" || return
	done
}
check "pool: seven more ranges are added, each at the end of another one" add_seven
check "pool: it has all eight" pool_has $((32 << 20))
refuse "pool: a ninth range is refused" "the pool has 8 ranges" \
	sigmactl pool add "4M@$((kept + (32 << 20)))"

# ---- the file
printf '# kept back\n4M@%s # a comment\n\n2M@0xfee00000\nmuch\n8M@%#x\n' \
	$kept $((kept + (16 << 20))) >$conf
check "the module is loaded again" empty_pool
check "pool.conf: mistakes are reported with their lines" eval 'sigmactl pool restore 2>/tmp/said
	[ $? = 1 ] && grep "$conf:4: 2M@0xfee00000: the firmware does not" /tmp/said &&
	grep "$conf:5: much: not SIZE@ADDRESS" /tmp/said && [ "$(wc -l </tmp/said)" = 2 ]'
check "pool.conf: the other lines are in the pool" pool_has $((12 << 20))
sed -i '/fee00000/d; /much/d' $conf
check "pool.conf: ranges that are in the pool already are no error" sigmactl pool restore
check "pool.conf: the pool is as before" pool_has $((12 << 20))
check "pool.conf: after a reload the ranges are added again" \
	eval 'empty_pool && sigmactl pool restore && pool_has $((12 << 20))'
rm $conf
refuse "pool.conf: without the file there is an error" "$conf: cannot be read" sigmactl pool restore
check "the module is unloaded with a pool" rmmod sigma
refuse "without the module there is an error that says what to do" "modprobe sigma" \
	sigmactl pool add "4M@$kept"
modprobe sigma

# ---- Before a notifier can refuse, the kernel makes the pages of a block anew, whoever uses them. The
# pages stay unused afterwards, and so the module loaded: this comes last.
check "in use: the host sets 128 MiB offline" chmem -d 128M
read -r address bytes < <(offline_block "$failed")
guest g disk=/dev/vdb net=1 memory=256M
check "in use: a guest runs in the block" eval 'sigmactl pool add "$bytes@$address" &&
	sigmactl start g && wait_guest 1 && [ "$(<$control/pool_free)" = 0 ]'
sum() { in_guest 1 'md5sum /run/noise'; }
in_guest 1 'dd if=/dev/urandom of=/run/noise bs=1M count=32 2>/dev/null'
noise=$(sum)
refuse "in use: the block cannot be set online" \
	"could only|failed|cannot" chmem -e "$address-$(printf '0x%x' $((address + bytes - 1)))"
check "in use: sigmad is killed" kill_sigmad
check "in use: another sigmad takes the guest over" eval 'sigmactl start g && wait_guest 1'
check "in use: the guest's memory is as before" [ "$(sum)" = "${noise:-none}" ]
check "in use: the guest stops" eval 'sigmactl stop g && wait_gone g'
check "in use: no guest gets these pages again" [ "$(<$control/pool_free)" = 0 ]
finish
