#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=2G timeout=300 cpu=Nehalem
#
# Of "make check-cpus", a CPU of Intel, an early one: it has no XSAVE, SMEP, SMAP and x2APIC.

exec "$(dirname "$0")/cpus/guests" 6.12 no
