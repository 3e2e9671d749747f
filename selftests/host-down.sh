#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=2G timeout=240 after=powered-off
#
# The host shuts down while a guest runs. It must stop the guest before anything else;
# rig/powered-off checks that in the host's kernel log.

. "$(dirname "$0")/lib.sh"
need_sigma

guest g cpus=2 kernel=6.12 disk=/dev/vdb net=1
check "a guest with two CPUs starts" sigmactl start g
check "the guest's user space answers" wait_guest 1
check "the guest still runs when the test ends" [ "$(state g)" = running ]
finish
