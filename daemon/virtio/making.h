/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The making of a device. Device code reports nothing of it: it returns an error and says why, and
 * who had the device made knows which line of the guest's file that is about.
 */
#ifndef SIGMA_VIRTIO_MAKING_H
#define SIGMA_VIRTIO_MAKING_H

#include <limits.h>
#include <sys/types.h>

struct virtio_bus;

#define MAKING_SAID_MAX	(PATH_MAX + 512)

/**
 * struct virtio_making - for whom a device is made
 * @bus: that it is put on
 * @guest: the guest's name
 * @number: of the device among its kind
 * @starter: user ID of who started the guest
 * @said: out: after an error, what is wrong and what to do; else what people should know of the
 *	  device, or ""
 *
 * Who has a device made begins with @said as "".
 */
struct virtio_making {
	struct virtio_bus *bus;
	const char *guest;
	unsigned int number;
	uid_t starter;
	char said[MAKING_SAID_MAX];
};

/** making_say - put something into @making->said; @error, so that it can be returned */
int making_say(struct virtio_making *making, int error, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
