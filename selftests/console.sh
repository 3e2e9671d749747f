#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=2 mem=2G timeout=300
#
# "sigmactl console" on a terminal, as a person uses it; a guest that writes to its console while
# nobody is connected, and one that takes no input.

. "$(dirname "$0")/lib.sh"
need_sigma
remember_host

LEAVE=$'\x1d'		# Ctrl-]
MIB=1048576
LINE=$(printf '%063d' 0 | tr 0 x)
screen=/tmp/screen keys=/tmp/keys

mkfifo $keys
exec {keyboard}<>$keys

# attach ROWS COLUMNS: run sigmactl on a terminal that script(1) makes. Keys come from the fifo;
# what a person would see is in $screen.
attach()
{
	: >$screen
	script -qfec "stty rows $1 cols $2; exec sigmactl console g" /dev/null \
		<$keys >>$screen 2>&1 &
	terminal=$!
	until_true 10 sees "Connected to g"
}

type_keys() { printf '%s' "$1" >&$keyboard; }
# sees PATTERN: look for it line by line, whatever the shell's line editor prints within lines
sees() { tr '\r' '\n' <$screen | grep -aE "$1"; }
shows() { until_true 20 sees "$1" || { cat -v $screen | tail -n 20; return 1; }; }
# has_size ROWS COLUMNS: programs in the guest see that size
has_size() { type_keys $'stty size\r'; until_true 2 sees "^$1 $2\$"; }
left() { ! kill -0 "$terminal" 2>/dev/null; }
# leaves: wait for the end of "sigmactl console", and return its exit status
leaves() { until_true 20 left || { echo "it is still there"; return 1; }; wait "$terminal"; }

guest g disk=/dev/vdb net=1
check "the guest starts" sigmactl start g
check "the guest's user space answers" wait_guest 1

# ---- a person at the console
check "the console opens" attach 24 80
type_keys $'echo $((6 * 7)) is the answer\r'
check "the output of a command shows up" shows "^42 is the answer"
type_keys $'cat /sys/class/tty/console/active\r'
check "the guest's console is hvc0" shows '^hvc0$'
check "the guest knows the terminal's size" until_true 10 has_size 24 80
refuse "a second person is refused the console" "somebody else" within 10 sigmactl console g
type_keys $'sleep 1000\r'
check "a program runs in the foreground" until_true 10 in_guest 1 "pgrep -x sleep"
type_keys $'\x03'
check "Ctrl-C ends the program" until_true 10 eval '! in_guest 1 "pgrep -x sleep"'
type_keys $'echo interrupted=$?\r'
check "the shell saw the program end by SIGINT" shows "^interrupted=130"
type_keys "$LEAVE"
check "Ctrl-] leaves the console with success" leaves
check "sigmactl console says that it has disconnected" sees "Disconnected from g"
check "the guest runs on without the console" eval '[ "$(state g)" = running ] && in_guest 1 true'

# ---- nobody at the console
# It takes a minute where nested page tables are emulated
GUEST_TIMEOUT=120 check "1 MiB of console output that nobody reads does not stop the guest" \
	in_guest 1 "yes $LINE | head -c $MIB >/dev/hvc0 && echo the end >/dev/hvc0"
check "the guest's heartbeat rises" beats g
check "the console opens again" attach 43 132
check "the console says how much output was lost" shows "<missed [0-9]+ bytes>"
check "the console shows the last output" shows "the end"
# The terminal turns the newline of each LINE into two bytes
missed=$(grep -aoE "<missed [0-9]+ bytes>" $screen | awk '{ n += $2 } END { print n + 0 }')
seen=$(tr -dc x <$screen | wc -c)
check "all output is shown or counted as lost" \
	[ $((missed + seen)) -ge $((MIB * 63 / 64)) -a "$missed" -lt $((MIB * 65 / 64 + 65536)) ]
check "the guest knows the size of the second terminal" until_true 10 has_size 43 132
type_keys $'echo still $((40 + 2))\r'
check "the console works as before" shows "^still 42"
type_keys "$LEAVE"
check "Ctrl-] leaves the console again" leaves

# ---- signals: the terminal's mode is restored
for signal in TERM HUP PIPE; do
	: >$screen
	script -qfec "sigmactl console g; stty -a" /dev/null <$keys >>$screen 2>&1 &
	terminal=$!
	check "SIG$signal: the console opens" until_true 10 sees "Connected to g"
	pkill -$signal -x sigmactl
	[ $signal != PIPE ] || type_keys "$LEAVE"
	check "SIG$signal: the terminal is not left in raw mode" shows "[^-]icanon"
	check "SIG$signal: sigmactl console ends" leaves
done

# ---- a guest that takes no input, since its sigmad is stopped by SIGSTOP
check "the console opens before sigmad is stopped" attach 24 80
kill -STOP "$(pgrep -x sigmad)"
check "more can be typed than the buffers hold" \
	within 20 bash -c 'head -c 200000 /dev/zero | tr "\0" x >$1' bash $keys
type_keys "$LEAVE"
check "Ctrl-] leaves the console while sigmad is stopped" leaves
kill -CONT "$(pgrep -x sigmad)"
check "the guest runs on" in_guest 1 true

# ---- the end of sigmad: the number of its pty goes to another terminal
number=$(readlink /run/sigma/g/console)
check "sigmad is killed" eval 'kill -9 "$(pgrep -x sigmad)" && until_true 10 eval "! pgrep -x sigmad"'
others=()
while [ ! -e "$number" ] && [ ${#others[@]} -lt 8 ]; do
	script -qfec "sleep 600" /dev/null <$keys >/dev/null 2>&1 &
	others+=($!)
	until_true 2 [ -e "$number" ]
done
check "another terminal has the number of the console's" [ -e "$number" ]
refuse "the console of a dead sigmad does not open" "g: its sigmad is gone" \
	within 10 sigmactl console g
kill "${others[@]}"
check "sigmactl start takes g over" sigmactl start g

# ---- the end of the guest
check "the console opens once more" attach 24 80
check "the guest stops with its console open" sigmactl stop g
check "the console ends by itself with success" leaves
check "the guest is gone" wait_gone g
refuse "a guest that is gone has no console" "no such guest" sigmactl console g
check "the host has everything back" host_is_as_before
finish
