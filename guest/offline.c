// SPDX-License-Identifier: GPL-2.0
/*
 * Where the guest's second and further CPUs wait while they are offline, which they are in a suspend. A
 * kernel halts them in its idle loop. It starts them again by the ACPI wake-up mailbox, which nobody polls
 * there: it would wait for ever, unless the host had them meanwhile. A suspend that fails after they went
 * offline would so hang the guest. Therefore they wait at the mailbox themselves, as they wait in the
 * host's entry pages before the guest boots (ACPI 6.4, 5.2.12.19).
 *
 * The code that a CPU starts with expects page tables that map it, and the first MiB, to themselves. So
 * when the CPU is wanted, it goes through a page that is at its own physical address in tables of ours.
 */
#include <linux/bits.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/percpu.h>
#include <asm/cpufeature.h>
#include <asm/msr.h>
#include <asm/processor-flags.h>
#include <asm/smp.h>

#include "../kmod/shared/fault.h"
#include "guest.h"
#include "offline.h"
#include "tables.h"

#define CS64		0x00af9b000000ffffULL	/* flat 64-bit code */
#define DS		0x00cf93000000ffffULL	/* flat data */
/* What the host's entry pages set (kmod/entry.h), and 5-level paging, which cannot be changed here */
#define CR4_KEPT	(X86_CR4_PAE | X86_CR4_MCE | X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT | X86_CR4_LA57)

static struct {
	struct sigma_iosc_mailbox *mailbox;
	struct offline_page *page;
	struct sigma_tables tables;
	void (*report)(void);		/* the kernel's play_dead_common() */
} offline;

/*
 * In place of the kernel's native_play_dead(). The kernel's function makes this CPU one that is dead, and
 * switches interrupts off. Its type cannot be checked by CFI, and IBT is off for it: see sleep.c. RCU does
 * not watch this CPU any more, so nothing here may be traced.
 */
static void __nocfi notrace wait_at_mailbox(void)
{
	const u32 apic_id = per_cpu(x86_cpu_to_apicid, raw_smp_processor_id());

	if (boot_cpu_has(X86_FEATURE_IBT))
		native_wrmsr(MSR_IA32_S_CET, 0, 0);
	offline.report();
	while (le16_to_cpu(READ_ONCE(offline.mailbox->command)) != SIGMA_MAILBOX_WAKEUP ||
	       le32_to_cpu(READ_ONCE(offline.mailbox->apic_id)) != apic_id)
		cpu_relax();
	sigma_offline_leave(&offline.mailbox->command, virt_to_phys(offline.page),
			    le64_to_cpu(READ_ONCE(offline.mailbox->wakeup_vector)), CR4_KEPT,
			    sigma_tables_cr3(&offline.tables));
}

static void fill_page(void)
{
	struct offline_page *page = offline.page;

	memcpy(page->code, sigma_offline_code, sigma_offline_code_end - sigma_offline_code);
	page->gdt[OFFLINE_CS / sizeof(u64)] = CS64;
	page->gdt[OFFLINE_DS / sizeof(u64)] = DS;
	page->gdtr = (struct desc_ptr){
		.size = sizeof(page->gdt) - 1, .address = virt_to_phys(page->gdt),
	};
	sigma_tables_begin(&offline.tables);
	sigma_tables_map(&offline.tables, 0);
	sigma_tables_map(&offline.tables, virt_to_phys(page));
}

int sigma_offline_open(struct sigma_guest *guest)
{
	void (*ours)(void) = wait_at_mailbox;
	int err = -ENOMEM;

	if (num_possible_cpus() == 1)
		return 0;
	offline.mailbox = guest->window + SIGMA_IOSC_MAILBOX_OFF;
	offline.report = sigma_find_symbol("play_dead_common");
	if (!offline.report)
		return -ENOENT;
	offline.page = sigma_fault() ? NULL : (void *)get_zeroed_page(GFP_KERNEL);
	if (!offline.page)
		return -ENOMEM;
	if (sigma_tables_alloc(&offline.tables, 2))
		goto free_page;
	fill_page();
	err = sigma_fault() ?: sigma_kernel_write(&smp_ops.play_dead, &ours, sizeof(ours));
	if (!err)
		return 0;
	sigma_tables_free(&offline.tables);
free_page:
	free_page((unsigned long)offline.page);
	return err;
}
