// SPDX-License-Identifier: GPL-2.0
/*
 * For objects.sh: a guest's kernel that writes nonsense to its table of memory objects, and never lets
 * go of what the host lends it (kmod/uapi/object.h).
 *
 *	insmod forger.ko channel=N
 *
 * Channel N must have a session. Grants FORGED + 0, 1, ... are those of the array below.
 */
#include <linux/delay.h>
#include <linux/io.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/platform_device.h>

#include "../kmod/uapi/iosc.h"

#define FORGED	(SIGMA_GRANTS * 77)
#define PAGE	SIGMA_OBJECT_ALIGN

static unsigned int channel;
module_param(channel, uint, 0);

static void *window;
static struct sigma_grants *ours;
static const struct sigma_grants *theirs;
static struct task_struct *thread;

/* Only the first one is a grant that there could be. @at: behind the middle of the area */
static const struct forgery {
	s64 at;
	u64 size;
	u32 rights, other_channel, other_session;
} forgeries[] = {
	{ .at = 0, .size = PAGE },
	{ .at = -PAGE, .size = PAGE },			/* the host's half */
	{ .at = -PAGE, .size = 2 * PAGE },		/* and into one's own */
	{ .at = 1LL << 40, .size = PAGE },		/* beyond the area */
	{ .at = 0, .size = -(u64)PAGE },		/* wraps */
	{ .at = 0, .size = 1ULL << 40 },
	{ .at = 8, .size = PAGE },
	{ .at = 0, .size = 8 },
	{ .at = 0, .size = 0 },
	{ .at = 0, .size = PAGE, .rights = 4 },
	{ .at = 0, .size = PAGE, .other_channel = 1 },
	{ .at = 0, .size = PAGE, .other_session = 2 },
};

static void forge(unsigned int i, u64 middle)
{
	const struct sigma_channel *shared = window + SIGMA_IOSC_CHANNEL_OFF(channel);
	u32 session = le32_to_cpu(READ_ONCE(shared->state[SIGMA_SIDE_GUEST].session));
	struct sigma_grant *grant = &ours->grant[i];

	grant->channel = cpu_to_le32(channel + forgeries[i].other_channel);
	grant->session = cpu_to_le32(session + forgeries[i].other_session);
	grant->rights = cpu_to_le32(forgeries[i].rights);
	grant->offset = cpu_to_le64(middle + forgeries[i].at);
	grant->size = cpu_to_le64(forgeries[i].size);
	smp_store_release(&grant->number, cpu_to_le32(FORGED + i));
}

/* Hold whatever was granted at any time. Return: how many are granted now */
static unsigned int hold(void)
{
	static __le32 kept[SIGMA_GRANTS];
	unsigned int granted = 0;

	for (unsigned int i = 0; i < SIGMA_GRANTS; i++) {
		__le32 number = READ_ONCE(theirs->grant[i].number);

		granted += !!number;
		kept[i] = number ?: kept[i];
		if (kept[i])
			WRITE_ONCE(ours->held[i], kept[i]);
	}
	return granted;
}

/* The guest has one CPU: its driver cannot let go until all was taken back for a while */
static void seize(void)
{
	u64 begin = ktime_get_ns(), granted = begin, now;

	local_irq_disable();
	do {
		now = ktime_get_ns();
		if (hold())
			granted = now;
		cpu_relax();
	} while (now - granted < 5 * NSEC_PER_SEC && now - begin < 60 * NSEC_PER_SEC);
	local_irq_enable();
}

static int wait_for_grants(void *data)
{
	while (!kthread_should_stop()) {
		if (hold() >= 2)
			seize();
		usleep_range(500, 1000);
	}
	return 0;
}

static int __init forger_init(void)
{
	struct device *dev = bus_find_device_by_name(&platform_bus_type, NULL, SIGMA_ACPI_HID ":00");
	const struct resource *res;
	u64 middle;

	if (!dev || !channel || channel > SIGMA_CHANNELS)
		return -ENODEV;
	res = platform_get_resource(to_platform_device(dev), IORESOURCE_MEM, 0);
	window = res ? memremap(res->start, SIGMA_IOSC_SIZE, MEMREMAP_WB) : NULL;
	put_device(dev);
	if (!window)
		return -ENOMEM;
	ours = window + SIGMA_IOSC_OBJECTS_OFF;
	theirs = &ours[SIGMA_SIDE_HOST];
	ours = &ours[SIGMA_SIDE_GUEST];
	middle = le64_to_cpu(((struct sigma_iosc_header *)window)->shared.size) / 2;
	for (unsigned int i = 0; i < ARRAY_SIZE(forgeries); i++)
		forge(i, middle);
	thread = kthread_run(wait_for_grants, NULL, "forger");
	return PTR_ERR_OR_ZERO(thread);
}

static void __exit forger_exit(void)
{
	kthread_stop(thread);
	memunmap(window);
}

module_init(forger_init);
module_exit(forger_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("A guest's kernel that misuses memory objects");
