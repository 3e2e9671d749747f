// SPDX-License-Identifier: GPL-2.0
/*
 * Messages for people: see log.h. Each one is put together in a buffer and leaves in
 * a single write, so that lines of several processes on one terminal don't mix.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "log.h"

#define LOG_LINE_MAX 2048

static const char *log_guest;
static bool log_to_journal;

/*
 * Is stderr the stream that systemd connected to the journal? $JOURNAL_STREAM alone
 * doesn't tell: it is inherited by processes whose stderr was redirected since
 * (systemd.exec(5)).
 */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	if (!stream || sscanf(stream, "%llu:%llu", &dev, &ino) != 2)
		return false;
	return !fstat(STDERR_FILENO, &st) && st.st_dev == dev && st.st_ino == ino;
}

void log_open(const char *guest)
{
	log_guest = guest;
	log_to_journal = stderr_is_journal();
}

static void log_line(const char *level, const char *kind, const char *fmt, va_list ap)
{
	char line[LOG_LINE_MAX];
	int len, more;

	len = snprintf(line, sizeof(line), "%ssigmad: %s%s%s", log_to_journal ? level : "",
		       log_guest ?: "", log_guest ? ": " : "", log_to_journal ? "" : kind);
	more = vsnprintf(line + len, sizeof(line) - len, fmt, ap);
	if (more < 0)
		return;
	len += more;
	if (len > (int)sizeof(line) - 2)
		len = sizeof(line) - 2;
	line[len++] = '\n';

	/* Nothing can be told to anybody when stderr doesn't take it */
	if (write(STDERR_FILENO, line, len) < 0)
		return;
}

void log_info(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(SD_INFO, "", fmt, ap);
	va_end(ap);
}

void log_warning(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(SD_WARNING, "warning: ", fmt, ap);
	va_end(ap);
}

int log_error(int error, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(SD_ERR, "error: ", fmt, ap);
	va_end(ap);
	return error;
}
