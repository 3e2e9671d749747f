#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=2 mem=2G timeout=700 by-name=yes
#
# sigmad is killed before the guest boots, while it boots, while it hangs, and while it writes to its console.
# The next sigmad does what the killed one would have done. How it is killed while the guest works on disk and network is in
# verify.sh.

. "$(dirname "$0")/lib.sh"
need_sigma

AWAY=20			# seconds without interrupts
modules=/run/modules.img
mke2fs -q -t ext4 -d /usr/lib/sigma-rig $modules 4M

guest g memory=128M disk=/dev/vdb disk=$modules line=ReadOnly=yes net=1
boot()
{
	sigmactl start g && wait_guest 1 &&
		in_guest 1 "mkdir -p /run/modules && mount -o ro /dev/vdb /run/modules"
}
# later COMMAND: in the background, since the kernel that should answer hangs
later() { in_guest 1 "(sleep 0.5; $1) >/dev/null 2>&1 </dev/null &"; }
is() { [ "$(state g)" = "$1" ]; }
reaches() { until_true "$GUEST_BOOT" is "$1" || last_words g "$1"; }
hangs() { later "insmod /run/modules/hang.ko seconds=$AWAY" && reaches unresponsive; }
the_sigmad() { pgrep -x sigmad; }
# comes_to STATE PID: wait for a state that is soon over, without a pause, as long as the process runs
comes_to()
{
	local now=""

	until [ "$now" = "$1" ] || ! kill -0 "$2"; do
		{ read -r now </sys/class/sigma/g/state; } 2>/dev/null
	done
	[ "$now" = "$1" ]
}
kill_the_sigmad() { local pid; pid=$(the_sigmad) && kill -9 "$pid" && until_true 10 eval "! kill -0 $pid 2>/dev/null"; }
all_back() { wait_gone g && host_is_as_before; }

check "a guest runs, and is killed" eval 'boot && sigmactl kill g && wait_gone g'
remember_host

for at in created booting; do
	sigmactl start g </dev/null >/tmp/said 2>&1 &
	starter=$!
	check "$at: sigmad is killed" eval 'comes_to $at $starter && kill_the_sigmad'
	wait $starter
	check "$at: the next sigmad takes the guest over, or starts it" sigmactl start g
	check "$at: the guest answers" wait_guest 1
	check "$at: it stops, and the host has everything back" eval 'sigmactl stop g && all_back'
done

check "unresponsive: the guest is up" boot
check "unresponsive: it hangs for a while" hangs
check "unresponsive: sigmad is killed" kill_the_sigmad
check "unresponsive: the next sigmad takes the guest over" sigmactl start g
check "unresponsive: the guest is back, and answers" eval 'reaches running && wait_guest 1'
check "unresponsive: it stops, and the host has everything back" eval 'sigmactl stop g && all_back'

# ---- while the guest's programs and its kernel write to the console. The driver spins until somebody takes that
writes() { later "until [ -e /run/enough ]; do echo words; echo words >/dev/kmsg; done >/dev/hvc0"; }
arrive() { within 30 grep -m 1 words "$(readlink -f /run/sigma/g/console)"; }
works_on() { beats g && beats g && beats g && is running; }
for kernel in 6.1 7.2; do
	guest g memory=128M disk=/dev/vdb net=1 kernel=$kernel
	check "$kernel: the guest is up" eval 'sigmactl start g && wait_guest 1'
	check "$kernel: it writes to its console" eval 'writes && arrive'
	check "$kernel: sigmad is stopped by SIGSTOP" kill -STOP "$(the_sigmad)"
	check "$kernel: the guest works on" works_on
	check "$kernel: sigmad is continued" kill -CONT "$(the_sigmad)"
	check "$kernel: the console's output arrives" arrive
	for nr in first second; do
		check "$kernel: the $nr sigmad is killed" kill_the_sigmad
		check "$kernel: the guest works on" works_on
		check "$kernel: the next sigmad takes it over" sigmactl start g
		check "$kernel: the console's output arrives" arrive
	done
	check "$kernel: the guest answers" in_guest 1 "touch /run/enough"
	check "$kernel: it stops, and the host has everything back" eval 'sigmactl stop g && all_back'
done
finish
