/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a kernel finds out about the CPU when it boots, and relies on from then on. A guest that was saved
 * can only go on where the CPU is the same, or has all that it had.
 */
#ifndef SIGMA_PROCESSOR_H
#define SIGMA_PROCESSOR_H

#include <stdbool.h>
#include <stdint.h>

#define PROCESSOR_SAME		5
#define PROCESSOR_FEATURES	16

/**
 * struct processor - from CPUID
 * @same: words that must be equal: vendor, family, model, stepping, and bits of an address
 * @features: words of which each bit must still be set
 */
struct processor {
	uint32_t same[PROCESSOR_SAME];
	uint32_t features[PROCESSOR_FEATURES];
};

/** processor_read - of the CPU that this runs on */
void processor_read(struct processor *processor);

/** processor_serves - can a kernel that booted on @was go on on @is? */
bool processor_serves(const struct processor *is, const struct processor *was);

#endif
