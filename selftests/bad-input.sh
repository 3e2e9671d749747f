#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=2 mem=2G timeout=300
#
# What is wrong is refused, with the place and the reason, and nothing is taken.

. "$(dirname "$0")/lib.sh"
need_sigma

file=/etc/sigma/g.guest
image=/boot/vmlinuz-$(uname -r)

# start_with TEXT: start a guest whose file is this
start_with()
{
	printf '%b' "$1" >$file
	timeout 30 sigmactl start g
}

# nothing_taken TEXT PATTERN FILE: refused with a message that matches, and not even for a
# moment was anything taken. That all is as before is looked at after each group of these.
guests_made() { dmesg | grep -c 'sigma: .*: created with'; }
never_taken() { [ "$(guests_made)" = "$1" ] && [ -z "$(guests)" ] && [ -z "$(pgrep -x sigmad)" ]; }
nothing_taken()
{
	local made
	made=$(guests_made)
	refuse "$1" "$2" start_with "$3"
	check "$1: nothing is taken" never_taken "$made"
}

# Kernels with one thing wrong each, before the host's memory is looked at
head -c 100000 /dev/urandom >/tmp/noise
cp /bin/true /tmp/program
head -c 2000000 "$image" >/tmp/truncated
head -c 300 "$image" >/tmp/short
: >/tmp/empty
truncate -s 120M /tmp/big
# HdrS at 0x202; then: version 2.05 at 0x206, setup_sects at 0x1f1, xloadflags at 0x236, no
# relocatable_kernel at 0x234 (Documentation/arch/x86/boot.rst)
patch()
{
	cp "$image" "$1"
	printf '%b' "$3" | dd of="$1" bs=1 seek=$(($2)) conv=notrunc status=none
}
patch /tmp/magic 0x202 'XXXX'
patch /tmp/old 0x206 '\x05\x02'
patch /tmp/setup 0x1f1 '\xff'
patch /tmp/not64 0x236 '\x00\x00'
patch /tmp/fixed 0x234 '\x00'

# The host is warm after one good guest
guest g disk=/dev/vdb
check "a good file works" sigmactl start g
check "and its guest is killed" eval 'sigmactl kill g && wait_gone g'
remember_host

# ---- guest files
refuse "a timeout that is none" "--hang-timeout=soon: give whole seconds" \
	/usr/libexec/sigmad --hang-timeout=soon g
refuse "no such guest" "/etc/sigma/nobody.guest" sigmactl start nobody
nothing_taken "unknown key" "$file:2:.*Colour" "[Guest]\nColour=green\n"
nothing_taken "no such cores" "$file:2: CPUs=: this machine has no efficiency cores.*sigmactl check" \
	"[Guest]\nCPUs=2 efficiency\n[Disk]\nPath=/dev/vdb\n"
nothing_taken "unknown section" "$file:1:" "[Ghost]\nCPUs=1\n"
nothing_taken "no key at all" "$file:2:" "[Guest]\nwhat is this\n"
nothing_taken "memory is no number" "$file:2:" "[Guest]\nMemory=lots\n"
nothing_taken "memory: too little" "Memory" "[Guest]\nMemory=2M\n"
nothing_taken "memory: more than the host has" "$file:2: Memory=.*memory" "[Guest]\nMemory=64G\n"
nothing_taken "memory: too little for the initrd" "$file:2: .*the initrd needs" \
	"[Guest]\nMemory=128M\nInitrd=/tmp/big\n"
nothing_taken "CPUs: none" "$file:2:" "[Guest]\nCPUs=0\n"
nothing_taken "CPUs: no such" "$file:2: CPUs=.*cpu 77" "[Guest]\nCPUs=cpu77\n"
chcpu -d 1 >/dev/null
refuse "CPUs: offline" "$file:3: CPUs=.*cpu 1: is offline" start_with "[Guest]\n\nCPUs=cpu1\n"
chcpu -e 1 >/dev/null
check "CPUs: offline: nothing is taken" host_is_as_before
nothing_taken "CPUs: a list that is none" "$file:2:" "[Guest]\nCPUs=cpu1-\n"
nothing_taken "disk: no such file" "$file:[23]:.*/nowhere" "[Guest]\n[Disk]\nPath=/nowhere\n"
nothing_taken "disk: a folder" "/tmp" "[Guest]\n[Disk]\nPath=/tmp\n"
nothing_taken "disk: no path" "$file:2:" "[Guest]\n[Disk]\nReadOnly=yes\n"
nothing_taken "network: no such bridge" "nobridge" "[Guest]\n[Network]\nBridge=nobridge\n"
nothing_taken "network: no address" "$file:3:" "[Guest]\n[Network]\nAddress=10.0.0.300/24\n"
nothing_taken "kernel: no such file" "$file:2:.*/nokernel" "[Guest]\nKernel=/nokernel\n"

check "guest files: all is as before" host_is_as_before

# ---- kernels
for bad in noise program truncated short empty magic old setup not64 fixed; do
	nothing_taken "kernel: $bad" "/tmp/$bad" "[Guest]\nKernel=/tmp/$bad\n"
done

check "kernels: all is as before" host_is_as_before

# ---- what SIGMA itself adds
export SIGMA_LIBDIR=/tmp/sigma
mkdir -p "$SIGMA_LIBDIR/$(uname -r)"
cp /usr/lib/sigma/guest-init "$SIGMA_LIBDIR"
nothing_taken "guest module: missing" "no sigma_guest.ko for Linux" "[Guest]\n"
head -c 3000 "/usr/lib/sigma/$(uname -r)/sigma_guest.ko" >"$SIGMA_LIBDIR/$(uname -r)/sigma_guest.ko"
nothing_taken "guest module: damaged" "$SIGMA_LIBDIR/.*sigma_guest.ko: " "[Guest]\n"
unset SIGMA_LIBDIR
check "what SIGMA adds: all is as before" host_is_as_before

# ---- ioctls: perl packs what no well-behaved program would
CREATE=0xc1f8e501 DESTROY=0x4020e502	# kmod/uapi/sigma.h
create()
{
	# name, memory, flags and above them the guard, nr_cpus, cpus...; prints the kernel's reason
	perl -e '
		my ($nr, $name, $memory, $flags, $count, @cpus) = @ARGV;
		my $arg = pack("a32 Q Q L L L64 a192", $name, $memory, $flags, 0, $count,
			       (@cpus, (0) x 64)[0 .. 63], "");
		open(my $f, "+<", "/dev/sigma/control") or die "open: $!\n";
		ioctl($f, $nr, $arg) or die "$!: " . unpack("x312 Z*", $arg) . "\n";
	' $((CREATE)) "$@"
}
raw()
{
	perl -e '
		open(my $f, "+<", $ARGV[0]) or die "open: $!\n";
		my $arg = pack("a4096", $ARGV[2] // "");
		ioctl($f, $ARGV[1], $arg) or die "$!\n";
	' "$1" $(($2)) "${3:-}"
}
bad_pointer()
{
	perl -e '
		open(my $f, "+<", "/dev/sigma/control") or die "open: $!\n";
		syscall(16, fileno($f), $ARGV[0] + 0, 8) == 0 or die "$!\n";	# ioctl
	' $((CREATE))
}
M=$((64 << 20))
refuse "ioctl: unknown number" "inappropriate|not supported" raw /dev/sigma/control 0x0000e57f
refuse "ioctl: wild pointer" "bad address" bad_pointer
refuse "create: no CPUs" "invalid" create g $M 0 0
refuse "create: too many CPUs" "invalid" create g $M 0 65 1
refuse "create: 4 billion CPUs" "invalid" create g $M 0 4294967295 1
refuse "create: CPU 0" "invalid.*cpu 0" create g $M 0 1 0
refuse "create: CPU out of range" "invalid" create g $M 0 1 4294967295
refuse "create: a CPU twice" "invalid" create g $M 0 2 1 1
refuse "create: no memory" "invalid" create g 0 0 1 1
refuse "create: unaligned memory" "invalid" create g $((M + 4096)) 0 1 1
refuse "create: all memory there could be" "memory|invalid" create g $((0x7fffffffffe00000)) 0 1 1
refuse "create: unknown flags" "invalid" create g $M 2147483648 1 1
refuse "create: unknown guard" "invalid.*guard 4" create g $M $((4 << 32)) 1 1
for name in "" "." "../up" "a/b" "control" "with space" "-dash" \
	    "a23456789012345678901234567890123"; do
	refuse "create: name '$name'" "invalid|exists" create "$name" $M 0 1 1
done
refuse "destroy: no such guest" "no such" raw /dev/sigma/control $DESTROY nobody
check "nothing is taken" host_is_as_before

# ---- a guest's own device
guest g disk=/dev/vdb
check "a guest for its ioctls" sigmactl start g
START=0x4010e511 KICK=0x4008e514 CALL=0x4008e515
refuse "start: it runs" "busy|bad address" raw /dev/sigma/g $START
for number in $KICK $CALL; do
	refuse "eventfd: reserved doorbell" "invalid" raw /dev/sigma/g $number \
		$'\x01'
done
refuse "memory: mapping more than there is" "" perl -e '
	open(my $f, "+<", "/dev/sigma/g") or die "open: $!\n";
	my $p = syscall(9, 0, 1 << 30, 3, 1, fileno($f), 0);	# mmap
	die "$!\n" if $p == -1;'
check "it boots on" wait_logged g "guest-rc: up"
check "it stops" eval 'sigmactl stop g && wait_gone g'
check "all is back" host_is_as_before
finish
