# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The library of the tests. A test sources this file, runs checks, and ends with finish:
#
#	. "$(dirname "$0")/lib.sh"
#	need_sigma
#	check "what is expected" COMMAND...
#	finish
#
# The test then speaks TAP 13 and ends with kselftest's exit codes: 0 passed, 1 failed, 4 skipped.
# With PRETTY=1 in the environment the same checks are printed for people (the demo).

set -uo pipefail

TREES=/srv/trees
VMLINUX=/run/vmlinux
GUEST_BOOT=120		# seconds that a guest has to reach a state or its user space
# The kernel's self-tests of its ciphers are a tenth of an emulated boot
QUICK=cryptomgr.notests
: "${PATIENCE:=5}"	# factor for the limits below, which suit an idle machine
OUTPUT=$(mktemp)
checks=0 failures=0 last_result=$SECONDS
SLOW_SECONDS=10		# a check that takes as long says so

# say TEXT...: print lines for people
say()
{
	local line
	while IFS= read -r line; do
		printf '%s%s\n' "$([ -n "${PRETTY:-}" ] && echo '        ' || echo '# ')" "$line"
	done <<<"$*"
}

[ -n "${PRETTY:-}" ] || echo "TAP version 13"

skip_all()
{
	echo "1..0 # SKIP $*"
	exit 4
}

# result STATUS TEXT: print one check, and how long it and what came before it took, where that was
# long; where it failed, print the output of its command, too
result()
{
	local took=$((SECONDS - last_result))

	last_result=$SECONDS
	checks=$((checks + 1))
	if [ "$1" = 0 ]; then
		if [ -n "${PRETTY:-}" ]; then
			echo "  ok    $2"
		else
			echo "ok $checks - $2"
			[ "$took" -lt $SLOW_SECONDS ] || say "$took s"
		fi
		return 0
	fi
	failures=$((failures + 1))
	if [ -n "${PRETTY:-}" ]; then
		echo "  FAIL  $2"
	else
		echo "not ok $checks - $2"
	fi
	say "$(tail -n 40 "$OUTPUT")"
	return 1
}

# check TEXT COMMAND...: expect the command to succeed
check()
{
	local text=$1 status
	shift
	"$@" >"$OUTPUT" 2>&1
	status=$?
	result "$status" "$text"
}

# refuse TEXT PATTERN COMMAND...: expect the command to fail with output that matches
refuse()
{
	local text=$1 pattern=$2
	shift 2
	if "$@" >"$OUTPUT" 2>&1; then
		echo "(it succeeded)" >>"$OUTPUT"
		result 1 "$text"
	else
		grep -qiE -- "$pattern" "$OUTPUT"
		result $? "$text"
	fi
}

# Where a check failed, print the guests' logs before the host's: they tell more
finish()
{
	local name
	if [ "$failures" != 0 ]; then
		for name in $(guests); do
			say "--- log of guest $name"
			say "$(sigmactl log "$name" 2>&1 | tail -n 20)"
		done
		say "--- kernel log of the host"
		say "$(dmesg | tail -n 20)"
	fi
	rm -f "$OUTPUT"
	[ -n "${PRETTY:-}" ] || echo "1..$checks"
	[ "$failures" = 0 ]
	exit
}

# The machine's sleep resets the devices of the shares (9p), whose driver does not expect that. So a test
# of it goes on in memory, where nothing is read from them, and ends the machine itself

# go_on_in_memory SCRIPT: start it anew there
go_on_in_memory()
{
	[ -e /run/sigma-rig ] || skip_all "not in a virtual machine of the rig"
	[ -z "${IN_MEMORY:-}" ] || return 0
	mkdir /run/selftests
	cp lib.sh "$1" /run/selftests
	cd /run/selftests && IN_MEMORY=yes exec bash "$1"
}

# finish_in_memory: as finish, for such a test
finish_in_memory()
{
	local status

	(finish)
	status=$?
	stty -F /dev/ttyS1 2>/dev/null
	sleep 1
	echo "host-init: exit status $status without shares" >/dev/kmsg
	echo "host-init: done" >/dev/kmsg
	poweroff -f -f 2>/dev/null || echo o >/proc/sysrq-trigger
	sleep infinity
}

# Tests take CPUs and write to disks, so they run only in a machine of the rig, which has a mark
need_sigma()
{
	[ -e /run/sigma-rig ] || skip_all "not in a virtual machine of the rig"
	[ "$(id -u)" = 0 ] || skip_all "needs root"
	modprobe sigma || skip_all "cannot load sigma.ko"
	mkdir -p /etc/sigma
	# sigmad reads it at each start; reading it over 9p takes much longer
	cp /run/rig/vmlinux $VMLINUX
}

# ---- the host

guests()
{
	local dir
	for dir in /sys/class/sigma/*/state; do
		[ ! -e "$dir" ] || basename "${dir%/state}"
	done
}

online()
{
	cat /sys/devices/system/cpu/online
}

# apic_id CPU: print that host CPU's APIC ID; /proc/cpuinfo is on standard input
apic_id()
{
	awk -v cpu="$1" '$1 == "processor" { on = $3 == cpu } on && $1 == "apicid" { print $3 }'
}

# Everything that a guest takes and must give back, in a form that can be compared
host_resources()
{
	echo "online CPUs: $(online)"
	echo "users of sigma.ko: $(awk '$1 == "sigma" { print $3 }' /proc/modules)"
	echo "memory: $(awk '$1 == "MemTotal:" { print $2 " kB" }' /proc/meminfo)"
	echo "guests: $(guests)"
	echo "devices: $(ls /dev/sigma /dev/iosc 2>&1)"
	echo "network: $(ls /sys/class/net)"
	echo "processes: $(pgrep -x sigmad)"
	cat /proc/iomem
}

# Free memory in KiB. It counts the pages on the free lists of each CPU, and what processes, files and
# caches use, which grows with the host's own services.
free_memory()
{
	awk '$1 ~ /^(MemFree|Buffers|Cached|AnonPages|SReclaimable):/ { free += $2 }
	     $1 == "Shmem:" { free -= $2 }
	     $1 == "count:" { free += 4 * $2 } END { print free }' /proc/meminfo /proc/zoneinfo
}

# Programs that are in no cache have to be read and, by an emulated CPU, translated again: only where
# the sum alone does not tell
drop_caches()
{
	sync
	echo 3 >/proc/sys/vm/drop_caches
}

before=$(mktemp)
meminfo_before=$(mktemp)
free_before=0
: "${FREE_SLACK:=8192}"	# KiB that vary on a running host

remember_host()
{
	host_resources >"$before"
	drop_caches
	free_before=$(free_memory)
	cat /proc/meminfo >"$meminfo_before"
}

# has_free_memory: is as much free as before? It prints what differs
has_free_memory()
{
	local free
	free=$(free_memory)
	[ "$free" -lt $((free_before - FREE_SLACK)) ] || return 0
	echo "free memory: $free_before KiB before, $free KiB now"
	awk '{ name = $1 } NR == FNR { before[name] = $2; next }
	     $2 != before[name] { print name, before[name], $2, $3 }' "$meminfo_before" /proc/meminfo
	return 1
}

host_is_as_before()
{
	host_resources | diff "$before" - && { has_free_memory >/dev/null || { drop_caches; has_free_memory; }; }
}

# is_free FILE: nobody has an open file description lock on it
is_free() { ! grep "OFDLCK.*:$(stat -c %i "$1") " /proc/locks; }

monitor_port() { grep -lsx monitor /sys/class/virtio-ports/*/name; }

# monitor COMMAND...: give it to QEMU's monitor and print the answer. The test needs monitor=yes.
monitor()
{
	local id=$EPOCHREALTIME port
	modprobe virtio_console && until_true 10 monitor_port >/dev/null || return
	port=$(monitor_port) port=${port%/name}
	# QMP sends more than answers: a greeting, and events
	{
		jq -cn --arg id "$id" --arg command "$*" '{ execute: "qmp_capabilities" },
			{ execute: "human-monitor-command", id: $id,
			  arguments: { "command-line": $command } }' >&9 &&
			jq -jn --arg id "$id" 'first(inputs | select(.id == $id)) |
				.return // error(.error.desc)' <&9 | tr -d '\r'
	} 9<>"/dev/${port##*/}"
}

# ---- guests

kernel_version()
{
	basename "$(dirname "$(echo "$TREES/$1"/lib/modules/*/kernel)")"
}

kernel_image()
{
	local v
	v=$(kernel_version "$1")
	ls "$TREES/$1/boot/vmlinuz-$v" "$TREES/$1/lib/modules/$v/vmlinuz" 2>/dev/null | head -n 1
}

# guest NAME KEY=VALUE...: write /etc/sigma/NAME.guest
#
#	cpus= memory=		as in the file; default 1 and 256M, which is zeroed quickly
#	guard=memory		as in the file; default $GUARD
#	numa=0			NUMANode=
#	kernel=6.12		the bzImage of one of the trees, or "host": what sigmad takes by default.
#				Default: $GUEST_KERNEL, or the host's kernel as a vmlinux, which boots
#				faster
#	disk=PATH		repeatable; the first is the root file system
#	net=N			network 10.9.N.0/24; the host is .1, the guest .2
#	run=COMMAND		see rig/guest-rc
#	append=WORDS		more for its command line, after $APPEND and mitigations=off;
#				mitigations would only slow an emulated CPU down
#	host_modules=yes	as in the file; default no: not each guest needs a virtiofsd of its own
#	line=TEXT		one more line of the file, below the last disk= or net=
guest()
{
	local name=$1 word
	local cmdline="root=/dev/vda rw init=/usr/lib/sigma-rig/guest-rc mitigations=off $QUICK${APPEND:+ $APPEND}"
	local file=/etc/sigma/$1.guest devices="" memory=256M cpus=1 kernel=${GUEST_KERNEL:-}
	local guard=${GUARD:-} host_modules=no numa=""
	shift
	echo "[Guest]" >"$file"
	for word in "$@"; do
		case $word in
		cpus=*)		cpus=${word#*=} ;;
		memory=*)	memory=${word#*=} ;;
		guard=*)	guard=${word#*=} ;;
		numa=*)		numa=${word#*=} ;;
		host_modules=*)	host_modules=${word#*=} ;;
		kernel=*)	kernel=${word#*=} ;;
		disk=*)		devices+="[Disk]"$'\n'"Path=${word#*=}"$'\n' ;;
		net=*)		devices+="[Network]"$'\n'"Address=10.9.${word#*=}.1/24"$'\n'
				cmdline+=" rig.ip=10.9.${word#*=}.2/24" ;;
		run=*)		word=${word#*=}; cmdline+=" rig.run=${word// /+}" ;;
		append=*)	cmdline+=" ${word#*=}" ;;
		line=*)		devices+="${word#*=}"$'\n' ;;
		*)		echo "guest: $word?" >&2; return 1 ;;
		esac
	done
	{
		case $kernel in
		"")	echo "Kernel=$VMLINUX" ;;
		host)	;;
		*)	echo "Kernel=$(kernel_image "$kernel")"
			echo "Modules=$TREES/$kernel/lib/modules/$(kernel_version "$kernel")" ;;
		esac
		echo "CPUs=$cpus"
		echo "Memory=$memory"
		echo "HostModules=$host_modules"
		[ -z "$guard" ] || echo "Guard=$guard"
		[ -z "$numa" ] || echo "NUMANode=$numa"
		echo "CommandLine=$cmdline"
		echo "$devices"
	} >>"$file"
}

# make_qcow2 FILE MIB [BACKING]: an empty qcow2 image, whose header may name a file behind it. The
# header, the refcounts and a table without entries take 64 KiB each
make_qcow2()
{
	perl -e 'my ($file, $mib, $backing) = @ARGV;
		my $len = length($backing // "");
		open(my $out, ">", $file) or die "$file: $!\n";
		print $out pack("a65536 a65536 a65536 a65536",
			pack("N N Q> N N Q> N N Q> Q> N N Q> Q> Q> Q> N N Q>", 0x514649fb, 3,
				$len ? 112 : 0, $len, 16, $mib << 20, 0, 1, 0x30000, 0x10000,
				1, 0, 0, 0, 0, 0, 4, 104, 0) . ($backing // ""),
			pack("Q>", 0x20000), pack("n4", 1, 1, 1, 1), "");' "$@"
}

state()
{
	cat "/sys/class/sigma/$1/state" 2>/dev/null || echo none
}

# within SECONDS COMMAND...: run the program, and end it when it takes longer
within()
{
	local seconds=$1
	shift
	timeout $((PATIENCE * seconds)) "$@"
}

# until_true SECONDS COMMAND...: repeat the command until it succeeds
until_true()
{
	local end=$((SECONDS + PATIENCE * $1))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.2
	done
}

# last_words GUEST WANTED: report that the guest did not reach what was wanted, and print its log
last_words()
{
	echo "guest $1 is $(state "$1"), not $2; the end of its log:"
	sigmactl log "$1" 2>&1 | tail -n 30
	return 1
}

wait_state()
{
	within "${3:-$GUEST_BOOT}" sigmactl wait --state="$2" "$1" || last_words "$1" "$2"
}

is_gone()
{
	[ ! -e "/sys/class/sigma/$1" ]
}

# The guest is gone, and its sigmad has ended, which happens a moment later
has_ended()
{
	is_gone "$1" && ! pgrep -f "sigmad( .*)? $1\$" >/dev/null
}

# has_shed PID: of root's privileges this sigmad has what daemon/privileges.c keeps, and a filter
has_shed()
{
	local kept=000000000000140b none=0000000000000000
	[ "$(awk '/^(Cap|NoNewPrivs:|Seccomp:)/ { print $2 }' "/proc/$1/status" | xargs)" = \
		"$none $kept $kept $kept $none 1 2" ] || { cat "/proc/$1/status"; return 1; }
}

# sigmad_pid [GUEST]: by default, of guest g. A sigmad that does not answer has the PID 0, and to kill that
# would end the test
sigmad_pid() { sigmactl status --json "${1:-g}" | jq -e '.pid | select(. > 0)'; }
kill_sigmad()
{
	local pid
	pid=$(sigmad_pid g) && kill -9 "$pid" && until_true 10 eval "! kill -0 $pid 2>/dev/null"
}

# ---- what a guest keeps while it is asleep, or in a file: the one of network 1, or of [N]

# make_memory: what must be there afterwards: memory, a file on the disk, a process
make_memory()
{
	in_guest 1 "head -c 262144 /dev/urandom >/run/noise; cp /run/noise /root/noise; sync;
		md5sum /run/noise >/run/sum; sleep 100000 >/dev/null 2>&1 </dev/null & echo \$! >/run/pid"
}

has_memory()
{
	in_guest "${1:-1}" 'md5sum -c /run/sum && cmp /run/noise /root/noise && kill -0 $(cat /run/pid) &&
		dd if=/dev/vda of=/dev/null bs=1M count=1 iflag=direct'
}

# has_cpus COUNT [N]
has_cpus() { [ "$(in_guest "${2:-1}" nproc)" = "$1" ]; }

# The clocks are read one after the other, so one lies between two readings of the other
clock_is_right()
{
	local before after guest
	before=$(date +%s) guest=$(in_guest "${1:-1}" 'date +%s') after=$(date +%s)
	echo "guest $guest, host $before to $after"
	[ "$guest" -ge $((before - 1)) ] && [ "$guest" -le $((after + 1)) ]
}

# connect: open a connection whose command comes later
connect() { exec 7<>/dev/tcp/10.9.1.2/7; }

answers_at_last() { echo "echo still here" >&7 && within 60 head -n 1 <&7 | grep "still here"; }

# switch_probes_off N: the guest of network N can no longer catch functions
switch_probes_off()
{
	in_guest "$1" 'mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null;
		cd /sys/kernel/debug/kprobes && echo 0 >enabled && grep -qx 0 enabled &&
		cd /proc/sys/kernel && echo 0 >ftrace_enabled && grep -qx 0 ftrace_enabled'
}

boot_id()
{
	GUEST_POLL=5 in_guest "$1" 'cat /proc/sys/kernel/random/boot_id'
}

# another_boot N ID: the guest of network N answers, with a boot ID other than this
another_boot()
{
	local now
	now=$(boot_id "$1") && [ -n "$now" ] && [ "$now" != "$2" ]
}

wait_gone()
{
	until_true "${2:-$GUEST_BOOT}" has_ended "$1" || { echo "guest $1 is $(state "$1")"; return 1; }
}

# in_guest N COMMAND: run the command in the guest of network N, print its output and return its
# exit status. The command is sent as one line.
in_guest()
{
	local reply tail len status="" limit=${GUEST_POLL:-$((PATIENCE * ${GUEST_TIMEOUT:-30}))}

	reply=$(printf '%s\n' "${2//$'\n'/ }" |
		busybox timeout "$limit" busybox nc "10.9.$1.2" 7 2>&1)
	# It ends with "rc=N". In a long text bash is slow at all but this
	len=${#reply}
	tail=${reply:len > 6 ? len - 6 : 0}
	if [[ $tail == *rc=* ]]; then
		status=${tail##*rc=}
		len=$((len - ${#status} - 3))
	fi
	[ "$len" = 0 ] || [ "${reply:len - 1:1}" != $'\n' ] || len=$((len - 1))
	[ "$len" = 0 ] || printf '%s\n' "${reply:0:len}"
	return "${status:-255}"
}

# The same with what only bash has, and not sh
in_guest_bash()
{
	local quote="'\\''"

	in_guest "$1" "bash -c '${2//\'/$quote}'"
}

# Load the network of guest 1: TCP from the guest, and large frames both ways
load_network()
{
	local bytes
	# shellcheck disable=SC2016 # expanded by the inner shell
	bytes=$(within 60 bash -c 'exec 3<>"/dev/tcp/10.9.1.2/7"
		echo "head -c 4M /dev/zero" >&3; wc -c <&3')
	[ "$bytes" -ge $((4 << 20)) ] && ping -q -f -c 300 -s 1400 10.9.1.2
}

guest_answers()
{
	GUEST_POLL=5 in_guest "$1" true >/dev/null
}

# Also true when no guest is left, so that nobody waits for its answer
answers_or_gone()
{
	[ -z "$(guests)" ] || guest_answers "$1"
}

# The guest's user space is up and answers on its network
wait_guest()
{
	local name

	until_true "$GUEST_BOOT" answers_or_gone "$1" && guest_answers "$1" && return
	for name in $(guests); do
		last_words "$name" "heard on network $1"
	done
	return 1
}

# The line is in the guest's kernel log. grep -q would close the pipe too early.
guest_logged()
{
	sigmactl log "$1" | grep -- "$2" >/dev/null
}

logged_or_gone()
{
	is_gone "$1" || guest_logged "$1" "$2"
}

wait_logged()
{
	until_true "${3:-$GUEST_BOOT}" logged_or_gone "$1" "$2" && guest_logged "$1" "$2" ||
		last_words "$1" "seen to log '$2'"
}

# segments NAME: the guest's memory, a line "FROM-TO" in hexadecimal for each piece
segments()
{
	sed -n "s/^ *\([0-9a-f]*-[0-9a-f]*\) : SIGMA guest $1$/\1/p" /proc/iomem
}

# overlap NAME...: does memory of a guest overlap that of another? Sorted by address, each piece
# ends before the next one begins; the addresses get equal lengths for that
overlap()
{
	local name

	for name in "$@"; do
		segments "$name"
	done | sed 's/[0-9a-f]*/0000000000000000&/g; s/0*\([0-9a-f]\{16\}\)/\1/g' | sort |
		awk -F - -v guests=$# '$1 <= last { found = 1 } { last = $2 }
			END { exit !found && NR >= guests }'
}

# doorbell_irq NAME: the host's interrupt that the guest's doorbells are. Its CPU is doorbell_cpu's
doorbell_irq() { awk -v name="SIGMA guest $1" '$0 ~ name "$" { sub(":", "", $1); print $1; exit }' /proc/interrupts; }
doorbell_cpu() { cat "/proc/irq/$(doorbell_irq "$1")/effective_affinity_list"; }

# guard_exits NAME: a line "REASON COUNT" for each reason of VM exits
guard_exits()
{
	grep . "/sys/class/sigma/$1/guard_exits/"* | sed 's|.*/||; s/:/ /'
}

heartbeat()
{
	cat "/sys/class/sigma/$1/heartbeat"
}

has_beaten()
{
	[ "$(heartbeat "$1")" -gt "$2" ]
}

beats()
{
	until_true 10 has_beaten "$1" "$(heartbeat "$1")"
}
