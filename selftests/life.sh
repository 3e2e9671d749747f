#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=2 mem=2G timeout=400
#
# What can be known of a guest from outside, and by whom; what becomes of it when its sigmad
# dies or no longer answers.

. "$(dirname "$0")/lib.sh"
need_sigma

MIB=1048576
MEMORY=256			# MiB
events=/tmp/events
sys=/sys/class/sigma/g

# What follows each other, once: the device's coming and going tell its state, too
states_seen() { sed -n 's/^SIGMA_STATE=//p' $events | uniq | xargs; }
has_seen() { [[ " $(states_seen) " == *" $1 "* ]]; }
monitor_ready() { grep -q '^KERNEL' $events; }

attribute() { cat "$sys/$1"; }
segments_sum()
{
	local from to sum=0
	while IFS=- read -r from to; do
		sum=$((sum + to - from + 1))
	done <$sys/segments
	echo $sum
}
# Interrupts are no more than what they tell, and both were needed to boot
counted() { [ "$(attribute "$2")" -ge 1 ] && [ "$(attribute "$2")" -le "$(attribute "$1")" ]; }
rises()
{
	local first
	first=$(attribute "$1")
	in_guest 1 "dd if=/dev/vda of=/dev/null iflag=direct bs=4096 count=64 status=none"
	[ "$(attribute "$1")" -gt "$first" ]
}

listed_as() { sigmactl list --json | jq -e --arg s "$1" '.[] | select(.name == "g") | .state == $s'; }

# What "status" and "list" say of the sigmad, of which the question must not take long
sigmad_is()
{
	timeout 5 "${@:2}" sigmactl status --json g | jq -e --arg s "$1" '.sigmad == $s' &&
		timeout 5 "${@:2}" sigmactl list --json | jq -e --arg s "$1" '.[0].sigmad == $s'
}
signal_sigmad() { kill "$1" "$(pgrep -x sigmad)"; }
stranger=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
member=(setpriv --reuid=nobody --regid=nogroup --groups=sigma)
# Two at once: the slower one finds a sigmad that is about to end
stop_twice()
{
	local other
	sigmactl stop g &
	other=$!
	sigmactl stop g && wait $other
}
# A signal as soon as sigmad is there; what "sigmactl start" says is its output
start_and() { sigmactl start g & until_true 10 pgrep -x sigmad && "$@"; wait $!; }
exit_status() { "${@:2}"; [ $? = "$1" ]; }

# The guest's clock, between two looks at the host's, with 2 s on each side
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

check "the group sigma" systemd-sysusers /usr/lib/sysusers.d/sigma.conf
remember_host
udevadm monitor --kernel --property --subsystem-match=sigma >$events 2>&1 &
monitor=$!
check "listening to uevents" until_true 10 monitor_ready

# ---- a good life, in another year
check "the host's clock is stepped" date -s '2031-02-03 04:05:06'
guest g memory=${MEMORY}M disk=/dev/vdb net=1
check "starts" sigmactl start g
check "user space answers" wait_guest 1
check "state is running" [ "$(attribute state)" = running ]
check "cpus names the one that the host lacks" [ "$(attribute cpus) $(online)" = "1 0" ]
check "memory is what the file says" [ "$(attribute memory)" = $((MEMORY * MIB)) ]
check "segments are that much" [ "$(segments_sum)" = $((MEMORY * MIB)) ]
check "release is the guest's" [ "$(attribute release)" = "$(in_guest 1 'uname -r')" ]
check "heartbeat rises" beats g
check "doorbells sent, with as many interrupts at most" counted doorbells_sent ipis_sent
check "doorbells received, with as many interrupts at most" \
	counted doorbells_received interrupts_received
for counter in doorbells_sent ipis_sent doorbells_received interrupts_received; do
	check "$counter rises with work" rises $counter
done
check "its device has the alias of sigma_guest.ko and is bound to it" bound_by_modalias
check "the log begins with the kernel's first line" eval \
	'sigmactl log g | sed -n 1p | grep "^\[ *0\.000000\] Linux version $(attribute release) "'
check "list --json" listed_as running
check "status --json agrees with sysfs" eval '
	sigmactl status --json g | jq -e ".name == \"g\" and .state == \"running\" and
		.cpus == \"1\" and .memory == $((MEMORY * MIB)) and .kernel == \"$(attribute release)\" and
		.heartbeat > 0 and .doorbells_sent > 0 and .pid > 0"'
check "its clock is the host's" same_time
check "its sigmad serves" sigmad_is serves
check "a member of the group sigma may ask it" sigmad_is serves "${member[@]}"
check "and read its log" eval '"${member[@]}" sigmactl log g | grep "Linux version"'
check "somebody else is told that he may not" sigmad_is denied "${stranger[@]}"
refuse "nor may he read its log" "join the group" "${stranger[@]}" sigmactl log g
refuse "nor use its console" "join the group" "${stranger[@]}" sigmactl console g
refuse "nor stop it" "join the group" "${stranger[@]}" sigmactl stop g
refuse "nor kill it" "join the group" "${stranger[@]}" sigmactl kill g
check "it runs" [ "$(attribute state)" = running ]
check "its sigmad is halted" signal_sigmad -STOP
check "and said to be silent" sigmad_is silent
check "its sigmad goes on" signal_sigmad -CONT
check "and serves" sigmad_is serves
check "is stopped by two people at once, a success for both" stop_twice
check "is gone" wait_gone g
check "stopping it again: no such guest" exit_status 3 sigmactl stop g
check "list --json of no guest" eval 'sigmactl list --json | jq -e "length == 0"'
check "its last state was told" until_true 10 has_seen poweroff
check "each state was told, in order: created booting running poweroff" eval \
	'states_seen; [ "$(states_seen)" = "created booting running poweroff" ]'
kill $monitor
check "all is back" host_is_as_before

# ---- what ends early
check "an unknown guest: no such guest" exit_status 3 sigmactl start nobody
refuse "only root starts guests" "only root" "${member[@]}" sigmactl start g
refuse "Ctrl-C before it is started" "interrupted; nothing stays taken" \
	start_and pkill -INT -x sigmactl
check "all is back" host_is_as_before
refuse "its sigmad crashes" "died of signal 11" start_and signal_sigmad -SEGV
check "its traces are removed" eval 'is_gone g || sigmactl kill g'
check "all is back" host_is_as_before
refuse "wait: no such state" "created, booting, running" sigmactl wait --state=asleep g
sigmactl start --help | sed -n '/^\[Guest\]/,/^Examples/{/^Examples/d;p}' >/etc/sigma/h.guest
check "the guest file in the help is one" eval 'sigmactl start h && sigmactl kill h'

# ---- its sigmad is killed
guest g memory=128M disk=/dev/vdb net=1
sigmactl run g </dev/null >/tmp/job 2>&1 &
job=$!
check "starts" until_true 60 eval '! is_gone g'
check "its driver is up" wait_state g running
check "sigmad is killed" kill_sigmad
check "who ran it is told that it is lost, and what to do" eval \
	'exit_status 13 wait $job; grep "died of signal 9.*sigmactl start g.*takes* the guest over" /tmp/job'
check "the guest's heart beats on" beats g
check "it is listed, and runs" listed_as running
check "its state can be read" eval 'sigmactl status g | grep "sigmad:.*gone"'
check "and its sigmad is gone" sigmad_is gone
check "its log can be read" guest_logged g "Linux version"
check "sigmactl stop does without sigmad" sigmactl stop g
check "is gone" wait_gone g
check "all is back" host_is_as_before

# ---- guests that die before their driver is loaded; the first one's sigmad is killed, the
# second one's does not answer
for kernel in 6.1 6.12 7.2; do
	guest g kernel=$kernel memory=128M append="rdinit=/nowhere"
	check "$kernel: starts" sigmactl start g
	refuse "$kernel: who waits for it is told that it died" "is panicked.*will not be running" \
		timeout $GUEST_BOOT sigmactl wait --state=running g
	check "$kernel: status tells why" eval 'sigmactl status g | grep "Panic: VFS: "'
	check "$kernel: so does its bus" eval 'busctl --address=unix:path=/run/sigma/g/bus \
		get-property org.sigma /org/sigma/Guest org.sigma.Guest Panic | grep "VFS: "'
	check "$kernel: its log is in its memory, from its first line" eval \
		'sigmactl log --memory g | sed -n 1p | grep "Linux version $(kernel_version $kernel) "'
	check "$kernel: so it is without --memory" eval 'sigmactl log g | grep "Kernel panic"'
	[ $kernel != 6.1 ] || check "$kernel: sigmad is killed" kill_sigmad
	[ $kernel != 6.12 ] || check "$kernel: sigmad is halted" signal_sigmad -STOP
	check "$kernel: is killed" eval 'sigmactl kill g && wait_gone g'
done
check "all is back" host_is_as_before
finish
