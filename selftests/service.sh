#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=2G timeout=1000 init=systemd
#
# A guest as a service of a host that runs systemd: what systemctl, journalctl, machinectl and
# systemd-inhibit make of it, and what becomes of it when sigmad or the guest fails.

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
boot_id() { in_guest 1 "cat /proc/sys/kernel/random/boot_id"; }
is_another()
{
	local id
	id=$(boot_id) && [ -n "$id" ] && [ "$id" != "$1" ]
}
journal() { journalctl --sync && journalctl --no-pager --output=cat SIGMA_GUEST=web "$@"; }
said() { journal --identifier="$1" | grep -- "$2"; }
is_listed() { machinectl list --no-legend | grep -E '^web +vm +sigma' && leads; }
leads() { [ "$(machinectl show --value --property=Leader web)" = "$(property MainPID)" ]; }
inhibits() { systemd-inhibit --list --no-legend | grep "sigmad.*sleep.*SIGMA guest web.*block"; }
is_down() { has ActiveState inactive && has Result success && is_gone web; }
is_between() { has SubState auto-restart; }
is_activating() { has ActiveState activating && [ "$(state web)" = booting ]; }
# What the unit has from its next start on
drop_in() { printf '[Service]\n%s\n' "$@" >$dropin && systemctl daemon-reload; }
unlisted() { ! machinectl list --no-legend | grep -w web && ! inhibits; }

mkdir -p $things /var/log/journal "${dropin%/*}"
echo "from the host" >$things/note
cp /usr/lib/sigma-rig/hang.ko $things
journalctl --flush
check "systemd likes the unit" systemd-analyze --man=no verify $unit
check "and the one for guests that it left" systemd-analyze --man=no verify sigma-unserved@web.service
check "it names its manual pages" eval \
	'property Documentation; property Documentation | grep "man:sigmad(8).*man:sigma.guest(5)"'
say "$(systemd-analyze security --no-pager $unit | tail -n 1)"
guest web disk=/dev/vdb net=1 line=[Share] line=Path=$things
machinectl list >/dev/null
remember_host
check "sigma.ko is unloaded" modprobe -r sigma

# ---- started, and what is seen of it
check "systemctl start loads it and starts the guest" systemctl start $unit
check "the unit is active" has ActiveState active
check "the guest's user space answers" wait_guest 1
check "systemctl status tells the guest's state" until_true 10 has StatusText "Guest is running."
check "it is in sigma.slice" has Slice sigma.slice
check "the guest's kernel log is in the journal, once" \
	[ "$(journal | grep -c 'Linux version')" = 1 ]
check "in the kernel's name" said kernel@web "Linux version"
check "what is written to its console is there" eval \
	'in_guest 1 "echo words on the console >/dev/console" &&
	 until_true 10 said console@web "words on the console"'
check "and what sigmad says" said sigmad "web: the guest is running"
check "a share is served" [ "$(in_guest 1 'mkdir -p /run/things &&
	mount -t virtiofs things /run/things && cat /run/things/note')" = "from the host" ]
check "machinectl lists it" until_true 10 is_listed
check "the machine can't sleep" until_true 10 inhibits
refuse "a second sigmad is refused" "exists already" sigmactl start web

# ---- sigmad dies, and then the guest
id=$(boot_id)
check "sigmad is killed" kill_sigmad
check "the unit restarts" until_true "$GUEST_BOOT" is_restarted 1
check "into the guest that runs" [ "$(boot_id)" = "${id:-none}" ]
check "the journal tells" said sigmad "took over the guest"
check "machinectl lists the new one" until_true 10 is_listed
check "the machine can't sleep" until_true 10 inhibits
drop_in ExecStart= "ExecStart=/usr/libexec/sigmad --service --hang-timeout=5 %i"
check "the guest panics" in_guest 1 "echo 1 >/proc/sys/kernel/sysrq; (sleep 1; echo c >/proc/sysrq-trigger) >/dev/null 2>&1 &"
check "that fails the unit, which restarts" until_true "$GUEST_BOOT" is_restarted 2
check "another guest boots" until_true "$GUEST_BOOT" guest_answers 1
check "it is another one" is_another "$id"
check "the panic is in the journal" said kernel@web "sysrq: Trigger a crash"
check "and its status" eval \
	'journalctl --unit=$unit | grep "Main process exited, code=exited, status=3"'
rm $dropin
systemctl daemon-reload
id=$(boot_id)
check "that one hangs" in_guest 1 "mkdir -p /run/things && mount -t virtiofs things /run/things &&
	cp /run/things/hang.ko /run && (sleep 1; insmod /run/hang.ko) >/dev/null 2>&1 &"
check "that fails the unit, which restarts, too" until_true "$GUEST_BOOT" is_restarted 3
check "another guest boots" until_true "$GUEST_BOOT" guest_answers 1
check "it is another one" is_another "$id"
check "where the last one hung is in the journal" said kernel@web "hang_init"

# ---- its ends
check "the guest switches itself off" \
	in_guest 1 "(sleep 1; /usr/lib/sigma-rig/guest-rc poweroff) >/dev/null 2>&1 &"
check "that ends the unit, a success" until_true 20 is_down
check "systemctl start" systemctl start $unit
check "the guest's user space answers" wait_guest 1
check "systemctl stop" systemctl stop $unit
check "ends the unit, a success" is_down
check "the guest switched itself off, too" \
	[ "$(journal --identifier=sigmad | grep -c "the guest switched itself off")" = 2 ]
check "nobody lists it any more" until_true 10 unlisted
drop_in RestartSec=60
check "systemctl start" systemctl start $unit
check "sigmad is killed" kill_sigmad
check "its unit is about to restart" until_true 40 is_between
check "systemctl stop" systemctl stop $unit
check "ends the guest, too, which nobody serves" until_true 20 is_gone web
check "the unit stays down" has ActiveState inactive
rm $dropin
systemctl daemon-reload
check "systemctl start" systemctl start $unit
check "sigmactl stop does not wait for a guest that does not answer" sigmactl stop --timeout=1 web
check "that ends the unit, a success, too" until_true 10 is_down
check "systemctl start" systemctl start $unit
check "sigmad is halted" pkill -STOP -x sigmad
check "sigmactl kill ends it, and the guest" sigmactl kill web
check "its unit does not restart" until_true 10 eval 'has ActiveState failed && is_gone web'

# ---- guests that do not come up
systemctl reset-failed
guest web append=rdinit=/nowhere
refuse "one that panics before its driver is up fails its start" "Job for $unit failed" \
	systemctl start $unit
check "sigmad has told why" said sigmad "the guest panicked: VFS: "
check "and the guest" said kernel@web "Kernel panic - not syncing: VFS: "
guest web disk=/dev/vdb net=1
check "its unit restarts, and is active once the guest boots" \
	until_true $((2 * GUEST_BOOT)) has ActiveState active
check "the guest's user space answers" wait_guest 1
check "systemctl stop" systemctl stop $unit

# Its init does nothing, and loads no driver
mkdir -p /tmp/deaf/bin
cp "$(command -v busybox)" /tmp/deaf/bin/busybox
printf '#!/bin/busybox sh\nexec /bin/busybox sleep 1000000\n' >/tmp/deaf/init
chmod +x /tmp/deaf/init
(cd /tmp/deaf && find . | busybox cpio -o -H newc) >/tmp/deaf.initrd 2>"$OUTPUT"
guest web append=deaf
sed -i "/^Memory=/a Initrd=/tmp/deaf.initrd" /etc/sigma/web.guest
systemctl reset-failed
drop_in Restart=no ExecStart= "ExecStart=/usr/libexec/sigmad --service --boot-timeout=20 %i"
refuse "one that never comes up fails its start" "Job for $unit failed" systemctl start $unit
check "sigmad has told why" said sigmad "driver is not up 20 s after its start"
check "and the guest how far it came" said kernel@web "Kernel command line:.* deaf"
check "its unit failed" eval \
	'has ActiveState failed && has Result exit-code && has ExecMainStatus 3 && is_gone web'
drop_in ExecStart= "ExecStart=/usr/libexec/sigmad --service --stop-timeout=1 %i"
check "one that takes its time" systemctl start --no-block $unit
check "is not active yet" until_true 60 is_activating
check "systemctl stop" systemctl stop $unit
check "ends the unit, a success" is_down
drop_in ExecStart= \
	"ExecStart=/usr/libexec/sigmad --service --stop-timeout=1 --boot-timeout=infinity %i"
check "one that has all the time it wants is started at once" systemctl start $unit
check "and is booting" [ "$(property StatusText)" = "Guest is booting." ]
check "systemctl stop" systemctl stop $unit
check "ends the unit, a success" is_down
# When it is asked to power off it hears nothing, and systemd has had enough
drop_in TimeoutStopSec=5 ExecStart= \
	"ExecStart=/usr/libexec/sigmad --service --boot-timeout=infinity %i"
check "the same one again" systemctl start $unit
check "systemctl stop" systemctl stop $unit
check "its sigmad was killed" has Result timeout
check "and then the guest" is_gone web
rm $dropin /tmp/deaf.initrd
systemctl reset-failed
systemctl daemon-reload

check "all is back" host_is_as_before
finish
