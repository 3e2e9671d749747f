/* SPDX-License-Identifier: GPL-2.0 */
/*
 * /run/sigma/NAME/state persists what the next sigmad needs to take over a running guest. The file
 * is mapped shared and written by plain stores, so it is up to date whatever ends this sigmad. The
 * sigmad that serves the guest holds a lock on the file.
 */
#ifndef SIGMA_STATE_H
#define SIGMA_STATE_H

#include <limits.h>
#include <stdint.h>

#include "../common/guestfile.h"
#include "virtio/state.h"

#define STATE_FILE "state"

/**
 * struct device_record - a device that can be hotplugged, as a section of the guest file has it
 * @kind: enum guest_device; 0: a device that every guest has, without a section
 * @slot: its slot in struct guest_config
 * @line: of the section in the guest file; 0: the device was hotplugged
 * @reserved: 0
 * @keys: "Key=value\n" for each key
 */
struct device_record {
	uint32_t kind;
	uint32_t slot;
	uint32_t line;
	uint32_t reserved;
	char keys[GUEST_KEYS_MAX];
};

/**
 * struct guest_state - the contents of the file
 * @magic: identifies the layout and its meaning
 * @size: of this struct, in bytes
 * @log_tail: number of bytes of the kernel log's ring that were written to the log file
 * @started_usec: CLOCK_REALTIME of the last start; 0: not started yet
 * @vsock_cid: 0: none
 * @text_len: bytes in @text
 * @starter: user ID of the person who started the guest; a take-over does not change it
 * @restarting: the guest has asked to reboot: if it is stopped, it is to be started again
 * @file: absolute path of the guest file
 * @text: the contents of the guest file when the guest was made; devices may have been hotplugged
 *	  and unplugged since
 * @devices: state of the virtio devices
 * @record: the record of device N in @devices is @record[N]
 */
struct guest_state {
	uint64_t magic;
	uint64_t size;
	uint64_t log_tail;
	uint64_t started_usec;
	uint32_t vsock_cid;
	uint32_t text_len;
	uint32_t starter;
	uint32_t restarting;
	char file[PATH_MAX];
	char text[GUESTFILE_MAX];
	struct virtio_state devices;
	struct device_record record[SIGMA_DEVICES];
};

/**
 * state_make - make a locked state file without a name
 * @fd: out: the file, to be kept open for the lock
 *
 * Return: 0, and state_close() has to follow; or a reported negative errno.
 */
int state_make(struct guest_state **state, int *fd, const struct guest_config *config);

/** state_show - link the file into the folder of the guest @name; 0 or a reported -errno */
int state_show(int fd, const char *name);

/**
 * state_take - open and lock the state that the last sigmad of the guest @name left
 *
 * Context: waits for a sigmad that is about to end.
 * Return: 0; -ENOENT: there is no state; -EBUSY: the guest's sigmad lives; -ESTALE: a sigmad of
 * another version wrote it; or another negative errno. Errors are not reported.
 */
int state_take(struct guest_state **state, int *fd, const char *name);
void state_close(struct guest_state *state, int fd);

#endif
