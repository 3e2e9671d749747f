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
 *	INVD			WBINVD
 *	triple fault		stops the guest, like all that is left
 *	interrupts to others	SIGMA_GUARD_FULL: stop the guest. It is in x2APIC mode, where each
 *				interrupt it sends is one exit, and each write of a local vector,
 *				which may not be an SMI. SIGMA_GUARD_MEMORY: not seen, so that
 *				sending one costs nothing
 *
 * CPUID is seen until the guest's driver is up: it hides from a booting kernel what it cannot
 * use, and in SIGMA_GUARD_FULL shows the signature of KVM without any of its features, since
 * a kernel uses x2APIC without interrupt remapping only under a hypervisor.
 *
 *	svm.c svm.h	AMD SVM: what the machine can do, control blocks, permission maps
 *	npt.c		nested page tables
 *	msr.c		registers: which a guest may use, and why
 *	report.c	what it has seen
 *	run.S exit.c	the program on the lent CPU; frame.h is what it shares with these
 *
 * Everything is made anew for each start of a guest, and after that only read here.
 */
#ifndef _SIGMA_GUARD_H
#define _SIGMA_GUARD_H

#include <linux/types.h>

#include "../sigma.h"
#include "frame.h"

/* svm.c, npt.c, msr.c */

#define NPT_READ	0
#define NPT_WRITE	1

/**
 * struct sigma_guard - what confines one running guest
 * @pages: all single pages below, to be freed
 * @npt: root of the nested page tables
 * @msrpm: permission maps, contiguous
 * @identity: the program's page tables
 * @boot: page tables on which the guest starts; it may write to them
 * @frame: of each CPU
 */
struct sigma_guard {
	struct list_head pages;
	u64 *npt;
	void *msrpm, *iopm;
	struct sigma_identity identity;
	struct sigma_identity boot;
	struct guard_frame *frame[SIGMA_CPUS_MAX];
};

/** guard_page - a zeroed page, freed with the guard; NULL when there is none. May sleep. */
void *guard_page(struct sigma_guard *guard);

/**
 * guard_npt_map - let the guest see [@phys, @phys + @size) at @address
 * @write: NPT_READ or NPT_WRITE; all of it is executable
 *
 * Page-aligned; replaces what was there. May sleep. Return: 0 or -ENOMEM.
 */
int guard_npt_map(struct sigma_guard *guard, u64 address, u64 phys, u64 size, bool write);

/** guard_npt_build - @guard->npt with all that is @guest's, and nothing else */
int guard_npt_build(struct sigma_guard *guard, const struct sigma_guest *guest);

/** guard_msrpm_fill - write the permission map of registers, SVM_MSRPM_SIZE bytes, for @kind */
void guard_msrpm_fill(u8 *map, enum sigma_guard_kind kind);

#endif
