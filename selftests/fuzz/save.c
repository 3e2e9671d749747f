// SPDX-License-Identifier: GPL-2.0
/*
 * Files of guests that were saved, by somebody who makes all checks fit. The first byte of an input says
 * what the rest is: a file as it is; a head and records, whose checks are put right here; what differs from
 * the state of a guest with a disk.
 */
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../daemon/saveio.h"
#include "../../daemon/state_check.h"
#include "../../daemon/virtio/queue.h"
#include "fuzz.h"

FUZZ_TARGET(1000);

enum { PLAIN, RECORDS, STATE, NR_INPUTS };

#define PART_SIZE	(2 * SAVE_CHUNK + 4096)
#define MEMORY_SIZE	0x10000UL
#define GUEST_BASE	0x40000000UL

static uint8_t part[PART_SIZE], memory[MEMORY_SIZE];

static bool go_on(void)
{
	return false;
}

/* A file that is read is read to its end, or refused; nothing goes beyond its place */
static void read_file(int fd)
{
	const struct save_parts parts = { .of = {
		[SAVE_STATE] = { part, 4096 }, [SAVE_KEY] = { part, 16 },
		[SAVE_LOW] = { part, SIGMA_LOW_SIZE }, [SAVE_MEMORY] = { part, sizeof(part) },
	} };
	struct save_reader reader;
	struct save_head head;
	char why[SAVE_WHY_MAX];

	FUZZ_CHECK(lseek(fd, 0, SEEK_SET) == 0);
	if (save_head_read(fd, &head, why)) {
		FUZZ_CHECK(*why);
		return;
	}
	FUZZ_CHECK(memchr(head.name, 0, sizeof(head.name)) && *head.name);
	FUZZ_CHECK(head.nr_cpus <= SIGMA_CPUS_MAX && head.nr_segments <= SIGMA_SEGMENTS_MAX);
	FUZZ_CHECK(!save_reader_open(&reader, fd, &head));
	save_reader_fill(&reader, &parts, go_on);
	save_reader_close(&reader);
}

static int new_file(void)
{
	int fd = memfd_create("save", MFD_CLOEXEC);

	FUZZ_CHECK(fd >= 0);
	return fd;
}

static void put(int fd, const void *bytes, size_t len)
{
	FUZZ_CHECK(write(fd, bytes, len) == (ssize_t)len);
}

static void put_head(int fd, struct save_head *head, uint64_t *check)
{
	memcpy(head->magic, SAVE_MAGIC, sizeof(head->magic));
	head->version = SAVE_VERSION;
	head->size = sizeof(*head);
	head->check = save_head_sum(head);
	*check = head->check;
	put(fd, head, sizeof(*head));
}

/* The head's fields from @tsc_khz on come from the input, and so do frames */
static void read_records(struct input *in)
{
	struct save_head head = { .name = "g", .state_size = 4096, .tsc_khz = 1, .nr_cpus = 1, .nr_segments = 1 };
	struct save_record record;
	uint8_t frame[256];
	uint64_t check;
	int fd = new_file();

	head.guard = take8(in);
	head.nr_cpus += take8(in);
	head.nr_segments += take8(in);
	put_head(fd, &head, &check);
	while (in->left) {
		size_t len = take8(in);

		record = (struct save_record){ .kind = take8(in) % (SAVE_KINDS + 1) };
		take(in, &record.length, 3);
		take(in, &record.offset, 4);
		record.packed = take8(in) % 8 ? len : 0xffffffff;
		record.check = save_record_sum(&record, check);
		check = record.check;
		take(in, frame, len);
		put(fd, &record, sizeof(record));
		put(fd, frame, len);
	}
	read_file(fd);
	close(fd);
}

static void read_plain(const struct input *in)
{
	int fd = new_file();

	put(fd, in->at, in->left);
	read_file(fd);
	close(fd);
}

static void broken(void *data, const char *reason)
{
	*(bool *)data = true;
}

/* As virtio/device.c does with a queue of a state that a sigmad left. Nothing is behind the copy */
static void resume_queue(const struct queue_state *saved, const struct guest_memory *mem)
{
	static struct vq_request request;
	struct queue_state *state = malloc(sizeof(*state));
	bool stopped = false;
	struct virtqueue vq = { .state = state, .max_size = 256, .unordered = true, .kick_fd = -1, .call_fd = -1 };
	const struct virtqueue_setup setup = {
		.size = saved->size, .desc = saved->desc, .avail = saved->avail, .used = saved->used,
		.mem = mem, .stopped = &stopped, .broken = broken, .data = &stopped,
	};
	char why[VIRTQUEUE_WHY_MAX];

	FUZZ_CHECK(state);
	*state = *saved;
	if (!virtqueue_setup(&vq, &setup, why) && !virtqueue_resume(&vq)) {
		for (unsigned int i = 0; i < 2 * VIRTQUEUE_SIZE_MAX; i++) {
			if (virtqueue_pop(&vq, &request) <= 0)
				break;
			virtqueue_push(&vq, request.head, 0);
			virtqueue_publish(&vq);
		}
		virtqueue_idle(&vq);
	}
	free(state);
}

static struct guest_state *good_state(void)
{
	static struct guest_state state;
	struct device_state *disk = &state.devices.device[0];

	memset(&state, 0, sizeof(state));
	strcpy(state.file, "/etc/sigma/g.guest");
	disk->device_id = VIRTIO_ID_BLOCK;
	disk->nr_queues = 1;
	disk->doorbell = SIGMA_DOORBELL_FIRST;
	disk->status = VIRTIO_CONFIG_S_DRIVER_OK;
	disk->queue[0] = (struct queue_state){
		.size = 16, .desc = GUEST_BASE, .avail = GUEST_BASE + 0x1000, .used = GUEST_BASE + 0x2000,
	};
	state.record[0].kind = GUEST_DISK;
	strcpy(state.record[0].keys, "Path=/dev/null\n");
	return &state;
}

/* Places and bytes that differ: in the state, in the disk's queue, or in the guest's memory */
static void check_state(struct input *in)
{
	const struct guest_memory mem = {
		.base = memory, .size = MEMORY_SIZE, .nr = 1,
		.segment = { { .phys = GUEST_BASE, .size = MEMORY_SIZE } },
	};
	struct guest_state *state = good_state();
	struct device_state *disk = &state->devices.device[0];

	FUZZ_CHECK(!state_check(state));
	memset(memory, 0, sizeof(memory));
	while (in->left) {
		uint8_t where = take8(in) % 4;
		uint32_t at = 0;

		take(in, &at, 3);
		if (where == 0)
			((uint8_t *)state)[at % sizeof(*state)] = take8(in);
		else if (where == 1)
			((uint8_t *)disk)[at % sizeof(*disk)] = take8(in);
		else if (where == 2)
			((uint8_t *)&disk->queue[0])[at % sizeof(disk->queue[0])] = take8(in);
		else
			memory[at % sizeof(memory)] = take8(in);
	}
	if (state_check(state))
		return;
	FUZZ_CHECK(memchr(state->file, 0, sizeof(state->file)) && state->text_len <= sizeof(state->text));
	for (unsigned int id = 0; id < SIGMA_DEVICES; id++) {
		FUZZ_CHECK(state->record[id].kind < GUEST_DEVICE_KINDS);
		FUZZ_CHECK(memchr(state->record[id].keys, 0, sizeof(state->record[id].keys)));
	}
	resume_queue(&disk->queue[0], &mem);
}

CASE(empty, PLAIN)
CASE(magic, PLAIN, 'S', 'G', 'M', 'A', 'S', 'A', 'V', 'E', 1, 0, 0, 0)
CASE(end_at_once, RECORDS, 0, 0, 0, 0, SAVE_END, 0, 0, 0, 0, 0, 0, 0, 1)
CASE(unknown_kind, RECORDS, 0, 0, 0, 4, SAVE_KINDS, 4, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4)
CASE(key_beyond_its_end, RECORDS, 0, 0, 0, 4, SAVE_KEY, 16, 0, 0, 1, 0, 0, 0, 1, 1, 2, 3, 4)
CASE(no_frame, RECORDS, 0, 0, 0, 4, SAVE_MEMORY, 4, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4)
/* Zstandard: 4 bytes in a raw block, without a checksum; said to be 4, and 5 */
CASE(frame, RECORDS, 0, 0, 0, 13, SAVE_MEMORY, 4, 0, 0, 0, 0, 0, 0, 1,
     0x28, 0xb5, 0x2f, 0xfd, 0x20, 4, 0x21, 0, 0, 1, 2, 3, 4)
CASE(short_frame, RECORDS, 0, 0, 0, 13, SAVE_MEMORY, 5, 0, 0, 0, 0, 0, 0, 1,
     0x28, 0xb5, 0x2f, 0xfd, 0x20, 4, 0x21, 0, 0, 1, 2, 3, 4)
CASE(longer_than_the_file, RECORDS, 0, 0, 0, 4, SAVE_MEMORY, 4, 0, 0, 0, 0, 0, 0, 8, 1, 2, 3, 4)
CASE(state_as_it_is, STATE)
#define PUSHED	offsetof(struct queue_state, pushed)
CASE(pushed_beyond_the_queue, STATE, 2, (PUSHED + 1) & 0xff, (PUSHED + 1) >> 8, 0, 0xff, 3, 2, 0x20, 0, 1)
CASE(available, STATE, 3, 2, 0x10, 0, 4)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { .at = data, .left = size };

	switch (take8(&in) % NR_INPUTS) {
	case PLAIN:
		read_plain(&in);
		break;
	case RECORDS:
		read_records(&in);
		break;
	case STATE:
		check_state(&in);
		break;
	}
	return 0;
}
