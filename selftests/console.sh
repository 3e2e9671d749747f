#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=2 mem=2G timeout=300
#
# "sigmactl console" as a person has it, on a terminal; a guest that writes to its console
# while nobody looks, and one that takes no input.

. "$(dirname "$0")/lib.sh"
need_sigma
remember_host

LEAVE=$'\x1d'		# Ctrl-]
MIB=1048576
LINE=$(printf '%063d' 0 | tr 0 x)
screen=/tmp/screen keys=/tmp/keys

mkfifo $keys
exec {keyboard}<>$keys

# attach ROWS COLUMNS: a terminal of its own for sigmactl, as script(1) makes it: keys come
# from the fifo, what would be seen is in $screen
attach()
{
	: >$screen
	script -qfec "stty rows $1 cols $2; exec sigmactl console g" /dev/null \
		<$keys >>$screen 2>&1 &
	terminal=$!
	until_true 10 sees "Connected to g"
}

type_keys() { printf '%s' "$1" >&$keyboard; }
# As lines, whatever the shell's editor does in them
sees() { tr '\r' '\n' <$screen | grep -aE "$1"; }
shows() { until_true 20 sees "$1" || { cat -v $screen | tail -n 20; return 1; }; }
# has_size ROWS COLUMNS: as programs in the guest see it
has_size() { type_keys $'stty size\r'; until_true 2 sees "^$1 $2\$"; }
left() { ! kill -0 "$terminal" 2>/dev/null; }
# The end of "sigmactl console", and its exit status
leaves() { until_true 20 left || { echo "it is still there"; return 1; }; wait "$terminal"; }

guest g disk=/dev/vdb net=1
check "starts" sigmactl start g
check "user space answers" wait_guest 1

# ---- a person
check "the console opens" attach 24 80
type_keys $'echo $((6 * 7)) is the answer\r'
check "a command's output is seen" shows "^42 is the answer"
type_keys $'cat /sys/class/tty/console/active\r'
check "it is hvc0" shows '^hvc0$'
check "the guest knows the terminal's size" until_true 10 has_size 24 80
refuse "a second person is told" "somebody else" timeout 10 sigmactl console g
type_keys $'sleep 1000\r'
check "a program in the foreground" until_true 10 in_guest 1 "pgrep -x sleep"
type_keys $'\x03'
check "Ctrl-C ends it" until_true 10 eval '! in_guest 1 "pgrep -x sleep"'
type_keys $'echo interrupted=$?\r'
check "as the guest's own" shows "^interrupted=130"
type_keys "$LEAVE"
check "Ctrl-] leaves, with success" leaves
check "and says so" sees "Disconnected from g"
check "the guest runs" eval '[ "$(state g)" = running ] && in_guest 1 true'

# ---- nobody
# A minute where the guest's memory is nested and that is emulated
GUEST_TIMEOUT=120 check "1 MiB of output that nobody reads does not stop the guest" \
	in_guest 1 "yes $LINE | head -c $MIB >/dev/hvc0 && echo the end >/dev/hvc0"
check "its heart beats" beats g
check "the console opens again" attach 43 132
check "what was lost is told" shows "<missed [0-9]+ bytes>"
check "the last of the output is there" shows "the end"
# The terminal makes the newline of each LINE two bytes
missed=$(grep -aoE "<missed [0-9]+ bytes>" $screen | awk '{ n += $2 } END { print n + 0 }')
seen=$(tr -dc x <$screen | wc -c)
check "all of the output is seen or counted as missed" \
	[ $((missed + seen)) -ge $((MIB / 64 * 63)) -a "$missed" -lt $((MIB / 64 * 65 + 65536)) ]
check "the guest knows the other terminal's size" until_true 10 has_size 43 132
type_keys $'echo still $((40 + 2))\r'
check "the console works as before" shows "^still 42"
type_keys "$LEAVE"
check "it can be left again" leaves

# ---- signals: the terminal is as it was
for signal in TERM HUP PIPE; do
	: >$screen
	script -qfec "sigmactl console g; stty -a" /dev/null <$keys >>$screen 2>&1 &
	terminal=$!
	check "SIG$signal: the console opens" until_true 10 sees "Connected to g"
	pkill -$signal -x sigmactl
	[ $signal != PIPE ] || type_keys "$LEAVE"
	check "SIG$signal: the terminal is not raw" shows "[^-]icanon"
	check "SIG$signal: it has left" leaves
done

# ---- a guest that takes no input, as with its sigmad halted
check "the console opens" attach 24 80
kill -STOP "$(pgrep -x sigmad)"
check "more is typed than there is room for" \
	timeout 20 bash -c 'head -c 200000 /dev/zero | tr "\0" x >$1' bash $keys
type_keys "$LEAVE"
check "Ctrl-] leaves" leaves
kill -CONT "$(pgrep -x sigmad)"
check "the guest runs" in_guest 1 true

# ---- the guest's end
check "the console opens" attach 24 80
check "stops with its console open" sigmactl stop g
check "its console ends by itself, with success" leaves
check "is gone" wait_gone g
refuse "a guest that is gone has no console" "no such guest" sigmactl console g
check "all is back" host_is_as_before
finish
