/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guard: a guest confined by hardware, at native speed.
 *
 * A lent CPU enters the guest through the CPU's virtualisation instructions, on nested page
 * tables in which only what is the guest's exists, at its own address. No interrupt, timer, HLT,
 * MWAIT, page fault or page table of the guest's ever makes it leave; what does is what a guest
 * has no business with:
 *
 *	memory of others	not there; a touch stops the guest, state "contained". The first
 *				MiB is a page of its own at 0, zeroes that can only be read, and
 *				the low pages that it was given
 *	I/O ports		not there: reads give all ones, writes vanish
 *	machine-wide registers	#GP, but for writing what they hold already: see msr.c
 *	virtualisation, SKINIT	#UD
 *	INVD, WBINVD		nothing: flushes of all caches are felt by all
 *	#DB, #AC		the guest's, by way of the guard, so that no loop of them keeps
 *				INIT out
 *	machine check		of this CPU's own doing: stops the guest; else the host's. CR4.MCE
 *				is set in hardware at all times
 *	what the CPU held before	nothing: ../arrival.c has cleared its registers
 *	triple fault		stops the guest, like all that is left
 *	interrupts to others	SIGMA_GUARD_FULL: stop the guest. It is in x2APIC mode, where each
 *				interrupt it sends is one exit, and each write of a local vector,
 *				which may not be an SMI. SIGMA_GUARD_MEMORY: not seen, so that
 *				sending one costs nothing: against accidents, not against attacks
 *
 * CPUID is seen until the guest's driver is up, on Intel CPUs for ever: it shows a kernel what it
 * can use (program/cpuid.c), and in SIGMA_GUARD_FULL while it boots the signature of KVM without any
 * of its features, since a kernel uses x2APIC without interrupt remapping only under a hypervisor.
 *
 *	build.c		what confines one guest: control blocks, page tables, frames
 *	svm.c svm.h	AMD SVM: what the machine can do, how its control block is filled
 *	vmx.c vmx.h	the same of Intel VMX
 *	nested.c	nested page tables
 *	msr.c		registers: which a guest may use, and why
 *	report.c	what it has seen
 *	program/	what runs on the lent CPU: program.h; frame.h is what it shares with these
 *
 * Everything is made anew for each start of a guest, and after that only read here.
 */
#ifndef _SIGMA_GUARD_H
#define _SIGMA_GUARD_H

#include <linux/types.h>

#include "../sigma.h"
#include "frame.h"

struct sigma_guard;

/**
 * struct guard_backend - one kind of virtualisation
 * @program: what runs on the lent CPUs, up to @program_end
 * @missing: why this machine can't do it, for people; NULL: it can
 * @fill: write what @frame's CPU enters the guest with; @gdt: for the guest. 0 or -ENOMEM
 * @nested: flags of entries of nested page tables: of those that point to a table, of pages to
 *	    read, to read and write, and of a device's
 * @msr_map_size: bytes, as @io_map_size, which is 0 where none is needed
 * @clear_msr_map: make all registers readable and none writable
 * @set_msr: what the guest may do with @msr unseen
 */
struct guard_backend {
	const u8 *program, *program_end;
	const char *(*missing)(void);
	int (*fill)(struct sigma_guard *guard, struct guard_frame *frame, u64 gdt);
	struct {
		u64 table, read, write, device;
	} nested;
	size_t msr_map_size, io_map_size;
	void (*clear_msr_map)(u8 *map);
	void (*set_msr)(u8 *map, u32 msr, bool read, bool write);
};

extern const struct guard_backend guard_svm, guard_vmx;

/* What registers hold after a reset */
#define DR6_AFTER_RESET		0xffff0ff0ULL
#define DR7_AFTER_RESET		0x400ULL

/**
 * struct sigma_guard - what confines one running guest
 * @pages: all single pages below, to be freed
 * @nested: root of the nested page tables
 * @msr_map: permission map of registers, contiguous, as
 * @io_map: of I/O ports; NULL where no map is needed to refuse them all
 * @identity: the program's page tables
 * @boot: page tables on which the guest starts; it may write to them
 * @frame: of each CPU
 */
struct sigma_guard {
	const struct guard_backend *backend;
	struct list_head pages;
	u64 *nested;
	void *msr_map, *io_map;
	struct sigma_identity identity;
	struct sigma_identity boot;
	struct guard_frame *frame[SIGMA_CPUS_MAX];
};

/* nested.c, msr.c */

/** guard_page - a zeroed page, freed with the guard; NULL when there is none. May sleep. */
void *guard_page(struct sigma_guard *guard);

/**
 * guard_nested_map - let the guest see [@phys, @phys + @size) at @address
 * @flags: one of guard->backend->nested; all of it is executable
 *
 * Page-aligned; replaces what was there. May sleep. Return: 0 or -ENOMEM.
 */
int guard_nested_map(struct sigma_guard *guard, u64 address, u64 phys, u64 size, u64 flags);

/** guard_nested_build - @guard->nested with all that is @guest's, and nothing else */
int guard_nested_build(struct sigma_guard *guard, const struct sigma_guest *guest);

/** guard_fill_hidden - tell the program in @shared what a guest may not read */
void guard_fill_hidden(const struct sigma_guard *guard, struct guard_shared *shared);

/** guard_fill_msr_map - write @guard->msr_map for what @shared says */
void guard_fill_msr_map(const struct sigma_guard *guard, const struct guard_shared *shared);

#endif
