// SPDX-License-Identifier: GPL-2.0
/*
 * Writing a guest to a file: see save.h.
 *
 * What a sigmad that takes over needs is in memory that outlives this one: that of the guest, the IOSC
 * window and the state file. So a guest that is asleep, and whose devices pause, is all in there, and a
 * file with a copy of them is enough. The file is written in a thread of its own, which reads all that,
 * while the event loop leaves it alone.
 *
 * Requests of disks are waited for, and what they wrote is made stable: the guest believes that it is on
 * the disk, also after the host has restarted.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "../common/gueststate.h"
#include "../common/log.h"
#include "../common/version.h"
#include "agent.h"
#include "devices.h"
#include "save.h"
#include "saveio.h"
#include "virtio/bus.h"
#include "virtio/disk_stamp.h"

#define LOOK_USEC	10000
#define WAIT_USEC	60000000ULL	/* for requests of disks */
#define ALWAYS		EPOLLPRI
#define NOT_WANTED	"it was woken or ended meanwhile, or nobody waits for it any more"

/* In the thread: the contents of the file */

static int refuse(struct save *save, int error, const char *why)
{
	snprintf(save->why, sizeof(save->why), "%s", why);
	return error;
}

static void fill_head(const struct machine *machine, struct save_head *head)
{
	const struct sigma_info *info = &machine->guest.info;
	struct utsname host;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	uname(&host);
	*head = (struct save_head){
		.version = SAVE_VERSION, .size = sizeof(*head), .state_size = sizeof(*machine->state),
		.saved_usec = now.tv_sec * 1000000ULL + now.tv_nsec / 1000,
		.memory = info->memory, .iosc_phys = info->iosc_phys, .low_phys = info->low_phys,
		.guard = info->guard, .tsc_khz = info->tsc_khz, .iosc_version = SIGMA_IOSC_VERSION,
		.flags = machine->config->split_cores ? SIGMA_CREATE_SPLIT_CORES : 0,
		.nr_cpus = info->nr_cpus, .nr_segments = info->nr_segments,
	};
	memcpy(head->magic, SAVE_MAGIC, sizeof(head->magic));
	memcpy(head->name, info->name, sizeof(head->name));
	snprintf(head->sigma, sizeof(head->sigma), "%s", SIGMA_VERSION);
	snprintf(head->host, sizeof(head->host), "%.*s", SAVE_TEXT_MAX - 1, host.release);
	guest_text(&machine->guest, offsetof(struct sigma_iosc_guest, release), head->guest,
		   sizeof(head->guest));
	processor_read(&head->processor);
	memcpy(head->apic_ids, info->apic_ids, sizeof(head->apic_ids));
	memcpy(head->segments, info->segments, sizeof(head->segments));
}

static int stamp_disks(struct save *save, struct disk_stamp stamps[SIGMA_DEVICES], uint32_t *nr)
{
	for (unsigned int id = 0; id < SIGMA_DEVICES; id++) {
		int ret = virtio_bus_stamp(save->machine->devices, id, &stamps[*nr]);

		if (ret < 0) {
			snprintf(save->why, sizeof(save->why), "disk %u: what the guest wrote could not be made stable: %s",
				 id, strerror(-ret));
			return ret;
		}
		if (ret)
			stamps[(*nr)++].device = id;
	}
	return 0;
}

static int put_memory(struct save *save, struct save_writer *writer)
{
	const struct guest_memory *mem = &save->machine->memory;
	int error = save_writer_put_all(writer, SAVE_MEMORY, mem->base, mem->size);

	if (!error && memory_failed(mem))
		return refuse(save, -EIO, "its memory has an error");
	return error;
}

static int put_low(struct save *save, struct save_writer *writer)
{
	uint8_t low[SIGMA_LOW_SIZE];
	struct sigma_low args = { .buffer = (uintptr_t)low };

	if (ioctl(save->machine->guest.fd, SIGMA_READ_LOW, &args))
		return -errno;
	return save_writer_put(writer, SAVE_LOW, 0, low, sizeof(low));
}

static int put_key(struct save *save, struct save_writer *writer)
{
	uint8_t key[AGENT_KEY_SIZE];
	int error = agent_key_read(save->machine->guest.name, key);

	if (!error)
		error = save_writer_put(writer, SAVE_KEY, 0, key, sizeof(key));
	explicit_bzero(key, sizeof(key));
	return error;
}

static int put_all(struct save *save, struct save_writer *writer, const struct disk_stamp *stamps,
		   uint32_t nr_stamps)
{
	const struct machine *machine = save->machine;
	int error = 0;

	error = save_writer_put_all(writer, SAVE_STATE, machine->state, sizeof(*machine->state));
	if (!error)
		error = put_key(save, writer);
	if (!error && nr_stamps)
		error = save_writer_put(writer, SAVE_STAMPS, 0, stamps, nr_stamps * sizeof(*stamps));
	if (!error)
		error = put_low(save, writer);
	if (!error)
		error = save_writer_put_all(writer, SAVE_WINDOW, machine->guest.iosc, SIGMA_IOSC_SIZE);
	if (!error)
		error = put_memory(save, writer);
	return error ?: save_writer_end(writer);
}

static int write_file(void *data)
{
	struct save *save = data;
	struct disk_stamp stamps[SIGMA_DEVICES] = {};
	struct save_writer writer;
	struct save_head head;
	int error;

	fill_head(save->machine, &head);
	error = stamp_disks(save, stamps, &head.nr_stamps);
	if (error)
		return error;
	error = save_writer_open(&writer, save->fd, &head);
	if (error)
		return error;
	writer.cancelled = &save->cancelled;
	error = put_all(save, &writer, stamps, head.nr_stamps);
	save_writer_close(&writer);
	return error == -ECANCELED ? refuse(save, error, NOT_WANTED) : error;
}

/* In the event loop */

/*
 * If the devices cannot go on here, they can with the next sigmad, as after a death of this one: so this
 * one must not end the guest.
 */
static void go_on(struct save *save)
{
	save->step = SAVE_IDLE;
	if (virtio_bus_resume(save->machine->devices) ||
	    sd_event_source_set_io_events(*save->messages, ALWAYS | EPOLLIN) < 0) {
		log_error(-EIO, "sigmad cannot serve the guest's devices any more, and ends; the guest is kept as it is, and the next sigmad takes it over ('sigmactl start %s')",
			  save->machine->guest.name);
		_exit(SAVE_NOT_TAKEN);
	}
	save->over(save->owner);
}

static void answer(struct save *save, int error, const char *why)
{
	save_done done = save->done;

	save->done = NULL;
	if (done)
		done(save->data, error, why);
}

static void failed(struct save *save, int error)
{
	if (!*save->why)
		snprintf(save->why, sizeof(save->why), "%s", strerror(-error));
	log_warning("the guest was not saved: %s", save->why);
	answer(save, error, save->why);
}

static void on_written(void *data, int error)
{
	struct save *save = data;

	close(save->fd);
	/* It may have been woken by somebody else, of which the supervisor has not heard yet */
	if (!error && (save->cancelled || guest_has_changed(&save->machine->guest)))
		error = refuse(save, -ECANCELED, NOT_WANTED);
	if (error) {
		failed(save, error);
		go_on(save);
		return;
	}
	log_info("the guest is saved");
	save->step = SAVE_WRITTEN;
	answer(save, 0, NULL);
}

/* The devices have nothing to do any more */
static void begin_writing(struct save *save)
{
	int error;

	save->timer = sd_event_source_disable_unref(save->timer);
	save->step = SAVE_WRITING;
	sd_event_source_set_io_events(*save->messages, ALWAYS);
	virtio_bus_pause(save->machine->devices);
	save->write = (struct call){ .run = write_file, .done = on_written, .data = save };
	error = calls_add(save->calls, &save->write);
	if (error)
		on_written(save, error);
}

static void give_up(struct save *save, int error, const char *why)
{
	save->timer = sd_event_source_disable_unref(save->timer);
	close(save->fd);
	save->step = SAVE_IDLE;
	refuse(save, error, why);
	failed(save, error);
	save->over(save->owner);
}

static int on_look(sd_event_source *source, uint64_t usec, void *data)
{
	struct save *save = data;

	if (virtio_bus_idle(save->machine->devices)) {
		begin_writing(save);
	} else if (save->waited_usec >= WAIT_USEC) {
		give_up(save, -ETIMEDOUT, "a disk has not finished its requests in time");
	} else {
		save->waited_usec += LOOK_USEC;
		sd_event_source_set_time_relative(source, LOOK_USEC);
		sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	}
	return 0;
}

int save_check(const struct save *save, char why[REASON_TEXT_MAX])
{
	const struct machine *machine = save->machine;
	struct device_view view;

	if (save->step != SAVE_IDLE) {
		snprintf(why, REASON_TEXT_MAX, "it is being saved already");
		return -EALREADY;
	}
	if (save->transient || machine->owner) {
		snprintf(why, REASON_TEXT_MAX, "it ends with the program that started it");
		return -EOPNOTSUPP;
	}
	for (unsigned int id = 0; id < SIGMA_DEVICES; id++) {
		if (!machine->state->devices.device[id].device_id)
			continue;
		if (!virtio_bus_pauses(machine->devices, id) && devices_view(machine, id, &view)) {
			snprintf(why, REASON_TEXT_MAX, "its %s %.100s is served by another process, whose state is not in the guest's memory; remove it first",
				 guestfile_word(view.kind), view.name);
			return -EOPNOTSUPP;
		}
		if (machine->state->devices.device[id].leaving != DEVICE_STAYS) {
			snprintf(why, REASON_TEXT_MAX, "its device %u is about to be removed", id);
			return -EBUSY;
		}
	}
	return 0;
}

int save_begin(struct save *save, int fd, save_done done, void *data, char why[REASON_TEXT_MAX])
{
	const uint32_t state = save->machine->guest.info.state;
	int error = save_check(save, why);

	if (!error && state != SIGMA_STATE_ASLEEP) {
		snprintf(why, REASON_TEXT_MAX, "it is %s, not asleep", guest_state_name(state));
		error = -EPIPE;
	}
	if (!error) {
		error = sd_event_add_time_relative(save->machine->event, &save->timer, CLOCK_MONOTONIC, 0, 0,
						   on_look, save);
		if (error < 0)
			snprintf(why, REASON_TEXT_MAX, "%s", strerror(-error));
	}
	if (error < 0) {
		close(fd);
		return error;
	}
	save->step = SAVE_WAITING;
	save->fd = fd;
	save->done = done;
	save->data = data;
	save->waited_usec = 0;
	save->cancelled = false;
	*save->why = '\0';
	return 0;
}

bool save_is_idle(const struct save *save)
{
	return save->step == SAVE_IDLE;
}

bool save_pauses(const struct save *save)
{
	return save->step == SAVE_WRITING || save->step == SAVE_WRITTEN;
}

void save_release(struct save *save)
{
	switch (save->step) {
	case SAVE_IDLE:
		break;
	case SAVE_WAITING:
		give_up(save, -ECANCELED, NOT_WANTED);
		break;
	case SAVE_WRITING:
		save_cancel(save);
		break;
	case SAVE_WRITTEN:
		go_on(save);
		break;
	}
}

void save_watch(struct save *save)
{
	if (save->machine->guest.info.state != SIGMA_STATE_ASLEEP)
		save_release(save);
}

void save_cancel(struct save *save)
{
	__atomic_store_n(&save->cancelled, true, __ATOMIC_RELAXED);
}

void save_end(struct save *save)
{
	save->timer = sd_event_source_disable_unref(save->timer);
	if (save->step == SAVE_WAITING || save->step == SAVE_WRITING)
		close(save->fd);
	save->step = SAVE_IDLE;
	answer(save, -EPIPE, "it has ended");
}
