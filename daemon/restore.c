// SPDX-License-Identifier: GPL-2.0
/*
 * Making a guest from its file: see restore.h.
 *
 * The file is read once, from its beginning to its end, and what is in it goes to where it belongs. A file
 * that turns out to be damaged has done no harm: the guest does not run, and all is given back. The file
 * stays as it is.
 *
 * What is in a file was written by a sigmad, but is not trusted: see state_check().
 */
#include <endian.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../common/guestfile.h"
#include "../common/log.h"
#include "../common/rundir.h"
#include "../kmod/uapi/iosc.h"
#include "agent.h"
#include "devices.h"
#include "machine.h"
#include "restore.h"
#include "saveio.h"
#include "virtio/bus.h"

#define TSC_TOLERANCE	200	/* one in so many: the host measures the TSC again at each boot */

static const int ends[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT };

bool restore_is_interrupted(void)
{
	sigset_t pending;

	sigpending(&pending);
	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		if (sigismember(&pending, ends[i]))
			return true;
	return false;
}

static void block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		sigaddset(&set, ends[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

static int report_damage(int error)
{
	return log_error(error, "the file %s; no guest was made of it",
			 error == -ENODATA ? "is cut off" : "is damaged: its contents were altered");
}

static int check_head(const struct save_head *head, const char *name, bool copy)
{
	struct processor processor;

	if (!copy && strcmp(head->name, name))
		return log_error(-EINVAL, "the file has the guest %s, not %s", head->name, name);
	if (head->iosc_version != SIGMA_IOSC_VERSION)
		return log_error(-EPROTO, "the guest's sigma_guest.ko has version %u of the shared memory, and this sigmad has version %u; install SIGMA %s again to restore it",
				 head->iosc_version, SIGMA_IOSC_VERSION, head->sigma);
	processor_read(&processor);
	if (!processor_serves(&processor, &head->processor))
		return log_error(-EXDEV, "this is not the CPU that the guest was saved on, or it lacks what it had then; a guest goes on only where it was saved");
	return 0;
}

/* Its clocks would run at another rate than it believes */
static int check_tsc(const struct save_head *head, const struct guest *guest)
{
	uint64_t is = guest->info.tsc_khz, was = head->tsc_khz;

	if ((is > was ? is - was : was - is) <= was / TSC_TOLERANCE)
		return 0;
	return log_error(-EXDEV, "the CPU's time stamp counter has %llu kHz, and had %llu kHz when the guest was saved; a guest goes on only where it was saved",
			 (unsigned long long)is, (unsigned long long)was);
}

static int fill(struct restore *restore, const struct guest_memory *mem, uint8_t *state,
		uint8_t key[AGENT_KEY_SIZE], uint8_t low[SIGMA_LOW_SIZE], uint8_t *window)
{
	const struct save_parts parts = { .of = {
		[SAVE_STATE] = { state, restore->head.state_size },
		[SAVE_KEY] = { key, AGENT_KEY_SIZE },
		[SAVE_STAMPS] = { (uint8_t *)restore->stamps,
				  restore->head.nr_stamps * sizeof(*restore->stamps) },
		[SAVE_LOW] = { low, SIGMA_LOW_SIZE },
		[SAVE_WINDOW] = { window, SIGMA_IOSC_SIZE },
		[SAVE_MEMORY] = { mem->base, mem->size },
	} };
	struct save_reader reader;
	int error = save_reader_open(&reader, restore->fd, &restore->head);

	if (error)
		return log_error(error, "no memory to read the file");
	error = save_reader_fill(&reader, &parts, restore_is_interrupted);
	save_reader_close(&reader);
	if (error == -EINTR)
		return log_error(error, "interrupted; no guest was made");
	if (error == -ENODATA || error == -EBADMSG)
		return report_damage(error);
	return error ? log_error(error, "cannot read the file: %s", strerror(-error)) : 0;
}

static void note_broken(struct restore *restore, const struct guest_state *state)
{
	for (unsigned int id = 0; id < SIGMA_DEVICES; id++)
		if (state->devices.device[id].device_id && state->devices.device[id].broken)
			restore->broken |= 1ULL << id;
}

/* The area of memory objects, if it had one: sigma.ko checks that it is in the guest's memory */
static int set_shared(struct guest *guest, const uint8_t *window)
{
	const struct sigma_iosc_header *header = (const void *)(window + SIGMA_IOSC_HEADER_OFF);
	const struct sigma_shared shared = {
		.phys = le64toh(header->shared.phys), .size = le64toh(header->shared.size),
	};
	int error = shared.size ? guest_set_shared(guest, &shared) : 0;

	return error ? log_error(error, "sigma.ko refuses the guest's memory for memory objects: %s",
				 strerror(-error)) : 0;
}

/* The guest is whole: it becomes one that is asleep, and its folder has what the next sigmad needs */
static int settle(struct restore *restore, struct guest *guest, const uint8_t *state,
		  const uint8_t key[AGENT_KEY_SIZE], const uint8_t *window, const uint8_t *low)
{
	struct guest_state *adopted;
	int fd, error;

	error = rundir_make(guest->name);
	if (error)
		return error;
	error = state_adopt(&adopted, &fd, guest->name, state, restore->head.state_size);
	if (error)
		return error;
	note_broken(restore, adopted);
	/* Its own name comes from that of its file, which need not be there */
	if (restore->copy)
		snprintf(adopted->file, sizeof(adopted->file), GUEST_FILES "/%s" GUEST_SUFFIX, guest->name);
	error = agent_key_keep(guest->name, key);
	if (!error)
		error = set_shared(guest, window);
	if (!error) {
		error = guest_restore(guest, window, low);
		if (error)
			log_error(error, "sigma.ko refuses the guest's shared memory window: %s",
				  error == -EINVAL ? "it is none of a guest that is asleep" : strerror(-error));
	}
	/* Last: with it, the next sigmad would take the guest over */
	if (!error)
		error = state_show(fd, guest->name);
	state_close(adopted, fd);
	return error;
}

static int fill_and_settle(struct restore *restore, struct guest *guest)
{
	uint8_t key[AGENT_KEY_SIZE] = {}, low[SIGMA_LOW_SIZE] = {};
	uint8_t *state = calloc(1, restore->head.state_size);
	uint8_t *window = calloc(1, SIGMA_IOSC_SIZE);
	struct guest_memory mem = {};
	int error;

	error = state && window ? check_tsc(&restore->head, guest) :
		log_error(-ENOMEM, "no memory to read the file");
	if (!error)
		error = memory_open(&mem, guest->fd, &guest->info);
	if (!error)
		error = fill(restore, &mem, state, key, low, window);
	memory_close(&mem);
	if (!error)
		error = settle(restore, guest, state, key, window, low);
	explicit_bzero(key, sizeof(key));
	free(window);
	free(state);
	return error;
}

static int make(struct restore *restore, struct guest *guest)
{
	char why[REASON_TEXT_MAX];
	int error = guest_create_at(guest, &restore->head, why);

	if (error == -EEXIST)
		return error;
	if (error)
		return log_error(error, "the guest cannot be made where it was: %s", why);
	error = fill_and_settle(restore, guest);
	if (!error) {
		guest_leave(guest);
		return 0;
	}
	guest_destroy(guest);
	rundir_remove(guest->name);
	return error;
}

int restore_make(struct restore *restore, const char *name)
{
	struct guest guest = {};
	char why[SAVE_WHY_MAX];
	int error;

	block_signals();
	error = save_head_read(restore->fd, &restore->head, why);
	if (error)
		return log_error(error, "the file %s", why);
	error = check_head(&restore->head, name, restore->copy);
	snprintf(restore->head.name, sizeof(restore->head.name), "%s", name);
	if (!error)
		error = guest_open(&guest, name);
	if (error)
		return error;
	error = rundir_prepare() ?: make(restore, &guest);
	guest_close(&guest);
	return error;
}

/* What one copy wrote, the next one would not know of */
static int check_copy(const struct guest_config *config)
{
	for (unsigned int i = 0; i < config->nr_disks; i++)
		if (config->disk[i].keys && !config->disk[i].read_only)
			return log_error(-EROFS, "a copy would write to disk %s, which belongs to the guest that was saved; give that guest disks with ReadOnly=yes before it is saved, or restore it itself, without --copy",
					 config->disk[i].path ?: config->disk[i].socket);
	return 0;
}

int restore_check(const struct restore *restore, struct guest_config *config)
{
	if (strcmp(config->name, restore->head.name))
		return report_damage(-EBADMSG);
	if (!restore->copy)
		return 0;
	/* That which belongs to its name: the guest learns it with the end of its connections */
	config->vsock.cid = 0;
	return check_copy(config);
}

static const struct disk_stamp *find_stamp(const struct restore *restore, unsigned int id)
{
	for (unsigned int i = 0; i < restore->head.nr_stamps; i++)
		if (restore->stamps[i].device == id)
			return &restore->stamps[i];
	return NULL;
}

static const char *difference(const struct disk_stamp *is, const struct disk_stamp *was)
{
	if (!was)
		return "is not in the file";
	if (is->size != was->size)
		return "has another size";
	if (is->sample != was->sample)
		return "has other contents";
	return is->modified_ns != was->modified_ns ? "was written to, or is a copy without the times of the original" : NULL;
}

static int check_disk(const struct restore *restore, const struct machine *machine, unsigned int id)
{
	struct device_view view = { .name = "?" };
	struct disk_stamp stamp;
	const char *what;
	int ret = virtio_bus_stamp(machine->devices, id, &stamp);

	if (!ret)
		return 0;
	devices_view(machine, id, &view);
	if (ret < 0)
		return log_error(ret, "disk %s cannot be read: %s", view.name, strerror(-ret));
	what = difference(&stamp, find_stamp(restore, id));
	if (!what)
		return 0;
	if (restore->force) {
		log_warning("disk %s %s since the guest was saved; it goes on as --force demands, and may destroy its file systems",
			    view.name, what);
		return 0;
	}
	return log_error(-ESTALE, "disk %s %s since the guest was saved: the guest knows nothing of it, and would destroy its file systems; put the disk's contents of then back, or start the guest anew (--force restores it nevertheless)",
			 view.name, what);
}

int restore_check_disks(const struct restore *restore, const struct machine *machine)
{
	int error = 0;

	for (unsigned int id = 0; id < SIGMA_DEVICES && !error; id++)
		error = check_disk(restore, machine, id);
	return error;
}

int restore_check_devices(const struct restore *restore, const struct machine *machine)
{
	for (unsigned int id = 0; id < SIGMA_DEVICES; id++)
		if (virtio_bus_stopped(machine->devices, id) && !(restore->broken >> id & 1))
			return log_error(-ESTALE, "device %u of the guest cannot go on here", id);
	return 0;
}

void restore_undo(const struct restore *restore)
{
	if (!guest_give_back(restore->head.name))
		rundir_remove(restore->head.name);
}
