// SPDX-License-Identifier: GPL-2.0
/*
 * A real-time clock, /dev/rtcN: the host's wall clock, in whole seconds, which this guest cannot set, and
 * an alarm. A guest that is awake raises the alarm itself. One that is asleep is woken by sigmad: sleep.c
 * publishes the time (uapi/iosc.h, wake_at). Programs use it as that of any machine ('rtcwake'), and the
 * kernel for timers that wake it (CLOCK_REALTIME_ALARM).
 *
 * Where this clock is rtc0, the kernel sets its own time to it, in whole seconds, as the clock is registered
 * and after a sleep. So clock.c sets it once more after both.
 */
#include <linux/device.h>
#include <linux/err.h>
#include <linux/math64.h>
#include <linux/mutex.h>
#include <linux/pm_wakeup.h>
#include <linux/rtc.h>
#include <linux/workqueue.h>
#include <asm/tsc.h>

#include "../kmod/shared/fault.h"
#include "guest.h"

#define LOOK_MS		(60 * MSEC_PER_SEC)	/* the host's clock may be set meanwhile */

static struct {
	struct sigma_guest *guest;
	struct rtc_device *device;	/* NULL: there is none */
	struct mutex lock;		/* protects the next two */
	u64 alarm;			/* seconds since 1970 */
	bool enabled;
	struct delayed_work work;
} rtc;

/* Return: nanoseconds since 1970, or 0: the host does not tell */
static u64 now(void)
{
	struct sigma_clock clock;

	return sigma_clock_read(rtc.guest, &clock) ? sigma_clock_at(&clock, rdtsc_ordered()) : 0;
}

static int read_time(struct device *dev, struct rtc_time *tm)
{
	u64 ns = now();

	if (!ns)
		return -EIO;
	rtc_time64_to_tm(div_u64(ns, NSEC_PER_SEC), tm);
	return 0;
}

static int read_alarm(struct device *dev, struct rtc_wkalrm *alarm)
{
	mutex_lock(&rtc.lock);
	rtc_time64_to_tm(rtc.alarm, &alarm->time);
	alarm->enabled = rtc.enabled;
	mutex_unlock(&rtc.lock);
	return 0;
}

/* @alarm 0: as before */
static void set(u64 alarm, bool enabled)
{
	mutex_lock(&rtc.lock);
	if (alarm)
		WRITE_ONCE(rtc.alarm, alarm);
	WRITE_ONCE(rtc.enabled, enabled);
	mutex_unlock(&rtc.lock);
	mod_delayed_work(system_percpu_wq, &rtc.work, 0);
}

static int set_alarm(struct device *dev, struct rtc_wkalrm *alarm)
{
	set(rtc_tm_to_time64(&alarm->time), alarm->enabled);
	return 0;
}

static int enable_alarm(struct device *dev, unsigned int enabled)
{
	set(0, enabled);
	return 0;
}

/* Without set_time(), which the kernel would call now and then */
static const struct rtc_class_ops ops = {
	.read_time		= read_time,
	.read_alarm		= read_alarm,
	.set_alarm		= set_alarm,
	.alarm_irq_enable	= enable_alarm,
};

/* Raise the alarm if its time has come, else look again */
static void look(struct work_struct *work)
{
	u64 ns = now(), alarm;
	bool raise;

	mutex_lock(&rtc.lock);
	alarm = rtc.enabled ? rtc.alarm * NSEC_PER_SEC : 0;
	raise = alarm && ns >= alarm;
	if (raise) {
		/* First: a suspend that has begun finds either this or the alarm */
		pm_wakeup_hard_event(rtc.guest->dev);
		WRITE_ONCE(rtc.enabled, false);
	}
	mutex_unlock(&rtc.lock);
	if (raise)
		rtc_update_irq(rtc.device, 1, RTC_AF | RTC_IRQF);
	else if (alarm)
		schedule_delayed_work(&rtc.work, msecs_to_jiffies(min_t(u64, LOOK_MS,
					div_u64(alarm - ns, NSEC_PER_MSEC) + 1)));
}

u64 sigma_rtc_alarm(void)
{
	return rtc.device && READ_ONCE(rtc.enabled) ? READ_ONCE(rtc.alarm) : 0;
}

void sigma_rtc_woken(void)
{
	if (rtc.device)
		mod_delayed_work(system_percpu_wq, &rtc.work, 0);
}

void sigma_rtc_open(struct sigma_guest *guest)
{
	struct rtc_device *device;
	int err;

	rtc.guest = guest;
	mutex_init(&rtc.lock);
	INIT_DELAYED_WORK(&rtc.work, look);
	/* First: the kernel looks for a clock that may wake it as it is registered */
	device_init_wakeup(guest->dev, true);
	device = sigma_fault_ptr() ?: devm_rtc_allocate_device(guest->dev);
	if (IS_ERR(device)) {
		dev_warn(guest->dev, "no real-time clock: error %pe\n", device);
		return;
	}
	device->ops = &ops;
	device->range_max = U64_MAX / NSEC_PER_SEC;
	rtc.device = device;
	err = devm_rtc_register_device(device);
	if (!err)
		return;
	rtc.device = NULL;
	dev_warn(guest->dev, "no real-time clock: error %d\n", err);
}
