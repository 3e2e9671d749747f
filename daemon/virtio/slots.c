// SPDX-License-Identifier: GPL-2.0
/* The devices on a bus: see slots.h. */
#include <errno.h>

#include "../../common/assert.h"
#include "slots.h"

int slots_next(const struct virtio_slots *slots, bool resuming)
{
	for (unsigned int id = 0; id < SIGMA_DEVICES; id++)
		if (!slots->device[id] && (!resuming || slots->state->device[id].device_id))
			return id;
	return -ENOSPC;
}

/* The first of @nr consecutive free doorbells, from @start on; or -ENOSPC */
static int find_doorbells(const struct virtio_slots *slots, unsigned int start, unsigned int nr)
{
	unsigned int free = 0;

	for (unsigned int n = start; n < SIGMA_DOORBELL_END && free < nr; n++) {
		free++;
		if (slots->doorbell_used[n]) {
			start = n + 1;
			free = 0;
		}
	}
	return free == nr ? (int)start : -ENOSPC;
}

int slots_add(struct virtio_slots *slots, const struct virtio_port *port,
	      struct virtio_making *making, struct virtio_device *dev)
{
	int id = slots_next(slots, port->resuming), doorbell;
	struct device_state *state;

	if (id < 0)
		return making_say(making, id, "no room for another device: a guest has %u at most",
				  SIGMA_DEVICES);
	sigma_assert(!slots->device[id]);
	state = &slots->state->device[id];
	if (port->resuming && (state->device_id != dev->ops->device_id ||
			       state->nr_queues != dev->nr_queues))
		return making_say(making, -ESTALE, "%s%u: was not device %u of the running guest",
				  dev->ops->name, id, id);
	doorbell = find_doorbells(slots, port->resuming ? state->doorbell : SIGMA_DOORBELL_FIRST,
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
	}
	device_plug(dev, port, id, doorbell, state);
	for (unsigned int i = 0; i < dev->nr_queues; i++) {
		sigma_assert(!slots->doorbell_used[doorbell + i]);
		slots->doorbell_used[doorbell + i] = true;
	}
	/* Last: this makes the device's record valid for the next sigmad */
	__atomic_store_n(&state->device_id, dev->ops->device_id, __ATOMIC_RELEASE);
	slots->device[id] = dev;
	return 0;
}

void slots_remove(struct virtio_slots *slots, struct virtio_device *dev)
{
	sigma_assert(slots->device[dev->id] == dev);
	device_reset(dev);
	dev->state->device_id = 0;
	for (unsigned int i = 0; i < dev->nr_queues; i++)
		slots->doorbell_used[dev->queue[i].kick] = false;
	slots->device[dev->id] = NULL;
	dev->ops->destroy(dev);
}
