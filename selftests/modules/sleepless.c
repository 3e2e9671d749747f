// SPDX-License-Identifier: GPL-2.0
/*
 * For sleep.sh and host-sleep.sh: a guest that does not fall asleep as it should.
 *
 *	insmod sleepless.ko how=refuses		its suspend fails
 *	insmod sleepless.ko how=reboots		it restarts instead
 *	insmod sleepless.ko how=hangs		its suspend begins, and does not go on
 *	insmod sleepless.ko how=pretends page=N	as "lies", once it is asked to sleep
 *	insmod sleepless.ko how=lies page=N	it says that it is asleep, and wants to wake at address N
 */
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/reboot.h>
#include <linux/suspend.h>

#include "guest.h"

static char *how = "";
module_param(how, charp, 0);
static unsigned long page;
module_param(page, ulong, 0);

static int lie(void)
{
	struct device *dev = bus_find_device_by_name(&platform_bus_type, NULL, SIGMA_ACPI_HID ":00");
	struct kprobe probe = { .symbol_name = "sigma_iosc_ring" };
	void (*ring)(struct sigma_guest *guest, unsigned int n);
	struct sigma_guest *guest = dev ? dev_get_drvdata(dev) : NULL;
	struct sigma_iosc_guest *shared;

	if (!guest || register_kprobe(&probe))
		return -ENODEV;
	ring = (void *)probe.addr;
	unregister_kprobe(&probe);
	shared = &guest->header->guest;
	shared->wake_page = cpu_to_le64(page);
	shared->sleeps = cpu_to_le32(le32_to_cpu(shared->sleeps) + 1);
	smp_store_release(&shared->state, cpu_to_le32(SIGMA_GUEST_ASLEEP));
	ring(guest, SIGMA_DOORBELL_STATE);
	return 0;
}

static int on_suspend(struct notifier_block *nb, unsigned long action, void *data)
{
	if (action != PM_SUSPEND_PREPARE)
		return NOTIFY_DONE;
	pr_info("sleepless: %s\n", how);
	if (!strcmp(how, "refuses"))
		return notifier_from_errno(-EBUSY);
	if (!strcmp(how, "reboots"))
		emergency_restart();
	if (!strcmp(how, "pretends"))
		lie();
	for (;;)
		msleep(MSEC_PER_SEC);
}

static struct notifier_block notifier = {
	.notifier_call = on_suspend,
};

static int __init sleepless_init(void)
{
	return strcmp(how, "lies") ? register_pm_notifier(&notifier) : lie();
}
module_init(sleepless_init);

static void __exit sleepless_exit(void)
{
	if (strcmp(how, "lies"))
		unregister_pm_notifier(&notifier);
}
module_exit(sleepless_exit);

MODULE_DESCRIPTION("Do not fall asleep as a guest should");
MODULE_LICENSE("GPL");
