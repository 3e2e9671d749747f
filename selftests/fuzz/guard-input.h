/* SPDX-License-Identifier: GPL-2.0 */
/* How an input is read, see guard.h. Zeroes give the most common state of a kernel. */
#ifndef SIGMA_FUZZ_GUARD_INPUT_H
#define SIGMA_FUZZ_GUARD_INPUT_H

#include "guard-cpu.h"

static u64 take64(struct input *in)
{
	u64 value;

	take(in, &value, sizeof(value));
	return value;
}

/* Interesting values: VNONE to VBITS() */
#define VNONE		0
#define VBYTE(byte)	1, byte
#define VBIT(bit)	2, bit
#define VALL		3
#define VSIGNED(value)	4, B16(value)
#define VBITS(one, two)	5, one, two
#define VRAW(value)	6, B16(value), B16((value) >> 16), B16((u64)(value) >> 32), \
			B16((u64)(value) >> 48)

static u64 take_value(struct input *in)
{
	u64 value;

	switch (take8(in) % 7) {
	case 0:
		return 0;
	case 1:
		return take8(in);
	case 2:
		return 1ULL << take8(in) % 64;
	case 3:
		return ~0ULL;
	case 4:
		return (int16_t)take16(in);
	case 5:
		value = 1ULL << take8(in) % 64;
		return value | 1ULL << take8(in) % 64;
	default:
		return take64(in);
	}
}

/* The first bytes of an input are what the host says of the guest */
#define HOST_MEMORY	1		/* the kind of guard; otherwise FULL */
#define HOST_KEEP_XAPIC	2
#define HOST_UP		4
#define HOST_STOPPING	8
#define HOST_UNARMED	16
#define HOST_NEXT_RIP	32
#define HOST_LOCKED	64		/* x2APIC mode is locked */
#define HOST_BSP	128

#define START_NO_VMXON	1
#define START_NO_FIELD	2		/* the next byte names the field */

/* Bits of EFER and DEBUGCTL that this CPU lacks */
#define LACKS_SCE	1
#define LACKS_NXE	2
#define LACKS_FFXSR	4
#define LACKS_TCE	8
#define LACKS_AIBRSE	16
#define LACKS_FREEZE	32
#define LACKS_RTM	64

/*
 * flags, number of CPUs, bits that CPUID has and lacks, bits of registers that the CPU lacks, the
 * first APIC ID, doorbells, and how the CPU starts
 */
#define HOST_LACKS(flags, lacks) \
	flags, 2, 0, 0, lacks, B16(2), 2, 0x31, 3, 0x32, 0, 0, 0, 0
#define HOST(flags)	HOST_LACKS(flags, 0)

/* Entries of hidden_msrs in msr.c that another rule could let pass, and edges of its ranges */
static const struct guard_msr_range hidden_msrs[] = {
	{ 0x000001cc, 0x000001d4 },
	{ 0x000001db, 0x000001de },
	{ 0x00000400, 0x0000047f },
	{ 0x00000611, 0x00000611 },
	{ 0x00000985, 0x0000098a },
	{ 0x00000d93, 0x00000d93 },
	{ 0x00002000, 0xbfffffff },
	{ 0xc0002000, 0xc000ffff },
	{ 0xc0010117, 0xc0010117 },
	{ 0xc0012000, 0xffffffff },
};

/* All bits but those that the CPU lacks, also ones that no guest may have: LMSLE, BTS, unnamed */
static void take_lacks(unsigned int lacks)
{
	shared->efer = ~((lacks & LACKS_SCE ? EFER_BIT_SCE : 0ULL) |
			 (lacks & LACKS_NXE ? EFER_BIT_NXE : 0) |
			 (lacks & LACKS_FFXSR ? EFER_BIT_FFXSR : 0) |
			 (lacks & LACKS_TCE ? EFER_BIT_TCE : 0) |
			 (lacks & LACKS_AIBRSE ? EFER_BIT_AIBRSE : 0));
	shared->debugctl = ~((lacks & LACKS_FREEZE ? 3ULL << 11 : 0) |
			     (lacks & LACKS_RTM ? 1ULL << 15 : 0));
}

static void take_policy(struct input *in)
{
	unsigned int flags = take8(in), fails;
	u32 apic_id;

	shared->kind = flags & HOST_MEMORY ? SIGMA_GUARD_MEMORY : SIGMA_GUARD_FULL;
	shared->nr_cpus = take8(in) % SIGMA_CPUS_MAX + 1;
	shared->keep_xapic = !!(flags & HOST_KEEP_XAPIC);
	shared->up = !!(flags & HOST_UP);
	shared->stopping = !!(flags & HOST_STOPPING);
	shared->armed = !(flags & HOST_UNARMED);
	shared->next_rip = !!(flags & HOST_NEXT_RIP);
	cpu.x2apic_locked = flags & HOST_LOCKED;
	cpu.apic_base = APIC_DEFAULT_BASE | APIC_BASE_ENABLE |
			(flags & HOST_BSP ? APIC_BASE_BSP : 0);
	cpu.cpuid_set = (u8)take8(in) * 0x01010101u;
	cpu.cpuid_clear = (u8)take8(in) * 0x01010101u;
	cpu.xcr0_known = 0x602e7;
	take_lacks(take8(in));

	/* The guest's APIC IDs are even; those from nr_cpus on belong to no CPU of the guest */
	apic_id = take16(in) & ~1;
	for (u32 i = 0; i < SIGMA_CPUS_MAX; i++)
		shared->apic_ids[i] = apic_id + 2 * i;
	/* The host's APIC IDs are odd; 0: no doorbell */
	for (u32 i = 0; i < GUARD_DOORBELLS; i++) {
		u32 to = take8(in), vector = take8(in);

		shared->doorbell[i] = vector < 32 ? 0 : SIGMA_DOORBELL_TARGET(to * 2 + 1, vector);
	}
	fails = take8(in);
	cpu.no_vmxon = fails & START_NO_VMXON;
	cpu.no_field = fails & START_NO_FIELD ? take8(in) + 1 : 0;
	shared->nr_hidden = COUNT(hidden_msrs);
	memcpy(shared->hidden, hidden_msrs, sizeof(hidden_msrs));
}

/* The exit of that number begins with these bytes: what, two bytes of state, noise */
#define EXIT(number, what, state, state2) \
	EXIT_NOISE(number, what, state, state2, 0)
#define EXIT_NOISE(number, what, state, state2, noise) \
	[RECORD * (number)] = WHAT_##what, state, state2, B16(noise)
#define END(number)	[RECORD * (number) - 1] = 0

/* Bits of the noise */
#define REARM		1		/* the host arms the doorbell again */
#define NOT_CODE64	2		/* compatibility mode; outside of long mode: CS.L is set */
#define AT_4GIB		4		/* RIP is at the end of the 4 GiB that 32 bits address */
#define LBR		8		/* last branches are recorded */
#define IN_NMI		16		/* VMX: the guest is in its NMI handler */
#define GD		32		/* DR7.GD is set */

#define STATE_CPL(cpl)	(cpl)
#define STATE_LONG	(0 << 2)
#define STATE_REAL	(1 << 2)
#define STATE_FLAT	(2 << 2)	/* protected mode, no paging */
#define STATE_PAGED	(3 << 2)	/* 32 bits */
#define STATE_TF	(1 << 4)
#define STATE_BTF	(1 << 5)
#define STATE_NO_IF	(1 << 6)
#define STATE_NMI	(1 << 7)	/* an NMI comes during the VM exit */

#define STATE2_STI	(1 << 0)
#define STATE2_MOV_SS	(1 << 1)
#define STATE2_OSXSAVE	(1 << 2)
#define STATE2_PKE	(1 << 3)
#define STATE2_HALTED	(1 << 4)
#define STATE2_LEN(len)	(((len) & 7) << 5)	/* bytes beyond the instruction's minimum */

static void take_state(struct input *in)
{
	unsigned int state = take8(in), state2 = take8(in), mode = state & STATE_PAGED;

	now.noise = take16(in);
	if (now.noise & REARM)
		shared->armed = 1;
	for (unsigned int i = 0; i < COUNT(now.gpr); i++)
		now.gpr[i] = noise(i);
	now.pe = mode != STATE_REAL;
	now.lbr = now.noise & LBR;
	now.in_nmi = now.noise & IN_NMI;
	now.pg = mode == STATE_PAGED || mode == STATE_LONG;
	now.lma = mode == STATE_LONG;
	now.cpl = now.pe ? state & 3 : 0;
	now.tf = state & STATE_TF;
	now.btf = state & STATE_BTF;
	now.intf = !(state & STATE_NO_IF);
	now.nmi_comes = state & STATE_NMI;
	now.mov_ss = state2 & STATE2_MOV_SS;
	now.sti = state2 & STATE2_STI && !now.mov_ss && now.intf;
	now.osxsave = state2 & STATE2_OSXSAVE;
	now.pke = state2 & STATE2_PKE;
	now.halted = state2 & STATE2_HALTED;
	now.len = state2 >> 5;		/* target_leave() adds the minimum length */
	now.cs_l = now.pe && now.lma == !(now.noise & NOT_CODE64);
	now.rip = is_64bit() ? noise(99) >> 17 : now.pe ? (u32)noise(99) >> 1 :
		  (u16)noise(99) >> 1;
	if (now.pe && now.noise & AT_4GIB)
		now.rip = 0xfffffffe;
	now.dr7 = 0x400 | (now.noise & GD ? DR7_GD : 0);
	now.cr0 = (now.pe ? CR0_BIT_PE : 0) | (now.pg ? CR0_BIT_PG : 0) | (1 << 5 | 1 << 4);
	now.cr4 = (now.osxsave ? CR4_BIT_OSXSAVE : 0) | (now.pke ? CR4_BIT_PKE : 0) | 1 << 5;
	now.efer = EFER_BIT_SCE | EFER_BIT_NXE | (now.lma ? EFER_BIT_LME | EFER_BIT_LMA : 0);
}

/* For an exit during event delivery: 0, or 1 + the index of the event's type; its vector */
#define NO_DELIVERY		0
#define DELIVERS(index, vector)	(index) + 1, vector
enum { D_INTERRUPT, D_NMI, D_EXCEPTION, D_SOFT_INT, D_SOFT_EXC, D_INT1, NR_DELIVERIES };

static bool has_error_code(unsigned int vector)
{
	return vector == 8 || (vector >= 10 && vector <= 14) || vector == 17;
}

static void take_delivery(struct input *in)
{
	static const unsigned int types[NR_DELIVERIES] = {
		TYPE_INTERRUPT, TYPE_NMI, TYPE_EXCEPTION, TYPE_SOFT_INT, TYPE_SOFT_EXC, TYPE_INT1,
	};
	unsigned int delivers = take8(in) % (NR_DELIVERIES + 1);

	if (!delivers)
		return;
	now.delivers = true;
	now.halted = false;
	now.type = types[delivers - 1];
	now.vector = take8(in);
	switch (now.type) {
	case TYPE_INTERRUPT:
		now.vector |= now.vector < 16 ? 16 : 0;
		now.intf = true;
		now.sti = now.mov_ss = false;
		break;
	case TYPE_NMI:
		now.vector = VECTOR_NMI;
		now.sti = now.mov_ss = false;
		break;
	case TYPE_EXCEPTION:
		now.vector %= 32;
		if (now.vector == VECTOR_NMI || now.vector == 3 || now.vector == 4)
			now.vector = 14;
		now.has_error = now.pe && has_error_code(now.vector);
		now.error = now.has_error ? noise(98) & 0x7fff : 0;
		break;
	case TYPE_SOFT_EXC:
		now.vector = now.vector & 1 ? 3 : 4;
		break;
	case TYPE_INT1:
		now.vector = VECTOR_DB;
		break;
	}
}

/* MSRs by name, or any; what the MSR holds: nothing (it does not exist), the value, or another */
enum {
	M_ICR, M_APIC_BASE, M_EFER, M_XSS, M_LVT_CMCI, M_LVT_FIRST, M_LVT_LAST, M_LVT_BEFORE,
	M_LVT_BEHIND, M_MCG_STATUS, M_BANK, M_ENERGY, M_UINTR, M_HIGH, M_LAST, M_MTRR, M_HWCR,
	M_LVT_LINT0, M_DEBUGCTL, NR_MSRS,
};
#define MSR(name)	M_##name
#define MSR_RAW(msr)	0xff, B16(msr), B16((msr) >> 16)

static u32 take_msr(struct input *in)
{
	static const u32 msrs[NR_MSRS] = {
		[M_ICR] = 0x830, [M_APIC_BASE] = 0x1b, [M_EFER] = 0xc0000080, [M_XSS] = 0xda0,
		[M_LVT_CMCI] = 0x82f, [M_LVT_FIRST] = 0x833, [M_LVT_LAST] = 0x837,
		[M_LVT_BEFORE] = 0x832, [M_LVT_BEHIND] = 0x838, [M_MCG_STATUS] = 0x17a,
		[M_BANK] = 0x401, [M_ENERGY] = 0x611, [M_UINTR] = 0x985, [M_HIGH] = 0x2000,
		[M_LAST] = 0xffffffff, [M_MTRR] = 0x200, [M_HWCR] = 0xc0010015,
		[M_LVT_LINT0] = 0x835, [M_DEBUGCTL] = 0x1d9,
	};
	unsigned int which = take8(in);
	u32 msr = msrs[which % NR_MSRS];

	if (which >= 0xf0) {
		msr = take16(in);
		msr |= (u32)take16(in) << 16;
	}
	return target_sees(msr) ? msr : msr - 1;
}

/* vector, mode and flags, destination */
#define ICR(vector, how, to)	vector, how, to
#define ICR_HOW(mode, shorthand)	((mode) | (shorthand) << 3)
#define ICR_HOW_LOGICAL		(1 << 5)
#define ICR_HOW_RESERVED	(1 << 6)
#define ICR_HOW_LEVEL		(1 << 7)
#define TO_OWN(i)		(i)		/* the guest's CPU @i, if it has so many */
#define TO_DOORBELL(i)		(128 + (i))	/* doorbell @i, with its vector where that is 0 */
#define TO_HOST(i)		(192 + (i))
#define TO_ANY			0xff		/* the next 32 bits are the destination */

static u64 take_icr(struct input *in)
{
	unsigned int vector = take8(in), how = take8(in), to = take8(in);
	u64 doorbell, icr = (how & 7) << 8 | (how >> 3 & 3) << 18;
	u32 apic_id;

	icr |= how & ICR_HOW_LOGICAL ? 1 << 11 : 0;
	icr |= how & ICR_HOW_RESERVED ? 1 << 12 : 0;
	icr |= how & ICR_HOW_LEVEL ? 1 << 14 : 0;
	if (to < 128) {
		apic_id = shared->apic_ids[to % SIGMA_CPUS_MAX];
	} else if (to < 192) {
		doorbell = shared->doorbell[to % GUARD_DOORBELLS];
		apic_id = doorbell >> 32;
		vector = vector ?: doorbell & 0xff;
	} else if (to < TO_ANY) {
		apic_id = (to - 192) * 2 + 1;
	} else {
		apic_id = take16(in);
		apic_id |= (u32)take16(in) << 16;
	}
	return icr | vector | (u64)apic_id << 32;
}

/* Operands for a local vector: vector, mode and mask */
#define LVT(vector, mode, masked)	vector, (mode) | (masked) << 3

#define HELD_NONE	0
#define HELD_SAME	1
#define HELD_OTHER	2		/* the value with the bits of a take_value() flipped */
#define HELD_REFUSED	4		/* the CPU refuses the value */

static void take_wrmsr_value(struct input *in)
{
	unsigned int flags;

	if (now.msr == REG_X2APIC_ICR) {
		now.value = take_icr(in);
	} else if (is_lvt(now.msr)) {
		now.value = take8(in);
		flags = take8(in);
		now.value |= (flags & 7) << 8 | (flags & 8 ? LVT_MASKED : 0) |
			     (flags & 16 ? LVT_LEVEL : 0);
	} else if (now.msr == REG_APIC_BASE) {
		now.value = cpu.apic_base ^ take_value(in);
	} else if (now.msr == REG_DEBUGCTL) {
		now.value = (now.btf ? DEBUGCTL_BTF : 0) ^ take_value(in);
	} else if (now.msr == REG_EFER) {
		now.value = now.efer ^ take_value(in);
	} else {
		now.value = take_value(in);
	}
}

static void take_wrmsr(struct input *in)
{
	unsigned int held;

	now.msr = take_msr(in);
	take_wrmsr_value(in);
	held = take8(in);
	now.exists = held & (HELD_SAME | HELD_OTHER);
	now.held = now.value ^ (held & HELD_OTHER ? take_value(in) : 0);
	/* The mode bits decide whether the CPU accepts IA32_APIC_BASE, see takes_apic_base() */
	now.refused = held & HELD_REFUSED && now.msr != REG_APIC_BASE;
	now.gpr[GPR_RCX] = (noise(97) & ~0xffffffffULL) | now.msr;
	now.gpr[GPR_RAX] = (noise(96) & ~0xffffffffULL) | (u32)now.value;
	now.gpr[GPR_RDX] = (noise(95) & ~0xffffffffULL) | now.value >> 32;
	set_msr(now.msr, now.exists, now.held, now.refused);
}

#define LEAF(leaf)	0xff, B16(leaf), B16((leaf) >> 16)

static void take_cpuid(struct input *in)
{
	static const u32 leaves[] = {
		0, 1, 7, 0xa, 0xd, 0x18, 0x24, 0x40000000, 0x40000001, 0x400000ff, 0x40000100,
		0x80000000, 0x80000001, 0x80000008, 0x80000022,
	};
	unsigned int which = take8(in);

	now.leaf = leaves[which % COUNT(leaves)];
	if (which >= 0xf0) {
		now.leaf = take16(in);
		now.leaf |= (u32)take16(in) << 16;
	}
	now.subleaf = take8(in);
	now.gpr[GPR_RAX] = (noise(97) & ~0xffffffffULL) | now.leaf;
	now.gpr[GPR_RCX] = (noise(96) & ~0xffffffffULL) | now.subleaf;
}

/* flags, port */
#define IO_IN		1
#define IO_STRING	2
#define IO_BYTE		0
#define IO_WORD		4
#define IO_LONG		8

static void take_io(struct input *in)
{
	unsigned int flags = take8(in);

	now.in = flags & IO_IN;
	now.string = flags & IO_STRING;
	now.size = flags & IO_LONG ? 4 : flags & IO_WORD ? 2 : 1;
	now.port = take16(in);
}

#define XC_INT1		1
#define XC_AC		2
#define XC_NMI		4		/* IRET had unblocked NMIs */
#define XC_OTHER	8		/* an exception that is not intercepted */

static void take_exception(struct input *in)
{
	unsigned int flags = take8(in);

	now.raised = flags & XC_OTHER ? 14 : flags & XC_AC ? VECTOR_AC : VECTOR_DB;
	now.int1 = flags & XC_INT1 && now.raised == VECTOR_DB;
	now.unblocks_nmi = flags & XC_NMI;
	/* The error code of #AC is 0 or the EXT bit */
	now.raised_error = now.raised == VECTOR_AC && now.pe ? noise(94) & 1 : 0;
	now.debug = take_value(in);
}

#define MC_RIPV		1
#define MC_VALID	2
#define MC_UC		4
#define MC_PCC		8
#define MC_AR		16
#define MC_REFUSED	32		/* MCG_STATUS cannot be written */
#define MC_ENTRY	64		/* during the guest's entry */
#define MC_NMI		128		/* IRET had unblocked NMIs */

/* flags, number of banks, which of them is bad */
static void take_machine_check(struct input *in)
{
	unsigned int flags = take8(in), bank;
	bool bad = flags & MC_VALID && flags & MC_UC && flags & (MC_PCC | MC_AR);
	u64 status = noise(93) & ~(7ULL << 61 | 1ULL << 57 | 1ULL << 55);

	now.ripv = flags & MC_RIPV;
	now.banks = take8(in);
	bank = take8(in);
	now.entry_failed = flags & MC_ENTRY;
	now.unblocks_nmi = flags & MC_NMI;
	status |= (flags & MC_VALID ? 1ULL << 63 : 0) | (flags & MC_UC ? 1ULL << 61 : 0) |
		  (flags & MC_PCC ? 1ULL << 57 : 0) | (flags & MC_AR ? 1ULL << 55 : 0);
	set_msr(REG_MCG_CAP, true, 0x1000100 | now.banks, true);
	set_msr(REG_MCG_STATUS, true, (now.ripv ? 1 : 0) | 4, flags & MC_REFUSED);
	set_msr(0x401 + 4 * bank, true, status, true);
	if (bad && bank < now.banks && bank < BANKS_MAX)
		now.bad_bank = status;
}

static void take_call(struct input *in)
{
	now.gpr[GPR_RAX] = SIGMA_GUARD_CALL_UP ^ take_value(in);
	now.value = now.gpr[GPR_RAX];
}

#define MEM_WRITE	1
#define MEM_FETCH	2

static void take_memory(struct input *in)
{
	unsigned int flags = take8(in);

	now.write = flags & MEM_WRITE;
	now.fetch = flags & MEM_FETCH;
	now.address = take_value(in);
}

#define CR_CLTS		16		/* CLTS or LMSW instead of a MOV */

/* the control register, its value with these bits flipped */
static void take_cr(struct input *in)
{
	unsigned int cr = take8(in);

	now.mov = !(cr & CR_CLTS);
	now.cr = cr & 0xf;
	now.value = (now.cr == 4 ? now.cr4 | CR4_BIT_MCE : now.cr0) ^ take_value(in);
	/* The upper half of the register is ignored outside of 64-bit mode */
	if (!is_64bit())
		now.value = (u32)now.value;
}

#define NOTIFY_NMI	1		/* IRET had unblocked NMIs */

static void take_xsetbv(struct input *in)
{
	now.msr = take8(in);
	now.value = take_value(in);
	now.gpr[GPR_RCX] = (noise(97) & ~0xffffffffULL) | now.msr;
	now.gpr[GPR_RAX] = (noise(96) & ~0xffffffffULL) | (u32)now.value;
	now.gpr[GPR_RDX] = (noise(95) & ~0xffffffffULL) | now.value >> 32;
}

static bool is_instruction(void)
{
	switch (now.what) {
	case WHAT_EXCEPTION:
	case WHAT_MACHINE_CHECK:
	case WHAT_MEMORY:
	case WHAT_SHUTDOWN:
	case WHAT_STATE:
	case WHAT_OTHER:
	case WHAT_NOTIFY:
	case WHAT_INIT:
		return false;
	default:
		return true;
	}
}

static void take_exit(struct input *in, unsigned int nr_whats)
{
	now = (struct exit) { .what = take8(in) % nr_whats };
	cpu.nr_msrs = 0;
	take_state(in);
	if (is_instruction())
		now.halted = false;
	else if (now.what != WHAT_INIT)
		take_delivery(in);
	if (now.halted)
		now.sti = now.mov_ss = false;
	set_msr(REG_DEBUGCTL, true, now.btf ? DEBUGCTL_BTF : 0, true);
	switch (now.what) {
	case WHAT_CPUID:
		take_cpuid(in);
		break;
	case WHAT_RDMSR:
		now.msr = take_msr(in);
		now.gpr[GPR_RCX] = (noise(97) & ~0xffffffffULL) | now.msr;
		set_msr(now.msr, true, noise(92), false);
		break;
	case WHAT_WRMSR:
		take_wrmsr(in);
		break;
	case WHAT_IO:
		take_io(in);
		break;
	case WHAT_EXCEPTION:
		take_exception(in);
		break;
	case WHAT_MACHINE_CHECK:
		take_machine_check(in);
		break;
	case WHAT_CALL:
		take_call(in);
		break;
	case WHAT_MEMORY:
		take_memory(in);
		break;
	case WHAT_CR:
		take_cr(in);
		break;
	case WHAT_XSETBV:
		take_xsetbv(in);
		break;
	case WHAT_NOTIFY:
		now.unblocks_nmi = take8(in) & NOTIFY_NMI;
		break;
	case WHAT_VIRT:
		now.variant = take8(in);
		break;
	case WHAT_STATE:
		now.variant = take8(in);
		now.code = take_value(in);
		break;
	case WHAT_OTHER:
		now.code = take_value(in);
		break;
	default:
		break;
	}
}

#endif
