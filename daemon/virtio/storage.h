/* SPDX-License-Identifier: GPL-2.0 */
/*
 * qemu-storage-daemon, the vhost-user back end of disks in qcow2 images: one process for each disk.
 *
 * It gets the image as an open file, with the locks of sigmad (disk_lock.h). They last as long as one of
 * the two lives, so a sigmad that takes over waits on them for the requests of the last one. As far
 * as the kernel can confine it (Landlock), it can open no other file of the host than the image,
 * the image behind it, and those of its own installation. It runs as the owner of the image, and
 * confined (backend.h).
 *
 * It has tables of the image in memory, so when it dies, writes that the guest believes to be done
 * are lost, beside the requests in flight. Only when it ends by itself, with status 0, nothing is.
 */
#ifndef SIGMA_STORAGE_H
#define SIGMA_STORAGE_H

#include "../../common/guestfile.h"
#include "backend.h"
#include "disk.h"

#define STORAGE_NODE	"disk"		/* what its monitor calls the disk */

/**
 * storage_check - may this image be served? It must be a qcow2 image that names no other files
 * @wanted: with a backing file that the guest file names, the image must have one, too
 *
 * Return: 0, or -errno and the reason in @making->said.
 */
int storage_check(struct virtio_making *making, const struct guest_disk *wanted,
		  const struct disk *image, const struct disk *backing);

/**
 * struct storage - what a qemu-storage-daemon is started for
 * @path: of the image, for messages
 * @image: the image, open and locked
 * @backing: the image behind it, likewise; -1: none
 * @direct, @backing_direct: the host's page cache can be bypassed
 * @backing_qcow2: @backing is a qcow2 image, too, and not a raw disk
 * @block_size: bytes
 * @note: for struct backend_command; its file is -1: none
 */
struct storage {
	const char *path;
	int image, backing;
	bool read_only, direct;
	bool backing_direct, backing_qcow2;
	unsigned int block_size;
	struct backend_note note;
};

/** storage_of - for a disk that storage_check() has passed; without a note */
struct storage storage_of(const struct guest_disk *wanted, const struct disk *image,
			  const struct disk *backing);

/**
 * storage_start - run a qemu-storage-daemon; backend_end() ends it
 * @monitor: out: a socket connected to its monitor (monitor.h)
 * @why: as for backend_start()
 *
 * Return: a socket connected to it, or a negative errno: it does not run.
 */
int storage_start(struct backend *server, sd_event *event, const struct storage *storage,
		  int *monitor, char why[BACKEND_WHY_MAX]);

#endif
