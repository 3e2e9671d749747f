// SPDX-License-Identifier: GPL-2.0
/* The kinds of devices: see kinds.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../common/log.h"
#include "kinds.h"
#include "virtio/backends.h"
#include "virtio/bus.h"
#include "virtio/tap.h"

static void name_disk(const struct guest_config *config, unsigned int slot, char name[PATH_MAX])
{
	const struct guest_disk *disk = &config->disk[slot];

	snprintf(name, PATH_MAX, "%s", disk->path ?: disk->socket);
}

static void name_net(const struct guest_config *config, unsigned int slot, char name[PATH_MAX])
{
	if (config->net[slot].user)
		snprintf(name, PATH_MAX, "user-%u", slot);
	else
		tap_name(name, config->name, slot);
}

static void name_share(const struct guest_config *config, unsigned int slot, char name[PATH_MAX])
{
	snprintf(name, PATH_MAX, "%s", config->share[slot].tag);
}

/* Opening the disk would fail, too, on its lock. This message can name this guest as the user. */
static int check_disk(const struct guest_config *config, unsigned int slot)
{
	const struct guest_disk *disk = &config->disk[slot];
	const char *path = disk->path ?: disk->socket;

	for (unsigned int i = 0; i < config->nr_disks; i++) {
		const struct guest_disk *other = &config->disk[i];

		if (i != slot && other->keys && !strcmp(other->path ?: other->socket, path) &&
		    !(disk->read_only && other->read_only))
			return log_error(-EBUSY, "the guest has the disk %s already; remove it first, or set ReadOnly=yes for both",
					 path);
	}
	return 0;
}

static void log_net(const struct guest_config *config, unsigned int slot)
{
	char name[PATH_MAX];

	name_net(config, slot, name);
	if (!config->net[slot].user)
		log_info("eth%u is the other end of %s", slot, name);
}

#define MAKE(name, member, ...)								\
static int make_##member(struct virtio_making *making, const struct guest_config *config) \
{											\
	return virtio_##member##_add(making, &config->member[making->slot]);		\
}
GUEST_DEVICES(MAKE)

#define ROW(kind, member, ...)								\
	[GUEST_##kind] = { .make = make_##member, .name = name_##member },

/*
 * @make: make the device and add it to the bus; 0, or -errno and the reason in @making->said
 * @name: write the device's name to @name
 * @check: NULL, or may the device be hotplugged beside the others? 0 or a reported -errno
 * @log: NULL, or log what people should know of a device that was made
 */
static const struct {
	int (*make)(struct virtio_making *making, const struct guest_config *config);
	void (*name)(const struct guest_config *config, unsigned int slot, char name[PATH_MAX]);
	int (*check)(const struct guest_config *config, unsigned int slot);
	void (*log)(const struct guest_config *config, unsigned int slot);
} kinds[GUEST_DEVICE_KINDS] = {
	GUEST_DEVICES(ROW)
	[GUEST_DISK].check = check_disk,
	[GUEST_NET].log = log_net,
};

struct virtio_making kinds_begin(struct virtio_bus *bus, const struct guest_config *config,
				 unsigned int slot)
{
	return (struct virtio_making) {
		.bus = bus, .guest = config->name, .slot = slot, .starter = config->starter,
		.resuming = virtio_bus_resuming(bus),
	};
}

int kinds_end(const struct virtio_making *making, const struct guest_config *config,
	      unsigned int line, int error)
{
	const struct guest_place at = guestfile_place(config->file, line);

	if (error)
		return log_error(error, "%s%s", at.text, making->said);
	if (*making->said)
		log_info("%s%s", at.text, making->said);
	return 0;
}

int kinds_make(struct virtio_bus *bus, const struct guest_config *config, enum guest_device kind,
	       unsigned int slot)
{
	struct virtio_making making = kinds_begin(bus, config, slot);
	int error = kinds_end(&making, config, guestfile_line(config, kind, slot),
			      kinds[kind].make(&making, config));

	if (!error && kinds[kind].log)
		kinds[kind].log(config, slot);
	return error;
}

int kinds_make_vsock(struct virtio_bus *bus, const struct guest_config *config, uint32_t *cid)
{
	struct virtio_making making = kinds_begin(bus, config, 0);
	const struct guest_vsock *vsock = &config->vsock;

	*cid = 0;
	if (vsock->off)
		return 0;
	return kinds_end(&making, config, vsock->line,
			 virtio_vsock_add(&making, vsock->cid, !vsock->line, cid));
}

int kinds_check(const struct guest_config *config, enum guest_device kind, unsigned int slot)
{
	return kinds[kind].check ? kinds[kind].check(config, slot) : 0;
}

void kinds_name(const struct guest_config *config, enum guest_device kind, unsigned int slot,
		char name[PATH_MAX])
{
	kinds[kind].name(config, slot, name);
}
