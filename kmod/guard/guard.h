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
 *	internal.h	what these files share
 *	report.c	why a guest was stopped, and counts of VM exits, for the host
 *	program/	the program on the lent CPU: see program.h; frame.h is what both sides share
 *
 * All of it is made again for each start and each wake of a guest, and afterwards the host only
 * reads it, but for struct guard_shared.
 *
 * This header is for the rest of the module. Functions that take a guard may sleep and are called
 * under the guest's lock, unless they say otherwise.
 */
#ifndef _SIGMA_GUARD_H
#define _SIGMA_GUARD_H

#include <linux/types.h>

#include "../uapi/sigma.h"
#include "frame.h"

struct sigma_guard;
struct sigma_view;

int sigma_guard_init(void);
void sigma_guard_exit(void);

const char *sigma_guard_name(enum sigma_guard_kind kind);

/** sigma_guard_missing - why this machine can't do @kind; SIGMA_REASON_NONE: it can */
enum sigma_reason sigma_guard_missing(enum sigma_guard_kind kind);

/** sigma_guard_strongest - the strongest guard that this machine can do */
enum sigma_guard_kind sigma_guard_strongest(void);

/**
 * sigma_guard_choose - choose the guard for the guest of @args
 * @args: what the caller asked for; sigma_cpu_claim() has accepted its CPUs
 * @kind: out: the guard. SIGMA_GUARD_AUTO becomes the strongest one for these CPUs
 * @why: out: the reason of a failure, or why SIGMA_GUARD_AUTO did not become SIGMA_GUARD_FULL
 *
 * Return: 0 or -EOPNOTSUPP.
 */
int sigma_guard_choose(const struct sigma_create *args, enum sigma_guard_kind *kind,
		       struct sigma_why *why);

/**
 * sigma_guard_alloc - a guard, not yet built, for the guest of @view, which is not SIGMA_GUARD_NO
 * @view: must stay valid until sigma_guard_free(); it need not be filled in yet
 *
 * Without a lock. Return: NULL: no memory.
 */
struct sigma_guard *sigma_guard_alloc(const struct sigma_view *view);

/** sigma_guard_free - free what sigma_guard_alloc() returned, or NULL. Without a lock. */
void sigma_guard_free(struct sigma_guard *guard);

/**
 * sigma_guard_build - make what confines the guest, for a start or a wake
 * @la57: the boot CPU begins with 5-level paging, which it has
 *
 * Return: 0 or -ENOMEM.
 */
int sigma_guard_build(struct sigma_guard *guard, bool la57);

/** sigma_guard_clear - free what sigma_guard_build() made; the CPUs are parked. NULL: nothing */
void sigma_guard_clear(struct sigma_guard *guard);

/**
 * sigma_guard_start_cpu - start the guest's CPU number @i in the guard
 * @entry: where the boot CPU, number 0, begins; the others wait at the mailbox
 * @argument: value for the boot CPU's RSI
 *
 * Return: 0, or -EIO when the CPU did not arrive.
 */
int sigma_guard_start_cpu(struct sigma_guard *guard, unsigned int i, u64 entry, u64 argument);

/**
 * sigma_guard_stopping - the guest's CPUs are about to be stopped: they may not send NMIs now
 * @guard: NULL: nothing to do
 */
void sigma_guard_stopping(struct sigma_guard *guard);

/**
 * sigma_guard_publish - the host's doorbell is now @target
 * @guard: NULL: nothing to do
 *
 * Any context; calls are serialised.
 */
void sigma_guard_publish(struct sigma_guard *guard, u64 target);

/** sigma_guard_arm - the next doorbell may interrupt the host. Any context. */
void sigma_guard_arm(struct sigma_guard *guard);

/**
 * sigma_guard_violation - why the guard stopped the guest
 * @guard: NULL: there is none, and so it did not
 *
 * Return: it did, and @violation is set.
 */
bool sigma_guard_violation(const struct sigma_guard *guard, struct sigma_violation *violation);

/** sigma_guard_exits - number of VM exits for this reason since the guest's start; @guard or NULL */
u64 sigma_guard_exits(const struct sigma_guard *guard, enum guard_exit exit);

#endif
