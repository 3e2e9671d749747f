// SPDX-License-Identifier: GPL-2.0
/* The devices on a bus: see device_table.h. */
#include <errno.h>

#include "../../common/assert.h"
#include "device_table.h"

int device_table_next(const struct device_table *table, bool resuming)
{
	for (unsigned int id = 0; id < SIGMA_DEVICES; id++)
		if (!table->device[id] && (!resuming || table->state->device[id].device_id))
			return id;
	return -ENOSPC;
}

/* The first of @nr consecutive free doorbells, from @start on; or -ENOSPC */
static int find_doorbells(const struct device_table *table, unsigned int start, unsigned int nr)
{
	unsigned int free = 0;

	for (unsigned int n = start; n < SIGMA_DOORBELL_END && free < nr; n++) {
		free++;
		if (table->doorbell_used[n]) {
			start = n + 1;
			free = 0;
		}
	}
	return free == nr ? (int)start : -ENOSPC;
}

int device_table_add(struct device_table *table, const struct virtio_port *port,
		     struct virtio_making *making, struct virtio_device *dev)
{
	int id = device_table_next(table, port->resuming), doorbell;
	struct device_state *state;

	if (id < 0)
		return making_say(making, id, "no room for another device: a guest has %u at most",
				  SIGMA_DEVICES);
	sigma_assert(!table->device[id]);
	state = &table->state->device[id];
	if (port->resuming && (state->device_id != dev->ops->device_id ||
			       state->nr_queues != dev->nr_queues))
		return making_say(making, -ESTALE, "%s%u: was not device %u of the running guest",
				  dev->ops->name, id, id);
	doorbell = find_doorbells(table, port->resuming ? state->doorbell : SIGMA_DOORBELL_FIRST,
				  dev->nr_queues);
	if (doorbell < 0)
		return making_say(making, doorbell,
				  "no doorbells left for another %s device: a guest has %u at most; give it fewer devices",
				  dev->ops->name, SIGMA_DOORBELL_END - SIGMA_DOORBELL_FIRST);

	state->nr_queues = dev->nr_queues;
	state->doorbell = doorbell;
	if (!port->resuming) {
		state->leaving = DEVICE_STAYS;
		state->generation = 0;
		state->failed = 0;
	}
	device_plug(dev, port, id, doorbell, state);
	for (unsigned int i = 0; i < dev->nr_queues; i++) {
		sigma_assert(!table->doorbell_used[doorbell + i]);
		table->doorbell_used[doorbell + i] = true;
	}
	/* Last: this makes the device's record valid for the next sigmad */
	__atomic_store_n(&state->device_id, dev->ops->device_id, __ATOMIC_RELEASE);
	table->device[id] = dev;
	return 0;
}

void device_table_remove(struct device_table *table, struct virtio_device *dev)
{
	sigma_assert(table->device[dev->id] == dev);
	device_reset(dev);
	dev->state->device_id = 0;
	for (unsigned int i = 0; i < dev->nr_queues; i++)
		table->doorbell_used[dev->queue[i].kick] = false;
	table->device[dev->id] = NULL;
	dev->ops->destroy(dev);
}
