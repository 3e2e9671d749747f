/* SPDX-License-Identifier: GPL-2.0 */
/* Pages below 1 MiB. */
#ifndef _SIGMA_LOW_H
#define _SIGMA_LOW_H

#include <linux/types.h>

#include "uapi/sigma.h"

#define SIGMA_LOW_LENT_PAGES	((SIGMA_LOW_SIZE >> PAGE_SHIFT) + 1)	/* the dummy I/O APIC, too */

void sigma_low_init(void);	/* find usable pages */

/**
 * sigma_low_lend - take @nr contiguous zeroed pages below 1 MiB
 * @at: where they have to be, a multiple of PAGE_SIZE; 0: anywhere
 *
 * Return: address, 0: none.
 */
u64 sigma_low_lend(u64 at, unsigned int nr);
void sigma_low_return(u64 phys, unsigned int nr);

/** sigma_low_copy - what is in @nr lent pages from @phys on. May sleep. Return: NULL: no memory */
void *sigma_low_copy(u64 phys, unsigned int nr);

/**
 * sigma_low_repair - write @copy, of sigma_low_copy(), back to those pages that differ, and free it
 * @copy: or NULL
 *
 * Return: how many differed.
 */
unsigned int sigma_low_repair(u64 phys, unsigned int nr, void *copy);

/** sigma_low_keep - keep these pages from this module when it is loaded again: a CPU uses them */
void sigma_low_keep(u64 phys, unsigned int nr);

#endif
