#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=4 mem=3G kernel=7.2 cpu=max,-la57 init=systemd tree=passt timeout=900 in=matrix
#
# What run-6.12 shows, on a host of series 7.2.

exec "$(dirname "$0")/run-6.12.sh"
