// SPDX-License-Identifier: GPL-2.0
/*
 * For guard.sh and guard-full.sh: a guest that tries what its guard forbids. Loading it with
 * what=table tries everything that leaves the guest running, and logs "trespass: NAME: OUTCOME" for
 * each attempt. Any other word names one violation that ends the guest. Its target is in at=, a
 * physical address, or to=, an APIC ID.
 */
#include <linux/delay.h>
#include <linux/io.h>
#include <linux/module.h>
#include <asm/apic.h>
#include <asm/asm.h>
#include <asm/desc.h>
#include <asm/io.h>
#include <asm/msr.h>

static char *what = "table";
module_param(what, charp, 0);
static ulong at;
module_param(at, ulong, 0);
static uint to;
module_param(to, uint, 0);

#define MARK	0x600df00d600df00dUL

/* MSRs of AMD and Intel that reach beyond their CPU, each with a bit to flip */
static const struct {
	const char *name;
	u32 msr;
	u64 flip;
} registers[] = {
	{ "TSC",		0x00000010, 1ULL << 40 },
	{ "APIC_BASE address",	0x0000001b, 1 << 12 },
	{ "TSC_ADJUST",		0x0000003b, 1 << 20 },
	{ "MTRR variable",	0x00000200, 1 << 20 },
	{ "MTRR fixed",		0x00000250, 1 },
	{ "MTRR default",	0x000002ff, 1 << 11 },
	{ "machine check",	0x00000400, 1 },
	{ "FEATURE_CONTROL",	0x0000003a, 1 << 2 },
	{ "BIOS_UPDT_TRIG",	0x00000079, 1 << 12 },
	{ "SMM_MONITOR_CTL",	0x0000009b, 1 },
	{ "MISC_ENABLE",	0x000001a0, 1 << 22 },
	{ "PERF_CTL",		0x00000199, 1 << 8 },
	{ "CLOCK_MODULATION",	0x0000019a, 1 << 4 },
	{ "SMRR",		0x000001f2, 1 << 12 },
	{ "POWER_CTL",		0x000001fc, 1 << 1 },
	{ "VMX_BASIC",		0x00000480, 1 },
	{ "RTIT_CTL",		0x00000570, 1 },
	{ "DS_AREA",		0x00000600, 1 << 12 },
	{ "PKG_POWER_LIMIT",	0x00000610, 1 },
	{ "PQR_ASSOC",		0x00000c8f, 1 },
	{ "PATCH_LOADER",	0xc0010020, 1 },
	{ "SYSCFG",		0xc0010010, 1 << 20 },
	{ "HWCR",		0xc0010015, 1 },
	{ "IORR",		0xc0010016, 1 << 12 },
	{ "TOP_MEM",		0xc001001a, 1 << 23 },
	{ "SMM_BASE",		0xc0010111, 1 << 17 },
	{ "SMM_MASK",		0xc0010113, 1 },
	{ "VM_CR",		0xc0010114, 1 << 4 },
	{ "VM_HSAVE_PA",	0xc0010117, 1 << 12 },
	{ "TSC_RATIO",		0xc0000104, 1 },
	{ "unknown",		0x4b564d00, 1 },
};

static void try_registers(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(registers); i++) {
		u32 low = 0, high = 0;
		u64 value;

		/* Some of these cannot be read, either */
		rdmsr_safe(registers[i].msr, &low, &high);
		value = ((u64)high << 32 | low) ^ registers[i].flip;
		pr_info("trespass: write %s: %s\n", registers[i].name,
			wrmsr_safe(registers[i].msr, (u32)value, value >> 32) ? "refused" :
			"DONE");
	}
}

#define try_with(name, text, value) do {						\
	u64 block[2] = { }, rax = value;						\
	int done = 0;									\
											\
	asm volatile("1: " text "\n movl $1, %0\n2:\n" _ASM_EXTABLE(1b, 2b)		\
		     : "+r" (done), "+m" (block), "+a" (rax)				\
		     : "c" (0UL), "d" (0UL) : "cc", "memory");				\
	pr_info("trespass: %s: %s\n", name, done ? "DONE" : "refused");			\
} while (0)
#define try_instruction(name, text)	try_with(name, text, 0)

/* Bits of CR4 that the guard withholds, whether the CPU has them or not */
static void try_control(void)
{
	unsigned long cr4 = native_read_cr4();

	try_with("set CR4.VMXE", "movq %%rax, %%cr4", cr4 | X86_CR4_VMXE);
	try_with("set CR4.SMXE", "movq %%rax, %%cr4", cr4 | X86_CR4_SMXE);
	try_with("set CR4.KL", "movq %%rax, %%cr4", cr4 | 1UL << 19);
	try_with("set CR4.PKS", "movq %%rax, %%cr4", cr4 | 1UL << 24);
	try_with("set CR4.UINTR", "movq %%rax, %%cr4", cr4 | 1UL << 25);
	try_with("set CR4.FRED", "movq %%rax, %%cr4", cr4 | 1UL << 32);
	asm volatile("mov %0, %%cr4" : : "r" (cr4 ^ X86_CR4_MCE) : "memory");
	pr_info("trespass: change CR4.MCE: %s\n",
		(native_read_cr4() ^ cr4) == X86_CR4_MCE ? "seen by itself" : "DONE");
	asm volatile("mov %0, %%cr4" : : "r" (cr4) : "memory");
}

/* Instructions of AMD and of Intel: no CPU has both sets, and the other set raises #UD */
static void try_instructions(void)
{
	try_instruction("VMRUN", "vmrun");
	try_instruction("VMLOAD", "vmload");
	try_instruction("VMSAVE", "vmsave");
	try_instruction("STGI", "stgi");
	try_instruction("CLGI", "clgi");
	try_instruction("INVLPGA", "invlpga");
	try_instruction("SKINIT", "skinit");
	try_instruction("VMMCALL", "vmmcall");
	try_instruction("VMXON", "vmxon %1");
	try_instruction("VMXOFF", "vmxoff");
	try_instruction("VMCLEAR", "vmclear %1");
	try_instruction("VMPTRLD", "vmptrld %1");
	try_instruction("VMPTRST", "vmptrst %1");
	try_instruction("VMREAD", "vmread %%rax, %1");
	try_instruction("VMWRITE", "vmwrite %1, %%rax");
	try_instruction("VMLAUNCH", "vmlaunch");
	try_instruction("VMRESUME", "vmresume");
	try_instruction("VMCALL", "vmcall");
	try_instruction("VMFUNC", "vmfunc");
	try_instruction("INVEPT", "invept %1, %%rax");
	try_instruction("INVVPID", "invvpid %1, %%rax");
	try_instruction("GETSEC", "getsec");
	try_instruction("XSETBV of nothing", "xsetbv");
	/* AMD CPUs lack these bits, and QEMU ends the guest for one instead of raising #GP */
	if (boot_cpu_data.x86_vendor == X86_VENDOR_INTEL)
		try_control();
}

/* A read of an absent port gives all ones, and one of these writes would reset the machine */
static void try_ports(void)
{
	static const u16 ports[] = { 0x21, 0x40, 0x64, 0x70, 0xcf8, 0x3f8 };
	bool seen = false;

	for (size_t i = 0; i < ARRAY_SIZE(ports); i++)
		seen |= inb(ports[i]) != 0xff;
	pr_info("trespass: read ports: %s\n", seen ? "DONE" : "nothing there");
	outb(0xfe, 0x64);
	outb(0x02, 0xcf9);
	outb(0x06, 0xcf9);
	mdelay(10);
	pr_info("trespass: reset by port: nothing happened\n");
}

static void try_caches(void)
{
	static unsigned long mark;

	WRITE_ONCE(mark, MARK);
	asm volatile("invd" : : : "memory");
	pr_info("trespass: INVD: %s\n", READ_ONCE(mark) == MARK ? "nothing lost" : "DONE");
	asm volatile("wbinvd" : : : "memory");
}

static void try_efer(void)
{
	u32 low, high;

	rdmsr(MSR_EFER, low, high);
	pr_info("trespass: clear EFER.SVME: %s\n",
		wrmsr_safe(MSR_EFER, low & ~EFER_SVME, high) ? "refused" : "no effect");
}

static int touch(bool write)
{
	u64 *page = memremap(at & PAGE_MASK, PAGE_SIZE, MEMREMAP_WB) ?:
		    (__force void *)ioremap(at & PAGE_MASK, PAGE_SIZE);
	u64 *word = (void *)page + (at & ~PAGE_MASK);

	if (!page)
		return -ENOMEM;
	pr_info("trespass: about to %s 0x%lx\n", write ? "write to" : "read", at);
	if (write)
		WRITE_ONCE(*word, MARK);
	else
		READ_ONCE(*word);
	pr_info("trespass: %s: DONE\n", what);
	return 0;
}

static void triple_fault(void)
{
	static const struct desc_ptr none;

	local_irq_disable();
	load_idt(&none);
	asm volatile("int3");
}

/* By x2APIC, or by xAPIC where the guest may use it */
static void send(u32 command)
{
	pr_info("trespass: about to send 0x%x to %u\n", command, to);
	wrmsr(APIC_BASE_MSR + (APIC_ICR >> 4), command, to);
	pr_info("trespass: %s: DONE\n", what);
}

static int __init trespass_init(void)
{
	if (!strcmp(what, "table")) {
		try_registers();
		try_efer();
		try_instructions();
		try_ports();
		try_caches();
		pr_info("trespass: table is done\n");
	} else if (!strcmp(what, "read")) {
		return touch(false);
	} else if (!strcmp(what, "write")) {
		return touch(true);
	} else if (!strcmp(what, "triple")) {
		triple_fault();
	} else if (!strcmp(what, "init")) {
		send(APIC_INT_LEVELTRIG | APIC_INT_ASSERT | APIC_DM_INIT);
	} else if (!strcmp(what, "sipi")) {
		send(APIC_DM_STARTUP | 0x10);
	} else if (!strcmp(what, "nmi")) {
		send(APIC_DM_NMI);
	} else if (!strcmp(what, "stray")) {
		send(APIC_DM_FIXED | 0x31);
	} else if (!strcmp(what, "all")) {
		send(APIC_DEST_ALLBUT | APIC_DM_NMI);
	} else {
		return -EINVAL;
	}
	return 0;
}
module_init(trespass_init);

static void __exit trespass_exit(void)
{
}
module_exit(trespass_exit);

MODULE_DESCRIPTION("Try what a confined guest must not do");
MODULE_LICENSE("GPL");
