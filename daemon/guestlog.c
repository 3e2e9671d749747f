// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's kernel log: see guestlog.h and struct sigma_iosc_log.
 *
 * The guest writes without ever waiting, so it may overtake us, even while we copy. So its head is
 * read twice: before the copy, to know what there is, and after it, to know how much of the copy
 * the guest may have overwritten meanwhile. The file says how many bytes were lost.
 *
 * The file is bounded: when it is full it becomes PATH.1, and a new one is begun. People will print
 * it on terminals, so control characters are replaced before they get into it.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/param.h>
#include <unistd.h>

#include "../common/log.h"
#include "../common/rundir.h"
#include "../common/text.h"
#include "../kmod/uapi/iosc.h"
#include "guestlog.h"

#define LINE_MAX_SEEN 512	/* enough bytes to tell a line of a kernel log from others */

struct guestlog {
	const struct sigma_iosc_log *ring;
	uint64_t *tail;			/* bytes of the ring that were copied or lost */
	const struct observers *observers;
	int doorbell;
	sd_event_source *source;
	char path[RUNDIR_PATH_MAX];
	int fd;
	size_t size;			/* of the file */
	struct text_filter filter;
	bool failed;			/* a write failed, and that was reported */
	char buffer[SIGMA_IOSC_LOG_BYTES];
};

static int begin_file(struct guestlog *log, int flags)
{
	off_t size;

	log->fd = open(log->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | flags, 0640);
	if (log->fd < 0)
		return log_error(-errno, "cannot write the guest's log, %s: %s", log->path,
				 strerror(errno));
	rundir_share(log->path, 0640);
	size = lseek(log->fd, 0, SEEK_END);
	log->size = size < 0 ? GUESTLOG_FILE_MAX : size;
	return 0;
}

static void rotate(struct guestlog *log)
{
	char older[sizeof(log->path) + 2];

	snprintf(older, sizeof(older), "%s.1", log->path);
	rename(log->path, older);
	close(log->fd);
	begin_file(log, O_TRUNC);
}

void guestlog_write(struct guestlog *log, const char *text, size_t len)
{
	char clean[4096];

	while (len) {
		size_t part = MIN(len, sizeof(clean) - TEXT_HELD_MAX);
		size_t size = text_clean(&log->filter, text, part, clean);

		text += part;
		len -= part;

		if (log->size + size > GUESTLOG_FILE_MAX)
			rotate(log);
		if (log->fd < 0)
			return;
		if (write(log->fd, clean, size) < 0 && !log->failed) {
			log->failed = true;
			log_warning("the guest's log is incomplete: cannot write %s: %s",
				    log->path, strerror(errno));
		}
		log->size += size;
	}
}

static uint64_t ring_head(const struct guestlog *log)
{
	return le64toh(__atomic_load_n(&log->ring->head, __ATOMIC_ACQUIRE));
}

/* Write text that came over the ring, and tell observers */
static void deliver(struct guestlog *log, const char *text, size_t len)
{
	guestlog_write(log, text, len);
	observers_text(log->observers, STREAM_KERNEL, text, len);
}

static void write_missed(struct guestlog *log, uint64_t bytes)
{
	char text[64];

	deliver(log, text, snprintf(text, sizeof(text), "<missed %" PRIu64 " bytes>\n", bytes));
}

/* Bytes of [@log->tail, @head) that the ring no longer holds */
static uint64_t overwritten(const struct guestlog *log, uint64_t head)
{
	uint64_t waiting = head - *log->tail;

	return waiting > SIGMA_IOSC_LOG_BYTES ? waiting - SIGMA_IOSC_LOG_BYTES : 0;
}

void guestlog_drain(struct guestlog *log)
{
	uint64_t head = ring_head(log), missed, late;
	size_t len, at, first;

	if ((int64_t)(head - *log->tail) < 0) {	/* the guest moved its head backwards */
		*log->tail = head;
		return;
	}

	missed = overwritten(log, head);
	*log->tail += missed;
	len = head - *log->tail;
	at = *log->tail % SIGMA_IOSC_LOG_BYTES;
	first = len < SIGMA_IOSC_LOG_BYTES - at ? len : SIGMA_IOSC_LOG_BYTES - at;
	memcpy(log->buffer, log->ring->data + at, first);
	memcpy(log->buffer + first, log->ring->data, len - first);

	__atomic_thread_fence(__ATOMIC_ACQUIRE);	/* read the head again after the copy */
	late = overwritten(log, ring_head(log));
	if (late > len)
		late = len;
	if (missed + late)
		write_missed(log, missed + late);
	deliver(log, log->buffer + late, len - late);
	*log->tail = head;
}

const char *guestlog_rest(const struct guestlog *log, const char *text, size_t size)
{
	char last[LINE_MAX_SEEN];
	uint64_t tail = *log->tail;
	size_t len = MIN(tail, sizeof(last));
	const char *line, *end, *rest = text;

	for (size_t i = 0; i < len; i++)
		last[i] = log->ring->data[(tail - len + i) % SIGMA_IOSC_LOG_BYTES];
	end = memrchr(last, '\n', len);
	if (!end++)
		return text;
	line = memrchr(last, '\n', end - 1 - last);
	line = line ? line + 1 : last;
	for (const char *at = text; (at = memmem(at, text + size - at, line, end - line)); )
		rest = at += end - line;
	return rest;
}

static int on_doorbell(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	eventfd_t rung;

	eventfd_read(fd, &rung);
	guestlog_drain(data);
	return 0;
}

int guestlog_open(struct guestlog **out, sd_event *event, const uint8_t *iosc, const char *path,
		  uint64_t *tail, const struct observers *observers)
{
	struct guestlog *log = calloc(1, sizeof(*log));
	int error;

	if (!log)
		return log_error(-ENOMEM, "no memory for the guest's log");
	log->ring = (const void *)(iosc + SIGMA_IOSC_LOG_OFF);
	snprintf(log->path, sizeof(log->path), "%s", path);

	log->tail = tail;
	log->observers = observers;
	error = begin_file(log, *tail ? 0 : O_TRUNC);
	if (error)
		goto free_log;
	log->doorbell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (log->doorbell < 0) {
		error = log_error(-errno, "cannot make an eventfd: %s", strerror(errno));
		goto close_file;
	}
	error = sd_event_add_io(event, &log->source, log->doorbell, EPOLLIN, on_doorbell, log);
	if (error < 0) {
		log_error(error, "cannot watch the guest's log: %s", strerror(-error));
		goto close_doorbell;
	}
	/* A guest that logs without end must not starve its devices and sigmad */
	sd_event_source_set_priority(log->source, SD_EVENT_PRIORITY_IDLE);
	*out = log;
	return 0;

close_doorbell:
	close(log->doorbell);
close_file:
	close(log->fd);
free_log:
	free(log);
	return error;
}

void guestlog_close(struct guestlog *log)
{
	if (!log)
		return;
	sd_event_source_unref(log->source);
	close(log->doorbell);
	if (log->fd >= 0)
		close(log->fd);
	free(log);
}

int guestlog_doorbell(const struct guestlog *log)
{
	return log->doorbell;
}

void guestlog_restart(struct guestlog *log)
{
	*log->tail = 0;
}
