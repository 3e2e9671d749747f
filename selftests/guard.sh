#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=3 mem=2G timeout=500 cpu=max,-la57
#
# Guests with Guard=memory, whose memory, ports and registers are confined. Once up, they work
# without VM exits, and whatever they try, the host and its memory stay unchanged.

. "$(dirname "$0")/lib.sh"
need_sigma
remember_host
. "$(dirname "$0")/trespass.sh"

check "sigmactl check reports that this machine can guard guests" \
	eval 'sigmactl check | grep -E "guard +full"'

reach_out memory

check "a guest with two CPUs is up" boot memory 2
check "sysfs shows Guard=memory" [ "$(cat /sys/class/sigma/g/guard)" = memory ]
check "the guest uses both CPUs" [ "$(in_guest 1 nproc)" = 2 ]
before_load=$(exits)
check "the guest works on disk, network and programs" load
check "the load causes no VM exit: $(cat /tmp/rounds)" [ "$(exits)" = "$before_load" ]
attempt what=table
check "the guest has made all attempts of the table" wait_logged g "trespass: table is done"
say "$(sigmactl log g | sed -n 's/.*trespass: //p')"
check "none of these attempts succeeded" eval '! guest_logged g "trespass:.*DONE"'
check "the guest works on disk, network and programs afterwards" load
check "the guest unloads the module, to load it again" in_guest 1 'rmmod trespass'
attempt what=triple
contained "triple fault" "triple fault"

check "the guest of a sigmactl run is up" boot_by memory sigmactl run g
attempt what=write at="$text_phys"
ended "write to the host's kernel" 11 "wrote to address 0x0*$(printf %x "$text_phys")"
finish
