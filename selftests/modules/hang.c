// SPDX-License-Identifier: GPL-2.0
/* For hang.sh: a guest's worst day. Loading it hangs this CPU with interrupts off. */
#include <linux/irqflags.h>
#include <linux/module.h>

static int __init hang_init(void)
{
	local_irq_disable();
	for (;;)
		cpu_relax();
	return 0;
}
module_init(hang_init);

MODULE_DESCRIPTION("Hang the CPU that loads it");
MODULE_LICENSE("GPL");
