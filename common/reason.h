/* SPDX-License-Identifier: GPL-2.0 */
/* sigma.ko's reasons (struct sigma_why), in words for people. */
#ifndef SIGMA_REASON_H
#define SIGMA_REASON_H

#include <stddef.h>
#include <stdint.h>

#include "../kmod/uapi/sigma.h"

#define REASON_TEXT_MAX	256	/* bytes that every reason fits into */

/**
 * reason_text - say what is wrong, and the remedy
 * @memory: bytes that the guest asked for; 0 if this is not about a new guest
 */
void reason_text(const struct sigma_why *why, uint64_t memory, char text[REASON_TEXT_MAX]);

/**
 * reason_of_wake - why a guest that is asleep cannot be woken
 * @error: -errno of SIGMA_WAKE
 */
void reason_of_wake(int error, const struct sigma_why *why, char text[REASON_TEXT_MAX]);

#endif
