#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=3G timeout=600 tree=ssh in=matrix
#
# ssh to a guest over AF_VSOCK, without a network: the guest's init is a systemd that has sshd listen
# there. The client is of the same Debian 13, whose systemd has ssh connect by AF_VSOCK.

. "$(dirname "$0")/lib.sh"
need_sigma
[ -x /usr/lib/qemu/virtiofsd ] || skip_all "no virtiofsd in this machine"
[ -e "$TREES/ssh/usr/lib/systemd/systemd-ssh-proxy" ] || skip_all "no root with an SSH server in this machine"

dir=/run/ssh
client=$dir/client

cid() { sigmactl status --json "$1" | jq .vsock_cid; }
in_client() { chroot $client env HOME=/root "$@"; }
# ssh_with KEY COMMAND...: as people type it, but for the key
ssh_with()
{
	within 60 chroot $client env HOME=/root ssh -i "/root/$1" -o BatchMode=yes vsock/"$(cid g)" "${@:2}"
}
answers() { ssh_with key true; }
ends() { local status=0; "${@:2}" || status=$?; [ $status = "$1" ]; }

mkdir -p $dir/{root,upper,work,client}
check "a root for guest and client" eval '
	mount -t overlay -o lowerdir=$TREES/ssh,upperdir=$dir/upper,workdir=$dir/work overlay $dir/root &&
	mount --bind $dir/root $client && mount --bind /dev $client/dev && mount -t proc proc $client/proc'
check "root of the guest accepts a key" eval '
	in_client ssh-keygen -q -t ed25519 -N "" -f /root/key && in_client ssh-keygen -q -t ed25519 -N "" -f /root/other &&
	in_client install -D -m 600 /root/key.pub /root/.ssh/authorized_keys'
head -c 1M /dev/urandom >$dir/data
check "the agent is installed in it" sigmactl agent install $dir/root
cat >/etc/sigma/g.guest <<-END
	[Guest]
	Kernel=$VMLINUX
	Memory=512M
	Root=$dir/root
	RootWrites=overlay
	CommandLine=systemd.ssh_listen=vsock::22 systemd.unit=basic.target mitigations=off
END
remember_host
check "the guest starts" sigmactl start g
check "its driver is up" wait_state g running
check "ssh vsock/CID is answered" until_true 240 answers
check "by the guest, whose init is systemd" eval '
	[ "$(ssh_with key cat /proc/1/comm)" = systemd ] &&
	[ "$(ssh_with key cat /proc/sys/kernel/random/boot_id)" != "$(cat /proc/sys/kernel/random/boot_id)" ]'
check "sigmactl exec runs a program beside that systemd" eval '
	[ "$(sigmactl exec g -- systemctl show -P ActiveState basic.target)" = active ]'
check "the exit status is that of the command" ends 7 ssh_with key exit 7
check "1 MiB goes through it unchanged" eval 'ssh_with key cat <$dir/data | cmp - $dir/data'
# The agent of the initrd is there before systemd, so it has to go first
# shellcheck disable=SC2016 # expanded in the guest
check "the agent that came with the initrd is killed" ssh_with key 'for dir in /proc/[0-9]*; do
	! grep -aq "^sigma-agent" $dir/cmdline || kill -9 ${dir#/proc/}; done'
refuse "no program runs in the guest then" "agent|refused|reset" sigmactl exec g -- true
check "systemd starts the one that was installed" ssh_with key systemctl start sigma-agent
check "exec runs programs in it again" until_true 20 eval '[ "$(sigmactl exec g -- cat /proc/1/comm)" = systemd ]'
refuse "another key is not accepted" "Permission denied" ssh_with other true
check "the guest has no network" eval '[ "$(ssh_with key ls /sys/class/net)" = lo ]'
check "the guest stops" sigmactl stop g
check "everything is back" eval 'wait_gone g && host_is_as_before'
finish
