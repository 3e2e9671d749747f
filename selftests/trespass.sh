# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The library of the tests of guarded guests: a guest that loads modules/trespass.c, and checks that
# each violation ends only the guest.

module=/usr/lib/sigma-rig/trespass.ko
LOG=/run/sigma/g/sigmad.log
size=$(stat -c %s $module)
cp $module /tmp/trespass.disk
truncate -s %512 /tmp/trespass.disk

# boot GUARD [CPUS]: start a guest that has the module
boot()
{
	guest g guard="$1" cpus="${2:-1}" disk=/dev/vdb disk=/tmp/trespass.disk net=1
	sigmactl start g && takes_module
}

takes_module() { wait_guest 1 && in_guest 1 "head -c $size /dev/vdb >/root/trespass.ko"; }

# boot_by GUARD COMMAND...: run the command, which stays as long as the guest, as process $job
boot_by()
{
	guest g guard="$1" disk=/dev/vdb disk=/tmp/trespass.disk net=1
	"${@:2}" </dev/null >/tmp/job 2>&1 &
	job=$!
	until_true "$GUEST_BOOT" guest_answers 1 && takes_module
}

# With Intel VMX, CPUID always causes a VM exit
always=$(grep -qw vmx /proc/cpuinfo && echo '^cpuid ' || echo '^$')
exits() { guard_exits g | grep -v "$always"; }
exits_but() { exits | grep -v "^$1 "; }
# Compare the doorbells of a guest with one CPU with its VM exits before and after
ipis_are_doorbells()
{
	local before sent after
	before=$(count ipi)
	sent=$(in_guest 1 'cat /sys/bus/platform/drivers/sigma_guest/*/ipis_sent')
	after=$(count ipi)
	echo "VM exits for interrupts: $before, then $after; doorbells sent by interrupt: $sent"
	# The commands that ask send some, too
	[ "$before" -le "$sent" ] && [ "$sent" -le "$after" ] && [ $((after - before)) -lt 50 ]
}
count() { cat "/sys/class/sigma/g/guard_exits/$1"; }

# Disk and programs: reads and writes, forks, execs, pipes and switches between processes
LOAD='dd if=/dev/zero of=/root/file bs=1M count=16 conv=fsync &&
	dd if=/root/file of=/dev/null bs=1M iflag=direct &&
	for i in $(seq 30); do ls -l / | sort | wc -l >/dev/null || exit; done &&
	{ coproc cat; } && for i in $(seq 300); do
		echo $i >&${COPROC[1]} && read -r back <&${COPROC[0]} && [ $back = $i ] || exit; done &&
	kill $COPROC_PID'

# load: at least one round of it, and further rounds for LOAD_SECONDS
load()
{
	local end=$((SECONDS + ${LOAD_SECONDS:-1})) rounds=0
	until [ $rounds -gt 0 ] && [ $SECONDS -ge $end ]; do
		GUEST_TIMEOUT=120 in_guest_bash 1 "$LOAD" && load_network || return
		rounds=$((rounds + 1))
	done
	echo "$rounds rounds of load" | tee /tmp/rounds
}

# attempt PARAMETERS: load the module in the background, since it ends the guest that should answer
attempt()
{
	in_guest 1 "(sleep 0.3; insmod /root/trespass.ko $*) >/dev/null 2>&1 &"
}

# where EXPRESSION: of the violation in sigmactl status, by jq
where() { sigmactl status --json g | jq -r ".violation_where | $1"; }

# Checksum of the first page of the host's kernel, read from /proc/kcore
host_text()
{
	perl -e 'open(my $core, "<:raw", "/proc/kcore") or die $!;
		 read($core, my $head, 4096);
		 my ($at, $n) = (unpack("Q", substr($head, 32)), unpack("S", substr($head, 56)));
		 for (0 .. $n - 1) {
			my ($type, $off, $virt, undef, $size) =
				unpack("L x4 Q4", substr($head, $at + 56 * $_, 40));
			my $text = hex $ARGV[0];
			next if $type != 1 || $text < $virt || $text >= $virt + $size;
			seek($core, $off + $text - $virt, 0);
			read($core, my $page, 4096);
			print unpack("%32C*", $page), "\n";
			exit;
		 }
		 die "no text\n"' "$(awk '$3 == "_text" { print $1 }' /proc/kallsyms)"
}

# A dump begins with its notes, one of 356 bytes for each CPU, with RIP at offset 260. The RIP of
# the violation is there.
dump_has_rip()
{
	local rip cpu notes
	rip=$(where .registers.rip)
	rip=${rip#0x}
	cpu=$(where .guest_cpu)
	{ sigmactl dump g - || true; } | head -c 65536 >/tmp/dump.head
	notes=$(od -An -tu8 -j 72 -N 8 /tmp/dump.head)
	od -An -tx8 -j $((notes + 356 * cpu + 260)) -N 8 /tmp/dump.head | grep -E " 0*$rip$"
}

# status_has PATTERN: sigmactl status shows the violation, as text and as JSON
status_has()
{
	local status rip r15
	status=$(sigmactl status g)
	rip=$(sed -n 's/.* CPL 0, RIP //p' <<<"$status")
	r15=$(sed -n 's/.* r15 \([0-9a-f]\{16\}\)$/\1/p' <<<"$status")
	grep -E -- "Violation: $1" <<<"$status" && [[ $rip =~ ^0x[0-9a-f]+$ && $r15 ]] &&
		[ "$(where .registers.rip)" = "$rip" ] && [ "$(where .cpl)" = 0 ] &&
		[ $(($(where .registers.r15))) = $((0x$r15)) ] &&
		[ "$(where '.registers | length')" = 23 ]
}

# contained WHAT PATTERN: the violation is reported, and nothing but the guest is harmed
contained()
{
	check "$1: the guest is contained" wait_state g contained 30
	check "$1: the host's kernel logs it, with the instruction that did it" \
		eval "dmesg | grep -E 'sigma: g: contained: violation [1-7],.* RIP 0x[0-9a-f]+'"
	check "$1: a dump has the RIP of that instruction" dump_has_rip
	check "$1: sigmactl status shows the violation with CPU and registers" status_has "$2"
	check "$1: sigmad's log has the violation with the registers" eval \
		"grep -E -- 'guard stopped the guest: $2' $LOG && grep -E 'guest: r12 [0-9a-f]{16}' $LOG"
	check "$1: the host's kernel is unchanged" [ "$(host_text)" = "$text" ]
	check "$1: the host has the CPUs and the memory back" eval \
		'sigmactl stop g; wait_gone g && host_is_as_before'
}

ends_with() { wait "$job"; local got=$?; echo "exit status $got"; [ $got = "$1" ]; }
job_said() { grep -rhE -- "$1" /tmp/job /run/sigma/.last/g; }

# ended WHAT STATUS PATTERN: the guest of boot_by() is not kept; the host has it all back at once
ended()
{
	check "$1: the command that runs the guest ends with status $2" ends_with "$2"
	check "$1: the command or the last log has what the guest did" \
		job_said "the guard stopped the guest: $3"
	check "$1: the command or the last log has the instruction that did it" \
		job_said "RIP 0x[0-9a-f]+"
	check "$1: the host's kernel is unchanged" [ "$(host_text)" = "$text" ]
	check "$1: the host has the CPUs and the memory back" eval 'is_gone g && host_is_as_before'
}

# reach_out GUARD: run programs/wild.c, and print its table
reach_out()
{
	local status
	/usr/lib/sigma-rig/wild "$1" >/tmp/wild 2>&1
	status=$?
	check "all $(grep -c '^[^#]' /tmp/wild) attempts of programs/wild.c end as expected" \
		[ $status = 0 ]
	[ $status = 0 ] || say "$(grep -E '^#|DONE|CHANGED|READ|REFUSED|WRONG' /tmp/wild)"
	say "$(cat /tmp/wild)"
	check "the host has the CPUs and the memory back" host_is_as_before
}

text=$(host_text)
text_phys=$((0x$(awk '/Kernel code/ { split($1, range, "-"); print range[1] }' /proc/iomem)))
check "the page of the host's kernel can be read" [ -n "$text" ]
