// SPDX-License-Identifier: GPL-2.0
/* Faults for tests: see fault.h. */
#include <linux/err.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/printk.h>

#include "fault.h"

static DEFINE_MUTEX(fault_lock);	/* keeps two callers from counting at once */
static unsigned int fail_nth;
module_param(fail_nth, uint, 0600);
MODULE_PARM_DESC(fail_nth, "for tests: the step that fails, once; 0: none (default 0)");

static int count(const void *caller)
{
	bool fails;

	if (!READ_ONCE(fail_nth))
		return 0;
	mutex_lock(&fault_lock);
	fails = fail_nth == 1;
	if (fail_nth)
		WRITE_ONCE(fail_nth, fail_nth - 1);
	mutex_unlock(&fault_lock);
	if (!fails)
		return 0;
	pr_info("fail_nth: the step at %pS fails\n", caller);
	return -ENOMEM;
}

int sigma_fault(void)
{
	return count(__builtin_return_address(0));
}

void *sigma_fault_ptr(void)
{
	return ERR_PTR(count(__builtin_return_address(0)));
}
