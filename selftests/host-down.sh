#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=2G timeout=240 after=powered-off
#
# The host goes down while a guest runs: the guest is stopped before anything else is. The
# machine's outside (rig/powered-off) sees it in the kernel log.

. "$(dirname "$0")/lib.sh"
need_sigma

guest g cpus=2 kernel=6.12 disk=/dev/vdb net=1
check "a guest of two CPUs starts" sigmactl start g
check "user space answers" wait_guest 1
check "it is left running" [ "$(state g)" = running ]
finish
