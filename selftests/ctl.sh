#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=2 mem=2G timeout=400
#
# sigmactl as people and programs use it: every verb, its exit status, its JSON as jq reads it,
# completion in bash and zsh, the manual pages, and errors that say what to do.

. "$(dirname "$0")/lib.sh"
need_sigma

LEAVE=$'\x1d'		# Ctrl-]
screen=/tmp/screen keys=/tmp/keys events=/tmp/events
file=/etc/sigma/g.guest
manual=/usr/share/man

# status N COMMAND...: the command ends with this exit status
status()
{
	local wanted=$1 got
	shift
	"$@"
	got=$?
	[ $got = "$wanted" ] || { echo "exit status $got"; return 1; }
}

# json FILTER COMMAND...: the command prints JSON for which the filter is true
json()
{
	local filter=$1 text
	shift
	text=$("$@") && jq -e "$filter" <<<"$text" >/dev/null || { echo "$text"; return 1; }
}

# unwritable COMMAND...: it fails with a message when its output cannot be written
unwritable()
{
	local said
	said=$("$@" 2>&1 >/dev/full) && { echo "it succeeds on a full device"; return 1; }
	grep "standard output: No space left on device" <<<"$said" || { echo "$said"; return 1; }
	said=$("$@" 2>&1 >&-) && { echo "it succeeds without standard output"; return 1; }
	grep "standard output: Bad file descriptor" <<<"$said" || { echo "$said"; return 1; }
}

# said FILTER: it is true for some object that "sigmactl events" printed
said() { jq -e -s "any(.[]; $1)" $events >/dev/null || { tail $events; return 1; }; }
hears() { until_true 10 said "$1"; }

# offers WORDS LINE...: exactly these words complete the last word of the line
offers()
{
	local wanted=$1 got
	shift
	# shellcheck disable=SC2016 # expanded by the inner shell
	got=$(bash --norc -ic '
		source /usr/share/bash-completion/completions/sigmactl
		COMP_WORDS=(sigmactl "$@") COMP_CWORD=$#
		_sigmactl
		printf "%s\n" "${COMPREPLY[@]}"
	' bash "$@" 2>/dev/null | xargs)
	[ "$got" = "$wanted" ] || { echo "'$got', not '$wanted'"; return 1; }
}

# on_terminal COMMAND: its keys come from the fifo, and what a person would see is in $screen
on_terminal()
{
	: >$screen
	script -qfec "$1" /dev/null <$keys >>$screen 2>&1 &
	terminal=$!
}
type_keys() { printf '%s' "$1" >&$keyboard; }
sees() { tr '\r' '\n' <$screen | grep -aE "$1"; }
shows() { until_true "${2:-60}" sees "$1" || { cat -v $screen | tail -n 20; return 1; }; }
left() { ! kill -0 "$terminal" 2>/dev/null; }
leaves() { until_true 60 left || { echo "it is still there"; return 1; }; wait "$terminal"; }

# ---- before any guest
guest g disk=/dev/vdb net=1
remember_host
check "sigmactl list --all shows a guest file without a guest as off" \
	json '.[] | .name == "g" and .state == "off"' sigmactl list --all --json
check "sigmactl list without --all does not show the guest" json 'length == 0' sigmactl list --json
check "sigmactl show shows the guest as off" [ "$(sigmactl show -p State --value g)" = off ]
check "sigmactl check finds this machine fit for guests" \
	json 'all(.result != "FAIL")' sigmactl check --json
check "sigmactl check looks at the TSC as the kernel does" json "any(.check == \"tsc\" and (
	.text | contains(\"does not trust\")) == $(grep -qw tsc \
	/sys/devices/system/clocksource/clocksource0/available_clocksource && echo false || echo true))" \
	sigmactl check --json
check "sigmactl pool shows that CPU 1 and memory can be lent" \
	json '.lendable | .cpus == "1" and .memory > 500000000' sigmactl pool --json

# ---- words
check "an unknown verb is answered with a similar one" \
	eval 'status 2 sigmactl strat g 2>&1 | grep "did you mean .start."'
check "a verb that resembles none gets no suggestion" \
	eval '! sigmactl frobnicate 2>&1 | grep "did you mean"'
check "help of a verb has an example" eval "sigmactl help list | grep -A1 ^Examples: | grep 'sigmactl list'"
check "help fails when it cannot be written" unwritable sigmactl help
check "help of a verb fails when it cannot be written" unwritable sigmactl help list
check "the pages of the manual are installed" \
	test -e $manual/man1/sigmactl.1 -a -e $manual/man5/sigma.guest.5
printf '[Guest]\nNoSuchKey=1\n' >/tmp/keys.guest
refuse "an unknown key is refused with the known ones" "no key of \[Guest\]; it has .*CPUs=.*Kernel=" \
	sigmactl start /tmp/keys.guest

# ---- the guest file
cp -p $file /tmp/g.guest
chmod 640 $file
check "a good edit replaces the guest file" \
	env VISUAL= EDITOR="sed -i s/^CPUs=.*/CPUs=cpu1/" sigmactl edit g
check "the edited file has the change and its old mode" \
	eval "grep -qx CPUs=cpu1 $file && [ $(stat -c %a $file) = 640 ]"
cp -p $file /tmp/g.guest
check "a bad edit is refused with file, line, reason and remedy" \
	eval 'status 1 env VISUAL="sed -i s/^Memory=.*/Memory=lots/" sigmactl edit g 2>&1 </dev/null |
		tee /tmp/said | grep "g.guest:[0-9]*: Memory=lots: not a size; write it like"'
check "a bad edit leaves the file unchanged" cmp $file /tmp/g.guest
kept=$(sed -n 's/.*yours is kept as //p' /tmp/said)
check "a bad edit is kept in a file" grep -qx Memory=lots "$kept"
rm -rf "$(dirname "$kept")"
check "an editor that fails changes nothing, and sigmactl edit fails" \
	status 1 env VISUAL=false sigmactl edit g
check "an edit without a change succeeds" status 0 env VISUAL=true sigmactl edit g
check "a change that another program makes during the edit is not lost" \
	eval 'status 1 env VISUAL="sh -c \"echo \# >>\$1; echo \#\# >>/etc/sigma/g.guest\" sh" sigmactl edit g 2>&1 |
		grep "somebody else"; tail -n 1 '$file' | grep -x "##"'
check "sigmactl edit of a new guest begins with an example" \
	env VISUAL="sed -i s/^Memory=.*/Memory=256M/" sigmactl edit new
check "the parser accepts the example" \
	eval "grep -qx Memory=256M /etc/sigma/new.guest && sigmactl list -a --no-legend | grep '^new .*off'"
rm -rf /etc/sigma/new.guest /etc/sigma/.edit-*
cp -p /tmp/g.guest $file

# ---- at boot
[ -e /usr/lib/systemd/system/sigma@.service ] ||
	printf '[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n' \
		>/etc/systemd/system/sigma@.service
check "sigmactl enable succeeds" sigmactl enable g
check "the enabled guest's unit is wanted at boot" \
	eval 'find /etc/systemd/system/*.wants | grep sigma@g.service'
check "sigmactl disable succeeds" sigmactl disable g
check "the disabled guest's unit is not wanted at boot" \
	eval '! find /etc/systemd/system/*.wants 2>/dev/null | grep sigma@g.service'
check "sigmactl enable of a guest without a file ends with status 3" status 3 sigmactl enable nosuch

# ---- run, and leave
mkfifo $keys
exec {keyboard}<>$keys
sigmactl events --json >$events &
follower=$!
on_terminal "sigmactl run g"
check "sigmactl run starts the guest and connects the terminal to its console" \
	shows "Connected to g"
check "the console shows a shell" shows "^bash-|root@|# "
type_keys $'echo $((6 * 7)) is the answer\r'
check "the shell runs a command" shows "^42 is the answer"
type_keys "$LEAVE"
check "Ctrl-] leaves sigmactl run with success" leaves
check "sigmactl run says how to come back to the console" \
	sees "g: goes on in the background; 'sigmactl console g'"
check "the guest's user space answers" wait_guest 1
check "the microcode of its CPU is that of the host" [ "$(cat /sys/class/sigma/g/microcode)" = \
	"$(awk '/^microcode/ { print $3; exit }' /proc/cpuinfo)" ]
check "sigmactl events told each step of the start" \
	eval 'hears ".state == \"created\"" && hears ".state == \"booting\"" && hears ".state == \"running\""'
check "sigmactl events told that sigmad serves the guest" \
	hears '.event == "sigmad" and .sigmad == "serves"'

# ---- for programs
check "sigmactl list --json shows the guest" \
	json '.[0] | .name == "g" and .state == "running" and .uptime_usec > 0 and .cpus == "1"' \
	sigmactl list --json
check "sigmactl status --json shows the guest" \
	json '.state == "running" and (.devices | length) == 2' sigmactl status --json g
check "sigmactl show --json shows the guest" \
	json '.State == "running" and (.Device | length) == 2' sigmactl show --json g
check "sigmactl show prints one value" [ "$(sigmactl show -p Memory --value g)" = 268435456 ]
check "sigmactl show prints two keys" \
	[ "$(sigmactl show -p CPUs,State g | xargs)" = "State=running CPUs=1" ]
check "sigmactl show of an unknown key ends with status 2" status 2 sigmactl show -p Colour g
check "sigmactl stats counts bytes of the root disk and the console" \
	json '.[0].devices | (.[] | select(.kind == "disk").bytes_to > 100000),
	      (.[] | select(.kind == "console").bytes_from > 10)' sigmactl stats --json g
check "sigmactl stats counts bytes and frames of a NIC that vhost-net serves" \
	json '.[0].devices[] | select(.kind == "net") | .bytes_from > 0 and .bytes_to > 0 and .requests > 1' \
	sigmactl stats --json g
in_guest 1 "dd if=/dev/zero of=/root/data bs=1M count=4 conv=fsync status=none" >/dev/null
check "sigmactl stats counts 4 MiB that the guest writes" \
	json '.[0].devices[] | select(.kind == "disk").bytes_from > 4194304' sigmactl stats --json
check "sigmactl stats --watch --json prints a line each second" \
	eval '[ "$(timeout 3 sigmactl stats -w --json g | jq -c ".[0].name" | grep -c g)" -ge 2 ]'
check "sigmactl stats prints a table for people" \
	eval 'sigmactl stats --no-legend | grep "^g  *running"'
sigmactl stats --prometheus >/tmp/prometheus
check "sigmactl stats --prometheus prints only comments and samples" \
	eval '! grep -vE "^(# (HELP|TYPE) sigma_[a-z_]+ .+|sigma_[a-z_]+(\{[a-z]+=\"[^\"]*\"(,[a-z]+=\"[^\"]*\")*\})? [0-9.]+)$" /tmp/prometheus'
check "sigmactl stats --prometheus has the guest's state" \
	grep -qx 'sigma_guest_state{guest="g",state="running"} 1' /tmp/prometheus
check "sigmactl pool shows that the guest's CPU and memory cannot be lent" \
	json '.guests[0].name == "g" and .guests[0].memory == 268435456 and .lendable.cpus == ""' \
	sigmactl pool --json
check "busctl introspects the guest's interface" \
	eval 'busctl --address=unix:path=/run/sigma/g/bus introspect org.sigma /org/sigma/Guest |
		grep -E "^\.(Counters|Guard|State|Reboot|StateChanged)" | [ "$(wc -l)" = 5 ]'
check "busctl reads a property" \
	eval 'busctl --address=unix:path=/run/sigma/g/bus get-property org.sigma /org/sigma/Guest org.sigma.Guest State | grep -x "s \"running\""'

# ---- for people
check "output to a terminal has colours" \
	eval 'script -qec "sigmactl list" /dev/null | grep $'"'\x1b'"
check "output with NO_COLOR has no colours" \
	eval '! script -qec "NO_COLOR=1 sigmactl list" /dev/null | grep $'"'\x1b'"
check "output to a pipe has no colours" eval '! sigmactl list | grep $'"'\x1b'"
check "sigmactl log prints the guest's kernel log" eval 'sigmactl log g | grep "Linux version"'
console_says() { tr '\r' '\n' </tmp/console | grep -a '^6\.1'; }
check "sigmactl console passes input and output through pipes" \
	eval '(echo uname -r; until_true 20 console_says >&2) | sigmactl console g >/tmp/console; console_says'
check "sigmactl nmi succeeds" sigmactl nmi g
check "the guest logs where the NMI found it, and goes on" \
	eval 'wait_logged g "NMI from the host, CPU 0 is here" && guest_logged g "Call Trace" && in_guest 1 true'

# ---- output that cannot be written; selftests/unit/verbs.c has what needs no guest
for line in list "status g" "show g" stats "stats --watch" events "log g" "log -f g" "nmi g" \
	"dump g -"; do
	# shellcheck disable=SC2086 # a verb and its arguments
	check "sigmactl $line fails when its output cannot be written" \
		within 20 bash -c "$(declare -f unwritable); unwritable sigmactl $line"
done
console_unwritable()
{
	local job
	sigmactl console g <$keys >/dev/full 2>/tmp/said &
	job=$!
	type_keys $'\r'
	status 1 wait $job && grep "standard output: No space left on device" /tmp/said
}
check "sigmactl console fails when its output cannot be written" console_unwritable

# ---- waiting
wakes() { awk '$1 == "voluntary_ctxt_switches:" { print $2 }' "/proc/$1/status"; }
sleeps()
{
	local first last
	sleep 1
	first=$(wakes "$1") && sleep 1 && last=$(wakes "$1") && echo "woke $((last - first)) times" &&
		[ $((last - first)) -le 3 ]
}
sigmactl wait --state=poweroff --timeout=3 g 2>/dev/null &
waiter=$!
check "sigmactl wait sleeps while nothing happens" sleeps $waiter
check "sigmactl wait ends with status 4 at its timeout" status 4 wait $waiter

# ---- the log while it grows
followed() { until_true 60 grep -q "$1" /tmp/followed; }
sigmactl log -f -n 1 g >/tmp/followed &
log_follower=$!
check "sigmactl log -f -n 1 begins with the last line" until_true 20 eval \
	'[ -s /tmp/followed ] && sigmactl log -n 9 g | grep -Fx "$(head -n 1 /tmp/followed)"'
check "sigmactl log -f sleeps while nothing happens" sleeps $log_follower
in_guest 1 "echo on >/proc/sys/kernel/printk_devkmsg; echo something happens >/dev/kmsg" >/dev/null
check "sigmactl log -f prints a new line" followed "something happens$"
# The log's file is full before all were written. The kernel takes no longer lines
FILL=$(printf 'which is one of the longest that a kernel takes, %.0s' {1..18})
check "the guest logs 800 lines" in_guest 1 "for i in \$(seq 800); do echo \"line \$i, $FILL\"; done >/dev/kmsg"
check "sigmactl log -f goes on after the log is rotated" followed "line 800, "
check "the log was rotated" [ -s /run/sigma/g/log.1 ]
check "sigmactl log -f prints all lines, or says how many bytes it missed" eval \
	'[ "$(grep -c "line [0-9]*, " /tmp/followed)" = 800 ] || grep "<missed [0-9]* bytes>" /tmp/followed'
check "sigmactl log -f ends when its output is closed" \
	within 10 bash -c 'sigmactl log -f g | head -n 1'

# ---- completion
check "bash completes verbs" offers "start stop status stats" st
check "bash completes verbs after help" offers "edit enable events exec" help e
check "bash completes the running guest after stop" offers g stop ""
check "bash offers no running guest after start" eval 'cd / && offers "" start g'
check "bash completes what pool can do" offers "add restore" pool ""
check "bash completes the options of a verb" offers "--timeout --state --help" wait --
check "bash completes keys that leave a console" offers "^A ^] none" console --escape = ""
check "bash completes states" offers "poweroff panicked" wait --state = p
check "bash completes properties" offers "State StartedUSec" show -p St
check "bash completes what a disk can do" offers resize disk res
check "bash completes devices to resize" offers "/dev/vdb" disk resize g /dev/v
check "bash completes devices to remove" offers "/dev/vdb" disk rm g /dev/v
on_terminal "bash --rcfile /usr/share/bash-completion/completions/sigmactl -i"
type_keys $'sigmactl po\t--no-leg\t| sed s/^/seen:/\r'
check "the Tab key completes a verb and an option in bash" shows "^seen:.lendable."
type_keys $'exit\r'
leaves
on_terminal "zsh -f"
# With the completions of all programs of the system, compinit would take half a minute
type_keys $'fpath=(/usr/share/zsh/vendor-completions /usr/share/zsh/functions/Completion{,/Base})\r'
type_keys $'autoload -U compinit && compinit -u && echo ready | sed s/^/is:/\r'
check "zsh starts and loads its completion" shows "^is:ready"
type_keys $'sigmactl po\t--no-leg\t| sed s/^/seen:/\r'
check "the Tab key completes a verb and an option in zsh" shows "^seen:.lendable."
type_keys $'sigmactl show \t-p State --value | sed s/^/is:/\r'
check "the Tab key completes a guest in zsh" shows "^is:running"
type_keys $'exit\r'
leaves

# ---- devices in the events
truncate -s 8M /root/extra.img
check "sigmactl disk add --json prints the new disk" \
	json '.kind == "disk" and .name == "/root/extra.img"' \
	sigmactl disk add --json g /root/extra.img
check "sigmactl events told the new disk" \
	hears '.event == "device-added" and .kind == "disk" and .name == "/root/extra.img"'
check "sigmactl disk rm succeeds" sigmactl disk rm g /root/extra.img
truncate -s 8M /root/more.img
check "sigmactl disk add fails when its output cannot be written" \
	eval 'status 1 sigmactl disk add g /root/more.img 2>&1 >/dev/full | grep "standard output: No space"'
check "the added disk is there, and can be removed" sigmactl disk rm g /root/more.img
check "sigmactl events told the removed disk" \
	hears '.event == "device-removed" and .name == "/root/extra.img"'

# ---- reboot
# PID 1 of this guest understands no request of the real /sbin/reboot
in_guest 1 "rm /sbin/reboot; printf '#!/bin/sh\nexec busybox reboot -f\n' >/sbin/reboot; chmod +x /sbin/reboot" >/dev/null
started=$(sigmactl show -p StartedUSec --value g)
check "sigmactl reboot succeeds" sigmactl reboot g
check "the guest has a new start time when sigmactl reboot returns" \
	[ "$(sigmactl show -p StartedUSec --value g)" -gt "$started" ]
check "sigmactl events told the reboot" hears '.state == "reboot"'
check "the rebooted guest's log begins" until_true "$GUEST_BOOT" eval \
	'sigmactl log --memory g | grep "Linux version"'
check "sigmactl stop ends a guest that is not up yet" sigmactl stop --timeout=1 g
check "sigmactl events told the guest's end" hears '.state == "gone"'
check "sigmactl log -f printed the log of the rebooted guest" grep -c "Linux version" /tmp/followed
check "sigmactl log -f ends with the guest" status 0 wait $log_follower
kill $follower

# ---- the exit status of run
guest j disk=/dev/vdb "run=seq -f %0100.0f 1 250 >/dev/hvc0; echo the last line >/dev/hvc0"
check "sigmactl run ends with success when the guest powers itself off" \
	status 0 eval 'sigmactl run j </dev/null >/tmp/out'
check "sigmactl run prints the whole output of the guest" \
	eval '[ "$(tr -d "\r" </tmp/out | grep -cxE "[0-9]{100}")" = 250 ] && grep -q "^the last line" /tmp/out'
guest p disk=/dev/vdb "run=echo c >/proc/sysrq-trigger"
check "sigmactl run ends with status 10 when the guest panics" \
	status 10 eval 'sigmactl run p </dev/null >/tmp/out'
check "sigmactl log shows the panic of a guest that is gone" eval 'sigmactl log p | grep -i panic'
run_killed()
{
	sigmactl run g </dev/null >/dev/null &
	until_true 20 test -e /run/sigma/g/console && sigmactl kill g
	wait $!
}
check "sigmactl run ends with status 12 when the guest is killed" status 12 run_killed
# The guest is killed before sigmactl run hears that it was started
run_outrun()
{
	local job
	sigmactl run g </dev/null >/dev/null &
	job=$!
	until_true 20 test -e /sys/class/sigma/g && kill -STOP $job &&
		until_true 20 eval '[ "$(state g)" != created ]' && sigmactl kill g
	kill -CONT $job
	wait $job
}
check "sigmactl run ends with status 12 when the guest is killed at once" status 12 run_outrun
check "sigmactl run of an unknown guest ends with status 3" status 3 sigmactl run nosuch
check "the host has the CPU and the memory back" host_is_as_before

# ---- errors that say what to do
refuse "stopping a guest that does not run is refused, with the remedy" \
	"no such guest; .*sigmactl start g" sigmactl stop g
check "status of a guest that does not run ends with status 3" status 3 sigmactl status g
refuse "a bad guest name is refused" "up to 31 letters" sigmactl edit ../x
refuse "an option of another verb is refused" "list takes no --timeout" sigmactl list --timeout=1
check "sigmactl pool with a word that it does not know ends with status 2" status 2 sigmactl pool fill
check "sigmactl pool add without a range ends with status 2" status 2 sigmactl pool add
check "sigmactl pool add --json ends with status 2" status 2 sigmactl pool add --json 2M@1G
check "sigmactl pool restore with a range ends with status 2" status 2 sigmactl pool restore 2M@1G
refuse "a key that is no control key is refused, with the remedy" \
	"--escape=x: give \^ and a letter" sigmactl console --escape=x g
refuse "sigmactl stats of two guests is refused" "name one guest" sigmactl stats g h
refuse "rebooting a guest that does not run is refused" "no such guest" sigmactl reboot g

# ---- after an upgrade, the module that is loaded may be the old one
echo 0.0 >/tmp/version
printf '[Guest]\nKernel=/nowhere\n' >/tmp/version.guest
mount --bind /tmp/version /sys/module/sigma/version
refuse "a start warns of a sigma.ko of another version" \
	"sigma.ko is version 0.0, and this sigmad is version [0-9.]*; stop all guests, then 'modprobe -r sigma" \
	sigmactl start /tmp/version.guest
check "sigmactl check warns of it" eval \
	'sigmactl check >/tmp/said; grep "warn  *module .*sigma.ko is version 0.0" /tmp/said'
umount /sys/module/sigma/version

# ---- sockets that a killed sigmactl left
bound() { perl -MSocket -e 'socket(S, AF_UNIX, SOCK_DGRAM, 0) && bind(S, pack_sockaddr_un($ARGV[0])) or die;
	sleep $ARGV[1]' "$@"; }
bound /run/sigma/.start-1 0
bound /run/sigma/.start-2 1000 &
check "the socket of a sigmactl is there" until_true 10 test -e /run/sigma/.start-2
refuse "a start fails" "much" sh -c 'printf "[Guest]\nMemory=much\n" >/tmp/much.guest; sigmactl start /tmp/much.guest'
check "the socket that a killed sigmactl left is gone, and that of another one is not" \
	[ "$(echo /run/sigma/.start-*)" = /run/sigma/.start-2 ]
kill $!
rm /run/sigma/.start-2
finish
