// SPDX-License-Identifier: GPL-2.0
/*
 * Wall clock. The machine's RTC is the host's, so the time comes from the host: the IOSC
 * header pairs a TSC value with the host's CLOCK_REALTIME at that moment, and the TSC is
 * the same on all CPUs, whoever owns them.
 *
 * The clock is set when the driver binds, and looked at once a minute. It is set again only
 * when it is off by more than half a second: that is a host whose clock was stepped, or
 * hours of drift in a guest that runs no NTP. A guest that runs NTP never differs that much
 * from a host whose clock is right, and is left alone.
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

struct reading {
	u32 tsc_khz;
	u64 tsc;
	u64 realtime_ns;
};

/* The host may be writing, or may have stopped in the middle of it */
static bool read_clock(const struct sigma_iosc_clock *clock, struct reading *reading)
{
	for (int i = 0; i < READ_ATTEMPTS; i++) {
		/* What is read stands between the two looks at `seq`: acquire, and smp_rmb() */
		u32 seq = le32_to_cpu(smp_load_acquire(&clock->seq));

		reading->tsc_khz = le32_to_cpu(READ_ONCE(clock->tsc_khz));
		reading->tsc = le64_to_cpu(READ_ONCE(clock->tsc));
		reading->realtime_ns = le64_to_cpu(READ_ONCE(clock->realtime_ns));
		smp_rmb();	/* see above */
		if (!(seq & 1) && seq == le32_to_cpu(READ_ONCE(clock->seq)))
			return reading->tsc_khz != 0;
		cpu_relax();
	}
	return false;
}

static u64 host_now(const struct reading *reading)
{
	u64 tsc = rdtsc_ordered(), ms, cycles;

	/* A pair that was taken a moment ago on another CPU may be ahead by some cycles */
	if (tsc < reading->tsc)
		return reading->realtime_ns;
	/* One kHz is one cycle in a ms. In two steps, since the product needs 128 bits */
	ms = div64_u64_rem(tsc - reading->tsc, reading->tsc_khz, &cycles);
	return reading->realtime_ns + ms * NSEC_PER_MSEC +
	       div_u64(cycles * NSEC_PER_MSEC, reading->tsc_khz);
}

static void clock_look(struct work_struct *work)
{
	struct sigma_guest *guest = container_of(work, struct sigma_guest, clock.work);
	struct reading reading;
	struct timespec64 now;
	s64 off;

	if (read_clock(&guest->header->clock, &reading)) {
		u64 ns = host_now(&reading);

		off = ns - ktime_get_real_ns();
		if (abs(off) > TOLERANCE_NS) {
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
	schedule_delayed_work(&guest->clock, round_jiffies_relative(LOOK_INTERVAL));
}

void sigma_clock_open(struct sigma_guest *guest)
{
	INIT_DELAYED_WORK(&guest->clock, clock_look);
	clock_look(&guest->clock.work);
}
