/* SPDX-License-Identifier: GPL-2.0 */
/* The kernel log of a guest that ends, made as complete as it can be. */
#ifndef SIGMA_SAVELOG_H
#define SIGMA_SAVELOG_H

#include "machine.h"

/**
 * savelog - before the guest's memory or its rings go away
 *
 * Of a guest that failed, and of one whose driver was never up, the log in its memory is saved, too.
 */
void savelog(struct machine *machine);

/** savelog_memory - save the log in the guest's memory; @why: for its head line */
void savelog_memory(struct machine *machine, const char *why);

#endif
