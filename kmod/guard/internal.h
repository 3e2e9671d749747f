/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of the guard on the host share: see guard.h. */
#ifndef _SIGMA_GUARD_INTERNAL_H
#define _SIGMA_GUARD_INTERNAL_H

#include <linux/list.h>
#include <linux/types.h>

#include "../identity.h"
#include "../view.h"
#include "frame.h"

struct sigma_guard;

/**
 * struct guard_backend - one kind of virtualisation
 * @program: the program that runs on the lent CPUs
 * @program_end: its end
 * @missing: why this machine can't do it, or SIGMA_REASON_NONE
 * @fill: fill the control block of @frame's CPU; @gdt: physical address of the guest's GDT.
 *	  Return: 0 or -ENOMEM
 * @nested: flags of entries in nested page tables: entries that point to a table, pages to read,
 *	    pages to read and write, pages of a device
 * @msr_map_size: bytes
 * @io_map_size: bytes, 0 where no map is needed
 * @clear_msr_map: make all registers readable and none writable without a VM exit
 * @set_msr: what the guest may do with @msr without a VM exit
 */
struct guard_backend {
	const u8 *program, *program_end;
	enum sigma_reason (*missing)(void);
	int (*fill)(struct sigma_guard *guard, struct guard_frame *frame, u64 gdt);
	struct {
		u64 table, read, write, device;
	} nested;
	size_t msr_map_size, io_map_size;
	void (*clear_msr_map)(u8 *map);
	void (*set_msr)(u8 *map, u32 msr, bool read, bool write);
};

extern const struct guard_backend guard_svm, guard_vmx;

/* Values after a reset */
#define DR6_AFTER_RESET		0xffff0ff0ULL
#define DR7_AFTER_RESET		0x400ULL

/**
 * struct sigma_guard - what confines one guest
 * @view: the guest
 * @backend: SVM or VMX
 * @shared: a page, which is written anew for each start
 * @la57: the boot CPU begins with 5-level paging
 * @built: the fields below are made for the last start; else they are empty
 * @pages: all single pages that guard_page() has allocated
 * @nested: root of the nested page tables
 * @msr_map: permission map of registers, physically contiguous
 * @io_map: permission map of I/O ports, likewise; NULL where none is needed to refuse all ports
 * @identity: the program's page tables
 * @boot: page tables on which the guest starts; the guest may write to them
 * @frame: one for each CPU
 */
struct sigma_guard {
	const struct sigma_view *view;
	const struct guard_backend *backend;
	struct guard_shared *shared;
	bool la57;
	bool built;
	struct list_head pages;
	u64 *nested;
	void *msr_map, *io_map;
	struct sigma_identity identity;
	struct sigma_identity boot;
	struct guard_frame *frame[SIGMA_CPUS_MAX];
};

/** guard_begins_la57 - does the CPU of @frame begin with 5-level paging? */
static inline bool guard_begins_la57(const struct sigma_guard *guard,
				     const struct guard_frame *frame)
{
	return guard->la57 && !frame->mailbox;
}

/* nested.c, msr.c */

/** guard_page - allocate a zeroed page, freed with the guard; NULL: no memory. May sleep. */
void *guard_page(struct sigma_guard *guard);

/**
 * guard_nested_map - map [@phys, @phys + @size) at the guest's address @address
 * @flags: one of guard->backend->nested; all mappings are executable
 *
 * All values are page-aligned. Replaces what was mapped there. May sleep. Return: 0 or -ENOMEM.
 */
int guard_nested_map(struct sigma_guard *guard, u64 address, u64 phys, u64 size, u64 flags);

/** guard_nested_build - make @guard->nested, which maps all that is the guest's and nothing else */
int guard_nested_build(struct sigma_guard *guard);

/** guard_fill_hidden - list in @guard->shared the registers that a guest may not read */
void guard_fill_hidden(const struct sigma_guard *guard);

/** guard_fill_msr_map - fill @guard->msr_map, as the kind and the list in @guard->shared demand */
void guard_fill_msr_map(const struct sigma_guard *guard);

#endif
