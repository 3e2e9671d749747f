// SPDX-License-Identifier: GPL-2.0
/*
 * What wakes a guest: see wakeon.h.
 *
 * sigma.ko tells when a doorbell of a guest that is asleep was rung. The words of the doorbells, which tell
 * which one, are in the IOSC window, and keep what was rung before sigmad looked, or served this guest. A
 * NIC's doorbell says nothing about the frame, so the tap drops those that do not count
 * (virtio/wake_filter.h): from when the guest says that it is about to sleep, until it is awake.
 *
 * Whatever a guest writes there, it only decides when it is woken itself.
 */
#include <endian.h>
#include <errno.h>
#include <linux/virtio_ids.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "../common/log.h"
#include "virtio/bus.h"
#include "virtio/wake_filter.h"
#include "wakeon.h"

#define USEC_PER_SEC	UINT64_C(1000000)
#define AT_MAX		UINT64_C(253402300800)	/* seconds: the year 10000, beyond what sigmactl can print */
#define AGAIN_USEC	(2 * USEC_PER_SEC)	/* between two attempts to wake it */

#define READ_ONCE(word)	(*(const volatile __typeof__(word) *)&(word))

static const struct sigma_iosc_header *header_of(const struct wakeon *wakeon)
{
	return (const void *)(wakeon->machine->guest.iosc + SIGMA_IOSC_HEADER_OFF);
}

static bool is_asleep(const struct wakeon *wakeon)
{
	return wakeon->machine->guest.info.state == SIGMA_STATE_ASLEEP;
}

/* The filters of taps */

static void read_frames(const struct wakeon *wakeon, struct wake_frames *frames)
{
	struct sigma_iosc_wake wake;

	/* It may change meanwhile, so look at the copy alone */
	memcpy(&wake, (const void *)&header_of(wakeon)->wake, sizeof(wake));
	__asm__ volatile("" : : : "memory");
	frames->nr_ipv4 = le32toh(wake.nr_ipv4);
	frames->nr_groups = le32toh(wake.nr_groups);
	if (frames->nr_ipv4 > SIGMA_WAKE_ADDRESSES)
		frames->nr_ipv4 = 0;
	if (frames->nr_groups > SIGMA_WAKE_ADDRESSES)
		frames->nr_groups = 0;
	memcpy(frames->ipv4, wake.ipv4, sizeof(frames->ipv4));
	for (unsigned int i = 0; i < SIGMA_WAKE_ADDRESSES; i++)
		memcpy(frames->group[i], wake.group[i], sizeof(frames->group[i]));
}

static void set_filters(struct wakeon *wakeon, bool on)
{
	struct wake_frames frames = {
		.magic_only = !(wakeon->machine->config->wake_on & WAKE_ON_NETWORK),
	};

	if (on == wakeon->filters ||
	    !(wakeon->machine->config->wake_on & (WAKE_ON_NETWORK | WAKE_ON_MAGIC)))
		return;
	wakeon->filters = on;
	wakeon->sleeps = READ_ONCE(header_of(wakeon)->guest.sleeps);
	if (on)
		read_frames(wakeon, &frames);
	virtio_bus_filter(wakeon->machine->devices, on ? &frames : NULL);
}

void wakeon_sleeps(struct wakeon *wakeon, bool asleep)
{
	set_filters(wakeon, asleep);
}

/* What has come */

static bool has_rung(const struct wakeon *wakeon, char *what, size_t size)
{
	const unsigned int on = wakeon->machine->config->wake_on;
	const struct sigma_iosc_doorbell *doorbell = &header_of(wakeon)->to_guest;
	uint64_t pending[SIGMA_DOORBELL_WORDS];
	int id;

	for (unsigned int i = 0; i < SIGMA_DOORBELL_WORDS; i++)
		pending[i] = le64toh(READ_ONCE(doorbell->pending[i]));
	if (on & (WAKE_ON_NETWORK | WAKE_ON_MAGIC)) {
		id = virtio_bus_rung(wakeon->machine->devices, pending, VIRTIO_ID_NET);
		snprintf(what, size, "a frame for net%d", id);
		if (id >= 0)
			return true;
	}
	if (on & WAKE_ON_VSOCK && virtio_bus_rung(wakeon->machine->devices, pending, VIRTIO_ID_VSOCK) >= 0) {
		snprintf(what, size, "a program of the host, by AF_VSOCK");
		return true;
	}
	for (unsigned int n = SIGMA_DOORBELL_END; on & WAKE_ON_CHANNEL && n < SIGMA_DOORBELLS; n++) {
		if (!(pending[n / 64] >> n % 64 & 1))
			continue;
		snprintf(what, size, "channel %u", n - SIGMA_DOORBELL_END + 1);
		return true;
	}
	return false;
}

/* Not by time(2), which may be some milliseconds behind the timer's clock */
static bool is_past(uint64_t usec)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return usec <= now.tv_sec * USEC_PER_SEC + now.tv_nsec / 1000;
}

static bool is_time(const struct wakeon *wakeon, char *what, size_t size)
{
	if (!wakeon->at || !is_past(wakeon->at))
		return false;
	snprintf(what, size, "%s", wakeon->at == wakeon->asked ? "the time that was set" : "its alarm");
	return true;
}

static uint64_t now(const struct wakeon *wakeon)
{
	uint64_t usec = 0;

	sd_event_now(wakeon->machine->event, CLOCK_MONOTONIC, &usec);
	return usec;
}

static int on_again(sd_event_source *source, uint64_t usec, void *data);

static void look_again(struct wakeon *wakeon, uint64_t at)
{
	int error = sd_event_add_time(wakeon->machine->event, &wakeon->again, CLOCK_MONOTONIC, at, 0, on_again,
				      wakeon);

	if (error < 0)
		log_warning("what comes for the guest may not wake it: no timer: %s", strerror(-error));
}

/* A guest that falls asleep again at once, and finds a reason to wake each time, has its CPUs lent each time */
static void look(struct wakeon *wakeon)
{
	char what[64];

	if (wakeon->held || !is_asleep(wakeon) || wakeon->again)
		return;
	if (!is_time(wakeon, what, sizeof(what)) && !has_rung(wakeon, what, sizeof(what)))
		return;
	if (wakeon->woken && now(wakeon) < wakeon->woken + AGAIN_USEC) {
		look_again(wakeon, wakeon->woken + AGAIN_USEC);
		return;
	}
	wakeon->woken = now(wakeon);
	wakeon->wake(wakeon->owner, what);
}

static int on_again(sd_event_source *source, uint64_t usec, void *data)
{
	struct wakeon *wakeon = data;

	wakeon->again = sd_event_source_disable_unref(wakeon->again);
	look(wakeon);
	return 0;
}

void wakeon_failed(struct wakeon *wakeon)
{
	if (!wakeon->again && is_asleep(wakeon))
		look_again(wakeon, now(wakeon) + AGAIN_USEC);
}

void wakeon_hold(struct wakeon *wakeon, bool hold)
{
	wakeon->held = hold;
	look(wakeon);
}

/* The time */

static void set_timer(struct wakeon *wakeon);

/* The clock may have been set back just now */
static int on_time(sd_event_source *source, uint64_t usec, void *data)
{
	set_timer(data);
	look(data);
	return 0;
}

static uint64_t alarm_of_guest(const struct wakeon *wakeon)
{
	uint64_t seconds = le64toh(READ_ONCE(header_of(wakeon)->guest.wake_at));

	return seconds < AT_MAX ? seconds * USEC_PER_SEC : 0;
}

static void set_timer(struct wakeon *wakeon)
{
	uint64_t alarm = alarm_of_guest(wakeon);
	int error;

	wakeon->timer = sd_event_source_disable_unref(wakeon->timer);
	wakeon->at = wakeon->asked && (!alarm || wakeon->asked < alarm) ? wakeon->asked : alarm;
	if (!wakeon->at || is_past(wakeon->at))
		return;
	error = sd_event_add_time(wakeon->machine->event, &wakeon->timer, CLOCK_REALTIME, wakeon->at, 1,
				  on_time, wakeon);
	if (error < 0)
		log_warning("the guest will not be woken at its time: no timer: %s", strerror(-error));
}

void wakeon_set(struct wakeon *wakeon, uint64_t usec)
{
	wakeon->asked = usec;
	if (!wakeon->watching)
		return;
	set_timer(wakeon);
	look(wakeon);
}

uint64_t wakeon_at(const struct wakeon *wakeon)
{
	return wakeon->at;
}

static void stop(struct wakeon *wakeon)
{
	wakeon->watching = false;
	wakeon->asked = 0;
	wakeon->at = 0;
	wakeon->timer = sd_event_source_disable_unref(wakeon->timer);
	wakeon->again = sd_event_source_disable_unref(wakeon->again);
	set_filters(wakeon, false);
}

/* It may have slept and be awake again before this process looked. Before it sleeps it is neither */
static bool is_awake(const struct wakeon *wakeon)
{
	return wakeon->watching || wakeon->machine->guest.info.state == SIGMA_STATE_BOOTING ||
	       (wakeon->filters && READ_ONCE(header_of(wakeon)->guest.sleeps) != wakeon->sleeps);
}

void wakeon_watch(struct wakeon *wakeon)
{
	if (!is_asleep(wakeon)) {
		if (is_awake(wakeon))
			stop(wakeon);
		return;
	}
	if (!wakeon->watching) {
		wakeon->watching = true;
		/* Its driver may be one that does not say so before */
		set_filters(wakeon, true);
		set_timer(wakeon);
	}
	look(wakeon);
}

void wakeon_end(struct wakeon *wakeon)
{
	wakeon->timer = sd_event_source_disable_unref(wakeon->timer);
	wakeon->again = sd_event_source_disable_unref(wakeon->again);
}
