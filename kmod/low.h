/* SPDX-License-Identifier: GPL-2.0 */
/* Pages below 1 MiB. */
#ifndef _SIGMA_LOW_H
#define _SIGMA_LOW_H

#include <linux/types.h>

void sigma_low_init(void);	/* find usable pages */

/** sigma_low_lend - take @nr contiguous zeroed pages below 1 MiB. Return: address, 0: none */
u64 sigma_low_lend(unsigned int nr);
void sigma_low_return(u64 phys, unsigned int nr);

/** sigma_low_keep - keep these pages from this module when it is loaded again: a CPU uses them */
void sigma_low_keep(u64 phys, unsigned int nr);

#endif
