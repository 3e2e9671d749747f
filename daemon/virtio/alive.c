// SPDX-License-Identifier: GPL-2.0
/* Waiting in the event loop: see alive.h. */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/param.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "alive.h"

void alive_say(void)
{
	/* sigmactl would not read it, and its socket would be full some day: see ../notify.c */
	if (sd_watchdog_enabled(0, NULL) > 0)
		sd_notify(0, "WATCHDOG=1");
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * UINT64_C(1000) + now.tv_nsec / 1000000;
}

int alive_wait(int fd, short events, unsigned int ms)
{
	const uint64_t deadline = now_ms() + ms;
	struct pollfd poll_fd = { .fd = fd, .events = events };

	for (;;) {
		uint64_t now = now_ms();
		unsigned int left = now < deadline ? deadline - now : 0;
		int ret = poll(&poll_fd, 1, MIN(left, ALIVE_SEC * 1000U));

		if (ret > 0)
			return ret;
		if (ret < 0 && errno != EINTR)
			return -errno;
		if (!left)
			return 0;
		if (!ret)
			alive_say();
	}
}
