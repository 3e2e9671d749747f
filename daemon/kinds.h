/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kinds of devices that people know of, GUEST_DEVICES() in guestfile.h: how each is made of what
 * the configuration says, and what it is called.
 */
#ifndef SIGMA_KINDS_H
#define SIGMA_KINDS_H

#include <limits.h>

#include "../common/guestfile.h"
#include "virtio/making.h"

/** kinds_begin - what a device of this guest is made with; @number: its place among its kind */
struct virtio_making kinds_begin(struct virtio_bus *bus, const struct guest_config *config,
				 unsigned int number);

/**
 * kinds_end - report what was said while a device was made
 * @line: of the guest's file that the device is about; 0: none
 * @error: 0 or -errno, of that
 *
 * This is the only place where a message about a device gets its FILE:LINE. Return: @error.
 */
int kinds_end(const struct virtio_making *making, const struct guest_config *config,
	      unsigned int line, int error);

/** kinds_make - make the device in this place and add it to @bus; 0 or a reported -errno */
int kinds_make(struct virtio_bus *bus, const struct guest_config *config, enum guest_device kind,
	       unsigned int place);

/**
 * kinds_make_vsock - sockets between host and guest, as the configuration wants them
 * @cid: out: the guest's address; 0: there are none
 *
 * A guest whose file doesn't ask for sockets can do without them. Return: 0 or a reported -errno.
 */
int kinds_make_vsock(struct virtio_bus *bus, const struct guest_config *config, uint32_t *cid);

/** kinds_check - may the device be added to the others of a running guest? 0 or a reported -errno */
int kinds_check(const struct guest_config *config, enum guest_device kind, unsigned int place);

/** kinds_name - path of a disk, interface of a NIC ("user-1" of one in user mode), tag of a share */
void kinds_name(const struct guest_config *config, enum guest_device kind, unsigned int place,
		char name[PATH_MAX]);

#endif
