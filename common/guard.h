/* SPDX-License-Identifier: GPL-2.0 */
/* Names of the kinds of guards, and the strongest kind that this machine has. */
#ifndef SIGMA_GUARD_H
#define SIGMA_GUARD_H

#include <stdint.h>

#include "../kmod/uapi/sigma.h"

const char *guard_name(uint32_t kind);

/** guard_from_name - an enum sigma_guard_kind, or -EINVAL */
int guard_from_name(const char *name);

#define GUARD_SYSFS	"/sys/class/sigma/control/guard"
#define GUARD_WHY_MAX	256

/**
 * guard_of_machine - the strongest guard that this machine has
 * @path: GUARD_SYSFS, or a file like it
 * @why: out: why the machine has no stronger one; "" if @path gives no reason
 *
 * Return: an enum sigma_guard_kind, or -EINVAL if @path can't be read (sigma.ko is not loaded).
 */
int guard_of_machine(const char *path, char why[GUARD_WHY_MAX]);

#endif
