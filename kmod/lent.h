/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _SIGMA_LENT_H
#define _SIGMA_LENT_H

struct sigma_objects;

/**
 * sigma_lent_show - write to a page who holds what; see "shared" in sysfs.c. May sleep
 *
 * Return: number of bytes; 0: the guest has no area of memory objects.
 */
int sigma_lent_show(struct sigma_objects *set, char *buf);

#endif
