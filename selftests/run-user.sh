#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=4 mem=3G timeout=600 cpu=max,-la57 init=systemd
#
# sigmactl run -- CMD by users who are not root, with the guard "full": the program has their rights
# over the host and no others, also where it is root of its guest, and limits hold.

. "$(dirname "$0")/lib.sh"
[ -d /run/systemd/system ] || skip_all "systemd is not PID 1"
need_sigma
[ -x /usr/lib/qemu/virtiofsd ] || skip_all "no virtiofsd in this machine"

KERNEL=/boot/vmlinux-test
conf=/etc/sigma/run.conf
work=/srv/work
secret=/srv/secret
lean=("--kernel=$KERNEL" --memory=256M --net=none --append=mitigations=off)

as() { (exec setpriv --reuid="$1" --regid="$1" --init-groups "${@:2}"); }
# run USER [OPTION]... -- CMD
run() { as "$1" sigmactl run "${lean[@]}" "${@:2}"; }
# begin USER CMD...: in place of a subshell in the background, so that $! is sigmactl itself
begin()
{
	exec setpriv --reuid="$1" --regid="$1" --init-groups sigmactl run "${lean[@]}" -- "${@:2}"
}
ends() { local status=0; "${@:2}" || status=$?; [ $status = "$1" ]; }
guest_of() { sigmactl list --no-legend | awk -v prefix="u$(id -u "$1")-" 'index($1, prefix) == 1 { print $1 }'; }
no_guests() { [ -z "$(sigmactl list --no-legend)" ]; }
is_over() { no_guests && ! pgrep -x sigmad && ! pgrep -x virtiofsd; }
# alice_joins_root: in a guest of root
alice_joins_root()
{
	local status
	sigmactl run "${lean[@]}" --name=roots -- sleep 1000 2>/dev/null &
	until_true 120 eval '[ "$(state roots)" = running ]'
	as alice sigmactl exec roots -- true
	status=$?
	kill -9 $!
	return $status
}
is_back() { until_true 60 is_over && host_is_as_before; }
# sigmad_lives PID: not a zombie either, which the stopped service does not reap
sigmad_lives() { grep -q '^State:[[:space:]]*[^Z[:space:]]' "/proc/$1/status" 2>/dev/null; }
limits() { printf '%s\n' "$@" >$conf; }

# That of the rig cannot be written to
mount -t tmpfs tmpfs /boot
cp "$VMLINUX" $KERNEL
systemd-sysusers /usr/lib/sysusers.d/sigma.conf
groupadd project
for name in alice bob carol; do
	useradd --create-home $name
done
usermod --append --groups sigma-run,project alice
usermod --append --groups sigma-run bob
install -d -m 1777 $work
cd $work || exit
echo secret >$secret && chmod 600 $secret
echo shared >$work/shared && chgrp project $work/shared && chmod 640 $work/shared
echo kept-out >$work/kept-out && chgrp project $work/kept-out && chmod 604 $work/kept-out
rm -f $conf
systemctl start sigma-run.socket
check "systemd finds no fault in the units" systemd-analyze --man=no verify sigma-run.socket sigma-run.service
remember_host

# ---- a process of the user
check "the program has the user's IDs, groups, folder and mask" eval '
	(umask 027 && run alice -- sh -c "id; pwd; umask; echo x >made") >out &&
	{ as alice id; echo $work; echo 0027; } | diff - out'
check "what it wrote is the user's on the host" [ "$(stat -c %U:%G:%a $work/made)" = alice:alice:640 ]
check "CPU and memory are back" host_is_as_before
begin alice sh -c 'touch started; exec sleep 1000' 2>err &
# shellcheck disable=SC2034 # killed below
alice=$!
check "a program of alice runs" until_true 120 [ -e $work/started ]
name=$(guest_of alice)
check "its guest has the guard full" [ "$(cat /sys/class/sigma/"$name"/guard)" = full ]
check "its virtiofsd is alice's, with one capability that marks it" eval '
	grep -E "^Uid:\s+$(id -u alice)\s+$(id -u alice)" /proc/$(pgrep -x virtiofsd)/status &&
	grep -E "^CapPrm:\s+0+400$" /proc/$(pgrep -x virtiofsd)/status'

# ---- root of the guest is alice to the host
check "alice is root in the guest" [ "$(as alice sigmactl exec "$name" -- id -u)" = 0 ]
refuse "who cannot read the files of root" "Permission denied" as alice sigmactl exec "$name" -- cat $secret
refuse "nor write them" "denied|not permitted" as alice sigmactl exec "$name" -- sh -c "echo x >>/etc/passwd"
refuse "nor read what alice's group is kept out of" "denied" as alice sigmactl exec "$name" -- cat $work/kept-out
check "but what her group may" [ "$(as alice sigmactl exec "$name" -- cat $work/shared)" = shared ]
refuse "nor make a set-user-ID program of root" "denied|not permitted|Invalid" \
	as alice sigmactl exec "$name" -- sh -c "cp /bin/sh $work/sh && chmod 4755 $work/sh && ! chown 0 $work/sh"
check "none is there" eval '[ -z "$(find $work -user root -perm -4000)" ]'

# ---- others
refuse "bob has nothing to do with it" "no guest of this name" as bob sigmactl exec "$name" -- true
refuse "nor has carol" "sigma-run|may not connect" as carol sigmactl exec "$name" -- true
refuse "alice cannot stop a guest by its sigmad" "may not connect" as alice sigmactl stop "$name"
refuse "nor by sigma.ko" "root|denied|permitted" as alice sigmactl kill "$name"
refuse "who is not of the group starts none" "group sigma-run" run carol -- true
check "a refused run has exit status 125" ends 125 run carol -- true

# ---- limits
refuse "not two guests" "may have 1 guests at a time" run alice -- true
limits "[Default]" "CPUs=2" "Guests=3" "Memory=512M" "[All]" "CPUs=2" "Guests=3"
refuse "not more CPUs than a user may have" "may have 2 CPUs" run alice --cpus=2 -- true
refuse "not more memory" "may have 512 MiB" run alice --memory=400M -- true
refuse "not more than all users may have" "all users together may have 2 CPUs" run bob --cpus=2 -- true
check "bob runs beside alice" [ "$(run bob -- id -un)" = bob ]
limits "[Default]" "CPUs=1" "[User bob]" "CPUs=0"
refuse "a limit of 0 is none at all" "may have 0 CPUs" run bob -- true
limits "[Default]" "CPU=1"
refuse "a mistake in the file keeps all out" "run.conf: line 2: the keys are" run bob -- true
rm $conf
refuse "a share is root's" "--share is for root" run bob --share=/root -- true
refuse "a port below 1024 is root's" "port 80 of the host is root's" \
	as bob sigmactl run --net=user --publish=80:80 -- true
refuse "a kernel that the user wrote is" "only root uses a kernel" \
	as bob sigmactl run --net=none --kernel=$work/made -- true

# ---- hostile ones
# shellcheck disable=SC2016 # perl's
hoard='use Socket; $SIG{PIPE} = "IGNORE"; for ($i = 1;; $i++) {
	socket($s[$i % 40], PF_UNIX, SOCK_SEQPACKET, 0) || die;
	connect($s[$i % 40], pack_sockaddr_un("/run/sigma/.run-socket")) || die;
	send($s[$i % 40], "x" x (37 * $i), 0) if $i % 40 > 30;
	if ($i == 80) { open F, ">hoarded"; close F; } sleep 1 if $i > 80; }'
as bob perl -e "$hoard" &
check "bob has more connections than he may, and sends nonsense" until_true 60 [ -e $work/hoarded ]
check "alice's guest does not care" as alice sigmactl exec "$name" -- true
pkill -u bob perl

# ---- ends
check "sigmactl is killed, and everything is back" eval 'kill -9 $alice; is_back'
begin alice true &
check "a start that is killed takes nothing" eval 'sleep 2; kill -9 $!; is_back'
check "which leaves room for the next one" run alice -- true
begin alice sleep 1000 &
check "a guest of alice runs" until_true 120 eval '[ "$(state "$(guest_of alice)")" = running ]'
# Whoever takes a guest over serves it with their own rights. The service would remove it at once
name=$(guest_of alice)
pkill -STOP -f serve-users
check "its sigmad is killed" eval 'pid=$(sigmad_pid $name) && kill -9 $pid && until_true 60 eval "! sigmad_lives $pid"'
refuse "root does not serve it in place of alice" "guest of user $(id -u alice), and is not served" sigmactl start "$name"
check "it runs on" [ "$(state "$name")" = running ]
pkill -CONT -f serve-users
check "the service removes it, and everything is back" is_back
begin alice sleep 1000 &
check "another guest of alice runs" until_true 120 eval '[ "$(state "$(guest_of alice)")" = running ]'
check "the service is stopped, and everything is back" eval 'systemctl stop sigma-run.service && is_back'
check "the socket starts it again" eval '[ "$(run alice -- id -un)" = alice ] && is_back'
refuse "a guest of root is not alice's" "no guest of this name|may not connect" alice_joins_root
check "everything is back" is_back
finish
