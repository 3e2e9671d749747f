#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=2 mem=2G timeout=300 cpu=max,-la57,-svm
#
# A machine without SVM and VMX cannot guard its guests. It says so, and runs them without a guard
# unless the guest file asks for one.

. "$(dirname "$0")/lib.sh"
need_sigma
remember_host

check "sigmactl check reports that guests are not guarded, and why" eval \
	'sigmactl check | grep -E "guard +no: .*SVM"'
useradd alice
mkdir -p /run/sigma
systemd-socket-activate --seqpacket --listen=/run/sigma/.run-socket sigmactl --serve-users 2>/dev/null &
service=$!
until_true 30 [ -S /run/sigma/.run-socket ] && chmod 666 /run/sigma/.run-socket
refuse "sigmactl run of a user is refused, with the reason and the remedy" \
	"only with the guard full.*has the guard no: .*neither AMD SVM.*'sudo sigmactl run" \
	env -C /srv setpriv --reuid=alice --regid=alice --init-groups sigmactl run --net=none -- true
kill $service
rm /run/sigma/.run-socket
for guard in memory full; do
	guest g guard=$guard disk=/dev/vdb
	refuse "Guard=$guard is refused with the line of the file and the reason" \
		"g.guest:[0-9]+: Guard=: .*has neither AMD SVM nor Intel VMX" sigmactl start g
done
check "the refused starts took nothing from the host" host_is_as_before
guest g guard=auto disk=/dev/vdb net=1
check "Guard=auto: the guest starts" eval 'sigmactl start g >/tmp/start 2>&1'
check "Guard=auto: sigmactl start reports that the guest has no guard, and why" \
	grep -E 'Guard=auto has chosen "no": .*neither AMD SVM nor Intel VMX' /tmp/start
check "Guard=auto: the guest's user space answers" wait_guest 1
check "Guard=auto: sysfs shows that the guest has no guard" \
	[ "$(cat /sys/class/sigma/g/guard)" = no ]
check "Guard=auto: sigmactl status shows that the guest has no guard" eval \
	'sigmactl status g | grep -E "Guard: no: it is as trusted as a kernel module; .*neither AMD SVM"'
check "the guest stops, and the host has everything back" \
	eval 'sigmactl stop g && wait_gone g && host_is_as_before'

# ---- without a guard, a reset of the guest's kernel is a reset of the machine. So there is none,
# also before sigma_guest.ko is loaded. If the host were reset, this script would not reach its end.
head -c 1M /dev/zero >/tmp/damaged
guest g guard=no disk=/tmp/damaged append="panic=1 panic=-1"
check "panic=1, a damaged root: the guest starts" eval 'sigmactl start g >/tmp/start 2>&1'
check "panic=1, a damaged root: sigmactl start reports that both words have no effect" eval \
	'grep "g.guest:[0-9]*: CommandLine=: panic=1 has no effect: .*panic=0" /tmp/start &&
	grep "CommandLine=: panic=-1 has no effect" /tmp/start'
check "panic=1, a damaged root: the guest's state becomes panicked" wait_state g panicked
check "panic=1, a damaged root: the log says what was not mounted" \
	guest_logged g "sigma-init: root=/dev/vda: cannot mount"
check "panic=1, a damaged root: the host lives and has everything back" \
	eval 'sigmactl kill g && wait_gone g && host_is_as_before'

guest g guard=no disk=/dev/vdb append="panic=1 sysctl.kernel.panic=1 module_blacklist=sigma_guest"
check "panic=1, no sigma_guest.ko: the guest starts" sigmactl start g
check "panic=1, no sigma_guest.ko: the log says that the guest stops, and why" eval '
	wait_logged g "sigma-init: gives up: sigma_guest.ko does not work" &&
	guest_logged g "sigma-init: cannot load module .*sigma_guest.ko"'
check "panic=1, no sigma_guest.ko: sigmad tells why the guest does not boot" until_true 20 eval \
	'grep "the guest does not boot: sigma_guest.ko does not work: this kernel forbids" /run/sigma/g/sigmad.log'
check "panic=1, no sigma_guest.ko: the guest has not panicked" [ "$(state g)" = booting ]
check "panic=1, no sigma_guest.ko: the user's and SIGMA's lists of modules are joined" \
	guest_logged g "Command line: .*,kvm_intel,sigma_guest"
check "panic=1, no sigma_guest.ko: the host lives and has everything back" \
	eval 'sigmactl kill g && wait_gone g && host_is_as_before'
finish
