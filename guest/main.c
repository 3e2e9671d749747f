// SPDX-License-Identifier: GPL-2.0
/*
 * Binds to the ACPI device that the host describes, brings up the parts (see guest.h), and
 * maintains the heartbeat.
 *
 * The order matters. The log comes first, so that the host can read everything after it. Then come
 * the hooks of power.c, before the first message from sigmad, which may be a power-off. From there
 * on nothing is undone, since the hooks must stay. Parts that need sigmad come last. Loading this
 * module takes until all devices that sigmad offers are registered, and bound to drivers that were
 * loaded before. So whoever loads it knows that the console and the root disk can be used then.
 */
#include <linux/acpi.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/pm.h>
#include <linux/utsname.h>
#include <asm/asm.h>

#include "../common/version.h"
#include "../kmod/shared/apic.h"
#include "../kmod/shared/fault.h"
#include "guest.h"

static int check_window(struct sigma_guest *guest)
{
	const struct sigma_iosc_header *header = guest->header;
	u64 magic = le64_to_cpu(READ_ONCE(header->magic));
	u32 version = le32_to_cpu(READ_ONCE(header->version));
	u32 size = le32_to_cpu(READ_ONCE(header->size));

	if (magic != SIGMA_IOSC_MAGIC)
		return dev_err_probe(guest->dev, -ENODEV,
				     "no IOSC window here: magic is 0x%llx\n", magic);
	if (version != SIGMA_IOSC_VERSION || size != SIGMA_IOSC_SIZE)
		return dev_err_probe(guest->dev, -EPROTONOSUPPORT,
				     "the host has IOSC version %u, size 0x%x; this module needs %u, 0x%x: install matching ones\n",
				     version, size, SIGMA_IOSC_VERSION, SIGMA_IOSC_SIZE);
	return 0;
}

static int map_window(struct sigma_guest *guest, struct platform_device *pdev)
{
	const struct resource *res = platform_get_resource(pdev, IORESOURCE_MEM, 0);

	if (!res || resource_size(res) < SIGMA_IOSC_SIZE)
		return dev_err_probe(guest->dev, -EINVAL,
				     "ACPI names no memory of 0x%x bytes for the IOSC window\n",
				     SIGMA_IOSC_SIZE);

	guest->window = sigma_fault_ptr() ?:
			devm_memremap(guest->dev, res->start, SIGMA_IOSC_SIZE, MEMREMAP_WB);
	if (IS_ERR(guest->window))
		return dev_err_probe(guest->dev, PTR_ERR(guest->window),
				     "cannot map the IOSC window %pR\n", res);
	guest->header = guest->window + SIGMA_IOSC_HEADER_OFF;
	return check_window(guest);
}

/*
 * A work item, not a timer: if it runs, interrupts, timers and the scheduler of this kernel work.
 * The only copy of the counter is in the window, and only this side writes it.
 */
static void beat(struct work_struct *work)
{
	struct sigma_guest *guest = container_of(work, struct sigma_guest, heartbeat.work);
	__le64 *heartbeat = &guest->header->guest.heartbeat;

	WRITE_ONCE(*heartbeat, cpu_to_le64(le64_to_cpu(*heartbeat) + 1));
	sigma_machine_check_poll(guest);
	sigma_output_look();
	schedule_delayed_work(&guest->heartbeat, msecs_to_jiffies(SIGMA_HEARTBEAT_MS));
}

/* If the host was wrong about the guard, this only costs an #UD. */
void sigma_guard_notify(struct sigma_guest *guest)
{
	if (!guest->header->guarded)
		return;
	if (boot_cpu_data.x86_vendor == X86_VENDOR_AMD ||
	    boot_cpu_data.x86_vendor == X86_VENDOR_HYGON)
		asm volatile("1: vmmcall\n2:\n" _ASM_EXTABLE(1b, 2b)
			     : : "a" (SIGMA_GUARD_CALL_UP) : "memory");
	else
		asm volatile("1: vmcall\n2:\n" _ASM_EXTABLE(1b, 2b)
			     : : "a" (SIGMA_GUARD_CALL_UP) : "memory");
}

static void report_up(struct sigma_guest *guest)
{
	struct sigma_iosc_guest *shared = &guest->header->guest;

	WRITE_ONCE(shared->version, cpu_to_le32(SIGMA_IOSC_VERSION));
	strscpy(shared->release, init_utsname()->release, sizeof(shared->release));
	/*
	 * Must not overwrite a final state that another CPU has reported meanwhile. cmpxchg() is a
	 * full barrier: a reader that sees the state sees the fields above, too.
	 */
	cmpxchg(&shared->state, cpu_to_le32(SIGMA_GUEST_NONE), cpu_to_le32(SIGMA_GUEST_UP));
	sigma_guard_notify(guest);
	sigma_iosc_ring(guest, SIGMA_DOORBELL_STATE);
}

/* Without the area, or if it cannot be mapped, programs have channels, but no memory objects */
static void open_objects(struct sigma_guest *guest)
{
	u64 phys = le64_to_cpu(READ_ONCE(guest->header->shared.phys));
	u64 size = le64_to_cpu(READ_ONCE(guest->header->shared.size));
	void *area;
	int err;

	if (!size)
		return;
	/* For as long as this kernel runs: it also tells how user space's mappings are cached */
	area = sigma_fault() ? NULL : memremap(phys, size, MEMREMAP_WB);
	err = area ? sigma_objects_open(&guest->channels.objects, guest->dev, area, phys, size) : -ENOMEM;
	if (!err)
		return;
	dev_err(guest->dev, "no memory objects: the %llu bytes at 0x%llx cannot be used: error %d\n",
		size, phys, err);
	if (area)
		memunmap(area);
}

/* A guest without channels goes on */
static void add_channels(struct sigma_guest *guest)
{
	int err = sigma_channels_setup();

	if (err)
		goto no_channels;
	open_objects(guest);
	sigma_channels_up(&guest->channels);
	err = sigma_channels_add(&guest->channels, guest->dev, NULL);
	if (!err)
		return;
	sigma_channels_teardown();
no_channels:
	dev_err(guest->dev, "no device nodes below /dev/iosc, so no channels: error %d\n", err);
}

static int sigma_guest_probe(struct platform_device *pdev)
{
	static atomic_t bound = ATOMIC_INIT(0);
	struct sigma_guest *guest;
	int err;

	guest = sigma_fault() ? NULL : devm_kzalloc(&pdev->dev, sizeof(*guest), GFP_KERNEL);
	if (!guest)
		return -ENOMEM;
	guest->dev = &pdev->dev;
	platform_set_drvdata(pdev, guest);

	err = map_window(guest, pdev);
	if (err)
		return err;
	if (atomic_xchg(&bound, 1))
		return dev_err_probe(guest->dev, -EBUSY, "a guest has one IOSC window\n");

	err = sigma_fault() ?: sigma_apic_init();
	if (err) {
		dev_err(guest->dev, "cannot map the local APIC: error %d\n", err);
		goto unbind;
	}
	guest->iosc.doorbell_tx.words = &guest->header->to_host;
	sigma_channels_init(&guest->channels, SIGMA_SIDE_GUEST, guest->window,
			    platform_get_resource(pdev, IORESOURCE_MEM, 0)->start,
			    &guest->iosc.doorbell_tx);
	sigma_console_open(guest);

	err = sigma_bus_open(guest);
	if (err) {
		dev_err(guest->dev, "cannot make a workqueue for devices: error %d\n", err);
		goto close_console;
	}

	/* No way back from here: after sigma_power_open() only the host can end this guest */
	sigma_power_open(guest);
	sigma_cpu_open(guest);
	INIT_DELAYED_WORK(&guest->heartbeat, beat);
	beat(&guest->heartbeat.work);
	sigma_rtc_open(guest);
	sigma_clock_open(guest);
	sigma_ptp_open(guest);
	sigma_nmi_open(guest);
	sigma_sleep_open(guest);

	err = sigma_iosc_open(guest);
	if (err) {
		dev_err(guest->dev, "no interrupt for doorbells, so no devices: error %d\n", err);
		return 0;
	}
	add_channels(guest);
	report_up(guest);
	sigma_bus_rescan(guest);
	sigma_bus_settle(guest);
	return 0;

close_console:
	sigma_console_close();
	sigma_apic_exit();
unbind:
	atomic_set(&bound, 0);
	return err;
}

static const struct acpi_device_id sigma_guest_ids[] = {
	{ SIGMA_ACPI_HID, 0 },
	{ }
};
MODULE_DEVICE_TABLE(acpi, sigma_guest_ids);

/* The host cannot count these: several IPIs may merge into one interrupt there */
static ssize_t ipis_sent_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct sigma_guest *guest = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%ld\n", atomic_long_read(&guest->iosc.doorbell_tx.ipis));
}
static DEVICE_ATTR_RO(ipis_sent);

static struct attribute *sigma_guest_attrs[] = {
	&dev_attr_ipis_sent.attr,
	NULL
};
ATTRIBUTE_GROUPS(sigma_guest);

static const struct dev_pm_ops sigma_guest_pm = {
	.prepare = sigma_power_prepare,
	.complete = sigma_sleep_complete,
};

static struct platform_driver sigma_guest_driver = {
	.probe	= sigma_guest_probe,
	.driver	= {
		.name			= "sigma_guest",
		.acpi_match_table	= sigma_guest_ids,
		.pm			= &sigma_guest_pm,
		.dev_groups		= sigma_guest_groups,
		.suppress_bind_attrs	= true,
	},
};

/* There is no module_exit(): without this module the guest could reset the host. */
static int __init sigma_guest_init(void)
{
	return sigma_fault() ?: platform_driver_register(&sigma_guest_driver);
}
module_init(sigma_guest_init);

MODULE_DESCRIPTION("SIGMA guest: virtio over IOSC, console, power and clock");
MODULE_LICENSE("GPL");
MODULE_AUTHOR("The authors of SIGMA");
MODULE_VERSION(SIGMA_VERSION);
