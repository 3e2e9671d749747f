/* SPDX-License-Identifier: GPL-2.0 */
/*
 * /run/sigma/NAME/state persists what the next sigmad needs to take over a running guest. The file
 * is mapped shared and written by plain stores, so it is up to date whatever ends this sigmad. The
 * sigmad that serves the guest holds a lock on the file.
 *
 * The file begins with the number of its layout. A newer sigmad reads the layouts of all releases
 * before it (state_old.h), puts a file of the present layout in the old one's place, and then takes
 * the guest over. An older sigmad refuses a layout that it does not know, and the guest runs on
 * for a sigmad that does.
 */
#ifndef SIGMA_STATE_H
#define SIGMA_STATE_H

#include <limits.h>
#include <stdint.h>

#include "../common/guestfile.h"
#include "virtio/state.h"

#define STATE_FILE	"state"
#define STATE_FILE_NEW	"state.new"	/* while one of an older layout is replaced */

#define STATE_MAGIC	"SGSTATE"
#define STATE_LAYOUT	2

/**
 * struct state_header - the first bytes of the file, in each layout
 * @magic: STATE_MAGIC, without its NUL
 * @layout: '0' + the number of the layout
 * @size: of the struct, in bytes
 */
struct state_header {
	char magic[7];
	char layout;
	uint64_t size;
};

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
 * @header: says that this is layout STATE_LAYOUT
 * @version: of the sigmad that made the file, for messages; here in each layout from 2 on
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
	struct state_header header;
	char version[16];
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
 * Return: 0; -ENOENT: there is no state, which is not reported; or a reported negative errno.
 * -EBUSY: the guest's sigmad lives; -ESTALE: no layout that this sigmad can read. With any other one
 * another try may succeed.
 */
int state_take(struct guest_state **state, int *fd, const char *name);
void state_close(struct guest_state *state, int fd);

#endif
