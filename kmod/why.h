/* SPDX-License-Identifier: GPL-2.0 */
/* Reasons for user space. */
#ifndef _SIGMA_WHY_H
#define _SIGMA_WHY_H

#include "uapi/sigma.h"

/** sigma_refuse - set @why, and return @err, a negative errno */
static inline int sigma_refuse(struct sigma_why *why, int err, enum sigma_reason reason, u32 cpu,
			       u64 value)
{
	*why = (struct sigma_why){ .reason = reason, .cpu = cpu, .value = value };
	return err;
}

#endif
