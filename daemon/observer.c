// SPDX-License-Identifier: GPL-2.0
/* Observers of the guest: see observer.h. */
#include <stdarg.h>
#include <stdio.h>

#include "../common/assert.h"
#include "observer.h"

/* Call @op of each observer that has it, with the observer's data and the remaining arguments */
#define call_each(observers, op, ...) do {					\
	for (unsigned int i = 0; i < (observers)->nr; i++)			\
		if ((observers)->observer[i].ops->op)				\
			(observers)->observer[i].ops->op(			\
				(observers)->observer[i].data, ##__VA_ARGS__);	\
} while (0)

void observers_add(struct observers *observers, const struct observer_ops *ops, void *data)
{
	sigma_assert(observers->nr < OBSERVERS_MAX && !observers->nr_open);
	observers->observer[observers->nr].ops = ops;
	observers->observer[observers->nr++].data = data;
}

int observers_open(struct observers *observers)
{
	int error;

	for (; observers->nr_open < observers->nr; observers->nr_open++) {
		const struct observer_ops *ops = observers->observer[observers->nr_open].ops;

		error = ops->open ? ops->open(observers->observer[observers->nr_open].data) : 0;
		if (error) {
			observers_close(observers);
			return error;
		}
	}
	return 0;
}

void observers_close(struct observers *observers)
{
	while (observers->nr_open) {
		const struct observer_ops *ops = observers->observer[--observers->nr_open].ops;

		if (ops->close)
			ops->close(observers->observer[observers->nr_open].data);
	}
}

void observers_progress(const struct observers *observers, const char *fmt, ...)
{
	char what[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	call_each(observers, progress, what);
}

void observers_patience(const struct observers *observers, uint64_t usec)
{
	call_each(observers, patience, usec);
}

void observers_ready(const struct observers *observers)
{
	call_each(observers, ready);
}

void observers_state(const struct observers *observers, uint32_t state)
{
	call_each(observers, state, state);
}

void observers_devices(const struct observers *observers)
{
	call_each(observers, devices);
}

void observers_released(const struct observers *observers, unsigned int id, int error)
{
	call_each(observers, released, id, error);
}

void observers_awake(const struct observers *observers, int error)
{
	call_each(observers, awake, error);
}

void observers_sleeps(const struct observers *observers, bool asleep)
{
	call_each(observers, sleeps, asleep);
}

void observers_text(const struct observers *observers, enum guest_stream stream,
		    const char *text, size_t len)
{
	call_each(observers, text, stream, text, len);
}

void observers_ending(const struct observers *observers)
{
	call_each(observers, ending);
}
