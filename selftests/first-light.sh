#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=2 mem=2G timeout=400
#
# The whole path once: a stock guest on a lent CPU uses its disk and its network, and gives
# everything back. "make demo" shows this test to people.

. "$(dirname "$0")/lib.sh"
need_sigma

MIB=64
SECONDS_OF_IPERF=5
image=/var/lib/sigma/debian.img

step()
{
	[ -z "${PRETTY:-}" ] || printf '\n%s\n' "$*"
}

now()
{
	date +%s.%N
}

# since START: print the seconds since then
since()
{
	awk -v a="$1" -v b="$(now)" 'BEGIN { printf "%.1f", b - a }'
}

rate()
{
	awk -v mib=$MIB -v seconds="$1" 'BEGIN { printf "%.0f MiB/s", mib / seconds }'
}

# In the guest: print the "seconds to write and fsync" a file of random data, and its checksum
write_file()
{
	in_guest 1 "dd if=/dev/urandom of=/run/data bs=1M count=$MIB status=none &&
		sync && start=\$(date +%s.%N) &&
		dd if=/run/data of=/root/data bs=1M conv=fsync status=none &&
		echo \$start \$(date +%s.%N) | awk '{ printf \"%.2f \", \$2 - \$1 }' &&
		sha256sum </run/data | cut -d ' ' -f 1 && rm /run/data" | tr -d '\n'
}

read_file()
{
	in_guest 1 "echo 3 >/proc/sys/vm/drop_caches; start=\$(date +%s.%N);
		sum=\$(sha256sum </root/data | cut -d ' ' -f 1);
		echo \$start \$(date +%s.%N) | awk '{ printf \"%.2f \", \$2 - \$1 }'; echo \$sum" |
		tr -d '\n'
}

# The checksum of the file in the image, as the host reads it when the guest is gone
host_sum()
{
	mount -o loop,ro $image /mnt/guest && sha256sum </mnt/guest/root/data | cut -d ' ' -f 1
	umount /mnt/guest
}

iperf()
{
	iperf3 --client 10.9.1.2 --time $SECONDS_OF_IPERF --json "$@" |
		jq -r '.end.sum_received.bits_per_second / 1e6 | round | select(. > 0)'
}

step "1. The host: stock Debian, $(uname -r), CPUs $(online)"
mkdir -p /var/lib/sigma /mnt/guest
# copies only the blocks in use
check "a disk image with a Debian root file system is made" e2image -r -a -f /dev/vdb $image
remember_host
cpus_before=$(online)
check "sigmactl check finds nothing that keeps guests from running" sigmactl check
say "$(cat "$OUTPUT")"

step "2. A guest is a file"
guest demo kernel=host disk=$image net=1
say "$(cat /etc/sigma/demo.guest)"
start=$(now)
check "sigmactl start demo starts the guest" sigmactl start demo
check "the guest's driver is up" wait_state demo running
check "Debian is up in the guest" wait_guest 1
boot=$(since "$start")
cpus_during=$(online)
check "sigmactl status demo describes the guest" sigmactl status demo
say "$(cat "$OUTPUT")"
check "the guest runs the stock kernel $(uname -r)" [ "$(in_guest 1 'uname -r')" = "$(uname -r)" ]
check "the guest runs on a CPU that the host no longer has" [ "$cpus_during" != "$cpus_before" ]

step "3. Its disk: $MIB MiB of random data, written with fsync and read back"
read -r write_seconds wrote < <(write_file)
check "the guest writes $MIB MiB" [ -n "${wrote:-}" ]
read -r read_seconds read_back < <(read_file)
check "the guest reads the same $MIB MiB back" [ "${read_back:-nothing}" = "${wrote:-something}" ]

step "4. Its network: iperf3 through the tap, in both directions"
in_guest 1 'iperf3 --server --daemon' >/dev/null
to_guest=$(iperf)
check "the host sends to the guest" [ -n "$to_guest" ]
from_guest=$(iperf --reverse)
check "the guest sends to the host" [ -n "$from_guest" ]

step "5. The end"
check "sigmactl stop demo stops the guest" sigmactl stop demo
check "the guest is gone" wait_gone demo
check "the host finds the same $MIB MiB in the image" [ "$(host_sum)" = "${wrote:-something}" ]
check "the host has its CPUs and memory back" host_is_as_before

step "Summary"
say "$(cat <<END
boot, start to user space      ${boot} s
disk, write and fsync          $(rate "${write_seconds:-0}")
disk, read                     $(rate "${read_seconds:-0}")
network, host to guest         ${to_guest:-0} Mbit/s
network, guest to host         ${from_guest:-0} Mbit/s
host's CPUs                    before $cpus_before, during $cpus_during, after $(online)
host's free memory             before $((free_before / 1024)) MiB, after $(($(free_memory) / 1024)) MiB
checks                         $((checks - failures)) passed, $failures failed
END
)"
finish
