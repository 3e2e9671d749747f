/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The devices of a guest: those of its file, made with it, and those that are added to it and
 * removed while it runs. The guest's next kernel has them, too; its next start has what the file
 * says.
 */
#ifndef SIGMA_DEVICES_H
#define SIGMA_DEVICES_H

#include <limits.h>
#include <stdbool.h>

#include "../common/guestfile.h"
#include "machine.h"

/**
 * devices_make - all that the guest starts with
 *
 * Return: 0 or a reported negative errno; either way machine_free_devices() follows.
 */
int devices_make(struct machine *machine);

/** devices_config - read what the devices were that the last sigmad left; 0 or a reported -errno */
int devices_config(struct machine *machine);

/** devices_take_over - instead of devices_make(), make those; after devices_config() */
int devices_take_over(struct machine *machine);

/**
 * struct device_view - a device that people can remove
 * @id: its number on the bus
 * @name: as kinds_name() has it
 * @keys: as in a section of the guest's file
 * @leaving: the guest has not let go of it yet
 */
struct device_view {
	unsigned int id;
	enum guest_device kind;
	char name[PATH_MAX];
	const char *keys;
	bool leaving;
};

/** devices_view - look at device @id; false when there is none that people can remove */
bool devices_view(const struct machine *machine, unsigned int id, struct device_view *view);

/**
 * devices_add - give the guest one more
 * @keys: "Key=value\n" each, as in a section of its file
 *
 * The guest hears of it at once. Return: its number, or a reported negative errno: nothing
 * has changed.
 */
int devices_add(struct machine *machine, enum guest_device kind, const char *keys);

/**
 * devices_find - which one is meant
 * @what: its number, or its name, or another value that tells it from others: of Serial=, Socket=,
 *	  Bridge=, Address=, Path=
 *
 * Return: its number, or a reported negative errno: -ENODEV: there is none; -ENOTUNIQ: several.
 */
int devices_find(const struct machine *machine, enum guest_device kind, const char *what);

/**
 * devices_remove - have the guest let go of device @id, and all that it took of the host given back
 * @force: also when the guest has it in use
 *
 * How it ends is told by struct observer_ops.released, perhaps before this returns. Return: 0 or a
 * reported -errno: it was not asked.
 */
int devices_remove(struct machine *machine, unsigned int id, bool force);

#endif
