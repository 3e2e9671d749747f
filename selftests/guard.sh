#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=2G timeout=500 cpu=max,-la57
#
# Guests whose memory, ports and registers are confined: they work, without ever leaving their
# CPUs once they are up, and whatever they try, the host and its memory stay as they are.

. "$(dirname "$0")/lib.sh"
need_sigma
remember_host
. "$(dirname "$0")/trespass.sh"

check "check tells what this machine can do" eval 'sigmactl check | grep -E "guard +full"'

reach_out memory

check "a guest with two CPUs is up" boot memory 2
check "it says how it is confined" [ "$(cat /sys/class/sigma/g/guard)" = memory ]
check "both CPUs are in use" [ "$(in_guest 1 nproc)" = 2 ]
before_load=$(exits)
check "it works: disk, network, programs" load
check "and never left its CPUs meanwhile: $(cat /tmp/rounds)" [ "$(exits)" = "$before_load" ]
attempt what=table
check "it has tried all that has an answer" wait_logged g "trespass: table is done"
say "$(sigmactl log g | sed -n 's/.*trespass: //p')"
check "nothing of it was done" eval '! guest_logged g "trespass:.*DONE"'
check "it works all the same" load
check "the module leaves, to be loaded again" in_guest 1 'rmmod trespass'
attempt what=triple
contained "triple fault" "triple fault"

check "a guest with a job is up" boot_by memory sigmactl run g
attempt what=write at=$text_phys
ended "write to the host's kernel" 11 "wrote to address 0x0*$(printf %x $text_phys)"
finish
