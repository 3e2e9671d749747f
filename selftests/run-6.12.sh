#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=4 mem=3G kernel=6.12 cpu=max,-la57 init=systemd tree=passt timeout=900 in=matrix
#
# The main things of sigmactl run on a host of series 6.12: without a guard, fully guarded, and by a user
# who is not root.

. "$(dirname "$0")/lib.sh"
[ -d /run/systemd/system ] || skip_all "systemd is not PID 1"
need_sigma
[ -x /usr/lib/qemu/virtiofsd ] || skip_all "no virtiofsd in this machine"
. "$(dirname "$0")/passt.sh"
install_passt

ADDRESS=192.0.2.10
KERNEL=/boot/vmlinux-test
work=/srv/work

run() { sigmactl run "${lean[@]}" "$@"; }
# begin [OPTION]... -- CMD: in place of a subshell in the background, so that $! is sigmactl itself
begin() { exec sigmactl run "${lean[@]}" "$@"; }
ends() { local status=0; "${@:2}" || status=$?; [ $status = "$1" ]; }
is_over() { [ -z "$(sigmactl list --no-legend)" ] && ! pgrep -x sigmad && ! pgrep -x virtiofsd && ! pgrep -f "$files/passt"; }
is_back() { until_true 60 is_over && host_is_as_before; }
# greeted: a server in the guest answers at the host's address
greeted() { [ "$(within 10 bash -c "cat </dev/tcp/$ADDRESS/5000")" = hello ]; }
as() { (exec setpriv --reuid="$1" --regid="$1" --init-groups "${@:2}"); }

# main GUARD: what root gets
main()
{
	lean=("--kernel=$VMLINUX" --memory=256M --append=mitigations=off "--guard=$1")
	rm -f started made
	check "guard $1: 1 MiB goes through a program unchanged" eval 'run --net=none -- cat <data | cmp - data'
	check "guard $1: exit status and streams" eval '
		ends 3 run --net=none -- sh -c "echo out; echo err >&2; exit 3" >out 2>err &&
		grep -x out out && grep -x err err && ! grep err out'
	check "guard $1: a program that is not there" ends 127 run --net=none -- /no/such/program
	begin --net=none --name=g -- sh -c 'trap "exit 9" TERM; echo x >made; touch started
		while :; do sleep 1; done' 2>begun &
	check "guard $1: a program runs in the background" until_true 120 [ -e started ]
	check "guard $1: its guest has that guard" [ "$(cat /sys/class/sigma/g/guard)" = "$1" ]
	check "guard $1: exec joins it, on the host's own kernel" \
		eval '[ "$(sigmactl exec g -- uname -r)" = "$(uname -r)" ]'
	check "guard $1: exec passes 1 MiB unchanged" eval 'sigmactl exec g -- cat <data | cmp - data'
	check "guard $1: a signal of sigmactl arrives at the program" eval 'kill -TERM $!; ends 9 wait $!'
	check "guard $1: what it wrote is on the host" [ "$(cat made)" = x ]
	# shellcheck disable=SC2016 # perl's
	begin --net=user --publish=5000:5000 -- perl -e 'use Socket; socket(S, PF_INET, SOCK_STREAM, 0);
		bind(S, pack_sockaddr_in(5000, INADDR_ANY)) && listen(S, 8) || die $!;
		while (accept(C, S)) { print C "hello"; close C }' 2>begun &
	check "guard $1: a server in it is reached at the host's address" until_true 120 greeted
	check "guard $1: sigmactl is killed, and everything is back" eval 'kill -9 $!; is_back'
}

mkdir -p $work
cd $work || exit
head -c 1M /dev/urandom >data
ip link add br0 type bridge && ip addr add $ADDRESS/24 dev br0 && ip link set br0 up
ip route add default via 192.0.2.1
remember_host
say "host: $(uname -r)"
main no
main full

# ---- a user. The kernel's folder of the rig cannot be written to
mount -t tmpfs tmpfs /boot
cp "$VMLINUX" $KERNEL
systemd-sysusers /usr/lib/sysusers.d/sigma.conf
useradd --create-home alice
usermod --append --groups sigma-run alice
chmod 1777 $work
echo secret >secret && chmod 600 secret
systemctl start sigma-run.socket
remember_host
lean=("--kernel=$KERNEL" --memory=256M --append=mitigations=off --net=none)
check "a user's program has the user's IDs and folder" eval '
	as alice sigmactl run "${lean[@]}" -- sh -c "id; pwd; echo x >alices" >out &&
	{ as alice id; echo $work; } | diff - out'
check "what it wrote is the user's" [ "$(stat -c %U:%G alices)" = alice:alice ]
refuse "it cannot read files of root" "Permission denied" as alice sigmactl run "${lean[@]}" -- cat secret
check "1 MiB goes through it unchanged" eval 'as alice sigmactl run "${lean[@]}" -- cat <data | cmp - data'
check "everything is back" is_back
finish
