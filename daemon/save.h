/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest that is asleep is written to a file, after which it may be given up. Its devices pause from the
 * beginning until save_release(): in a file with less, or more, than they have done, it could not go on.
 */
#ifndef SIGMA_SAVE_H
#define SIGMA_SAVE_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "calls.h"
#include "machine.h"

/* Exit status of sigmad: the guest is kept, and the next sigmad can take it over */
#define SAVE_NOT_TAKEN	4

/**
 * save_done - the end of a request
 * @error: 0: all is in the file, and the devices still pause; or a negative errno: they go on
 * @why: the reason of an error; else NULL
 */
typedef void (*save_done)(void *data, int error, const char *why);

/**
 * struct save - the request, if there is one
 * @machine: the guest
 * @calls: where the file is written
 * @messages: the guest's control messages, of which none is handled while devices pause
 * @transient: the guest ends with the program that started it, so it cannot be saved
 * @over: called with @owner whenever devices go on
 */
struct save {
	struct machine *machine;
	struct calls *calls;
	sd_event_source **messages;
	bool transient;
	void (*over)(void *owner);
	void *owner;
	/* private to save.c */
	enum { SAVE_IDLE, SAVE_WAITING, SAVE_WRITING, SAVE_WRITTEN } step;
	save_done done;
	void *data;
	sd_event_source *timer;
	uint64_t waited_usec;
	struct call write;
	int fd;
	bool cancelled;		/* atomic */
	char why[REASON_TEXT_MAX];
};

/** save_check - can this guest be saved once it is asleep? 0, or -errno with the reason in @why */
int save_check(const struct save *save, char why[REASON_TEXT_MAX]);

/**
 * save_begin - write the guest to @fd
 * @fd: a new file, which this takes over in any case
 * @done: called with @data at the end, but not after an error
 * @why: out: the reason of an error
 *
 * The guest must be asleep. Return: 0 or -errno, not reported.
 */
int save_begin(struct save *save, int fd, save_done done, void *data, char why[REASON_TEXT_MAX]);

/** save_pauses - do devices pause? Then no message of the guest may be handled */
bool save_pauses(const struct save *save);

/** save_is_idle - is there no request, and do no devices pause? */
bool save_is_idle(const struct save *save);

/**
 * save_release - let the devices go on, whatever the request has come to
 *
 * One that is under way ends with an error, and @over is called then; else before this returns. Nothing
 * happens if there is none.
 */
void save_release(struct save *save);

/** save_watch - the guest's state has changed: one that does not sleep any more cannot be saved */
void save_watch(struct save *save);

/** save_cancel - the guest ends: have the writing end soon. calls_end() and save_end() follow */
void save_cancel(struct save *save);

/** save_end - the guest has ended */
void save_end(struct save *save);

#endif
