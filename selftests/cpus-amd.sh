#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=2G timeout=500 kernel=7.2 cpu=EPYC-Milan in=matrix
#
# One pair of "make check-cpus": an AMD CPU, with SVM, but without LA57 and (in QEMU) x2APIC.

exec "$(dirname "$0")/cpus/guests" memory
