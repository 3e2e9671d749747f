#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=2G timeout=500 cpu=max,-la57
#
# Guests with Guard=full. Their interrupts reach their own CPUs and the host's doorbell only, and
# sending them is the only cause of VM exits.

. "$(dirname "$0")/lib.sh"
need_sigma
remember_host
. "$(dirname "$0")/trespass.sh"

reach_out full

check "a guest with two CPUs is up" boot full 2
check "sysfs shows Guard=full" [ "$(cat /sys/class/sigma/g/guard)" = full ]
check "the guest uses both CPUs" [ "$(in_guest 1 nproc)" = 2 ]
check "the guest's CPUs are in x2APIC mode" guest_logged g "switching to x2apic ops"
before_load=$(exits_but ipi) ipis=$(count ipi)
check "the guest works on disk, network and programs" load
check "the load causes no VM exits but those for interrupts" [ "$(exits_but ipi)" = "$before_load" ]
check "the load causes VM exits for interrupts" [ "$(count ipi)" -gt "$ipis" ]
attempt what=init to=0
contained "INIT to the host" "sent an interrupt that it may not send, ICR 0xc500"

check "a service's guest with one CPU is up" boot_by full /usr/libexec/sigmad --service g
before_load=$(exits_but ipi)
check "the service's guest works on disk, network and programs" load
check "the number of VM exits for interrupts is that of the doorbells" ipis_are_doorbells
check "the load causes no other VM exit: $(cat /tmp/rounds)" [ "$(exits_but ipi)" = "$before_load" ]
say "$(exits)"
attempt what=stray to=0
ended "stray vector to the host" 3 "sent an interrupt that it may not send, ICR 0x31"
finish
