// SPDX-License-Identifier: GPL-2.0
/*
 * Wall clock. The machine's RTC belongs to the host, so the time comes from the host: the IOSC
 * header has the parameters that give the host's CLOCK_REALTIME for a value of the TSC, which is
 * the same on all CPUs of the machine.
 *
 * The clock is set when the driver binds, which is after the kernel has set it to that of rtc.c, and
 * compared with the host's once a minute. It is set again only when it is off by more than half a
 * second: then the host's clock was stepped, or a guest without NTP has drifted for hours. A guest that
 * runs NTP never differs that much from a host whose clock is right, so its clock is left alone. A guest
 * that wakes up has missed the time of its sleep, so its clock is set whatever the difference. NTP
 * programs may use the PTP clock of ptp.c as their reference.
 */
#include <linux/device.h>
#include <linux/math64.h>
#include <linux/timekeeping.h>
#include <asm/processor.h>
#include <asm/tsc.h>

#include "guest.h"

#define LOOK_INTERVAL		(60 * HZ)
#define TOLERANCE_NS		(NSEC_PER_SEC / 2)
#define READ_ATTEMPTS		1000

/* Retries while the host is writing; gives up if the host has stopped in the middle of a write */
bool sigma_clock_read(const struct sigma_guest *guest, struct sigma_clock *clock)
{
	const struct sigma_iosc_clock *shared = &guest->header->clock;

	for (int i = 0; i < READ_ATTEMPTS; i++) {
		/* Acquire here and smp_rmb() below keep all reads between the two reads of `seq` */
		u32 seq = le32_to_cpu(smp_load_acquire(&shared->seq));

		clock->flags = le32_to_cpu(READ_ONCE(shared->flags));
		clock->tsc = le64_to_cpu(READ_ONCE(shared->tsc));
		clock->realtime_ns = le64_to_cpu(READ_ONCE(shared->realtime_ns));
		clock->mult = le32_to_cpu(READ_ONCE(shared->mult));
		clock->shift = le32_to_cpu(READ_ONCE(shared->shift));
		smp_rmb();	/* see above */
		if (!(seq & 1) && seq == le32_to_cpu(READ_ONCE(shared->seq)))
			return clock->mult && clock->shift <= SIGMA_CLOCK_SHIFT_MAX;
		cpu_relax();
	}
	return false;
}

u64 sigma_clock_at(const struct sigma_clock *clock, u64 tsc)
{
	/* The host may have updated the clock after @tsc was read */
	if (tsc < clock->tsc)
		return clock->realtime_ns -
		       mul_u64_u32_shr(clock->tsc - tsc, clock->mult, clock->shift);
	return clock->realtime_ns + mul_u64_u32_shr(tsc - clock->tsc, clock->mult, clock->shift);
}

static void look(struct sigma_guest *guest, s64 tolerance)
{
	struct sigma_clock clock;
	struct timespec64 now;
	s64 off;

	if (sigma_clock_read(guest, &clock)) {
		u64 ns = sigma_clock_at(&clock, rdtsc_ordered());

		off = ns - ktime_get_real_ns();
		if (abs(off) > tolerance) {
			now = ns_to_timespec64(ns);
			if (do_settimeofday64(&now))
				dev_warn(guest->dev, "cannot set the clock to the host's %llu ns\n",
					 ns);
			else
				dev_info(guest->dev, "clock set to the host's, it was off by %lld ms\n",
					 div_s64(off, NSEC_PER_MSEC));
		}
	} else {
		dev_warn_once(guest->dev, "the host gives no time of day, the clock is not set\n");
	}
}

static void clock_look(struct work_struct *work)
{
	struct sigma_guest *guest = container_of(work, struct sigma_guest, clock.work);

	look(guest, TOLERANCE_NS);
	schedule_delayed_work(&guest->clock, round_jiffies_relative(LOOK_INTERVAL));
}

void sigma_clock_woken(struct sigma_guest *guest)
{
	look(guest, 0);
}

void sigma_clock_open(struct sigma_guest *guest)
{
	INIT_DELAYED_WORK(&guest->clock, clock_look);
	look(guest, 0);
	schedule_delayed_work(&guest->clock, round_jiffies_relative(LOOK_INTERVAL));
}
