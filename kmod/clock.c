// SPDX-License-Identifier: GPL-2.0
/*
 * The host's wall clock in the guest's IOSC window: see struct sigma_iosc_clock.
 *
 * The kernel's timekeeping calls a notifier at each of its updates: in a tick, where NTP's
 * corrections of the rate take effect, and at once when somebody sets the clock. The notifier
 * copies the timekeeper's parameters to the guest, which so computes the same time from the same
 * TSC. Between two updates the parameters stay valid, however long that is: an idle host need not
 * wake up for a guest's clock.
 *
 * On a host whose clock source is not the TSC, the notifier reads the clock at each update, and
 * extrapolates by the TSC frequency that the host measured at boot.
 *
 * The timekeeper's lock serialises the updates, so this file needs no lock.
 */
#include <linux/clocksource.h>
#include <linux/math64.h>
#include <linux/pvclock_gtod.h>
#include <linux/timekeeper_internal.h>
#include <asm/tsc.h>

#include "uapi/iosc.h"
#include "clock.h"

#define EXTRAPOLATED_SEC	600	/* longest time between updates that the rate is made for */

static void publish(struct sigma_clock *clock, u64 tsc, u64 ns, u32 mult, u32 shift, u32 flags)
{
	struct sigma_iosc_clock *shared = clock->shared;

	WRITE_ONCE(shared->seq, cpu_to_le32(++clock->seq));
	smp_wmb();	/* odd first, for the guest's smp_load_acquire() */
	WRITE_ONCE(shared->tsc, cpu_to_le64(tsc));
	WRITE_ONCE(shared->realtime_ns, cpu_to_le64(ns));
	WRITE_ONCE(shared->mult, cpu_to_le32(mult));
	WRITE_ONCE(shared->shift, cpu_to_le32(shift));
	WRITE_ONCE(shared->flags, cpu_to_le32(flags));
	smp_wmb();	/* even last, for the guest's smp_rmb() */
	WRITE_ONCE(shared->seq, cpu_to_le32(++clock->seq));
}

/* Interrupts are off */
static int on_update(struct notifier_block *notifier, unsigned long was_set, void *data)
{
	struct sigma_clock *clock = container_of(notifier, struct sigma_clock, notifier);
	const struct timekeeper *tk = data;
	const struct tk_read_base *tkr = &tk->tkr_mono;
	u64 ns = tk->xtime_sec * NSEC_PER_SEC + (tkr->xtime_nsec >> tkr->shift);
	u32 mult, shift;
	u64 tsc, cycles;

	if (tkr->clock->vdso_clock_mode == VDSO_CLOCKMODE_TSC) {
		publish(clock, tkr->cycle_last, ns, tkr->mult, tkr->shift, SIGMA_CLOCK_IS_TSC);
		return NOTIFY_DONE;
	}
	tsc = rdtsc_ordered();
	cycles = (tkr->clock->read(tkr->clock) - tkr->cycle_last) & tkr->mask;
	ns += mul_u64_u32_shr(cycles, tkr->mult, tkr->shift);
	clocks_calc_mult_shift(&mult, &shift, tsc_khz, NSEC_PER_MSEC, EXTRAPOLATED_SEC);
	publish(clock, tsc, ns, mult, shift, 0);
	return NOTIFY_DONE;
}

void sigma_clock_show(struct sigma_clock *clock, struct sigma_iosc_clock *shared)
{
	clock->shared = shared;
	clock->seq = 0;
	clock->notifier.notifier_call = on_update;
	pvclock_gtod_register_notifier(&clock->notifier);
}

void sigma_clock_hide(struct sigma_clock *clock)
{
	/* No update is running on return: an update holds the lock that unregistering takes */
	pvclock_gtod_unregister_notifier(&clock->notifier);
}
