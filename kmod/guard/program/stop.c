// SPDX-License-Identifier: GPL-2.0
/* Stops a guest that did something forbidden: see program.h. */
#include "../../uapi/iosc.h"
#include "program.h"

#define XAPIC_ICR_LOW		0x300
#define XAPIC_ICR_HIGH		0x310
#define XAPIC_BUSY		(1 << 12)
#define XAPIC_BUSY_POLLS	100000

static void xapic_send(u32 apic_id, u32 command)
{
	u64 base = read_msr(REG_APIC_BASE) & APIC_BASE_ADDRESS;
	volatile u32 *high = (volatile u32 *)(base + XAPIC_ICR_HIGH);
	volatile u32 *low = (volatile u32 *)(base + XAPIC_ICR_LOW);

	for (int i = 0; i < XAPIC_BUSY_POLLS && *low & XAPIC_BUSY; i++)
		asm volatile("pause");
	*high = apic_id << 24;
	*low = command;
}

/* Rings SIGMA_DOORBELL_STATE for the guest. The host also checks once a second in any case. */
static void tell_host(const struct guard_frame *frame)
{
	const struct guard_shared *shared = shared_of(frame);
	u64 target = *(volatile const u64 *)&shared->doorbell[0];
	u32 apic_id = target >> 32, vector = (u32)target;

	asm volatile("lock; btsl %1, %0" : "+m" (*(u32 *)shared->pending) :
		     "Ir" (SIGMA_DOORBELL_STATE) : "memory");
	if (!target)
		return;
	if (read_msr(REG_APIC_BASE) & APIC_BASE_X2APIC)
		hw_wrmsr(REG_X2APIC_ICR, (u64)apic_id << 32 | vector);
	else
		xapic_send(apic_id, vector);
}

void guard_wait_for_init(void)
{
	for (;;)
		hw_halt();
}

void guard_stop(struct guard_frame *frame, u32 reason, u64 info, bool write, bool fetch)
{
	struct sigma_violation *report = &frame->report;

	report->info = info;
	report->write = write;
	report->fetch = fetch;
	report->cpl = guard_cpl(frame);
	guard_describe(frame);
	for (int i = 0; i < 16; i++)
		report->gpr[i] = frame->gpr[i];
	/* MCIP must be clear before the next machine check. CPUs without it refuse the write */
	hw_wrmsr(REG_MCG_STATUS, 0);
	__atomic_store_n(&report->reason, reason, __ATOMIC_RELEASE);
	tell_host(frame);
	guard_take_init(frame);
	guard_wait_for_init();
}

void guard_broken(struct guard_frame *frame, u64 where)
{
	guard_stop(frame, SIGMA_VIOLATION_GUARD, where, false, false);
}
