/* SPDX-License-Identifier: GPL-2.0 */
/* The files in /sys/class/sigma/ *. */
#ifndef _SIGMA_SYSFS_H
#define _SIGMA_SYSFS_H

struct attribute_group;

extern const struct attribute_group *sigma_guest_groups[];
extern const struct attribute_group *sigma_control_groups[];

#endif
