#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=2G timeout=500 kernel=6.12 cpu=Nehalem in=matrix
#
# One pair of "make check-cpus": an early Intel CPU, without XSAVE, SMEP, SMAP and x2APIC.

exec "$(dirname "$0")/cpus/guests" no
