/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Observers of the guest: D-Bus (bus.c), the service manager (notify.c) and the journal
 * (journal.c), systemd-logind and machined (systembus.c); and the supervisor for what the guest's
 * messages say. The code that makes and supervises the guest calls them only through struct
 * observer_ops and includes none of their headers.
 */
#ifndef SIGMA_OBSERVER_H
#define SIGMA_OBSERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OBSERVERS_MAX	6

/* Source of text that the guest writes */
enum guest_stream { STREAM_KERNEL, STREAM_CONSOLE, GUEST_STREAMS };

/**
 * struct observer_ops - calls to an observer; each one may be NULL
 * @open: the guest's folder, /run/sigma/NAME, exists. Return: 0, or a reported negative errno,
 *	  which ends the start of the guest
 * @close: everything of the guest was given back; called only after @open returned 0
 * @progress: the current step of the start: "Loading its kernel."
 * @patience: the program that started the guest should wait for @usec microseconds more
 * @ready: the guest is started as asked for
 * @state: the guest's state changed to @state, an enum sigma_state
 * @devices: the list of the guest's devices changed
 * @released: the unplug of device @id ended; @error: 0: the guest released the device; -EBUSY: the
 *	      guest has it in use
 * @awake: the guest was asked to sleep, and could not; @error: its errno value
 * @sleeps: the guest is about to sleep, or does not after all; only of one that networks may wake
 * @text: the guest wrote @len bytes
 * @ending: the event loop is about to end
 *
 * Context: the event loop's thread.
 */
struct observer_ops {
	int (*open)(void *data);
	void (*close)(void *data);
	void (*progress)(void *data, const char *what);
	void (*patience)(void *data, uint64_t usec);
	void (*ready)(void *data);
	void (*state)(void *data, uint32_t state);
	void (*devices)(void *data);
	void (*released)(void *data, unsigned int id, int error);
	void (*awake)(void *data, int error);
	void (*sleeps)(void *data, bool asleep);
	void (*text)(void *data, enum guest_stream stream, const char *text, size_t len);
	void (*ending)(void *data);
};

/**
 * struct observers - the observers of one guest; zero to begin with
 * @nr: number of observers
 * @nr_open: number of observers, from the first one on, whose open() returned 0
 * @observer: the observers, each with the data for its calls
 */
struct observers {
	unsigned int nr, nr_open;
	struct {
		const struct observer_ops *ops;
		void *data;
	} observer[OBSERVERS_MAX];
};

/** observers_add - add an observer, before observers_open(); OBSERVERS_MAX at most */
void observers_add(struct observers *observers, const struct observer_ops *ops, void *data);

/** observers_open - open all; 0, or the error of the first that failed, and none is open then */
int observers_open(struct observers *observers);
void observers_close(struct observers *observers);

/* The other calls of struct observer_ops, for each observer in the order of observers_add() */
void observers_progress(const struct observers *observers, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void observers_patience(const struct observers *observers, uint64_t usec);
void observers_ready(const struct observers *observers);
void observers_state(const struct observers *observers, uint32_t state);
void observers_devices(const struct observers *observers);
void observers_released(const struct observers *observers, unsigned int id, int error);
void observers_awake(const struct observers *observers, int error);
void observers_sleeps(const struct observers *observers, bool asleep);
void observers_text(const struct observers *observers, enum guest_stream stream,
		    const char *text, size_t len);
void observers_ending(const struct observers *observers);

#endif
