#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=2 mem=2G timeout=200 cpu=max,-la57,-svm
#
# A machine that cannot confine guests says so, and runs them as before unless told otherwise.

. "$(dirname "$0")/lib.sh"
need_sigma
remember_host

check "check tells that guests are not confined, and why" eval \
	'sigmactl check | grep -E "guard +no: .*SVM"'
for guard in memory full; do
	guest g guard=$guard disk=/dev/vdb
	refuse "Guard=$guard is refused, with its line and the reason" \
		"g.guest:[0-9]+: Guard=: .*has neither AMD SVM nor Intel VMX" sigmactl start g
done
check "nothing was taken" host_is_as_before
guest g guard=auto disk=/dev/vdb net=1
check "auto: the guest starts" eval 'sigmactl start g >/tmp/start 2>&1'
check "auto: who starts it is told what it came to" \
	grep -E 'Guard=auto came to "no": .*neither AMD SVM nor Intel VMX' /tmp/start
check "auto: user space answers" wait_guest 1
check "auto: it is not confined, and says so" [ "$(cat /sys/class/sigma/g/guard)" = no ]
check "auto: so does status" eval \
	'sigmactl status g | grep -E "Guard: no: it is as trusted as a kernel module; .*neither AMD SVM"'
check "it stops, all is back" eval 'sigmactl stop g && wait_gone g && host_is_as_before'
finish
