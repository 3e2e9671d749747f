// SPDX-License-Identifier: GPL-2.0
/*
 * Makes the entry pages: see entry.h. They are made once, and serve one CPU after the other.
 */
#include <linux/io.h>
#include <linux/mm.h>
#include <asm/apic.h>
#include <asm/cpufeature.h>
#include <asm/msr-index.h>
#include <asm/processor.h>
#include <asm/processor-flags.h>

#include "entry.h"
#include "frequency.h"
#include "identity.h"
#include "low.h"
#include "startup.h"

#define CPUID_1_ECX_XSAVE	BIT(26)
#define XSAVE_LEAF		0xd

enum { EAX, EBX, ECX, EDX };

#define VECTOR_NMI		2
#define VECTOR_GP		13
#define VECTOR_MC		18
#define INTERRUPT_GATE		0x8e00		/* present, DPL 0; 32-bit, or 64-bit in long mode */

struct gate16 {				/* SDM vol. 3A, 21.1.4 */
	u16 offset;
	u16 segment;
};

struct gate32 {				/* SDM vol. 3A, 6.11 */
	u16 offset0;
	u16 selector;
	u16 attrib;
	u16 offset16;
};

struct gate64 {				/* SDM vol. 3A, 6.14.1 */
	struct gate32 low;
	u32 offset32;
	u32 zero;
};

/*
 * INIT leaves these registers as the last owner of the CPU had them. They reveal its addresses to
 * the next owner, change how that one runs, or act later, as a counter that overflows does by an
 * NMI. All are 0 after a reset, and the next kernel sets those that it uses. Counters are switched
 * off before the register that they count in is cleared.
 */
static const struct left_range {
	u32 first, last;
	struct {
		u32 leaf, subleaf;
		u8 reg, bit;		/* EAX is 0 */
	} where;			/* the CPUID bit that shows them; leaf 0: none needed */
} left_msrs[] = {
	{ MSR_IA32_MCG_STATUS, MSR_IA32_MCG_STATUS },
	{ MSR_IA32_SPEC_CTRL, MSR_IA32_SPEC_CTRL },
	{ MSR_IA32_DEBUGCTLMSR, MSR_IA32_DEBUGCTLMSR },
	{ MSR_IA32_SYSENTER_CS, MSR_IA32_SYSENTER_EIP },
	{ MSR_STAR, MSR_SYSCALL_MASK },
	{ MSR_FS_BASE, MSR_TSC_AUX },
	{ MSR_IA32_XFD, MSR_IA32_XFD_ERR, { 0xd, 1, EAX, 4 } },
	{ MSR_IA32_U_CET, MSR_IA32_S_CET, { 7, 0, ECX, 7 } },
	{ MSR_IA32_U_CET, MSR_IA32_S_CET, { 7, 0, EDX, 20 } },
	{ MSR_IA32_PL0_SSP, MSR_IA32_INT_SSP_TAB, { 7, 0, ECX, 7 } },
	{ MSR_IA32_XSS, MSR_IA32_XSS, { 0xd, 1, EAX, 3 } },
	{ 0x000001cc, 0x000001d4, { 7, 1, EAX, 17 } },	/* FRED_RSP0 to FRED_CONFIG */
}, left_intel_msrs[] = {
	{ MSR_CORE_PERF_GLOBAL_CTRL, MSR_CORE_PERF_GLOBAL_CTRL },
	{ MSR_CORE_PERF_FIXED_CTR_CTRL, MSR_CORE_PERF_FIXED_CTR_CTRL },
	{ MSR_IA32_PEBS_ENABLE, MSR_IA32_PEBS_ENABLE },
	{ MSR_P6_EVNTSEL0, MSR_P6_EVNTSEL0 + 7 },
	{ MSR_P6_PERFCTR0, MSR_P6_PERFCTR0 + 7 },
	{ MSR_CORE_PERF_FIXED_CTR0, MSR_CORE_PERF_FIXED_CTR0 + 3 },
	{ 0x00000329, 0x00000329, { 1, 0, ECX, 15 } },	/* PERF_METRICS, with PDCM */
	{ MSR_IA32_RTIT_CTL, MSR_IA32_RTIT_CTL, { 7, 0, EBX, 25 } },
	{ MSR_ARCH_LBR_CTL, MSR_ARCH_LBR_CTL, { 7, 0, EDX, 19 } },
	{ MSR_IA32_UMWAIT_CONTROL, MSR_IA32_UMWAIT_CONTROL, { 7, 0, ECX, 5 } },
	{ 0x000006e1, 0x000006e1, { 7, 0, ECX, 31 } },	/* PKRS */
	{ 0x00000985, 0x0000098a, { 7, 0, EDX, 5 } },	/* UINTR_RR to UINTR_TT */
	{ MSR_IA32_BNDCFGS, MSR_IA32_BNDCFGS, { 7, 0, EBX, 14 } },
	{ MSR_IA32_PASID, MSR_IA32_PASID, { 7, 0, ECX, 29 } },
}, left_amd_msrs[] = {
	{ MSR_AMD64_PERF_CNTR_GLOBAL_CTL, MSR_AMD64_PERF_CNTR_GLOBAL_CTL },
	{ MSR_K7_EVNTSEL0, MSR_K7_EVNTSEL0 + 7 },	/* 4 controls, then their counters */
	{ MSR_F15H_PERF_CTL, MSR_F15H_PERF_CTL + 11 },	/* 6 pairs of control and counter */
	{ MSR_AMD_DBG_EXTN_CFG, MSR_AMD_DBG_EXTN_CFG },
};

#define L1D_FLUSH_ALL		1

/* In the status of performance counters (SDM vol. 3B, 20.2.4; APM vol. 2, 13.2.1) */
#define LBRS_FROZEN		BIT_ULL(58)
#define COUNTERS_FROZEN		BIT_ULL(59)

#define ARCH_CAP_HAS_LOCK	BIT_ULL(21)	/* the CPU has IA32_XAPIC_DISABLE_STATUS */
#define X2APIC_IS_LOCKED	BIT_ULL(0)	/* in IA32_XAPIC_DISABLE_STATUS */

#define TEST_CTRL		0x33
#define TEST_CTRL_SPLIT_LOCK	BIT_ULL(29)

static u64 entry_page;
static unsigned int nr_writes;		/* entries of `writes` that are the same for each arrival */

u64 sigma_entry_page(void)
{
	return entry_page;
}

static struct entry_data *entry_data(void)
{
	return phys_to_virt(entry_page + ENTRY_DATA);
}

/* Top of the stack that @cpu uses while it is parked */
static u32 stack_of(unsigned int cpu)
{
	return entry_page + ENTRY_STACKS + (cpu + 1) * ENTRY_CPU_STACK_SIZE;
}

/* Setting NXE is #GP where the firmware has switched NX off; noexec=off also clears the feature */
u64 sigma_entry_efer(void)
{
	return EFER_LME | (boot_cpu_has(X86_FEATURE_NX) ? EFER_NX : 0);
}

u64 sigma_entry_cr4(void)
{
	return ENTRY_CR4_ALWAYS | (boot_cpu_has(X86_FEATURE_MCE) ? X86_CR4_MCE : 0);
}

static unsigned int nr_pages(void)
{
	return PFN_UP(ENTRY_STACKS + nr_cpu_ids * ENTRY_CPU_STACK_SIZE);
}

int sigma_entry_map(struct sigma_identity *id)
{
	int err = sigma_identity_map(id, entry_page, ENTRY_DATA, SIGMA_IDENTITY_EXEC);

	return err ?: sigma_identity_map(id, entry_page + ENTRY_DATA,
					 (u64)nr_pages() * PAGE_SIZE - ENTRY_DATA,
					 SIGMA_IDENTITY_WRITE);
}

static u32 address_of(const u8 *label)
{
	return entry_page + (label - sigma_entry_start);
}

static void set_gate16(struct entry_data *data, unsigned int vector, const u8 *label)
{
	struct gate16 *gate = (struct gate16 *)data->idt + vector;

	gate->offset = label - sigma_entry_start;
	gate->segment = entry_page >> 4;
}

static struct gate32 make_gate(u16 selector, const u8 *label)
{
	return (struct gate32) {
		.offset0	= address_of(label),
		.selector	= selector,
		.attrib		= INTERRUPT_GATE,
		.offset16	= address_of(label) >> 16,
	};
}

static void set_gate32(struct entry_data *data, unsigned int vector, const u8 *label)
{
	((struct gate32 *)data->idt)[vector] = make_gate(ENTRY_CS32, label);
}

static void set_gate64(u8 *idt, unsigned int vector, const u8 *label)
{
	((struct gate64 *)idt)[vector] = (struct gate64) { .low = make_gate(ENTRY_CS64, label) };
}

static struct entry_table table_at(void *table, size_t size)
{
	return (struct entry_table) { .limit = size - 1, .base = virt_to_phys(table) };
}

static void add_write(struct entry_data *data, u32 msr, u64 value)
{
	if (WARN_ON(nr_writes >= ENTRY_WRITES_MAX - 2))		/* the frequency and a 0 follow */
		return;
	data->writes[nr_writes++] = (struct entry_write) { .msr = msr, .value = value };
}

/*
 * The same MSR number may mean something else on another CPU, so the lack of a #GP does not prove
 * that the register is there
 */
static bool has_registers(const struct left_range *range)
{
	u32 regs[4] = { };

	if (!range->where.leaf)
		return true;
	if (cpuid_eax(0) >= range->where.leaf)
		cpuid_count(range->where.leaf, range->where.subleaf, &regs[EAX], &regs[EBX],
			    &regs[ECX], &regs[EDX]);
	return regs[range->where.reg] >> range->where.bit & 1;
}

static void add_zeroes(struct entry_data *data, const struct left_range *ranges, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		if (!has_registers(&ranges[i]))
			continue;
		for (u32 msr = ranges[i].first; msr <= ranges[i].last; msr++)
			add_write(data, msr, 0);
	}
}

/*
 * A host that detects split locks by #AC leaves that switched on when a CPU goes offline. A guest's
 * kernel might not know about it, and a guarded kernel could not switch it off for a program that
 * uses split locks. The host switches it on again when it brings the CPU up. On CPUs without this
 * control, a write to the register is harmful.
 */
static void allow_split_locks(struct entry_data *data)
{
	u64 value;

	if (boot_cpu_has(X86_FEATURE_SPLIT_LOCK_DETECT) && !rdmsrq_safe(TEST_CTRL, &value))
		add_write(data, TEST_CTRL, value & ~TEST_CTRL_SPLIT_LOCK);
}

/*
 * The last two are commands: IBPB keeps the last owner from steering the next one's branches, and
 * L1D_FLUSH removes its data from the core's L1 cache. A CPU that lacks a register or a bit raises
 * #GP, and the entry code skips that write.
 */
static void fill_writes(struct entry_data *data)
{
	const bool is_amd = boot_cpu_data.x86_vendor == X86_VENDOR_AMD ||
			    boot_cpu_data.x86_vendor == X86_VENDOR_HYGON;

	nr_writes = 0;
	add_zeroes(data, left_msrs, ARRAY_SIZE(left_msrs));
	if (is_amd)
		add_zeroes(data, left_amd_msrs, ARRAY_SIZE(left_amd_msrs));
	else
		add_zeroes(data, left_intel_msrs, ARRAY_SIZE(left_intel_msrs));
	/* An overflow that nobody acknowledged keeps the next owner's counters frozen */
	add_write(data, is_amd ? MSR_AMD64_PERF_CNTR_GLOBAL_STATUS_CLR :
				 MSR_CORE_PERF_GLOBAL_OVF_CTRL, COUNTERS_FROZEN | LBRS_FROZEN);
	allow_split_locks(data);
	add_write(data, MSR_IA32_CR_PAT, SIGMA_PAT_AFTER_RESET);
	add_write(data, MSR_IA32_PRED_CMD, PRED_CMD_IBPB);
	add_write(data, MSR_IA32_FLUSH_CMD, L1D_FLUSH_ALL);
}

/* The XCR0 with all components that the CPU supports (SDM vol. 1, 13.2) */
static u64 all_components(void)
{
	u32 eax, ebx, ecx, edx;

	if (!(cpuid_ecx(1) & CPUID_1_ECX_XSAVE))
		return 0;
	cpuid_count(XSAVE_LEAF, 0, &eax, &ebx, &ecx, &edx);
	return (u64)edx << 32 | eax;
}

static void fill_data(struct entry_data *data)
{
	/* The largest formats first: smaller gates overlap larger ones of other, unused vectors */
	set_gate64(data->idt, VECTOR_NMI, sigma_entry_nmi64);
	set_gate64(data->idt, VECTOR_MC, sigma_entry_mc64);
	set_gate32(data, VECTOR_NMI, sigma_entry_nmi32);
	set_gate32(data, VECTOR_MC, sigma_entry_mc32);
	set_gate16(data, VECTOR_NMI, sigma_entry_nmi16);
	set_gate16(data, VECTOR_MC, sigma_entry_mc16);

	for (unsigned int i = 0; i < sizeof(data->idt64) / sizeof(struct gate64); i++)
		set_gate64(data->idt64, i, sigma_entry_fault64);
	set_gate64(data->idt64, VECTOR_NMI, sigma_entry_nmi64);
	set_gate64(data->idt64, VECTOR_MC, sigma_entry_mc64);
	set_gate64(data->idt64, VECTOR_GP, sigma_entry_gp64);

	data->idtr = table_at(data->idt, sizeof(data->idt));
	data->idtr64 = table_at(data->idt64, sizeof(data->idt64));
	data->gdtr = (struct entry_table) {
		.limit = ENTRY_GDT_SIZE - 1, .base = address_of(sigma_entry_gdt),
	};
	data->efer = sigma_entry_efer();
	data->xcr0 = all_components();
	data->far32 = (struct entry_far) { address_of(sigma_entry_code32), ENTRY_CS32 };
	data->far64 = (struct entry_far) { address_of(sigma_entry_code64), ENTRY_CS64 };
	fill_writes(data);
}

/*
 * All CPUs are handed over in xAPIC mode. A kernel that starts in x2APIC mode without interrupt
 * remapping switches to xAPIC mode, but Linux 6.1 then keeps to logical destinations, and receives
 * interrupts of the host's devices. Firmware may have locked x2APIC mode (SDM vol. 4,
 * IA32_XAPIC_DISABLE_STATUS); kernels stay in it then.
 */
static bool x2apic_locked(void)
{
	u64 value;

	return !rdmsrq_safe(MSR_IA32_ARCH_CAPABILITIES, &value) && value & ARCH_CAP_HAS_LOCK &&
	       !rdmsrq_safe(MSR_IA32_XAPIC_DISABLE_STATUS, &value) && value & X2APIC_IS_LOCKED;
}

u32 sigma_entry_tell(const struct entry_order *order)
{
	struct entry_data *data = entry_data();
	bool la57 = order->mode == ENTRY_JUMP_LA57;
	static u32 token;

	if (!++token)
		token++;
	data->token = token;
	data->mode = la57 ? ENTRY_JUMP : order->mode;
	data->apic_id = sigma_cpu_apic_id(order->cpu);
	data->cr3 = virt_to_phys(la57 ? order->id->root_la57 : order->id->root);
	data->cr4 = sigma_entry_cr4() | (la57 ? X86_CR4_LA57 : 0);
	data->target = order->target;
	data->argument = order->argument;
	data->stack = stack_of(order->cpu);
	data->flags = (cpuid_ecx(1) & CPUID_1_ECX_XSAVE ? ENTRY_XSAVE : 0) |
		      (x2apic_locked() ? 0 : ENTRY_XAPIC);
	data->writes[nr_writes] = (struct entry_write) { };
	data->writes[nr_writes + 1] = (struct entry_write) { };
	if (order->freq && order->freq->msr)
		data->writes[nr_writes] = (struct entry_write) {
			.msr = order->freq->msr, .value = order->freq->value,
		};
	wmb();	/* the CPU reads them once it has been started */
	return token;
}

bool sigma_entry_arrived(u32 token)
{
	return READ_ONCE(entry_data()->ack) == token;
}

int sigma_entry_init(void)
{
	entry_page = sigma_low_lend(0, nr_pages());
	if (!entry_page) {
		pr_err("no %u usable pages below 1 MiB, where a CPU has to start: cannot run guests on this machine\n",
		       nr_pages());
		return -ENOMEM;
	}
	memcpy(phys_to_virt(entry_page), sigma_entry_start, sigma_entry_end - sigma_entry_start);
	fill_data(entry_data());
	return 0;
}

void sigma_entry_exit(bool vacant)
{
	if (vacant)
		sigma_low_return(entry_page, nr_pages());
	else
		sigma_low_keep(entry_page, nr_pages());
}
