#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=2G timeout=1200 init=systemd
#
# A guest as a service of a host that runs systemd: what systemctl, journalctl, machinectl and
# systemd-inhibit show of it, and what happens when sigmad or the guest fails.

. "$(dirname "$0")/lib.sh"
[ -d /run/systemd/system ] || skip_all "systemd is not PID 1"
need_sigma

unit=sigma@web.service
things=/srv/things
dropin=/run/systemd/system/sigma@.service.d/test.conf

property() { systemctl show --value --property="$1" $unit; }
has() { [ "$(property "$1")" = "$2" ] || { echo "$1=$(property "$1")"; return 1; }; }
is_restarted() { has NRestarts "$1" && has ActiveState active; }
kill_sigmad() { pgrep -x sigmad | grep -x "$(property MainPID)" && pkill -9 -x sigmad; }
journal() { journalctl --sync && journalctl --no-pager --output=cat SIGMA_GUEST=web "$@"; }
said() { journal --identifier="$1" | grep -- "$2"; }
taken_over() { journal --identifier=sigmad | grep -c "took over the guest"; }
is_listed() { machinectl list --no-legend | grep -E '^web +vm +sigma' && leads; }
leads() { [ "$(machinectl show --value --property=Leader web)" = "$(property MainPID)" ]; }
inhibits() { systemd-inhibit --list --no-legend | grep "sigmad.*sleep.*SIGMA guest web.*block"; }
waits_for() { [[ "$(property StatusText)" == "Waiting for $1 "* ]]; }
is_down() { has ActiveState inactive && has Result success && is_gone web; }
is_between() { has SubState auto-restart; }
is_activating() { has ActiveState activating && [ "$(state web)" = booting ]; }
# drop_in LINE...: settings that the unit has from its next start on
drop_in() { printf '[Service]\n%s\n' "$@" >$dropin && systemctl daemon-reload; }
unlisted() { ! machinectl list --no-legend | grep -w web && ! inhibits; }

mkdir -p $things /var/log/journal "${dropin%/*}"
echo "from the host" >$things/note
cp /usr/lib/sigma-rig/hang.ko $things
journalctl --flush
check "systemd finds no fault in the units" systemd-analyze --man=no verify $unit \
	sigma-unserved@web.service sigma-end@web.service sigma-pool.service sigma-broker.socket \
	sigma-broker@0.service
check "the unit names its manual pages" eval \
	'property Documentation; property Documentation | grep "man:sigmad(8).*man:sigma.guest(5)"'
check "systemd finds the unit's exposure to be 3.0 at most" eval \
	'systemd-analyze security --no-pager $unit | tail -n 1 | grep -E " ([0-2]\.[0-9]|3\.0) "'
guest web disk=/dev/vdb net=1 line=[Share] line=Path=$things
# By default it would fall asleep with the machine, and inhibit nothing
sed -i "/^Memory=/a Suspend=refuse" /etc/sigma/web.guest
machinectl list >/dev/null
remember_host
check "sigma.ko is unloaded" modprobe -r sigma

# ---- the service starts, and the host shows it
check "systemctl start loads sigma.ko and starts the guest" systemctl start $unit
check "the unit is active" has ActiveState active
check "the guest's user space answers" wait_guest 1
check "systemctl status shows the guest's state" until_true 10 has StatusText "Guest is running."
check "the unit is in sigma.slice" has Slice sigma.slice
check "the journal has the guest's kernel log exactly once" \
	[ "$(journal | grep -c 'Linux version')" = 1 ]
check "the guest's kernel log has its own identifier in the journal" said kernel@web "Linux version"
check "the journal has what the guest writes to its console" eval \
	'in_guest 1 "echo words on the console >/dev/console" &&
	 until_true 10 said console@web "words on the console"'
check "the journal has what sigmad says" said sigmad "web: the guest is running"
check "the guest reads from a share" [ "$(in_guest 1 'mkdir -p /run/things &&
	mount -t virtiofs things /run/things && cat /run/things/note')" = "from the host" ]
check "the OOM killer prefers others to sigmad and virtiofsd" eval '[ -900 = "$(
	for pid in $(property MainPID) $(pgrep -x virtiofsd); do
		cat /proc/$pid/oom_score_adj
	done | sort -u)" ]'
check "systemd-oomd leaves sigmad alone" has ManagedOOMPreference omit
check "sigmad has shed its privileges" has_shed "$(property MainPID)"
check "the broker's unit runs virtiofsd" eval \
	'[ "$(ps -o unit= -p "$(pgrep -x virtiofsd | head -n 1)" | grep -c "^sigma-broker@")" = 1 ]'
check "sigmad may lock the guest's memory" \
	grep -E "^Max locked memory +unlimited +unlimited" "/proc/$(property MainPID)/limits"
check "machinectl lists the guest" until_true 10 is_listed
check "the guest inhibits sleep" until_true 10 inhibits
refuse "a second sigmad for the guest is refused" "exists already" sigmactl start web

truncate -s 8M /srv/late.img
cp /etc/sigma/web.guest /tmp/web.guest
printf '[Disk]\nPath=/srv/late.img\n' >>/etc/sigma/web.guest
check "systemctl reload adds the disk that is new in the guest file" eval \
	'systemctl reload $unit && until_true 10 in_guest 1 "test -e /dev/vdb"'
cp /tmp/web.guest /etc/sigma/web.guest
check "systemctl reload removes it with its section" eval \
	'systemctl reload $unit && until_true 10 in_guest 1 "test ! -e /dev/vdb"'
check "the journal tells what a reload did" until_true 10 said sigmad "late.img: goes"

mkdir -p /var/lib/sigma
make_qcow2 /var/lib/sigma/web.qcow2 8
check "a qcow2 image is added to the service" \
	sigmactl disk add web /var/lib/sigma/web.qcow2 Format=qcow2
check "the broker's unit runs qemu-storage-daemon" eval '[ "$(
	ps -o unit= -p "$(pgrep -f ^/usr/bin/qemu-storage-daemon)" | grep -c "^sigma-broker@")" = 1 ]'
check "the guest writes to the qcow2 image" until_true 30 in_guest 1 \
	"echo of the first sigmad | dd of=/dev/vdb bs=512 conv=sync,fsync status=none"

# ---- sigmad dies, and later the guest
id=$(boot_id 1)
check "sigmad is killed" kill_sigmad
check "the unit restarts after sigmad was killed" until_true "$GUEST_BOOT" is_restarted 1
check "the guest runs on without a restart" [ "$(boot_id 1)" = "${id:-none}" ]
check "the guest reads from the qcow2 image what it wrote" [ "$(in_guest 1 \
	'dd if=/dev/vdb bs=512 count=1 iflag=direct status=none | head -n 1')" = "of the first sigmad" ]
check "the journal does not say that qemu-storage-daemon died" \
	eval '! said sigmad "qemu-storage-daemon died"'
check "the journal says that sigmad took the guest over" said sigmad "took over the guest"
check "machinectl lists the guest with its new sigmad" until_true 10 is_listed
check "the guest still inhibits sleep" until_true 10 inhibits
drop_in ExecStart= "ExecStart=/usr/libexec/sigmad --service --hang-timeout=5 %i"
check "the guest is told to panic" \
	in_guest 1 "echo 1 >/proc/sys/kernel/sysrq; (sleep 1; echo c >/proc/sysrq-trigger) >/dev/null 2>&1 &"
check "the panic fails the unit, and the unit restarts" until_true "$GUEST_BOOT" is_restarted 2
check "the guest boots again after the panic" until_true "$GUEST_BOOT" guest_answers 1
check "the guest's kernel is a new one after the panic" another_boot 1 "$id"
check "the journal has the guest's panic" said kernel@web "sysrq: Trigger a crash"
check "the journal has the exit status of the panic" eval \
	'journalctl --unit=$unit | grep "Main process exited, code=exited, status=3"'
rm $dropin
systemctl daemon-reload
id=$(boot_id 1)
check "the guest is told to hang" \
	in_guest 1 "mkdir -p /run/things && mount -t virtiofs things /run/things &&
	cp /run/things/hang.ko /run && (sleep 1; insmod /run/hang.ko) >/dev/null 2>&1 &"
check "the hang fails the unit, and the unit restarts" until_true "$GUEST_BOOT" is_restarted 3
check "the guest boots again after the hang" until_true "$GUEST_BOOT" guest_answers 1
check "the guest's kernel is a new one after the hang" another_boot 1 "$id"
check "the journal shows where the guest hung" said kernel@web "hang_init"

# ---- the ways in which a service ends
check "the guest is told to power itself off" \
	in_guest 1 "(sleep 1; /usr/lib/sigma-rig/guest-rc poweroff) >/dev/null 2>&1 &"
check "the power-off ends the unit with success" until_true 20 is_down
check "the share's folder is away before the next start" mv $things $things.away
check "the start of the unit is begun without the folder" systemctl start --no-block $unit
check "the unit waits for the folder" until_true 30 waits_for "Path=$things"
check "the folder comes late" mv $things.away $things
check "the unit starts after the power-off, and when the folder is there" \
	until_true "$GUEST_BOOT" has ActiveState active
check "the guest's user space answers after the power-off" wait_guest 1
check "systemctl stop succeeds" systemctl stop $unit
check "systemctl stop ends the unit with success" is_down
check "the guest powered itself off both times" \
	[ "$(journal --identifier=sigmad | grep -c "the guest switched itself off")" = 2 ]
check "machinectl and systemd-inhibit no longer list the guest" until_true 10 unlisted
drop_in RestartSec=60
check "the unit starts with a long restart delay" systemctl start $unit
check "sigmad is killed during a long restart delay" kill_sigmad
check "the unit waits for its restart" until_true 40 is_between
check "systemctl stop succeeds while the unit waits for its restart" systemctl stop $unit
check "the guest without a sigmad is ended, too" until_true 20 is_gone web
check "the unit stays inactive" has ActiveState inactive
rm $dropin
systemctl daemon-reload
check "the unit starts without a restart delay" systemctl start $unit
check "sigmactl stop ends a guest that does not power itself off in time" \
	sigmactl stop --timeout=1 web
check "sigmactl stop ends the unit with success" until_true 10 is_down
check "the unit starts after sigmactl stop" systemctl start $unit
check "sigmad is stopped by SIGSTOP" pkill -STOP -x sigmad
check "sigmactl kill ends the guest and its stopped sigmad" sigmactl kill web
check "the unit fails and does not restart" \
	until_true 10 eval 'has ActiveState failed && is_gone web'

# ---- a take-over that fails is tried again
printf '[Unit]\nStartLimitIntervalSec=0\n' >$dropin
systemctl daemon-reload
systemctl reset-failed
check "the unit starts without a start limit" systemctl start $unit
check "the guest's user space answers without a start limit" wait_guest 1
id=$(boot_id 1)
check "the share's folder is away when sigmad is killed" eval \
	'mv $things $things.away && kill_sigmad'
check "the take-over without the folder fails with status 4" until_true 60 eval \
	'journalctl --sync && journalctl --unit=$unit | grep "code=exited, status=4"'
check "the folder is back" mv $things.away $things
check "the guest is taken over after all" until_true "$GUEST_BOOT" has ActiveState active
check "the guest runs on with its devices" [ "$(wait_guest 1 && boot_id 1)" = "${id:-none}" ]
check "systemctl stop ends the unit after the failed take-over" eval \
	'systemctl stop $unit && is_down'
rm $dropin
systemctl daemon-reload

# ---- guests that do not come up
systemctl reset-failed
guest web line=[Network] line=Bridge=br-none
drop_in Restart=no ExecStart= "ExecStart=/usr/libexec/sigmad --service --device-timeout=1 %i"
refuse "a bridge that does not come fails the start of the unit" "Job for $unit failed" \
	systemctl start $unit
check "the unit failed with status 5" has ExecMainStatus 5
check "the journal says what was missing" said sigmad "there is no bridge br-none"
rm $dropin
systemctl daemon-reload
systemctl reset-failed
guest web append=rdinit=/nowhere
refuse "a guest that panics before its driver is up fails the start of its unit" \
	"Job for $unit failed" \
	systemctl start $unit
check "the journal has sigmad's report of the early panic" said sigmad "the guest panicked: VFS: "
check "the journal has the guest's log of the early panic" \
	said kernel@web "Kernel panic - not syncing: VFS: "
guest web disk=/dev/vdb net=1
check "the unit restarts and becomes active with a guest that boots" \
	until_true $((2 * GUEST_BOOT)) has ActiveState active
check "the guest's user space answers after the early panic" wait_guest 1
check "systemctl stop ends the unit that had failed" systemctl stop $unit

# The init of this guest does nothing and loads no driver
mkdir -p /tmp/deaf/bin
cp "$(command -v busybox)" /tmp/deaf/bin/busybox
printf '#!/bin/busybox sh\nexec /bin/busybox sleep 1000000\n' >/tmp/deaf/init
chmod +x /tmp/deaf/init
(cd /tmp/deaf && find . | busybox cpio -o -H newc) >/tmp/deaf.initrd 2>"$OUTPUT"
guest web append=deaf
sed -i "/^Memory=/a Initrd=/tmp/deaf.initrd" /etc/sigma/web.guest
systemctl reset-failed
drop_in Restart=no ExecStart= "ExecStart=/usr/libexec/sigmad --service --boot-timeout=20 %i"
refuse "a guest whose driver never comes up fails the start of its unit" \
	"Job for $unit failed" systemctl start $unit
check "the journal says that the driver was not up in time" \
	said sigmad "driver is not up 20 s after its start"
check "the journal has the log of the guest without a driver" \
	said kernel@web "Kernel command line:.* deaf"
check "the unit of the guest without a driver failed with status 3" eval \
	'has ActiveState failed && has Result exit-code && has ExecMainStatus 3 && is_gone web'
drop_in ExecStart= "ExecStart=/usr/libexec/sigmad --service --stop-timeout=1 %i"
check "the start of a guest that boots slowly is begun" systemctl start --no-block $unit
check "the unit is activating until the driver is up" until_true 60 is_activating
check "systemctl stop succeeds while the unit is activating" systemctl stop $unit
check "stopping an activating unit is a success" is_down
drop_in ExecStart= \
	"ExecStart=/usr/libexec/sigmad --service --stop-timeout=1 --boot-timeout=infinity %i"
check "with --boot-timeout=infinity systemctl start does not wait for the driver" \
	systemctl start $unit
check "systemctl status shows that the guest is booting" \
	[ "$(property StatusText)" = "Guest is booting." ]
check "systemctl stop succeeds while the guest is booting" systemctl stop $unit
check "stopping a unit whose guest is booting is a success" is_down
# The guest ignores the power button, and systemd's stop timeout ends before sigmad's
drop_in TimeoutStopSec=5 ExecStart= \
	"ExecStart=/usr/libexec/sigmad --service --boot-timeout=infinity %i"
check "the unit starts with a short stop timeout of systemd" systemctl start $unit
check "systemctl stop succeeds after the stop timeout" systemctl stop $unit
check "systemd killed sigmad when its stop timeout ended" has Result timeout
check "the guest of the killed sigmad is ended, too" wait_gone web
# The same on a machine that is so busy that the unit's own kill does not come to its end
systemctl reset-failed
drop_in TimeoutStopSec=5 ExecStopPost= ExecStart= \
	"ExecStart=/usr/libexec/sigmad --service --boot-timeout=infinity %i"
taken=$(taken_over)
check "the unit starts without a kill of its own" systemctl start $unit
check "a restart after the stop timeout succeeds" systemctl restart $unit
check "the restart did not take the old guest over" eval '[ "$(taken_over)" = "$taken" ]'
check "systemctl stop succeeds after the stop timeout without a kill" systemctl stop $unit
check "a unit of its own ends the guest that was not killed" wait_gone web
rm $dropin /tmp/deaf.initrd
systemctl reset-failed
systemctl daemon-reload

check "the host has everything back" host_is_as_before

# ---- memory for guests, whenever the module is loaded
pool_has() { [ "$(cat /sys/class/sigma/control/pool_size)" = "$1" ]; }
check "the host sets 128 MiB offline" chmem -d 128M
range=$(lsmem --bytes --raw --noheadings --output RANGE,SIZE,STATE |
	awk '$3 == "offline" { split($1, range, "-"); print $2 "@" range[1]; exit }')
printf '%s\nmuch\n' "$range" >/etc/sigma/pool.conf
check "sigma.ko is unloaded, and loaded with a pool.conf" eval 'modprobe -r sigma && modprobe sigma'
check "systemd adds the memory to the pool" until_true 20 pool_has "${range%@*}"
check "the journal says which line has a mistake" until_true 20 eval 'journalctl --sync &&
	journalctl --unit=sigma-pool | grep "/etc/sigma/pool.conf:2: much: not SIZE@ADDRESS"'
check "sigma.ko is unloaded once more" modprobe -r sigma
guest web disk=/dev/vdb net=1
check "a guest's service loads sigma.ko" systemctl start $unit
check "the guest's service waited for the pool" pool_has "${range%@*}"
check "the guest's service stops" systemctl stop $unit
rm /etc/sigma/pool.conf
check "the memory is the host's again" eval 'modprobe -r sigma && chmem -e 128M && modprobe sigma'
finish
