/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The pieces of a guest's memory while it is gathered. Pages that touch a piece become part of it, so
 * that the number of pieces, which is limited, tells how scattered the memory is, and not how much
 * there is.
 */
#ifndef _SIGMA_PIECES_H
#define _SIGMA_PIECES_H

#include <linux/stddef.h>
#include <linux/types.h>

#include "uapi/sigma.h"

struct sigma_piece {
	unsigned long pfn;
	unsigned long nr_pages;
	bool from_pool;			/* the pool gets it back */
};

/**
 * struct sigma_pieces - pieces that do not touch, but for those of different origin
 * @nr: number of pieces in @piece, which is in no order
 */
struct sigma_pieces {
	unsigned int nr;
	struct sigma_piece piece[SIGMA_SEGMENTS_MAX];
};

/* The piece that ends where @new begins, or begins where @new ends; NULL: there is none */
static inline struct sigma_piece *sigma_pieces_next_to(struct sigma_pieces *pieces,
						       const struct sigma_piece *new)
{
	for (unsigned int i = 0; i < pieces->nr; i++) {
		struct sigma_piece *piece = &pieces->piece[i];

		if (piece->from_pool == new->from_pool &&
		    (piece->pfn + piece->nr_pages == new->pfn ||
		     new->pfn + new->nr_pages == piece->pfn))
			return piece;
	}
	return NULL;
}

/** sigma_pieces_have_room - can @new be added? */
static inline bool sigma_pieces_have_room(struct sigma_pieces *pieces,
					  const struct sigma_piece *new)
{
	return pieces->nr < SIGMA_SEGMENTS_MAX || sigma_pieces_next_to(pieces, new);
}

/** sigma_pieces_add - add @new, for which there is room, and which overlaps no other piece */
static inline void sigma_pieces_add(struct sigma_pieces *pieces, struct sigma_piece new)
{
	struct sigma_piece *touched;

	/* Twice at most: a piece below and a piece above */
	while ((touched = sigma_pieces_next_to(pieces, &new))) {
		if (touched->pfn < new.pfn)
			new.pfn = touched->pfn;
		new.nr_pages += touched->nr_pages;
		*touched = pieces->piece[--pieces->nr];
	}
	pieces->piece[pieces->nr++] = new;
}

#endif
