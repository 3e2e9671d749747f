// SPDX-License-Identifier: GPL-2.0
/*
 * Lending memory. The first source is the pool of memory that was set aside (pool.c). The second
 * is the running host: alloc_contig_range() migrates the pages that are in use in a range. Each
 * zone is searched from its top downwards, first for the largest pieces; where no piece of a size
 * is found, half that size is tried. The pages keep their struct page, with one reference, which
 * is ours. So they can be mapped and pinned (O_DIRECT, vhost) like any others, and a pin that
 * outlives the guest keeps its page from being freed.
 */
#include <linux/ioport.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/mutex.h>
#include <linux/nodemask.h>
#include <linux/rwsem.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/sort.h>
#include <linux/string.h>

#include "memory.h"
#include "pages.h"
#include "pool.h"

#define PIECE_MAX	(SZ_1G >> PAGE_SHIFT)
#define PIECE_AT_MAX	(SZ_128M >> PAGE_SHIFT)	/* what is tried at once at a given place */
#define PIECE_MIN	(SIGMA_SEGMENT_ALIGN >> PAGE_SHIFT)

/*
 * Guests whose memory is gathered at the same time are in each other's way: ranges that one has just
 * isolated, or taken for a moment, look scattered to the others. So one that finds too little takes
 * this for writing, which waits for the others, and tries once more.
 */
static DECLARE_RWSEM(gather_lock);

static DEFINE_MUTEX(promise_lock);	/* protects the numbers below */
static unsigned long promised;		/* pages of the host that guests are about to take */
static unsigned int under_way;		/* guests whose memory is gathered beside others */
static unsigned int begun;		/* the same, since the module was loaded; wraps */

/* The host keeps an eighth of all memory available, and at least 128 MiB */
#define KEEP_SHARE	SIGMA_PAGES_KEEP_SHARE
#define KEEP_MIN	(SZ_128M >> PAGE_SHIFT)

/*
 * Memory that is free, or could be, in ZONE_MOVABLE (kernelcore=, hot-added memory). None of it is
 * lent: the kernel counts on being able to move all that is there.
 */
static unsigned long movable_available(void)
{
	unsigned long pages = 0;
	int node;

	for_each_online_node(node) {
		struct zone *zone = &NODE_DATA(node)->node_zones[ZONE_MOVABLE];

		if (populated_zone(zone))
			pages += zone_page_state(zone, NR_FREE_PAGES) +
				 zone_page_state(zone, NR_ZONE_ACTIVE_FILE) +
				 zone_page_state(zone, NR_ZONE_INACTIVE_FILE);
	}
	return pages;
}

static bool give_up(const struct sigma_memory *mem)
{
	return READ_ONCE(*mem->closed) || fatal_signal_pending(current);
}

/* Bytes that are neither kept nor promised */
static u64 spare(void)
{
	long keep = max(totalram_pages() / KEEP_SHARE, (unsigned long)KEEP_MIN);
	long available = si_mem_available() - movable_available() - READ_ONCE(promised);

	return available > keep ? (u64)(available - keep) << PAGE_SHIFT : 0;
}

u64 sigma_memory_lendable(void)
{
	u64 pool_size, pool_free;

	sigma_pool_sizes(&pool_size, &pool_free);
	return pool_free + ALIGN_DOWN(spare(), SIGMA_SEGMENT_ALIGN);
}

/* Guests are made at the same time, and each must leave the host and the others enough */
static bool promise(unsigned long nr)
{
	bool enough;

	mutex_lock(&promise_lock);
	enough = spare() >= (u64)nr << PAGE_SHIFT;
	if (enough)
		WRITE_ONCE(promised, promised + nr);
	mutex_unlock(&promise_lock);
	return enough;
}

/* @nr of the promised pages were taken, and so are not available any more, or will not be taken */
static void end_promise(unsigned long nr)
{
	mutex_lock(&promise_lock);
	WRITE_ONCE(promised, promised - nr);
	mutex_unlock(&promise_lock);
}

/* Return: was the piece taken? */
static bool take_piece(struct sigma_memory *mem, unsigned long pfn, unsigned long nr)
{
	const struct sigma_piece piece = { .pfn = pfn, .nr_pages = nr };

	if (!sigma_pieces_have_room(&mem->pieces, &piece) || !sigma_pages_take(pfn, nr))
		return false;
	sigma_pieces_add(&mem->pieces, piece);
	return true;
}

/* Take one piece of @nr pages from @zone, as high as possible. Return: its first page, or 0 */
static unsigned long take_from_zone(struct sigma_memory *mem, struct zone *zone, unsigned long nr)
{
	unsigned long start = ALIGN(zone->zone_start_pfn, nr);
	unsigned long pfn = ALIGN_DOWN(zone_end_pfn(zone), nr);

	while (pfn >= start + nr && !give_up(mem) && sigma_pages_leave_enough(zone, nr)) {
		pfn -= nr;
		if (sigma_pages_worth_trying(zone, pfn, nr) && take_piece(mem, pfn, nr))
			return pfn;
		cond_resched();
	}
	return 0;
}

static unsigned long take_from_node(struct sigma_memory *mem, int node, unsigned long nr)
{
	unsigned long pfn = 0;

	for (int z = ZONE_NORMAL; z >= ZONE_DMA32 && !pfn; z--) {
		struct zone *zone = &NODE_DATA(node)->node_zones[z];

		if (populated_zone(zone))
			pfn = take_from_zone(mem, zone, nr);
	}
	return pfn;
}

/* @first_node: NUMA_NO_NODE: any */
static unsigned long take_from_host(struct sigma_memory *mem, int first_node, unsigned long nr)
{
	unsigned long pfn = 0;
	int node;

	if (first_node != NUMA_NO_NODE)
		return node_online(first_node) ? take_from_node(mem, first_node, nr) : 0;
	for_each_online_node(node)
		if (!pfn)
			pfn = take_from_node(mem, node, nr);
	return pfn;
}

static int compare_pieces(const void *a, const void *b)
{
	const struct sigma_piece *x = a, *y = b;

	return x->pfn < y->pfn ? -1 : 1;
}

static void make_segments(struct sigma_memory *mem)
{
	struct sigma_pieces *pieces = &mem->pieces;
	struct sigma_segment *seg = NULL;

	sort(pieces->piece, pieces->nr, sizeof(pieces->piece[0]), compare_pieces, NULL);
	for (unsigned int i = 0; i < pieces->nr; i++) {
		u64 phys = PFN_PHYS(pieces->piece[i].pfn);
		u64 size = (u64)pieces->piece[i].nr_pages << PAGE_SHIFT;

		if (seg && seg->phys + seg->size == phys) {
			seg->size += size;
		} else {
			seg = &mem->segment[mem->nr_segments++];
			*seg = (struct sigma_segment) { .phys = phys, .size = size };
		}
	}
}

static void list_pieces(struct sigma_memory *mem, const char *label)
{
	for (unsigned int i = 0; i < mem->pieces.nr; i++) {
		const struct sigma_piece *piece = &mem->pieces.piece[i];

		mem->res[i] = (struct resource) {
			.name	= label,
			.start	= PFN_PHYS(piece->pfn),
			.end	= PFN_PHYS(piece->pfn + piece->nr_pages) - 1,
			.flags	= IORESOURCE_MEM,
		};
		/* Informative only: a piece across two entries of /proc/iomem cannot be listed */
		if (insert_resource(&iomem_resource, &mem->res[i]))
			mem->res[i].parent = NULL;
	}
}

static void free_piece(const struct sigma_piece *piece)
{
	if (piece->from_pool) {
		sigma_pool_give_back(piece->pfn, piece->nr_pages);
		return;
	}
	sigma_pages_give_back(piece->pfn, piece->nr_pages);
}

void sigma_memory_return(struct sigma_memory *mem)
{
	while (mem->pieces.nr) {
		unsigned int last = --mem->pieces.nr;

		if (mem->res[last].parent)
			remove_resource(&mem->res[last]);
		free_piece(&mem->pieces.piece[last]);
	}
	mem->nr_segments = 0;
}

static unsigned long take_from_pool(struct sigma_memory *mem, int node, unsigned long nr)
{
	struct sigma_piece piece = { .nr_pages = nr, .from_pool = true };

	piece.pfn = sigma_pool_take(nr, node);
	if (piece.pfn && !sigma_pieces_have_room(&mem->pieces, &piece)) {
		sigma_pool_give_back(piece.pfn, nr);
		return 0;
	}
	if (piece.pfn) {
		sigma_pages_zero(piece.pfn, nr);
		sigma_pieces_add(&mem->pieces, piece);
	}
	return piece.pfn;
}

/*
 * Take pieces from the pool or the host until *@left is 0, or no piece of at least @least pages is
 * found, or of the rest if that is smaller
 */
static void gather(struct sigma_memory *mem, unsigned long *left, bool from_pool, int node,
		   unsigned long least)
{
	unsigned long largest = PIECE_MAX, nr, pfn;

	while (*left && largest >= least && !give_up(mem)) {
		/* The rest may be smaller than @least, and still belongs to what was taken before it */
		nr = min(largest, rounddown_pow_of_two(*left));
		pfn = from_pool ? take_from_pool(mem, node, nr) : take_from_host(mem, node, nr);
		if (pfn) {
			if (!from_pool)
				end_promise(nr);
			*left -= nr;
			WRITE_ONCE(mem->gathered, mem->size - ((u64)*left << PAGE_SHIFT));
		} else {
			largest = nr / 2;
		}
	}
}

/* Return: number of pages that are missing */
static unsigned long gather_all(struct sigma_memory *mem, int node)
{
	unsigned long left = mem->size >> PAGE_SHIFT;

	mem->short_of = SIGMA_REASON_GUEST_MEMORY;
	gather(mem, &left, true, mem->only_node ? node : NUMA_NO_NODE, PIECE_MIN);
	/* Before any page is migrated: would the host keep enough? */
	if (left && promise(left)) {
		mem->short_of = mem->only_node ? SIGMA_REASON_NODE_MEMORY : SIGMA_REASON_SCATTERED;
		/* If the CPUs' node has only small pieces, leave room for larger ones of other nodes */
		gather(mem, &left, false, node,
		       clamp_t(unsigned long, (mem->size >> PAGE_SHIFT) / (SIGMA_SEGMENTS_MAX / 2),
			       PIECE_MIN, PIECE_MAX));
		gather(mem, &left, false, mem->only_node ? node : NUMA_NO_NODE, PIECE_MIN);
		end_promise(left);
	}
	return left;
}

/*
 * Of two guests that begin at once, each must see the other one. So both numbers change together: the
 * second guest finds the first under way, and the first finds at its end that one more has begun.
 */
static unsigned int begin_gathering(bool *others)
{
	unsigned int turn;

	mutex_lock(&promise_lock);
	*others = under_way++ > 0;
	turn = ++begun;
	mutex_unlock(&promise_lock);
	return turn;
}

static void end_gathering(unsigned int turn, bool *others)
{
	mutex_lock(&promise_lock);
	*others |= begun != turn;
	under_way--;
	mutex_unlock(&promise_lock);
}

/* @others: out: another guest's memory was gathered meanwhile */
static unsigned long gather_beside_others(struct sigma_memory *mem, int node, bool *others)
{
	unsigned long left;
	unsigned int turn;

	*others = false;
	if (down_read_killable(&gather_lock))
		return mem->size >> PAGE_SHIFT;
	turn = begin_gathering(others);
	left = gather_all(mem, node);
	end_gathering(turn, others);
	up_read(&gather_lock);
	return left;
}

static unsigned long gather_alone(struct sigma_memory *mem, int node)
{
	unsigned long left = mem->size >> PAGE_SHIFT;

	sigma_memory_return(mem);
	WRITE_ONCE(mem->gathered, 0);
	if (down_write_killable(&gather_lock))
		return left;
	left = gather_all(mem, node);
	up_write(&gather_lock);
	return left;
}

static int lend_error(const struct sigma_memory *mem)
{
	if (fatal_signal_pending(current))
		return -EINTR;
	return READ_ONCE(*mem->closed) ? -ESHUTDOWN : -ENOMEM;
}

int sigma_memory_lend(struct sigma_memory *mem, u64 size, int node, bool only_node,
		      const char *label, const bool *closed)
{
	unsigned long left;
	bool others;

	memset(mem, 0, sizeof(*mem));
	mem->size = size;
	mem->only_node = only_node;
	mem->closed = closed;
	left = gather_beside_others(mem, node, &others);
	if (left && others && mem->short_of != SIGMA_REASON_GUEST_MEMORY && !give_up(mem))
		left = gather_alone(mem, node);
	if (left) {
		sigma_memory_return(mem);
		return lend_error(mem);
	}

	make_segments(mem);
	list_pieces(mem, label);
	return 0;
}

/* Return: how many pages from @pfn on were taken, at most @most */
static unsigned long take_at_from_pool(struct sigma_memory *mem, unsigned long pfn,
				       unsigned long most)
{
	struct sigma_piece piece = { .pfn = pfn, .from_pool = true };

	piece.nr_pages = sigma_pool_take_at(pfn, most);
	if (!piece.nr_pages)
		return 0;
	if (!sigma_pieces_have_room(&mem->pieces, &piece)) {
		sigma_pool_give_back(pfn, piece.nr_pages);
		mem->short_of = SIGMA_REASON_PLACE_PIECES;
		return 0;
	}
	sigma_pages_zero(pfn, piece.nr_pages);
	sigma_pieces_add(&mem->pieces, piece);
	return piece.nr_pages;
}

/* As take_piece(). The smallest piece gets some time to become free */
static bool take_piece_at(struct sigma_memory *mem, unsigned long pfn, unsigned long nr)
{
	const struct sigma_piece piece = { .pfn = pfn, .nr_pages = nr };

	if (nr > PIECE_MIN)
		return take_piece(mem, pfn, nr);
	if (!sigma_pieces_have_room(&mem->pieces, &piece)) {
		mem->short_of = SIGMA_REASON_PLACE_PIECES;
		return false;
	}
	if (!sigma_pages_take_patiently(pfn, nr))
		return false;
	sigma_pieces_add(&mem->pieces, piece);
	return true;
}

/* As take_at_from_pool(). @mem->short_of: why nothing was taken */
static unsigned long take_at_from_host(struct sigma_memory *mem, unsigned long pfn,
				       unsigned long most)
{
	struct zone *zone = sigma_pages_zone(pfn);

	if (!zone) {
		mem->short_of = SIGMA_REASON_PLACE_NO_RAM;
		return 0;
	}
	mem->short_of = SIGMA_REASON_PLACE_HOST;
	/* Smaller and smaller, since the place of the last try is the one that is named */
	for (unsigned long nr = min(most, PIECE_AT_MAX); nr; nr = rounddown(nr / 2, PIECE_MIN)) {
		bool taken;

		if (!sigma_pages_worth_trying(zone, pfn, nr))
			continue;
		if (!promise(nr)) {
			mem->short_of = SIGMA_REASON_GUEST_MEMORY;
			return 0;
		}
		taken = take_piece_at(mem, pfn, nr);
		end_promise(nr);
		if (taken)
			return nr;
	}
	return 0;
}

/* Return: 0, or the address at which this failed */
static u64 gather_at(struct sigma_memory *mem, const struct sigma_segment *segments,
		     unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		unsigned long pfn = PHYS_PFN(segments[i].phys);
		unsigned long end = pfn + PHYS_PFN(segments[i].size), taken;

		for (; pfn < end; pfn += taken) {
			mem->short_of = SIGMA_REASON_NONE;
			taken = take_at_from_pool(mem, pfn, end - pfn);
			if (!taken && !mem->short_of)
				taken = take_at_from_host(mem, pfn, end - pfn);
			if (!taken || give_up(mem))
				return PFN_PHYS(pfn);
			WRITE_ONCE(mem->gathered, mem->gathered + ((u64)taken << PAGE_SHIFT));
		}
	}
	return 0;
}

int sigma_memory_lend_at(struct sigma_memory *mem, const struct sigma_segment *segments,
			 unsigned int nr, const char *label, const bool *closed, u64 *failed_at)
{
	memset(mem, 0, sizeof(*mem));
	mem->closed = closed;
	for (unsigned int i = 0; i < nr; i++)
		mem->size += segments[i].size;
	if (down_write_killable(&gather_lock))
		return -EINTR;
	*failed_at = gather_at(mem, segments, nr);
	up_write(&gather_lock);
	if (*failed_at) {
		sigma_memory_return(mem);
		return lend_error(mem);
	}
	make_segments(mem);
	list_pieces(mem, label);
	return 0;
}

bool sigma_memory_has_pool(const struct sigma_memory *mem)
{
	for (unsigned int i = 0; i < mem->pieces.nr; i++)
		if (mem->pieces.piece[i].from_pool)
			return true;
	return false;
}

bool sigma_memory_contains(const struct sigma_memory *mem, u64 phys, u64 len)
{
	for (unsigned int i = 0; i < mem->nr_segments; i++) {
		const struct sigma_segment *seg = &mem->segment[i];

		if (phys >= seg->phys && phys - seg->phys < seg->size)
			return len <= seg->size - (phys - seg->phys);
	}
	return false;
}

void sigma_memory_failed(const struct sigma_memory *mem, u64 phys)
{
	struct page *page;

	if (!sigma_memory_contains(mem, phys, 1))
		return;
	page = pfn_to_page(PHYS_PFN(phys));
	pr_err("0x%llx: memory of a guest failed; the host does not use this page any more\n",
	       phys);
	sigma_memory_failure(page_to_pfn(page));
	/* The kernel does not mark pages of the pool */
	SetPageHWPoison(page);
	sigma_pool_failed(page_to_pfn(page));
}

struct page *sigma_memory_page(const struct sigma_memory *mem, u64 offset)
{
	for (unsigned int i = 0; i < mem->nr_segments; i++) {
		const struct sigma_segment *seg = &mem->segment[i];

		if (offset < seg->size)
			return pfn_to_page(PHYS_PFN(seg->phys + offset));
		offset -= seg->size;
	}
	return NULL;
}
