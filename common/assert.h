/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Assertions about the invariants of our own code: indices, states, which thread or lock it is. A
 * guest, a user or a file can never make one fail; what those say is checked wherever it is read.
 *
 * Unit and fuzz builds have SIGMA_ASSERT (SANITIZE in the Makefile) and abort where an invariant
 * does not hold. Other builds compile the condition and never evaluate it.
 */
#ifndef SIGMA_ASSERT_H
#define SIGMA_ASSERT_H

#ifdef SIGMA_ASSERT

#include <stdio.h>
#include <stdlib.h>

#define sigma_assert(condition) do {						\
	if (!(condition)) {							\
		fprintf(stderr, "%s:%d: %s(): does not hold: %s\n", __FILE__,	\
			__LINE__, __func__, #condition);			\
		abort();							\
	}									\
} while (0)

#else

#define sigma_assert(condition) ((void)sizeof((condition) ? 1 : 0))

#endif
#endif
