// SPDX-License-Identifier: GPL-2.0
/* The guard's program on Intel CPUs, with a hostile guest: see guard.h. */
#include "../../kmod/guard/vmx.h"
#include "guard.h"

FUZZ_TARGET(30000);

/* vmx.c defines the first two for vmx_enter.S, which defines the third */
void guard_inject_nmi(struct guard_frame *frame);
void guard_entry_failed(struct guard_frame *frame);
void guard_left(void);

#define DEBUG_BITS	0x1e80fULL	/* SDM vol. 3C, 25.4.2 and table 28-1 */
#define CR0_NE		(1ULL << 5)
#define CR4_FIXED	(CR4_BIT_VMXE | CR4_BIT_MCE)
#define SHADOWS		(GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS)

/* The writer of a field: the host's list, the guard's start, the CPU, the guard after an exit */
enum writer { HOST, START, CPU, EXIT };

static const struct field {
	u16 encoding;
	enum writer writer;
} fields[] = {
	{ VIRTUAL_PROCESSOR_ID, HOST }, { GUEST_ES_SELECTOR, HOST }, { HOST_CS_SELECTOR, HOST },
	{ MSR_BITMAP, HOST }, { EPT_POINTER, HOST }, { XSS_EXIT_BITMAP, HOST },
	{ ENCLS_EXITING_BITMAP, HOST }, { VMCS_LINK_POINTER, HOST }, { GUEST_CS_AR_BYTES, HOST },
	{ GUEST_IA32_PAT, HOST }, { GUEST_IA32_EFER, HOST }, { PIN_BASED_VM_EXEC_CONTROL, HOST },
	{ CPU_BASED_VM_EXEC_CONTROL, HOST }, { EXCEPTION_BITMAP, HOST }, { VM_EXIT_CONTROLS, HOST },
	{ VM_ENTRY_CONTROLS, HOST }, { VM_ENTRY_MSR_LOAD_COUNT, HOST },
	{ SECONDARY_VM_EXEC_CONTROL, HOST }, { NOTIFY_WINDOW, HOST }, { GUEST_SS_AR_BYTES, HOST },
	{ GUEST_ACTIVITY_STATE, HOST }, { CR0_GUEST_HOST_MASK, HOST },
	{ CR4_GUEST_HOST_MASK, HOST }, { GUEST_CR0, HOST }, { GUEST_CR3, HOST },
	{ GUEST_CR4, HOST }, { GUEST_RSP, HOST }, { GUEST_RFLAGS, HOST },

	{ HOST_IA32_EFER, START }, { HOST_CR0, START }, { HOST_CR3, START }, { HOST_CR4, START },
	{ HOST_GDTR_BASE, START }, { HOST_IDTR_BASE, START }, { HOST_RSP, START },
	{ HOST_RIP, START },

	{ GUEST_PHYSICAL_ADDRESS, CPU }, { VM_INSTRUCTION_ERROR, CPU }, { VM_EXIT_REASON, CPU },
	{ VM_EXIT_INTR_INFO, CPU }, { VM_EXIT_INTR_ERROR_CODE, CPU },
	{ IDT_VECTORING_INFO_FIELD, CPU }, { IDT_VECTORING_ERROR_CODE, CPU },
	{ VM_EXIT_INSTRUCTION_LEN, CPU }, { EXIT_QUALIFICATION, CPU },

	{ VM_ENTRY_INTR_INFO_FIELD, EXIT }, { VM_ENTRY_EXCEPTION_ERROR_CODE, EXIT },
	{ VM_ENTRY_INSTRUCTION_LEN, EXIT }, { GUEST_INTERRUPTIBILITY_INFO, EXIT },
	{ CR0_READ_SHADOW, EXIT }, { CR4_READ_SHADOW, EXIT }, { GUEST_DR7, EXIT },
	{ GUEST_RIP, EXIT }, { GUEST_PENDING_DBG_EXCEPTIONS, EXIT }, { GUEST_IA32_DEBUGCTL, EXIT },
};

struct vmcs {
	bool launched;
	u64 values[COUNT(fields)];
	u64 dr6;		/* the CPU's DR6; the guest's, though not in the VMCS */
};

static struct vmcs vmcs;
static struct vmx_fields *list;

static unsigned int number_of(u64 encoding)
{
	static u8 numbers[0x8000];	/* index plus 1 */

	FUZZ_CHECK(encoding < COUNT(numbers));
	if (!numbers[fields[0].encoding])
		for (unsigned int i = 0; i < COUNT(fields); i++)
			numbers[fields[i].encoding] = i + 1;
	FUZZ_CHECK(numbers[encoding]);
	return numbers[encoding] - 1;
}

static u64 *value_of(u64 encoding)
{
	return &vmcs.values[number_of(encoding)];
}

static u64 field(u64 encoding)
{
	return *value_of(encoding);
}

static void set(u64 encoding, u64 value)
{
	*value_of(encoding) = value;
}

/* In fact EFER causes no VM exit; the guard does nothing for one */
static bool target_sees(u32 msr)
{
	return true;
}

/* The VMCS has the guest's DEBUGCTL */
static bool target_may_read(u32 msr)
{
	return false;
}

/* The instructions */

void hw_stgi(void)
{
	FUZZ_CHECK(!"an instruction of SVM");
}

void hw_clgi(void)
{
	FUZZ_CHECK(!"an instruction of SVM");
}

bool hw_vmxon(u64 address)
{
	step();
	FUZZ_CHECK(cpu.starts && address == frame->region && cpu.cr4 & CR4_BIT_VMXE);
	if (cpu.no_vmxon)
		return false;
	cpu.vmx = true;
	return true;
}

void hw_vmxoff(void)
{
	step();
	FUZZ_CHECK(cpu.vmx && !cpu.vmcs);
	cpu.vmx = false;
}

bool hw_vmclear(u64 address)
{
	step();
	FUZZ_CHECK(cpu.vmx && address == frame->control);
	cpu.vmcs = false;
	vmcs.launched = false;
	return true;
}

bool hw_vmptrld(u64 address)
{
	step();
	FUZZ_CHECK(cpu.vmx && address == frame->control);
	cpu.vmcs = true;
	return true;
}

bool hw_vmwrite(u64 encoding, u64 value)
{
	enum writer writer = fields[number_of(encoding)].writer;

	step();
	FUZZ_CHECK(cpu.vmx && cpu.vmcs);
	FUZZ_CHECK(cpu.starts ? writer != CPU : writer == EXIT);
	if (cpu.starts && cpu.no_field &&
	    encoding == fields[cpu.no_field % COUNT(fields)].encoding) {
		set(VM_INSTRUCTION_ERROR, 12);
		return false;
	}
	set(encoding, value);
	return true;
}

u64 hw_vmread(u64 encoding)
{
	step();
	FUZZ_CHECK(cpu.vmx && cpu.vmcs);
	return field(encoding);
}

bool hw_invept(u64 type)
{
	step();
	FUZZ_CHECK(cpu.vmx && type == 2);
	cpu.flushed_ept = true;
	return true;
}

bool hw_invvpid(u64 type)
{
	step();
	FUZZ_CHECK(cpu.vmx && type == 2);
	cpu.flushed_vpid = true;
	return true;
}

u64 hw_read_dr6(void)
{
	step();
	return vmcs.dr6;
}

void hw_write_dr6(u64 value)
{
	step();
	FUZZ_CHECK(!(value >> 32));		/* #GP */
	vmcs.dr6 = value;
}

void guard_left(void)
{
}

static void target_fill(void)
{
	vmcs = (struct vmcs) { .dr6 = 0xffff0ff0 };
	list->nr = 0;
	for (size_t i = 0; i < COUNT(fields); i++) {
		vmcs.values[i] = noise(2000 + i);
		if (fields[i].writer == HOST)
			list->field[list->nr++] = (struct vmx_field) {
				fields[i].encoding, noise(1000 + i)
			};
	}
	list->field[list->nr++] = (struct vmx_field) { CR0_GUEST_HOST_MASK, CR0_NE };
	list->field[list->nr++] = (struct vmx_field) { CR4_GUEST_HOST_MASK, ~CR4_OF_GUEST };
	list->field[list->nr++] = (struct vmx_field) { VM_ENTRY_INTR_INFO_FIELD, 0 };
	list->field[list->nr++] = (struct vmx_field) { GUEST_INTERRUPTIBILITY_INFO, 0 };
	list->field[list->nr++] = (struct vmx_field) { CR0_READ_SHADOW, 0 };
	list->field[list->nr++] = (struct vmx_field) { CR4_READ_SHADOW, 0 };
	list->field[list->nr++] = (struct vmx_field) { GUEST_IA32_DEBUGCTL, 0 };
	set(VM_EXIT_REASON, 0);
	set(IDT_VECTORING_INFO_FIELD, 0);
	set_msr(REG_EFER, true, EFER_BIT_LME | EFER_BIT_LMA | EFER_BIT_NXE, false);
	frame->control = 0x8000;
	frame->region = 0x7000;
	frame->fields = (u64)list;
}

/* Exits */

static u64 reason(void)
{
	static const u16 virt[] = {
		11, 19, 20, 21, 22, 23, 24, 25, 26, 27, 50, 53, 59, 60,
		76, 77,
	};

	switch (now.what) {
	case WHAT_CPUID:
		return 10;
	case WHAT_RDMSR:
		return 31;
	case WHAT_WRMSR:
		return 32;
	case WHAT_IO:
		return 30;
	case WHAT_EXCEPTION:
		return 0;
	case WHAT_MACHINE_CHECK:
		return now.entry_failed ? 41 : 0;
	case WHAT_CALL:
		return 18;
	case WHAT_INVD:
		return 13;
	case WHAT_WBINVD:
		return 54;
	case WHAT_VIRT:
		return virt[now.variant % COUNT(virt)];
	case WHAT_MEMORY:
		return 48;
	case WHAT_SHUTDOWN:
		return 2;
	case WHAT_STATE:
		return now.variant & 1 ? 75 : 33;
	case WHAT_CR:
		return 28;
	case WHAT_XSETBV:
		return 55;
	case WHAT_NOTIFY:
		return 75;
	case WHAT_INIT:
		return 3;
	default:
		break;
	}
	/* All other codes, also those of task switches and of invalid tables */
	switch (now.code & 0xffff) {
	case 0: case 2: case 3: case 10: case 11: case 13: case 18 ... 28: case 30 ... 33:
	case 41: case 48: case 50: case 53 ... 55: case 59: case 60: case 75 ... 77:
		return 49;
	default:
		return now.code & 0xffff;
	}
}

static u64 qualification(void)
{
	switch (now.what) {
	case WHAT_IO:
		return (now.size - 1) | now.in << 3 | now.string << 4 | (noise(85) & 3) << 5 |
		       (u64)now.port << 16;
	case WHAT_CR:
		return now.cr | (now.mov ? 0 : 2 << 4) | (noise(84) & 0xf) << 8;
	case WHAT_EXCEPTION:
		return now.raised == VECTOR_DB ? now.debug & DEBUG_BITS : 0;
	case WHAT_MEMORY:
		return (noise(83) & ~7ULL) | now.write << 1 | now.fetch << 2;
	case WHAT_STATE:
		return now.variant & 1 ? now.code | 1 : now.code;
	case WHAT_NOTIFY:
		return (noise(82) & ~0x1001ULL) | now.unblocks_nmi << 12;
	default:
		return noise(81);
	}
}

static u64 delivered(void)
{
	if (!now.delivers)
		return 0;
	return now.vector | now.type << 8 | (now.has_error ? 1 << 11 : 0) | 1u << 31;
}

/* The exception that caused the exit; bit 12 is undefined during delivery of another event */
static u64 raised(void)
{
	unsigned int vector = now.what == WHAT_MACHINE_CHECK ? VECTOR_MC : now.raised;
	u64 info = vector | (now.int1 ? TYPE_INT1 : TYPE_EXCEPTION) << 8 | 1u << 31;

	if (has_error_code(vector) && now.pe)
		info |= 1 << 11;
	return info | (now.unblocks_nmi ? 1 << 12 : 0);
}

static bool steps(void)
{
	return now.tf && !now.btf;
}

/*
 * Exclude impossible states: the trap of a step behind STI, or of HLT, causes the VM exit itself;
 * no other exception is raised in HLT.
 */
static void settle_steps(void)
{
	bool debug = now.what == WHAT_EXCEPTION && now.raised == VECTOR_DB && !now.int1;

	if (now.what == WHAT_EXCEPTION && !(debug && steps()))
		now.halted = false;
	if (now.sti && steps() && (is_instruction() || now.what == WHAT_EXCEPTION) && !debug)
		now.sti = false;
	if (debug && steps() && (now.sti || now.halted))
		now.debug |= DR6_BS;
}

/*
 * The debug trap of a step that is pending at the VM exit (SDM vol. 3C, 28.3.4): it stays pending
 * with events from outside, and behind MOV SS, which blocks it. Behind STI the step itself causes
 * the exit.
 */
static u64 pending(void)
{
	bool outside = now.what == WHAT_MACHINE_CHECK || now.what == WHAT_NOTIFY;
	bool debug = now.what == WHAT_EXCEPTION && now.raised == VECTOR_DB;

	return steps() && !debug && (now.mov_ss || ((now.sti || now.halted) && outside)) ?
	       DR6_BS : 0;
}

static u64 interruptibility(void)
{
	return (now.sti ? 1 : 0) | (now.mov_ss ? 2 : 0) | (now.in_nmi && !now.unblocks_nmi ? 8 : 0);
}

/* A failed entry reports that, and changes nothing else (SDM vol. 3C, 27.8) */
static void fail_entry(void)
{
	now.delivers = false;
	now.rip = field(GUEST_RIP);
	now.mov_ss = field(GUEST_INTERRUPTIBILITY_INFO) & GUEST_INTR_STATE_MOV_SS;
	now.sti = field(GUEST_INTERRUPTIBILITY_INFO) & GUEST_INTR_STATE_STI;
	now.pe = field(GUEST_CR0) & CR0_BIT_PE;
	now.tf = field(GUEST_RFLAGS) & RFLAGS_TF;
	now.intf = field(GUEST_RFLAGS) & RFLAGS_IF;
	now.btf = field(GUEST_IA32_DEBUGCTL) & DEBUGCTL_BTF;
	now.halted = field(GUEST_ACTIVITY_STATE);
	now.nmi_comes = false;
	memcpy(now.gpr, frame->gpr, sizeof(now.gpr));
	now.gpr[GPR_RSP] = field(GUEST_RSP);
	set(VM_EXIT_REASON, 1u << 31 | 41);
	set(EXIT_QUALIFICATION, 0);
}

/* Length of the instruction that caused the exit, or that raised the event being delivered */
static u64 instruction_length(void)
{
	if (is_instruction() || now.int1)
		return now.len;
	if (now.delivers && now.type >= TYPE_SOFT_INT)
		return 1 + (noise(76) & 1);
	return noise(75) & 0xffffffff;
}

static void leave(void)
{
	bool invalid = now.what == WHAT_STATE && !(now.variant & 1);

	settle_steps();
	now.len += now.int1 ? 1 : 2;
	set(VM_EXIT_REASON, reason() | (invalid ? 1u << 31 : 0) | (noise(79) & 1 << 27));
	now.code = invalid ? now.code : reason();
	set(EXIT_QUALIFICATION, qualification());
	set(VM_EXIT_INTR_INFO, now.what == WHAT_EXCEPTION || now.what == WHAT_MACHINE_CHECK ?
	    raised() : 0);
	set(VM_EXIT_INTR_ERROR_CODE, now.raised_error);
	set(IDT_VECTORING_INFO_FIELD, delivered() | (now.delivers ? noise(78) & 1 << 12 : 0));
	set(IDT_VECTORING_ERROR_CODE, now.has_error ? now.error : noise(77));
	set(VM_EXIT_INSTRUCTION_LEN, instruction_length());
	set(GUEST_PHYSICAL_ADDRESS, now.address);
	set(VM_ENTRY_INTR_INFO_FIELD, field(VM_ENTRY_INTR_INFO_FIELD) & ~(1ULL << 31));
	set(GUEST_INTERRUPTIBILITY_INFO, interruptibility());
	set(GUEST_PENDING_DBG_EXCEPTIONS, pending());
	set(GUEST_ACTIVITY_STATE, now.halted);
	set(GUEST_SS_AR_BYTES, 0xc093 | now.cpl << 5);
	set(GUEST_RIP, now.rip);
	set(GUEST_RSP, now.gpr[GPR_RSP]);
	set(GUEST_RFLAGS, 2 | (now.tf ? RFLAGS_TF : 0) | (now.intf ? RFLAGS_IF : 0));
	set(GUEST_IA32_DEBUGCTL, (now.btf ? 2 : 0) | now.lbr | (noise(71) & 0x9800));
	set(GUEST_CS_AR_BYTES, 0x809b | (now.cs_l ? 1 << 13 : 0) |
	    (now.cs_l && now.lma ? 0 : 1 << 14));
	set(GUEST_CR0, now.cr0 | CR0_NE);
	set(GUEST_CR4, now.cr4 | CR4_FIXED);
	set(GUEST_DR7, now.dr7);
	set(GUEST_IA32_EFER, now.efer);
	vmcs.dr6 = 0xfffe07f0 | (noise(73) & 0x1e80f);
	if (now.what == WHAT_CR && now.mov) {
		unsigned int gpr = noise(84) & 0xf;

		now.gpr[gpr] = now.value | (is_64bit() ? 0 : noise(70) & ~0xffffffffULL);
		set(GUEST_RSP, now.gpr[GPR_RSP]);
	}
}

static void target_leave(void)
{
	now.entry_failed &= vmcs.launched;
	if (now.entry_failed)
		fail_entry();
	else
		leave();
	/* vmx_enter.S saves the registers */
	memcpy(frame->gpr, now.gpr, sizeof(frame->gpr));
	frame->gpr[GPR_RSP] = noise(72);
	vmcs.launched = true;
	frame->nmi = now.nmi_comes;
}

static struct vmcs after_exit;		/* the VMCS before an NMI is injected */

/* Continue like vmx_enter.S after the exit */
static void target_handle(void)
{
	guard_exit(frame);
	after_exit = vmcs;
	if (frame->nmi)
		guard_inject_nmi(frame);
}

/* The outcome */

static bool was_debug(void)
{
	return now.what == WHAT_EXCEPTION && now.raised == VECTOR_DB;
}

/* A write of DEBUGCTL counts already, and #DB clears BTF */
static bool steps_now(void)
{
	return now.tf && !(field(GUEST_IA32_DEBUGCTL) & DEBUGCTL_BTF);
}

/* VM entry checks these (SDM vol. 3C, 27.2.1.3 and 27.3.1.5) */
static void check_entry(void)
{
	u64 info = field(VM_ENTRY_INTR_INFO_FIELD), shadow = field(GUEST_INTERRUPTIBILITY_INFO);
	u64 error = field(VM_ENTRY_EXCEPTION_ERROR_CODE), length = field(VM_ENTRY_INSTRUCTION_LEN);
	unsigned int vector = info & 0xff, type = info >> 8 & 7;
	bool valid = info >> 31 & 1, coded = info >> 11 & 1, fault = type == TYPE_EXCEPTION;

	FUZZ_CHECK(is_64bit() || !(field(GUEST_RIP) >> 32));
	FUZZ_CHECK(!(field(GUEST_IA32_DEBUGCTL) & ~0x9803ULL));
	FUZZ_CHECK(!(shadow & ~15ULL) && (shadow & 3) != 3);
	FUZZ_CHECK(!(shadow & 1) || now.intf);
	FUZZ_CHECK(!now.halted || !(shadow & 3));
	if (shadow & 3 || now.halted)
		FUZZ_CHECK(!!(field(GUEST_PENDING_DBG_EXCEPTIONS) & DR6_BS) == steps_now());
	FUZZ_CHECK(!(field(GUEST_PENDING_DBG_EXCEPTIONS) & ~0x1500fULL));
	if (!valid)
		return;
	FUZZ_CHECK(!(info & 0x7ffff000) && !(info >> 32));
	FUZZ_CHECK(type != 1 && type != 7);
	if (type == TYPE_INTERRUPT)
		FUZZ_CHECK(now.intf && !(shadow & 3));
	if (type == TYPE_NMI)
		FUZZ_CHECK(vector == 2 && !(shadow & 3));
	if (type == TYPE_EXCEPTION)
		FUZZ_CHECK(vector < 32);
	if (type >= TYPE_SOFT_INT)
		FUZZ_CHECK(length >= 1 && length <= 15);
	if (now.halted)
		FUZZ_CHECK(type <= TYPE_NMI || (fault && (vector == 1 || vector == 18)));
	FUZZ_CHECK(coded == (fault && has_error_code(vector) && now.pe));
	FUZZ_CHECK(!coded || !(error >> 15));
}

/* The same event is delivered again, with all its fields */
static void check_again(void)
{
	FUZZ_CHECK(field(VM_ENTRY_INTR_INFO_FIELD) == delivered());
	if (now.has_error)
		FUZZ_CHECK(field(VM_ENTRY_EXCEPTION_ERROR_CODE) == now.error);
	if (now.type >= TYPE_SOFT_INT)
		FUZZ_CHECK(field(VM_ENTRY_INSTRUCTION_LEN) == field(VM_EXIT_INSTRUCTION_LEN));
}

/* Which way the guest goes on */
static void tell_outcome(const struct vmcs *before)
{
	u64 info = field(VM_ENTRY_INTR_INFO_FIELD);
	u64 old_pending = before->values[number_of(GUEST_PENDING_DBG_EXCEPTIONS)];
	u64 old_shadow = before->values[number_of(GUEST_INTERRUPTIBILITY_INFO)];
	u64 pending = field(GUEST_PENDING_DBG_EXCEPTIONS);
	u64 shadow = field(GUEST_INTERRUPTIBILITY_INFO);
	u64 end = now.rip + now.len;
	bool stepped = field(GUEST_RIP) != now.rip;

	if (stepped) {
		FUZZ_CHECK(is_instruction() || now.int1);
		FUZZ_CHECK(field(GUEST_RIP) == (is_64bit() ? end : (u32)end));
		FUZZ_CHECK(pending == (old_pending | (steps_now() && !now.int1 ? DR6_BS : 0)));
		old_shadow &= ~(u64)SHADOWS;
	}
	if (now.unblocks_nmi && !now.delivers)
		old_shadow |= GUEST_INTR_STATE_NMI;
	FUZZ_CHECK(shadow == old_shadow);

	if (now.what == WHAT_MACHINE_CHECK || now.what == WHAT_NOTIFY) {
		outcome.result = RESULT_RETRY;
		FUZZ_CHECK(pending == old_pending);
		FUZZ_CHECK(!now.entry_failed);
		if (now.delivers)
			check_again();
		else
			FUZZ_CHECK(!(info >> 31));
	} else if (info >> 31) {
		FUZZ_CHECK((info >> 8 & 7) == TYPE_EXCEPTION && stepped == now.int1);
		outcome.result = RESULT_RAISE;
		outcome.vector = info & 0xff;
		FUZZ_CHECK(!((pending ^ old_pending) & ~DR6_BS));
		if (info >> 11 & 1)
			FUZZ_CHECK(field(VM_ENTRY_EXCEPTION_ERROR_CODE) == now.raised_error);
	} else {
		outcome.result = stepped ? RESULT_STEP : RESULT_RETRY;
		FUZZ_CHECK(stepped || pending == old_pending);
	}
}

/* The guest's view of CR0 and CR4: a repeated MOV to them must not cause the exit again */
static void check_views(const struct vmcs *before)
{
	u64 cr0 = before->values[number_of(CR0_READ_SHADOW)];
	u64 cr4 = before->values[number_of(CR4_READ_SHADOW)];

	if (now.what == WHAT_CR && outcome.result == RESULT_RETRY) {
		if (now.cr)
			cr4 = now.value;
		else
			cr0 = now.value;
		/* VMXE, SMXE, KL, PKS, UINTR, FRED and unnamed bits */
		FUZZ_CHECK(!now.cr || !(now.value & ~0x18f71fffULL));
	}
	FUZZ_CHECK(field(CR0_READ_SHADOW) == cr0 && field(CR4_READ_SHADOW) == cr4);
}

static void check_debug(const struct vmcs *before)
{
	u64 old_dr6 = before->dr6, bits = now.debug & DEBUG_BITS, dr6 = vmcs.dr6;
	u64 dr7 = before->values[number_of(GUEST_DR7)];
	u64 debugctl = before->values[number_of(GUEST_IA32_DEBUGCTL)];

	/* BTF and LBR end with #DB */
	if (was_debug())
		debugctl &= ~3ULL;
	if (now.what == WHAT_WRMSR && now.msr == REG_DEBUGCTL && outcome.result == RESULT_STEP)
		debugctl = now.value;
	FUZZ_CHECK(field(GUEST_IA32_DEBUGCTL) == debugctl);
	if (!was_debug()) {
		FUZZ_CHECK(dr6 == old_dr6 && field(GUEST_DR7) == dr7);
		return;
	}
	FUZZ_CHECK(field(GUEST_DR7) == (dr7 & ~(1ULL << 13)));
	FUZZ_CHECK((dr6 & 0xf) == (bits & 0xf));
	/* BD, BS and BT are sticky; BLD and RTM become clear when the exit reports them */
	FUZZ_CHECK((dr6 & 0xe000) == ((old_dr6 | bits) & 0xe000));
	FUZZ_CHECK((dr6 & 0x10800) == (~bits & 0x10800));
	FUZZ_CHECK((dr6 & ~0x1e80fULL) == (old_dr6 & ~0x1e80fULL));
}

/*
 * The NMI replaces an exception, which its instruction raises again; without an event it is
 * injected alone. It is dropped where a debug exception or an event that is delivered again would
 * be lost, and within another NMI.
 */
static void check_nmi(void)
{
	u64 info = after_exit.values[number_of(VM_ENTRY_INTR_INFO_FIELD)];
	u64 shadow = after_exit.values[number_of(GUEST_INTERRUPTIBILITY_INFO)];
	u64 pending = after_exit.values[number_of(GUEST_PENDING_DBG_EXCEPTIONS)];
	bool raised = info >> 31 && (info >> 8 & 7) == TYPE_EXCEPTION;
	bool debug = info >> 31 ? (info & 0xff) == VECTOR_DB : pending & (DR6_BS | 1 << 12);
	struct vmcs expected = after_exit;

	FUZZ_CHECK(!frame->nmi);
	if (!(shadow & 8) && !debug && (raised || !(info >> 31))) {
		expected.values[number_of(VM_ENTRY_INTR_INFO_FIELD)] =
			1u << 31 | TYPE_NMI << 8 | 2;
		expected.values[number_of(GUEST_INTERRUPTIBILITY_INFO)] = shadow & ~(u64)SHADOWS;
	}
	FUZZ_CHECK(!memcmp(&vmcs, &expected, sizeof(vmcs)));
}

static void target_check(const void *control_before, const struct guard_frame *frame_before)
{
	const struct vmcs *before = control_before;
	struct vmcs last = vmcs;

	vmcs = after_exit;
	tell_outcome(before);
	check_views(before);
	check_debug(before);
	check_gprs(frame_before, frame_before->gpr[GPR_RAX]);
	check_entry();
	FUZZ_CHECK(frame->next_rip == frame_before->next_rip && frame->launched == 1);

	vmcs = last;
	if (now.nmi_comes) {
		check_nmi();
		check_entry();
	}
	for (size_t i = 0; i < COUNT(fields); i++)
		FUZZ_CHECK(fields[i].writer == EXIT || vmcs.values[i] == before->values[i]);
}

static void target_check_end(void)
{
	FUZZ_CHECK(!cpu.vmx && !cpu.vmcs && !frame->vmx_on);
	FUZZ_CHECK(frame->launched == !cpu.starts);
	if (!cpu.no_vmxon)
		FUZZ_CHECK(cpu.flushed_ept && cpu.flushed_vpid && cpu.takes_nmis &&
			   !(cpu.cr4 & CR4_BIT_VMXE));
}

CASE(control_registers, HOST(0), EXIT(1, CR, 0, 0), 4, VBIT(6), EXIT(2, CR, 0, 0), 4, VBIT(13),
     EXIT(3, CR, 0, 0), 4, VBIT(25), EXIT(4, CR, 0, 0), 4, VBIT(32), EXIT(5, CR, STATE_FLAT, 0), 0,
     VBIT(5), EXIT(6, CR, 0, 0), 0 | CR_CLTS, VNONE, EXIT(7, CR, 0, 0), 8, VNONE,
     EXIT(8, CR, STATE_TF, STATE2_MOV_SS), 4, VBITS(6, 18),
     EXIT_NOISE(9, CR, 0, 0, NOT_CODE64), 4, VBIT(6), EXIT(10, CR, STATE_PAGED, 0), 4, VBIT(6),
     EXIT_NOISE(11, CR, STATE_FLAT, 0, NOT_CODE64), 0, VBIT(5),
     EXIT(12, CR, STATE_REAL, 0), 4, VBIT(13), END(13))
CASE(debugctl, HOST(0), EXIT(1, WRMSR, 0, 0), MSR(DEBUGCTL), VBITS(0, 1), HELD_NONE,
     EXIT(2, WRMSR, STATE_TF, 0), MSR(DEBUGCTL), VBIT(1), HELD_NONE,
     EXIT(3, WRMSR, STATE_TF | STATE_BTF, 0), MSR(DEBUGCTL), VBIT(1), HELD_NONE,
     EXIT(4, WRMSR, 0, 0), MSR(DEBUGCTL), VBIT(15), HELD_NONE,
     EXIT(5, WRMSR, 0, 0), MSR(DEBUGCTL), VBITS(6, 7), HELD_SAME,
     EXIT(6, WRMSR, 0, 0), MSR(DEBUGCTL), VBIT(14), HELD_SAME | HELD_REFUSED,
     EXIT(7, WRMSR, STATE_REAL, 0), MSR(DEBUGCTL), VBITS(11, 12), HELD_NONE, END(8))
CASE(debugctl_of_an_old_cpu, HOST_LACKS(0, LACKS_FREEZE | LACKS_RTM),
     EXIT(1, WRMSR, 0, 0), MSR(DEBUGCTL), VBIT(15), HELD_NONE,
     EXIT(2, WRMSR, 0, 0), MSR(DEBUGCTL), VBIT(11), HELD_SAME,
     EXIT(3, WRMSR, 0, 0), MSR(DEBUGCTL), VBITS(0, 12), HELD_NONE,
     EXIT(4, WRMSR, 0, 0), MSR(DEBUGCTL), VBIT(0), HELD_NONE, END(5))
CASE(trust_domains, HOST(0), EXIT(1, VIRT, STATE_CPL(3), 0), 14, EXIT(2, VIRT, 0, 0), 15, END(3))
CASE(xcr0, HOST(0), EXIT(1, XSETBV, 0, STATE2_OSXSAVE), 0, VBYTE(7),
     EXIT(2, XSETBV, 0, STATE2_OSXSAVE), 0, VBYTE(0xe7),
     EXIT(3, XSETBV, STATE_CPL(3), STATE2_OSXSAVE), 0, VBYTE(7),
     EXIT(4, XSETBV, 0, STATE2_OSXSAVE), 0, VBYTE(4), EXIT(5, XSETBV, 0, 0), 1, VBYTE(7),
     EXIT(6, XSETBV, 0, 0), 0, VBITS(0, 8), EXIT(7, XSETBV, 0, 0), 0, VBITS(0, 19), END(8))
CASE(nmis, HOST(0), EXIT(1, INVD, STATE_NMI, STATE2_STI), EXIT(2, VIRT, STATE_NMI, STATE2_STI), 0,
     EXIT(3, NOTIFY, STATE_NMI, 0), DELIVERS(D_EXCEPTION, 14),
     EXIT(4, MACHINE_CHECK, 0, 0), NO_DELIVERY, MC_RIPV | MC_ENTRY, 0, 0,
     EXIT(5, NOTIFY, STATE_NMI, 0), DELIVERS(D_INTERRUPT, 0x30),
     EXIT(6, NOTIFY, STATE_NMI, STATE2_HALTED), NO_DELIVERY,
     EXIT(7, EXCEPTION, STATE_NMI | STATE_TF, STATE2_HALTED), NO_DELIVERY, 0, VBIT(14),
     EXIT(8, INVD, STATE_NMI | STATE_TF, 0), EXIT(9, VIRT, STATE_NMI | STATE_TF, STATE2_MOV_SS), 0,
     EXIT(10, EXCEPTION, STATE_NMI | STATE_TF, 0), NO_DELIVERY, XC_INT1, VNONE,
     EXIT(11, NOTIFY, STATE_NMI, 0), NO_DELIVERY, NOTIFY_NMI,
     EXIT(12, NOTIFY, 0, 0), DELIVERS(D_EXCEPTION, 14), NOTIFY_NMI,
     EXIT(13, EXCEPTION, STATE_NMI | STATE_CPL(3), 0), NO_DELIVERY, XC_AC,
     EXIT_NOISE(14, INVD, STATE_NMI, 0, IN_NMI), EXIT_NOISE(15, VIRT, STATE_NMI, 0, IN_NMI), 0,
     EXIT(16, MACHINE_CHECK, STATE_NMI, 0), NO_DELIVERY, MC_RIPV | MC_NMI, 32, 0,
     EXIT(17, EXCEPTION, STATE_NMI | STATE_TF, 0), NO_DELIVERY, 0, VBIT(14), END(18))
CASE(slow, HOST(0), EXIT(1, NOTIFY, STATE_TF, STATE2_STI), NO_DELIVERY,
     EXIT(2, NOTIFY, 0, 0), DELIVERS(D_SOFT_INT, 0x80), EXIT(3, NOTIFY, 0, 0), DELIVERS(D_INT1, 0),
     EXIT(4, NOTIFY, 0, 0), DELIVERS(D_SOFT_EXC, 3),
     EXIT(5, NOTIFY, 0, 0), DELIVERS(D_EXCEPTION, 17),
     EXIT(6, INIT, 0, STATE2_HALTED), END(7))
CASE(no_vmxon, HOST(0), START_NO_VMXON, EXIT(1, INVD, 0, 0), END(2))
CASE(no_field, HOST(0), START_NO_FIELD, 2, EXIT(1, INVD, 0, 0), END(2))
CASE(no_host_field, HOST(0), START_NO_FIELD, 28, EXIT(1, INVD, 0, 0), END(2))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };

	if (!list)
		list = aligned_alloc(4096, 4096);
	FUZZ_CHECK(list);
	control = &vmcs;
	control_size = sizeof(vmcs);
	run_guest(&in, VMX_WHATS);
	return 0;
}
