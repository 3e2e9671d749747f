/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kinds of devices that a guest file describes, GUEST_DEVICES() in guestconfig.h: how a device of
 * each kind is made from the configuration, and what it is called.
 */
#ifndef SIGMA_KINDS_H
#define SIGMA_KINDS_H

#include <limits.h>

#include "../common/guestfile.h"
#include "virtio/making.h"

/** kinds_begin - begin to make a device; @slot: its slot, or 0 */
struct virtio_making kinds_begin(struct virtio_bus *bus, const struct guest_config *config,
				 unsigned int slot);

/**
 * kinds_end - report the error or the note in @making->said
 * @line: of the device's section in the guest file; 0: none
 * @error: result of making the device, 0 or -errno
 *
 * Only this function adds FILE:LINE to messages about a device. Return: @error.
 */
int kinds_end(const struct virtio_making *making, const struct guest_config *config,
	      unsigned int line, int error);

/** kinds_make - make the device in @slot and add it to @bus; 0 or a reported -errno */
int kinds_make(struct virtio_bus *bus, const struct guest_config *config, enum guest_device kind,
	       unsigned int slot);

/**
 * kinds_make_vsock - make the vsock device, unless the configuration switches it off
 * @cid: out: the guest's CID; 0: there is no device
 *
 * If the host has no vsock, that is an error only for a guest file that asks for it. Return: 0 or a
 * reported -errno.
 */
int kinds_make_vsock(struct virtio_bus *bus, const struct guest_config *config, uint32_t *cid);

/** kinds_check - may this device be hotplugged beside the others? 0 or a reported -errno */
int kinds_check(const struct guest_config *config, enum guest_device kind, unsigned int slot);

/** kinds_name - path of a disk, tap of a NIC ("user-1" in user mode), or tag of a share */
void kinds_name(const struct guest_config *config, enum guest_device kind, unsigned int slot,
		char name[PATH_MAX]);

#endif
