/* SPDX-License-Identifier: GPL-2.0 */
/* A guest's memory as a file. */
#ifndef _SIGMA_MEMFILE_H
#define _SIGMA_MEMFILE_H

struct sigma_guest;

/** sigma_memfile_open - a new descriptor of the guest's memory, or -errno; under guest->lock */
int sigma_memfile_open(struct sigma_guest *guest);

#endif
