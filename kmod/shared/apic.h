/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Writing the local APIC's interrupt command register, for both kernels (SDM vol. 3A,
 * 11.6.1 and 11.12.9). Modules cannot call the kernel's own apic_icr_write().
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
 * In xAPIC mode the function waits, for a bounded time, until the previous command has been sent,
 * since a second write would drop the first. Any context; in an NMI only if the NMI handler does
 * not return. Return: 0, -EIO when the APIC stays busy, -ERANGE when the mode cannot address
 * @apic_id.
 */
int sigma_apic_send(u32 apic_id, u32 command);

#endif
