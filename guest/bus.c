// SPDX-License-Identifier: GPL-2.0
/*
 * The bus: which devices sigmad offers, and how they come and go (hotplug).
 *
 * An event only sets a flag, in interrupt context. One work item then asks sigmad which devices
 * there are, and registers and removes devices until they agree. So a lost or repeated event does
 * no harm, and a step that failed is repeated at the next event or late response from sigmad.
 *
 * Removing a device takes as long as its driver has requests in flight. So each device is removed
 * in a work item of its own, and no other device waits for it. The removal ends with a rescan,
 * which informs sigmad.
 *
 * Registering a disk takes until its partition table is read, and disks are registered in their
 * order. So disk.c has work items of its own, by which those reads and removals can fail.
 */
#include <linux/bitmap.h>
#include <linux/delay.h>
#include <linux/device.h>

#include "../kmod/shared/fault.h"
#include "guest.h"

/* udev, for one, opens a disk for a moment when it was added or written to */
#define IN_USE_TRIES	20
#define IN_USE_WAIT_MS	50

void sigma_bus_rescan(struct sigma_guest *guest)
{
	atomic_set(&guest->bus.rescan, 1);
	queue_work(guest->bus.wq, &guest->bus.work);
}

void sigma_bus_settle(struct sigma_guest *guest)
{
	flush_work(&guest->bus.work);
}

static void config_event(struct sigma_guest *guest, u16 id)
{
	if (id >= SIGMA_DEVICES)
		return;
	set_bit(id, guest->bus.config_changed);
	queue_work(guest->bus.wq, &guest->bus.work);
	queue_work(guest->bus.lost_wq, &guest->bus.device[id].disk.work);
}

void sigma_bus_event(struct sigma_guest *guest, const union sigma_message *msg, size_t len)
{
	const void *payload = msg->bytes + sizeof(msg->head);
	bool bus = msg->head.flags & SIGMA_MSG_BUS;
	const struct sigma_bus_event_power *power = payload;

	len -= sizeof(msg->head);
	if (bus && msg->head.id == SIGMA_BUS_EVENT_DEVICE &&
	    len == sizeof(struct sigma_bus_event_device))
		sigma_bus_rescan(guest);
	else if (bus && msg->head.id == SIGMA_BUS_EVENT_POWER && len == sizeof(*power))
		sigma_power_event(guest, le32_to_cpu(power->action), le32_to_cpu(power->sleeps));
	else if (!bus && msg->head.id == SIGMA_MSG_EVENT_CONFIG && !len)
		config_event(guest, le16_to_cpu(msg->head.device));
	else
		dev_warn_ratelimited(guest->dev, "unknown event 0x%02x of %zu bytes ignored\n",
				     msg->head.id, len);
}

static int greet(struct sigma_guest *guest)
{
	struct sigma_bus_hello hello;
	const struct sigma_request request = {
		.flags = SIGMA_MSG_BUS,
		.id = SIGMA_BUS_HELLO,
		.in = &hello,
		.in_len = sizeof(hello),
	};
	int err = sigma_iosc_request(guest, &request);

	if (err)
		return err;
	if (le32_to_cpu(hello.version) != SIGMA_IOSC_VERSION) {
		dev_err(guest->dev, "sigmad speaks IOSC version %u, this module version %u; install matching ones\n",
			le32_to_cpu(hello.version), SIGMA_IOSC_VERSION);
		return -EPROTO;
	}
	WRITE_ONCE(guest->tells_sleep, le32_to_cpu(hello.flags) & SIGMA_HELLO_TELL_SLEEP);
	return 0;
}

/* Send sigmad the list of devices that are registered, and receive the one that should be */
static int exchange_devices(struct sigma_guest *guest, u64 *present, u64 *leaving)
{
	struct sigma_bus_devices devices = {
		.present = cpu_to_le64(*present),
		.leaving = cpu_to_le64(*leaving),
	};
	const struct sigma_request request = {
		.flags = SIGMA_MSG_BUS,
		.id = SIGMA_BUS_GET_DEVICES,
		.out = &devices,
		.out_len = sizeof(devices),
		.in = &devices,
		.in_len = sizeof(devices),
	};
	int err = sigma_iosc_request(guest, &request);

	if (err)
		return err;
	*present = le64_to_cpu(devices.present);
	*leaving = le64_to_cpu(devices.leaving);
	return 0;
}

/* Return: the device is not removed, because it stays in use, and unplug is not forced */
static bool keep_device(struct sigma_bus_device *device)
{
	for (unsigned int i = 0; !READ_ONCE(device->force); i++) {
		if (!sigma_virtio_in_use(device->svd))
			return false;
		if (i == IN_USE_TRIES)
			return true;
		msleep(IN_USE_WAIT_MS);
	}
	return false;
}

static void remove_device_work(struct work_struct *work)
{
	struct sigma_bus_device *device = container_of(work, struct sigma_bus_device, remove_work);

	if (keep_device(device)) {
		device->kept = true;
	} else {
		sigma_virtio_remove(device->svd);
		device->svd = NULL;
	}
	/* Whoever sees this sees the device as it is now: pairs with the reads in this file */
	smp_store_release(&device->leaving, false);
	sigma_bus_rescan(device->guest);
}

static void remove_device(struct sigma_bus_device *device, bool force)
{
	struct sigma_bus *bus = &device->guest->bus;

	if (force)
		WRITE_ONCE(device->force, true);
	if (device->leaving)
		return;
	WRITE_ONCE(device->force, force);
	device->leaving = true;
	queue_work(bus->wq, &device->remove_work);
}

static void add_device(struct sigma_bus_device *device)
{
	struct sigma_guest *guest = device->guest;
	unsigned int id = device - guest->bus.device;
	struct sigma_virtio_device *svd = sigma_virtio_add(guest, id);

	if (IS_ERR(svd))
		dev_err(guest->dev, "device %u cannot be used: error %pe\n", id, svd);
	else
		device->svd = svd;
}

static void scan(struct sigma_guest *guest)
{
	struct sigma_bus *bus = &guest->bus;
	u64 present = 0, leaving = 0;

	if (!bus->greeted && greet(guest))
		return;
	bus->greeted = true;

	for (unsigned int id = 0; id < SIGMA_DEVICES; id++) {
		struct sigma_bus_device *device = &bus->device[id];
		/* Pairs with remove_device_work() */
		bool busy = smp_load_acquire(&device->leaving);

		if (busy || device->svd)
			present |= BIT_ULL(id);
		if (!busy && device->kept) {
			leaving |= BIT_ULL(id);
			device->kept = false;
		}
	}
	if (exchange_devices(guest, &present, &leaving))
		return;

	for (unsigned int id = 0; id < SIGMA_DEVICES; id++) {
		struct sigma_bus_device *device = &bus->device[id];
		bool wanted = present & BIT_ULL(id), unless_used = leaving & BIT_ULL(id);

		/* Pairs with remove_device_work() */
		if (smp_load_acquire(&device->leaving) || device->svd) {
			if (!wanted || unless_used)
				remove_device(device, !wanted);
		} else if (wanted && !unless_used) {
			add_device(device);
		}
	}
}

static void change_config(struct sigma_bus_device *device)
{
	/* Pairs with remove_device_work() */
	if (!smp_load_acquire(&device->leaving) && device->svd)
		sigma_virtio_config_changed(device->svd);
}

static void bus_work(struct work_struct *work)
{
	struct sigma_guest *guest = container_of(work, struct sigma_guest, bus.work);
	struct sigma_bus *bus = &guest->bus;

	if (atomic_xchg(&bus->rescan, 0))
		scan(guest);

	for (unsigned int id = 0; id < SIGMA_DEVICES; id++)
		if (test_and_clear_bit(id, bus->config_changed))
			change_config(&bus->device[id]);
}

int sigma_bus_open(struct sigma_guest *guest)
{
	struct sigma_bus *bus = &guest->bus;

	bus->wq = sigma_fault() ? NULL : alloc_workqueue("sigma_bus", WQ_UNBOUND, 0);
	if (!bus->wq)
		return -ENOMEM;
	bus->lost_wq = sigma_fault() ? NULL :
		       alloc_workqueue("sigma_lost", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!bus->lost_wq) {
		destroy_workqueue(bus->wq);
		return -ENOMEM;
	}
	INIT_WORK(&bus->work, bus_work);
	for (unsigned int id = 0; id < SIGMA_DEVICES; id++) {
		bus->device[id].guest = guest;
		sigma_disk_init(&bus->device[id].disk);
		INIT_WORK(&bus->device[id].remove_work, remove_device_work);
	}
	return 0;
}
