// SPDX-License-Identifier: GPL-2.0
/*
 * For guest-ends.sh: loading this module ends the kernel that loads it.
 *
 *	insmod crash.ko what=oops	# a wild access in an interrupt
 *	insmod crash.ko what=stack	# calls without end, until the stack is full
 */
#include <linux/delay.h>
#include <linux/irq_work.h>
#include <linux/module.h>

#define WILD		16UL		/* in the page of NULL */
#define DEPTH		(1U << 20)	/* calls; each takes more than a byte of the stack */
#define FRAME		256		/* bytes */
#define INTERRUPT_MS	10000		/* many times what it takes to come */

static char *what = "oops";
module_param(what, charp, 0);

static void oops(struct irq_work *work)
{
	WRITE_ONCE(*(u32 *)WILD, 0);
}

static noinline unsigned int fill_stack(unsigned int depth)
{
	volatile u8 frame[FRAME];

	frame[depth % FRAME] = depth;
	return depth ? fill_stack(depth - 1) + frame[depth % FRAME] : 0;
}

static int __init crash_init(void)
{
	static struct irq_work work = IRQ_WORK_INIT_HARD(oops);

	pr_info("crash: %s\n", what);
	if (!strcmp(what, "stack")) {
		pr_info("crash: the stack holds %u\n", fill_stack(DEPTH));
	} else {
		irq_work_queue(&work);
		msleep(INTERRUPT_MS);
	}
	return -ECANCELED;	/* not reached; the module does not stay */
}
module_init(crash_init);

MODULE_DESCRIPTION("End the kernel that loads it");
MODULE_LICENSE("GPL");
