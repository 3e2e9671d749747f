// SPDX-License-Identifier: GPL-2.0
/*
 * The host's wall clock as a PTP clock, /dev/ptpN, to which chrony and phc2sys synchronise this
 * kernel's own clock. It is read from the TSC and shared memory: no request is sent to the host,
 * which need not wake up. It shows the host's CLOCK_REALTIME, including its steps, and can't be
 * set.
 *
 * For a cross-timestamp one reading of the TSC gives both clocks. That is exact if the TSC is the
 * clock source of both kernels, and refused otherwise. Programs then read the two clocks in turn.
 */
#include <linux/device.h>
#include <linux/ptp_clock_kernel.h>
#include <asm/tsc.h>

#include "../kmod/shared/fault.h"
#include "guest.h"

static struct sigma_guest *to_guest(struct ptp_clock_info *info)
{
	return container_of(info, struct sigma_guest, ptp);
}

static int ptp_gettimex64(struct ptp_clock_info *info, struct timespec64 *ts,
			  struct ptp_system_timestamp *sts)
{
	struct sigma_clock clock;
	u64 tsc;

	if (!sigma_clock_read(to_guest(info), &clock))
		return -EAGAIN;
	ptp_read_system_prets(sts);
	tsc = rdtsc_ordered();
	ptp_read_system_postts(sts);
	*ts = ns_to_timespec64(sigma_clock_at(&clock, tsc));
	return 0;
}

static int ptp_getcrosststamp(struct ptp_clock_info *info,
			      struct system_device_crosststamp *stamp)
{
	struct sigma_clock clock;
	u64 before, counter, after;
	int err;

	before = rdtsc_ordered();
	err = sigma_system_stamp(stamp, &counter);
	after = rdtsc_ordered();
	if (err)
		return err;
	/*
	 * Is the kernel's counter the TSC? No other counter's value would lie between two
	 * readings of the TSC, and not every kernel has an ID for the TSC
	 */
	if (counter < before || counter > after)
		return -EOPNOTSUPP;
	if (!sigma_clock_read(to_guest(info), &clock))
		return -EAGAIN;
	if (!(clock.flags & SIGMA_CLOCK_IS_TSC))
		return -EOPNOTSUPP;
	stamp->device = ns_to_ktime(sigma_clock_at(&clock, counter));
	return 0;
}

static int ptp_settime64(struct ptp_clock_info *info, const struct timespec64 *ts)
{
	return -EOPNOTSUPP;
}

static int ptp_adjtime(struct ptp_clock_info *info, s64 delta)
{
	return -EOPNOTSUPP;
}

static int ptp_adjfine(struct ptp_clock_info *info, long scaled_ppm)
{
	return -EOPNOTSUPP;
}

static int ptp_enable(struct ptp_clock_info *info, struct ptp_clock_request *request, int on)
{
	return -EOPNOTSUPP;
}

static const struct ptp_clock_info ptp_info = {
	.owner		= THIS_MODULE,
	.name		= "sigma",
	.gettimex64	= ptp_gettimex64,
	.getcrosststamp	= ptp_getcrosststamp,
	.settime64	= ptp_settime64,
	.adjtime	= ptp_adjtime,
	.adjfine	= ptp_adjfine,
	.enable		= ptp_enable,
};

void sigma_ptp_open(struct sigma_guest *guest)
{
	struct ptp_clock *ptp;

	guest->ptp = ptp_info;
	ptp = sigma_fault_ptr() ?: ptp_clock_register(&guest->ptp, guest->dev);
	if (IS_ERR(ptp))
		dev_warn(guest->dev, "no PTP clock: error %pe\n", ptp);
	else if (!ptp)
		dev_info(guest->dev, "this kernel has no PTP clocks\n");
}
