#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=2G timeout=700 cpu=max,-la57
#
# Guests fall asleep, the host has their CPUs meanwhile, and they wake where they were: with one CPU and
# two, with each guard, and with kernels of three series. One that does not fall asleep as it should
# does no harm.

. "$(dirname "$0")/lib.sh"
need_sigma
remember_host

cpus_lent() { cat /sys/class/sigma/g/cpus_lent; }
sleeps() { [ "$(state g)" = asleep ]; }
# abort LEVEL: a suspend that begins, and goes back once it has come so far
abort()
{
	in_guest_bash 1 "echo 0 >/sys/module/suspend/parameters/pm_test_delay; echo $1 >/sys/power/pm_test && echo mem >/sys/power/state; status=\$?;
		echo none >/sys/power/pm_test; exit \$status"
}
# An event of the bus: SIGMA_POWER_SLEEP, from a host that knows of no sleep yet
ask_again() { printf '\x02\x41\0\0\0\0\0\0\x03\0\0\0\0\0\0\0' >/dev/sigma/g; }
kill_guest() { sigmactl kill g && wait_gone g; }

# ---- each kind of guest, once
for spec in host/2/no host/1/memory host/2/full 6.12/2/no 7.2/2/no; do
	IFS=/ read -r kernel cpus guard <<<"$spec"
	what="$spec"
	kernel=${kernel/host/}
	guest g disk=/dev/vdb net=1 cpus="$cpus" guard="$guard" ${kernel:+kernel=$kernel}
	check "$what: the guest starts" sigmactl start g
	check "$what: the guest's user space answers" wait_guest 1
	check "$what: it has something to keep" make_memory
	check "$what: a connection to it is open" connect
	for level in $([ "$cpus" = 1 ] || echo processors core); do
		check "$what: a suspend that fails at \"$level\" ends" abort "$level"
		check "$what: it has $cpus CPUs again" has_cpus "$cpus"
	done
	check "$what: it falls asleep" sigmactl sleep g
	check "$what: its state is asleep, and it has no CPUs" eval 'sleeps && [ -z "$(cpus_lent)" ]'
	check "$what: the host has its CPUs, and uses them" eval '[ "$(online)" = 0-2 ] &&
		taskset -c 1 true && taskset -c 2 true'
	check "$what: it wakes up" sigmactl wake g
	check "$what: the host lacks its CPUs" [ "$(online)" != 0-2 ]
	check "$what: its memory, file, disk and process are as before" has_memory
	check "$what: it has $cpus CPUs" has_cpus "$cpus"
	check "$what: its clock is the host's" clock_is_right
	check "$what: the connection is still open" answers_at_last
	check "$what: its heart beats" beats g
	exec 7>&-
	[ "$spec" = 7.2/2/no ] || check "$what: it is killed" kill_guest
done

# ---- the last one: what may come between sleep and wake
check "it falls asleep with its CPUs kept" sigmactl sleep --keep-cores g
check "it has its CPUs" [ "$(cpus_lent)" = 1,2 ]
check "status tells that it sleeps" eval 'sigmactl status --json g | jq -e ".state == \"asleep\""'
refuse "a guest that is asleep runs no programs" "asleep" sigmactl exec g -- true
refuse "a guest that is asleep cannot be told to keep its CPUs" "it is asleep" sigmactl sleep --keep-cores g
check "its CPUs are given back while it sleeps" eval 'sigmactl sleep g && [ -z "$(cpus_lent)" ]'
check "it wakes up" sigmactl wake g
refuse "a guest that runs cannot be woken" "not asleep" sigmactl wake g

in_guest 1 '(sleep 1; echo mem >/sys/power/state) >/dev/null 2>&1 &' >/dev/null
check "it falls asleep by itself" wait_state g asleep
check "the host gets its CPUs" until_true 30 [ -z "$(cpus_lent)" ]
check "sigmad is killed" kill_sigmad
check "the next sigmad takes the guest over, and it sleeps on" eval 'sigmactl start g && sleeps'
check "a request to sleep comes too late" ask_again
sed 's/^CPUs=.*/CPUs=cpu1/; s/10.9.1/10.9.2/g; /^\[Disk\]/,/^$/d' /etc/sigma/g.guest >/etc/sigma/h.guest
check "another guest gets one of its CPUs" sigmactl start h
refuse "it cannot wake then, and is told why" "cpu 1: is lent to a guest already" sigmactl wake g
check "it sleeps on" sleeps
check "the other guest is killed" eval 'sigmactl kill h && wait_gone h'
check "it wakes up" sigmactl wake g
check "its memory, file, disk and process are as before" has_memory
check "it has not obeyed the request that came too late" eval 'beats g && [ "$(state g)" = running ] &&
	! sigmactl log g | grep "cannot fall asleep"'
check "it falls asleep" sigmactl sleep g
check "sigmactl stop wakes it, and it switches itself off" eval 'sigmactl stop --timeout=120 g 2>&1 |
	{ ! grep "was stopped"; }'
check "it is gone" wait_gone g

# ---- guests that do not as they should
module=/usr/lib/sigma-rig/sleepless.ko
size=$(stat -c %s $module)
cp $module /tmp/sleepless.disk
truncate -s %512 /tmp/sleepless.disk
guest g disk=/dev/vdb disk=/tmp/sleepless.disk net=1 guard=no
check "another guest starts" sigmactl start g
check "its user space answers" wait_guest 1
check "it refuses s2idle" in_guest 1 '! echo freeze >/sys/power/state'
check "it copies the module" in_guest 1 "head -c $size /dev/vdb >/root/sleepless.ko"
check "it will refuse to sleep" in_guest 1 "insmod /root/sleepless.ko how=refuses"
refuse "sigmactl sleep tells that it could not" "could not fall asleep .*busy.* and runs on" sigmactl sleep g
check "it runs on" has_cpus 1
check "it will hang" in_guest 1 "rmmod sleepless && insmod /root/sleepless.ko how=hangs"
refuse "sigmactl sleep tells that it did not in time" "did not fall asleep in time" \
	sigmactl sleep --timeout=3 g
check "it is killed" kill_guest

check "it starts again" sigmactl start g
check "its user space answers" wait_guest 1
in_guest 1 "head -c $size /dev/vdb >/root/sleepless.ko;
	(sleep 1; insmod /root/sleepless.ko how=lies page=4096) >/dev/null 2>&1 &" >/dev/null
check "it says that it sleeps, and wants to wake in memory of the host" wait_state g asleep
refuse "it is not woken there" "no page of its own memory" sigmactl wake g
check "it sleeps on" sleeps
check "it is stopped" eval 'sigmactl stop g; wait_gone g'
check "the host has the CPUs and the memory back" host_is_as_before
finish
