/* SPDX-License-Identifier: GPL-2.0 */
/* Starting lent CPUs by INIT and start-up IPI, and parking them. */
#ifndef _SIGMA_STARTUP_H
#define _SIGMA_STARTUP_H

#include <linux/types.h>

struct sigma_identity;

/** sigma_cpu_apic_id - physical APIC ID of @cpu */
u32 sigma_cpu_apic_id(unsigned int cpu);

/** sigma_startup_init - make the page tables of parked CPUs. Return: 0 or -errno */
int sigma_startup_init(void);

/** sigma_startup_exit - free them; no CPU rests in the entry pages any more */
void sigma_startup_exit(void);

/** sigma_startup_prepare - choose the frequencies at which @cpu runs and rests; may sleep */
void sigma_startup_prepare(unsigned int cpu);

/**
 * sigma_cpu_start - start a CPU in the entry pages, by start-up IPI (SIPI), after sigma_cpu_reset()
 * @mode: ENTRY_JUMP, ENTRY_MAILBOX or ENTRY_JUMP_LA57; @id has root_la57 for the last one
 * @id: page tables; they must stay valid until sigma_cpu_park()
 * @target: physical address to jump to, or of the wake-up mailbox
 * @argument: value for RSI
 *
 * May sleep. Return: 0, or -EIO when the CPU did not arrive.
 */
int sigma_cpu_start(unsigned int cpu, u32 mode, const struct sigma_identity *id, u64 target,
		    u64 argument);

/**
 * sigma_cpu_park - after sigma_cpu_reset(), bring a CPU to our pages and confirm that it halts there
 *
 * May sleep. Return: 0, or -EIO when that could not be confirmed: the CPU may still run.
 */
int sigma_cpu_park(unsigned int cpu);

/**
 * sigma_cpu_reset - send INIT to lent CPUs, whatever they do; then they wait for a start-up IPI
 *
 * They execute nothing until they are parked, started or returned. That they received the INIT
 * is not confirmed: the next sigma_cpu_park() or sigma_cpu_start() does. Sleeps for 10 or 20 ms,
 * however many there are.
 */
void sigma_cpu_reset(const u32 *cpus, unsigned int nr);

#endif
