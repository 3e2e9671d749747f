// SPDX-License-Identifier: GPL-2.0
/* Checks of a state that was saved: see state_check.h. */
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <stdbool.h>
#include <string.h>

#include "state_check.h"

#define STATUS_KNOWN	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | \
			 VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK | VIRTIO_CONFIG_S_FAILED)

/* Of these devices a guest has one at most, and without a section in its file */
static const uint32_t builtins[] = { VIRTIO_ID_CONSOLE, VIRTIO_ID_RNG, VIRTIO_ID_VSOCK };

#define NR_BUILTINS (sizeof(builtins) / sizeof(*builtins))

static bool is_text(const char *text, size_t size)
{
	return memchr(text, '\0', size);
}

static bool is_queue(const struct queue_state *queue)
{
	if (queue->size > VIRTQUEUE_SIZE_MAX)
		return false;
	for (unsigned int i = 0; i < VIRTQUEUE_SIZE_MAX; i++)
		if (queue->pushed[i] >= VIRTQUEUE_SIZE_MAX)
			return false;
	return true;
}

static bool is_device(const struct device_state *device)
{
	if (device->nr_queues > SIGMA_QUEUES || device->leaving > DEVICE_LEAVES ||
	    device->broken > DEVICE_LOST || device->status & ~STATUS_KNOWN ||
	    device->doorbell < SIGMA_DOORBELL_FIRST || device->doorbell >= SIGMA_DOORBELL_END)
		return false;
	for (unsigned int i = 0; i < SIGMA_QUEUES; i++)
		if (!is_queue(&device->queue[i]))
			return false;
	return true;
}

/* @seen: out, bit N: the device is builtins[N] */
static bool is_record(const struct device_record *record, uint32_t device_id, unsigned int *seen)
{
	unsigned int bit = 0;

	for (unsigned int i = 0; i < NR_BUILTINS; i++)
		if (builtins[i] == device_id)
			bit = 1U << i;
	if (*seen & bit || !bit == !record->kind)
		return false;
	*seen |= bit;
	return record->kind < GUEST_DEVICE_KINDS && is_text(record->keys, sizeof(record->keys));
}

int state_check(struct guest_state *state)
{
	unsigned int seen = 0;

	if (!is_text(state->file, sizeof(state->file)) || *state->file != '/' ||
	    state->text_len > sizeof(state->text) ||
	    (state->vsock_cid && (state->vsock_cid < VSOCK_CID_MIN || state->vsock_cid > VSOCK_CID_MAX)))
		return -EBADMSG;
	for (unsigned int id = 0; id < SIGMA_DEVICES; id++) {
		struct device_state *device = &state->devices.device[id];

		if (!device->device_id) {
			memset(device, 0, sizeof(*device));
			memset(&state->record[id], 0, sizeof(state->record[id]));
		} else if (!is_device(device) ||
			   !is_record(&state->record[id], device->device_id, &seen)) {
			return -EBADMSG;
		}
	}
	/* Processes that served disks are gone */
	memset(state->devices.unsaved, 0, sizeof(state->devices.unsaved));
	state->restarting = 0;
	return 0;
}
