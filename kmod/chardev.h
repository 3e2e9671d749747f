/* SPDX-License-Identifier: GPL-2.0 */
/* The character devices, /dev/sigma/ *. */
#ifndef _SIGMA_CHARDEV_H
#define _SIGMA_CHARDEV_H

int sigma_chardev_init(void);
void sigma_chardev_exit(void);

#endif
