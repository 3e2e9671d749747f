#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=2G timeout=500 cpu=max,-la57
#
# Guests that are confined in full: interrupts reach their own CPUs and the host's doorbell, and
# sending them is all for which they leave their CPUs.

. "$(dirname "$0")/lib.sh"
need_sigma
remember_host
. "$(dirname "$0")/trespass.sh"

reach_out full

check "a guest with two CPUs is up" boot full 2
check "it says how it is confined" [ "$(cat /sys/class/sigma/g/guard)" = full ]
check "both CPUs are in use" [ "$(in_guest 1 nproc)" = 2 ]
check "they are in x2APIC mode" guest_logged g "switching to x2apic ops"
before_load=$(exits_but ipi) ipis=$(count ipi)
check "it works: disk, network, programs" load
check "and left its CPUs for interrupts to others alone" [ "$(exits_but ipi)" = "$before_load" ]
check "which were seen" [ "$(count ipi)" -gt "$ipis" ]
attempt what=init to=0
contained "INIT to the host" "sent an interrupt that it may not send, ICR 0xc500"

check "a guest of a service is up, with one CPU" boot_by full /usr/libexec/sigmad --service g
before_load=$(exits_but ipi)
check "it works: disk, network, programs" load
check "it left its CPU as often as it rang by an interrupt" ipis_are_doorbells
check "and for nothing else: $(cat /tmp/rounds)" [ "$(exits_but ipi)" = "$before_load" ]
say "$(exits)"
attempt what=stray to=0
ended "stray vector to the host" 3 "sent an interrupt that it may not send, ICR 0x31"
finish
