#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=2G timeout=900 cpu=max,-la57
#
# What wakes a guest that is asleep: its alarm, a time that the host was told, and what comes for it by a
# network, AF_VSOCK or a channel, if WakeOn= says so. Nothing that woke it is lost. Other frames of the
# network do not wake it. Kernels of three series.

. "$(dirname "$0")/lib.sh"
need_sigma
remember_host

vsock=/usr/lib/sigma-rig/vsock
size=$(stat -c %s $vsock)
tap=/sys/class/net/sg-g-0

is_asleep() { [ "$(state g)" = asleep ]; }
is_running() { [ "$(state g)" = running ]; }
wakes() { until_true 60 is_running; }
sleeps() { sigmactl sleep g && is_asleep; }
said() { grep -h "$1" /run/sigma/g/sigmad.log; }
# in_a_moment COMMAND: in the guest, when this connection has ended
in_a_moment() { in_guest 1 "(sleep 1; $1) >/dev/null 2>&1 </dev/null &"; }
has_time() { [ "$(sigmactl status --json g | jq .wakes_at_usec)" -gt 0 ]; }
# booted: when the guest booted, by the time since then
# shellcheck disable=SC2016 # expanded by the guest
booted() { in_guest 1 'echo $(($(date +%s) - $(cut -d. -f1 /proc/uptime)))'; }
# wake_on WORD...
wake_on() { sed -i "s/^HostModules=.*/&\nWakeOn=$*/" /etc/sigma/g.guest; }
host_program() { within 60 $vsock "$@"; }
cid() { sigmactl status --json g | jq .vsock_cid; }

# ---- each kernel, once
for kernel in host 6.12 7.2; do
	cp $vsock /run/program.disk && truncate -s 1M /run/program.disk
	guest g disk=/dev/vdb disk=/run/program.disk net=1 cpus=2 guard=no kernel="${kernel/host/}"
	wake_on network vsock channel
	check "$kernel: the guest starts" sigmactl start g
	check "$kernel: its user space answers" wait_guest 1
	check "$kernel: its clock is the host's" clock_is_right
	check "$kernel: it has a real-time clock, which is the host's" in_guest 1 \
		'[ -e /dev/rtc0 ] && d=$(($(cat /sys/class/rtc/rtc0/since_epoch) - $(date +%s))) && [ $d -ge -1 ] && [ $d -le 1 ]'
	check "$kernel: an alarm is raised while it is awake" in_guest 1 'rtcwake -m on -s 2'
	check "$kernel: it serves a port of AF_VSOCK" in_guest 1 \
		"head -c $size /dev/vdb >/run/vsock && chmod +x /run/vsock && /run/vsock serve 5000"

	boot=$(booted)
	in_a_moment "rtcwake -m mem -s 20; echo \$? >/run/rtcwake"
	check "$kernel: it falls asleep by itself" wait_state g asleep
	check "$kernel: status tells when it wakes" until_true 10 has_time
	check "$kernel: its alarm wakes it" wakes
	check "$kernel: its program has seen the alarm" until_true 30 in_guest 1 'grep -x 0 /run/rtcwake'
	check "$kernel: its clock is the host's" clock_is_right
	check "$kernel: its clock that never stands still went on" eval '[ $(($(booted) - boot)) -le 3 ]'

	check "$kernel: a connection to it is open" connect
	check "$kernel: it falls asleep" sleeps
	dropped=$(cat $tap/statistics/tx_dropped)
	ping -b -c 3 -W 1 10.9.1.255 >/dev/null 2>&1
	check "$kernel: broadcasts are dropped, and it sleeps on" eval \
		'[ "$(cat $tap/statistics/tx_dropped)" -gt "$dropped" ] && is_asleep'
	check "$kernel: what comes by the connection wakes it, and is answered" answers_at_last
	check "$kernel: it runs" wakes
	exec 7>&-

	check "$kernel: it falls asleep" sleeps
	ip neigh flush dev sg-g-0
	check "$kernel: who looks for its address wakes it" eval 'ping -c 1 -W 1 10.9.1.2; wakes'

	check "$kernel: it falls asleep" sleeps
	host_program call "$(cid)" 5000 </dev/null >/dev/null 2>&1 &
	check "$kernel: a connection by AF_VSOCK wakes it" wakes
	wait $!
	check "$kernel: it answers by AF_VSOCK" [ "$(echo hello | host_program call "$(cid)" 5000)" = hello ]

	in_guest 1 "(cat /dev/iosc/3 >/run/heard) >/dev/null 2>&1 </dev/null &"
	exec 8>/dev/iosc/g/3
	check "$kernel: a channel is open" eval 'echo first >&8; until_true 10 in_guest 1 "grep first /run/heard"'
	check "$kernel: it falls asleep" sleeps
	echo second >&8
	check "$kernel: what is written to a channel wakes it" wakes
	check "$kernel: it gets that" until_true 30 in_guest 1 "grep second /run/heard"
	exec 8>&-
	[ "$kernel" = 7.2 ] || check "$kernel: it is killed" eval 'sigmactl kill g && wait_gone g'
done

# ---- the last one: what else may be
check "a suspend that fails ends" in_guest 1 \
	"echo 0 >/sys/module/suspend/parameters/pm_test_delay; echo core >/sys/power/pm_test && echo mem >/sys/power/state; echo none >/sys/power/pm_test"
dropped=$(cat $tap/statistics/tx_dropped)
ping -b -c 3 -W 1 10.9.1.255 >/dev/null 2>&1
check "no frame is dropped then" [ "$(cat $tap/statistics/tx_dropped)" = "$dropped" ]

check "it falls asleep for a while" sigmactl sleep --for=5s g
check "it wakes at that time" wakes
check "its sigmad says why" said "the time that was set wakes the guest"
refuse "a time that is past is refused" "a time that is to come" sigmactl sleep --until=@1 g

check "it falls asleep" sleeps
check "sigmad is killed" kill_sigmad
check "the next sigmad takes the guest over, and it sleeps on" eval 'sigmactl start g && is_asleep'
ip neigh flush dev sg-g-0
check "who looks for its address wakes it" eval 'ping -c 1 -W 1 10.9.1.2; wakes'

check "it falls asleep" sleeps
sed 's/^CPUs=.*/CPUs=cpu1/; s/10.9.1/10.9.2/g; /^\[Disk\]/,/^$/d; /^WakeOn/d' /etc/sigma/g.guest >/etc/sigma/h.guest
check "another guest gets one of its CPUs" sigmactl start h
ping -c 1 -W 1 10.9.1.2
check "it cannot be woken then, as its sigmad says" until_true 30 said "the guest cannot be woken now: cpu 1: is lent"
check "the other guest is killed" eval 'sigmactl kill h && wait_gone h'
check "it is woken then" wakes
check "it answers" wait_guest 1

check "it is to be woken by magic packets alone" eval 'sigmactl kill g && wait_gone g && sed -i "s/^WakeOn=.*/WakeOn=magic/" /etc/sigma/g.guest'
check "it starts" eval 'sigmactl start g && wait_guest 1'
ip neigh replace 10.9.1.2 dev sg-g-0 lladdr "$(ip neigh show 10.9.1.2 | grep -o "..:..:..:..:..:..")"
check "it falls asleep" sleeps
dropped=$(cat $tap/statistics/tx_dropped)
ping -c 3 -W 1 10.9.1.2 >/dev/null 2>&1
check "frames to its address are dropped, and it sleeps on" eval \
	'[ "$(cat $tap/statistics/tx_dropped)" -gt "$dropped" ] && is_asleep'
mac=$(ip neigh show 10.9.1.2 | grep -o "..:..:..:..:..:..")
perl -e 'print "\xff" x 6, pack("H12", $ARGV[0]) x 16' "${mac//:/}" >/dev/udp/10.9.1.2/9
check "a magic packet wakes it" wakes

check "nothing is to wake it" eval 'sigmactl kill g && wait_gone g && sed -i "/^WakeOn/d" /etc/sigma/g.guest'
check "it starts" eval 'sigmactl start g && wait_guest 1'
check "a connection to it is open" connect
check "it falls asleep" sleeps
sent=$(cat /sys/class/sigma/g/doorbells_sent)
echo "echo still here" >&7
ping -c 1 -W 1 10.9.1.2
check "a doorbell of it is rung" until_true 10 eval '[ "$(cat /sys/class/sigma/g/doorbells_sent)" -gt "$sent" ]'
check "it sleeps on" is_asleep
check "it is woken" sigmactl wake g
check "what came meanwhile is answered" eval 'within 60 head -n 1 <&7 | grep "still here"'
exec 7>&-
check "it is killed" eval 'sigmactl kill g && wait_gone g'
check "the host has the CPUs and the memory back" host_is_as_before
finish
