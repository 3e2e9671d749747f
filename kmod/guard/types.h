/* SPDX-License-Identifier: GPL-2.0 */
/* The kernel's types, for files that user space compiles, too: selftests/fuzz/guard.h. */
#ifndef _SIGMA_GUARD_TYPES_H
#define _SIGMA_GUARD_TYPES_H

#include <linux/types.h>

#ifndef __KERNEL__
#include <stdbool.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
#endif

#endif
