// SPDX-License-Identifier: GPL-2.0
/*
 * Writing the local APIC's interrupt command register: see apic.h.
 *
 * The mode, xAPIC or x2APIC, is fixed when a kernel boots, so it is read once. A physical APIC ID
 * names the same CPU in both modes, and sender and receiver need not be in the same mode.
 */
#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/io.h>
#include <linux/irqflags.h>
#include <asm/apic.h>
#include <asm/msr.h>

#include "apic.h"

#define XAPIC_BROADCAST		0xff		/* SDM vol. 3A, 11.6.2.1 */
#define X2APIC_BROADCAST	0xffffffff
#define X2APIC_MSR_ICR		(APIC_BASE_MSR + (APIC_ICR >> 4))
#define ICR_BUSY_POLLS		10000		/* of 1 us */

static void __iomem *xapic;

int sigma_apic_init(void)
{
	u64 base;

	if (x2apic_enabled())
		return 0;

	base = native_read_msr(MSR_IA32_APICBASE);
	xapic = ioremap(base & MSR_IA32_APICBASE_BASE, PAGE_SIZE);
	return xapic ? 0 : -ENOMEM;
}

void sigma_apic_exit(void)
{
	if (xapic)
		iounmap(xapic);
	xapic = NULL;
}

static int x2apic_send(u32 apic_id, u32 command)
{
	if (apic_id == X2APIC_BROADCAST)
		return -ERANGE;

	/*
	 * WRMSR to the ICR is not serialising: the peer could take the interrupt before
	 * it sees earlier stores (SDM vol. 3A, 11.12.3).
	 */
	asm volatile("mfence; lfence" : : : "memory");
	wrmsr(X2APIC_MSR_ICR, command, apic_id);
	return 0;
}

static bool xapic_wait_idle(void)
{
	for (int i = 0; i < ICR_BUSY_POLLS; i++) {
		if (!(readl(xapic + APIC_ICR) & APIC_ICR_BUSY))
			return true;
		udelay(1);
	}
	return false;
}

static int xapic_send(u32 apic_id, u32 command)
{
	unsigned long flags;
	int err = -EIO;

	if (apic_id >= XAPIC_BROADCAST)
		return -ERANGE;

	/* An interrupt handler that sends an IPI between the two writes would change the target */
	local_irq_save(flags);
	if (xapic_wait_idle()) {
		writel(SET_XAPIC_DEST_FIELD(apic_id), xapic + APIC_ICR2);
		writel(command, xapic + APIC_ICR);
		err = 0;
	}
	local_irq_restore(flags);
	return err;
}

int sigma_apic_send(u32 apic_id, u32 command)
{
	return xapic ? xapic_send(apic_id, command) : x2apic_send(apic_id, command);
}
