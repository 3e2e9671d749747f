/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What an exit means: the guest's state and the exit go in, what is to be done comes out. decide.c
 * touches nothing else, executes nothing, and has no loop that a guest controls. It is the same for
 * all CPUs; svm.c and vmx.c fill in the event, act.c does what the verdict says. User space can
 * build it, too: selftests/unit/guard-decide.c, selftests/fuzz/guard.h.
 */
#ifndef _SIGMA_GUARD_DECIDE_H
#define _SIGMA_GUARD_DECIDE_H

#include "../frame.h"
#include "../registers.h"
#include "cpuid.h"

/* What made the CPU leave the guest, and what of struct guard_event counts besides */
enum guard_event_kind {
	GUARD_EVENT_UNKNOWN,		/* code: the exit's */
	GUARD_EVENT_CPUID,		/* index, subindex, cpuid */
	GUARD_EVENT_RDMSR,		/* index; only of a register that is hidden */
	GUARD_EVENT_WRMSR,		/* index, value, has_now, now */
	GUARD_EVENT_IO,			/* index: port; size, in, string, value: RAX */
	GUARD_EVENT_CR_WRITE,		/* index: CR0 or CR4, value; of bits that are watched */
	GUARD_EVENT_CR_OTHER,		/* what no kernel does with them */
	GUARD_EVENT_XSETBV,		/* index, value */
	GUARD_EVENT_EXCEPTION,		/* index: vector, error, debug, int1 */
	GUARD_EVENT_MACHINE_CHECK,	/* value: MCG_STATUS, now: the worst MCi_STATUS or 0 */
	GUARD_EVENT_CALL,		/* value: RAX */
	GUARD_EVENT_INVD,
	GUARD_EVENT_WBINVD,
	GUARD_EVENT_VIRT,		/* an instruction of virtualisation's own */
	GUARD_EVENT_MEMORY,		/* value: address; write, fetch */
	GUARD_EVENT_SHUTDOWN,
	GUARD_EVENT_STATE,		/* code */
	GUARD_EVENT_NOTIFY,		/* no instruction ended for a long time */
	GUARD_EVENT_INIT,
	GUARD_EVENTS
};

/* What was being delivered to the guest when it was left */
enum guard_delivery {
	GUARD_DELIVERS_NOTHING,
	GUARD_DELIVERS_AGAIN,		/* its instruction raises it again */
	GUARD_DELIVERS_ONCE,		/* an interrupt or an NMI, which would be lost */
};

/**
 * struct guard_event - an exit
 * @cpl: the guest's privilege level
 * @delivery: enum guard_delivery
 * @cr0: and @cr4, @efer: the guest's, as they are in hardware
 * @cpuid: this CPU's own answer
 * @has_now: the register can be read, and @now is what it holds
 * @debug: what the exception adds to DR6
 * @at_entry: the CPU did not come to the guest
 * @int1: it is the instruction INT1, which has not been stepped over yet
 */
struct guard_event {
	u32 kind;
	u32 cpl;
	u32 delivery;
	u32 index, subindex;
	u32 size;
	u32 error;
	u8 in, string, write, fetch, has_now, int1, at_entry;
	u64 value, now, code, debug;
	u64 cr0, cr4, efer;
	struct guard_cpuid cpuid;
};

enum guard_action {
	GUARD_STOP,			/* the guest: reason, info, write, fetch */
	GUARD_STEP_OVER,		/* the instruction is done */
	GUARD_RETRY,			/* go on where it was, with what was being delivered */
	GUARD_RAISE,			/* vector, error */
	GUARD_RESET,			/* the host wants its CPU back */
};

/* struct guard_verdict.also */
#define GUARD_ALSO_CPUID	(1 << 0)	/* cpuid into EAX to EDX */
#define GUARD_ALSO_RAX		(1 << 1)	/* value into RAX */
#define GUARD_ALSO_EFER		(1 << 2)	/* value into EFER */
#define GUARD_ALSO_CR0_VIEW	(1 << 3)	/* the guest sees value in CR0 */
#define GUARD_ALSO_CR4_VIEW	(1 << 4)	/* likewise */
#define GUARD_ALSO_XSETBV	(1 << 5)	/* value into XCR0, or #GP */
#define GUARD_ALSO_UP		(1 << 6)	/* the guest's driver is up */
#define GUARD_ALSO_PASS_CPUID	(1 << 7)	/* no more exits for CPUID, where the CPU can do that */
#define GUARD_ALSO_DEBUG	(1 << 8)	/* debug into DR6, and DR7.GD is clear */
#define GUARD_ALSO_DOORBELL	(1 << 9)	/* write only where the host's doorbell is armed */
#define GUARD_ALSO_SKIP		(1 << 10)	/* the exception comes behind the instruction */
#define GUARD_ALSO_DEBUGCTL	(1 << 11)	/* value into DEBUGCTL */

#define GUARD_WRITES_MAX	2

/**
 * struct guard_verdict - what becomes of it
 * @action: enum guard_action
 * @also: GUARD_ALSO_*, done first
 * @count: enum guard_exit; GUARD_EXITS: none
 * @nr_writes: of registers, in order, done before the action. One that the CPU refuses makes
 *	       GUARD_STEP_OVER a #GP
 */
struct guard_verdict {
	u32 action;
	u32 also;
	u32 count;
	u32 vector, error;
	u8 has_error, write, fetch;
	u32 reason;
	u64 info;
	u64 value, debug;
	struct guard_cpuid cpuid;
	u32 nr_writes;
	struct guard_write {
		u32 msr;
		u64 value;
	} writes[GUARD_WRITES_MAX];
};

/** guard_decide - what @event comes to for a guest that is kept as @shared says */
void guard_decide(const struct guard_shared *shared, const struct guard_event *event,
		  struct guard_verdict *verdict);

/** guard_is_hidden - may the guest not read @msr? */
bool guard_is_hidden(const struct guard_shared *shared, u32 msr);

/**
 * guard_dr6_after - DR6 after a #DB
 * @dr6: before it
 * @bits: what the exit tells of it, in the format of pending debug exceptions: bits that are set
 *	  where DR6 has them set (B0 to B3, BD, BS), or clear where it is clear (BLD, RTM)
 */
u64 guard_dr6_after(u64 dr6, u64 bits);

#endif
