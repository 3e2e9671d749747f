// SPDX-License-Identifier: GPL-2.0
/*
 * Sleep: this kernel's state "mem" (Documentation/power/), without firmware. The kernel freezes tasks,
 * takes all CPUs but one offline, stops clocks and the local APIC, and calls enter(). enter() leaves
 * behind where it wants to go on (uapi/iosc.h, "Sleep"), tells the host and halts. The host takes the
 * CPUs and keeps the memory. Virtio devices need nothing: their queues are in memory, and sigmad goes
 * on serving them.
 *
 * The host wakes the guest by starting its first CPU at the wake page, as it once started the kernel:
 * in 64-bit mode, on page tables that map this guest's memory to itself. The code there switches to
 * tables with the kernel's half of the address space, which enter() has made. From there the kernel
 * goes on as after firmware's sleep. Other CPUs come online through the wake-up mailbox: offline.c.
 *
 * The CPU's registers are saved and restored by the kernel's own functions. They are not exported, so
 * a kprobe tells their addresses. With IBT, a function that is not called by its address may lack the
 * ENDBR that an indirect call needs, and the probe's address is behind it anyway. So IBT is off for
 * the calls, as it is for calls of the firmware.
 */
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/interrupt.h>
#include <linux/mm.h>
#include <linux/suspend.h>
#include <asm/cpufeature.h>
#include <asm/desc.h>
#include <asm/msr.h>
#include <asm/processor.h>
#include <asm/special_insns.h>
#include <asm/sync_bitops.h>

#include "../kmod/shared/fault.h"
#include "guest.h"
#include "tables.h"
#include "wake.h"

#define RETRY_MS	50

/* Registers that neither side restores: INIT leaves them, and the host clears them */
static const u32 kept_msrs[] = { MSR_IA32_S_CET, MSR_TSC_AUX };

static struct {
	struct sigma_guest *guest;		/* NULL: this guest cannot sleep */
	struct wake_page *page;
	struct sigma_tables tables;
	void (*save)(void);
	void (*restore)(void);
	bool begun;				/* a suspend to "mem", once tasks are frozen */
	bool frozen;				/* tasks are, or are about to be; in any suspend */
	bool was_asleep;
	u32 sleeps;
	atomic_t asked;				/* the host waits for the result of @work */
	u32 asked_at;				/* the number of sleeps that the host knew of */
	atomic_t deferred;			/* enum sigma_power, for when tasks run again; or 0 */
	struct work_struct work;
} sleep;

bool sigma_sleep_is_possible(void)
{
	return sleep.guest;
}

bool sigma_sleep_has_begun(void)
{
	return READ_ONCE(sleep.begun);
}

static int fill_page(void)
{
	struct wake_page *page = sleep.page;

	if (rdmsrq_safe(MSR_EFER, &page->efer) || rdmsrq_safe(MSR_GS_BASE, &page->gs_base))
		return -EIO;
	memcpy(page->code, sigma_wake_code, sigma_wake_code_end - sigma_wake_code);
	sigma_tables_begin(&sleep.tables);
	/* A large page lies in this guest's memory, which comes in pieces of this size */
	sigma_tables_map(&sleep.tables, virt_to_phys(page));
	page->cr3 = sigma_tables_cr3(&sleep.tables);
	page->address = (unsigned long)page;
	page->awake = (unsigned long)sigma_awake;
	page->gdt = (struct desc_ptr){
		.size = GDT_SIZE - 1,
		/* LTR writes to it, and what GDTR has now may be a read-only view of it */
		.address = (unsigned long)get_cpu_gdt_rw(smp_processor_id()),
	};
	store_idt(&page->idt);
	return 0;
}

/* Channels that the host has written to since tasks were frozen, though it may have rung for nobody */
static notrace void show_news(void)
{
	u32 news = sigma_channels_sleep(&sleep.guest->channels);

	for (unsigned int n = SIGMA_DOORBELL_END; news; n++, news >>= 1)
		if (news & 1)
			sync_set_bit(n % 64, (__force unsigned long *)
				     &sleep.guest->header->to_guest.pending[n / 64]);
}

/* The kernel's tracer of returns would wait for that of this function */
notrace void sigma_sleep_stop(struct wake_page *page)
{
	struct sigma_iosc_guest *shared = &sleep.guest->header->guest;

	WRITE_ONCE(shared->wake_page, cpu_to_le64(virt_to_phys(page)));
	WRITE_ONCE(shared->wake_flags, cpu_to_le32(sigma_has_la57() ? SIGMA_WAKE_LA57 : 0));
	WRITE_ONCE(shared->sleeps, cpu_to_le32(++sleep.sleeps));
	WRITE_ONCE(shared->wake_at, cpu_to_le64(sigma_rtc_alarm()));
	/* What was left to the next tick would keep others from telling the host of what comes */
	WRITE_ONCE(sleep.guest->header->to_guest.busy, 0);
	show_news();
	/* Release: a host that sees the state sees the rest, too */
	smp_store_release(&shared->state, cpu_to_le32(SIGMA_GUEST_ASLEEP));
	sigma_iosc_ring(sleep.guest, SIGMA_DOORBELL_STATE);
	/* An NMI or SMI ends a HLT */
	for (;;)
		asm volatile("cli; hlt" : : : "memory");
}

/* As LTR wants it, until the kernel's own function loads TR once more */
static void make_tss_available(void)
{
	struct desc_struct *gdt = get_cpu_gdt_rw(smp_processor_id());
	tss_desc tss;

	memcpy(&tss, &gdt[GDT_ENTRY_TSS], sizeof(tss));
	tss.type = DESC_TSS;
	native_write_gdt_entry(gdt, GDT_ENTRY_TSS, &tss, DESC_TSS);
}

static void write_msr(u32 msr, u64 value)
{
	wrmsr(msr, (u32)value, (u32)(value >> 32));
}

/* A NIC whose frames this kernel has yet to take does not ring for further ones, which may be to wake it */
static bool has_frames(void)
{
	return READ_ONCE(sleep.guest->tells_sleep) && local_softirq_pending() & BIT(NET_RX_SOFTIRQ);
}

/* One CPU is left, and its interrupts are off. The types of the two functions cannot be checked by CFI */
static int __nocfi enter(suspend_state_t state)
{
	u64 kept[ARRAY_SIZE(kept_msrs)];
	bool has[ARRAY_SIZE(kept_msrs)];
	int err = has_frames() ? -EBUSY : fill_page();

	if (err)
		return err;
	for (unsigned int i = 0; i < ARRAY_SIZE(kept_msrs); i++)
		has[i] = !rdmsrq_safe(kept_msrs[i], &kept[i]);
	if (boot_cpu_has(X86_FEATURE_IBT))
		write_msr(MSR_IA32_S_CET, 0);

	sleep.save();
	make_tss_available();
	sigma_sleep_here(sleep.page);
	sleep.restore();

	for (unsigned int i = 0; i < ARRAY_SIZE(kept_msrs); i++)
		if (has[i] && kept[i])
			write_msr(kept_msrs[i], kept[i]);
	sleep.was_asleep = true;
	return 0;
}

static int valid(suspend_state_t state)
{
	return state == PM_SUSPEND_MEM;
}

static int begin(suspend_state_t state)
{
	WRITE_ONCE(sleep.begun, true);
	sigma_channels_fall_asleep(&sleep.guest->channels);
	sigma_wakeon_tell(sleep.guest, true);
	return 0;
}

/* Interrupts are delivered again. Those that came for doorbells meanwhile are lost */
static void finish(void)
{
	if (!sleep.was_asleep)
		return;
	sigma_guard_notify(sleep.guest);
	sigma_doorbell_look(&sleep.guest->iosc.doorbell_rx);
	/* What was taken back meanwhile is unmapped before programs run again */
	sigma_objects_settle(&sleep.guest->channels.objects);
}

/* All devices work again, and the kernel has set its clock to rtc.c's, which has whole seconds */
void sigma_sleep_complete(struct device *dev)
{
	if (!sigma_sleep_is_possible() || !sleep.was_asleep)
		return;
	sigma_clock_woken(sleep.guest);
	sigma_rtc_woken();
}

static void end(void)
{
	if (!sleep.was_asleep)
		sigma_wakeon_tell(sleep.guest, false);
	WRITE_ONCE(sleep.begun, false);
}

static const struct platform_suspend_ops ops = {
	.valid	= valid,
	.begin	= begin,
	.enter	= enter,
	.finish	= finish,
	.end	= end,
};

/* A final state that another CPU has reported meanwhile stays */
static void report_awake(void)
{
	sleep.was_asleep = false;
	cmpxchg(&sleep.guest->header->guest.state, cpu_to_le32(SIGMA_GUEST_ASLEEP),
		cpu_to_le32(SIGMA_GUEST_UP));
	sigma_iosc_ring(sleep.guest, SIGMA_DOORBELL_STATE);
}

void sigma_sleep_thawed(void)
{
	u32 action;

	if (!sigma_sleep_is_possible())
		return;
	if (sleep.was_asleep)
		report_awake();
	WRITE_ONCE(sleep.frozen, false);
	smp_mb();	/* pairs with that of sigma_sleep_defers() */
	action = atomic_xchg(&sleep.deferred, 0);
	if (action)
		sigma_power_event(sleep.guest, action, 0);
}

void sigma_sleep_freezes(void)
{
	WRITE_ONCE(sleep.frozen, true);
}

bool sigma_sleep_defers(u32 action)
{
	if (!READ_ONCE(sleep.frozen))
		return false;
	atomic_set(&sleep.deferred, action);
	smp_mb();	/* if they run again by now, whoever takes the action does it */
	return READ_ONCE(sleep.frozen) || !atomic_xchg(&sleep.deferred, 0);
}

/*
 * A request that was on its way when this guest fell asleep reaches it when it wakes. The host has been
 * obeyed then, and to sleep once more would be wrong.
 */
static bool is_stale(void)
{
	return READ_ONCE(sleep.asked_at) != READ_ONCE(sleep.sleeps);
}

/* While the kernel falls asleep by itself, wait for what becomes of that */
static int obey(void)
{
	int err = is_stale() ? 0 : pm_suspend(PM_SUSPEND_MEM);

	while (err == -EBUSY && READ_ONCE(sleep.frozen)) {
		msleep(RETRY_MS);
		err = is_stale() ? 0 : pm_suspend(PM_SUSPEND_MEM);
	}
	return err;
}

/* Only this side writes the two fields */
static void publish_refusal(int error)
{
	struct sigma_iosc_guest *shared = &sleep.guest->header->guest;

	WRITE_ONCE(shared->refusal, cpu_to_le32(error));
	/* Release: a host that sees the number sees the error, too */
	smp_store_release(&shared->refusals,
			  cpu_to_le32(le32_to_cpu(READ_ONCE(shared->refusals)) + 1));
	sigma_iosc_ring(sleep.guest, SIGMA_DOORBELL_STATE);
}

/* The host asked. If this fails, it learns why, and goes on waiting if it is not told */
static void sleep_work(struct work_struct *work)
{
	int err = obey();
	const struct sigma_bus_awake awake = { .error = cpu_to_le32(-err) };
	const struct sigma_request request = {
		.flags = SIGMA_MSG_BUS,
		.id = SIGMA_BUS_AWAKE,
		.out = &awake,
		.out_len = sizeof(awake),
	};

	atomic_set(&sleep.asked, 0);
	if (!err)
		return;
	dev_err(sleep.guest->dev, "cannot fall asleep, as the host asks: error %d\n", err);
	publish_refusal(-err);
	sigma_iosc_request(sleep.guest, &request);
}

void sigma_sleep_asked(struct sigma_guest *guest, u32 sleeps)
{
	if (!sigma_sleep_is_possible()) {
		dev_warn(guest->dev, "the host asks this guest to sleep, which it cannot\n");
	} else if (!atomic_xchg(&sleep.asked, 1)) {
		/* A host that asks again before the first result gets that one */
		WRITE_ONCE(sleep.asked_at, sleeps);
		queue_work(system_dfl_wq, &sleep.work);
	}
}

static int prepare(struct sigma_guest *guest)
{
	int err;

	sleep.save = sigma_find_symbol("save_processor_state");
	sleep.restore = sigma_find_symbol("restore_processor_state");
	if (!sleep.save || !sleep.restore)
		return -ENOENT;
	sleep.page = sigma_fault() ? NULL : (void *)get_zeroed_page(GFP_KERNEL);
	if (!sleep.page)
		return -ENOMEM;
	err = sigma_tables_alloc(&sleep.tables, 1);
	if (err)
		goto free_page;
	/* Last, since it stays */
	err = sigma_offline_open(guest);
	if (!err)
		return 0;
	sigma_tables_free(&sleep.tables);
free_page:
	free_page((unsigned long)sleep.page);
	return err;
}

/* A guest that cannot sleep goes on. Its suspend is refused: see power.c */
void sigma_sleep_open(struct sigma_guest *guest)
{
	int err;

	if (!READ_ONCE(guest->header->wakes)) {
		dev_info(guest->dev, "the host's sigma.ko cannot wake this guest, so it cannot sleep\n");
		return;
	}
	err = prepare(guest);
	if (err) {
		dev_warn(guest->dev, "this guest cannot sleep: error %d\n", err);
		return;
	}
	INIT_WORK(&sleep.work, sleep_work);
	sleep.guest = guest;
	suspend_set_ops(&ops);
	WRITE_ONCE(guest->header->guest.can_sleep, cpu_to_le32(1));
}
