// SPDX-License-Identifier: GPL-2.0
/*
 * The guard's decisions on VM exits, by name: each way in which a guest could try to escape, and
 * what kernels do. The second half tests act.c with a CPU that records what it is told.
 */
#include <setjmp.h>
#include <stdarg.h>

#include "../fuzz/guard-hw.h"
#include "../../kmod/guard/program/program.h"
#include "../../kmod/uapi/iosc.h"
#include "tap.h"

#define COUNT(array)	(sizeof(array) / sizeof((array)[0]))

#define BASE		0xfee00900ULL		/* APIC_BASE of the first CPU, on, in xAPIC mode */
#define X2APIC		(1ULL << 10)
#define ENABLE		(1ULL << 11)
#define EFER_LONG	0x1d01ULL		/* SVME, NXE, LMA, LME, SCE */
#define CR0_LONG	0x80050033ULL

/* The guest's CPUs are 2, 4 and 6; the host listens at 9, and listened at 11 before */
#define DOORBELL_NOW	0x0000000900000041ULL
#define DOORBELL_ONCE	0x0000000b00000042ULL

static const struct guard_shared example = {
	.kind = SIGMA_GUARD_FULL,
	.nr_cpus = 3,
	.apic_ids = { 2, 4, 6, 8 },
	.armed = 1,
	.doorbell = { DOORBELL_NOW, DOORBELL_ONCE },
	.efer = 0xd01,				/* NXE, LMA, LME, SCE */
	.debugctl = 3,				/* BTF, LBR */
	.nr_hidden = 2,
	.hidden = { { 0x400, 0x47f }, { 0x2000, 0xbfffffff } },
};

/* NEW: the CPU has all known bits of EFER and DEBUGCTL, and some unknown ones */
enum host {
	FULL, MEMORY = 1, KEEP_XAPIC = 2, UP = 4, STOPPING = 8, UNARMED = 16, NEW = 32,
};

static struct guard_shared shared_for(enum host host)
{
	struct guard_shared shared = example;

	if (host & MEMORY)
		shared.kind = SIGMA_GUARD_MEMORY;
	shared.keep_xapic = !!(host & KEEP_XAPIC);
	shared.up = !!(host & UP);
	shared.stopping = !!(host & STOPPING);
	shared.armed = !(host & UNARMED);
	if (host & NEW)
		shared.efer = shared.debugctl = ~0ULL;
	return shared;
}

#define EVENT(kind_, ...)	{ .kind = GUARD_EVENT_##kind_, __VA_ARGS__ }
#define WRMSR(msr, value_, ...)	EVENT(WRMSR, .index = (msr), .value = (value_), __VA_ARGS__)
#define HELD(value_)		.has_now = 1, .now = (value_)
#define ICR(value_)		WRMSR(0x830, value_)
#define IN_LONG_MODE		.efer = EFER_LONG, .cr0 = CR0_LONG
#define IN(port, size_, rax)	EVENT(IO, .index = (port), .size = (size_), .in = 1, .value = (rax))
#define CR(number, value_)	EVENT(CR_WRITE, .index = (number), .value = (value_))

#define DONE(count_, ...) \
	{ .action = GUARD_STEP_OVER, .count = GUARD_EXIT_##count_, __VA_ARGS__ }
#define AGAIN(count_, ...) \
	{ .action = GUARD_RETRY, .count = GUARD_EXIT_##count_, __VA_ARGS__ }
#define RAISE(count_, vector_, ...) \
	{ .action = GUARD_RAISE, .count = GUARD_EXIT_##count_, .vector = (vector_), __VA_ARGS__ }
#define GP(count_)		RAISE(count_, 13, .has_error = 1)
#define UD(count_)		RAISE(count_, 6)
#define STOPPED_AT(count_, reason_, info_, ...) \
	{ .action = GUARD_STOP, .count = (count_), .reason = SIGMA_VIOLATION_##reason_, .info = (info_), \
	  __VA_ARGS__ }
#define STOPPED(reason, ...)	STOPPED_AT(GUARD_EXITS, reason, __VA_ARGS__)
#define WRITE(msr, value_)	.nr_writes = 1, .writes = { { msr, value_ } }
#define ALSO(what, value_)	.also = GUARD_ALSO_##what, .value = (value_)

/* Writes of the ICR: the IPI is sent with level asserted, nothing is sent, or a doorbell rings */
#define SENDS_CLEAN(icr, clean)	ICR(icr), DONE(IPI, WRITE(0x830, clean))
#define SENDS(icr)		SENDS_CLEAN(icr, (icr) | 1 << 14)
#define RINGS(icr)		ICR(icr), \
				DONE(IPI, WRITE(0x830, DOORBELL_NOW), .also = GUARD_ALSO_DOORBELL)
#define ENDS(icr)		ICR(icr), STOPPED_AT(GUARD_EXIT_IPI, IPI, icr, .write = 1)

#define TAKEN		{ .action = GUARD_RESET, .count = GUARD_EXITS }

static const struct decision {
	const char *name;
	enum host host;
	struct guard_event event;
	struct guard_verdict verdict;
} decisions[] = {
	/* Whatever the exit is about, the CPU goes back to the host, and no event is injected */
	{ "stopping: #AC", STOPPING, EVENT(EXCEPTION, .index = 17), TAKEN },
	{ "stopping: #AC while #AC is delivered", STOPPING,
	  EVENT(EXCEPTION, .index = 17, .delivery = GUARD_DELIVERS_AGAIN), TAKEN },
	{ "stopping: #DB while #DB is delivered", STOPPING,
	  EVENT(EXCEPTION, .index = 1, .delivery = GUARD_DELIVERS_AGAIN), TAKEN },
	{ "stopping: an instruction that takes long", STOPPING, EVENT(NOTIFY), TAKEN },
	{ "stopping: IPI, NMI", STOPPING, ICR(0x400000400ULL), TAKEN },
	{ "stopping: IPI, fixed", STOPPING, ICR(0x4000000fdULL), TAKEN },
	{ "stopping: doorbell", STOPPING, ICR(DOORBELL_NOW), TAKEN },
	{ "stopping: CPUID", STOPPING, EVENT(CPUID), TAKEN },
	{ "stopping: memory of others", STOPPING, EVENT(MEMORY, .value = 0x1000), TAKEN },
	{ "stopping: machine check", STOPPING, EVENT(MACHINE_CHECK, .value = 5), TAKEN },
	{ "stopping: INIT", STOPPING, EVENT(INIT), TAKEN },

	{ "XSS: nothing", FULL, WRMSR(0xda0, 0), DONE(MSR, WRITE(0xda0, 0)) },
	{ "XSS: CET", FULL, WRMSR(0xda0, 0x1800), DONE(MSR, WRITE(0xda0, 0x1800)) },
	{ "XSS: processor trace", FULL, WRMSR(0xda0, 1 << 8), GP(MSR_DENIED) },
	{ "XSS: PASID", FULL, WRMSR(0xda0, 1 << 10), GP(MSR_DENIED) },
	{ "XSS: HDC", FULL, WRMSR(0xda0, 1 << 13), GP(MSR_DENIED) },
	{ "XSS: UINTR", FULL, WRMSR(0xda0, 1 << 14), GP(MSR_DENIED) },
	{ "XSS: LBR", FULL, WRMSR(0xda0, 1 << 15), GP(MSR_DENIED) },
	{ "XSS: HWP", FULL, WRMSR(0xda0, 1 << 16), GP(MSR_DENIED) },
	{ "XSS: UINTR beside CET", FULL, WRMSR(0xda0, 0x5800), GP(MSR_DENIED) },
	{ "XSS: held already", FULL, WRMSR(0xda0, 1 << 8, HELD(1 << 8)), GP(MSR_DENIED) },
	{ "XSS: what has no name", FULL, WRMSR(0xda0, 1ULL << 62), GP(MSR_DENIED) },

	{ "EFER: SCE", FULL, WRMSR(0xc0000080, 0xd01, IN_LONG_MODE),
	  DONE(MSR, ALSO(EFER, 0x1d01)) },
	{ "EFER: SVME stays", FULL, WRMSR(0xc0000080, 0x1d00, IN_LONG_MODE),
	  DONE(MSR, ALSO(EFER, 0x1d00)) },
	{ "EFER: LMA is the CPU's", FULL, WRMSR(0xc0000080, 0x901, IN_LONG_MODE),
	  DONE(MSR, ALSO(EFER, 0x1d01)) },
	{ "EFER: no LMA without paging", FULL,
	  WRMSR(0xc0000080, 0xd00, .efer = 0x1000, .cr0 = 0x11),
	  DONE(MSR, ALSO(EFER, 0x1900)) },
	{ "EFER: LME under paging", FULL, WRMSR(0xc0000080, 0xc01, IN_LONG_MODE),
	  GP(MSR_DENIED) },
	{ "EFER: LMSLE", FULL, WRMSR(0xc0000080, 0x2d01, IN_LONG_MODE),
	  GP(MSR_DENIED) },
	{ "EFER: what has no name", FULL,
	  WRMSR(0xc0000080, 1ULL << 40 | 0xd01, IN_LONG_MODE), GP(MSR_DENIED) },
	{ "EFER: what has no name, of a new CPU", NEW,
	  WRMSR(0xc0000080, 1ULL << 40 | 0xd01, IN_LONG_MODE), GP(MSR_DENIED) },
	{ "EFER: LMSLE of a new CPU", NEW, WRMSR(0xc0000080, 0x2d01, IN_LONG_MODE),
	  GP(MSR_DENIED) },
	{ "EFER: FFXSR", FULL, WRMSR(0xc0000080, 0x4d01, IN_LONG_MODE), GP(MSR_DENIED) },
	{ "EFER: TCE", FULL, WRMSR(0xc0000080, 0x8d01, IN_LONG_MODE), GP(MSR_DENIED) },
	{ "EFER: AIBRSE", FULL, WRMSR(0xc0000080, 0x200d01, IN_LONG_MODE), GP(MSR_DENIED) },
	{ "EFER: FFXSR, TCE, AIBRSE of a new CPU", NEW,
	  WRMSR(0xc0000080, 0x20cd01, IN_LONG_MODE), DONE(MSR, ALSO(EFER, 0x20dd01)) },
	{ "EFER: held already", FULL, WRMSR(0xc0000080, 0x4d01, IN_LONG_MODE, HELD(0x4d01)),
	  GP(MSR_DENIED) },

	{ "DEBUGCTL: nothing", FULL, WRMSR(0x1d9, 0), DONE(MSR, ALSO(DEBUGCTL, 0)) },
	{ "DEBUGCTL: LBR, BTF", FULL, WRMSR(0x1d9, 3), DONE(MSR, ALSO(DEBUGCTL, 3)) },
	{ "DEBUGCTL: what the CPU lacks", FULL, WRMSR(0x1d9, 0x803), GP(MSR_DENIED) },
	{ "DEBUGCTL: FREEZE_LBRS_ON_PMI, FREEZE_PERFMON_ON_PMI, RTM", NEW, WRMSR(0x1d9, 0x9803),
	  DONE(MSR, ALSO(DEBUGCTL, 0x9803)) },
	{ "DEBUGCTL: BUS_LOCK_DETECT", NEW, WRMSR(0x1d9, 1 << 2), GP(MSR_DENIED) },
	{ "DEBUGCTL: TR", NEW, WRMSR(0x1d9, 1 << 6), GP(MSR_DENIED) },
	{ "DEBUGCTL: BTS", NEW, WRMSR(0x1d9, 1 << 7), GP(MSR_DENIED) },
	{ "DEBUGCTL: BTINT", NEW, WRMSR(0x1d9, 1 << 8), GP(MSR_DENIED) },
	{ "DEBUGCTL: BTS_OFF_OS, BTS_OFF_USR", NEW, WRMSR(0x1d9, 3 << 9), GP(MSR_DENIED) },
	{ "DEBUGCTL: ENABLE_UNCORE_PMI", NEW, WRMSR(0x1d9, 1 << 13), GP(MSR_DENIED) },
	{ "DEBUGCTL: FREEZE_WHILE_SMM", NEW, WRMSR(0x1d9, 1 << 14), GP(MSR_DENIED) },
	{ "DEBUGCTL: held already", NEW, WRMSR(0x1d9, 1 << 14, HELD(1 << 14)), GP(MSR_DENIED) },
	{ "DEBUGCTL: what has no name", NEW, WRMSR(0x1d9, 1ULL << 32 | 3), GP(MSR_DENIED) },

	{ "APIC_BASE: as it is", FULL, WRMSR(0x1b, BASE | X2APIC, HELD(BASE | X2APIC)), DONE(MSR) },
	{ "APIC_BASE: full keeps the mode", FULL, WRMSR(0x1b, BASE & ~ENABLE, HELD(BASE | X2APIC)),
	  GP(MSR_DENIED) },
	{ "APIC_BASE: full, to xAPIC mode", FULL, WRMSR(0x1b, BASE, HELD(BASE | X2APIC)),
	  GP(MSR_DENIED) },
	{ "APIC_BASE: to x2APIC mode", MEMORY, WRMSR(0x1b, BASE | X2APIC, HELD(BASE)),
	  DONE(MSR, WRITE(0x1b, BASE | X2APIC)) },
	{ "APIC_BASE: kept in xAPIC mode", MEMORY | KEEP_XAPIC,
	  WRMSR(0x1b, BASE | X2APIC, HELD(BASE)), GP(MSR_DENIED) },
	{ "APIC_BASE: off, stays on", MEMORY | KEEP_XAPIC,
	  WRMSR(0x1b, BASE & ~ENABLE, HELD(BASE)), DONE(MSR) },
	{ "APIC_BASE: x2APIC mode off and on again", MEMORY,
	  WRMSR(0x1b, BASE & ~ENABLE, HELD(BASE | X2APIC)),
	  DONE(MSR, .nr_writes = 2, .writes = { { 0x1b, BASE & ~ENABLE }, { 0x1b, BASE } }) },
	{ "APIC_BASE: no such mode", MEMORY, WRMSR(0x1b, (BASE & ~ENABLE) | X2APIC, HELD(BASE)),
	  GP(MSR_DENIED) },
	{ "APIC_BASE: elsewhere", MEMORY, WRMSR(0x1b, BASE + 0x1000, HELD(BASE)), GP(MSR_DENIED) },
	{ "APIC_BASE: elsewhere and off", MEMORY,
	  WRMSR(0x1b, (BASE & ~ENABLE) + 0x1000, HELD(BASE)),
	  GP(MSR_DENIED) },
	{ "APIC_BASE: another first CPU", MEMORY, WRMSR(0x1b, BASE & ~0x100ULL, HELD(BASE)),
	  GP(MSR_DENIED) },
	{ "APIC_BASE: not there", MEMORY, WRMSR(0x1b, 0), GP(MSR_DENIED) },

	{ "register: as it is", FULL, WRMSR(0x1a0, 0x850089, HELD(0x850089)), DONE(MSR) },
	{ "register: another value", FULL, WRMSR(0x1a0, 0x850088, HELD(0x850089)), GP(MSR_DENIED) },
	{ "register: not there", FULL, WRMSR(0x1a0, 0), GP(MSR_DENIED) },
	{ "hidden register: first, as it is", FULL, WRMSR(0x400, 5, HELD(5)), GP(MSR_DENIED) },
	{ "hidden register: last, as it is", FULL, WRMSR(0x47f, 5, HELD(5)), GP(MSR_DENIED) },
	{ "hidden register: before, as it is", FULL, WRMSR(0x3ff, 5, HELD(5)), DONE(MSR) },
	{ "hidden register: behind, as it is", FULL, WRMSR(0x480, 5, HELD(5)), DONE(MSR) },
	{ "hidden register: of the second range", FULL, WRMSR(0xbfffffff, 5, HELD(5)),
	  GP(MSR_DENIED) },
	{ "hidden register: read", FULL, EVENT(RDMSR, .index = 0x401), GP(MSR_DENIED) },

	{ "local vector: fixed", FULL, WRMSR(0x833, 0xfb), DONE(MSR, WRITE(0x833, 0xfb)) },
	{ "local vector: NMI", FULL, WRMSR(0x834, 0x400), DONE(MSR, WRITE(0x834, 0x400)) },
	{ "local vector: SMI", FULL, WRMSR(0x834, 0x200), GP(MSR_DENIED) },
	{ "local vector: lowest priority", FULL, WRMSR(0x834, 0x100), GP(MSR_DENIED) },
	{ "local vector: INIT", FULL, WRMSR(0x836, 0x500), GP(MSR_DENIED) },
	{ "local vector: level-triggered", FULL, WRMSR(0x835, 0x80fb), GP(MSR_DENIED) },
	{ "local vector: level-triggered, masked", FULL, WRMSR(0x835, 0x180fb),
	  DONE(MSR, WRITE(0x835, 0x180fb)) },
	{ "local vector: ExtINT", FULL, WRMSR(0x835, 0x700), GP(MSR_DENIED) },
	{ "local vector: ExtINT, masked", FULL, WRMSR(0x835, 0x10700),
	  DONE(MSR, WRITE(0x835, 0x10700)) },
	{ "local vector: SMI of CMCI", FULL, WRMSR(0x82f, 0x200), GP(MSR_DENIED) },
	{ "local vector: CMCI", FULL, WRMSR(0x82f, 0xf9), DONE(MSR, WRITE(0x82f, 0xf9)) },
	{ "local vector: the last", FULL, WRMSR(0x837, 0xfe), DONE(MSR, WRITE(0x837, 0xfe)) },
	{ "local vector: none before", FULL, WRMSR(0x832, 0x31), GP(MSR_DENIED) },
	{ "local vector: none behind", FULL, WRMSR(0x838, 0x31), GP(MSR_DENIED) },

	{ "IPI: own CPU", FULL, SENDS(0x4000000fdULL) },
	{ "IPI: own CPU, the last", FULL, SENDS(0x6000000fdULL) },
	{ "IPI: no CPU of this guest", FULL, ENDS(0x8000000fdULL) },
	{ "IPI: the host's CPU", FULL, ENDS(0x9000000fdULL) },
	{ "IPI: all of them", FULL, ENDS(0xffffffff000000fdULL) },
	{ "IPI: itself", FULL, SENDS(0x400f6ULL) },
	{ "IPI: itself, with all else", FULL, SENDS_CLEAN(0x7fff7f8f6ULL, 0x7000440f6ULL) },
	{ "IPI: level", FULL, SENDS_CLEAN(0x40000c0fdULL, 0x4000040fdULL) },
	{ "IPI: busy", FULL, SENDS_CLEAN(0x4000010fdULL, 0x4000040fdULL) },
	{ "IPI: what has no name", FULL, SENDS_CLEAN(0x4fff320fdULL, 0x4000040fdULL) },
	{ "IPI: what has no name, to the host", FULL, ENDS(0x9fff320fdULL) },
	{ "IPI: itself, NMI", FULL, ENDS(0x40400ULL) },
	{ "IPI: itself, too low", FULL, ENDS(0x4000fULL) },
	{ "IPI: all with itself", FULL, ENDS(0x800f6ULL) },
	{ "IPI: all but itself", FULL, ENDS(0xc00f6ULL) },
	{ "IPI: all but itself, to own CPU", FULL, ENDS(0x4000c00f6ULL) },
	{ "IPI: logical", FULL, ENDS(0x2000008fdULL) },
	{ "IPI: lowest priority", FULL, ENDS(0x2000001fdULL) },
	{ "IPI: SMI", FULL, ENDS(0x200000200ULL) },
	{ "IPI: INIT", FULL, ENDS(0x200000500ULL) },
	{ "IPI: start-up", FULL, ENDS(0x200000608ULL) },
	{ "IPI: vector 15", FULL, ENDS(0x20000000fULL) },
	{ "IPI: vector 16", FULL, SENDS(0x200000010ULL) },
	{ "IPI: NMI", FULL, SENDS(0x400000400ULL) },
	{ "IPI: NMI to the host", FULL, ENDS(0x900000400ULL) },
	{ "IPI: NMI to the doorbell", FULL, ENDS(0x900000441ULL) },
	{ "doorbell", FULL, RINGS(DOORBELL_NOW) },
	{ "doorbell: a former one", FULL, RINGS(DOORBELL_ONCE) },
	{ "doorbell: level", FULL, RINGS(DOORBELL_NOW | 1 << 14) },
	{ "doorbell: its CPU, another vector", FULL, ENDS(DOORBELL_NOW + 1) },
	{ "doorbell: all but itself", FULL, ENDS(DOORBELL_NOW | 3 << 18) },
	{ "doorbell: logical", FULL, ENDS(DOORBELL_NOW | 1 << 11) },
	{ "doorbell: that there is none", FULL, ENDS(0) },

	{ "CR4: LA57", FULL, CR(4, 0x1060), AGAIN(CONTROL, ALSO(CR4_VIEW, 0x1060)) },
	{ "CR4: CET, OSXSAVE, PKE, LASS, LAM", FULL, CR(4, 0x18c40060),
	  AGAIN(CONTROL, ALSO(CR4_VIEW, 0x18c40060)) },
	{ "CR4: MCE is the guest's to think of", FULL, CR(4, 0x20),
	  AGAIN(CONTROL, ALSO(CR4_VIEW, 0x20)) },
	{ "CR4: VMXE", FULL, CR(4, 0x2060), GP(CONTROL) },
	{ "CR4: SMXE", FULL, CR(4, 0x4060), GP(CONTROL) },
	{ "CR4: KL", FULL, CR(4, 0x80060), GP(CONTROL) },
	{ "CR4: PKS", FULL, CR(4, 0x1000060), GP(CONTROL) },
	{ "CR4: UINTR", FULL, CR(4, 0x2000060), GP(CONTROL) },
	{ "CR4: FRED", FULL, CR(4, 0x100000060ULL), GP(CONTROL) },
	{ "CR4: bit 15", FULL, CR(4, 0x8060), GP(CONTROL) },
	{ "CR4: bit 26", FULL, CR(4, 0x4000060), GP(CONTROL) },
	{ "CR0: NE is the guest's to think of", FULL, CR(0, 0x11),
	  AGAIN(CONTROL, ALSO(CR0_VIEW, 0x11)) },
	{ "CR3", FULL, CR(3, 0x1000), GP(CONTROL) },
	{ "CLTS", FULL, EVENT(CR_OTHER), GP(CONTROL) },

	{ "XCR0: AVX-512", FULL, EVENT(XSETBV, .value = 0xe7), DONE(CONTROL, ALSO(XSETBV, 0xe7)) },
	{ "XCR0: MPX, PKRU, AMX, APX", FULL, EVENT(XSETBV, .value = 0xe021b),
	  DONE(CONTROL, ALSO(XSETBV, 0xe021b)) },
	{ "XCR0: by a program", FULL, EVENT(XSETBV, .value = 7, .cpl = 3), GP(CONTROL) },
	{ "XCR0: another one", FULL, EVENT(XSETBV, .value = 7, .index = 1), GP(CONTROL) },
	{ "XCR0: processor trace", FULL, EVENT(XSETBV, .value = 0x107), GP(CONTROL) },
	{ "XCR0: LWP", FULL, EVENT(XSETBV, .value = 1ULL << 62 | 7), GP(CONTROL) },

	{ "#DB", FULL, EVENT(EXCEPTION, .index = 1, .debug = 0x4000),
	  RAISE(EXCEPTION, 1, .also = GUARD_ALSO_DEBUG, .debug = 0x4000) },
	{ "#DB in an exception's delivery", FULL,
	  EVENT(EXCEPTION, .index = 1, .debug = 1, .delivery = GUARD_DELIVERS_AGAIN),
	  RAISE(EXCEPTION, 1, .also = GUARD_ALSO_DEBUG, .debug = 1) },
	{ "#DB in an interrupt's delivery", FULL,
	  EVENT(EXCEPTION, .index = 1, .delivery = GUARD_DELIVERS_ONCE, .code = 0x41),
	  STOPPED_AT(GUARD_EXIT_EXCEPTION, STATE, 0x41) },
	{ "INT1", FULL, EVENT(EXCEPTION, .index = 1, .int1 = 1),
	  RAISE(EXCEPTION, 1, .also = GUARD_ALSO_DEBUG | GUARD_ALSO_SKIP) },
	{ "INT1 in an exception's delivery", FULL,
	  EVENT(EXCEPTION, .index = 1, .int1 = 1, .delivery = GUARD_DELIVERS_AGAIN),
	  RAISE(EXCEPTION, 1, .also = GUARD_ALSO_DEBUG | GUARD_ALSO_SKIP) },
	{ "#AC", FULL, EVENT(EXCEPTION, .index = 17, .error = 1),
	  RAISE(EXCEPTION, 17, .has_error = 1, .error = 1) },
	{ "#AC in an interrupt's delivery", FULL,
	  EVENT(EXCEPTION, .index = 17, .delivery = GUARD_DELIVERS_ONCE, .code = 0x51),
	  STOPPED_AT(GUARD_EXIT_EXCEPTION, STATE, 0x51) },
	{ "#PF, which was not asked for", FULL, EVENT(EXCEPTION, .index = 14, .code = 0x4e),
	  STOPPED_AT(GUARD_EXIT_EXCEPTION, EXIT, 0x4e) },

	{ "#MC told to all", FULL, EVENT(MACHINE_CHECK, .value = 5),
	  AGAIN(MACHINE_CHECK, WRITE(0x17a, 0)) },
	{ "#MC told to all, in an interrupt's delivery", FULL,
	  EVENT(MACHINE_CHECK, .value = 5, .delivery = GUARD_DELIVERS_ONCE),
	  AGAIN(MACHINE_CHECK, WRITE(0x17a, 0)) },
	{ "#MC of this CPU", FULL, EVENT(MACHINE_CHECK, .value = 5, .now = 0xb180000000000000ULL),
	  STOPPED_AT(GUARD_EXIT_MACHINE_CHECK, MACHINE_CHECK, 0xb180000000000000ULL) },
	{ "#MC without a way back", FULL, EVENT(MACHINE_CHECK, .value = 4),
	  STOPPED_AT(GUARD_EXIT_MACHINE_CHECK, MACHINE_CHECK, 4) },
	{ "#MC at an entry, told to all", FULL, EVENT(MACHINE_CHECK, .value = 5, .at_entry = 1),
	  STOPPED_AT(GUARD_EXIT_MACHINE_CHECK, MACHINE_CHECK, 5) },
	{ "#MC at an entry, of this CPU", FULL,
	  EVENT(MACHINE_CHECK, .value = 5, .at_entry = 1, .now = 0xb180000000000000ULL),
	  STOPPED_AT(GUARD_EXIT_MACHINE_CHECK, MACHINE_CHECK, 0xb180000000000000ULL) },

	{ "IN of a byte", FULL, IN(0x60, 1, 0x1122334455667700),
	  DONE(IO, ALSO(RAX, 0x11223344556677ff)) },
	{ "IN of a word", FULL, IN(0x60, 2, 0x1122334455667700),
	  DONE(IO, ALSO(RAX, 0x112233445566ffff)) },
	{ "IN of 4 bytes", FULL, IN(0xcfc, 4, ~1ULL),
	  DONE(IO, ALSO(RAX, 0xffffffff)) },
	{ "IN of the clock", FULL, IN(0x71, 1, 0xaaff),
	  DONE(IO, ALSO(RAX, 0xaa00)) },
	{ "IN of the PIT", FULL, IN(0x42, 1, 0xff),
	  DONE(IO, ALSO(RAX, 0)) },
	{ "OUT", FULL, EVENT(IO, .index = 0xcf9, .size = 1, .value = 6), DONE(IO) },
	{ "INS", FULL, EVENT(IO, .index = 0x1f0, .size = 2, .in = 1, .string = 1), GP(IO) },
	{ "OUTS", FULL, EVENT(IO, .index = 0x1f0, .size = 2, .string = 1), GP(IO) },

	{ "call: up", FULL, EVENT(CALL, .value = SIGMA_GUARD_CALL_UP),
	  DONE(CALL, .also = GUARD_ALSO_UP | GUARD_ALSO_PASS_CPUID) },
	{ "call: up, says a program", FULL, EVENT(CALL, .value = SIGMA_GUARD_CALL_UP, .cpl = 3),
	  UD(CALL) },
	{ "call: anything else", FULL, EVENT(CALL, .value = 1), UD(CALL) },
	{ "WBINVD", FULL, EVENT(WBINVD), DONE(CACHE) },
	{ "WBINVD by a program", FULL, EVENT(WBINVD, .cpl = 3), GP(CACHE) },
	{ "INVD", FULL, EVENT(INVD), DONE(CACHE) },
	{ "INVD by a program", FULL, EVENT(INVD, .cpl = 1), GP(CACHE) },
	{ "VMXON, VMRUN", FULL, EVENT(VIRT), UD(VIRT) },
	{ "notify", FULL, EVENT(NOTIFY), AGAIN(NOTIFY) },
	{ "memory of others", FULL, EVENT(MEMORY, .value = 0x1234567000, .write = 1),
	  STOPPED(MEMORY, 0x1234567000, .write = 1) },
	{ "code of others", FULL, EVENT(MEMORY, .value = 0x1000, .fetch = 1),
	  STOPPED(MEMORY, 0x1000, .fetch = 1) },
	{ "triple fault", FULL, EVENT(SHUTDOWN, .code = 2), STOPPED(SHUTDOWN, 0) },
	{ "no such state", FULL, EVENT(STATE, .code = 4), STOPPED(STATE, 4) },
	{ "an exit that is not known", FULL, EVENT(UNKNOWN, .code = 9), STOPPED(EXIT, 9) },
	{ "an event that is not known", FULL, { .kind = GUARD_EVENTS, .code = 9 },
	  STOPPED(EXIT, 9) },
	{ "INIT", FULL, EVENT(INIT), { .action = GUARD_RESET, .count = GUARD_EXITS } },
};

#define HAS_VALUE	(GUARD_ALSO_RAX | GUARD_ALSO_EFER | GUARD_ALSO_CR0_VIEW | \
			 GUARD_ALSO_CR4_VIEW | GUARD_ALSO_XSETBV | GUARD_ALSO_DEBUGCTL)

static const char *difference(const struct guard_verdict *seen,
			      const struct guard_verdict *expected)
{
	if (seen->action != expected->action)
		return "action";
	if (seen->also != expected->also)
		return "also";
	if (seen->count != expected->count)
		return "count";
	if (seen->vector != expected->vector || seen->has_error != expected->has_error ||
	    seen->error != expected->error)
		return "exception";
	if (seen->reason != expected->reason || seen->info != expected->info ||
	    seen->write != expected->write || seen->fetch != expected->fetch)
		return "report";
	if (seen->also & HAS_VALUE && seen->value != expected->value)
		return "value";
	if (seen->debug != expected->debug)
		return "debug";
	if (seen->nr_writes != expected->nr_writes)
		return "number of writes";
	for (u32 i = 0; i < seen->nr_writes; i++)
		if (seen->writes[i].msr != expected->writes[i].msr ||
		    seen->writes[i].value != expected->writes[i].value)
			return "writes";
	return NULL;
}

TEST(decisions_by_name)
{
	for (size_t i = 0; i < COUNT(decisions); i++) {
		const struct decision *decision = &decisions[i];
		struct guard_shared shared = shared_for(decision->host), before = shared;
		struct guard_verdict verdict;
		const char *what;

		guard_decide(&shared, &decision->event, &verdict);
		what = difference(&verdict, &decision->verdict);
		if (what)
			TAP_FAIL("%s: another %s", decision->name, what);
		EXPECT_EQ(0, memcmp(&shared, &before, sizeof(shared)));
	}
}

/* CPUID; guard-cpuid.c has the list of features */

static struct guard_cpuid cpuid(enum host host, u32 leaf, u32 subleaf, u64 cr4, u32 *also)
{
	struct guard_event event = EVENT(CPUID, .index = leaf, .subindex = subleaf, .cr4 = cr4,
					 .cpuid = { ~0u, ~0u, ~0u, ~0u });
	struct guard_shared shared = shared_for(host);
	struct guard_verdict verdict;

	guard_decide(&shared, &event, &verdict);
	EXPECT_EQ(GUARD_STEP_OVER, verdict.action);
	EXPECT_EQ(GUARD_EXIT_CPUID, verdict.count);
	EXPECT_EQ(0, verdict.nr_writes);
	*also = verdict.also;
	return verdict.cpuid;
}

TEST(cpuid_shows_cr4)
{
	u32 also;

	EXPECT_EQ(0u, cpuid(FULL, 1, 0, 0, &also).ecx & 1u << 27);
	EXPECT_EQ(1u << 27, cpuid(FULL, 1, 0, 1 << 18, &also).ecx & 1u << 27);
	EXPECT_EQ(0u, cpuid(FULL, 7, 0, 0, &also).ecx & 1u << 4);
	EXPECT_EQ(1u << 4, cpuid(FULL, 7, 0, 1 << 22, &also).ecx & 1u << 4);
	EXPECT_EQ(0u, cpuid(FULL, 7, 2, 1 << 22, &also).ecx & 1u << 4);
}

TEST(cpuid_shows_kvm_while_booting)
{
	u32 also;

	EXPECT_EQ(0x4b4d564b, cpuid(FULL, 0x40000000, 0, 0, &also).ebx);
	EXPECT_EQ(GUARD_ALSO_CPUID, also);
	EXPECT_EQ(0x40000001, cpuid(FULL, 0x40000000, 0, 0, &also).eax);
	EXPECT_EQ(0u, cpuid(FULL, 0x40000001, 0, 0, &also).eax);
	EXPECT_EQ(0u, cpuid(FULL, 0x400000ff, 0, 0, &also).eax);
	EXPECT_EQ(0u, cpuid(FULL | UP, 0x40000000, 0, 0, &also).ebx);
	EXPECT_EQ(GUARD_ALSO_CPUID | GUARD_ALSO_PASS_CPUID, also);
	EXPECT_EQ(0u, cpuid(MEMORY, 0x40000000, 0, 0, &also).ebx);
}

TEST(cpuid_adds_a_hypervisor)
{
	struct guard_event event = EVENT(CPUID, .index = 1);
	struct guard_shared shared = shared_for(FULL);
	struct guard_verdict verdict;

	guard_decide(&shared, &event, &verdict);
	EXPECT_EQ(1u << 31, verdict.cpuid.ecx);
	shared = shared_for(UP);
	guard_decide(&shared, &event, &verdict);
	EXPECT_EQ(0u, verdict.cpuid.ecx);
	shared = shared_for(MEMORY);
	guard_decide(&shared, &event, &verdict);
	EXPECT_EQ(0u, verdict.cpuid.ecx);
}

TEST(dr6)
{
	/* B0 to B3 are replaced, BD and BS stay until the guest clears them */
	EXPECT_EQ(0xffff4ff1, guard_dr6_after(0xffff4ffe, 1));
	EXPECT_EQ(0xffff4ff0, guard_dr6_after(0xffff0ff0, 1 << 14));
	EXPECT_EQ(0xffff2ff0, guard_dr6_after(0xffff0ff0, 1 << 13));
	/* BLD and RTM become clear where the exit reports them */
	EXPECT_EQ(0xfffe0ff0, guard_dr6_after(0xffff0ff0, 1 << 16));
	EXPECT_EQ(0xffff07f0, guard_dr6_after(0xffff0ff0, 1 << 11));
	EXPECT_EQ(0xffff0ff0, guard_dr6_after(0xfffe07f0, 0));
	/* Bit 12 reports an enabled breakpoint, and does not exist in DR6 */
	EXPECT_EQ(0xffff0ff2, guard_dr6_after(0xffff0ff0, 1 << 12 | 2));
}

TEST(hidden_registers_are_bounded)
{
	struct guard_shared shared = { .nr_hidden = ~0u };

	for (u32 i = 0; i < GUARD_HIDDEN_MAX; i++)
		shared.hidden[i] = (struct guard_msr_range) { 5, 5 };
	EXPECT_TRUE(guard_is_hidden(&shared, 5));
	EXPECT_FALSE(guard_is_hidden(&shared, 6));
	shared.nr_hidden = 0;
	EXPECT_FALSE(guard_is_hidden(&shared, 5));
}

/* kmod/guard/program/act.c: the CPU below records each action */

static char told[512];
static struct guard_shared shared;
static struct guard_frame *frame;
static u32 refused;			/* a register that refuses its value; 1: XCR0 */
static u64 mcg_cap;
static u32 bad_bank;			/* the status register of the bad bank */
static u64 bad_status;

#define BAD_ADDRESS	0x123456780ULL
static jmp_buf stopped;

static void tell(const char *fmt, ...)
{
	size_t len = strlen(told);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(told + len, sizeof(told) - len, fmt, ap);
	va_end(ap);
}

bool hw_rdmsr(u32 msr, u64 *value)
{
	tell("rdmsr %x. ", msr);
	if (msr == refused)
		return false;
	*value = msr == 0x179 ? mcg_cap : msr == 0x17a ? 5 :
		 msr == bad_bank ? bad_status : msr == bad_bank + 1 ? BAD_ADDRESS :
		 msr == 0x401 ? 0x3180000000000000ULL : msr == 0x405 ? 0xb000000000000000ULL : 7;
	return true;
}

bool hw_wrmsr(u32 msr, u64 value)
{
	tell("wrmsr %x %llx%s. ", msr, (unsigned long long)value,
	     msr == refused ? ", refused" : "");
	return msr != refused;
}

bool hw_xsetbv(u32 number, u64 value)
{
	tell("xsetbv %x %llx. ", number, (unsigned long long)value);
	return refused != 1;
}

void hw_cpuid(u32 *eax, u32 *ebx, u32 *ecx, u32 *edx)
{
	*ebx = *eax + 1;
	*edx = *ecx + 1;
}

void guard_skip(struct guard_frame *skipped)
{
	tell("skip. ");
}

void guard_step_over(struct guard_frame *stepped)
{
	tell("step. ");
}

void guard_retry(struct guard_frame *retried)
{
	tell("retry. ");
}

void guard_raise(struct guard_frame *raised, u32 vector, bool has_error, u32 error)
{
	if (has_error)
		tell("raise %u %u. ", vector, error);
	else
		tell("raise %u. ", vector);
}

void guard_add_debug(struct guard_frame *debugged, u64 bits)
{
	tell("debug %llx. ", (unsigned long long)bits);
}

void guard_set_efer(struct guard_frame *set, u64 value)
{
	tell("efer %llx. ", (unsigned long long)value);
}

void guard_set_debugctl(struct guard_frame *set, u64 value)
{
	tell("debugctl %llx. ", (unsigned long long)value);
}

void guard_set_view(struct guard_frame *set, u32 cr, u64 value)
{
	tell("cr%u view %llx. ", cr, (unsigned long long)value);
}

void guard_pass_cpuid(struct guard_frame *passed)
{
	tell("cpuid passes. ");
}

void guard_take_init(struct guard_frame *taken)
{
	tell("take init. ");
}

void guard_wait_for_init(void)
{
	tell("wait. ");
	longjmp(stopped, 1);
}

void guard_stop(struct guard_frame *end, u32 reason, u64 info, bool write, bool fetch)
{
	tell("stop %u %llx%s%s. ", reason, (unsigned long long)info, write ? " w" : "",
	     fetch ? " x" : "");
	longjmp(stopped, 1);
}

static void begin(enum host host)
{
	static u64 page[GUARD_FRAME_SIZE / sizeof(u64)];

	memset(page, 0, sizeof(page));
	frame = (struct guard_frame *)page;
	frame->shared = (u64)&shared;
	shared = shared_for(host);
	refused = 0;
	/* Three banks, the last of which reports an error */
	mcg_cap = 0x1000103;
	bad_bank = 0x409;
	bad_status = 0xb180000000000000ULL;
	told[0] = '\0';
}

static const char *handled(const struct guard_event *event)
{
	told[0] = '\0';
	if (!setjmp(stopped))
		guard_handle(frame, event);
	return told;
}

static const struct deed {
	const char *name;
	enum host host;
	u32 refused;
	struct guard_event event;
	const char *told;
} deeds[] = {
	{ "APIC_BASE off", MEMORY, 0, WRMSR(0x1b, BASE & ~ENABLE, HELD(BASE)), "step. " },
	{ "APIC_BASE off, from x2APIC mode", MEMORY, 0,
	  WRMSR(0x1b, BASE & ~ENABLE, HELD(BASE | X2APIC)),
	  "wrmsr 1b fee00100. wrmsr 1b fee00900. step. " },
	{ "APIC_BASE off, locked", MEMORY, 0x1b, WRMSR(0x1b, BASE & ~ENABLE, HELD(BASE | X2APIC)),
	  "wrmsr 1b fee00100, refused. raise 13 0. " },
	{ "LVT refused", FULL, 0x833, WRMSR(0x833, 0), "wrmsr 833 0, refused. raise 13 0. " },
	{ "XSS refused", FULL, 0xda0, WRMSR(0xda0, 0x800), "wrmsr da0 800, refused. raise 13 0. " },
	{ "register as it is", FULL, 0, WRMSR(0x200, 6, HELD(6)), "step. " },
	{ "register", FULL, 0, WRMSR(0x200, 6, HELD(7)), "raise 13 0. " },
	{ "EFER", FULL, 0, WRMSR(0xc0000080, 0x1), "efer 1001. step. " },
	{ "EFER, what the CPU lacks", FULL, 0, WRMSR(0xc0000080, 0x4001), "raise 13 0. " },
	{ "DEBUGCTL", FULL, 0, WRMSR(0x1d9, 2), "debugctl 2. step. " },
	{ "DEBUGCTL, what the CPU lacks", FULL, 0, WRMSR(0x1d9, 0x8000), "raise 13 0. " },
	{ "IPI", FULL, 0, ICR(0x4000000fdULL), "wrmsr 830 4000040fd. step. " },
	{ "IPI, reserved bits", FULL, 0, ICR(0x4fff330fdULL), "wrmsr 830 4000040fd. step. " },
	{ "IPI, refused", FULL, 0x830, ICR(0x4000000fdULL),
	  "wrmsr 830 4000040fd, refused. raise 13 0. " },
	{ "IPI to nobody of its own", FULL, 0, ICR(0x9000000fdULL), "stop 3 9000000fd w. " },
	{ "NMI while stopping", STOPPING, 0, ICR(0x400000400ULL), "take init. wait. " },
	{ "#AC while stopping", STOPPING, 0, EVENT(EXCEPTION, .index = 17), "take init. wait. " },
	{ "doorbell", FULL, 0, ICR(DOORBELL_ONCE), "wrmsr 830 900000041. step. " },
	{ "doorbell, not armed", UNARMED, 0, ICR(DOORBELL_ONCE), "step. " },
	{ "CR4", FULL, 0, CR(4, 0x20), "cr4 view 20. retry. " },
	{ "CR4.UINTR", FULL, 0, CR(4, 0x2000020), "raise 13 0. " },
	{ "CR0", FULL, 0, CR(0, 0x11), "cr0 view 11. retry. " },
	{ "XSETBV", FULL, 0, EVENT(XSETBV, .value = 7), "xsetbv 0 7. step. " },
	{ "XSETBV refused", FULL, 1, EVENT(XSETBV, .value = 6), "xsetbv 0 6. raise 13 0. " },
	{ "#DB", FULL, 0, EVENT(EXCEPTION, .index = 1, .debug = 0x4000), "debug 4000. raise 1. " },
	{ "INT1", FULL, 0, EVENT(EXCEPTION, .index = 1, .int1 = 1), "skip. debug 0. raise 1. " },
	{ "#AC", FULL, 0, EVENT(EXCEPTION, .index = 17), "raise 17 0. " },
	{ "#MC told to all", FULL, 0, EVENT(MACHINE_CHECK, .value = 5), "wrmsr 17a 0. retry. " },
	{ "#MC told to all, not to be cleared", FULL, 0x17a, EVENT(MACHINE_CHECK, .value = 5),
	  "wrmsr 17a 0, refused. retry. " },
	{ "#MC of this CPU", FULL, 0, EVENT(MACHINE_CHECK, .value = 5, .now = 1ULL << 63),
	  "stop 7 8000000000000000. " },
	{ "#MC without a way back", FULL, 0, EVENT(MACHINE_CHECK, .value = 4), "stop 7 4. " },
	{ "#MC at an entry", FULL, 0, EVENT(MACHINE_CHECK, .value = 5, .at_entry = 1),
	  "stop 7 5. " },
	{ "WBINVD", FULL, 0, EVENT(WBINVD), "step. " },
	{ "up", FULL, 0, EVENT(CALL, .value = SIGMA_GUARD_CALL_UP), "cpuid passes. step. " },
	{ "VMXON", FULL, 0, EVENT(VIRT), "raise 6. " },
	{ "memory", FULL, 0, EVENT(MEMORY, .value = 0x1000, .fetch = 1), "stop 1 1000 x. " },
	{ "INIT", FULL, 0, EVENT(INIT), "take init. wait. " },
};

TEST(actions_by_name)
{
	for (size_t i = 0; i < COUNT(deeds); i++) {
		const struct deed *deed = &deeds[i];

		begin(deed->host);
		refused = deed->refused;
		if (strcmp(handled(&deed->event), deed->told))
			TAP_FAIL("%s: %s", deed->name, told);
	}
}

TEST(a_doorbell_is_taken_once)
{
	struct guard_event event = ICR(DOORBELL_NOW), other = ICR(0x4000000fdULL);

	begin(FULL);
	EXPECT_STREQ("wrmsr 830 4000040fd. step. ", handled(&other));
	EXPECT_EQ(1u, shared.armed);
	EXPECT_STREQ("wrmsr 830 900000041. step. ", handled(&event));
	EXPECT_EQ(0u, shared.armed);
	EXPECT_STREQ("step. ", handled(&event));
	EXPECT_EQ(3u, frame->exits[GUARD_EXIT_IPI]);
}

TEST(up_is_reported)
{
	struct guard_event event = EVENT(CALL, .value = SIGMA_GUARD_CALL_UP, .cpl = 3);

	begin(FULL);
	handled(&event);
	EXPECT_EQ(0u, shared.up);
	event.cpl = 0;
	handled(&event);
	EXPECT_EQ(1u, shared.up);
}

/* CPUID clears the upper halves of its registers, and changes no others */
TEST(registers_of_cpuid)
{
	struct guard_event event = { };

	begin(FULL);
	memset(frame->gpr, 0xff, sizeof(frame->gpr));
	frame->gpr[GPR_RAX] = 0xffffffff80000002ULL;
	frame->gpr[GPR_RCX] = 0xffffffff00000003ULL;
	guard_fill_cpuid(&event, frame);
	EXPECT_EQ(GUARD_EVENT_CPUID, event.kind);
	EXPECT_EQ(0x80000002u, event.index);
	EXPECT_EQ(3u, event.subindex);
	EXPECT_STREQ("step. ", handled(&event));
	EXPECT_EQ(0x80000002ULL, frame->gpr[GPR_RAX]);
	EXPECT_EQ(0x80000003ULL, frame->gpr[GPR_RBX]);
	EXPECT_EQ(3ULL, frame->gpr[GPR_RCX]);
	EXPECT_EQ(4ULL, frame->gpr[GPR_RDX]);
	for (unsigned int i = GPR_RSP; i < COUNT(frame->gpr); i++)
		EXPECT_EQ(~0ULL, frame->gpr[i]);
}

TEST(rax_of_a_port)
{
	struct guard_event event = IN(0x60, 1, 0x1100);

	begin(FULL);
	EXPECT_STREQ("step. ", handled(&event));
	EXPECT_EQ(0x11ffULL, frame->gpr[GPR_RAX]);
	event.in = 0;
	frame->gpr[GPR_RAX] = 5;
	EXPECT_STREQ("step. ", handled(&event));
	EXPECT_EQ(5ULL, frame->gpr[GPR_RAX]);
}

/* The guard reads no register that it may not read, and not the ICR */
TEST(registers_that_are_read)
{
	struct guard_event event = { };

	begin(FULL);
	frame->gpr[GPR_RAX] = 0xffffffff00000007ULL;
	frame->gpr[GPR_RDX] = 0xffffffff00000001ULL;
	frame->gpr[GPR_RCX] = 0xffffffff00000200ULL;
	guard_fill_wrmsr(&event, frame);
	EXPECT_STREQ("rdmsr 200. ", told);
	EXPECT_EQ(GUARD_EVENT_WRMSR, event.kind);
	EXPECT_EQ(0x200u, event.index);
	EXPECT_EQ(0x100000007ULL, event.value);
	EXPECT_EQ(1, event.has_now);
	EXPECT_EQ(7ULL, event.now);

	event = (struct guard_event) { };
	told[0] = '\0';
	frame->gpr[GPR_RCX] = 0x47f;
	guard_fill_wrmsr(&event, frame);
	frame->gpr[GPR_RCX] = 0x830;
	guard_fill_wrmsr(&event, frame);
	EXPECT_STREQ("", told);
	EXPECT_EQ(0, event.has_now);

	refused = 0x200;
	frame->gpr[GPR_RCX] = 0x200;
	guard_fill_wrmsr(&event, frame);
	EXPECT_EQ(0, event.has_now);
}

/* One bank is not valid, another reports an error that needs no action */
TEST(banks_of_a_machine_check)
{
	struct guard_event event = { };

	begin(FULL);
	guard_fill_machine_check(&event, frame);
	EXPECT_STREQ("rdmsr 179. rdmsr 17a. rdmsr 401. rdmsr 405. rdmsr 409. ", told);
	EXPECT_EQ(GUARD_EVENT_MACHINE_CHECK, event.kind);
	EXPECT_EQ(5ULL, event.value);
	EXPECT_EQ(0xb180000000000000ULL, event.now);
	EXPECT_EQ(0ULL, frame->report.address);

	/* This one has an address */
	event = (struct guard_event) { };
	bad_status = 0xb580000000000000ULL;
	guard_fill_machine_check(&event, frame);
	EXPECT_EQ(0xb580000000000000ULL, event.now);
	EXPECT_EQ(BAD_ADDRESS, frame->report.address);

	/* The bad bank cannot be read, so no error is known */
	event = (struct guard_event) { };
	refused = 0x409;
	guard_fill_machine_check(&event, frame);
	EXPECT_EQ(0ULL, event.now);
	EXPECT_EQ(0ULL, frame->report.address);
}

/* The registers after 32 banks are others, and a larger number of banks must not reach them */
TEST(banks_are_bounded)
{
	struct guard_event event = { };

	begin(FULL);
	mcg_cap = 0xff;
	bad_bank = 0x401 + 4 * 31;
	guard_fill_machine_check(&event, frame);
	EXPECT_EQ(0xb180000000000000ULL, event.now);

	event = (struct guard_event) { };
	bad_bank = 0x401 + 4 * 32;
	told[0] = '\0';
	guard_fill_machine_check(&event, frame);
	EXPECT_EQ(0ULL, event.now);
	EXPECT_TRUE(strstr(told, "rdmsr 47d. "));
	EXPECT_FALSE(strstr(told, "rdmsr 481. "));

	event = (struct guard_event) { };
	mcg_cap = 0;
	told[0] = '\0';
	guard_fill_machine_check(&event, frame);
	EXPECT_STREQ("rdmsr 179. rdmsr 17a. ", told);
}

TEST_HARNESS_MAIN
