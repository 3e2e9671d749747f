#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=2 mem=2G timeout=400
#
# "sigmactl console" on a terminal, as a person uses it: the key that leaves, a paste, the size of
# the window; a guest that writes to its console while nobody is connected, and one that takes no
# input.

. "$(dirname "$0")/lib.sh"
need_sigma
remember_host

LEAVE=$'\x1d'		# Ctrl-]
MIB=1048576
LINE=$(printf '%063d' 0 | tr 0 x)
screen=/tmp/screen keys=/tmp/keys

mkfifo $keys
exec {keyboard}<>$keys

# attach ROWS COLUMNS [OPTION]: run sigmactl on a terminal that script(1) makes. Keys come from the
# fifo; what a person would see is in $screen.
attach()
{
	: >$screen
	script -qfec "stty rows $1 cols $2; exec sigmactl console ${3:-} g" /dev/null \
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
# guest_size ROWS COLUMNS: the guest's console has that size, whether or not there was a key
guest_size() { [ "$(in_guest 1 "stty -F /dev/hvc0 size")" = "$1 $2" ]; }
# resize ROWS COLUMNS: the window of the terminal gets that size
resize() { stty -F "$(readlink "/proc/$(pgrep -x sigmactl)/fd/0")" rows "$1" cols "$2"; }
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
check "the guest's console follows the window without a key" \
	eval 'resize 30 100 && until_true 10 guest_size 30 100'
refuse "a second person is refused the console" "somebody else" within 10 sigmactl console g
type_keys $'sleep 1000\r'
check "a program runs in the foreground" until_true 10 in_guest 1 "pgrep -x sleep"
type_keys $'\x03'
check "Ctrl-C ends the program" until_true 10 eval '! in_guest 1 "pgrep -x sleep"'
type_keys $'echo interrupted=$?\r'
check "the shell saw the program end by SIGINT" shows "^interrupted=130"

# A paste, with the key that leaves in each line. A program that reads lines takes it
yes "$(printf '%062d' 0)$LEAVE" | head -c 20480 >/tmp/paste
type_keys $'stty -echo; head -c 20480 | md5sum; stty echo\r'
check "a program waits for the paste" until_true 10 in_guest 1 "pgrep -x md5sum"
cat /tmp/paste >&$keyboard
check "a paste of 20 KiB arrives whole" shows "^$(md5sum </tmp/paste | cut -d' ' -f1)"
type_keys "$LEAVE"
check "Ctrl-] leaves the console with success" leaves
check "sigmactl console says that it has disconnected" sees "Disconnected from g"
check "the guest runs on without the console" eval '[ "$(state g)" = running ] && in_guest 1 true'

# ---- another key
check "the console opens with another key that leaves" attach 24 80 --escape=^A
check "the console says which key leaves" sees "Ctrl-A leaves"
type_keys $'sleep 1000\r'
check "a program runs, and the guest's terminal echoes keys" \
	until_true 10 in_guest 1 "pgrep -x sleep"
type_keys "$LEAVE"
check "Ctrl-] goes to the guest" shows '^\^\]'
type_keys $'\x03'
check "Ctrl-C ends the program there, too" until_true 10 eval '! in_guest 1 "pgrep -x sleep"'
type_keys $'\x01'
check "Ctrl-A leaves the console with success" leaves

# ---- nobody at the console
rung_doorbells() { cat /sys/class/sigma/g/doorbells_sent; }
rung=$(rung_doorbells)
# It takes a minute where nested page tables are emulated
GUEST_TIMEOUT=120 check "1 MiB of console output that nobody reads does not stop the guest" \
	in_guest 1 "yes $LINE | head -c $MIB >/dev/hvc0 && echo the end >/dev/hvc0"
# 64 bytes of it are four buffers. The driver polls; an interrupt would take a buffer from it
check "the host does not interrupt the guest for each of these buffers" \
	[ $(($(rung_doorbells) - rung)) -lt $((MIB / 64)) ]
check "the guest's heartbeat rises" beats g
check "the console opens again" attach 43 132
check "the console says how much output was lost" shows "<missed [0-9]+ bytes>"
check "the console shows the last output" shows "the end"
# The terminal turns the newline of each LINE into two bytes
missed=$(grep -aoE "<missed [0-9]+ bytes>" $screen | awk '{ n += $2 } END { print n + 0 }')
seen=$(tr -dc x <$screen | wc -c)
check "all output is shown or counted as lost" \
	[ $((missed + seen)) -ge $((MIB * 63 / 64)) -a "$missed" -lt $((MIB * 65 / 64 + 65536)) ]
check "the guest knows the size of the second terminal before a key" until_true 10 guest_size 43 132
check "programs know it, too" until_true 10 has_size 43 132
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
# The key comes alone once sigmactl has read what was typed before
presses_leave() { type_keys "$LEAVE"; sleep 1; left; }
check "Ctrl-] leaves the console while sigmad is stopped" until_true 20 presses_leave
check "sigmactl console leaves with success" leaves
check "sigmactl console says how much the guest has not taken" \
	sees "not taken the last [0-9]+ bytes of your input"
timeout 1 cat <$keys >/dev/null		# what was pressed after it had left
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
