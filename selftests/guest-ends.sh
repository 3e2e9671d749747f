#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=2G timeout=700 cpu=max,-la57 by-name=yes
#
# What a guest's kernel does by accident, without a guard and with the full one: its memory is
# exhausted, NMIs and doorbells come without end, its IOSC window is filled with noise, an interrupt
# crashes, the stack overflows, interrupts stay off, its driver never loads. The host goes on, and has
# everything back.

. "$(dirname "$0")/lib.sh"
need_sigma

modules=/run/modules.img
initrd=/run/deaf.initrd
STORM_SECONDS=3
mke2fs -q -t ext4 -d /usr/lib/sigma-rig $modules 4M
echo 60 >/proc/sys/kernel/watchdog_thresh

# The init of this guest does nothing and loads no driver
mkdir -p /tmp/deaf/bin
cp "$(command -v busybox)" /tmp/deaf/bin/busybox
printf '#!/bin/busybox sh\nexec /bin/busybox sleep 1000000\n' >/tmp/deaf/init
chmod +x /tmp/deaf/init
(cd /tmp/deaf && find . | busybox cpio -o -H newc) >$initrd 2>"$OUTPUT"

boot()
{
	guest g guard="$1" cpus=2 memory=128M disk=/dev/vdb disk=$modules line=ReadOnly=yes net=1
	sigmactl start g && wait_guest 1 &&
		in_guest 1 "mkdir -p /run/modules && mount -o ro /dev/vdb /run/modules"
}
# later COMMAND: in the background, since it ends the kernel that should answer
later() { in_guest 1 "(sleep 0.5; $1) >/dev/null 2>&1 </dev/null &"; }
all_back() { sigmactl kill g; wait_gone g && host_is_as_before; }
# A host that is held up by its guest would not come to the end of this
host_works() { within 60 sh -c 'dd if=/dev/zero of=/run/work bs=1M count=16 status=none && rm /run/work; taskset -c 0 true'; }
nmis() { in_guest 1 "awk '/^ *NMI:/ { print \$2 }' /proc/interrupts"; }
rung() { cat /sys/class/sigma/g/interrupts_received; }
works_on() { wait_guest 1 && in_guest 1 'ls /usr/bin | wc -l; ! grep storm /proc/modules'; }
apic_id_in_guest() { in_guest 1 "awk '/^apicid/ { print \$3; exit }' /proc/cpuinfo"; }

# storm TITLE MODULE: without an end but the one that the guest itself makes, since without a guard no
# limit holds for it
storm()
{
	check "$1: they come" later "insmod /run/modules/$2; sleep $STORM_SECONDS; rmmod storm"
	sleep 1
	check "$1: the host works meanwhile" host_works
	check "$1: the guest works on" until_true 60 works_on
}

# The guest goes on after these
goes_on()
{
	local title="guard $1" what so_far nmis="storm.ko what=nmis"
	check "$title: a guest is up" boot "$1"
	check "$title: a program takes all of its memory, and its kernel ends the program" eval '
		later "tail /dev/zero" && wait_logged g "Out of memory: Killed process.*(tail)"'
	check "$title: memory exhausted: the guest works on" works_on
	# Without a guard a CPU would do nothing but to take NMIs. These are a thousand
	[ "$1" != no ] || nmis+=" to=$(apic_id_in_guest)"
	so_far=$(nmis)
	storm "$title: NMIs" "$nmis"
	check "$title: NMIs: its first CPU took them" [ "$(nmis)" -gt $((so_far + 10)) ]
	for what in doorbells interrupts; do
		so_far=$(rung)
		storm "$title: $what" "storm.ko what=$what"
		check "$title: $what: the host took them" [ "$(rung)" -gt $((so_far + 10)) ]
	done
	# Some of the noise may read as a restart or as the end
	check "$title: the guest fills its IOSC window with noise" later "insmod /run/modules/noise.ko"
	sleep $STORM_SECONDS
	check "$title: noise: the host works meanwhile" host_works
	check "$title: noise: the host has everything back" all_back
}

crashes() { later "insmod /run/modules/$1" && wait_state g panicked; }
says_panic() { sigmactl status g | grep "Panic: Fatal exception" && guest_logged g "$1"; }

# panics GUARD TITLE MODULE WORDS-IN-ITS-LOG
panics()
{
	check "guard $1: $2: a guest is up" boot "$1"
	check "guard $1: $2: the guest's state becomes panicked" crashes "$3"
	check "guard $1: $2: sigmactl status shows why" says_panic "$4"
	check "guard $1: $2: the host has everything back" all_back
}

never_loads()
{
	local title="guard $1: a driver that never loads"
	guest g guard="$1" memory=128M append=deaf
	sed -i "/^Memory=/a Initrd=$initrd" /etc/sigma/g.guest
	check "$title: the guest starts" eval 'sigmactl start g && until_true 60 guest_runs_init'
	check "$title: it stays booting, and has a log" eval '[ "$(state g)" = booting ] && sigmactl log --memory g | grep "Linux version"'
	check "$title: sigmactl stop ends it" sigmactl stop --timeout=1 g
	check "$title: the host has everything back" all_back
}
guest_runs_init() { sigmactl log --memory g | grep "Run /init as init process"; }

# A first guest has the host load modules and grow caches that it keeps
check "a guest runs, and is killed" eval 'boot no && sigmactl kill g && wait_gone g'
remember_host
for guard in no full; do
	goes_on $guard
	panics $guard "an interrupt crashes" "crash.ko what=oops" "BUG: kernel NULL pointer dereference"
	panics $guard "the stack overflows" "crash.ko what=stack" "stack guard page was hit"
	check "guard $guard: interrupts off: a guest is up" boot $guard
	check "guard $guard: interrupts off: the host notices" eval 'later "insmod /run/modules/hang.ko" && wait_state g unresponsive'
	check "guard $guard: interrupts off: it is stopped by force" sigmactl stop --timeout=1 g
	check "guard $guard: interrupts off: the host has everything back" all_back
	never_loads $guard
done
finish
