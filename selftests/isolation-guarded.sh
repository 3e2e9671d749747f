#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=2 mem=2G timeout=300 cpu=max,-la57,+svm,+x2apic trace=memory_region_ops_* after=meter-guarded
#
# isolation.sh with Guard=full: a guarded guest touches none of the host's hardware, from its first
# instruction on.

GUARD=full
. "$(dirname "$0")/isolation.sh"
