/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Finds out whether a guest panicked while it booted. Until the guest's driver is up it can't report
 * a panic, and has no heartbeat. But a kernel's log is text in its memory, and a panic is the last
 * thing that it logs. VMCOREINFO (klog.h) may not be there yet.
 */
#ifndef SIGMA_BOOTLOG_H
#define SIGMA_BOOTLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../common/memory.h"

#define BOOTLOG_PERIOD_USEC	UINT64_C(500000)	/* from one look to the next */
#define BOOTLOG_LOOK_USEC	UINT64_C(100000)	/* the time that a look may take */

/**
 * struct bootlog - the search for the log of a guest that boots
 * @memory: the guest's
 * @pageflags: /proc/kpageflags, which tells pages with memory errors, or -1
 * @offset: where in the guest's memory the search continues
 * @looks: number of looks
 * @next_search: the look at which the next search may happen
 * @nr_found: logs found so far
 * @found: the last of them: offset of the first text, and the id of its record; id 0: none
 */
struct bootlog {
	const struct guest_memory *memory;
	int pageflags;
	uint64_t offset;
	unsigned int looks, next_search;
	unsigned int nr_found;
	struct bootlog_start {
		uint64_t offset;
		uint64_t id;
	} found[4];
};

/** bootlog_begin - begin a search; bootlog_end() has to follow */
void bootlog_begin(struct bootlog *log, const struct guest_memory *memory);
void bootlog_end(struct bootlog *log);

enum bootlog_end {
	BOOTLOG_NONE,
	BOOTLOG_PANIC,
	BOOTLOG_GAVE_UP,	/* guest/init/init.c, which stops where a panic could do harm */
};

/**
 * bootlog_look - go on searching, for BOOTLOG_LOOK_USEC at most
 * @text: out: the reason that the guest gives, its first line, at most @size - 1 bytes
 *
 * To be called every BOOTLOG_PERIOD_USEC. All of the memory is searched again and again until a log
 * is found, and then less and less often. The guest's memory is read only, and each word of it once.
 * All that a guest can gain by a forged log is to be stopped. Return: how the guest ended its boot.
 */
enum bootlog_end bootlog_look(struct bootlog *log, char *text, size_t size);

#endif
