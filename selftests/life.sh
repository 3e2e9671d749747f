#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=2 mem=2G kernel=7.2 timeout=400
#
# The view of a guest from outside, and who is allowed it; the guest's life when its sigmad dies or
# no longer answers.

. "$(dirname "$0")/lib.sh"
need_sigma

MIB=1048576
MEMORY=256			# MiB
events=/tmp/events
sys=/sys/class/sigma/g

# The sequence of states, without repeats: uevents of the device's add and remove have a state, too
states_seen() { sed -n 's/^SIGMA_STATE=//p' $events | uniq | xargs; }
has_seen() { [[ " $(states_seen) " == *" $1 "* ]]; }
monitor_ready() { grep -q '^KERNEL' $events; }

attribute() { cat "$sys/$1"; }
segments_sum()
{
	local from to sum=0
	while IFS=- read -r from to; do
		sum=$((sum + 0x$to - 0x$from + 1))
	done < <(segments g)
	echo $sum
}
# Doorbells send interrupts at most once each, and the boot needs both
counted() { [ "$(attribute "$2")" -ge 1 ] && [ "$(attribute "$2")" -le "$(attribute "$1")" ]; }
rises()
{
	local first
	first=$(attribute "$1")
	in_guest 1 "dd if=/dev/vda of=/dev/null iflag=direct bs=4096 count=64 status=none"
	[ "$(attribute "$1")" -gt "$first" ]
}

listed_as() { sigmactl list --json | jq -e --arg s "$1" '.[] | select(.name == "g") | .state == $s'; }

# sigmad_is STATE [COMMAND...]: status and list show that state of the sigmad within 5 s
sigmad_is()
{
	within 5 "${@:2}" sigmactl status --json g | jq -e --arg s "$1" '.sigmad == $s' &&
		within 5 "${@:2}" sigmactl list --json | jq -e --arg s "$1" '.[0].sigmad == $s'
}
signal_sigmad() { kill "$1" "$(pgrep -x sigmad)"; }
stranger=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
member=(setpriv --reuid=nobody --regid=nogroup --groups=sigma)
# Two at once: the slower one meets a sigmad that is about to end
stop_twice()
{
	local other
	sigmactl stop g &
	other=$!
	sigmactl stop g && wait $other
}
# start_and COMMAND...: run it as soon as sigmad runs; the output is that of "sigmactl start"
start_and() { sigmactl start g & until_true 10 pgrep -x sigmad && "$@"; wait $!; }
exit_status() { "${@:2}"; [ $? = "$1" ]; }

# The guest's clock lies between two readings of the host's, give or take 2 s
same_time()
{
	local early late time
	early=$(date +%s.%N)
	time=$(in_guest 1 'date +%s.%N')
	late=$(date +%s.%N)
	echo "host $early to $late, guest $time"
	awk -v a="$early" -v t="$time" -v b="$late" 'BEGIN { exit !(t > a - 2 && t < b + 2) }'
}

bound_by_modalias()
{
	local is alias
	is=$(in_guest 1 'cat /sys/bus/platform/drivers/sigma_guest/*/modalias') && [ -n "$is" ] ||
		return
	modinfo -F alias "/usr/lib/sigma/$(attribute release)/sigma_guest.ko" | while read -r alias; do
		echo "device $is, module $alias"
		# shellcheck disable=SC2053 # a pattern
		[[ $is != $alias ]] || exit 9
	done
	[ $? = 9 ]
}

check "systemd-sysusers makes the group sigma" systemd-sysusers /usr/lib/sysusers.d/sigma.conf
remember_host
udevadm monitor --kernel --property --subsystem-match=sigma >$events 2>&1 &
monitor=$!
check "udevadm listens to uevents" until_true 10 monitor_ready

# ---- a guest's normal life, in another year
check "the host's clock is set to 2031" date -s '2031-02-03 04:05:06'
guest g memory=${MEMORY}M disk=/dev/vdb net=1
check "the guest starts" sigmactl start g
check "the guest's user space answers" wait_guest 1
check "sysfs: state is running" [ "$(attribute state)" = running ]
check "sysfs: cpus is the CPU that the host lacks" [ "$(attribute cpus) $(online)" = "1 0" ]
check "sysfs: memory is what the file says" [ "$(attribute memory)" = $((MEMORY * MIB)) ]
check "/proc/iomem: the pieces add up to the memory" [ "$(segments_sum)" = $((MEMORY * MIB)) ]
check "sysfs: release is that of the guest's kernel" \
	[ "$(attribute release)" = "$(in_guest 1 'uname -r')" ]
check "sysfs: heartbeat rises" beats g
check "sysfs: doorbells sent are counted, with at most as many interrupts" \
	counted doorbells_sent ipis_sent
check "sysfs: doorbells received are counted, with at most as many interrupts" \
	counted doorbells_received interrupts_received
for counter in doorbells_sent ipis_sent doorbells_received interrupts_received; do
	check "sysfs: $counter rises with work" rises $counter
done
check "the driver sigma_guest.ko is bound to a device that matches its alias" bound_by_modalias
check "the log begins with the kernel's first line" eval \
	'sigmactl log g | sed -n 1p | grep "^\[ *0\.000000\] Linux version $(attribute release) "'
check "sigmactl list --json shows the guest as running" listed_as running
check "sigmactl status --json agrees with sysfs" eval '
	sigmactl status --json g | jq -e ".name == \"g\" and .state == \"running\" and
		.cpus == \"1\" and .memory == $((MEMORY * MIB)) and .kernel == \"$(attribute release)\" and
		.heartbeat > 0 and .doorbells_sent > 0 and .pid > 0"'
check "the guest's clock shows the host's time" same_time
check "sigmactl shows that sigmad serves the guest" sigmad_is serves
check "a member of the group sigma may ask the guest's sigmad" sigmad_is serves "${member[@]}"
check "a member of the group sigma may read the log" \
	eval '"${member[@]}" sigmactl log g | grep "Linux version"'
check "another user is told that access to sigmad is denied" sigmad_is denied "${stranger[@]}"
refuse "another user may not read the log" "join the group" "${stranger[@]}" sigmactl log g
refuse "another user may not use the console" "join the group" "${stranger[@]}" sigmactl console g
refuse "another user may not stop the guest" "join the group" "${stranger[@]}" sigmactl stop g
refuse "another user may not kill the guest" "join the group" "${stranger[@]}" sigmactl kill g
check "the guest still runs" [ "$(attribute state)" = running ]
check "sigmad is stopped by SIGSTOP" signal_sigmad -STOP
check "sigmactl shows that sigmad is silent" sigmad_is silent
check "sigmad is continued by SIGCONT" signal_sigmad -CONT
check "sigmactl shows that sigmad serves again" sigmad_is serves
check "two sigmactl stop at once both succeed" stop_twice
check "the guest is gone" wait_gone g
check "sigmactl stop of a guest that is gone ends with status 3" exit_status 3 sigmactl stop g
check "sigmactl list --json without guests is an empty list" \
	eval 'sigmactl list --json | jq -e "length == 0"'
check "a uevent told the guest's last state" until_true 10 has_seen poweroff
check "uevents told the states created, booting, running and poweroff, in this order" eval \
	'states_seen; [ "$(states_seen)" = "created booting running poweroff" ]'
kill $monitor
check "the host has everything back" host_is_as_before

# ---- starts that end early
check "sigmactl start of an unknown guest ends with status 3" exit_status 3 sigmactl start nobody
refuse "only root may start a guest" "only root" "${member[@]}" sigmactl start g
refuse "Ctrl-C during the start undoes it" "interrupted; nothing stays taken" \
	start_and pkill -INT -x sigmactl
check "the host has everything back after Ctrl-C" host_is_as_before
refuse "a sigmad that crashes fails the start" "died of signal 11" start_and signal_sigmad -SEGV
check "the crashed sigmad's guest is gone or can be killed" eval 'is_gone g || sigmactl kill g'
check "the host has everything back after the crash" host_is_as_before
refuse "sigmactl wait refuses an unknown state and lists the known ones" \
	"created, booting, running" sigmactl wait --state=drowsy g
sigmactl start --help | sed -n '/^\[Guest\]/,/^Examples/{/^Examples/d;p}' >/etc/sigma/h.guest
check "the guest file in the help of sigmactl start works" \
	eval 'sigmactl start h && sigmactl kill h'

# ---- sigmad is killed
guest g memory=128M disk=/dev/vdb net=1
sigmactl run g </dev/null >/tmp/job 2>&1 &
job=$!
check "sigmactl run starts the guest" until_true 60 eval '! is_gone g'
check "the driver of the running guest is up" wait_state g running
check "the guest's sigmad is killed" kill_sigmad
check "sigmactl run says that sigmad died, and how to take the guest over" eval \
	'exit_status 13 wait $job; grep "died of signal 9.*sigmactl start g.*takes* the guest over" /tmp/job'
check "the guest's heartbeat goes on without sigmad" beats g
check "sigmactl list shows the guest without sigmad as running" listed_as running
check "sigmactl status works without sigmad" eval 'sigmactl status g | grep "sigmad:.*gone"'
check "sigmactl shows that sigmad is gone" sigmad_is gone
check "the guest's log can be read without sigmad" guest_logged g "Linux version"
check "sigmactl stop works without sigmad" sigmactl stop g
check "the guest without sigmad is gone" wait_gone g
check "the host has everything back after sigmad was killed" host_is_as_before

# ---- guests that die before their driver is loaded. The sigmad of the first one is killed, that of
# the second one is stopped by SIGSTOP.
for kernel in 6.1 6.12 7.2; do
	guest g kernel=$kernel memory=128M append="rdinit=/nowhere"
	check "$kernel: the guest starts" sigmactl start g
	refuse "$kernel: sigmactl wait says that the guest panicked and will not be running" \
		"is panicked.*will not be running" \
		within "$GUEST_BOOT" sigmactl wait --state=running g
	check "$kernel: sigmactl status shows why the guest panicked" \
		eval 'sigmactl status g | grep "Panic: VFS: "'
	check "$kernel: the guest's bus shows why it panicked" \
		eval 'busctl --address=unix:path=/run/sigma/g/bus \
		get-property org.sigma /org/sigma/Guest org.sigma.Guest Panic | grep "VFS: "'
	check "$kernel: the log is read from the guest's memory, from its first line on" eval \
		'sigmactl log --memory g | sed -n 1p | grep "Linux version $(kernel_version $kernel) "'
	check "$kernel: the log shows the panic without --memory, too" \
		eval 'sigmactl log g | grep "Kernel panic"'
	[ $kernel != 6.1 ] || check "$kernel: sigmad is killed" kill_sigmad
	[ $kernel != 6.12 ] || check "$kernel: sigmad is stopped by SIGSTOP" signal_sigmad -STOP
	check "$kernel: the guest is killed" eval 'sigmactl kill g && wait_gone g'
done
check "the host has everything back after the early panics" host_is_as_before
finish
