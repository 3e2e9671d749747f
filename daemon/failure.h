/* SPDX-License-Identifier: GPL-2.0 */
/* Messages about a guest that failed: why it panicked, or why its guard stopped it. */
#ifndef SIGMA_FAILURE_H
#define SIGMA_FAILURE_H

#include "guest.h"

/**
 * failure_log - log why the guest panicked or is contained
 * @kept: people can look at it until they stop it, and are told how
 */
void failure_log(const struct guest *guest, bool kept);

#endif
