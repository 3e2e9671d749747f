/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A limit for the time that the interrupts of several guests take of one CPU, together a quarter of
 * it. Each guest has a leaky bucket, and the CPU has one for all of them.
 */
#ifndef _SIGMA_LIMIT_H
#define _SIGMA_LIMIT_H

#include <linux/types.h>

#define SIGMA_LIMIT_SHARE	4	/* all guests have one CPU's time divided by this */

/**
 * struct sigma_limit - a leaky bucket
 * @ns: nanoseconds that were taken and have not drained yet
 * @at: when @ns was right, in ns
 */
struct sigma_limit {
	__u64 ns, at;
};

/**
 * sigma_limit_take - fill @limit by the time that was taken
 * @now: in ns. It may be before @limit->at: the clocks of two CPUs differ, and interrupts may move
 * @taken: ns
 * @share: the bucket drains by a @share-th of the time that passes
 */
static inline void sigma_limit_take(struct sigma_limit *limit, __u64 now, __u64 taken,
				    unsigned int share)
{
	__u64 drained = now > limit->at ? (now - limit->at) / share : 0;

	limit->ns = taken + (limit->ns > drained ? limit->ns - drained : 0);
	limit->at = now;
}

/**
 * sigma_limit_account - a guest's interrupt has taken time
 * @all: the CPU's
 * @own: the guest's
 * @nr: number of guests
 */
static inline void sigma_limit_account(struct sigma_limit *all, struct sigma_limit *own, __u64 now,
				       __u64 taken, unsigned int nr)
{
	sigma_limit_take(all, now, taken, SIGMA_LIMIT_SHARE);
	sigma_limit_take(own, now, taken, SIGMA_LIMIT_SHARE * nr);
}

/**
 * sigma_limit_exceeded - shall the interrupts of this guest pause?
 * @burst: ns by which all guests together may be ahead of their share
 *
 * They shall if all guests take too much, and this one takes more than its part, which is the same
 * for all @nr guests. The buckets of the guests add up to the CPU's at least, since each drains an
 * @nr-th as fast. So as long as the CPU's is too full, at least one guest is above its part. Each of
 * the others can add a part at most until it is, too. So the CPU's bucket never holds more than two
 * bursts, whatever the guests do together.
 */
static inline bool sigma_limit_exceeded(struct sigma_limit *all, struct sigma_limit *own, __u64 now,
					unsigned int nr, __u64 burst)
{
	sigma_limit_account(all, own, now, 0, nr);
	return all->ns > burst && own->ns > burst / nr;
}

#endif
