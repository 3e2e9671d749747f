/* SPDX-License-Identifier: GPL-2.0 */
/* Lending and returning memory. */
#ifndef _SIGMA_MEMORY_H
#define _SIGMA_MEMORY_H

#include <linux/ioport.h>
#include <linux/types.h>

#include "pieces.h"

struct page;

/**
 * struct sigma_memory - the memory of a guest
 * @size: bytes
 * @gathered: bytes of @size taken so far
 * @only_node: see sigma_memory_lend()
 * @closed: see sigma_memory_lend()
 * @short_of: why not all could be taken: SIGMA_REASON_GUEST_MEMORY, SIGMA_REASON_SCATTERED,
 *	      SIGMA_REASON_NODE_MEMORY, or of sigma_memory_lend_at() a SIGMA_REASON_PLACE_*
 * @pieces: once all are gathered, sorted by address
 * @res: the entries of the pieces in /proc/iomem; without a parent if one could not be made
 * @nr_segments: number of @segment
 * @segment: the pieces; adjacent ones are merged, wherever they are from
 */
struct sigma_memory {
	u64 size;
	u64 gathered;
	bool only_node;
	const bool *closed;
	enum sigma_reason short_of;
	struct sigma_pieces pieces;
	struct resource res[SIGMA_SEGMENTS_MAX];
	unsigned int nr_segments;
	struct sigma_segment segment[SIGMA_SEGMENTS_MAX];
};

/**
 * sigma_memory_lend - take memory out of the host, all zero
 * @size: bytes, a multiple of SIGMA_SEGMENT_ALIGN
 * @node: NUMA node to try first
 * @only_node: take memory of no other node
 * @label: name in /proc/iomem; must stay valid until sigma_memory_return()
 * @closed: set by anybody, also meanwhile: take no more and fail
 *
 * Calls for several guests may run at the same time. May sleep for seconds. Return: 0, -ENOMEM
 * (@mem->short_of tells why), -EINTR, or -ESHUTDOWN (@closed). On an error nothing is taken.
 */
int sigma_memory_lend(struct sigma_memory *mem, u64 size, int node, bool only_node,
		      const char *label, const bool *closed);

/**
 * sigma_memory_lend_at - the same, with these pieces, from the pool and the host
 * @segments: @nr of them, as struct sigma_create_at has them
 * @failed_at: out, with -ENOMEM: the first address that could not be taken
 */
int sigma_memory_lend_at(struct sigma_memory *mem, const struct sigma_segment *segments,
			 unsigned int nr, const char *label, const bool *closed, u64 *failed_at);

/** sigma_memory_lendable - bytes that could be lent now; less where memory is fragmented */
u64 sigma_memory_lendable(void);

/** sigma_memory_return - give the memory back; no guest's CPU may use it any more */
void sigma_memory_return(struct sigma_memory *mem);

/** sigma_memory_has_pool - is any of it from the pool? */
bool sigma_memory_has_pool(const struct sigma_memory *mem);

/** sigma_memory_contains - does all of [@phys, @phys + @len) lie in one segment? */
bool sigma_memory_contains(const struct sigma_memory *mem, u64 phys, u64 len);

/**
 * sigma_memory_failed - there is a memory error at @phys
 *
 * If that is in @mem, its page is not used any more, not even once it is given back. May sleep.
 */
void sigma_memory_failed(const struct sigma_memory *mem, u64 phys);

/** sigma_memory_page - the page at byte @offset of the memory file; NULL beyond its end */
struct page *sigma_memory_page(const struct sigma_memory *mem, u64 offset);

#endif
