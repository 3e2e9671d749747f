// SPDX-License-Identifier: GPL-2.0
/*
 * Reads what the guard on the lent CPUs has written into their frames: counts of VM exits, and why
 * a CPU was stopped. The frames are host memory, so this can be trusted as much as the guard.
 */
#include <linux/kernel.h>

#include "guard.h"
#include "internal.h"

static const char *const exit_names[GUARD_EXITS] = {
	[GUARD_EXIT_CPUID]	= "cpuid",
	[GUARD_EXIT_MSR]	= "msr",
	[GUARD_EXIT_MSR_DENIED]	= "msr-denied",
	[GUARD_EXIT_IO]		= "io",
	[GUARD_EXIT_IPI]	= "ipi",
	[GUARD_EXIT_CALL]	= "call",
	[GUARD_EXIT_CACHE]	= "cache",
	[GUARD_EXIT_VIRT]	= "virt",
	[GUARD_EXIT_CONTROL]	= "control",
	[GUARD_EXIT_EXCEPTION]	= "exception",
	[GUARD_EXIT_MACHINE_CHECK] = "machine-check",
	[GUARD_EXIT_NOTIFY]	= "notify",
};

static const char *const kind_names[] = {
	[SIGMA_GUARD_NO]	= "no",
	[SIGMA_GUARD_MEMORY]	= "memory",
	[SIGMA_GUARD_FULL]	= "full",
};

const char *sigma_guard_name(enum sigma_guard_kind kind)
{
	return kind_names[kind];
}

/* The report of the first CPU that the guard stopped, which is number *@i, or NULL */
static const struct guard_report *find_report(const struct sigma_guard *guard, unsigned int *i)
{
	for (*i = 0; guard && guard->built && *i < guard->view->nr_cpus; ++*i) {
		const struct guard_report *report = &guard->frame[*i]->report;

		if (smp_load_acquire(&report->reason) != GUARD_NOTHING)
			return report;
	}
	return NULL;
}

static int describe_reason(const struct guard_report *report, char *text, size_t len)
{
	switch (report->reason) {
	case GUARD_MEMORY:
		return scnprintf(text, len, "%s address 0x%llx, which is not the guest's",
				 report->fetch ? "ran code at" : report->write ? "wrote to" :
				 "read from", report->info);
	case GUARD_SHUTDOWN:
		return scnprintf(text, len, "triple fault");
	case GUARD_IPI:
		return scnprintf(text, len, "sent an interrupt that it may not send, ICR 0x%llx",
				 report->info);
	case GUARD_STATE:
		return scnprintf(text, len, "invalid CPU state");
	case GUARD_MACHINE_CHECK:
		return scnprintf(text, len, "machine check, status 0x%llx", report->info);
	case GUARD_BROKEN:
		return scnprintf(text, len, "fault in the guard itself at 0x%llx, please report it",
				 report->info);
	default:
		return scnprintf(text, len, "caused a VM exit that the guard does not handle, code 0x%llx",
				 report->info);
	}
}

int sigma_guard_describe(const struct sigma_guard *guard, char *text, size_t len)
{
	static const char *const names[] = {
		"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
		"r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
	};
	const struct guard_report *report;
	unsigned int i;
	int n;

	report = find_report(guard, &i);
	if (!report)
		return 0;
	n = describe_reason(report, text, len);
	n += scnprintf(text + n, len - n, "\ncpu %u (the guest's CPU %u), CPL %u, RIP 0x%llx\n",
		       guard->view->cpus[i], i, report->cpl, report->rip);
	n += scnprintf(text + n, len - n,
		       "rflags %llx cr0 %llx cr2 %llx cr3 %llx cr4 %llx efer %llx\n",
		       report->rflags, report->cr0, report->cr2, report->cr3, report->cr4,
		       report->efer);
	for (size_t r = 0; r < ARRAY_SIZE(names); r++)
		n += scnprintf(text + n, len - n, "%s %016llx%c", names[r], report->gpr[r],
			       r % 4 == 3 ? '\n' : ' ');
	return n;
}

int sigma_guard_show_exits(const struct sigma_guard *guard, char *text, size_t len)
{
	int n = 0;

	for (unsigned int e = 0; e < GUARD_EXITS; e++) {
		u64 sum = 0;

		for (unsigned int i = 0; guard && guard->built && i < guard->view->nr_cpus; i++)
			sum += READ_ONCE(guard->frame[i]->exits[e]);
		n += scnprintf(text + n, len - n, "%s %llu\n", exit_names[e], sum);
	}
	return n;
}
