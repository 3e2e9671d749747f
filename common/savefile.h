/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The file of a guest that was saved: 'sigmactl save' and 'restore'. It is read on the machine that wrote
 * it, so all numbers are in the byte order of x86.
 *
 *	struct save_head
 *	struct save_record, and @packed bytes: a frame of Zstandard (RFC 8878) with a checksum, of at most
 *		SAVE_CHUNK bytes of one part of the guest. What no record has is zeros
 *	...
 *	struct save_record of SAVE_END, with which the file ends
 *
 * Each record's @check covers all records before it, so that none can be missing, or be at another place.
 * The checks are against accidents. Whoever makes a file on purpose makes them fit: nothing that is read
 * from a file may harm the host more than a guest file and a guest's kernel can.
 */
#ifndef SIGMA_SAVEFILE_H
#define SIGMA_SAVEFILE_H

#include <stddef.h>
#include <stdint.h>

#include "../kmod/uapi/sigma.h"
#include "processor.h"

#define SAVE_MAGIC	"SGMASAVE"
#define SAVE_VERSION	1
#define SAVE_CHUNK	(1UL << 20)
#define SAVE_TEXT_MAX	64
#define SAVE_WHY_MAX	320

/**
 * struct save_head - the first bytes of the file
 * @magic: SAVE_MAGIC, without its NUL
 * @version: SAVE_VERSION
 * @size: of this struct, in bytes
 * @name: the guest's
 * @sigma: version of the sigmad that wrote it
 * @host: the host's kernel, utsname.release
 * @guest: the guest's
 * @saved_usec: CLOCK_REALTIME
 * @state_size: bytes of the state file (daemon/state_layout.h)
 * @iosc_phys: see struct sigma_info, as of the next ones up to @tsc_khz
 * @iosc_version: SIGMA_IOSC_VERSION
 * @flags: SIGMA_CREATE_*
 * @nr_stamps: number of disks of which the file has stamps (daemon/virtio/disk_stamp.h)
 * @processor: what the guest's kernel knows of the CPU
 * @check: hash of all before it
 */
struct save_head {
	char magic[8];
	uint32_t version;
	uint32_t size;
	char name[SIGMA_NAME_MAX];
	char sigma[SAVE_TEXT_MAX];
	char host[SAVE_TEXT_MAX];
	char guest[SAVE_TEXT_MAX];
	uint64_t saved_usec;
	uint64_t state_size;
	uint64_t memory;
	uint64_t iosc_phys;
	uint64_t low_phys;
	uint32_t guard;
	uint32_t tsc_khz;
	uint32_t iosc_version;
	uint32_t flags;
	uint32_t nr_cpus;
	uint32_t nr_segments;
	uint32_t nr_stamps;
	uint32_t reserved;
	struct processor processor;
	uint32_t apic_ids[SIGMA_CPUS_MAX];
	struct sigma_segment segments[SIGMA_SEGMENTS_MAX];
	uint64_t check;
};

/* Parts of a guest */
enum save_kind {
	SAVE_END,
	SAVE_STATE,		/* the state file */
	SAVE_KEY,		/* the key of its agent */
	SAVE_STAMPS,		/* struct disk_stamp of each disk */
	SAVE_LOW,		/* its low memory */
	SAVE_WINDOW,		/* its IOSC window */
	SAVE_MEMORY,		/* its memory, as in the memory file */
	SAVE_KINDS
};

/**
 * struct save_record - in front of each frame
 * @kind: enum save_kind
 * @length: bytes of the part, 1..SAVE_CHUNK; 0 with SAVE_END
 * @packed: bytes that follow
 * @reserved: 0
 * @offset: of the first byte in the part
 * @check: hash of the last record's @check, at first that of the head, and of all fields above
 */
struct save_record {
	uint32_t kind;
	uint32_t length;
	uint32_t packed;
	uint32_t reserved;
	uint64_t offset;
	uint64_t check;
};

/** save_head_sum - what @head->check has to be */
uint64_t save_head_sum(const struct save_head *head);

/** save_record_sum - what @record->check has to be; @before: that of the last record, or of the head */
uint64_t save_record_sum(const struct save_record *record, uint64_t before);

/**
 * save_head_read - read the head from where @fd is, and check it
 * @why: out: the reason of an error
 *
 * Texts in @head are printable, and end with a NUL; numbers are within their bounds. Return: 0 or -errno,
 * not reported.
 */
int save_head_read(int fd, struct save_head *head, char why[SAVE_WHY_MAX]);

#endif
