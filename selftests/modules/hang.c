// SPDX-License-Identifier: GPL-2.0
/* For hang.sh: a guest's worst day. Loading it hangs this CPU with interrupts off. */
#include <linux/delay.h>
#include <linux/irqflags.h>
#include <linux/module.h>

static unsigned int seconds;
module_param(seconds, uint, 0);
MODULE_PARM_DESC(seconds, "for how long; default: for ever");

static int __init hang_init(void)
{
	pr_info("hang: interrupts off\n");
	local_irq_disable();
	for (unsigned int ms = 0; !seconds || ms < seconds * MSEC_PER_SEC; ms++)
		mdelay(1);
	local_irq_enable();
	return -ECANCELED;	/* so that it can be loaded again */
}
module_init(hang_init);

MODULE_DESCRIPTION("Hang the CPU that loads it");
MODULE_LICENSE("GPL");
