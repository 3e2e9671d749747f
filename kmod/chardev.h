/* SPDX-License-Identifier: GPL-2.0 */
/* The character devices, /dev/sigma/ *. */
#ifndef _SIGMA_CHARDEV_H
#define _SIGMA_CHARDEV_H

struct sigma_guest;

int sigma_chardev_init(void);
void sigma_chardev_exit(void);
int sigma_chardev_add(struct sigma_guest *guest);
void sigma_chardev_del(struct sigma_guest *guest);

#endif
