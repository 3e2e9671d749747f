#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=5 mem=2G timeout=600 cpu=max,-la57 append=no_console_suspend in=matrix
#
# The machine sleeps, with guests: they fall asleep before it does, and are woken afterwards, with what
# they had. One that does not obey keeps it awake, and the others are woken again. All is as in a real
# sleep but its last step: the kernel goes back instead of calling the firmware (pm_test).

. "$(dirname "$0")/lib.sh"
go_on_in_memory "$(basename "$0")"
need_sigma

pm=/sys/power
test_delay=/sys/module/suspend/parameters/pm_test_delay
: "${GUEST:=7.2}"		# kernel of the guest with two CPUs

is_running() { [ "$(state "$1")" = running ]; }
is_asleep() { [ "$(state "$1")" = asleep ]; }
all_run() { until_true 60 is_running g && until_true 60 is_running h; }
logged() { dmesg | grep "$1" >/dev/null; }
suspend() { echo mem >$pm/state; }
# give_up LEVEL: a sleep of the machine that is given up once it has come so far (pm_test)
give_up()
{
	local status
	echo "$1" >$pm/pm_test || return
	suspend
	status=$?
	echo none >$pm/pm_test
	return $status
}
# make_memory N: what must be there after the sleep: memory, a file, and load on disk and network
make_memory()
{
	in_guest "$1" "head -c 262144 /dev/urandom >/run/noise; cp /run/noise /root/noise; sync;
		md5sum /run/noise >/run/sum;
		(while :; do dd if=/dev/vda of=/dev/null bs=64k count=16 iflag=direct; cp /run/noise /root/more;
			sync; ping -c 1 -W 1 10.9.$1.1; done) >/dev/null 2>&1 </dev/null & echo \$! >/run/pid"
}
answers_at_last() { echo "echo still here" >&7 && within 30 head -n 1 <&7 | grep "still here"; }
are_lent() { [ "$(online)" = 0-1 ]; }
are_spread() { [ "$(doorbell_cpu g) $(doorbell_cpu h)" = "0 1" ]; }
# are_well WHAT: nothing was lost, and the CPUs are lent as before
are_well()
{
	check "$1: both guests run again" all_run
	check "$1: CPUs are lent as before" are_lent
	check "$1: each of the host's two CPUs takes the doorbells of a guest, as before" until_true 30 are_spread
	check "$1: memory, files, disks and programs are as before" eval 'has_memory 1 && has_memory 2'
	check "$1: they have their CPUs" eval 'has_cpus 2 1 && has_cpus 1 2'
	check "$1: their clocks are the host's" eval 'clock_is_right 1 && clock_is_right 2'
}
# spoil HOW: guest h will not sleep as it should
spoil() { in_guest 2 "insmod /root/sleepless.ko how=$1 page=4096"; }
unspoil() { in_guest 2 "rmmod sleepless"; }

module=/usr/lib/sigma-rig/sleepless.ko
size=$(stat -c %s $module)
cp $module /tmp/sleepless.disk
truncate -s %512 /tmp/sleepless.disk
echo 0 >$test_delay
insmod "/usr/lib/sigma-rig/$(uname -r)/firmware.ko"

hang_size=$(stat -c %s /usr/lib/sigma-rig/hang.ko)
cp /usr/lib/sigma-rig/hang.ko /tmp/hang.disk
truncate -s %512 /tmp/hang.disk
# policy WHAT: guest h has Suspend=WHAT
policy() { guest h disk=/dev/vdc disk=/tmp/hang.disk net=2 ${GUEST_6_1:+kernel=6.1} && sed -i "/^CPUs=/i Suspend=$1" /etc/sigma/h.guest; }

# ---- guests that do not fall asleep
check "a guest that is to run on starts" eval 'policy refuse && sigmactl start h && wait_guest 2'
refuse "the machine does not sleep" "busy" give_up freezer
check "its log says which guest, and why" logged "cannot sleep: guest h: it is to run on"
check "the guest works on, and stops" eval 'in_guest 2 true && sigmactl stop h && wait_gone h'

check "a guest that is to stop starts" eval 'policy stop && sigmactl start h && wait_guest 2'
check "the machine sleeps, and wakes" give_up freezer
check "the guest has switched itself off" eval 'wait_gone h && ! logged "did not switch itself off"'
check "one that does not obey starts" eval 'sigmactl start h && wait_guest 2'
check "it hangs" eval 'in_guest 2 "head -c $hang_size /dev/vdb >/root/hang.ko;
	(sleep 1; insmod /root/hang.ko) >/dev/null 2>&1 &" && wait_state h unresponsive'
check "guests get little time" eval 'echo 2 >/sys/module/sigma/parameters/suspend_timeout'
check "the machine sleeps, and wakes" give_up freezer
check "the guest was stopped for it" eval 'wait_gone h && logged "h: did not switch itself off before the machine sleeps"'
echo 30 >/sys/module/sigma/parameters/suspend_timeout
check "the host has its CPUs back" [ "$(online)" = 0-4 ]

guest g disk=/dev/vdb net=1 cpus=2 guard=no kernel="$GUEST"
guest h disk=/dev/vdc disk=/tmp/sleepless.disk net=2 cpus=1 guard=full ${GUEST_6_1:+kernel=6.1}
check "a program begins to hibernate the machine" eval 'exec 9</dev/snapshot'
check "meanwhile the machine sleeps, and wakes" give_up freezer
refuse "no guest starts before the program has ended" "about to" sigmactl start g
exec 9<&-

check "a guest with kernel $GUEST and two CPUs starts" sigmactl start g
check "a guest with a guard starts" sigmactl start h
check "their user space answers" eval 'wait_guest 1 && wait_guest 2'
check "they have something to keep" eval 'make_memory 1 && make_memory 2'
check "a connection is open" connect
copy_module() { in_guest 2 "head -c $size /dev/vdb >/root/sleepless.ko"; }
check "one copies a module" copy_module

# ---- the machine does not sleep in the end
check "the machine's sleep is given up when its processes are frozen" give_up freezer
are_well "given up at \"freezer\""

check "one will refuse" spoil refuses
refuse "the machine does not sleep" "busy" give_up freezer
check "its log says which guest, and why" logged "cannot sleep: guest h: its kernel could not fall asleep (error 16)"
are_well "one refused"
check "it will not any more" unspoil

check "guests get little time" eval 'echo 2 >/sys/module/sigma/parameters/suspend_timeout'
check "one has something to write, and no sigmad" eval 'in_guest 2 "dd if=/dev/urandom of=/root/dirty bs=64k count=8" &&
	kill -9 $(sigmad_pid h)'
refuse "the machine does not sleep" "busy" give_up freezer
check "its log says which guest, and why" logged "cannot sleep: guest h: it did not fall asleep in time"
check "sigmad comes back" sigmactl start h
check "the guest falls asleep late, and is woken" until_true 60 eval 'logged "h: asleep" && is_running h'
echo 30 >/sys/module/sigma/parameters/suspend_timeout
are_well "one was late"

# While the first one waits for its disk, the second one's sigmad wants to start that again
check "one will restart when it is to sleep" spoil reboots
pid=$(sigmad_pid g)
check "the other one needs a while" kill -STOP "$pid"
(sleep 5; kill -CONT "$pid") &
check "the machine's processes are frozen, and go on" give_up freezer
check "the one that restarted runs when the machine is awake" eval 'wait_guest 2 && all_run'
check "it is as at first" eval 'copy_module && make_memory 2'
are_well "one restarted"

# ---- it sleeps, but for the last step, the firmware's. From here on there are no shares any more
# Suspend to idle takes no CPU offline, and knows no "core"
echo s2idle >$pm/mem_sleep
check "s2idle: devices of the machine stop, and go on" give_up platform
are_well s2idle
echo deep >$pm/mem_sleep
for round in 1 2 3; do
	check "deep, $round: devices and CPUs of the machine stop, and go on" give_up core
	are_well "deep, $round"
done
check "the connection is still open" answers_at_last
exec 7>&-

check "the firmware will overwrite what guests and their CPUs' entry have below 1 MiB" \
	eval 'echo 32 >/sys/module/firmware/parameters/pages'
check "devices and CPUs of the machine stop, and go on" give_up core
are_well "overwritten below 1 MiB"
check "its log tells" eval 'logged "the entry of lent CPUs: the firmware has overwritten 2 of its pages" &&
	logged "g: the firmware has overwritten 11 of its pages"'

check "one falls asleep, and keeps its CPUs" sigmactl sleep --keep-cores g
check "devices and CPUs of the machine stop, and go on" give_up core
check "the one that slept sleeps on, and has its CPUs" eval 'is_asleep g && until_true 30 are_lent'
check "the other one runs" until_true 60 is_running h
check "the first one wakes up" sigmactl wake g
check "its memory, files, disk and programs are as before" has_memory 1

check "one will pretend to sleep" spoil pretends
check "the machine sleeps, and wakes" give_up freezer
check "the guest sleeps on, as status tells" until_true 30 eval \
	'sigmactl status --json h | jq -e ".wake_failure | test(\"no page of its own memory\")"'
check "its log tells" eval 'logged "h: sleeps on, though the machine is awake"'
check "the other one runs" until_true 60 is_running g
check "both are killed" eval 'sigmactl kill h; sigmactl kill g; wait_gone h && wait_gone g'
check "the host has its CPUs back" [ "$(online)" = 0-4 ]
finish_in_memory
