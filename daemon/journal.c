// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's log and console in the journal: see journal.h.
 *
 * The text goes over a stream (sd_journal_stream_fd(3)), where no text can become a field. Each
 * line is written whole, by one write(): if the journal is too slow, it gets all of a line or
 * nothing.
 *
 * The journal has a size, and drops what is oldest, whoever logged it. So a guest that never stops
 * writing gets no more than a part of it in a day.
 *
 * The guest's kernel also writes to the console. Console lines that look like its log are left
 * out, since the log itself has them.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/param.h>
#include <syslog.h>
#include <systemd/sd-journal.h>
#include <time.h>
#include <unistd.h>

#include "../common/text.h"
#include "../kmod/uapi/sigma.h"
#include "journal.h"
#include "virtio/ratelimit.h"

#define ENTRY_SIZE	200	/* bytes, about, that the fields of an entry take in the journal */

struct stream {
	char identifier[SIGMA_NAME_MAX + 16];	/* "": not opened */
	int fd;					/* -1: not connected */
	struct text_filter filter;
	struct ratelimit limit;
	uint64_t recent;			/* bytes, less JOURNAL_RATE for each second */
	time_t recent_at;			/* when @recent was right */
	uint32_t left_out;
	char line[JOURNAL_LINE_MAX + TEXT_HELD_MAX + 1];
	size_t len;
};

static struct stream streams[GUEST_STREAMS];

static void close_stream(struct stream *stream)
{
	if (stream->fd >= 0)
		close(stream->fd);
	stream->fd = -1;
}

void journal_close(void)
{
	for (unsigned int i = 0; i < GUEST_STREAMS; i++) {
		if (*streams[i].identifier)
			close_stream(&streams[i]);
		*streams[i].identifier = '\0';
	}
}

/* Connect to the journal, again if it was restarted */
static bool is_open(struct stream *stream)
{
	if (stream->fd >= 0)
		return true;
	stream->fd = sd_journal_stream_fd(stream->identifier, LOG_INFO, false);
	if (stream->fd < 0)
		return false;
	fcntl(stream->fd, F_SETFL, O_NONBLOCK);
	return true;
}

/* A leaky bucket: has the stream written more than its share for long? */
static bool is_ahead(struct stream *stream)
{
	struct timespec now;
	uint64_t leaked;

	clock_gettime(CLOCK_MONOTONIC, &now);
	leaked = (now.tv_sec - stream->recent_at) * JOURNAL_RATE;
	stream->recent -= MIN(leaked, stream->recent);
	stream->recent_at = now.tv_sec;
	return stream->recent >= JOURNAL_SAVED;
}

static bool put(struct stream *stream, const char *text, size_t len)
{
	ssize_t written;

	if (!is_open(stream))
		return false;
	written = write(stream->fd, text, len);
	if (written >= 0 || errno != EAGAIN) {
		if (written == (ssize_t)len) {
			stream->recent += len + ENTRY_SIZE;
			return true;
		}
		close_stream(stream);
	}
	return false;
}

/* Does the line begin like one of the kernel log, "[    1.234567] "? */
static bool is_kernels(const char *line, size_t len)
{
	size_t i = 0;

	if (i == len || line[i++] != '[')
		return false;
	while (i < len && line[i] == ' ')
		i++;
	while (i < len && isdigit((unsigned char)line[i]))
		i++;
	if (i == len || line[i++] != '.')
		return false;
	while (i < len && isdigit((unsigned char)line[i]))
		i++;
	return i < len && line[i] == ']';
}

static void put_line(struct stream *stream)
{
	uint32_t left_out = 0;
	char note[64];

	if (!ratelimit_take(&stream->limit, JOURNAL_BURST, &left_out))
		return;
	stream->left_out += left_out;
	if (is_ahead(stream)) {
		stream->left_out++;
		return;
	}
	if (stream->left_out &&
	    put(stream, note, snprintf(note, sizeof(note), "<%u lines are left out here>\n",
				       stream->left_out)))
		stream->left_out = 0;
	stream->line[stream->len] = '\n';
	if (!put(stream, stream->line, stream->len + 1))
		stream->left_out++;
}

static void end_line(struct stream *stream)
{
	if (stream->len && (stream == &streams[STREAM_KERNEL] ||
			    !is_kernels(stream->line, stream->len)))
		put_line(stream);
	stream->len = 0;
}

static void on_text(void *data, enum guest_stream nr, const char *text, size_t len)
{
	struct stream *stream = &streams[nr];

	if (!*stream->identifier)
		return;
	for (size_t i = 0; i < len; i++) {
		stream->len += text_clean(&stream->filter, text + i, 1,
					  stream->line + stream->len);
		if (stream->len && stream->line[stream->len - 1] == '\n') {
			stream->len--;
			end_line(stream);
		} else if (stream->len >= JOURNAL_LINE_MAX) {
			end_line(stream);
		}
	}
}

void journal_open(struct observers *observers, const char *guest)
{
	static const struct observer_ops ops = { .text = on_text };
	static const char * const sources[] = {
		[STREAM_KERNEL]	= "kernel",
		[STREAM_CONSOLE]	= "console",
	};

	for (unsigned int i = 0; i < GUEST_STREAMS; i++) {
		snprintf(streams[i].identifier, sizeof(streams[i].identifier), "%s@%s",
			 sources[i], guest);
		streams[i].fd = -1;
	}
	observers_add(observers, &ops, NULL);
}
