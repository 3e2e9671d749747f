#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=2 mem=2G timeout=200 cpu=max,-la57,-svm
#
# A machine without SVM and VMX cannot guard its guests. It says so, and runs them without a guard
# unless the guest file asks for one.

. "$(dirname "$0")/lib.sh"
need_sigma
remember_host

check "sigmactl check reports that guests are not guarded, and why" eval \
	'sigmactl check | grep -E "guard +no: .*SVM"'
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
finish
