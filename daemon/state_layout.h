/* SPDX-License-Identifier: GPL-2.0 */
/* The layout of the state file: see state.h. state_old.h says what a change of it needs. */
#ifndef SIGMA_STATE_LAYOUT_H
#define SIGMA_STATE_LAYOUT_H

#include <limits.h>
#include <stdint.h>

#include "../common/guestfile.h"
#include "virtio/state.h"

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

#endif
