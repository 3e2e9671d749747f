// SPDX-License-Identifier: GPL-2.0
/*
 * The bus: which devices sigmad offers, and what happens to them.
 *
 * Events only leave a mark here, in interrupt context; one work item then asks sigmad what
 * there is and makes the registered devices agree with it. A lost or repeated event does no
 * harm, and a failed step is done again the next time that sigmad is heard of.
 */
#include <linux/bitmap.h>
#include <linux/device.h>

#include "guest.h"

void sigma_bus_rescan(struct sigma_guest *guest)
{
	atomic_set(&guest->bus.rescan, 1);
	queue_work(guest->bus.wq, &guest->bus.work);
}

void sigma_bus_settle(struct sigma_guest *guest)
{
	flush_work(&guest->bus.work);
}

static void device_event(struct sigma_guest *guest, const struct sigma_bus_event_device *event)
{
	u16 id = le16_to_cpu(event->device);

	if (id >= SIGMA_DEVICES)
		return;
	if (!event->present)
		set_bit(id, guest->bus.gone);
	sigma_bus_rescan(guest);
}

static void config_event(struct sigma_guest *guest, u16 id)
{
	if (id >= SIGMA_DEVICES)
		return;
	set_bit(id, guest->bus.config_changed);
	queue_work(guest->bus.wq, &guest->bus.work);
}

void sigma_bus_event(struct sigma_guest *guest, const union sigma_message *msg, size_t len)
{
	const void *payload = msg->bytes + sizeof(msg->head);
	bool bus = msg->head.flags & SIGMA_MSG_BUS;
	const struct sigma_bus_event_power *power = payload;

	len -= sizeof(msg->head);
	if (bus && msg->head.id == SIGMA_BUS_EVENT_DEVICE &&
	    len == sizeof(struct sigma_bus_event_device))
		device_event(guest, payload);
	else if (bus && msg->head.id == SIGMA_BUS_EVENT_POWER && len == sizeof(*power))
		sigma_power_event(guest, le32_to_cpu(power->action));
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
	return 0;
}

static int get_present(struct sigma_guest *guest, u64 *present)
{
	struct sigma_bus_devices devices;
	const struct sigma_request request = {
		.flags = SIGMA_MSG_BUS,
		.id = SIGMA_BUS_GET_DEVICES,
		.in = &devices,
		.in_len = sizeof(devices),
	};
	int err = sigma_iosc_request(guest, &request);

	if (!err)
		*present = le64_to_cpu(devices.present);
	return err;
}

static void remove_device(struct sigma_bus *bus, unsigned int id)
{
	if (bus->device[id])
		sigma_virtio_remove(bus->device[id]);
	bus->device[id] = NULL;
}

static void add_device(struct sigma_guest *guest, unsigned int id)
{
	struct sigma_virtio_device *svd = sigma_virtio_add(guest, id);

	if (IS_ERR(svd))
		dev_err(guest->dev, "device %u cannot be used: error %pe\n", id, svd);
	else
		guest->bus.device[id] = svd;
}

static void scan(struct sigma_guest *guest)
{
	struct sigma_bus *bus = &guest->bus;
	u64 present;

	if (!bus->greeted && greet(guest))
		return;
	bus->greeted = true;

	for (unsigned int id = 0; id < SIGMA_DEVICES; id++)
		if (test_and_clear_bit(id, bus->gone))
			remove_device(bus, id);

	if (get_present(guest, &present))
		return;
	for (unsigned int id = 0; id < SIGMA_DEVICES; id++) {
		if (!(present & BIT_ULL(id)))
			remove_device(bus, id);
		else if (!bus->device[id])
			add_device(guest, id);
	}
}

static void bus_work(struct work_struct *work)
{
	struct sigma_guest *guest = container_of(work, struct sigma_guest, bus.work);
	struct sigma_bus *bus = &guest->bus;

	if (atomic_xchg(&bus->rescan, 0))
		scan(guest);

	for (unsigned int id = 0; id < SIGMA_DEVICES; id++)
		if (test_and_clear_bit(id, bus->config_changed) && bus->device[id])
			sigma_virtio_config_changed(bus->device[id]);
}

int sigma_bus_open(struct sigma_guest *guest)
{
	guest->bus.wq = alloc_ordered_workqueue("sigma_bus", 0);
	if (!guest->bus.wq)
		return -ENOMEM;
	INIT_WORK(&guest->bus.work, bus_work);
	return 0;
}
