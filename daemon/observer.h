/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Observers of the guest: D-Bus (bus.c), the service manager (notify.c) and the journal
 * (journal.c). Whatever makes and supervises the guest calls them through struct observer_ops
 * alone and includes none of their headers.
 */
#ifndef SIGMA_OBSERVER_H
#define SIGMA_OBSERVER_H

#include <stddef.h>
#include <stdint.h>

#define OBSERVERS_MAX	4

/* Where text that the guest writes comes from */
enum guest_stream { STREAM_KERNEL, STREAM_CONSOLE, GUEST_STREAMS };

/**
 * struct observer_ops - what an observer is told; each one may be NULL
 * @open: the guest has its folder, /run/sigma/NAME; 0, or a reported negative errno, which ends
 *	  the start of the guest
 * @close: everything of the guest was given back; only after @open returned 0
 * @progress: what the start of the guest does now: "Loading its kernel."
 * @patience: who started the guest shall wait for @usec microseconds more
 * @ready: the guest is started as it was asked for
 * @state: the guest has another state, an enum sigma_state
 * @devices: the list of the guest's devices is another one
 * @released: the guest was asked to let go of device @id; @error: 0: it did; -EBUSY: it has it in
 *	      use
 * @text: @len bytes that the guest wrote
 * @ending: the event loop is about to end, whatever was asked for
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
	void (*text)(void *data, enum guest_stream stream, const char *text, size_t len);
	void (*ending)(void *data);
};

/**
 * struct observers - those of one guest; zero to begin with
 * @nr_open: the first ones, whose open() was called
 */
struct observers {
	unsigned int nr, nr_open;
	struct {
		const struct observer_ops *ops;
		void *data;
	} observer[OBSERVERS_MAX];
};

/** observers_add - one more, before observers_open(); OBSERVERS_MAX at most */
void observers_add(struct observers *observers, const struct observer_ops *ops, void *data);

/** observers_open - 0, or the error of the first that could not; none is open then */
int observers_open(struct observers *observers);
void observers_close(struct observers *observers);

/* The other calls of struct observer_ops, to each of them in the order in which they were added */
void observers_progress(const struct observers *observers, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void observers_patience(const struct observers *observers, uint64_t usec);
void observers_ready(const struct observers *observers);
void observers_state(const struct observers *observers, uint32_t state);
void observers_devices(const struct observers *observers);
void observers_released(const struct observers *observers, unsigned int id, int error);
void observers_text(const struct observers *observers, enum guest_stream stream,
		    const char *text, size_t len);
void observers_ending(const struct observers *observers);

#endif
