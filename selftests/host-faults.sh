#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=2G timeout=900 by-name=yes
#
# Faults of the host while guests start, run and end: sigmad is killed at each call of sigma.ko that a
# start makes, and a signal ends each of them; the host runs out of memory while it lends some; CPUs
# come and go, and the module is unloaded.

. "$(dirname "$0")/lib.sh"
need_sigma

CALLS_MAX=60
ROUNDS=4

no_sigmad() { ! pgrep -x sigmad >/dev/null; }
up() { sigmactl start g && wait_logged g "guest-rc: up"; }
killed() { sigmactl kill g && wait_gone g; }
# A signal may leave a guest whose sigmad is dead, or ends it just now
end_of_start()
{
	is_gone g || sigmactl kill g || until_true 20 is_gone g || return
	until_true 20 no_sigmad && host_is_as_before
}

# ---- sigmad dies at each of its calls
# start_with SIGNAL N: strace(1) sends the signal to the program that makes its Nth call of the devices
# of sigma.ko, in front of that call. It is a child of the command (-D), and outlives it with sigmad
start_with()
{
	strace -D -f --seccomp-bpf -o /tmp/calls -P /dev/sigma/control -P /dev/sigma/g -e trace=ioctl \
		-e "inject=ioctl:signal=$1:when=$2" sigmactl start g </dev/null >/tmp/said 2>&1
}
# calls: how many the busier of the programs has made
calls() { awk '/ioctl\(/ && ++n[$1] > most { most = n[$1] } END { print most + 0 }' /tmp/calls; }
no_strace() { ! pgrep -x strace >/dev/null; }

# each_call SIGNAL STEP: starts end by the signal at their first call, at one STEP later, and so on,
# until a start makes fewer calls
each_call()
{
	local n status
	for ((n = 1; n < CALLS_MAX; n += $2)); do
		start_with "$1" $n
		status=$?
		[ $status != 0 ] || [ "$(calls)" -ge $n ] || break
		echo "call $n: status $status, $(tail -n 1 /tmp/said), g: $(state g)"
		end_of_start || return
	done
	echo "$((n - 1)) calls at most, status $status"
	[ $n -gt 3 ] && [ $n -lt $CALLS_MAX ] && [ $status = 0 ] && end_of_start && until_true 10 no_strace
}

guest g memory=128M disk=/dev/vdb
# A first guest has the host load modules and grow caches that it keeps
check "a guest runs, and is killed" eval 'up && killed'
remember_host
for signal in SIGKILL SIGTERM; do
	step=1
	[ $signal = SIGKILL ] || step=4
	check "$signal: a start whose sigmad gets it at any of its calls leaves nothing" each_call $signal $step
	say "$(tail -n 3 "$OUTPUT")"
	check "$signal: a guest starts and runs after that" up
	check "$signal: it is killed, and the host has everything back" eval 'killed && host_is_as_before'
done

# ---- no memory
# The guest gets what the host has available, while a program takes that, too, until it is killed
starts_beside_hog()
{
	local i hog started=0
	for ((i = 0; i < ROUNDS; i++)); do
		choom -n 1000 -- perl -e 'my @all; push @all, "x" x (16 << 20) while 1' &
		hog=$!
		sigmactl start g && started=$((started + 1))
		! wait $hog || return
		is_gone g || { wait_logged g "guest-rc: up" && killed; } || return
		until_true 20 no_sigmad || return
	done
	echo "$started of $ROUNDS guests started"
}
guest g memory=512M disk=/dev/vdb
check "no memory: guests start and run, or are refused, while the host runs out of it" starts_beside_hog
say "$(tail -n 1 "$OUTPUT")"
check "no memory: the host has killed the program, and no sigmad" eval '
	dmesg | grep "Out of memory: Killed process" >/dev/null && ! dmesg | grep "Killed process.*sigmad"'
check "no memory: the host has everything back" host_is_as_before

# ---- CPUs that come and go, and the module
# meanwhile COMMAND: again and again, until "enough"
meanwhile()
{
	rm -f /tmp/enough
	while [ ! -e /tmp/enough ]; do
		eval "$1"
	done >/tmp/meanwhile 2>&1 &
	other=$!
}
enough() { : >/tmp/enough; wait $other; modprobe sigma; chcpu -e 1-2; }

# A start may find that the CPU or the module is away just then. Then it takes nothing, and says so
starts_and_stops()
{
	local i started=0
	for ((i = 0; i < ROUNDS; i++)); do
		if sigmactl start g 2>/tmp/said; then
			started=$((started + 1))
			[ $((i % 2)) = 0 ] || wait_logged g "guest-rc: up" || return
			killed || return
		else
			cat /tmp/said
			[ -s /tmp/said ] && until_true 20 no_sigmad && is_gone g || return
		fi
	done
	echo "$started of $ROUNDS guests started"
}
guest g memory=128M cpus=2 disk=/dev/vdb
meanwhile 'chcpu -d 1; chcpu -e 1; chcpu -d 2; chcpu -e 2'
check "CPUs that come and go: guests start and end, or are refused" starts_and_stops
say "$(tail -n 1 "$OUTPUT")"
enough
check "CPUs that come and go: the host has everything back" host_is_as_before
guest g memory=128M disk=/dev/vdb
meanwhile 'rmmod sigma; modprobe sigma'
check "a module that comes and goes: guests start and end, or are refused" starts_and_stops
say "$(tail -n 1 "$OUTPUT")"
enough
check "a module that comes and goes: the host has everything back" host_is_as_before
check "a guest starts after all that" up
refuse "its module is not unloaded" "in use" rmmod sigma
check "it stops, and the host has everything back at the end" \
	eval 'sigmactl stop g && wait_gone g && host_is_as_before'
finish
