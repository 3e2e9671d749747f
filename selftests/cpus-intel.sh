#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=2G timeout=500 kernel=6.12 append=tsc=reliable cpu=Nehalem
#
# Of "make check-cpus", a CPU of Intel, an early one: it has no XSAVE, SMEP, SMAP and x2APIC.

exec "$(dirname "$0")/cpus/guests" no
