/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Limits messages that a guest can cause at will, so that it cannot fill the host's journal: at
 * most RATELIMIT_BURST in RATELIMIT_SECONDS for each struct ratelimit.
 */
#ifndef SIGMA_VIRTIO_RATELIMIT_H
#define SIGMA_VIRTIO_RATELIMIT_H

#include <stdbool.h>
#include <stdint.h>

#define RATELIMIT_SECONDS	10
#define RATELIMIT_BURST		5

/**
 * struct ratelimit - zero to begin with
 * @state: upper half: second (CLOCK_MONOTONIC) of the first message of a burst; lower half: number
 *	   of messages since then; atomics only
 */
struct ratelimit {
	uint64_t state;
};

/**
 * ratelimit_take - may another message be written?
 * @burst: number of messages in RATELIMIT_SECONDS
 * @left_out: out: number of messages that were left out before this one
 *
 * Context: any thread.
 */
bool ratelimit_take(struct ratelimit *limit, uint32_t burst, uint32_t *left_out);

/**
 * ratelimit_warn - log_warning(), unless there were too many
 *
 * The next message that is written says how many were left out. Context: any thread.
 */
void ratelimit_warn(struct ratelimit *limit, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
