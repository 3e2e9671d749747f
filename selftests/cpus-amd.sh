#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=2G timeout=500 kernel=7.2 append=tsc=reliable cpu=EPYC-Milan
#
# Of "make check-cpus", a CPU of AMD, which has SVM, but neither LA57 nor, as QEMU has it, x2APIC.

exec "$(dirname "$0")/cpus/guests" memory
