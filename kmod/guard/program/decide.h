/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Decides what a VM exit means: from the guest's state and the VM exit it makes a verdict, which
 * says what to do. decide.c accesses nothing else, executes no special instruction, and has no loop
 * that a guest controls. It is the same for all CPUs: svm.c and vmx.c fill in the event, act.c acts
 * on the verdict. User space builds it, too: selftests/unit/guard-decide.c, selftests/fuzz/guard.h.
 */
#ifndef _SIGMA_GUARD_DECIDE_H
#define _SIGMA_GUARD_DECIDE_H

#include "../frame.h"
#include "../registers.h"
#include "cpuid.h"

/* Kinds of VM exits. The comments name the fields of struct guard_event that are valid with them */
enum guard_event_kind {
	GUARD_EVENT_UNKNOWN,		/* code: the hardware's exit code */
	GUARD_EVENT_CPUID,		/* index, subindex, cpuid */
	GUARD_EVENT_RDMSR,		/* index; a hidden register, other reads do not exit */
	GUARD_EVENT_WRMSR,		/* index, value, has_now, now */
	GUARD_EVENT_IO,			/* index: port; size, in, string, value: RAX */
	GUARD_EVENT_CR_WRITE,		/* index: 0 or 4, value; it changes intercepted bits */
	GUARD_EVENT_CR_OTHER,		/* another access to CR0 or CR4, which no kernel makes */
	GUARD_EVENT_XSETBV,		/* index, value */
	GUARD_EVENT_EXCEPTION,		/* index: vector, error, debug, int1 */
	GUARD_EVENT_MACHINE_CHECK,	/* value: MCG_STATUS, now: the worst MCi_STATUS or 0 */
	GUARD_EVENT_CALL,		/* value: RAX */
	GUARD_EVENT_INVD,
	GUARD_EVENT_WBINVD,
	GUARD_EVENT_VIRT,		/* a virtualisation instruction */
	GUARD_EVENT_MEMORY,		/* value: address; write, fetch */
	GUARD_EVENT_SHUTDOWN,
	GUARD_EVENT_STATE,		/* code */
	GUARD_EVENT_NOTIFY,		/* no instruction ended for a long time */
	GUARD_EVENT_INIT,
	GUARD_EVENTS
};

/* The event that was being delivered to the guest at the VM exit */
enum guard_delivery {
	GUARD_DELIVERS_NOTHING,
	GUARD_DELIVERS_AGAIN,		/* an event that its instruction raises again */
	GUARD_DELIVERS_ONCE,		/* an interrupt or an NMI, which would be lost */
};

/**
 * struct guard_event - a VM exit
 * @kind: enum guard_event_kind; it decides which other fields are valid
 * @cpl: the guest's privilege level
 * @delivery: enum guard_delivery
 * @index: number of a register, port, vector, or CPUID leaf
 * @subindex: CPUID subleaf
 * @size: bytes of an access to a port
 * @error: error code of an exception
 * @in: IN, not OUT
 * @string: INS or OUTS
 * @write: the access was a write
 * @fetch: the access was an instruction fetch
 * @has_now: the register can be read, and @now is its value
 * @int1: the instruction INT1 raised #DB, and has not been stepped over yet
 * @at_entry: the VM entry failed, so the CPU did not run the guest
 * @debug: bits that a #DB adds to DR6, see guard_dr6_after()
 * @cr0: the guest's, as it is in hardware
 * @cr4: likewise
 * @efer: likewise; SVM only
 * @cpuid: this CPU's own answer
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

/* The comments name the fields of struct guard_verdict that are valid with each action */
enum guard_action {
	GUARD_STOP,			/* stop the guest: reason, info, write, fetch */
	GUARD_STEP_OVER,		/* the instruction was emulated; go on after it */
	GUARD_RETRY,			/* go on at the same place; repeat a delivery */
	GUARD_RAISE,			/* raise an exception: vector, has_error, error */
	GUARD_RESET,			/* the host takes its CPU back: wait for INIT */
};

/* struct guard_verdict.also: done before the action */
#define GUARD_ALSO_CPUID	(1 << 0)	/* cpuid into EAX to EDX */
#define GUARD_ALSO_RAX		(1 << 1)	/* value into RAX */
#define GUARD_ALSO_EFER		(1 << 2)	/* value into EFER */
#define GUARD_ALSO_CR0_VIEW	(1 << 3)	/* the guest reads value from CR0 */
#define GUARD_ALSO_CR4_VIEW	(1 << 4)	/* likewise from CR4 */
#define GUARD_ALSO_XSETBV	(1 << 5)	/* value into XCR0, or #GP */
#define GUARD_ALSO_UP		(1 << 6)	/* the guest's driver is up */
#define GUARD_ALSO_PASS_CPUID	(1 << 7)	/* no more VM exits for CPUID, if possible */
#define GUARD_ALSO_DEBUG	(1 << 8)	/* debug into DR6, and clear DR7.GD */
#define GUARD_ALSO_DOORBELL	(1 << 9)	/* write only if the host's doorbell is armed */
#define GUARD_ALSO_SKIP		(1 << 10)	/* raise the exception after the instruction */
#define GUARD_ALSO_DEBUGCTL	(1 << 11)	/* value into DEBUGCTL */

#define GUARD_WRITES_MAX	2

/**
 * struct guard_verdict - what to do after a VM exit
 * @action: enum guard_action
 * @also: GUARD_ALSO_*, done before the action
 * @count: enum guard_exit to count; GUARD_EXITS: none
 * @vector: of the exception to raise
 * @error: its error code, if @has_error
 * @has_error: it has one
 * @write: for the report: the access was a write
 * @fetch: likewise, an instruction fetch
 * @reason: enum sigma_violation_reason, for the report
 * @info: see enum sigma_violation_reason
 * @value: see GUARD_ALSO_*
 * @debug: bits to add to DR6
 * @cpuid: the answer to CPUID
 * @nr_writes: number of @writes
 * @writes: registers to write before the action, in order. A write that the CPU refuses turns
 *	    GUARD_STEP_OVER into a #GP
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

/** guard_decide - make the @verdict on @event, for the guest of @shared */
void guard_decide(const struct guard_shared *shared, const struct guard_event *event,
		  struct guard_verdict *verdict);

/** guard_is_hidden - is @msr one that the guest may not read? */
bool guard_is_hidden(const struct guard_shared *shared, u32 msr);

/**
 * guard_dr6_after - DR6 after a #DB
 * @dr6: its value before
 * @bits: causes of the #DB, in the format of pending debug exceptions: a set bit means that DR6
 *	  gets the bit set (B0 to B3, BD, BS), or clear (BLD, RTM, which are active low in DR6)
 */
u64 guard_dr6_after(u64 dr6, u64 bits);

#endif
