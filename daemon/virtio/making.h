/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Context for making a device. Device code does not report errors while a device is made: it
 * returns the error and the reason. The caller knows the line of the guest file and reports them.
 */
#ifndef SIGMA_VIRTIO_MAKING_H
#define SIGMA_VIRTIO_MAKING_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

struct virtio_bus;

#define MAKING_SAID_MAX	(PATH_MAX + 512)

/**
 * struct virtio_making - context for making a device
 * @bus: the bus that the device is added to
 * @guest: the guest's name
 * @slot: the device's slot, its number among the devices of its kind
 * @starter: user ID of the person who started the guest
 * @resuming: a sigmad that died had the device, so its requests may be under way still
 * @said: out: after an error, what is wrong and what to do; else a note about the device for
 *	  people, or ""; the caller sets it to "" first
 */
struct virtio_making {
	struct virtio_bus *bus;
	const char *guest;
	unsigned int slot;
	uid_t starter;
	bool resuming;
	char said[MAKING_SAID_MAX];
};

/** making_say - put an error or a note into @making->said. Return: @error */
int making_say(struct virtio_making *making, int error, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
