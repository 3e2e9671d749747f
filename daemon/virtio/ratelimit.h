/* SPDX-License-Identifier: GPL-2.0 */
/*
 * At most RATELIMIT_BURST messages in RATELIMIT_SECONDS about something that a guest can
 * cause at will, so that it can't fill the host's journal.
 */
#ifndef SIGMA_VIRTIO_RATELIMIT_H
#define SIGMA_VIRTIO_RATELIMIT_H

#include <stdbool.h>
#include <stdint.h>

#define RATELIMIT_SECONDS	10
#define RATELIMIT_BURST		5

/**
 * struct ratelimit - zero to begin with
 * @state: upper half: second (CLOCK_MONOTONIC) in which the first message of a burst came,
 *	   lower half: how many have come since; atomics only
 */
struct ratelimit {
	uint64_t state;
};

/**
 * ratelimit_take - may another message be written, of @burst in RATELIMIT_SECONDS? Any thread
 * @left_out: out: how many were not, before this one
 */
bool ratelimit_take(struct ratelimit *limit, uint32_t burst, uint32_t *left_out);

/**
 * ratelimit_warn - log_warning() unless there were too many
 *
 * Any thread. How many were left out is told with the next one that is not.
 */
void ratelimit_warn(struct ratelimit *limit, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
