// SPDX-License-Identifier: GPL-2.0
/*
 * Compare split with packed virtqueues: the cost of a request in each format, in the rings alone. A
 * driver and a device poll on two CPUs, so there are no notifications, and requests are done at
 * once. daemon/virtio/queue.c has the decision that came of it.
 *
 *	make rings && build/bench/rings [CPU CPU]
 *
 * The split device is sigmad's own. The packed one (virtio 1.2, 2.8) does the same work: it reads
 * each descriptor once, checks it, and records requests in flight for the next sigmad. A request is
 * like one of virtio-blk: an indirect table of header, 4 KiB and status. Each line gives the
 * fastest and the median of ROUNDS rounds, since the machine may have other work.
 */
#include <linux/virtio_ring.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <time.h>

#include "../unit/virtio-guest.h"

#define SIZE		256
#define REQUESTS	5000		/* in a round */
#define ROUNDS		200
#define BUFFERS		3
#define TABLE_SIZE	(BUFFERS * sizeof(struct vring_desc))
#define PATIENCE	200		/* failed polls before sched_yield() */

#define AVAIL		(1 << VRING_PACKED_DESC_F_AVAIL)
#define USED		(1 << VRING_PACKED_DESC_F_USED)

static struct guest *guest;
static struct virtio_device dev;
static struct ring split;
static struct vring_packed_desc *packed;
static uint64_t tables, data;		/* of each request, by its number */
static unsigned int cpus[2] = { 0, 1 };
static bool stop;

/* Both formats */

/* Return: the table's address */
static uint64_t write_table(unsigned int id)
{
	const struct buffer buffers[BUFFERS] = {
		{ data + id * 8192, 16, 0 },
		{ data + id * 8192 + 4096, 4096, VRING_DESC_F_WRITE },
		{ data + id * 8192 + 16, 1, VRING_DESC_F_WRITE },
	};

	ring_write_chain(at(guest, tables + id * 64), SIZE, 0, buffers, BUFFERS);
	return tables + id * 64;
}

static void pause_after(unsigned int *looks)
{
	__builtin_ia32_pause();
	if (++*looks % PATIENCE == 0)
		sched_yield();
}

static void run_on(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* Split: the device is daemon/virtio/queue.c */

static void *serve_split(void *arg)
{
	struct virtqueue *vq = &dev.queue[0];
	struct vq_request req;
	unsigned int looks = 0;

	run_on(cpus[1]);
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		while (virtqueue_waits(vq)) {
			if (virtqueue_pop(vq, &req) <= 0)
				abort();
			virtqueue_push(vq, req.head, 4097);
			looks = 0;
		}
		virtqueue_publish(vq);
		pause_after(&looks);
	}
	return NULL;
}

static void add_split(unsigned int id)
{
	struct vring_desc *desc = &split.v.desc[id];

	desc->addr = write_table(id);
	desc->len = TABLE_SIZE;
	desc->flags = VRING_DESC_F_INDIRECT;
	ring_offer(&split, id);
}

static unsigned int take_split(unsigned int *id)
{
	if (__atomic_load_n(&split.v.used->idx, __ATOMIC_ACQUIRE) == split.seen)
		return 0;
	*id = split.v.used->ring[split.seen++ % SIZE].id;
	return 1;
}

/* Packed */

struct packed_end {
	unsigned int next;
	bool wrap;
};

static struct packed_end adding, taking;
static uint64_t kept[SIZE / 64];

static uint16_t flags_of(const struct vring_packed_desc *desc)
{
	return __atomic_load_n(&desc->flags, __ATOMIC_ACQUIRE);
}

static void advance(struct packed_end *end)
{
	if (++end->next == SIZE) {
		end->next = 0;
		end->wrap = !end->wrap;
	}
}

static bool is_available(const struct packed_end *end)
{
	uint16_t flags = flags_of(&packed[end->next]);

	return !!(flags & AVAIL) == end->wrap && !!(flags & USED) != end->wrap;
}

/* Like walk_chain() in queue.c, but descriptors of a packed table have no next field */
static int pop_packed(const struct packed_end *end, struct vq_request *req)
{
	const struct vring_packed_desc *desc = &packed[end->next], *table;
	uint64_t addr = __atomic_load_n(&desc->addr, __ATOMIC_RELAXED);
	uint32_t len = __atomic_load_n(&desc->len, __ATOMIC_RELAXED);
	unsigned int nr = 0;

	req->head = __atomic_load_n(&desc->id, __ATOMIC_RELAXED);
	req->in = req->out = (struct vq_buffers) { .iov = req->iov };
	table = memory_at(&guest->mem, addr, len);
	if (req->head >= SIZE || !table || len % sizeof(*table))
		return -EPROTO;
	for (unsigned int i = 0; i < len / sizeof(*table); i++) {
		const struct vring_desc *d = (const struct vring_desc *)&table[i];
		uint16_t flags = __atomic_load_n(&d->flags, __ATOMIC_RELAXED);
		struct vq_buffers *buf = flags & VRING_DESC_F_WRITE ? &req->in : &req->out;
		uint32_t bytes = __atomic_load_n(&d->len, __ATOMIC_RELAXED);
		uint64_t phys = __atomic_load_n(&d->addr, __ATOMIC_RELAXED);
		void *at = memory_at(&guest->mem, phys, bytes);

		if (!at || nr == VIRTQUEUE_SEGMENTS_MAX || (buf == &req->out && req->in.nr))
			return -EPROTO;
		req->iov[nr] = (struct iovec) { .iov_base = at, .iov_len = bytes };
		if (!buf->nr)
			buf->iov = &req->iov[nr];
		buf->nr++;
		buf->len += bytes;
		nr++;
	}
	__atomic_store_n(&kept[req->head / 64], kept[req->head / 64] | 1ULL << req->head % 64,
			 __ATOMIC_RELAXED);
	return 1;
}

static void push_packed(const struct packed_end *end, uint16_t id, uint32_t written)
{
	struct vring_packed_desc *desc = &packed[end->next];

	__atomic_store_n(&desc->id, id, __ATOMIC_RELAXED);
	__atomic_store_n(&desc->len, written, __ATOMIC_RELAXED);
	__atomic_store_n(&desc->flags, end->wrap ? AVAIL | USED : 0, __ATOMIC_RELEASE);
	__atomic_store_n(&kept[id / 64], kept[id / 64] & ~(1ULL << id % 64), __ATOMIC_RELAXED);
}

static void *serve_packed(void *arg)
{
	struct packed_end end = { .wrap = true };
	struct vq_request req;
	unsigned int looks = 0;

	run_on(cpus[1]);
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		while (is_available(&end)) {
			if (pop_packed(&end, &req) <= 0)
				abort();
			push_packed(&end, req.head, 4097);
			advance(&end);
			looks = 0;
		}
		pause_after(&looks);
	}
	return NULL;
}

static void add_packed(unsigned int id)
{
	struct vring_packed_desc *desc = &packed[adding.next];

	desc->addr = write_table(id);
	desc->len = TABLE_SIZE;
	desc->id = id;
	__atomic_store_n(&desc->flags, VRING_DESC_F_INDIRECT | (adding.wrap ? AVAIL : USED),
			 __ATOMIC_RELEASE);
	advance(&adding);
}

static unsigned int take_packed(unsigned int *id)
{
	uint16_t flags = flags_of(&packed[taking.next]);

	if (!!(flags & AVAIL) != taking.wrap || !!(flags & USED) != taking.wrap)
		return 0;
	*id = packed[taking.next].id;
	advance(&taking);
	return 1;
}

/* The driver, and the measurement */

static const struct format {
	const char *name;
	void *(*serve)(void *arg);
	void (*add)(unsigned int id);
	unsigned int (*take)(unsigned int *id);
} formats[] = {
	{ "split", serve_split, add_split, take_split },
	{ "packed", serve_packed, add_packed, take_packed },
};

/* ns for each request of a round, with @depth requests in flight */
static double round_trip(const struct format *format, unsigned int depth)
{
	unsigned int done = 0, added = 0, looks = 0, id;
	struct timespec from, to;

	clock_gettime(CLOCK_MONOTONIC, &from);
	while (added < depth)
		format->add(added++);
	while (done < REQUESTS) {
		if (!format->take(&id)) {
			pause_after(&looks);
			continue;
		}
		looks = 0;
		done++;
		if (added < REQUESTS) {
			format->add(id);
			added++;
		}
	}
	clock_gettime(CLOCK_MONOTONIC, &to);
	return ((to.tv_sec - from.tv_sec) * 1e9 + to.tv_nsec - from.tv_nsec) / REQUESTS;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void measure(const struct format *format, unsigned int depth)
{
	double ns[ROUNDS];
	pthread_t thread;

	stop = false;
	memset(packed, 0, SIZE * sizeof(*packed));
	adding = taking = (struct packed_end) { .wrap = true };
	pthread_create(&thread, NULL, format->serve, NULL);
	for (unsigned int i = 0; i < ROUNDS; i++)
		ns[i] = round_trip(format, depth);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	qsort(ns, ROUNDS, sizeof(*ns), compare);
	printf("depth %3u, %-6s: %6.0f ns a request at best, %6.0f ns in the median\n", depth,
	       format->name, ns[0], ns[ROUNDS / 2]);
}

static int start_nothing(struct virtio_device *dev)
{
	return 0;
}

static void reset_nothing(struct virtio_device *dev)
{
}

static const struct virtio_device_ops ops = {
	.name = "bench", .device_id = 42, .start = start_nothing, .reset = reset_nothing,
	.destroy = reset_nothing,
};

int main(int argc, char **argv)
{
	static const unsigned int depths[] = { 1, 8, 32, 128 };

	if (argc == 3) {
		cpus[0] = atoi(argv[1]);
		cpus[1] = atoi(argv[2]);
	}
	guest = guest_new();
	dev = (struct virtio_device) { .ops = &ops, .nr_queues = 1 };
	dev.queue[0].max_size = SIZE;
	dev.queue[0].unordered = true;
	if (guest_add(guest, &dev) ||
	    !negotiate(guest, 0, get_features(guest, 0)) || ring_open(&split, guest, 0, 0, SIZE) ||
	    !driver_ok(guest, 0))
		abort();
	packed = at(guest, guest_alloc(guest, SIZE * sizeof(*packed)));
	tables = guest_alloc(guest, SIZE * 64);
	data = guest_alloc(guest, SIZE * 8192);

	run_on(cpus[0]);
	/* Twice, since the machine may become slower meanwhile */
	for (unsigned int i = 0; i < 2; i++)
		for (unsigned int d = 0; d < sizeof(depths) / sizeof(depths[0]); d++)
			for (unsigned int f = 0; f < 2; f++)
				measure(&formats[f], depths[d]);
	guest_free(&guest);
	return 0;
}
