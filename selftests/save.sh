#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=2G timeout=900 cpu=max,-la57 append=memmap=320M$0x60000000
#
# Guests are written to a file, the host has their CPUs and memory back, and they go on from the file
# where they were. What could make that go wrong is refused, with the reason, and nothing is lost: neither
# the guest, nor its file. save-kernels.sh has other kernels, and save-reboot.sh another host.

. "$(dirname "$0")/lib.sh"
need_sigma

# Files are in memory here, and so are no part of what guests give back
saved=/tmp/g.saved
# The host is as before, but for the files that it has now
is_gone_but_for() { FREE_SLACK=$((8192 + $(du -ck "$@" | tail -n 1 | cut -f 1))) host_is_as_before; }
no_guest() { [ -z "$(guests)" ] && [ ! -e /run/sigma/g ]; }
# What the host has had it may need a moment later, so places are of memory that was set aside
set_aside() { sigmactl pool add 320M@0x60000000; }
reload() { modprobe -r sigma && modprobe sigma && set_aside; }
# refuse_file TEXT PATTERN FILE [OPTION]...: it cannot be restored, nothing is taken, and the file stays
refuse_file()
{
	local text=$1 pattern=$2 file=$3 sum
	shift 3
	sum=$(md5sum <"$file")
	refuse "$text" "$pattern" sigmactl restore "$@" "$file"
	check "nothing is taken, and the file is as it was" eval '[ ! -e /sys/class/sigma/g ] &&
		[ ! -e /run/sigma/g ] && [ "$(md5sum <"$file")" = "$sum" ]'
}
# in_the_midst EVENT COMMAND...: run the command, and kill sigmad when the event has come
in_the_midst()
{
	local event=$1 pid status
	shift
	"$@" >"$OUTPUT.command" 2>&1 &
	pid=$!
	# Without a pause: the event is soon over
	until eval "$event" || ! kill -0 $pid 2>/dev/null; do :; done 2>/dev/null
	kill -9 "$(pgrep -ox sigmad)"
	wait $pid
	status=$?
	cat "$OUTPUT.command"
	return $status
}

truncate -s 16M /tmp/second.disk
check "memory is set aside" set_aside
remember_host

# ---- two CPUs, no guard: there and back, with another module in between
guest g disk=/dev/vdb disk=/tmp/second.disk net=1 cpus=2 guard=no
check "a guest starts" sigmactl start g
check "its user space answers" wait_guest 1
check "it has something to keep" make_memory
check "a connection to it is open" connect
check "it runs, and is saved" sigmactl save g $saved
check "only root may read the file" [ "$(stat -c %a $saved)" = 600 ]
check "it is gone, and the host has its CPUs and its memory" is_gone_but_for $saved
check "sigma.ko is loaded anew" reload
check "it is restored" sigmactl restore $saved
check "its memory, file, disk and process are as before" has_memory
check "it has two CPUs" has_cpus 2
check "its clock is the host's" clock_is_right
check "the connection is still open" answers_at_last
exec 7>&-
check "its heart beats" beats g
check "its log goes on" eval 'sigmactl log g | grep "Linux version"'
check "programs run in it by the agent" sigmactl exec g -- true

# ---- it is asleep, and is saved once more; what stands against that
refuse "an existing file is not overwritten" "exists already" sigmactl save g $saved
check "the guest runs on" eval '[ "$(state g)" = running ] && has_memory'
mkdir /tmp/small
mount -t tmpfs -o size=4M none /tmp/small
refuse "a file system is full" "No space left" sigmactl save g /tmp/small/g.saved
check "there is no file, and the guest runs on" eval '[ -z "$(ls -A /tmp/small)" ] &&
	[ "$(state g)" = running ] && has_memory'
umount /tmp/small
check "it falls asleep" sigmactl sleep g
check "it is saved, and kept" sigmactl save --force --keep g $saved
check "it is asleep" [ "$(state g)" = asleep ]
check "it wakes up, and goes on" eval 'sigmactl wake g && has_memory'
refuse "sigmad is killed while it is saved" "sigmad" in_the_midst '[ "$(state g)" = asleep ] &&
	ls -l /proc/$(pgrep -ox sigmad)/fd | grep -q "/tmp/.*deleted"' sigmactl save g /tmp/other.saved
check "there is no file, and the guest is asleep" eval '[ ! -e /tmp/other.saved ] && [ "$(state g)" = asleep ]'
check "the next sigmad takes it over" sigmactl start g
check "it wakes up, and goes on" eval 'sigmactl wake g && has_memory'
check "a program of it writes to a disk without an end" in_guest 1 "
	(while :; do dd if=/dev/urandom of=/root/file bs=64K count=16 conv=fsync; done) >/dev/null 2>&1 &"
check "it is saved nevertheless" sigmactl save --force g $saved
check "it is gone, and the host has its CPUs and its memory" is_gone_but_for $saved

# ---- files that are no good
head -c $(($(stat -c %s $saved) / 2)) $saved >/tmp/cut.saved
refuse_file "a file that is cut off is refused" "is cut off" /tmp/cut.saved
cp $saved /tmp/altered.saved
printf 'x' | dd of=/tmp/altered.saved bs=1 seek=$(($(stat -c %s $saved) / 3)) conv=notrunc 2>/dev/null
refuse_file "a file that was altered is refused" "were altered" /tmp/altered.saved
head -c 4096 /dev/urandom >/tmp/altered.saved
refuse_file "any other file is refused" "is no file of" /tmp/altered.saved
rm /tmp/cut.saved /tmp/altered.saved

# ---- disks that were changed
cp -p /tmp/second.disk /tmp/copy.disk
printf 'x' | dd of=/tmp/second.disk bs=1 seek=8M conv=notrunc 2>/dev/null
refuse_file "a disk that was written to is refused" "second.disk was written to" $saved
truncate -s 17M /tmp/second.disk
refuse_file "a disk of another size is refused" "second.disk has another size" $saved
cp -p /tmp/copy.disk /tmp/second.disk
printf 'x' | dd of=/tmp/second.disk bs=1 seek=1M conv=notrunc 2>/dev/null
touch -r /tmp/copy.disk /tmp/second.disk
refuse_file "a disk with other contents is refused" "second.disk has other contents" $saved
cp -p /tmp/copy.disk /tmp/second.disk

# ---- ends in the midst
refuse "sigmad is killed while it makes the guest" "was given back" in_the_midst '[ -e /sys/class/sigma/g ]' \
	sigmactl restore $saved
check "nothing is taken" no_guest
refuse "sigmad is killed when the guest is there" "was given back" in_the_midst '[ "$(</sys/class/sigma/g/state)" = asleep ]' \
	sigmactl restore $saved
check "nothing is taken" eval 'no_guest && is_gone_but_for $saved'
check "the guest is restored all the same" sigmactl restore $saved
check "its memory, file, disk and process are as before" has_memory
check "it writes on" in_guest 1 '(was=$(md5sum </root/file); for i in $(seq 60); do
	[ "$(md5sum </root/file)" = "$was" ] || exit 0; sleep 1; done; exit 1)'
check "it switches itself off, and its disk is whole" eval 'sigmactl stop g && wait_gone g &&
	{ fsck.ext4 -fp /dev/vdb || [ $? = 1 ]; }'
refuse_file "its earlier self is not restored" "vdb has other contents" $saved
rm $saved

# ---- one CPU, confined; another guest is in its place meanwhile
guest g disk=/dev/vdb net=1 guard=full
guest h disk=/dev/vdc net=2 guard=no
sed -i 's/^CPUs=.*/CPUs=cpu1/' /etc/sigma/g.guest
sed -i 's/^CPUs=.*/CPUs=cpu2/' /etc/sigma/h.guest
check "a confined guest starts" sigmactl start g
check "its user space answers" wait_guest 1
check "it has something to keep" make_memory
check "it is saved" sigmactl save g $saved
check "another guest starts" sigmactl start h
refuse_file "its place is the other guest's" "another guest has|is another guest's" $saved
check "the other guest is killed" eval 'sigmactl kill h && wait_gone h'
check "it is restored" sigmactl restore $saved
check "its memory, file, disk and process are as before" has_memory
check "it is confined" [ "$(cat /sys/class/sigma/g/guard)" = full ]
alarm=$(($(date +%s) + 45))
check "its alarm is set" in_guest 1 "echo $alarm >/sys/class/rtc/rtc0/wakealarm"
check "it falls asleep, and can be saved once more" eval 'sigmactl sleep g && sigmactl save --force g $saved'
alarm_is_due() { [ "$(date +%s)" -gt $alarm ]; }
check "its alarm is due meanwhile" until_true 60 alarm_is_due
check "it is restored" sigmactl restore $saved
check "its memory, file, disk and process are as before" has_memory
check "it is killed" eval 'sigmactl kill g && wait_gone g'
rm $saved /tmp/second.disk /tmp/copy.disk
check "the host has the CPUs and the memory back" host_is_as_before

# ---- without memory that was set aside: it goes on, unless the host has taken its place
check "sigma.ko is loaded anew, without a pool" eval 'modprobe -r sigma && modprobe sigma'
remember_host
check "a guest starts and is saved" eval 'sigmactl start g && wait_guest 1 && make_memory && sigmactl save g $saved'
goes_on_or_is_refused()
{
	if sigmactl restore $saved; then
		has_memory && sigmactl kill g && wait_gone g
	else
		sigmactl restore $saved 2>&1 | tee /dev/stderr | grep -q "the host uses the memory at 0x"
	fi
}
check "it is restored, or refused with the place that the host uses" goes_on_or_is_refused
say "$(tail -n 3 "$OUTPUT")"
rm $saved
check "the host has the CPUs and the memory back" host_is_as_before
finish
