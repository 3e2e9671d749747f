// SPDX-License-Identifier: GPL-2.0
/*
 * Makes what confines one guest, again for each of its starts: see guard.h.
 *
 * The programs for the lent CPUs are part of this module's data. One copy of the program for this
 * machine, in pages of its own, serves all guests. Each guest has page tables for it. They map the
 * program, the frames, the control blocks, the entry pages, the IOSC window and the local APIC to
 * their own addresses, and nothing else. So the CPU can jump from the entry pages into the program
 * as it would into a kernel. Only code is executable, and no code is writable.
 */
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <asm/apic.h>
#include <asm/cpufeature.h>
#include <asm/processor.h>

#include "../entry.h"
#include "../startup.h"
#include "../uapi/iosc.h"
#include "guard.h"
#include "internal.h"

#define X2APIC_LEAF		1
#define X2APIC_LEAF_X2APIC	(1 << 21)	/* ECX */

#define FLAT_CPUS		8	/* CPUs in flat logical mode, SDM vol. 3A, 11.6.2.2 */

static const struct guard_backend *backend;	/* NULL: this machine has neither SVM nor VMX */
static void *program;				/* the copy that runs */

static size_t program_size(void)
{
	return backend->program_end - backend->program;
}

static const char *const kind_names[] = {
	[SIGMA_GUARD_NO]	= "no",
	[SIGMA_GUARD_MEMORY]	= "memory",
	[SIGMA_GUARD_FULL]	= "full",
};

const char *sigma_guard_name(enum sigma_guard_kind kind)
{
	return kind_names[kind];
}

enum sigma_reason sigma_guard_missing(enum sigma_guard_kind kind)
{
	enum sigma_reason reason;

	if (kind == SIGMA_GUARD_NO)
		return SIGMA_REASON_NONE;
	reason = backend ? backend->missing() : SIGMA_REASON_NO_VIRTUALISATION;
	if (!reason && kind == SIGMA_GUARD_FULL &&
	    !(cpuid_ecx(X2APIC_LEAF) & X2APIC_LEAF_X2APIC))
		reason = SIGMA_REASON_NO_X2APIC;
	return reason;
}

/*
 * A host in flat logical mode addresses each CPU by one bit, whose position is the CPU's number. A
 * CPU in x2APIC mode takes an interrupt for the bit at the position of its APIC ID (SDM vol. 3A,
 * 11.12.10.2). If that is the bit of another CPU, which is the host's or may be again, the guest's
 * CPU would get that CPU's interrupts.
 *
 * Return: the index of the first CPU in @cpus for which this is so, -1: none.
 */
static int x2apic_taken_by(const u32 *cpus, unsigned int nr)
{
	if (x2apic_enabled() || !apic->dest_mode_logical)
		return -1;
	for (unsigned int i = 0; i < nr; i++) {
		u32 bit = sigma_cpu_apic_id(cpus[i]);
		bool own = false;

		for (unsigned int k = 0; k < nr; k++)
			own |= cpus[k] == bit;
		if (bit < FLAT_CPUS && !own && bit < nr_cpu_ids && cpu_possible(bit))
			return i;
	}
	return -1;
}

enum sigma_guard_kind sigma_guard_strongest(void)
{
	enum sigma_guard_kind kind = SIGMA_GUARD_FULL;

	while (sigma_guard_missing(kind))
		kind--;
	return kind;
}

/* Can the CPUs of @args be confined by a guard of @kind? If not, @why receives the reason */
static bool can_confine(enum sigma_guard_kind kind, const struct sigma_create *args,
			struct sigma_why *why)
{
	int taken;

	why->reason = sigma_guard_missing(kind);
	if (why->reason)
		return false;
	if (kind != SIGMA_GUARD_FULL)
		return true;
	taken = x2apic_taken_by(args->cpus, args->nr_cpus);
	if (taken < 0)
		return true;
	*why = (struct sigma_why){
		.reason = SIGMA_REASON_X2APIC_ID,
		.cpu = args->cpus[taken],
		.value = sigma_cpu_apic_id(args->cpus[taken]),
	};
	return false;
}

int sigma_guard_choose(const struct sigma_create *args, enum sigma_guard_kind *kind,
		       struct sigma_why *why)
{
	struct sigma_why weaker = {};

	*kind = args->guard == SIGMA_GUARD_AUTO ? SIGMA_GUARD_FULL : args->guard;
	if (can_confine(*kind, args, why))
		return 0;
	if (args->guard != SIGMA_GUARD_AUTO)
		return -EOPNOTSUPP;
	while (!can_confine(--*kind, args, &weaker))
		*why = weaker;
	return 0;
}

static int make_maps(struct sigma_guard *guard)
{
	guard->msr_map = alloc_pages_exact(backend->msr_map_size, GFP_KERNEL);
	if (!guard->msr_map)
		return -ENOMEM;
	guard_fill_msr_map(guard);
	if (!backend->io_map_size)
		return 0;
	guard->io_map = alloc_pages_exact(backend->io_map_size, GFP_KERNEL);
	if (!guard->io_map)
		return -ENOMEM;
	memset(guard->io_map, 0xff, backend->io_map_size);
	return 0;
}

static int map_data(struct sigma_guard *guard, void *page)
{
	return sigma_identity_map(&guard->identity, virt_to_phys(page), PAGE_SIZE,
				  SIGMA_IDENTITY_WRITE);
}

/* Map what the program uses on all CPUs; make_frame() maps what each CPU has of its own */
static int map_program(struct sigma_guard *guard)
{
	int err = sigma_identity_init(&guard->identity);

	if (!err)
		err = sigma_entry_map(&guard->identity);
	if (!err)
		err = sigma_identity_map(&guard->identity, virt_to_phys(program),
					 PAGE_ALIGN(program_size()), SIGMA_IDENTITY_EXEC);
	if (!err)
		err = map_data(guard, guard->shared);
	if (!err)
		err = sigma_identity_map(&guard->identity, guard->view->iosc_phys,
					 SIGMA_IOSC_SIZE, SIGMA_IDENTITY_WRITE);
	return err ?: sigma_identity_map(&guard->identity, APIC_DEFAULT_PHYS_BASE, PAGE_SIZE,
					 SIGMA_IDENTITY_WRITE | SIGMA_IDENTITY_UNCACHED);
}

/*
 * On hosts that run SEV-SNP guests, a control block at a multiple of 2 MiB may make the host's
 * writes to all pages of that range fail (KVM: snp_safe_alloc_page()). Then take another page.
 */
static void *control_page(struct sigma_guard *guard)
{
	void *page = guard_page(guard);

	return page && !(virt_to_phys(page) & (SZ_2M - 1)) ? guard_page(guard) : page;
}

static int make_frame(struct sigma_guard *guard, unsigned int i, u64 gdt)
{
	struct guard_frame *frame = guard_page(guard);
	void *control = control_page(guard), *region = control_page(guard);
	int err;

	if (!frame || !control || !region)
		return -ENOMEM;
	err = map_data(guard, frame) ?: map_data(guard, control);
	if (err)
		return err;
	frame->control = virt_to_phys(control);
	frame->region = virt_to_phys(region);
	frame->shared = virt_to_phys(guard->shared);
	frame->apic_id = guard->view->apic_ids[i];
	if (i)
		frame->mailbox = guard->view->iosc_phys + SIGMA_IOSC_MAILBOX_OFF;
	guard->frame[i] = frame;
	return backend->fill(guard, frame, gdt);
}

static int make_frames(struct sigma_guard *guard)
{
	void *gdt = guard_page(guard);
	int err;

	if (!gdt)
		return -ENOMEM;
	memcpy(gdt, sigma_entry_gdt, ENTRY_GDT_SIZE);
	err = guard_nested_map(guard, virt_to_phys(gdt), virt_to_phys(gdt), PAGE_SIZE,
			       backend->nested.write);
	for (unsigned int i = 0; !err && i < guard->view->nr_cpus; i++)
		err = make_frame(guard, i, virt_to_phys(gdt));
	return err;
}

static void fill_shared(const struct sigma_guard *guard)
{
	const struct sigma_view *view = guard->view;
	struct guard_shared *shared = guard->shared;

	shared->kind = view->guard_kind;
	shared->up = 0;
	shared->stopping = 0;
	shared->armed = 1;
	shared->keep_xapic = x2apic_taken_by(view->cpus, view->nr_cpus) >= 0;
	guard_fill_hidden(guard);
	shared->pending = view->iosc_phys + SIGMA_IOSC_HEADER_OFF +
			  offsetof(struct sigma_iosc_header,
				   to_host.pending[SIGMA_DOORBELL_STATE / 64]);
	shared->nr_cpus = view->nr_cpus;
	memcpy(shared->apic_ids, view->apic_ids, sizeof(shared->apic_ids));
}

struct sigma_guard *sigma_guard_alloc(const struct sigma_view *view)
{
	struct sigma_guard *guard = kzalloc(sizeof(*guard), GFP_KERNEL);

	if (!guard)
		return NULL;
	guard->shared = (void *)get_zeroed_page(GFP_KERNEL);
	if (!guard->shared) {
		kfree(guard);
		return NULL;
	}
	guard->view = view;
	guard->backend = backend;
	INIT_LIST_HEAD(&guard->pages);
	return guard;
}

void sigma_guard_free(struct sigma_guard *guard)
{
	if (!guard)
		return;
	free_page((unsigned long)guard->shared);
	kfree(guard);
}

int sigma_guard_build(struct sigma_guard *guard, bool la57)
{
	int err;

	sigma_guard_clear(guard);
	guard->la57 = la57;
	fill_shared(guard);

	err = sigma_identity_build(&guard->boot, guard->view);
	if (!err)
		err = make_maps(guard);
	if (!err)
		err = guard_nested_build(guard);
	if (!err)
		err = map_program(guard);
	if (!err)
		err = make_frames(guard);
	if (err)
		sigma_guard_clear(guard);
	else
		guard->built = true;
	return err;
}

void sigma_guard_stopping(struct sigma_guard *guard)
{
	if (guard)
		WRITE_ONCE(guard->shared->stopping, 1);
}

void sigma_guard_arm(struct sigma_guard *guard)
{
	WRITE_ONCE(guard->shared->armed, 1);
}

void sigma_guard_publish(struct sigma_guard *guard, u64 target)
{
	struct guard_shared *shared;

	if (!guard)
		return;
	shared = guard->shared;
	if (shared->doorbell[0] == target)
		return;
	for (unsigned int i = GUARD_DOORBELLS - 1; i; i--)
		WRITE_ONCE(shared->doorbell[i], shared->doorbell[i - 1]);
	WRITE_ONCE(shared->doorbell[0], target);
	/* An interrupt that was sent to the old target may never come */
	WRITE_ONCE(shared->armed, 1);
}

void sigma_guard_clear(struct sigma_guard *guard)
{
	struct page *page, *next;

	if (!guard)
		return;
	guard->built = false;
	list_for_each_entry_safe(page, next, &guard->pages, lru) {
		list_del(&page->lru);
		__free_page(page);
	}
	if (guard->msr_map)
		free_pages_exact(guard->msr_map, backend->msr_map_size);
	if (guard->io_map)
		free_pages_exact(guard->io_map, backend->io_map_size);
	sigma_identity_free(&guard->identity);
	sigma_identity_free(&guard->boot);
	guard->nested = NULL;
	guard->msr_map = NULL;
	guard->io_map = NULL;
	memset(guard->frame, 0, sizeof(guard->frame));
}

int sigma_guard_start_cpu(struct sigma_guard *guard, unsigned int i, u64 entry, u64 argument)
{
	struct guard_frame *frame = guard->frame[i];

	frame->rip = entry;
	frame->gpr[6] = argument;	/* RSI */
	return sigma_cpu_start(guard->view->cpus[i], ENTRY_JUMP, &guard->identity,
			       virt_to_phys(program), virt_to_phys(frame));
}

int sigma_guard_init(void)
{
	if (boot_cpu_has(X86_FEATURE_SVM))
		backend = &guard_svm;
	else if (boot_cpu_has(X86_FEATURE_VMX))
		backend = &guard_vmx;
	else
		return 0;
	program = alloc_pages_exact(program_size(), GFP_KERNEL);
	if (!program)
		return -ENOMEM;
	memcpy(program, backend->program, program_size());
	return 0;
}

void sigma_guard_exit(void)
{
	if (backend)
		free_pages_exact(program, program_size());
}
