// SPDX-License-Identifier: GPL-2.0
/* Prepares a lent CPU for its first VM entry: see program.h. */
#include "../../entry.h"
#include "../../uapi/iosc.h"
#include "program.h"

#define GATE_INTERRUPT		0x8e00	/* present, 64-bit interrupt gate */

static void set_gate(struct guard_frame *frame, unsigned int vector, void (*handler)(void))
{
	u64 address = (u64)handler;

	frame->idt[vector] = (struct guard_gate) {
		.offset0 = address,
		.selector = ENTRY_CS64,
		.attrib = GATE_INTERRUPT,
		.offset16 = address >> 16,
		.offset32 = address >> 32,
	};
}

static void set_idt(struct guard_frame *frame)
{
	struct {
		u16 limit;
		u64 base;
	} __attribute__((packed)) idtr = { sizeof(frame->idt) - 1, (u64)frame->idt };

	for (unsigned int i = 0; i < GUARD_GATES; i++)
		set_gate(frame, i, guard_fault);
	set_gate(frame, VECTOR_NMI, guard_nmi);
	set_gate(frame, VECTOR_GP, guard_gp);
	set_gate(frame, VECTOR_MC, guard_mc);
	asm volatile("lidt %0" : : "m" (idtr));
}

/*
 * A secondary CPU waits here, not in the guest, until the guest's first CPU writes into the mailbox
 * where it shall begin (ACPI 6.4, 5.2.12.19). The vector needs no check: it is an address in the
 * guest.
 */
static u64 wait_at_mailbox(const struct guard_frame *frame)
{
	volatile struct sigma_iosc_mailbox *mailbox =
		(volatile struct sigma_iosc_mailbox *)frame->mailbox;
	u64 vector;

	while (mailbox->command != SIGMA_MAILBOX_WAKEUP || mailbox->apic_id != frame->apic_id)
		asm volatile("pause");
	vector = mailbox->wakeup_vector;
	mailbox->command = 0;
	return vector;
}

u64 guard_prepare(struct guard_frame *frame)
{
	set_idt(frame);
	if (shared_of(frame)->kind == SIGMA_GUARD_FULL)
		hw_wrmsr(REG_APIC_BASE, read_msr(REG_APIC_BASE) | APIC_BASE_X2APIC);
	return frame->mailbox ? wait_at_mailbox(frame) : frame->rip;
}
