// SPDX-License-Identifier: GPL-2.0
/* Loading this module hangs all CPUs of the guest with interrupts off. */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/smp.h>

static unsigned int seconds;
module_param(seconds, uint, 0);
MODULE_PARM_DESC(seconds, "for how long; default: for ever");

/* Called with interrupts off */
static void hang(void *unused)
{
	for (unsigned int ms = 0; !seconds || ms < seconds * MSEC_PER_SEC; ms++)
		mdelay(1);
}

static int __init hang_init(void)
{
	pr_info("hang: interrupts off\n");
	on_each_cpu(hang, NULL, 1);
	return -ECANCELED;	/* an error, so that the module can be loaded again */
}
module_init(hang_init);

MODULE_DESCRIPTION("Hang the CPUs of the kernel that loads it");
MODULE_LICENSE("GPL");
