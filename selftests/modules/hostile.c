// SPDX-License-Identifier: GPL-2.0
/*
 * For hostile.sh: a guest that misuses the back end of a virtio device in every way that its driver
 * must not. Each attempt has a name:
 *
 *	insmod hostile.ko end=ADDRESS			# where the guest's memory ends
 *	cat /sys/bus/virtio/devices/virtioN/status	# tells the module which device to attack
 *	echo TYPE >/sys/module/hostile/parameters/attack
 *
 * The device must have no driver; TYPE is its virtio device ID (1.2, chapter 5). Drivers reach a
 * device through the transport's operations, which would stop all of this. So the module makes its
 * own control messages and sends them by a function of sigma_guest.ko, which a kprobe finds along
 * with its argument. Afterwards the device is as before.
 *
 * Each attempt begins with a reset. One on a queue also begins with a good request, which shows
 * that the device works after the attempt before. The kernel log gets a line "hostile: NAME:
 * OUTCOME" for each attempt. OUTCOME is what went wrong before the attempt, or
 *
 *	broken		the device has DEVICE_NEEDS_RESET
 *	answered	the device used the request
 *	passed over	the device used a good request that came later
 *	silent		none of these happened for SILENT_MS
 *	refused, taken	the device refused or took a control message
 *	quiet, touched	the memory of requests did not change after a reset, or it did
 *	works		the device served a good request
 */
#include <linux/delay.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <linux/virtio_vsock.h>
#include <uapi/linux/fuse.h>
#include <uapi/linux/vm_sockets.h>

#include "guest.h"

#define QUEUES_MAX	4
#define ENTRIES_MAX	64		/* of each queue */
#define SILENT_MS	5000
#define FOLLOW_MS	100		/* then a good request follows */
#define POLL_US		500
#define FOLLOWER	4		/* its first descriptor; attempts use those before it */
#define PART		4096		/* of the data, for one request */
#define DATA_SIZE	(ENTRIES_MAX * PART)
#define RING_SIZE	vring_size(ENTRIES_MAX, SMP_CACHE_BYTES)
#define PATTERN		0x5a
#define LONG_CHAIN	1500		/* more than UIO_MAXIOV */
#define TABLE_SIZE	(LONG_CHAIN * sizeof(struct vring_desc))

#define NEXT		VRING_DESC_F_NEXT
#define WRITABLE	VRING_DESC_F_WRITE
#define INDIRECT	VRING_DESC_F_INDIRECT

/**
 * struct kind - a type of device
 * @queue: the queue that is attacked
 * @good: write a good request to the descriptors from @head on, with its memory at @data
 * @bad: write an invalid request there
 */
struct kind {
	u32 type;
	unsigned int queue;
	void (*good)(unsigned int head, void *data);
	void (*bad)(unsigned int head, void *data);
};

static struct {
	/* functions of sigma_guest.ko */
	int (*request)(struct sigma_guest *guest, const struct sigma_request *request);
	void (*ring)(struct sigma_guest *guest, unsigned int n);
	struct sigma_guest *guest;
	u16 id;

	const struct kind *kind;
	u32 nr_queues, entries, config_size;
	u64 features;
	struct {
		struct vring vring;
		u32 kick;
	} queue[QUEUES_MAX];
	struct vring *vring;	/* of the queue that is attacked */
	void *data;		/* DATA_SIZE bytes */
	struct vring_desc *table;	/* TABLE_SIZE bytes, of indirect descriptors */
} dev;

/* Control messages */

static int ask(u8 id, const void *out, size_t out_len, void *in, size_t in_len)
{
	const struct sigma_request request = {
		.id = id,
		.device = dev.id,
		.out = out,
		.out_len = out_len,
		.in = in,
		.in_len = in_len,
	};

	return dev.request(dev.guest, &request);
}

static int set_status(u32 status, u32 *now)
{
	struct sigma_msg_device_status msg = { .status = cpu_to_le32(status) };
	int err = ask(SIGMA_MSG_SET_STATUS, &msg, sizeof(msg), &msg, sizeof(msg));

	*now = le32_to_cpu(msg.status);
	return err;
}

static u32 get_status(void)
{
	struct sigma_msg_device_status msg = { 0 };

	ask(SIGMA_MSG_GET_STATUS, NULL, 0, &msg, sizeof(msg));
	return le32_to_cpu(msg.status);
}

static int set_features(u64 features)
{
	struct sigma_msg_features msg = { .features = cpu_to_le64(features) };

	return ask(SIGMA_MSG_SET_FEATURES, &msg, sizeof(msg), NULL, 0);
}

static int set_queue(u32 index, u32 size, u64 desc, u64 driver, u64 device)
{
	const struct sigma_msg_vqueue msg = {
		.index = cpu_to_le32(index),
		.size = cpu_to_le32(size),
		.desc = cpu_to_le64(desc),
		.driver = cpu_to_le64(driver),
		.device = cpu_to_le64(device),
	};

	return ask(SIGMA_MSG_SET_VQUEUE, &msg, sizeof(msg), NULL, 0);
}

static int set_good_queue(unsigned int i)
{
	const struct vring *vring = &dev.queue[i].vring;

	return set_queue(i, dev.entries, virt_to_phys(vring->desc), virt_to_phys(vring->avail),
			 virt_to_phys(vring->used));
}

static int get_config(u32 offset, u32 length)
{
	struct sigma_msg_config msg = {
		.offset = cpu_to_le32(offset),
		.length = cpu_to_le32(length),
	};

	return ask(SIGMA_MSG_GET_CONFIG, &msg, sizeof(msg), &msg, sizeof(msg));
}

static int set_config(u32 offset, u32 length)
{
	const struct sigma_msg_config msg = {
		.offset = cpu_to_le32(offset),
		.length = cpu_to_le32(length),
	};

	return ask(SIGMA_MSG_SET_CONFIG, &msg, sizeof(msg), NULL, 0);
}

#define BEGUN	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER)
#define AGREED	(BEGUN | VIRTIO_CONFIG_S_FEATURES_OK)
#define RUNS	(AGREED | VIRTIO_CONFIG_S_DRIVER_OK)

static int reset(void)
{
	u32 now;
	int err = set_status(0, &now);

	return err ?: now ? -EBUSY : 0;
}

static int begin(u64 features)
{
	u32 now;
	int err = reset();

	err = err ?: set_status(BEGUN, &now);
	err = err ?: set_features(features);
	return err ?: set_status(AGREED, &now);
}

/* Return: 0 and a device that runs, with empty queues */
static int bring_up(u64 features)
{
	u32 now;
	int err = begin(features);

	for (unsigned int i = 0; i < dev.nr_queues && !err; i++) {
		struct vring *vring = &dev.queue[i].vring;

		memset(vring->desc, 0, RING_SIZE);
		err = set_good_queue(i);
	}
	err = err ?: set_status(RUNS, &now);
	return err ?: now != RUNS ? -EIO : 0;
}

/* Queues */

static void describe(unsigned int i, u64 addr, u32 len, u16 flags, u16 next)
{
	dev.vring->desc[i] = (struct vring_desc) {
		.addr = cpu_to_le64(addr),
		.len = cpu_to_le32(len),
		.flags = cpu_to_le16(flags),
		.next = cpu_to_le16(next),
	};
}

static void describe_in_table(unsigned int i, u64 addr, u32 len, u16 flags, u16 next)
{
	dev.table[i] = (struct vring_desc) {
		.addr = cpu_to_le64(addr),
		.len = cpu_to_le32(len),
		.flags = cpu_to_le16(flags),
		.next = cpu_to_le16(next),
	};
}

static u16 avail_idx(void)
{
	return le16_to_cpu(dev.vring->avail->idx);
}

static void set_avail_idx(u16 idx)
{
	/* The entries that the index covers must be visible first */
	smp_store_release(&dev.vring->avail->idx, cpu_to_le16(idx));
}

static void offer(u16 head)
{
	dev.vring->avail->ring[avail_idx() % dev.entries] = cpu_to_le16(head);
	set_avail_idx(avail_idx() + 1);
}

static void kick(void)
{
	dev.ring(dev.guest, dev.queue[dev.kind->queue].kick);
}

static u16 used_idx(void)
{
	/* Before the used ring is read; pairs with the device's release */
	return le16_to_cpu(smp_load_acquire(&dev.vring->used->idx));
}

static void make_good(unsigned int head)
{
	dev.kind->good(head, dev.data + head * PART);
	offer(head);
	kick();
}

static bool is_used(u16 head)
{
	for (unsigned int i = 0; i < dev.entries; i++)
		if (i < used_idx() && le32_to_cpu(dev.vring->used->ring[i].id) == head)
			return true;
	return false;
}

static const char *wait_outcome(void)
{
	bool followed = false;

	for (unsigned int waited = 0; waited < SILENT_MS * 1000; waited += POLL_US) {
		if (get_status() & VIRTIO_CONFIG_S_NEEDS_RESET)
			return "broken";
		if (used_idx() == avail_idx())
			return "answered";
		if (followed && is_used(FOLLOWER))
			return "passed over";
		if (!followed && waited >= FOLLOW_MS * 1000) {
			make_good(FOLLOWER);
			followed = true;
		}
		usleep_range(POLL_US, 2 * POLL_US);
	}
	return "silent";
}

/* Return: what is wrong with a device after a reset, or NULL when it serves a good request */
static const char *try_good(u64 features)
{
	if (bring_up(features))
		return "does not come up";
	make_good(0);
	return strcmp(wait_outcome(), "answered") ? "does not work" : NULL;
}

/* Good requests of each kind, and invalid ones */

static void blk_request(unsigned int head, void *data, u32 type, u64 sector, u32 len)
{
	struct virtio_blk_outhdr *hdr = data;
	u64 at = virt_to_phys(data);

	hdr->type = cpu_to_le32(type);
	hdr->sector = cpu_to_le64(sector);
	describe(head, at, sizeof(*hdr), NEXT, head + 1);
	describe(head + 1, at + 512, len, WRITABLE | NEXT, head + 2);
	describe(head + 2, at + 511, 1, WRITABLE, 0);
}

static void blk_good(unsigned int head, void *data)
{
	blk_request(head, data, VIRTIO_BLK_T_IN, 0, PART - 512);
}

/* The header is cut off */
static void blk_bad(unsigned int head, void *data)
{
	blk_request(head, data, VIRTIO_BLK_T_IN, 0, 512);
	dev.vring->desc[head].len = cpu_to_le32(sizeof(struct virtio_blk_outhdr) / 2);
}

static void net_good(unsigned int head, void *data)
{
	memset(data, 0, 128);
	/* To nobody, with an EtherType for experiments (IEEE 802, 9.2.3) */
	memset(data + sizeof(struct virtio_net_hdr_v1), 0x02, 12);
	memcpy(data + sizeof(struct virtio_net_hdr_v1) + 12, "\x88\xb5", 2);
	describe(head, virt_to_phys(data), 128, 0, 0);
}

/* Shorter than a header */
static void net_bad(unsigned int head, void *data)
{
	describe(head, virt_to_phys(data), 4, 0, 0);
}

static void vsock_packet(unsigned int head, void *data, u32 len)
{
	struct virtio_vsock_hdr *hdr = data;

	*hdr = (struct virtio_vsock_hdr) {
		.dst_cid = cpu_to_le64(VMADDR_CID_HOST),
		.dst_port = cpu_to_le32(1),
		.len = cpu_to_le32(len),
		.type = cpu_to_le16(VIRTIO_VSOCK_TYPE_STREAM),
		.op = cpu_to_le16(VIRTIO_VSOCK_OP_RST),
	};
	describe(head, virt_to_phys(hdr), sizeof(*hdr), 0, 0);
}

static void vsock_good(unsigned int head, void *data)
{
	vsock_packet(head, data, 0);
}

/* The header says that 4 GiB follow */
static void vsock_bad(unsigned int head, void *data)
{
	vsock_packet(head, data, ~0U);
}

static void rng_good(unsigned int head, void *data)
{
	describe(head, virt_to_phys(data), 64, WRITABLE, 0);
}

/* No buffer to write to */
static void rng_bad(unsigned int head, void *data)
{
	describe(head, virt_to_phys(data), 64, 0, 0);
}

static void console_good(unsigned int head, void *data)
{
	memset(data, '.', 64);
	describe(head, virt_to_phys(data), 64, 0, 0);
}

/* No buffer to read from */
static void console_bad(unsigned int head, void *data)
{
	describe(head, virt_to_phys(data), 64, WRITABLE, 0);
}

static void fs_good(unsigned int head, void *data)
{
	struct {
		struct fuse_in_header in;
		struct fuse_init_in init;
	} *msg = data;
	u64 at = virt_to_phys(data);

	memset(msg, 0, sizeof(*msg));
	msg->in.len = sizeof(*msg);
	msg->in.opcode = FUSE_INIT;
	msg->in.unique = 1;
	msg->init.major = FUSE_KERNEL_VERSION;
	msg->init.minor = FUSE_KERNEL_MINOR_VERSION;
	describe(head, at, sizeof(*msg), NEXT, head + 1);
	describe(head + 1, at + 512, 512, WRITABLE, 0);
}

/* The header is cut off */
static void fs_bad(unsigned int head, void *data)
{
	fs_good(head, data);
	dev.vring->desc[head].len = cpu_to_le32(8);
}

static const struct kind kinds[] = {
	{ VIRTIO_ID_BLOCK, 0, blk_good, blk_bad },
	{ VIRTIO_ID_NET, 1, net_good, net_bad },
	{ VIRTIO_ID_RNG, 0, rng_good, rng_bad },
	{ VIRTIO_ID_CONSOLE, 1, console_good, console_bad },
	{ VIRTIO_ID_VSOCK, 1, vsock_good, vsock_bad },
	{ VIRTIO_ID_FS, 1, fs_good, fs_bad },
};

/* Attempts on a queue. Each begins with an empty queue that has served a request. */

static ulong end;
module_param(end, ulong, 0400);

static u64 data_at(void)
{
	return virt_to_phys(dev.data);
}

static void table_offered(unsigned int nr, u16 flags)
{
	describe(0, virt_to_phys(dev.table), nr * sizeof(*dev.table), INDIRECT | flags, 0);
	offer(0);
}

static void loop_of_one(void)
{
	describe(0, data_at(), 64, NEXT, 0);
	offer(0);
}

static void loop_of_two(void)
{
	describe(0, data_at(), 64, NEXT, 1);
	describe(1, data_at(), 64, NEXT, 0);
	offer(0);
}

static void loop_in_table(void)
{
	describe_in_table(0, data_at(), 64, NEXT, 1);
	describe_in_table(1, data_at(), 64, NEXT, 0);
	table_offered(2, 0);
}

static void next_beyond(void)
{
	describe(0, data_at(), 64, NEXT, dev.entries);
	offer(0);
}

static void next_beyond_table(void)
{
	describe_in_table(0, data_at(), 64, NEXT, 1);
	table_offered(1, 0);
}

static void head_beyond(void)
{
	offer(0xffff);
}

static void buffer_empty(void)
{
	describe(0, data_at(), 0, 0, 0);
	offer(0);
}

static void length_to_top(void)
{
	describe(0, data_at(), ~0U, 0, 0);
	offer(0);
}

static void length_wraps(void)
{
	describe(0, ~0ULL - 63, 4096, 0, 0);
	offer(0);
}

static void length_to_itself(void)
{
	/* The end wraps and lies in the guest's memory */
	describe(0, data_at() + (1ULL << 63), 64, 0, 0);
	offer(0);
}

static void address_zero(void)
{
	describe(0, 0, 64, 0, 0);
	offer(0);
}

static void address_beyond(void)
{
	describe(0, end, 64, 0, 0);
	offer(0);
}

static void address_across(void)
{
	describe(0, end - 32, 64, 0, 0);
	offer(0);
}

static void table_beyond(void)
{
	describe(0, end, 32, INDIRECT, 0);
	offer(0);
}

static void table_across(void)
{
	describe(0, end - 16, 32, INDIRECT, 0);
	offer(0);
}

static void table_odd(void)
{
	dev.kind->good(0, dev.data);
	describe(0, virt_to_phys(dev.table), sizeof(*dev.table) + 1, INDIRECT, 0);
	offer(0);
}

static void table_in_table(void)
{
	describe_in_table(0, virt_to_phys(dev.table + 1), sizeof(*dev.table), INDIRECT, 0);
	describe_in_table(1, data_at(), 64, 0, 0);
	table_offered(1, 0);
}

static void table_and_next(void)
{
	describe_in_table(0, data_at(), 64, 0, 0);
	describe(1, data_at(), 64, 0, 0);
	describe(0, virt_to_phys(dev.table), sizeof(*dev.table), INDIRECT | NEXT, 1);
	offer(0);
}

static void chain_long(void)
{
	for (unsigned int i = 0; i < LONG_CHAIN; i++)
		describe_in_table(i, data_at(), 1, i + 1 < LONG_CHAIN ? NEXT : 0, i + 1);
	table_offered(LONG_CHAIN, 0);
}

static void chain_reversed(void)
{
	describe(0, data_at(), 64, WRITABLE | NEXT, 1);
	describe(1, data_at(), 64, 0, 0);
	offer(0);
}

static void index_jumps(void)
{
	set_avail_idx(avail_idx() + dev.entries + 1);
}

static void index_goes_back(void)
{
	set_avail_idx(0xffff);
}

static void request_bad(void)
{
	dev.kind->bad(0, dev.data);
	offer(0);
}

static const struct {
	const char *name;
	void (*act)(void);
	u64 without;		/* features that are not negotiated */
} queue_attempts[] = {
	{ "a loop of one descriptor", loop_of_one },
	{ "a loop of two descriptors", loop_of_two },
	{ "a loop in an indirect table", loop_in_table },
	{ "a next descriptor beyond the queue", next_beyond },
	{ "a next descriptor beyond its table", next_beyond_table },
	{ "a head beyond the queue", head_beyond },
	{ "an empty buffer", buffer_empty },
	{ "a buffer of 4 GiB", length_to_top },
	{ "a buffer that wraps at 2^64", length_wraps },
	{ "a buffer at an address of 64 bits", length_to_itself },
	{ "a buffer at address 0", address_zero },
	{ "a buffer outside the guest", address_beyond },
	{ "a buffer across the guest's end", address_across },
	{ "an indirect table outside the guest", table_beyond },
	{ "an indirect table across the guest's end", table_across },
	{ "an indirect table of odd size", table_odd },
	{ "an indirect table in another", table_in_table },
	{ "an indirect table with a next one", table_and_next },
	{ "an indirect table, not agreed on", loop_in_table, BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC) },
	{ "a chain of 1500 buffers", chain_long },
	{ "a writable buffer before a readable one", chain_reversed },
	{ "an available index that jumps", index_jumps },
	{ "an available index that goes back", index_goes_back },
	{ "a request that is none", request_bad },
};

/* Attempts by control messages. Return: 0 when the message was taken. Each begins with a reset. */

static int size_zero(void)
{
	const struct vring *vring = &dev.queue[0].vring;

	return begin(dev.features) ?: set_queue(0, 0, virt_to_phys(vring->desc),
						virt_to_phys(vring->avail),
						virt_to_phys(vring->used));
}

static int set_queue_as(u32 index, u32 size, s64 desc, s64 avail, s64 used)
{
	const struct vring *vring = &dev.queue[0].vring;

	return begin(dev.features) ?: set_queue(index, size, virt_to_phys(vring->desc) + desc,
						virt_to_phys(vring->avail) + avail,
						virt_to_phys(vring->used) + used);
}

static int size_odd(void)
{
	return set_queue_as(0, dev.entries - 1, 0, 0, 0);
}

static int size_large(void)
{
	return set_queue_as(0, 1U << 16, 0, 0, 0);
}

static int size_wraps(void)
{
	return set_queue_as(0, 1U << 31, 0, 0, 0);
}

static int ring_outside(void)
{
	return begin(dev.features) ?: set_queue(0, dev.entries, end, end, end);
}

static int ring_across(void)
{
	return begin(dev.features) ?: set_queue(0, dev.entries, end - 16, end - 4, end - 4);
}

static int ring_wraps(void)
{
	return begin(dev.features) ?: set_queue(0, dev.entries, ~0ULL - 15, ~0ULL - 15, ~0ULL - 15);
}

static int ring_misaligned(void)
{
	return set_queue_as(0, dev.entries, 8, 1, 2);
}

static int queue_beyond(void)
{
	return set_queue_as(dev.nr_queues, dev.entries, 0, 0, 0);
}

static int queue_far_beyond(void)
{
	return set_queue_as(~0U, dev.entries, 0, 0, 0);
}

static int queue_twice(void)
{
	return begin(dev.features) ?: set_good_queue(0) ?: set_good_queue(0);
}

static int queue_early(void)
{
	return reset() ?: set_good_queue(0);
}

static int queue_late(void)
{
	return bring_up(dev.features) ?: set_good_queue(0);
}

static int reset_queue(u32 index)
{
	const struct sigma_msg_vqueue msg = { .index = cpu_to_le32(index) };

	return ask(SIGMA_MSG_RESET_VQUEUE, &msg, sizeof(msg), NULL, 0);
}

static int queue_reset_running(void)
{
	return bring_up(dev.features) ?: reset_queue(dev.kind->queue);
}

static int queue_reset_beyond(void)
{
	return begin(dev.features) ?: reset_queue(~0U);
}

static int features_alien(void)
{
	u32 now;

	return reset() ?: set_status(BEGUN, &now) ?: set_features(~0ULL);
}

static int features_late(void)
{
	return bring_up(dev.features) ?: set_features(dev.features);
}

/* The device refuses by not setting FEATURES_OK */
static int features_legacy(void)
{
	int err = begin(dev.features & ~BIT_ULL(VIRTIO_F_VERSION_1));

	return err ?: get_status() & VIRTIO_CONFIG_S_FEATURES_OK ? 0 : -EREMOTEIO;
}

static int status_hasty(void)
{
	u32 now;

	return reset() ?: set_status(VIRTIO_CONFIG_S_DRIVER_OK, &now);
}

static int status_alien(void)
{
	u32 now;

	return reset() ?: set_status(BEGUN | 0x10, &now);
}

static int status_taken_back(void)
{
	u32 now;

	return bring_up(dev.features) ?: set_status(BEGUN, &now);
}

static int config_read_beyond(void)
{
	return get_config(dev.config_size, 1);
}

static int config_read_across(void)
{
	return get_config(1, dev.config_size);
}

static int config_read_wraps(void)
{
	return get_config(~0U, 2);
}

static int config_read_long(void)
{
	return get_config(0, ~0U);
}

static int config_read_nothing(void)
{
	return get_config(0, 0);
}

static int config_write(void)
{
	return set_config(0, 1);
}

static int config_write_beyond(void)
{
	return set_config(dev.config_size, SIGMA_CONFIG_CHUNK);
}

static int config_write_wraps(void)
{
	return set_config(~0U, ~0U);
}

static int message_alien(void)
{
	return ask(0x3f, NULL, 0, NULL, 0);
}

static int message_short(void)
{
	return ask(SIGMA_MSG_SET_VQUEUE, dev.data, 4, NULL, 0);
}

static int message_long(void)
{
	return ask(SIGMA_MSG_GET_STATUS, dev.data, SIGMA_MSG_PAYLOAD_MAX, NULL, 0);
}

static int device_beyond(void)
{
	u16 id = dev.id;
	int err;

	dev.id = 0xffff;
	err = ask(SIGMA_MSG_GET_STATUS, NULL, 0, NULL, 0);
	dev.id = id;
	return err;
}

static const struct {
	const char *name;
	int (*act)(void);
} message_attempts[] = {
	{ "a queue of no entries", size_zero },
	{ "a queue of an odd number of entries", size_odd },
	{ "a queue of 65536 entries", size_large },
	{ "a queue of 2^31 entries", size_wraps },
	{ "a queue outside the guest", ring_outside },
	{ "a queue across the guest's end", ring_across },
	{ "a queue that wraps at 2^64", ring_wraps },
	{ "a queue that is misaligned", ring_misaligned },
	{ "a queue beyond the last one", queue_beyond },
	{ "a queue of number 2^32 - 1", queue_far_beyond },
	{ "a queue set up twice", queue_twice },
	{ "a queue before the features", queue_early },
	{ "a queue of a device that runs", queue_late },
	{ "the reset of a queue that runs", queue_reset_running },
	{ "the reset of a queue of number 2^32 - 1", queue_reset_beyond },
	{ "features that are not offered", features_alien },
	{ "features of a device that runs", features_late },
	{ "features without VIRTIO_F_VERSION_1", features_legacy },
	{ "DRIVER_OK before anything", status_hasty },
	{ "a status of unknown bits", status_alien },
	{ "a status with bits cleared", status_taken_back },
	{ "a read beyond the configuration", config_read_beyond },
	{ "a read across the configuration's end", config_read_across },
	{ "a read that wraps", config_read_wraps },
	{ "a read of 4 GiB", config_read_long },
	{ "a read of 0 bytes", config_read_nothing },
	{ "a write to the configuration", config_write },
	{ "a write beyond the configuration", config_write_beyond },
	{ "a write that wraps", config_write_wraps },
	{ "a message of unknown kind", message_alien },
	{ "a message cut short", message_short },
	{ "a message too long", message_long },
	{ "a device that does not exist", device_beyond },
};

/* Offer as many good requests as the queue holds; they are in flight on return */
static void fill_queue(void)
{
	/* A request takes up to three descriptors */
	for (unsigned int head = 0; head + 3 <= dev.entries; head += 3) {
		dev.kind->good(head, dev.data + head * PART);
		offer(head);
	}
	kick();
}

static bool is_pattern(const u8 *at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (at[i] != PATTERN)
			return false;
	return true;
}

/* Return: what is wrong, or NULL */
static const char *try_reset_in_mid_request(void)
{
	void *ring = dev.vring->desc;

	if (bring_up(dev.features))
		return "does not come up";
	fill_queue();
	if (reset())
		return "cannot be reset";
	memset(dev.data, PATTERN, DATA_SIZE);
	memset(ring, PATTERN, RING_SIZE);
	kick();
	msleep(20);
	return is_pattern(dev.data, DATA_SIZE) &&
	       is_pattern(ring, RING_SIZE) ? NULL : "touched";
}

static const char *reset_in_mid_request(void)
{
	for (unsigned int i = 0; i < 4; i++) {
		const char *wrong = try_reset_in_mid_request();

		if (wrong)
			return wrong;
	}
	return "quiet";
}

/* These kicks come without a request */
static const char *kick_storm(void)
{
	const char *wrong = try_good(dev.features);

	if (wrong)
		return wrong;
	for (unsigned int i = 0; i < 20000; i++)
		kick();
	make_good(0);
	return wait_outcome();
}

/* The run */

static void tell(const char *name, const char *outcome)
{
	pr_info("hostile: %s: %s\n", name, outcome);
}

static void attack(void)
{
	const char *outcome;

	for (unsigned int i = 0; i < ARRAY_SIZE(queue_attempts); i++) {
		outcome = try_good(dev.features & ~queue_attempts[i].without);
		if (!outcome) {
			queue_attempts[i].act();
			kick();
			outcome = wait_outcome();
		}
		tell(queue_attempts[i].name, outcome);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(message_attempts); i++) {
		int err = message_attempts[i].act();

		tell(message_attempts[i].name, !err ? "taken" : err == -EREMOTEIO ? "refused" :
		     "failed");
	}
	tell("a reset in mid-request", reset_in_mid_request());
	tell("kicks without end", kick_storm());
	tell("a good request", try_good(dev.features) ?: "works");
}

static int look_at_device(void)
{
	struct sigma_msg_device_info info;
	struct sigma_msg_features msg;
	int err = ask(SIGMA_MSG_DEVICE_INFO, NULL, 0, &info, sizeof(info));

	err = err ?: ask(SIGMA_MSG_GET_FEATURES, NULL, 0, &msg, sizeof(msg));
	if (err)
		return err;
	dev.nr_queues = le32_to_cpu(info.queues);
	dev.config_size = le32_to_cpu(info.config_size);
	dev.features = le64_to_cpu(msg.features) & ~BIT_ULL(VIRTIO_RING_F_EVENT_IDX);
	if (dev.nr_queues > QUEUES_MAX || le32_to_cpu(info.device_id) != dev.kind->type)
		return -EINVAL;
	dev.vring = &dev.queue[dev.kind->queue].vring;
	dev.entries = ENTRIES_MAX;

	for (unsigned int i = 0; i < dev.nr_queues; i++) {
		struct sigma_msg_vqueue queue = { .index = cpu_to_le32(i) };

		err = ask(SIGMA_MSG_GET_VQUEUE, &queue, sizeof(queue), &queue, sizeof(queue));
		if (err)
			return err;
		dev.queue[i].kick = le32_to_cpu(queue.kick);
		dev.entries = min(dev.entries, le32_to_cpu(queue.size));
	}
	return 0;
}

/* The memory is kept until the module is unloaded, since a faulty back end may still write to it */
static int make_memory(void)
{
	for (unsigned int i = 0; i < QUEUES_MAX; i++) {
		void *at = (void *)get_zeroed_page(GFP_KERNEL);

		if (!at)
			return -ENOMEM;
		vring_init(&dev.queue[i].vring, ENTRIES_MAX, at, SMP_CACHE_BYTES);
	}
	dev.data = alloc_pages_exact(DATA_SIZE, GFP_KERNEL | __GFP_ZERO);
	dev.table = alloc_pages_exact(TABLE_SIZE, GFP_KERNEL | __GFP_ZERO);
	return dev.data && dev.table ? 0 : -ENOMEM;
}

static void free_memory(void)
{
	for (unsigned int i = 0; i < QUEUES_MAX; i++)
		free_page((unsigned long)dev.queue[i].vring.desc);
	if (dev.data)
		free_pages_exact(dev.data, DATA_SIZE);
	if (dev.table)
		free_pages_exact(dev.table, TABLE_SIZE);
}

static int set_attack(const char *value, const struct kernel_param *param)
{
	u32 type, now;
	int err = kstrtou32(value, 0, &type);

	if (err)
		return err;
	if (!dev.guest)
		return -ENODEV;
	for (unsigned int i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].type == type)
			dev.kind = &kinds[i];
	if (!dev.kind)
		return -EINVAL;
	err = look_at_device();
	if (!err) {
		attack();
		/* The virtio core leaves a device without a driver like this */
		err = reset() ?: set_status(VIRTIO_CONFIG_S_ACKNOWLEDGE, &now);
	}
	dev.kind = NULL;
	return err;
}

static const struct kernel_param_ops attack_ops = { .set = set_attack };
module_param_cb(attack, &attack_ops, NULL, 0200);

/* Learn from sigma_iosc_request(), until an attack runs: @guest is in RDI, @request in RSI */
static int see_request(struct kprobe *probe, struct pt_regs *regs)
{
	const struct sigma_request *request = (void *)regs->si;

	if (dev.kind || request->id != SIGMA_MSG_GET_STATUS || request->flags & SIGMA_MSG_BUS)
		return 0;
	dev.guest = (void *)regs->di;
	dev.id = request->device;
	return 0;
}

static struct kprobe request_probe = {
	.symbol_name	= "sigma_iosc_request",
	.pre_handler	= see_request,
};

static struct kprobe ring_probe = { .symbol_name = "sigma_iosc_ring" };

static int __init hostile_init(void)
{
	int err = register_kprobe(&ring_probe);

	if (err)
		return err;
	dev.ring = (void *)ring_probe.addr;
	unregister_kprobe(&ring_probe);

	err = make_memory();
	if (!err)
		err = register_kprobe(&request_probe);
	if (err) {
		free_memory();
		return err;
	}
	dev.request = (void *)request_probe.addr;
	return 0;
}
module_init(hostile_init);

static void __exit hostile_exit(void)
{
	unregister_kprobe(&request_probe);
	free_memory();
}
module_exit(hostile_exit);

MODULE_DESCRIPTION("Misuse the virtio devices of a guest");
MODULE_LICENSE("GPL");
