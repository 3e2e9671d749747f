/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Deadlines on the monotonic clock, in nanoseconds, and sleeping on a word until one. */
#ifndef IOSC_DEADLINE_H
#define IOSC_DEADLINE_H

#include <linux/futex.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define FOREVER		INT64_MAX

static inline int64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static inline int64_t deadline_after(int milliseconds)
{
	return milliseconds < 0 ? FOREVER : now() + milliseconds * 1000000LL;
}

/* Return: NULL without a deadline, else @left; 0 when it has passed */
static inline struct timespec *time_left(int64_t deadline, struct timespec *left)
{
	int64_t ns;

	if (deadline == FOREVER)
		return NULL;
	ns = deadline - now();
	ns = ns < 0 ? 0 : ns;
	left->tv_sec = ns / 1000000000;
	left->tv_nsec = ns % 1000000000;
	return left;
}

static inline bool passed(int64_t deadline)
{
	return deadline != FOREVER && now() >= deadline;
}

static inline void futex_wait(__u32 *word, __u32 value, int64_t deadline)
{
	struct timespec left;

	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, time_left(deadline, &left), NULL, 0);
}

static inline void futex_wake(__u32 *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

#endif
