#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=2 mem=2G timeout=400 append=memmap=128M$0x60000000
#
# Wrong input is refused with its place and the reason, and nothing is taken from the host

. "$(dirname "$0")/lib.sh"
need_sigma

WILD_CALLS=300
file=/etc/sigma/g.guest
image=/boot/vmlinuz-$(uname -r)

# start_with TEXT: start a guest whose file has this text
start_with()
{
	printf '%b' "$1" >$file
	within 30 sigmactl start g
}

# nothing_taken TEXT PATTERN FILE: the start is refused with a message that matches, before a guest
# was made. Each group of these ends with a check that the host is as before.
guests_made() { dmesg | grep -c 'sigma: .*: created with'; }
never_taken() { [ "$(guests_made)" = "$1" ] && [ -z "$(guests)" ] && [ -z "$(pgrep -x sigmad)" ]; }
nothing_taken()
{
	local made
	made=$(guests_made)
	refuse "$1" "$2" start_with "$3"
	check "$1: nothing is taken" never_taken "$made"
}

# Kernel images with one fault each, made before the host's memory is looked at
head -c 100000 /dev/urandom >/tmp/noise
cp /bin/true /tmp/program
head -c 2000000 "$image" >/tmp/truncated
head -c 300 "$image" >/tmp/short
: >/tmp/empty
truncate -s 120M /tmp/big
# Offsets of the setup header: HdrS at 0x202, version (here 2.05) at 0x206, setup_sects at 0x1f1,
# xloadflags at 0x236, relocatable_kernel at 0x234 (Documentation/arch/x86/boot.rst)
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

# A first good guest has the host load modules and grow caches that it keeps
guest g disk=/dev/vdb
check "a guest with a good file starts" sigmactl start g
check "the guest with the good file is killed" eval 'sigmactl kill g && wait_gone g'
remember_host

# ---- guest files
refuse "a --hang-timeout= that is not a number is refused" \
	"--hang-timeout=soon: give whole seconds" \
	/usr/libexec/sigmad --hang-timeout=soon g
refuse "a guest without a file is refused" "/etc/sigma/nobody.guest" sigmactl start nobody
nothing_taken "an unknown key is refused" "$file:2:.*Colour" "[Guest]\nColour=green\n"
nothing_taken "a kind of core that the machine lacks is refused" \
	"$file:2: CPUs=: this machine has no efficiency cores.*sigmactl check" \
	"[Guest]\nCPUs=2 efficiency\n[Disk]\nPath=/dev/vdb\n"
nothing_taken "an unknown section is refused" "$file:1:" "[Ghost]\nCPUs=1\n"
nothing_taken "a line without a key is refused" "$file:2:" "[Guest]\nwhat is this\n"
nothing_taken "memory: a size that is not a number is refused" "$file:2:" "[Guest]\nMemory=lots\n"
nothing_taken "memory: too small a size is refused" "Memory" "[Guest]\nMemory=2M\n"
nothing_taken "memory: more than the host has is refused" \
	"$file:2: Memory=.*memory" "[Guest]\nMemory=64G\n"
nothing_taken "memory: too little for the initrd is refused" "$file:2: .*the initrd needs" \
	"[Guest]\nMemory=128M\nInitrd=/tmp/big\n"
nothing_taken "CPUs: a count of 0 is refused" "$file:2:" "[Guest]\nCPUs=0\n"
nothing_taken "CPUs: a CPU that does not exist is refused" \
	"$file:2: CPUs=.*cpu 77" "[Guest]\nCPUs=cpu77\n"
chcpu -d 1 >/dev/null
refuse "CPUs: a CPU that is offline is given back so when the start fails" "too little|cannot gather" \
	start_with "[Guest]\nMemory=64G\nCPUs=cpu1\n"
check "CPUs: a CPU that is offline: it is still offline, and can be onlined" \
	eval '[ "$(online)" != "$(cat /sys/devices/system/cpu/present)" ] && chcpu -e 1'
check "CPUs: a CPU that is offline: nothing is taken" host_is_as_before
nothing_taken "CPUs: a malformed list is refused" "$file:2:" "[Guest]\nCPUs=cpu1-\n"
nothing_taken "command line: a quotation mark that is not closed is refused" \
	"$file:2: CommandLine=.*not closed" "[Guest]\nCommandLine=a=\"b c\n"
nothing_taken "disk: a file that does not exist is refused" \
	"$file:[23]:.*/nowhere" "[Guest]\n[Disk]\nPath=/nowhere\n"
nothing_taken "disk: a folder is refused" "/tmp" "[Guest]\n[Disk]\nPath=/tmp\n"
nothing_taken "disk: a section without a path is refused" \
	"$file:2:" "[Guest]\n[Disk]\nReadOnly=yes\n"
nothing_taken "network: a bridge that does not exist is refused" \
	"nobridge" "[Guest]\n[Network]\nBridge=nobridge\n"
nothing_taken "network: a malformed address is refused" \
	"$file:3:" "[Guest]\n[Network]\nAddress=10.0.0.300/24\n"
nothing_taken "kernel: a file that does not exist is refused" \
	"$file:2:.*/nokernel" "[Guest]\nKernel=/nokernel\n"

check "guest files: the host is as before" host_is_as_before

# ---- kernels
for bad in noise program truncated short empty magic old setup not64 fixed; do
	nothing_taken "kernel: the image '$bad' is refused" \
		"/tmp/$bad" "[Guest]\nKernel=/tmp/$bad\n"
done

check "kernels: the host is as before" host_is_as_before

# ---- the files that SIGMA itself adds
export SIGMA_LIBDIR=/tmp/sigma
mkdir -p "$SIGMA_LIBDIR/$(uname -r)"
cp /usr/lib/sigma/{guest-init,sigma-agent} "$SIGMA_LIBDIR"
nothing_taken "guest module: a missing one is refused" "no sigma_guest.ko for Linux" "[Guest]\n"
head -c 3000 "/usr/lib/sigma/$(uname -r)/sigma_guest.ko" >"$SIGMA_LIBDIR/$(uname -r)/sigma_guest.ko"
nothing_taken "guest module: a damaged one is refused" \
	"$SIGMA_LIBDIR/.*sigma_guest.ko: " "[Guest]\n"
unset SIGMA_LIBDIR
check "SIGMA's own files: the host is as before" host_is_as_before

# ---- ioctls with arguments that no well-behaved program passes
ioctls() { /usr/lib/sigma-rig/ioctls "$@"; }
create() { ioctls create "$@"; }
M=$((64 << 20))
refuse "ioctl: an unknown number is refused" "inappropriate" ioctls unknown
refuse "ioctl: a wild pointer is refused" "bad address" ioctls wild
refuse "create: no CPUs are refused" "invalid" create g $M 0 0 0
refuse "create: too many CPUs are refused" "invalid" create g $M 0 0 65 1
refuse "create: 4 billion CPUs are refused" "invalid" create g $M 0 0 4294967295 1
refuse "create: CPU 0 is refused" "invalid.*cpu 0" create g $M 0 0 1 0
refuse "create: a CPU number out of range is refused" "invalid" create g $M 0 0 1 4294967295
refuse "create: the same CPU twice is refused" "invalid" create g $M 0 0 2 1 1
refuse "create: no memory is refused" "invalid" create g 0 0 0 1 1
refuse "create: unaligned memory is refused" "invalid" create g $((M + 4096)) 0 0 1 1
refuse "create: the largest possible memory is refused" \
	"memory|invalid" create g 0x7fffffffffe00000 0 0 1 1
refuse "create: unknown flags are refused" "invalid" create g $M 0x80000000 0 1 1
refuse "create: an unknown guard is refused" "invalid.*guard 4" create g $M 0 4 1 1
for name in "" "." "../up" "a/b" "control" "with space" "-dash" \
	    "a23456789012345678901234567890123"; do
	refuse "create: the name '$name' is refused" "invalid|exists" create "$name" $M 0 0 1 1
done

# What the host has had it may need a moment later, so these places are of memory that was set aside
check "memory is set aside" sigmactl pool add 128M@0x60000000
remember_host
check "a guest is created" create g $M 0 0 1 1
read -r iosc low apic phys _ <<<"$(ioctls where g)"
check "it is destroyed" ioctls destroy g
at() { ioctls create-at g "$@"; }
refuse "create at: no address of a window is refused" "invalid" at 0 "$low" "$apic" "$phys" "$M"
refuse "create at: a window at an odd address is refused" "invalid" at $((iosc + 4096)) "$low" "$apic" "$phys" "$M"
refuse "create at: a window within the memory is refused" "invalid" at "$phys" "$low" "$apic" "$phys" "$M"
refuse "create at: a window where no memory is is refused" "no memory at" at 0x7ffffffe00000 "$low" "$apic" "$phys" "$M"
refuse "create at: no low memory is refused" "invalid" at "$iosc" 0 "$apic" "$phys" "$M"
refuse "create at: low memory that is not low is refused" "below 1 MiB" at "$iosc" "$phys" "$apic" "$phys" "$M"
refuse "create at: low memory that must not be lent is refused" "below 1 MiB" at "$iosc" 0x1000 "$apic" "$phys" "$M"
refuse "create at: an unknown APIC ID is refused" "APIC ID 77" at "$iosc" "$low" 77 "$phys" "$M"
refuse "create at: the APIC ID of CPU 0 is refused" "cpu 0" at "$iosc" "$low" 0 "$phys" "$M"
refuse "create at: memory at 0 is refused" "invalid" at "$iosc" "$low" "$apic" 0 "$M"
refuse "create at: memory at an odd address is refused" "invalid" at "$iosc" "$low" "$apic" $((phys + 4096)) "$M"
refuse "create at: memory without an end is refused" "invalid" at "$iosc" "$low" "$apic" "$phys" 0xffffffffffe00000
refuse "create at: pieces in a wrong order are refused" "invalid" at "$iosc" "$low" "$apic" "$phys" "$M" 0x200000 "$M"
refuse "create at: pieces that touch are refused" "invalid" at "$iosc" "$low" "$apic" "$phys" 0x200000 \
	$((phys + 0x200000)) 0x200000
refuse "create at: the host's own kernel is refused" "the host uses" at "$iosc" "$low" "$apic" \
	"0x$(awk '/Kernel code/ { print $1 }' /proc/iomem | cut -d- -f 1)" 0x200000
refuse "create at: memory that is not there is refused" "no memory at" at "$iosc" "$low" "$apic" 0x7ffffffe00000 "$M"
check "ioctls: the host is as before" host_is_as_before
check "a guest is created where it was" eval 'at "$iosc" "$low" "$apic" "$phys" "$M" && [ "$(ioctls where g)" = "$(
	printf "0x%x 0x%x %u 0x%x 0x%x" "$iosc" "$low" "$apic" "$phys" "$M")" ]'
refuse "restore: a window of nonsense is refused" "invalid" ioctls restore g 0xff
check "restore: one that says that it is asleep is not" ioctls restore g 0xff 0x1000
check "it is asleep" [ "$(state g)" = asleep ]
refuse "restore: a guest that is asleep is refused" "busy" ioctls restore g 0xff 0x1000
refuse "wake: where it wants to wake is not in its memory" "bad address" ioctls wake g
check "its channels can be opened" eval 'within 10 timeout 1 cat /dev/iosc/g/1; [ $? = 124 ]'
check "it is destroyed" ioctls destroy g
check "ioctls: the host is as before" host_is_as_before
check "the pool is empty again" eval 'modprobe -r sigma && modprobe sigma'
remember_host

refuse "destroy: a guest that does not exist is refused" \
	"no such" ioctls destroy nobody
check "ioctls: the host is as before" host_is_as_before
seed=$RANDOM
check "ioctls: three programs call at random at once (seed $seed)" \
	within 200 /usr/lib/sigma-rig/wildcalls $seed $WILD_CALLS
say "$(grep succeeded "$OUTPUT")"
check "ioctls: the host is as before the calls at random" host_is_as_before

# ---- the ioctls of a guest's own device
guest g disk=/dev/vdb
check "a guest for the ioctls starts" sigmactl start g
refuse "start: a guest that runs already is refused" "busy" ioctls start g
refuse "start: an entry outside of the guest's memory is refused" "bad address" ioctls start g 0x1000
for kind in kick call; do
	refuse "eventfd: a $kind of a reserved doorbell is refused" "invalid" ioctls $kind g 1
done
refuse "memory: a mapping larger than the memory is refused" "invalid" ioctls map g $((1 << 30))
check "the guest boots on" wait_logged g "guest-rc: up"
check "the guest stops" eval 'sigmactl stop g && wait_gone g'
check "the host has everything back" host_is_as_before
finish
