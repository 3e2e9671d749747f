// SPDX-License-Identifier: GPL-2.0
/* The guard's program on AMD CPUs, with a hostile guest: see guard.h. */
#include "../../kmod/guard/svm.h"
#include "guard.h"

FUZZ_TARGET(30000);

static struct svm_vmcb *vmcb;

/* Instructions of VMX must not be used */

static bool misplaced(void)
{
	FUZZ_CHECK(!"an instruction of VMX");
	return false;
}

bool hw_vmxon(u64 address)
{
	return misplaced();
}

bool hw_vmclear(u64 address)
{
	return misplaced();
}

bool hw_vmptrld(u64 address)
{
	return misplaced();
}

void hw_vmxoff(void)
{
	misplaced();
}

bool hw_vmwrite(u64 field, u64 value)
{
	return misplaced();
}

u64 hw_vmread(u64 field)
{
	return misplaced();
}

bool hw_invept(u64 type)
{
	return misplaced();
}

bool hw_invvpid(u64 type)
{
	return misplaced();
}

u64 hw_read_dr6(void)
{
	return misplaced();
}

void hw_write_dr6(u64 value)
{
	misplaced();
}

/* DEBUGCTL is the guest's own; it says whether single steps stop at branches only */
static bool target_sees(u32 msr)
{
	return msr != REG_DEBUGCTL;
}

static bool target_may_read(u32 msr)
{
	return msr == REG_DEBUGCTL && now.tf && !now.int1;
}

void hw_stgi(void)
{
	step();
	cpu.gif = true;
}

void hw_clgi(void)
{
	step();
	cpu.gif = false;
}

/* Write what the host writes. All else is noise, so that a change of any byte is noticed. */
static void target_fill(void)
{
	u64 *words = control;

	for (size_t i = 0; i < control_size / sizeof(*words); i++)
		words[i] = noise(1000 + i);
	vmcb->intercept1 = SVM_INTERCEPT_INIT | SVM_INTERCEPT_CPUID | SVM_INTERCEPT_INVD |
			   SVM_INTERCEPT_INVLPGA | SVM_INTERCEPT_IOIO | SVM_INTERCEPT_MSR |
			   SVM_INTERCEPT_FERR | SVM_INTERCEPT_SHUTDOWN;
	vmcb->tlb_control = SVM_TLB_FLUSH_ALL;
	vmcb->event_inject = 0;
	vmcb->efer = EFER_BIT_SVME;
	frame->control = (u64)vmcb;
	frame->region = 0x7000;
	set_msr(REG_EFER, true, EFER_BIT_SCE, false);
	set_msr(SVM_MSR_VM_HSAVE_PA, true, 0, false);
	set_msr(REG_TSC_RATIO, true, 0, false);
}

static u64 exit_code(void)
{
	static const u16 virt[] = {
		SVM_EXIT_VMRUN, SVM_EXIT_VMLOAD, SVM_EXIT_VMSAVE, SVM_EXIT_STGI, SVM_EXIT_CLGI,
		SVM_EXIT_SKINIT, SVM_EXIT_INVLPGA,
	};

	switch (now.what) {
	case WHAT_CPUID:
		return 0x72;
	case WHAT_RDMSR:
	case WHAT_WRMSR:
		return 0x7c;
	case WHAT_IO:
		return 0x7b;
	case WHAT_EXCEPTION:
		return now.int1 ? 0x88 : 0x40 + now.raised;
	case WHAT_MACHINE_CHECK:
		return 0x40 + 18;
	case WHAT_CALL:
		return 0x81;
	case WHAT_INVD:
		return 0x76;
	case WHAT_WBINVD:
		return 0x89;
	case WHAT_VIRT:
		return virt[now.variant % COUNT(virt)];
	case WHAT_MEMORY:
		return 0x400;
	case WHAT_SHUTDOWN:
		return 0x7f;
	case WHAT_STATE:
		return ~0ULL;
	case WHAT_INIT:
		return 0x63;
	default:
		break;
	}
	/* All other codes: exits that are not intercepted, and FERR_FREEZE */
	switch (now.code) {
	case 0x41: case 0x51: case 0x52: case 0x63: case 0x72: case 0x76: case 0x7a ... 0x7c:
	case 0x7f: case 0x80 ... 0x86: case 0x88: case 0x89: case 0x400: case ~0ULL:
		return 0x7e;
	default:
		return now.code;
	}
}

/* Without next_rip the guard assumes instructions without prefixes */
static void set_length(void)
{
	now.len = (now.int1 ? 1 : now.what == WHAT_CALL ? 3 : 2) +
		  (shared->next_rip || now.what == WHAT_IO ? now.len : 0);
}

static u64 io_info(void)
{
	u64 size = now.size == 1 ? 1 << 4 : now.size == 2 ? 1 << 5 : 1 << 6;

	/* REP, address size and segment */
	return (u64)now.port << 16 | size | now.in | now.string << 2 |
	       (now.string ? (now.noise & 1) << 3 | 1 << 9 : 0);
}

static u64 delivered(void)
{
	/* SVM reports INT3, INTO and INT1 as exceptions */
	unsigned int type = now.type > TYPE_SOFT_INT ? TYPE_EXCEPTION : now.type;

	if (!now.delivers)
		return 0;
	return now.vector | type << 8 | (now.has_error ? 1 << 11 | (u64)now.error << 32 : 0) |
	       1u << 31;
}

static void target_leave(void)
{
	/* Once CPUID is not intercepted, the CPU answers it itself */
	if (now.what == WHAT_CPUID && !(vmcb->intercept1 & SVM_INTERCEPT_CPUID))
		now.what = WHAT_INVD;
	/* With SVM, INT1 is an instruction, and a failed entry is reported at once */
	if (now.int1)
		now.delivers = now.halted = false;
	now.entry_failed = false;
	set_length();
	vmcb->exit_code = now.code = exit_code();
	vmcb->exit_info1 = noise(90);
	vmcb->exit_info2 = noise(91);
	switch (now.what) {
	case WHAT_RDMSR:
	case WHAT_WRMSR:
		vmcb->exit_info1 = now.what == WHAT_WRMSR;
		break;
	case WHAT_IO:
		vmcb->exit_info1 = io_info();
		vmcb->exit_info2 = now.rip + now.len;
		break;
	case WHAT_EXCEPTION:
		if (!now.int1)
			vmcb->exit_info1 = now.raised_error;
		break;
	case WHAT_MEMORY:
		vmcb->exit_info1 = (vmcb->exit_info1 & ~0x12ULL) | now.write << 1 | now.fetch << 4;
		vmcb->exit_info2 = now.address;
		break;
	default:
		break;
	}
	vmcb->exit_int_info = delivered();
	/* The CPU writes 0 where no instruction caused the exit (APM vol. 2, 15.7.1) */
	vmcb->next_rip = (is_instruction() || now.int1) && shared->next_rip ?
			 now.rip + now.len : 0;
	vmcb->interrupt_shadow = now.sti || now.mov_ss;
	vmcb->cpl = now.cpl;
	vmcb->rip = now.rip;
	vmcb->rflags = 2 | (now.tf ? RFLAGS_TF : 0) | (now.intf ? RFLAGS_IF : 0);
	vmcb->rax = now.gpr[GPR_RAX];
	vmcb->rsp = now.gpr[GPR_RSP];
	vmcb->cr0 = now.cr0;
	vmcb->cr4 = now.cr4;
	vmcb->efer = now.efer | EFER_BIT_SVME;
	vmcb->cs.attrib = 0x49b | (now.cs_l ? 1 << 9 : 0) | (now.cs_l && now.lma ? 0 : 1 << 10);
	vmcb->dr7 = now.dr7;
	vmcb->dr6 = 0xffff0ff0 | (noise(89) & 0xf);
	vmcb->clean = noise(88);

	memcpy(frame->gpr, now.gpr, sizeof(frame->gpr));
	frame->gpr[GPR_RAX] = noise(87);
	frame->gpr[GPR_RSP] = noise(86);
}

static void target_handle(void)
{
	guard_exit(frame);
}

/* Only events that VMRUN accepts and delivers (APM vol. 2, 15.20) */
static void check_event(void)
{
	u64 event = vmcb->event_inject;
	unsigned int vector = event & 0xff, type = event >> 8 & 7;
	bool has_error = event & 1 << 11;

	if (!(event & 1u << 31)) {
		FUZZ_CHECK(!event);
		return;
	}
	FUZZ_CHECK(!(event & 0x7ffff000));
	FUZZ_CHECK(type == 0 || type == 2 || type == 3 || type == 4);
	if (type == 2)
		FUZZ_CHECK(vector == 2);
	if (type == 3)
		FUZZ_CHECK(vector < 32 && vector != 2);
	FUZZ_CHECK(has_error == (type == 3 && has_error_code(vector) && now.pe));
	FUZZ_CHECK(has_error || !(event >> 32));
	/* These are traps: next_rip is where they return to */
	if (type == 4 || (type == 3 && (vector == 3 || vector == 4)))
		FUZZ_CHECK(!shared->next_rip || vmcb->next_rip > vmcb->rip);
}

static bool steps_into_debug(void)
{
	return now.tf && !now.btf;
}

/* Which way the guest goes on */
static void tell_outcome(void)
{
	u64 event = vmcb->event_inject;

	if (vmcb->rip != now.rip) {
		u64 end = now.rip + now.len;

		FUZZ_CHECK(vmcb->rip == (is_64bit() ? end : (u32)end));
		FUZZ_CHECK(is_instruction() || now.int1);
		FUZZ_CHECK(!vmcb->interrupt_shadow);
		if (now.int1) {
			FUZZ_CHECK(event == (1u << 31 | 3 << 8 | VECTOR_DB));
			outcome.result = RESULT_RAISE;
			outcome.vector = VECTOR_DB;
			return;
		}
		FUZZ_CHECK(event == (steps_into_debug() ? 1u << 31 | 3 << 8 | VECTOR_DB : 0));
		outcome.result = RESULT_STEP;
		return;
	}
	FUZZ_CHECK(vmcb->interrupt_shadow == (now.sti || now.mov_ss) && !now.int1);
	if (now.what == WHAT_MACHINE_CHECK) {
		bool again = now.delivers && (now.type == TYPE_SOFT_INT ||
					      now.type == TYPE_SOFT_EXC);

		/* An instruction that raised the event may raise it again */
		FUZZ_CHECK(event == delivered() || (again && !event));
		outcome.result = RESULT_RETRY;
		return;
	}
	FUZZ_CHECK(event >> 8 == (event >> 8 & ~7ULL) + TYPE_EXCEPTION && event & 1u << 31);
	outcome.result = RESULT_RAISE;
	outcome.vector = event & 0xff;
	if (outcome.vector == VECTOR_AC)
		FUZZ_CHECK(event >> 32 == now.raised_error);
	else
		FUZZ_CHECK(!(event >> 32));
}

static void check_efer(u64 before)
{
	u64 may_have = EFER_BIT_SCE | EFER_BIT_LME | EFER_BIT_LMA | EFER_BIT_NXE | EFER_BIT_SVME |
		       EFER_BIT_FFXSR | EFER_BIT_TCE | EFER_BIT_AIBRSE;
	u64 changed = vmcb->efer ^ before;

	/* Bits that the CPU lacks cannot be set before, either */
	may_have &= shared_before.efer | EFER_BIT_SVME;
	FUZZ_CHECK(vmcb->efer & EFER_BIT_SVME && !(changed & vmcb->efer & ~may_have));
	if (changed)
		FUZZ_CHECK(!(vmcb->efer & ~may_have));
	FUZZ_CHECK(!(changed & EFER_BIT_LMA) && !(now.pg && changed & EFER_BIT_LME));
	if (now.what != WHAT_WRMSR || now.msr != REG_EFER || outcome.result != RESULT_STEP)
		FUZZ_CHECK(!changed);
	else
		FUZZ_CHECK(!((vmcb->efer ^ now.value) & ~(EFER_BIT_LMA | EFER_BIT_SVME)));
	if (now.what == WHAT_WRMSR && now.msr == REG_EFER && outcome.result == RESULT_RAISE)
		FUZZ_CHECK(now.value & ~may_have ||
			   (now.pg && (now.value ^ before) & EFER_BIT_LME));
}

static void check_intercepts(u32 before)
{
	bool called = now.what == WHAT_CALL && outcome.result == RESULT_STEP;

	if (called || (now.what == WHAT_CPUID && shared_before.up))
		before &= ~SVM_INTERCEPT_CPUID;
	FUZZ_CHECK(vmcb->intercept1 == before);
}

static void target_check(const void *control_before, const struct guard_frame *frame_before)
{
	struct svm_vmcb expected = *(const struct svm_vmcb *)control_before;
	bool debug;

	tell_outcome();
	debug = outcome.result == RESULT_RAISE ? outcome.vector == VECTOR_DB :
		outcome.result == RESULT_STEP && steps_into_debug();
	check_event();
	check_efer(expected.efer);
	check_intercepts(expected.intercept1);
	check_gprs(frame_before, expected.rax);
	FUZZ_CHECK(vmcb->rax == frame->gpr[GPR_RAX]);
	/* The values that a handler of #DB expects */
	expected.dr7 &= debug ? ~DR7_GD : ~0ULL;
	FUZZ_CHECK(vmcb->dr6 == (expected.dr6 | (outcome.result == RESULT_STEP &&
						 steps_into_debug() ? 1 << 14 : 0)));

	expected.intercept1 = vmcb->intercept1;
	expected.tlb_control = 0;
	expected.event_inject = vmcb->event_inject;
	expected.interrupt_shadow = vmcb->interrupt_shadow;
	expected.clean = 0;
	expected.efer = vmcb->efer;
	expected.dr6 = vmcb->dr6;
	expected.rip = vmcb->rip;
	expected.rax = vmcb->rax;
	FUZZ_CHECK(!memcmp(vmcb, &expected, sizeof(expected)));
	FUZZ_CHECK(!cpu.gif && !frame->launched);
}

static void target_check_end(void)
{
	FUZZ_CHECK(cpu.gif && cpu.takes_nmis && !frame->launched);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };

	if (!vmcb)
		vmcb = aligned_alloc(sizeof(*vmcb), sizeof(*vmcb));
	FUZZ_CHECK(vmcb);
	control = vmcb;
	control_size = sizeof(*vmcb);
	run_guest(&in, SVM_WHATS);
	return 0;
}
