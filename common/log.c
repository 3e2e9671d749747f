// SPDX-License-Identifier: GPL-2.0
/*
 * Messages for people: see log.h. Each one is formatted in a buffer and written by a single
 * write(), so that lines of several processes on one terminal don't mix.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "assert.h"
#include "log.h"
#include "text.h"

#define LOG_LINE_MAX 8192	/* has room for a path and what is wrong with it */
#define LOG_FILE_MAX (256 * 1024)	/* bytes of the file, and of the older one */

static const char *log_program = "sigmad";
static const char *log_guest;
static bool log_to_journal, log_is_brief;
static _Thread_local FILE *collector;

/* The file that log_to_file() put behind stderr */
static struct {
	pthread_mutex_t lock;
	char path[PATH_MAX];	/* "": stderr is not such a file */
	size_t size;
} log_file = { .lock = PTHREAD_MUTEX_INITIALIZER };

/*
 * Is stderr the stream that systemd connected to the journal? $JOURNAL_STREAM alone does not
 * prove it: a process whose stderr was redirected inherits the variable, too (systemd.exec(5)).
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

void log_as(const char *program)
{
	log_program = program;
}

void log_brief(void)
{
	log_is_brief = true;
}

static int begin_file(const char *path)
{
	int error = 0, fd;

	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (dup2(fd, STDERR_FILENO) < 0)
		error = -errno;
	close(fd);
	return error;
}

/* Begin the next file with the same group and mode; false if that failed */
static bool rotate(void)
{
	char older[sizeof(log_file.path) + 2];
	struct stat st;

	sigma_assert(pthread_mutex_trylock(&log_file.lock) == EBUSY);
	snprintf(older, sizeof(older), "%s.1", log_file.path);
	return !fstat(STDERR_FILENO, &st) && !rename(log_file.path, older) &&
	       !begin_file(log_file.path) && !fchown(STDERR_FILENO, -1, st.st_gid) &&
	       !fchmod(STDERR_FILENO, st.st_mode);
}

int log_to_file(const char *path)
{
	char older[sizeof(log_file.path) + 2];
	int error;

	/* Keep the messages of a sigmad that died */
	snprintf(older, sizeof(older), "%s.1", path);
	rename(path, older);
	error = begin_file(path);
	if (error)
		return error;
	snprintf(log_file.path, sizeof(log_file.path), "%s", path);
	log_file.size = 0;
	log_to_journal = false;
	return 0;
}

/* Locked, because the threads of devices write messages, too */
static void write_line(const char *line, size_t len)
{
	pthread_mutex_lock(&log_file.lock);
	if (*log_file.path && log_file.size + len > LOG_FILE_MAX && rotate())
		log_file.size = 0;
	/*
	 * If no next file could be begun the message is dropped, since the bound comes first. A
	 * failure of write() has nowhere to be reported.
	 */
	if ((!*log_file.path || log_file.size + len <= LOG_FILE_MAX) &&
	    write(STDERR_FILENO, line, len) > 0)
		log_file.size += len;
	pthread_mutex_unlock(&log_file.lock);
}

/* A message may quote a file or an argument of any bytes, and terminals obey some of them */
static void log_line(const char *level, const char *kind, const char *fmt, va_list ap)
{
	char line[LOG_LINE_MAX], clean[LOG_LINE_MAX + TEXT_HELD_MAX + 1];
	struct text_filter filter = {};
	size_t size;
	int len, more;

	len = snprintf(line, sizeof(line), "%s%s: %s%s%s", log_to_journal ? level : "",
		       log_program, log_guest ?: "", log_guest ? ": " : "", log_to_journal ? "" : kind);
	more = vsnprintf(line + len, sizeof(line) - len, fmt, ap);
	if (more < 0)
		return;
	len += more;
	if (len > (int)sizeof(line) - 2)
		len = sizeof(line) - 2;
	size = text_clean(&filter, line, len, clean);
	size += text_clean_end(&filter, clean + size);
	clean[size++] = '\n';
	write_line(clean, size);
}

void log_info(const char *fmt, ...)
{
	va_list ap;

	if (log_is_brief && !*log_file.path)
		return;
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
	int saved = errno;	/* for %m, which is expanded twice */
	va_list ap;

	va_start(ap, fmt);
	log_line(SD_ERR, "error: ", fmt, ap);
	va_end(ap);
	if (collector) {
		errno = saved;
		va_start(ap, fmt);
		vfprintf(collector, fmt, ap);
		va_end(ap);
		fputc('\n', collector);
	}
	return error;
}

void log_collect(FILE *file)
{
	collector = file;
}
