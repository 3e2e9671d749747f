#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=5 mem=2G timeout=600 cpu=max,-la57 image=yes append=no_console_suspend append=init_on_free=1 append=memmap=192M$0x60000000 qemu=-machine qemu=pc restarts=yes in=matrix
#
# The machine hibernates, and its firmware and another kernel run before it goes on: guests have fallen
# asleep before, and are woken afterwards, with what they had. The kernel that loads the image has zeroed
# all memory that was free for it (init_on_free=1), so what was not saved is lost. The same for a real
# suspend to memory, with the firmware's part of it; host-sleep.sh has all that may fail before.

. "$(dirname "$0")/lib.sh"
go_on_in_memory "$(basename "$0")"
need_sigma

pm=/sys/power
: "${GUEST:=7.2}"		# kernel of the guest with two CPUs
: "${CYCLES:=2}"		# times that it hibernates

is_running() { [ "$(state "$1")" = running ]; }
all_run() { until_true 60 is_running g && until_true 60 is_running h; }
logged() { dmesg | grep "$1" >/dev/null; }
# make_memory N: what must be there afterwards: memory, a file, and load on disk and network. fio verifies
# what it has written again and again, and ends with the first error; iperf3 ends with its connection
make_memory()
{
	in_guest "$1" "head -c 262144 /dev/urandom >/run/noise; cp /run/noise /root/noise; sync;
		md5sum /run/noise >/run/sum; sleep 100000 >/dev/null 2>&1 </dev/null & echo \$! >/run/pid" &&
		in_guest "$1" "fio --name=load --filename=/root/load --size=4M --rw=randwrite --bs=4k --direct=1 \
			--rate_iops=100 --verify=crc32c --verify_fatal=1 --loops=1000000 >/run/fio 2>&1 </dev/null &
			iperf3 -c 10.9.$1.1 -p 520$1 -t 0 -b 1M >/run/iperf3 2>&1 </dev/null &" &&
		until_true 30 loads "$1"
}
loads()
{
	in_guest "$1" "pgrep -x fio >/dev/null && pgrep -x iperf3 >/dev/null || { tail -n 5 /run/fio /run/iperf3; false; }" &&
		ss -tn state established "( sport = :520$1 )" | grep -q "10.9.$1.2"
}
answers_at_last() { echo "echo still here" >&7 && within 30 head -n 1 <&7 | grep "still here"; }
are_lent() { online; [ "$(online)" = 0-1 ]; }
# are_well WHAT: nothing was lost, and the CPUs are lent as before
are_well()
{
	check "$1: both guests run again" all_run
	check "$1: CPUs are lent as before" are_lent
	check "$1: memory, files, disks and programs are as before" eval 'has_memory 1 && has_memory 2'
	check "$1: fio and iperf3 go on in both" eval 'loads 1 && loads 2'
	check "$1: they have their CPUs" eval 'has_cpus 2 1 && has_cpus 1 2'
	check "$1: their clocks are the host's" eval 'clock_is_right 1 && clock_is_right 2'
}
hibernate() { echo disk >$pm/state; }
rtc=/sys/class/rtc/rtc0
# suspend: the machine's clock wakes it
suspend() { echo 0 >$rtc/wakealarm && echo +5 >$rtc/wakealarm && echo mem >$pm/state; }
slept() { [ "$(<$pm/suspend_stats/success)" = "$1" ]; }

check "the machine has a disk to hibernate to" eval 'mkswap /dev/vdd && swapon /dev/vdd &&
	cat /sys/block/vdd/dev >$pm/resume && echo reboot >$pm/disk'

# ---- what cannot be saved
check "the pool has memory" sigmactl pool add 192M@0x60000000
guest g disk=/dev/vdb net=1 memory=128M
check "a guest of the pool starts" sigmactl start g
refuse "the machine does not hibernate" "busy" hibernate
check "its log says why" logged "cannot hibernate: guest g: its memory is of the pool"
check "the guest is killed" eval 'sigmactl kill g; wait_gone g'
check "the module is loaded anew, without a pool" eval 'modprobe -r sigma && modprobe sigma'
guest g memory=1000M disk=/dev/vdb net=1
check "a guest that is large starts" sigmactl start g
refuse "the machine does not hibernate" "Cannot allocate memory" hibernate
check "its log says why" logged "cannot hibernate: its guests have 1000 MiB, and it can save less than half"
check "the guest is killed" eval 'sigmactl kill g; wait_gone g'

# ---- the kernel that loads an image, and one that gives up
guest g disk=/dev/vdb net=1 cpus=2 guard=no kernel="$GUEST"
guest h disk=/dev/vdc net=2 cpus=1 guard=full ${GUEST_6_1:+kernel=6.1}
check "a guest with kernel $GUEST and two CPUs starts" sigmactl start g
check "a guest with a guard starts" sigmactl start h
check "their user space answers" eval 'wait_guest 1 && wait_guest 2'
iperf3 -s -D -p 5201 && iperf3 -s -D -p 5202
check "they have something to keep" eval 'make_memory 1 && make_memory 2'
check "a connection is open" connect

refuse "no image of another kernel is loaded" "busy" eval 'exec 9>/dev/snapshot'
check "its log says why" logged "cannot go on with its hibernated kernel: guest . would be lost"

check "a program begins to hibernate the machine, and gives up" eval 'exec 9</dev/snapshot; exec 9<&-'
are_well "given up"

# ---- from here on there are no shares any more, of which a guest could start
for ((round = 1; round <= CYCLES; round++)); do
	echo "round $round" >/dev/kmsg
	check "hibernation $round: the machine goes on after its restart" hibernate
	are_well "hibernation $round"
done

check "suspend to memory: the machine goes on when its clock wakes it" suspend
check "suspend to memory: it was no test" slept 1
are_well "suspend to memory"
check "the connection is still open" answers_at_last
exec 7>&-

check "both are killed" eval 'sigmactl kill h; sigmactl kill g; wait_gone h && wait_gone g'
check "the host has its CPUs back" [ "$(online)" = 0-4 ]
finish_in_memory
