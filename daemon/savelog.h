/* SPDX-License-Identifier: GPL-2.0 */
/* Completes the kernel log of a guest that ends. */
#ifndef SIGMA_SAVELOG_H
#define SIGMA_SAVELOG_H

#include "machine.h"

/**
 * savelog - save the log that the ring holds; call it before memory and window go away
 *
 * If the guest failed, or its driver was never up, the log in its memory is saved, too.
 */
void savelog(struct machine *machine);

/** savelog_memory - save the log in the guest's memory; @why: for the line in front of it */
void savelog_memory(struct machine *machine, const char *why);

#endif
