#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=2 mem=2G kernel=rt6.1 timeout=600 in=matrix
#
# The same with series 6.1, where real-time preemption is a patch.

exec "$(dirname "$0")/rt.sh"
