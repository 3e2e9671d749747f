# SPDX-License-Identifier: GPL-2.0
#
# shellcheck shell=bash disable=SC2054 # QEMU's options have commas
#
# The two sides of the comparison, each with NAME_start and NAME_stop:
#
#	sigma	a SIGMA guest on the machine's last CPU, with Guard=no
#	kvm	a QEMU/KVM guest whose only CPU is pinned to that one; its other threads and
#		vhost stay on the other CPUs, as SIGMA's back ends do
#
# Both run the host's own kernel, with the same root file system, disks and address. They find their
# disks as /dev/vda (root), vdb and vdc.

guest_cpu=$(($(nproc) - 1))
host_cpus=0-$((guest_cpu - 1))
CMDLINE="root=/dev/vda rw init=/usr/lib/sigma-rig/guest-rc mitigations=off rig.ip=10.9.1.2/24"
TAP=bench-kvm
INITRD=/run/bench/initrd
qemu_pid=""

# The disk in tmpfs does not support direct I/O, and sigmad does not use it there, either. Both
# sides open the other disks directly.
drive()
{
	echo "if=none,format=raw,aio=io_uring,id=$1,file=$2,cache=$3"
}

QEMU=(qemu-system-x86_64 -name bench,debug-threads=on -machine q35 -accel kvm -cpu host
	-smp 1 -m 512 -nodefaults -display none
	-kernel "$(kernel_image 6.1)" -initrd "$INITRD" -append "$CMDLINE"
	-object iothread,id=io
	-drive "$(drive root /dev/vdb none)" -device virtio-blk-pci,drive=root,iothread=io
	-drive "$(drive ram "$RAM_DISK" writeback)" -device virtio-blk-pci,drive=ram,iothread=io
	-drive "$(drive file "$FILE_DISK" none)" -device virtio-blk-pci,drive=file,iothread=io
	-netdev tap,id=net,ifname="$TAP",script=no,downscript=no,vhost=on
	-device virtio-net-pci,netdev=net,romfile=)

# The initrd that sigmad makes for its guests, with the drivers of virtio's PCI transport
make_initrd()
{
	local dir=/run/bench/initrd.d module file

	mkdir -p $dir/{dev,proc,sys,newroot,modules}
	install -m 755 /usr/lib/sigma/guest-init $dir/init
	mknod $dir/dev/console c 5 1
	for module in virtio_pci virtio_blk virtio_net ext4; do
		modprobe --set-version "$(uname -r)" --show-depends "$module"
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r file; do
		cp "$file" $dir/modules/
		echo "/modules/${file##*/}"
	done >$dir/modules.load
	(cd $dir && find . | busybox cpio -o -H newc) >$INITRD 2>/dev/null
}

# prepare_sigma [GUARD [MEMORY]]
prepare_sigma()
{
	need_sigma
	guest bench kernel=6.1 cpus=cpu$guest_cpu guard="${1:-no}" memory="${2:-256M}" net=1 \
		disk=/dev/vdb disk="$RAM_DISK" disk="$FILE_DISK"
}

prepare_kvm()
{
	modprobe kvm-amd || modprobe kvm-intel || return
	modprobe vhost_net && make_initrd
}

sigma_start()
{
	sigmactl start bench
}

sigma_stop()
{
	sigmactl stop bench && wait_gone bench
}

# Succeeds once QEMU has created the thread of the CPU
pin_cpu()
{
	local task

	for task in "/proc/$qemu_pid/task/"*; do
		[ "$(cat "$task/comm")" != "CPU 0/KVM" ] ||
			{ taskset -cp "$guest_cpu" "${task##*/}"; return; }
	done
	return 1
}

kvm_start()
{
	ip tuntap add dev $TAP mode tap vnet_hdr && ip addr add 10.9.1.1/24 dev $TAP &&
		ip link set $TAP up || return
	"${QEMU[@]}" &
	qemu_pid=$!
	until_true 10 pin_cpu && taskset -cp "$host_cpus" "$(pgrep -x "vhost-$qemu_pid")"
}

kvm_stop()
{
	in_guest 1 "sync; mount -o remount,ro /"
	kill "$qemu_pid"
	wait "$qemu_pid" || true
	ip link del $TAP
}
