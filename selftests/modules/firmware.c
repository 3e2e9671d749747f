// SPDX-License-Identifier: GPL-2.0
/*
 * For host-sleep.sh: a machine whose firmware writes to memory below 1 MiB while the machine sleeps, as
 * some do. It overwrites what sigma.ko can lend there, from the first page on.
 *
 *	insmod firmware.ko
 *	echo N >/sys/module/firmware/parameters/pages	N pages of them, at each suspend from now on
 */
#include <linux/io.h>
#include <linux/module.h>
#include <linux/sizes.h>
#include <linux/syscore_ops.h>

static unsigned int pages;
module_param(pages, uint, 0600);

static int overwrite(SIGMA_SYSCORE_ARGS)
{
	memset(phys_to_virt(SZ_64K), 0xcc, pages * PAGE_SIZE);
	return 0;
}

SIGMA_DEFINE_SYSCORE(firmware, overwrite);

/* It stays */
static int __init firmware_init(void)
{
	sigma_register_syscore(&firmware);
	return 0;
}
module_init(firmware_init);

MODULE_DESCRIPTION("Overwrite memory below 1 MiB in each suspend");
MODULE_LICENSE("GPL");
