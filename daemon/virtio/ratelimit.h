/* SPDX-License-Identifier: GPL-2.0 */
/*
 * At most RATELIMIT_BURST messages in RATELIMIT_SECONDS about something that a guest can
 * cause at will, so that it can't fill the host's journal. One user (thread) for each.
 */
#ifndef SIGMA_VIRTIO_RATELIMIT_H
#define SIGMA_VIRTIO_RATELIMIT_H

#include <stdbool.h>
#include <time.h>

#define RATELIMIT_SECONDS	10
#define RATELIMIT_BURST		5

struct ratelimit {
	time_t since;
	unsigned int nr;
};

/** ratelimit - may another message be written now? */
static inline bool ratelimit(struct ratelimit *limit)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec - limit->since >= RATELIMIT_SECONDS) {
		limit->since = now.tv_sec;
		limit->nr = 0;
	}
	if (limit->nr == RATELIMIT_BURST)
		return false;
	limit->nr++;
	return true;
}

#endif
