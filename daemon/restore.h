/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest that was saved is made again, from its file. Then it is as one that is asleep and whose sigmad
 * has died: this sigmad takes it over, and it can be woken.
 */
#ifndef SIGMA_RESTORE_H
#define SIGMA_RESTORE_H

#include <stdbool.h>

#include "../common/savefile.h"
#include "state.h"
#include "virtio/disk_stamp.h"

struct guest_config;
struct machine;

/**
 * struct restore - what the file says that a take-over needs
 * @head: its head
 * @stamps: of @head.nr_stamps disks
 * @fd: the file, at its beginning
 * @force: disks may have been changed
 * @copy: it has another name than in its file. @head has its own, once restore_make() has read it
 * @broken: bit N: device N had been stopped before
 */
struct restore {
	struct save_head head;
	struct disk_stamp stamps[SIGMA_DEVICES];
	int fd;
	bool force, copy;
	uint64_t broken;
};

/**
 * restore_make - make the guest @name of its file
 *
 * Blocks the signals that end sigmad: see restore_is_interrupted(). Return: 0, and takeover_find() finds
 * the guest, and restore_undo() takes it back; or a reported -errno: nothing is taken.
 */
int restore_make(struct restore *restore, const char *name);

/**
 * restore_check - is the guest that takeover_find() has found that of the file, and may it be copied?
 *
 * A copy gets a CID of its own. Return: 0 or a reported -errno.
 */
int restore_check(const struct restore *restore, struct guest_config *config);

/** restore_check_disks - have the disks, which are open, what they had? 0 or a reported -errno */
int restore_check_disks(const struct restore *restore, const struct machine *machine);

/** restore_check_devices - do all devices go on? 0 or a reported -errno */
int restore_check_devices(const struct restore *restore, const struct machine *machine);

/** restore_is_interrupted - has a signal come that is to end this? */
bool restore_is_interrupted(void);

/** restore_undo - give all back to the host; the guest's memory must not be mapped any more */
void restore_undo(const struct restore *restore);

#endif
