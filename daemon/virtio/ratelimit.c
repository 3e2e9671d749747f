// SPDX-License-Identifier: GPL-2.0
/* Messages that a guest can cause at will: see ratelimit.h. */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "../../common/log.h"
#include "ratelimit.h"

bool ratelimit_take(struct ratelimit *limit, uint32_t burst, uint32_t *left_out)
{
	uint64_t old = __atomic_load_n(&limit->state, __ATOMIC_RELAXED), new;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	do {
		uint32_t since = old >> 32, nr = old;

		*left_out = 0;
		if ((uint32_t)now.tv_sec - since < RATELIMIT_SECONDS) {
			new = nr < UINT32_MAX ? old + 1 : old;
		} else {
			new = (uint64_t)now.tv_sec << 32 | 1;
			if (nr > burst)
				*left_out = nr - burst;
		}
	} while (!__atomic_compare_exchange_n(&limit->state, &old, new, true, __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
	return (uint32_t)new <= burst;
}

void ratelimit_warn(struct ratelimit *limit, const char *fmt, ...)
{
	uint32_t left_out;
	char text[2048];
	va_list ap;

	if (!ratelimit_take(limit, RATELIMIT_BURST, &left_out))
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (left_out)
		log_warning("%s (before that, %u warnings were left out)", text, left_out);
	else
		log_warning("%s", text);
}
