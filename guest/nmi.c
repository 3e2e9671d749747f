// SPDX-License-Identifier: GPL-2.0
/*
 * Handles an NMI that the host sends to a guest that hangs: logs a backtrace of this CPU. The host
 * finds it in the guest's memory whatever state this kernel is in.
 *
 * The handler claims the NMI before the kernel reads its reason from port 0x61, which belongs to
 * the host. A counter in shared memory shows whether the host has sent an NMI, since other NMIs
 * have the same vector.
 */
#include <linux/device.h>
#include <linux/printk.h>
#include <linux/smp.h>
#include <asm/nmi.h>

#include "../kmod/shared/fault.h"
#include "guest.h"

static struct sigma_guest *nmi_guest;

static int on_nmi(unsigned int type, struct pt_regs *regs)
{
	static u32 answered;
	u32 asked = le32_to_cpu(READ_ONCE(nmi_guest->header->nmis));

	if (asked == answered)
		return NMI_DONE;
	answered = asked;
	pr_emerg("sigma_guest: NMI from the host, CPU %d is here:\n", smp_processor_id());
	dump_stack();
	return NMI_HANDLED;
}

/* Without the handler the guest goes on, and the host sees that takes_nmis stays 0 */
void sigma_nmi_open(struct sigma_guest *guest)
{
	int err;

	nmi_guest = guest;
	err = sigma_fault() ?: register_nmi_handler(NMI_LOCAL, on_nmi, 0, "sigma_guest");
	if (err)
		dev_err(guest->dev, "takes no NMIs from the host: error %d\n", err);
	else
		WRITE_ONCE(guest->header->guest.takes_nmis, cpu_to_le32(1));
}
