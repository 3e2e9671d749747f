// SPDX-License-Identifier: GPL-2.0
/*
 * Checks around each input: no file descriptor may stay open, and sigmad's messages are bounded and
 * readable. common/log.c is not linked, since its functions are defined here.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <time.h>
#include <unistd.h>

#include "../../common/log.h"
#include "../../daemon/virtio/ratelimit.h"
#include "fuzz.h"

#define MESSAGE_MAX	1024	/* bytes */
#define QUOTES_MAX	8192	/* with a line of a file */

bool fuzz_any_bytes;

static unsigned int messages;
static time_t began;
static int first_fd;

static time_t now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

static int free_fd(void)
{
	int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);

	close(fd);
	return fd;
}

void fuzz_begin(void)
{
	messages = 0;
	began = now();
	first_fd = free_fd();
}

void fuzz_end(void)
{
	FUZZ_CHECK(free_fd() == first_fd);
}

unsigned int fuzz_messages(void)
{
	return __atomic_load_n(&messages, __ATOMIC_ACQUIRE);
}

void fuzz_check_messages(unsigned int limits)
{
	unsigned int bursts = (now() - began) / RATELIMIT_SECONDS + 2;

	FUZZ_CHECK(fuzz_messages() <= bursts * limits * RATELIMIT_BURST);
}

/* Called by any thread */
static void message(const char *fmt, va_list ap)
{
	char text[QUOTES_MAX];
	int len = vsnprintf(text, sizeof(text), fmt, ap);

	FUZZ_CHECK(len > 0 && len < (fuzz_any_bytes ? QUOTES_MAX : MESSAGE_MAX));
	for (int i = 0; i < len; i++)
		FUZZ_CHECK(fuzz_any_bytes || (text[i] >= ' ' && text[i] <= '~'));
	__atomic_fetch_add(&messages, 1, __ATOMIC_ACQ_REL);
	if (getenv("FUZZ_LOG"))
		fprintf(stderr, "%s\n", text);
}

void log_info(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	message(fmt, ap);
	va_end(ap);
}

void log_warning(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	message(fmt, ap);
	va_end(ap);
}

int log_error(int error, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	message(fmt, ap);
	va_end(ap);
	return error;
}
