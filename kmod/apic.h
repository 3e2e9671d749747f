/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Writing the local APIC's interrupt command register, for both kernels (SDM vol. 3A,
 * 11.6.1 and 11.12.9). The kernel's own apic_icr_write() is out of reach of a module.
 */
#ifndef _SIGMA_APIC_H
#define _SIGMA_APIC_H

#include <linux/types.h>

/** sigma_apic_init - map the local APIC. May sleep. Return: 0 or a negative errno. */
int sigma_apic_init(void);
void sigma_apic_exit(void);

/**
 * sigma_apic_send - send one interprocessor interrupt
 * @apic_id: physical APIC ID of the target
 * @command: low half of the ICR: delivery mode, level, trigger, vector
 *
 * In xAPIC mode waits, bounded, until the previous command has left (hazard: a second
 * write drops the first). Any context; in an NMI only where nothing returns from it.
 * Return: 0, -EIO when the APIC stays busy, -ERANGE when xAPIC cannot name @apic_id.
 */
int sigma_apic_send(u32 apic_id, u32 command);

#endif
