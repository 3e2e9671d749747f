# SPDX-License-Identifier: GPL-2.0
#
# shellcheck shell=bash disable=SC2034,SC2154 # shared with "run"
#
# The items that are measured, the same on both sides. Each calls "figure WHAT UNIT VALUE" for each
# result. The programs at the host's end run on the CPUs that both sides leave to the host.

# "iosc" is a script of its own
ITEMS="boot kernel block file net"
SECONDS_OF_IPERF=3
SECONDS_OF_PINGPONG=3
PINGPONG=(fio --output-format=json --name=pingpong --ioengine=net --protocol=tcp --port=9
	--bs=64 --size=1g --pingpong=1 --nodelay=1 --thread)

declare -A title=(
	[boot]="Start to user space"
	[kernel]="LMbench"
	[block]="Disk in the host's memory (tmpfs)"
	[file]="Disk in a file of the host (ext4)"
	[net]="Network, by a tap and vhost-net"
)

# The start itself is measured in "run"
item_boot()
{
	figure "sigmactl start, or QEMU, until it answers" s "$boot_seconds"
}

# The archive is the beginning of the disk in memory, which is measured later
item_kernel()
{
	local us what

	dd if=/run/lmbench.tar of="$RAM_DISK" conv=notrunc status=none && unpack_lmbench /dev/vdb &&
		GUEST_TIMEOUT=300 in_guest 1 "$LMBENCH" >"$OUTPUT" || return
	lmbench_figures <"$OUTPUT" >/run/bench/lmbench
	[ "$(wc -l </run/bench/lmbench)" = "$NR_FIGURES" ] || return
	while IFS=$'\t' read -r _ what us; do
		figure "$what" us "$us" || return
	done </run/bench/lmbench
}

# run_fio DISK: run the jobs of block.fio in the guest
run_fio()
{
	local jobs what value

	jobs=$(printf %q "$(cat bench/block.fio)")
	GUEST_TIMEOUT=120 in_guest_bash 1 "fio --output-format=json --filename=$1 - <<<$jobs" >"$OUTPUT" ||
		return
	while IFS=$'\t' read -r what value; do
		figure "$what" requests/s "$value"
	done < <(jq -r '.jobs[] | [.jobname, .read.iops + .write.iops] | @tsv' "$OUTPUT")
}

item_block()
{
	run_fio /dev/vdb
}

item_file()
{
	run_fio /dev/vdc
}

# iperf WHAT OPTION...: the host is the client, so its clock is used
iperf()
{
	local what=$1
	shift
	iperf3 --client 10.9.1.2 --time $SECONDS_OF_IPERF --omit 1 --json "$@" >"$OUTPUT" &&
		figure "$what" Mbit/s "$(jq '.end.sum_received.bits_per_second / 1e6' "$OUTPUT")"
}

item_net()
{
	in_guest 1 "iperf3 --server --daemon; ${PINGPONG[*]} --rw=read --listen >/run/pingpong 2>&1 &" \
		>/dev/null || return
	iperf "host to guest, 1 flow" &&
		iperf "host to guest, 4 flows" --parallel 4 &&
		iperf "host to guest, 1 flow, 256-byte messages" --length 256 &&
		iperf "guest to host, 1 flow" --reverse &&
		iperf "guest to host, 4 flows" --reverse --parallel 4 &&
		iperf "guest to host, 1 flow, 256-byte messages" --reverse --length 256 &&
		"${PINGPONG[@]}" --rw=write --hostname=10.9.1.2 --time_based \
			--runtime=$SECONDS_OF_PINGPONG >"$OUTPUT" &&
		figure "request and response, 64 bytes" pairs/s "$(jq '.jobs[0].write.iops' "$OUTPUT")"
}
