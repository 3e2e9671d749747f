/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Keeps the host's OOM killer from sigmad.
 *
 * The guest's memory is mapped by sigmad and by the programs that serve its devices, so each of
 * them looks like the largest process of the host. But that memory is sigma.ko's, and the death of
 * a process frees nothing of it: the guest would lose its devices for nothing.
 */
#ifndef SIGMA_OOM_H
#define SIGMA_OOM_H

/* Of 1000: the guest's share of the memory that does not count. So a sigmad that leaks still dies */
#define OOM_SCORE_ADJ	(-900)

/**
 * oom_protect - give this process OOM_SCORE_ADJ, and so the processes that it makes
 *
 * A lower value than the default, as of a unit with OOMScoreAdjust=, stays as it is. Nothing
 * happens without CAP_SYS_RESOURCE; any other failure is a warning.
 */
void oom_protect(void);

#endif
