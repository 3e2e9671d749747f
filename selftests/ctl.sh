#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=2 mem=2G timeout=300
#
# sigmactl as a person and as a program use it: every verb, its exit status, JSON as jq reads it,
# completion in bash and zsh, the manual pages, and errors that say what to do.

. "$(dirname "$0")/lib.sh"
need_sigma

LEAVE=$'\x1d'		# Ctrl-]
screen=/tmp/screen keys=/tmp/keys events=/tmp/events
file=/etc/sigma/g.guest
manual=/usr/share/man

# status N COMMAND...: it must end with this exit status
status()
{
	local wanted=$1 got
	shift
	"$@"
	got=$?
	[ $got = "$wanted" ] || { echo "exit status $got"; return 1; }
}

# json FILTER COMMAND...: what it prints is JSON for which the filter holds
json()
{
	local filter=$1 text
	shift
	text=$("$@") && jq -e "$filter" <<<"$text" >/dev/null || { echo "$text"; return 1; }
}

# said TEXT: somewhere in what "sigmactl events" printed, an object that this filter is true for
said() { jq -e -s "any(.[]; $1)" $events >/dev/null || { tail $events; return 1; }; }
hears() { until_true 10 said "$1"; }

# offers WORDS LINE...: exactly these are offered for the last word of the line
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

# on_terminal COMMAND: keys come from the fifo, what would be seen is in $screen
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

# ---- what there is before any guest
guest g disk=/dev/vdb net=1
remember_host
check "a guest file without a guest is listed as off" \
	json '.[] | .name == "g" and .state == "off"' sigmactl list --all --json
check "and only with --all" json 'length == 0' sigmactl list --json
check "show knows it" [ "$(sigmactl show -p State --value g)" = off ]
check "the machine is fit for guests" json 'all(.result != "FAIL")' sigmactl check --json
check "CPU 1 and memory could be lent" \
	json '.lendable | .cpus == "1" and .memory > 500000000' sigmactl pool --json

# ---- words
check "an unknown verb is told its neighbour" \
	eval 'status 2 sigmactl strat g 2>&1 | grep "did you mean .start."'
check "one that is like none is not" eval '! sigmactl frobnicate 2>&1 | grep "did you mean"'
for verb in $(sigmactl --help | sed -n 's/^  \([a-z][a-z]*\)  .*  [A-Z].*/\1/p'); do
	verbs="${verbs:-} $verb"
	check "$verb: its help has an example" eval "sigmactl help $verb | grep -A1 ^Examples: | grep 'sigmactl $verb'"
	check "$verb: in sigmactl(1)" grep -q "^\.It Cm $verb" $manual/man1/sigmactl.1
done
check "all verbs were seen" [ "$(wc -w <<<"$verbs")" -ge 21 ]
for section in Guest Disk Network Share Channel; do
	printf '[%s]\nNoSuchKey=1\n' $section >/tmp/keys.guest
	for key in $(sigmactl start /tmp/keys.guest 2>&1 | sed -n 's/.*no key of.*; it has//p'); do
		check "[$section] $key is in sigma.guest(5)" \
			eval "sed -n '/^\.Ss \[$section\]/,/^\.Ss/p' $manual/man5/sigma.guest.5 | grep -q '^\.It Cm $key'"
		any=y
	done
	check "[$section] has keys" [ "${any:-}" = y ]
	any=""
done

# ---- the guest file
cp -p $file /tmp/g.guest
chmod 640 $file
check "a good edit takes the file's place" \
	env VISUAL= EDITOR="sed -i s/^CPUs=.*/CPUs=cpu1/" sigmactl edit g
check "with what was changed, and its mode" \
	eval "grep -qx CPUs=cpu1 $file && [ $(stat -c %a $file) = 640 ]"
cp -p $file /tmp/g.guest
check "a bad one is refused, with file, line, reason and remedy" \
	eval 'status 1 env VISUAL="sed -i s/^Memory=.*/Memory=lots/" sigmactl edit g 2>&1 </dev/null |
		tee /tmp/said | grep "g.guest:[0-9]*: Memory=lots: not a size; write it like"'
check "the file is as it was" cmp $file /tmp/g.guest
kept=$(sed -n 's/.*yours is kept as //p' /tmp/said)
check "and what was typed is kept" grep -qx Memory=lots "$kept"
rm -rf "$(dirname "$kept")"
check "an editor that fails changes nothing" status 1 env VISUAL=false sigmactl edit g
check "nor does one that changes nothing" status 0 env VISUAL=true sigmactl edit g
check "what somebody else wrote meanwhile is not lost" \
	eval 'status 1 env VISUAL="sh -c \"echo \# >>\$1; echo \#\# >>/etc/sigma/g.guest\" sh" sigmactl edit g 2>&1 |
		grep "somebody else"; tail -n 1 '$file' | grep -x "##"'
check "a new guest's file begins as an example that works" \
	env VISUAL="sed -i s/^Memory=.*/Memory=256M/" sigmactl edit new
check "as the parser says" eval "grep -qx Memory=256M /etc/sigma/new.guest && sigmactl list -a --no-legend | grep '^new .*off'"
rm -rf /etc/sigma/new.guest /etc/sigma/.edit-*
cp -p /tmp/g.guest $file

# ---- at boot
[ -e /usr/lib/systemd/system/sigma@.service ] ||
	printf '[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n' \
		>/etc/systemd/system/sigma@.service
check "enable" sigmactl enable g
check "it would be started at boot" eval 'find /etc/systemd/system/*.wants | grep sigma@g.service'
check "disable" sigmactl disable g
check "it would not" eval '! find /etc/systemd/system/*.wants 2>/dev/null | grep sigma@g.service'
check "a guest without a file is not enabled" status 3 sigmactl enable nosuch

# ---- run, and leave
mkfifo $keys
exec {keyboard}<>$keys
sigmactl events --json >$events &
follower=$!
on_terminal "sigmactl run g"
check "run starts the guest and connects this terminal" shows "Connected to g"
check "a shell is there" shows "^bash-|root@|# "
type_keys $'echo $((6 * 7)) is the answer\r'
check "which answers" shows "^42 is the answer"
type_keys "$LEAVE"
check "Ctrl-] leaves, with success" leaves
check "and says how to come back" sees "g: goes on in the background; 'sigmactl console g'"
check "the guest answers" wait_guest 1
check "its start was told, step by step" \
	eval 'hears ".state == \"created\"" && hears ".state == \"booting\"" && hears ".state == \"running\""'
check "and who serves it" hears '.event == "sigmad" and .sigmad == "serves"'

# ---- programs
check "list" json '.[0] | .name == "g" and .state == "running" and .uptime_usec > 0 and .cpus == "1"' \
	sigmactl list --json
check "status" json '.state == "running" and (.devices | length) == 2' sigmactl status --json g
check "show, as JSON" json '.State == "running" and (.Device | length) == 2' sigmactl show --json g
check "show, one value" [ "$(sigmactl show -p Memory --value g)" = 268435456 ]
check "show, two keys" [ "$(sigmactl show -p CPUs,State g | xargs)" = "State=running CPUs=1" ]
check "show refuses a key that there is not" status 2 sigmactl show -p Colour g
check "stats: the root disk was read and the console written" \
	json '.[0].devices | (.[] | select(.kind == "disk").bytes_to > 100000),
	      (.[] | select(.kind == "console").bytes_from > 10)' sigmactl stats --json g
check "stats: so was its NIC used, which the host's kernel serves" \
	json '.[0].devices[] | select(.kind == "net") | .bytes_from > 0 and .bytes_to > 0 and .requests > 1' \
	sigmactl stats --json g
in_guest 1 "dd if=/dev/zero of=/root/data bs=1M count=4 conv=fsync status=none" >/dev/null
check "stats: 4 MiB written are counted" \
	json '.[0].devices[] | select(.kind == "disk").bytes_from > 4194304' sigmactl stats --json
check "stats --watch --json: a line a second" \
	eval '[ "$(timeout 3 sigmactl stats -w --json g | jq -c ".[0].name" | grep -c g)" -ge 2 ]'
check "stats, for people" eval 'sigmactl stats --no-legend | grep "^g  *running"'
sigmactl stats --prometheus >/tmp/prometheus
check "Prometheus: each line is a comment or a sample" \
	eval '! grep -vE "^(# (HELP|TYPE) sigma_[a-z_]+ .+|sigma_[a-z_]+(\{[a-z]+=\"[^\"]*\"(,[a-z]+=\"[^\"]*\")*\})? [0-9.]+)$" /tmp/prometheus'
check "Prometheus: the state" grep -qx 'sigma_guest_state{guest="g",state="running"} 1' /tmp/prometheus
check "pool: what g has is not lendable" \
	json '.guests[0].name == "g" and .guests[0].memory == 268435456 and .lendable.cpus == ""' \
	sigmactl pool --json
check "stock busctl reads the interface" \
	eval 'busctl --address=unix:path=/run/sigma/g/bus introspect org.sigma /org/sigma/Guest |
		grep -E "^\.(Counters|Guard|State|Reboot|StateChanged)" | [ "$(wc -l)" = 5 ]'
check "and a property" \
	eval 'busctl --address=unix:path=/run/sigma/g/bus get-property org.sigma /org/sigma/Guest org.sigma.Guest State | grep -x "s \"running\""'

# ---- people
check "colours on a terminal" eval 'script -qec "sigmactl list" /dev/null | grep $'"'\x1b'"
check "none with NO_COLOR" eval '! script -qec "NO_COLOR=1 sigmactl list" /dev/null | grep $'"'\x1b'"
check "none in a pipe" eval '! sigmactl list | grep $'"'\x1b'"
check "log" eval 'sigmactl log g | grep "Linux version"'
console_says() { tr '\r' '\n' </tmp/console | grep -a '^6\.1'; }
check "console" \
	eval '(echo uname -r; until_true 20 console_says >&2) | sigmactl console g >/tmp/console; console_says'
check "nmi" sigmactl nmi g
check "the guest tells where it was, and goes on" \
	eval 'wait_logged g "NMI from the host, CPU 0 is here" && guest_logged g "Call Trace" && in_guest 1 true'
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
check "wait sleeps while nothing happens" sleeps $waiter
check "and gives up in time" status 4 wait $waiter

# ---- the log, as it grows
followed() { until_true 60 grep -q "$1" /tmp/followed; }
sigmactl log -f -n 1 g >/tmp/followed &
log_follower=$!
check "log -f begins with the last line" until_true 20 eval \
	'[ -s /tmp/followed ] && sigmactl log -n 9 g | grep -Fx "$(head -n 1 /tmp/followed)"'
check "sleeps while nothing happens" sleeps $log_follower
in_guest 1 "echo on >/proc/sys/kernel/printk_devkmsg; echo something happens >/dev/kmsg" >/dev/null
check "prints what comes" followed "something happens$"
FILL="which is long enough to have the log's file full before all were written, and more"
GUEST_TIMEOUT=120 check "a guest that logs much" in_guest 1 \
	"for i in \$(seq 6000); do echo \"line \$i, $FILL\"; done >/dev/kmsg"
check "goes on in the next file" followed "line 6000, "
check "of which there is one" [ -s /run/sigma/g/log.1 ]
check "nothing is lost that was not told" eval \
	'[ "$(grep -c "line [0-9]*, " /tmp/followed)" = 6000 ] || grep "<missed [0-9]* bytes>" /tmp/followed'
check "log -f ends when nobody reads" timeout 10 bash -c 'sigmactl log -f g | head -n 1'

# ---- completion
check "verbs" offers "start stop status stats" st
check "help" offers "edit enable events" help e
check "the guest that runs" offers g stop ""
check "no guest is off that start could take" eval 'cd / && offers "" start g'
check "options of a verb" offers "--timeout --state --help" wait --
check "states" offers "poweroff panicked" wait --state = p
check "properties" offers "State StartedUSec" show -p St
check "devices to remove" offers "/dev/vdb" disk rm g /dev/v
on_terminal "bash --rcfile /usr/share/bash-completion/completions/sigmactl -i"
type_keys $'sigmactl po\t--no-leg\t| sed s/^/seen:/\r'
check "by the Tab key, too" shows "^seen:.lendable."
type_keys $'exit\r'
leaves
on_terminal "zsh -f"
type_keys $'autoload -U compinit && compinit -u && echo ready | sed s/^/is:/\r'
check "zsh is there" shows "^is:ready"
type_keys $'sigmactl po\t--no-leg\t| sed s/^/seen:/\r'
check "its Tab key knows verbs and options" shows "^seen:.lendable."
type_keys $'sigmactl show \t-p State --value | sed s/^/is:/\r'
check "and guests" shows "^is:running"
type_keys $'exit\r'
leaves

# ---- devices, as they are told
truncate -s 8M /root/extra.img
check "disk add" json '.kind == "disk" and .name == "/root/extra.img"' \
	sigmactl disk add --json g /root/extra.img
check "is told" hears '.event == "device-added" and .kind == "disk" and .name == "/root/extra.img"'
check "disk rm" sigmactl disk rm g /root/extra.img
check "is told, too" hears '.event == "device-removed" and .name == "/root/extra.img"'

# ---- reboot
# PID 1 of this guest is no init that /sbin/reboot could talk to
in_guest 1 "rm /sbin/reboot; printf '#!/bin/sh\nexec busybox reboot -f\n' >/sbin/reboot; chmod +x /sbin/reboot" >/dev/null
started=$(sigmactl show -p StartedUSec --value g)
check "reboot returns when it has begun anew" sigmactl reboot g
check "it was started again" [ "$(sigmactl show -p StartedUSec --value g)" -gt "$started" ]
check "in so many words" hears '.state == "reboot"'
check "it has begun to log" until_true $GUEST_BOOT eval \
	'sigmactl log --memory g | grep "Linux version"'
check "stop, before it is up" sigmactl stop --timeout=1 g
check "its end is told" hears '.state == "gone"'
check "log -f has seen it begin anew" grep -c "Linux version" /tmp/followed
check "and ends with it" status 0 wait $log_follower
kill $follower

# ---- how guests of run end
guest j disk=/dev/vdb "run=seq 1 5000 >/dev/hvc0; echo the last line >/dev/hvc0"
check "run: power-off is success" status 0 eval 'sigmactl run j </dev/null >/tmp/out'
check "all that it printed is here" \
	eval '[ "$(tr -d "\r" </tmp/out | grep -cxE "[0-9]+")" = 5000 ] && grep -q "^the last line" /tmp/out'
guest p disk=/dev/vdb "run=echo c >/proc/sysrq-trigger"
check "run: a panic is 10" status 10 eval 'sigmactl run p </dev/null >/tmp/out'
check "and its log is kept" eval 'sigmactl log p | grep -i panic'
run_killed()
{
	sigmactl run g </dev/null >/dev/null &
	until_true 20 test -e /run/sigma/g/console && sigmactl kill g
	wait $!
}
check "run: a kill is 12" status 12 run_killed
# Before it has heard that the guest was started
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
check "run: one that comes first is, too" status 12 run_outrun
check "run: no such guest is 3" status 3 sigmactl run nosuch
check "CPUs and memory are back" host_is_as_before

# ---- errors that say what to do
refuse "a guest that does not run" "no such guest; .*sigmactl start g" sigmactl stop g
check "is exit status 3" status 3 sigmactl status g
refuse "a name that can't be" "up to 31 letters" sigmactl edit ../x
refuse "an option of another verb" "list takes no --timeout" sigmactl list --timeout=1
refuse "stats of two" "name one guest" sigmactl stats g h
refuse "reboot of none" "no such guest" sigmactl reboot g
finish
