// SPDX-License-Identifier: GPL-2.0
/*
 * An NMI from the host, for a guest that hangs: where this CPU was goes to the kernel log, which
 * the host finds in memory whatever state this kernel is in.
 *
 * It is claimed before the kernel asks port 0x61 for its reason, which is the host's. Which NMIs
 * are the host's is told by a counter, since others come by the same vector.
 */
#include <linux/device.h>
#include <linux/printk.h>
#include <linux/smp.h>
#include <asm/nmi.h>

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

/* The guest does without where it can't, and the host is told no more than that */
void sigma_nmi_open(struct sigma_guest *guest)
{
	int err;

	nmi_guest = guest;
	err = register_nmi_handler(NMI_LOCAL, on_nmi, 0, "sigma_guest");
	if (err)
		dev_err(guest->dev, "takes no NMIs from the host: error %d\n", err);
	else
		WRITE_ONCE(guest->header->guest.takes_nmis, cpu_to_le32(1));
}
