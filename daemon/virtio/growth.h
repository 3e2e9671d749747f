/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Notices that the storage of a disk may have grown, without waking up for anything that the guest
 * does with it.
 *
 * A file: a program that had it open for writing has closed it (inotify), as truncate(1) and all
 * tools do that make files larger. What sigmad writes for the guest closes nothing, so neither an
 * idle nor a busy guest wakes it up. What is not noticed is a file that another machine makes
 * larger, on a network file system, and a call of truncate(2) that opens nothing.
 *
 * A block device: the kernel tells by a uevent that the device has changed. A filter in the kernel
 * keeps all other kinds of uevents away.
 */
#ifndef SIGMA_VIRTIO_GROWTH_H
#define SIGMA_VIRTIO_GROWTH_H

#include <sys/types.h>
#include <systemd/sd-event.h>

struct disk;

/**
 * struct growth - what watches a disk; zero: nothing does
 */
struct growth {
	/* private to growth.c */
	sd_event_source *source;
	int fd;				/* uevents of a block device */
	dev_t device;
	void (*look)(void *data);
	void *data;
};

/**
 * growth_watch - call @look whenever @disk may have another size
 *
 * Return: 0, and growth_end() has to follow before the disk is closed; or -errno: nothing is watched.
 */
int growth_watch(struct growth *growth, sd_event *event, const struct disk *disk,
		 void (*look)(void *data), void *data);

/** growth_end - stop; also of a struct that is zero */
void growth_end(struct growth *growth);

#endif
