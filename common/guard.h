/* SPDX-License-Identifier: GPL-2.0 */
/* Names of the kinds of guards, and the strongest kind that this machine has. */
#ifndef SIGMA_GUARD_H
#define SIGMA_GUARD_H

#include <stdint.h>

#include "../kmod/uapi/sigma.h"
#include "reason.h"

const char *guard_name(uint32_t kind);

/** guard_from_name - an enum sigma_guard_kind, or -EINVAL */
int guard_from_name(const char *name);

#define GUARD_SYSFS	"/sys/class/sigma/control"

/**
 * guard_of_machine - the strongest guard that this machine has
 * @folder: GUARD_SYSFS, or a folder like it
 * @why: out: why the machine has no stronger one; "" if it has, or @folder gives no reason
 *
 * Return: an enum sigma_guard_kind, or -EINVAL if @folder can't be read (sigma.ko is not loaded).
 */
int guard_of_machine(const char *folder, char why[REASON_TEXT_MAX]);

#endif
