#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rig: smp=4 mem=2G timeout=300
#
# Doorbells follow their interrupt when it moves to another CPU, in the host (as irqbalance does)
# and in a guest with two CPUs, and when the CPU that takes them goes offline.

. "$(dirname "$0")/lib.sh"
need_sigma
remember_host

PINGS=20

moved_to() { [ "$(doorbell_cpu g)" = "$1" ]; }
move() { echo "$1" >"/proc/irq/$(doorbell_irq g)/smp_affinity_list"; }
talk() { ping -q -c $PINGS -i 0.02 -W 5 10.9.1.2; }
guest_move() { in_guest 1 "echo $1 >/proc/irq/\$(grep 'sigma$' /proc/interrupts | cut -d : -f 1 | tr -d ' ')/smp_affinity_list"; }
cpu1() { echo "$1" >/sys/devices/system/cpu/cpu1/online; }

guest g cpus=cpu2,cpu3 disk=/dev/vdb net=1
check "a guest with two CPUs starts" sigmactl start g
check "the guest's user space answers" wait_guest 1
for cpu in 1 0 1; do
	check "host: the doorbell's interrupt can be moved to CPU $cpu" move $cpu
	check "host: doorbells arrive after the move" talk
	check "host: the interrupt goes to CPU $cpu" moved_to $cpu
done
check "host: CPU 1 goes offline" cpu1 0
check "host: doorbells arrive without CPU 1" talk
check "host: the interrupt goes to CPU 0" moved_to 0
check "host: CPU 1 comes back online" cpu1 1
for cpu in 1 0; do
	check "guest: the doorbell's interrupt can be moved to CPU $cpu" guest_move $cpu
	check "guest: doorbells arrive after the move" talk
done
check "the guest stops" eval 'sigmactl stop g && wait_gone g'

guest g cpus=cpu3 disk=/dev/vdb
guest h cpus=cpu2 disk=/dev/vdc
check "two guests start" eval 'sigmactl start g && sigmactl start h'
check "they interrupt different CPUs" [ "$(doorbell_cpu g)" != "$(doorbell_cpu h)" ]
check "they are killed" eval 'sigmactl kill g && sigmactl kill h && wait_gone g && wait_gone h'
check "the host has the CPUs and the memory back" host_is_as_before
finish
