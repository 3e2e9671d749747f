# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The faults of cycles, for a script that has ../lib.sh. fault_NAME begins with a guest that does not
# exist (the faults of EARLY) or whose user space answers (all others). It succeeds when host and guest
# do what they should, and the guest has ended then. What a fault may know of the guest is in
# $name, $net, $guard, $data (the image of its second disk) and $delay (seconds, with a fraction).

EARLY="kill-early starter-killed sigmad-killed-early starter-interrupted two-starters"
# Without a guard a guest that does these harms the host, or no limit holds for it
GUARDED="trespass storm-doorbells storm-interrupts storm-nmis"
# shellcheck disable=SC2206 # lists
FAULTS=($EARLY stop kill poweroff reboot panic spin memory-eater noise hostile $GUARDED
	sigmad-killed sigmad-killed-twice sigmad-lost sigmad-frozen
	tap-removed image-removed image-truncated disk-full cpu-wanted dumped)
HOSTILE_TYPE=4		# virtio-rng, which no other program of the guest needs

stop_in_order()
{
	sigmactl stop "$name" >"/tmp/stop.$name" 2>&1 && wait_gone "$name" || { cat "/tmp/stop.$name"; return 1; }
}
stop_by_force() { sigmactl stop --timeout=1 "$name" && wait_gone "$name"; }
kill_guest() { sigmactl kill "$name" && wait_gone "$name"; }
# Whatever is left of the guest is gone afterwards
kill_rest() { is_gone "$name" || sigmactl kill "$name" || is_gone "$name" && wait_gone "$name"; }
in_it() { in_guest "$net" "$1"; }
# later COMMAND: in the guest, in the background, since it ends the kernel that should answer
later() { in_it "(sleep 0.5; $1) >/dev/null 2>&1 </dev/null &"; }
# Also of one that is too busy to answer
its_sigmad() { pgrep -o -f "^[^ ]*sigmad( .*)? $name\$"; }
kill_its_sigmad()
{
	local pid
	pid=$(its_sigmad) && kill -9 "$pid" && until_true 10 eval "! kill -0 $pid 2>/dev/null"
}
# Has the guest read back what it wrote to its second disk?
data_is_right() { in_it "test ! -e /run/wrong"; }
take_over() { sigmactl start "$name" && wait_guest "$net" && data_is_right; }
is_alive() { beats "$name" && wait_guest "$net"; }

# ---- starts that end early

fault_kill_early() { sigmactl start "$name" && sleep "$delay" && kill_guest; }

# begin_start: run sigmactl start as process $starter, and go on in the middle of it
begin_start()
{
	sigmactl start "$name" </dev/null >"/tmp/start.$name" 2>&1 &
	starter=$!
	sleep "$delay"
}

fault_starter_killed()
{
	begin_start
	kill -9 $starter 2>/dev/null
	wait $starter
	# sigmad may go on with the start, or end with its starter
	until_true 60 eval '! its_sigmad || ! is_gone "$name"'
	kill_rest
}

fault_sigmad_killed_early()
{
	begin_start
	its_sigmad | xargs -r kill -9
	wait $starter
	kill_rest
}

fault_starter_interrupted()
{
	begin_start
	kill -INT $starter 2>/dev/null
	wait $starter
	kill_rest
}

# One of the two starts the guest, and the other one says that it is there
fault_two_starters()
{
	local won=0
	begin_start
	! sigmactl start "$name" || won=1
	! wait $starter || won=$((won + 1))
	[ $won = 1 ] || { echo "$won starters have won"; return 1; }
	kill_guest
}

# ---- what a guest does

fault_stop() { stop_in_order; }
fault_kill() { sleep "$delay"; kill_guest; }
fault_poweroff() { later "busybox poweroff -f" && wait_gone "$name"; }
fault_panic() { later "echo c >/proc/sysrq-trigger" && wait_state "$name" panicked && kill_guest; }

fault_reboot()
{
	local id
	id=$(in_it "cat /proc/sys/kernel/random/boot_id") && later "busybox reboot -f" &&
		until_true "$GUEST_BOOT" another_boot "$net" "$id" && stop_in_order
}

fault_spin() { later "insmod /run/modules/hang.ko" && wait_state "$name" unresponsive && stop_by_force; }

# The guest's own OOM killer ends the program, or the guest panics, or takes its time
fault_memory_eater()
{
	later "tail /dev/zero" && sleep "$delay" || return
	until_true 60 eval '[[ $(state "$name") == @(running|unresponsive|panicked) ]]' && kill_guest
}

# Whatever state the noise was taken for
fault_noise() { later "insmod /run/modules/noise.ko" && sleep 2 && kill_rest; }

fault_hostile()
{
	local end
	end=$((0x$(segments "$name" | sed -n '$s/.*-//p') + 1))
	GUEST_TIMEOUT=150 in_it "device=\$(grep -lx 0x0004 /sys/bus/virtio/devices/*/device) &&
		device=\${device%/device} && insmod /run/modules/hostile.ko end=$end &&
		echo \${device##*/} >/sys/bus/virtio/drivers/virtio_rng/unbind && cat \$device/status &&
		echo $HOSTILE_TYPE >/sys/module/hostile/parameters/attack &&
		dmesg | grep 'hostile: a good request: works'" && is_alive && stop_in_order
}

fault_trespass()
{
	local text
	text=$((0x$(awk '/Kernel code/ { split($1, range, "-"); print range[1] }' /proc/iomem)))
	later "insmod /run/modules/trespass.ko what=write at=$text" &&
		wait_state "$name" contained && kill_guest
}

storm() { in_it "insmod /run/modules/storm.ko what=$1" && sleep "$delay" && kill_guest; }
fault_storm_doorbells() { storm doorbells; }
fault_storm_interrupts() { storm interrupts; }
fault_storm_nmis() { storm nmis; }

# ---- what happens on the host

fault_sigmad_killed() { kill_its_sigmad && beats "$name" && take_over && stop_in_order; }
fault_sigmad_killed_twice() { kill_its_sigmad && take_over && sleep "$delay" && fault_sigmad_killed; }
fault_sigmad_lost() { kill_its_sigmad && beats "$name" && kill_guest; }
fault_sigmad_frozen() { kill -STOP "$(its_sigmad)" && beats "$name" && kill_guest; }

fault_tap_removed()
{
	ip link del "sg-$name-0" && sleep "$delay" && beats "$name" && stop_in_order
}

fault_image_removed() { rm "$data" && sleep "$delay" && is_alive && stop_in_order; }

fault_image_truncated()
{
	truncate -s 1M "$data" && in_it "! dd if=/dev/vdb of=/dev/null bs=1M skip=2 count=1 iflag=direct" &&
		is_alive && stop_in_order
}

# The image has holes, and its file system no room for what the guest writes to them
fault_disk_full()
{
	in_it "! dd if=/dev/urandom of=/dev/vdb bs=1M oflag=direct conv=fsync" && is_alive && stop_in_order
}

# The host wants a lent CPU back, over and over
fault_cpu_wanted()
{
	local cpu i
	cpu=$(cut -d , -f 1 "/sys/class/sigma/$name/cpus")
	for i in {1..5}; do
		! chcpu -e "$cpu" || { echo "cpu $cpu is online, though it is lent"; return 1; }
	done
	is_alive && stop_in_order
}

fault_dumped() { sigmactl dump "$name" - | wc -c && sigmactl nmi "$name" && is_alive && kill_guest; }
