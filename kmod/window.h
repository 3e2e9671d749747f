/* SPDX-License-Identifier: GPL-2.0 */
/* The memory of an IOSC window: SIGMA_IOSC_SIZE bytes, aligned to their size. */
#ifndef _SIGMA_WINDOW_H
#define _SIGMA_WINDOW_H

#include <linux/types.h>

#include "uapi/sigma.h"

/**
 * struct sigma_place - where a window is to be
 * @phys: its physical address; 0: anywhere
 * @memory: bytes of memory that the guest is going to have, which are not taken from the pool for this
 * @reason: out, with @phys, on an error: SIGMA_REASON_PLACE_*
 */
struct sigma_place {
	u64 phys;
	u64 memory;
	enum sigma_reason *reason;
};

struct sigma_window {
	void *at;
	bool from_pool;
};

/** sigma_window_lend - take the memory, and zero it. May sleep. Return: 0 or -ENOMEM */
int sigma_window_lend(struct sigma_window *window, const struct sigma_place *place);

/** sigma_window_return - give it back; may sleep */
void sigma_window_return(struct sigma_window *window);

#endif
