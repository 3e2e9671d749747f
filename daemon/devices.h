/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The devices of a guest: those of its file, which are made with it, and those that are hotplugged
 * and unplugged while it runs. Hotplug and unplug survive a reboot of the guest. The next start of
 * the guest has the devices of the file again.
 */
#ifndef SIGMA_DEVICES_H
#define SIGMA_DEVICES_H

#include <limits.h>
#include <stdbool.h>

#include "../common/guestfile.h"
#include "machine.h"

/**
 * devices_make - make the bus and all devices that the guest starts with
 *
 * Return: 0 or a reported negative errno; machine_free_devices() has to follow in both cases.
 */
int devices_make(struct machine *machine);

/**
 * devices_make_one - make one more device that the guest starts with, after devices_make()
 * @keys: "Key=value\n" for each key, as in a section of the guest file
 *
 * Return: the device's number, or a reported negative errno: nothing has changed.
 */
int devices_make_one(struct machine *machine, enum guest_device kind, const char *keys);

/**
 * devices_config - put the devices that the last sigmad persisted into the configuration
 *
 * Return: 0 or a reported negative errno.
 */
int devices_config(struct machine *machine);

/** devices_take_over - make these devices; after devices_config(), replaces devices_make() */
int devices_take_over(struct machine *machine);

/**
 * struct device_view - a device that can be unplugged
 * @id: number on the bus
 * @kind: disk, NIC or share
 * @name: as kinds_name() returns it
 * @keys: "Key=value\n" for each key, as in a section of the guest file
 * @leaving: unplug pending: the guest was asked to release the device and has not done so yet
 */
struct device_view {
	unsigned int id;
	enum guest_device kind;
	char name[PATH_MAX];
	const char *keys;
	bool leaving;
};

/** devices_alike - have two devices a value in common that no two devices should share? */
bool devices_alike(const char *keys, const char *other_keys);

/** devices_changeable - may devices be plugged and unplugged now? 0 or a reported negative errno */
int devices_changeable(const struct machine *machine);

/** devices_view - look at device @id; false when no device that can be unplugged has this number */
bool devices_view(const struct machine *machine, unsigned int id, struct device_view *view);

/**
 * devices_add - hotplug a device
 * @keys: "Key=value\n" for each key, as in a section of the guest file
 *
 * The guest is told at once. Return: the device's number, or a reported negative errno: nothing has
 * changed.
 */
int devices_add(struct machine *machine, enum guest_device kind, const char *keys);

/**
 * devices_find - find a device
 * @what: the device's number, its name, or the value of one of its keys Path=, Socket=, Serial=,
 *	  Bridge=, Address=, MACAddress=, Tag=
 *
 * Return: the device's number, or a reported negative errno: -ENODEV: no device matches;
 * -ENOTUNIQ: several match.
 */
int devices_find(const struct machine *machine, enum guest_device kind, const char *what);

/**
 * devices_remove - unplug device @id: ask the guest to release it, then destroy it
 * @force: also when the guest has the device in use
 *
 * struct observer_ops.released tells the result, perhaps before this function returns. Return: 0,
 * or a reported -errno: the guest was not asked.
 */
int devices_remove(struct machine *machine, unsigned int id, bool force);

/**
 * devices_resize - let the guest see that disk @id has grown
 * @size: in: bytes that its file is made large before; 0: it has grown already; out: bytes
 *
 * Return: 0, or a reported -errno: nothing has changed.
 */
int devices_resize(struct machine *machine, unsigned int id, uint64_t *size);

#endif
