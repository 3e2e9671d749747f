/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guard: a minimal hypervisor that confines one guest by hardware, at native speed.
 *
 * A lent CPU enters the guest through the CPU's virtualisation instructions, on nested page tables
 * that map only the guest's own memory, at its own addresses. Interrupts, timers, HLT, MWAIT, page
 * faults and the guest's page tables never cause a VM exit. What the guest must not have:
 *
 *	memory of others	not mapped; an access stops the guest, state "contained". In the
 *				first MiB the guest has a page of its own at 0, the low pages that
 *				it was given, and read-only zeroes everywhere else
 *	I/O ports		not there: reads return all ones, but for two that return 0 (see
 *				program/decide.c), and writes are discarded
 *	machine-wide registers	#GP, except for a write of the value that is there: see msr.c
 *	virtualisation, SKINIT	#UD
 *	INVD, WBINVD		do nothing, since a flush of all caches slows all CPUs down
 *	#DB, #AC		the guard passes them on to the guest, so that an endless loop of
 *				them cannot keep INIT out
 *	machine check		one that is this CPU's own stops the guest, others are left to the
 *				host. On Intel, CR4.MCE is always set in hardware
 *	triple fault		stops the guest, as do all VM exits that are not listed here
 *	interrupts to others	SIGMA_GUARD_FULL: stop the guest. It runs in x2APIC mode, where
 *				each interrupt that it sends is one VM exit, and so is each write
 *				of a local vector, which may not be an SMI. SIGMA_GUARD_MEMORY: not
 *				intercepted, so that sending costs nothing. It protects against
 *				accidents, not against attacks
 *
 * The guest finds no data of the CPU's last owner: ../arrival.c has cleared the registers.
 *
 * CPUID causes VM exits until the guest's driver is up, and on Intel CPUs always. program/cpuid.c
 * shows a kernel what it can use. While a guest of SIGMA_GUARD_FULL boots, CPUID also shows the
 * signature of KVM, without any of its features, since a kernel uses x2APIC mode without interrupt
 * remapping only under a hypervisor.
 *
 *	build.c		makes what confines one guest: control blocks, page tables, frames
 *	svm.c svm.h	AMD SVM: what the machine can do, how a control block is filled
 *	vmx.c vmx.h	the same for Intel VMX
 *	nested.c	nested page tables
 *	msr.c		which registers a guest may use, and why
 *	report.c	why a guest was stopped, and counts of VM exits, for the host
 *	program/	the program on the lent CPU: see program.h; frame.h is what both sides share
 *
 * All of it is made again for each start of a guest, and afterwards the host only reads it, but for
 * struct guard_shared.
 */
#ifndef _SIGMA_GUARD_H
#define _SIGMA_GUARD_H

#include <linux/types.h>

#include "../sigma.h"
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
 * struct sigma_guard - what confines one running guest
 * @backend: SVM or VMX
 * @pages: all single pages that guard_page() has allocated
 * @nested: root of the nested page tables
 * @msr_map: permission map of registers, physically contiguous
 * @io_map: permission map of I/O ports, likewise; NULL where none is needed to refuse all ports
 * @identity: the program's page tables
 * @boot: page tables on which the guest starts; the guest may write to them
 * @frame: one for each CPU
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

/** guard_page - allocate a zeroed page, freed with the guard; NULL: no memory. May sleep. */
void *guard_page(struct sigma_guard *guard);

/**
 * guard_nested_map - map [@phys, @phys + @size) at the guest's address @address
 * @flags: one of guard->backend->nested; all mappings are executable
 *
 * All values are page-aligned. Replaces what was mapped there. May sleep. Return: 0 or -ENOMEM.
 */
int guard_nested_map(struct sigma_guard *guard, u64 address, u64 phys, u64 size, u64 flags);

/** guard_nested_build - make @guard->nested, which maps all that is @guest's and nothing else */
int guard_nested_build(struct sigma_guard *guard, const struct sigma_guest *guest);

/** guard_fill_hidden - list in @shared the registers that a guest may not read */
void guard_fill_hidden(const struct sigma_guard *guard, struct guard_shared *shared);

/** guard_fill_msr_map - fill @guard->msr_map, as the kind and the list in @shared demand */
void guard_fill_msr_map(const struct sigma_guard *guard, const struct guard_shared *shared);

#endif
