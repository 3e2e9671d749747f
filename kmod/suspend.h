/* SPDX-License-Identifier: GPL-2.0 */
/* The machine's sleep, with guests: see suspend.c. */
#ifndef _SIGMA_SUSPEND_H
#define _SIGMA_SUSPEND_H

#include <linux/types.h>

#include "uapi/sigma.h"

struct sigma_guest;

/**
 * sigma_suspend_start - SIGMA_START, when the machine is awake: see sigma_guest_start()
 *
 * May sleep as long as the machine does. Return: as that does, or -ERESTARTSYS.
 */
int sigma_suspend_start(struct sigma_guest *guest, const struct sigma_start *args);

int sigma_suspend_init(void);
void sigma_suspend_exit(void);

/** sigma_suspend_set - SIGMA_SET_SUSPEND. Return: 0 or -ENODEV */
int sigma_suspend_set(struct sigma_guest *guest, enum sigma_suspend policy);

/** sigma_suspend_failure - SIGMA_GET_WAKE_FAILURE */
void sigma_suspend_failure(struct sigma_guest *guest, struct sigma_wake_failure *failure);

#endif
