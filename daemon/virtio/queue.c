// SPDX-License-Identifier: GPL-2.0
/*
 * Split virtqueues (virtio 1.2, 2.7), device side: the available and the used ring. chain.c reads
 * the descriptors.
 *
 * The guest can write the rings at any moment, so nothing in them is trusted. Each field is read
 * exactly once, into a local variable, and checked there. Our own indices are kept in struct
 * virtqueue and not read back from the rings, except the used index after a take-over, or after
 * another process has served the queue. If a driver breaks a rule, its device is marked broken.
 *
 * Order: the available index is loaded with acquire before the entries that it covers are read, and
 * the used index is stored with release after the entries that it covers were written. Where one
 * side tells the other whether to notify it (2.7.7, 2.7.10), a full barrier is between the store
 * that the peer must see and the load of what the peer asked for.
 *
 * Packed virtqueues (2.8) are not offered. Between two CPUs that poll, the rings of a request cost
 * 139 ns split and 244 ns packed at a queue depth of 1, 63 and 57 ns at 32, 57 and 52 ns at 128
 * (selftests/bench/rings.c, the best of many rounds on two CPUs of a busy machine). A whole disk
 * request takes microseconds. vhost, virtiofsd and qemu-storage-daemon do not serve packed
 * virtqueues. Packed virtqueues have no used index at which the next sigmad could continue.
 */
#include <endian.h>
#include <errno.h>
#include <linux/virtio_config.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#include "../../common/assert.h"
#include "queue.h"

#define write_once(x, value)	__atomic_store_n(&(x), value, __ATOMIC_RELAXED)

#define BITS 64

/* Where a part of the ring is mapped: @len bytes at @phys; NULL: an error, with @why */
static void *ring_part(const struct guest_memory *mem, const char *what, uint64_t phys,
		       uint64_t len, unsigned int align, char why[VIRTQUEUE_WHY_MAX])
{
	void *at = memory_at(mem, phys, len);

	if (at && phys % align == 0)
		return at;
	snprintf(why, VIRTQUEUE_WHY_MAX, "put the %s at 0x%llx (%llu bytes), which is %s", what,
		 (unsigned long long)phys, (unsigned long long)len,
		 at ? "misaligned" : "not in the guest's memory");
	return NULL;
}

/* The persisted state stays */
static void clear(struct virtqueue *vq)
{
	vq->nr_redo = 0;
	memset(vq->redo, 0, sizeof(vq->redo));
	vq->size = 0;
	memset(&vq->vring, 0, sizeof(vq->vring));
	vq->last_avail = 0;
	vq->used_idx = 0;
	vq->published_used = 0;
	vq->signalled_used = 0;
	vq->event_idx = false;
	vq->quiet = false;
}

int virtqueue_setup(struct virtqueue *vq, const struct virtqueue_setup *setup,
		    char why[VIRTQUEUE_WHY_MAX])
{
	unsigned int size = setup->size;
	struct vring ring = { .num = size };

	if (!size || size > vq->max_size || size & (size - 1)) {
		snprintf(why, VIRTQUEUE_WHY_MAX,
			 "asked for %u entries; it must be a power of two, %u at most", size,
			 vq->max_size);
		return -EINVAL;
	}

	/* Both rings end with a field for the event index (2.7.6, 2.7.8) */
	ring.desc = ring_part(setup->mem, "descriptor table", setup->desc,
			      sizeof(*ring.desc) * size, VRING_DESC_ALIGN_SIZE, why);
	if (!ring.desc)
		return -EINVAL;
	ring.avail = ring_part(setup->mem, "available ring", setup->avail,
			       sizeof(*ring.avail) + sizeof(ring.avail->ring[0]) * size +
			       sizeof(vring_used_event(&ring)), VRING_AVAIL_ALIGN_SIZE, why);
	if (!ring.avail)
		return -EINVAL;
	ring.used = ring_part(setup->mem, "used ring", setup->used,
			      sizeof(*ring.used) + sizeof(ring.used->ring[0]) * size +
			      sizeof(vring_avail_event(&ring)), VRING_USED_ALIGN_SIZE, why);
	if (!ring.used)
		return -EINVAL;

	sigma_assert(vq->max_size <= VIRTQUEUE_SIZE_MAX);
	clear(vq);
	vq->setup = *setup;
	vq->vring = ring;
	vq->event_idx = setup->features & (1ULL << VIRTIO_RING_F_EVENT_IDX);
	vq->size = size;
	return 0;
}

static void forget(struct virtqueue *vq)
{
	keep(vq->state->size, 0);
	memset(vq->state, 0, sizeof(*vq->state));
}

void virtqueue_persist(struct virtqueue *vq)
{
	forget(vq);
	vq->state->desc = vq->setup.desc;
	vq->state->avail = vq->setup.avail;
	vq->state->used = vq->setup.used;
	keep(vq->state->size, vq->size);
}

void virtqueue_leave(struct virtqueue *vq)
{
	clear(vq);
}

bool virtqueue_idle(const struct virtqueue *vq)
{
	const struct queue_state *state = vq->state;

	for (unsigned int i = 0; i < VIRTQUEUE_SIZE_MAX / BITS; i++)
		if (__atomic_load_n(&state->in_flight[i], __ATOMIC_ACQUIRE))
			return false;
	return le16toh(read_once(vq->vring.avail->idx)) ==
	       __atomic_load_n(&state->last_avail, __ATOMIC_RELAXED);
}

void virtqueue_reset(struct virtqueue *vq)
{
	forget(vq);
	clear(vq);
}

const struct vring *virtqueue_ring(const struct virtqueue *vq)
{
	return &vq->vring;
}

/* Number of chains that wait, or -errno */
static int waiting(struct virtqueue *vq)
{
	uint16_t idx = le16toh(__atomic_load_n(&vq->vring.avail->idx, __ATOMIC_ACQUIRE));
	uint16_t nr = idx - vq->last_avail;

	if (nr > vq->size)
		return chain_broken(&vq->setup, "the available index jumped from %u to %u, with %u entries",
				    vq->last_avail, idx, vq->size);
	return nr;
}

/*
 * Ask for kicks, or for none. With the event index there is nothing to do to ask for none: the
 * driver kicks only once, when it passes the index that was stored last.
 */
static void want_kicks(struct virtqueue *vq, bool want)
{
	if (vq->event_idx) {
		if (want)
			write_once(vring_avail_event(&vq->vring), htole16(vq->last_avail));
	} else if (vq->quiet == want) {
		write_once(vq->vring.used->flags, htole16(want ? 0 : VRING_USED_F_NO_NOTIFY));
		vq->quiet = !want;
	}
	if (want)
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static uint16_t next_head(const struct virtqueue *vq)
{
	return le16toh(read_once(vq->vring.avail->ring[vq->last_avail & (vq->size - 1)]));
}

/* The guest can see the used entries from @old up to @new: their chains are no longer in flight */
static void account(struct virtqueue *vq, uint16_t old, uint16_t new)
{
	for (; old != new; old++) {
		uint16_t head = vq->state->pushed[old & (vq->size - 1)];
		uint64_t *word = &vq->state->in_flight[head / BITS];

		keep(*word, *word & ~(1ULL << head % BITS));
	}
	keep(vq->state->used_idx, new);
}

static bool in_flight(const struct virtqueue *vq, uint16_t head)
{
	return vq->state->in_flight[head / BITS] & 1ULL << head % BITS;
}

/* Take the chain that was checked. virtqueue_resume() relies on the bit being set first */
static int take_chain(struct virtqueue *vq, uint16_t head)
{
	uint64_t *word = &vq->state->in_flight[head / BITS];

	if (vq->unordered) {
		if (in_flight(vq, head))
			return chain_broken(&vq->setup, "descriptor %u is made available again while it is in use",
					    head);
		keep(*word, *word | 1ULL << head % BITS);
		keep(vq->state->last_avail, vq->last_avail + 1);
	}
	vq->last_avail++;
	return 1;
}

/* In-flight resubmission: pop a chain that the last sigmad took */
static int pop_redo(struct virtqueue *vq, struct vq_request *req)
{
	unsigned int i = 0;
	uint16_t head;

	while (!vq->redo[i])
		i++;
	sigma_assert(i < VIRTQUEUE_SIZE_MAX / BITS);
	head = i * BITS + __builtin_ctzll(vq->redo[i]);
	vq->redo[i] &= vq->redo[i] - 1;
	vq->nr_redo--;
	sigma_assert(in_flight(vq, head));
	return chain_read(&vq->setup, vq->vring.desc, head, req) ?: 1;
}

static void count(uint64_t *counter, uint64_t more)
{
	write_once(*counter, *counter + more);
}

/* Count the chain's bytes if @ret, the result of virtqueue_pop(), is 1. Return: @ret */
static int count_out(struct virtqueue *vq, const struct vq_request *req, int ret)
{
	if (ret <= 0)
		return ret;
	sigma_assert(req->out.nr + req->in.nr <= VIRTQUEUE_SEGMENTS_MAX);
	sigma_assert(!req->in.nr || req->in.iov == req->iov + req->out.nr);
	count(&vq->moved.bytes_out, req->out.len);
	return ret;
}

int virtqueue_pop(struct virtqueue *vq, struct vq_request *req)
{
	int ret;

	if (!vq->size)
		return 0;
	if (__atomic_load_n(vq->setup.stopped, __ATOMIC_RELAXED))
		return -EIO;
	if (vq->nr_redo)
		return count_out(vq, req, pop_redo(vq, req));

	ret = waiting(vq);
	if (!ret) {
		want_kicks(vq, true);
		/* The driver does not kick for a chain that it added before it saw want_kicks() */
		ret = waiting(vq);
	}
	if (ret <= 0)
		return ret;
	want_kicks(vq, false);

	ret = chain_read(&vq->setup, vq->vring.desc, next_head(vq), req);
	return ret < 0 ? ret : count_out(vq, req, take_chain(vq, req->head));
}

bool virtqueue_catch_up(struct virtqueue *vq)
{
	uint16_t shown = le16toh(__atomic_load_n(&vq->vring.used->idx, __ATOMIC_ACQUIRE));
	bool any = shown != vq->used_idx;

	vq->used_idx = shown;
	vq->published_used = shown;
	vq->signalled_used = shown;
	vq->last_avail = shown;
	/* The other server may have set NO_NOTIFY, so let want_kicks() clear it */
	vq->quiet = true;
	return any;
}

int virtqueue_resume(struct virtqueue *vq)
{
	const uint16_t last_used = vq->state->used_idx;
	uint16_t shown, new;

	virtqueue_catch_up(vq);
	shown = vq->used_idx;
	new = shown - last_used;
	if (!vq->unordered)
		return 0;

	if (new > vq->size)
		return chain_broken(&vq->setup, "the used index jumped from %u to %u, with %u entries",
				    last_used, shown, vq->size);
	/* The last sigmad may have died before account() */
	account(vq, last_used, shown);
	/* It may have died after it set a chain's bit and before it stored last_avail */
	vq->last_avail = vq->state->last_avail;
	if (waiting(vq) > 0 && next_head(vq) < vq->size && in_flight(vq, next_head(vq)))
		keep(vq->state->last_avail, ++vq->last_avail);

	for (unsigned int i = 0; i < VIRTQUEUE_SIZE_MAX / BITS; i++) {
		vq->redo[i] = vq->state->in_flight[i];
		vq->nr_redo += __builtin_popcountll(vq->redo[i]);
	}
	if ((uint16_t)(vq->last_avail - shown) == vq->nr_redo)
		return 0;
	return chain_broken(&vq->setup, "%u chains are under way, but between the indices %u and %u",
			    vq->nr_redo, shown, vq->last_avail);
}

bool virtqueue_waits(const struct virtqueue *vq)
{
	return vq->nr_redo ||
	       (vq->size && le16toh(read_once(vq->vring.avail->idx)) != vq->last_avail);
}

void virtqueue_unpop(struct virtqueue *vq, unsigned int nr)
{
	/* An unordered queue has persisted the chain as in flight */
	sigma_assert(!vq->unordered && nr <= (uint16_t)(vq->last_avail - vq->used_idx));
	vq->last_avail -= nr;
}

void virtqueue_push(struct virtqueue *vq, uint16_t head, uint32_t written)
{
	vring_used_elem_t *elem = &vq->vring.used->ring[vq->used_idx & (vq->size - 1)];

	/* The chain was taken and not given back yet */
	sigma_assert(vq->size && vq->last_avail != vq->used_idx);
	sigma_assert(!vq->unordered || in_flight(vq, head));
	if (vq->unordered)
		keep(vq->state->pushed[vq->used_idx & (vq->size - 1)], head);
	write_once(elem->id, htole32(head));
	write_once(elem->len, htole32(written));
	vq->used_idx++;
	count(&vq->moved.chains, 1);
	count(&vq->moved.bytes_in, written);
}

void virtqueue_publish(struct virtqueue *vq)
{
	uint16_t old = vq->published_used;

	if (!vq->size || old == vq->used_idx)
		return;
	sigma_assert(!vq->unordered || (uint16_t)(vq->used_idx - old) <= vq->size);
	vq->published_used = vq->used_idx;
	__atomic_store_n(&vq->vring.used->idx, htole16(vq->used_idx), __ATOMIC_RELEASE);
	if (vq->unordered)
		account(vq, old, vq->used_idx);
}

/* Does the driver want an interrupt for the used entries from @old up to @new? 2.7.7.2 */
static bool wants_interrupt(const struct virtqueue *vq, uint16_t old, uint16_t new)
{
	if (vq->event_idx)
		return vring_need_event(le16toh(read_once(vring_used_event(&vq->vring))), new,
					old);
	return !(le16toh(read_once(vq->vring.avail->flags)) & VRING_AVAIL_F_NO_INTERRUPT);
}

void virtqueue_notify(struct virtqueue *vq)
{
	uint16_t old = vq->signalled_used;

	virtqueue_publish(vq);
	if (!vq->size || old == vq->used_idx)
		return;
	vq->signalled_used = vq->used_idx;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (wants_interrupt(vq, old, vq->used_idx))
		eventfd_write(vq->call_fd, 1);
}

void virtqueue_kick(struct virtqueue *vq)
{
	eventfd_write(vq->kick_fd, 1);
}
