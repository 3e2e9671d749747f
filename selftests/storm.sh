#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=4 mem=2G timeout=700 cpu=max,-la57 in=matrix
#
# Interrupts without end. NMIs to lent CPUs, wherever they wait, and from a guest's CPU to another one
# while they are stopped, must not reset the machine. Beside doorbells host and guest go on.

. "$(dirname "$0")/lib.sh"
need_sigma
remember_host
cp /proc/cpuinfo /tmp/cpuinfo

STOPS=2
BUSY_SECONDS=4

module=/usr/lib/sigma-rig/storm.ko
size=$(stat -c %s $module)
cp $module /tmp/storm.disk
truncate -s %512 /tmp/storm.disk

boot()
{
	guest g guard="$1" cpus=2 disk=/dev/vdb disk=/tmp/storm.disk net=1
	sigmactl start g && wait_guest 1 &&
		in_guest 1 "head -c $size /dev/vdb >/root/storm.ko"
}

# shellcheck disable=SC2016 # expanded by the guest's shell
NMIS='nmis() { awk "/^ *NMI:/ { print \$2 }" /proc/interrupts; }; before=$(nmis); sleep 1; after=$(nmis);
	echo $before $after; [ $after -gt $((before + 10)) ]'

send_nmis() { ! insmod $module what=nmis to="$(apic_id "$1" </tmp/cpuinfo)" >/tmp/insmod 2>&1 && grep canceled /tmp/insmod; }

# The second CPU stays where it waits for the first one to fetch it
for guard in no full; do
	guest g guard=$guard cpus=2 disk=/dev/vdb net=1 append=maxcpus=1
	check "guard $guard: a guest that leaves its second CPU alone is up" eval 'sigmactl start g && wait_guest 1'
	check "guard $guard: NMIs to the CPU at the mailbox" send_nmis 2
	check "guard $guard: the guest works on" in_guest 1 'echo'
	in_guest 1 "(sleep 1; echo c >/proc/sysrq-trigger) >/dev/null 2>&1 &"
	check "guard $guard: and panics, when it is told to" wait_state g panicked 60
	for cpu in 1 2; do
		check "guard $guard: NMIs to CPU $cpu, which rests" send_nmis $cpu
	done
	check "guard $guard: CPUs and memory are back" eval 'sigmactl kill g && wait_gone g && host_is_as_before'
done

# Confined in full alone: the emulator, unlike CPUs, has an NMI start one that waits for a start-up IPI.
# A guard lets no NMI through once its guest is about to be stopped.
for ((i = 1; i <= STOPS; i++)); do
	check "NMIs, $i: the guest is up" boot full
	check "NMIs, $i: its first CPU gets them" in_guest 1 "insmod /root/storm.ko what=nmis && $NMIS"
	check "NMIs, $i: it is killed meanwhile" sigmactl kill g
	check "NMIs, $i: CPUs and memory are back" eval 'wait_gone g && host_is_as_before'
done

count() { cat "/sys/class/sigma/$1/interrupts_$2"; }
sent() { cat "/sys/class/sigma/$1/guard_exits/ipi"; }
# Rounds that a program of the host does in BUSY_SECONDS, on the CPU that gets the doorbells
rounds() { taskset -c 0 perl -e '$SIG{ALRM} = sub { print "$n\n"; exit }; alarm $ARGV[0]; $n++ while 1' $BUSY_SECONDS; }

# storm TITLE GUEST...: these guests ring meanwhile; what they take of a CPU together
storm()
{
	local title=$1 name share=0 began got
	local -A sent_before taken_before spent_before
	shift
	for name; do
		sent_before[$name]=$(sent "$name") taken_before[$name]=$(count "$name" received)
		spent_before[$name]=$(count "$name" ns)
	done
	began=${EPOCHREALTIME/./}
	got=$(rounds)
	for name; do
		share=$((share + $(count "$name" ns) - spent_before[$name]))
		say "$name sent $(($(sent "$name") - sent_before[$name])), the host took" \
			"$(($(count "$name" received) - taken_before[$name]))"
	done
	share=$((share / 10 / (${EPOCHREALTIME/./} - began)))
	say "together they had $share % of a CPU; a program there did $got rounds, $alone without them"
	check "$title: a program of the host goes on" [ "$got" -gt 0 ]
	# A quarter, and the bursts of a tick
	check "$title: they have a third of a CPU at most" [ $share -le 33 ]
	for name; do
		check "$title: $name sent many" [ $(($(sent "$name") - sent_before[$name])) -ge $((100 * BUSY_SECONDS)) ]
	done
}

check "doorbells: the guest is up" boot full
in_guest 1 "(taskset -c 1 timeout $((BUSY_SECONDS + 2)) sh -c 'while :; do :; done' &) >/dev/null"
alone=$(rounds)
check "doorbells: it begins" in_guest 1 'insmod /root/storm.ko what=doorbells'
storm "doorbells" g
check "interrupts: it begins" in_guest 1 'rmmod storm && insmod /root/storm.ko what=interrupts'
storm "interrupts" g
check "doorbells: the guest is served all the same" in_guest 1 'dd if=/dev/zero of=/root/file bs=1M count=2 conv=fsync'

cp /tmp/storm.disk /tmp/storm2.disk
guest h guard=full cpus=1 disk=/dev/vdc disk=/tmp/storm2.disk net=2
check "two guests: the second one is up" eval 'sigmactl start h && wait_guest 2 &&
	in_guest 2 "head -c $size /dev/vdb >/root/storm.ko"'
check "two guests: it begins, too" in_guest 2 'insmod /root/storm.ko what=interrupts'
storm "two guests" g h
check "two guests: the second one is served all the same" in_guest 2 'dd if=/dev/zero of=/root/file bs=1M count=2 conv=fsync'
check "two guests: the second one is killed" eval 'sigmactl kill h && wait_gone h'

check "doorbells: it ends, and works on" in_guest 1 'rmmod storm && echo done'
check "it stops, all is back" eval 'sigmactl stop g && wait_gone g && host_is_as_before'
finish
