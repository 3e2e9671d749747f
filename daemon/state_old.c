// SPDX-License-Identifier: GPL-2.0
/* State files of older layouts: see state_old.h. */
#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "state_old.h"

/*
 * The present layout, 2. Where one of these fails, the layout has changed: state_old.h says what to
 * do then.
 */
static_assert(STATE_LAYOUT == 2, "the assertions below are about layout 2");
static_assert(sizeof(struct queue_state) == 2208, "layout of struct queue_state");
static_assert(offsetof(struct queue_state, desc) == 8, "layout of struct queue_state");
static_assert(offsetof(struct queue_state, in_flight) == 32, "layout of struct queue_state");
static_assert(offsetof(struct queue_state, pushed) == 160, "layout of struct queue_state");
static_assert(sizeof(struct device_state) == 70696, "layout of struct device_state");
static_assert(offsetof(struct device_state, failed) == 28, "layout of struct device_state");
static_assert(offsetof(struct device_state, queue) == 40, "layout of struct device_state");
static_assert(sizeof(struct virtio_state) == 4525048, "layout of struct virtio_state");
static_assert(offsetof(struct virtio_state, unsaved) == 248, "layout of struct virtio_state");
static_assert(offsetof(struct virtio_state, device) == 504, "layout of struct virtio_state");
static_assert(sizeof(struct device_record) == 4112, "layout of struct device_record");
static_assert(offsetof(struct device_record, keys) == 16, "layout of struct device_record");
static_assert(offsetof(struct guest_state, log_tail) == 32, "layout of struct guest_state");
static_assert(offsetof(struct guest_state, file) == 64, "layout of struct guest_state");
static_assert(offsetof(struct guest_state, text) == 4160, "layout of struct guest_state");
static_assert(offsetof(struct guest_state, devices) == 69696, "layout of struct guest_state");
static_assert(sizeof(struct guest_state) == 4857912, "layout of struct guest_state");

/* Layout 1 has no version of the sigmad that wrote it, and no disk that could have unsaved data */
struct virtio_state_1 {
	uint8_t request[248];
	struct device_state device[64];
};

struct guest_state_1 {
	struct state_header header;
	uint64_t log_tail;
	uint64_t started_usec;
	uint32_t vsock_cid;
	uint32_t text_len;
	uint32_t starter;
	uint32_t restarting;
	char file[4096];
	char text[65536];
	struct virtio_state_1 devices;
	struct device_record record[64];
};

static_assert(sizeof(struct guest_state_1) == 4857640, "layout 1");

static void read_1(struct guest_state *state, const void *data)
{
	const struct guest_state_1 *old = data;

	state->log_tail = old->log_tail;
	state->started_usec = old->started_usec;
	state->vsock_cid = old->vsock_cid;
	state->text_len = old->text_len;
	state->starter = old->starter;
	state->restarting = old->restarting;
	memcpy(state->file, old->file, sizeof(old->file));
	memcpy(state->text, old->text, sizeof(old->text));
	memcpy(state->devices.request, old->devices.request, sizeof(old->devices.request));
	memcpy(state->devices.device, old->devices.device, sizeof(old->devices.device));
	memcpy(state->record, old->record, sizeof(old->record));
}

static const struct {
	size_t size;
	void (*read)(struct guest_state *state, const void *old);
} readers[STATE_LAYOUT] = {
	[1] = { sizeof(struct guest_state_1), read_1 },
};

size_t state_old_size(unsigned int layout)
{
	return layout < STATE_LAYOUT ? readers[layout].size : 0;
}

void state_old_read(struct guest_state *state, unsigned int layout, const void *old)
{
	readers[layout].read(state, old);
}
