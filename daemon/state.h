/* SPDX-License-Identifier: GPL-2.0 */
/*
 * /run/sigma/NAME/state: what the next sigmad needs to take a running guest over. It is mapped
 * shared and written by stores alone, so that it is up to date whatever ends this sigmad;
 * who serves the guest holds a lock on it.
 */
#ifndef SIGMA_STATE_H
#define SIGMA_STATE_H

#include <limits.h>
#include <stdint.h>

#include "../common/guestfile.h"
#include "virtio/state.h"

#define STATE_FILE "state"

/**
 * struct device_record - a device that a section of the guest's file describes, or could
 * @kind: enum guest_device; 0: one that sigmad has by itself
 * @place: in struct guest_config
 * @line: of its section, 0: it was added while the guest ran
 * @keys: "Key=value\n" each
 */
struct device_record {
	uint32_t kind;
	uint32_t place;
	uint32_t line;
	uint32_t reserved;
	char keys[GUEST_KEYS_MAX];
};

/**
 * struct guest_state - the file
 * @magic: and @size: of this struct, as this version of sigmad has it
 * @file: the guest's file, and @text what was in it when the guest was made; its devices may be
 *	  others since
 * @log_tail: bytes of the guest's log that are in its file
 * @started_usec: CLOCK_REALTIME of the last start
 * @vsock_cid: 0: none
 * @starter: user ID of who started the guest, whoever has it taken over
 * @record: of each number in @devices where there is a device
 */
struct guest_state {
	uint64_t magic;
	uint64_t size;
	uint64_t log_tail;
	uint64_t started_usec;
	uint32_t vsock_cid;
	uint32_t text_len;
	uint32_t starter;
	uint32_t reserved;
	char file[PATH_MAX];
	char text[GUESTFILE_MAX];
	struct virtio_state devices;
	struct device_record record[SIGMA_DEVICES];
};

/**
 * state_make - make one that is nobody's yet, locked
 * @fd: out: the file, to be kept open for the lock
 *
 * Return: 0 or a reported negative errno; state_close() after 0.
 */
int state_make(struct guest_state **state, int *fd, const struct guest_config *config);

/** state_show - make it the one of the guest @name, whose folder is there; 0 or -errno, reported */
int state_show(int fd, const char *name);

/**
 * state_take - open and lock what the last sigmad of the guest @name left
 *
 * Context: waits for a sigmad that is about to end.
 * Return: 0; -ENOENT: nothing; -EBUSY: its sigmad lives; -ESTALE: it was of another
 * version; another negative errno. Nothing is reported.
 */
int state_take(struct guest_state **state, int *fd, const char *name);
void state_close(struct guest_state *state, int fd);

#endif
