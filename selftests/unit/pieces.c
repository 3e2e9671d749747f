// SPDX-License-Identifier: GPL-2.0
/* kmod/pieces.h: memory that is gathered piece by piece. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../kmod/pieces.h"
#include "tap.h"

#define GIB_PAGES	(1UL << 18)

static struct sigma_pieces pieces;

static bool add(unsigned long pfn, unsigned long nr_pages, bool from_pool)
{
	const struct sigma_piece new = { pfn, nr_pages, from_pool };

	if (!sigma_pieces_have_room(&pieces, &new))
		return false;
	sigma_pieces_add(&pieces, new);
	return true;
}

static bool has(unsigned long pfn, unsigned long nr_pages)
{
	for (unsigned int i = 0; i < pieces.nr; i++)
		if (pieces.piece[i].pfn == pfn && pieces.piece[i].nr_pages == nr_pages)
			return true;
	return false;
}

TEST(neighbours_are_one_piece)
{
	pieces.nr = 0;
	/* A terabyte from the top down, as it is gathered */
	for (unsigned long i = 1024; i > 0; i--)
		ASSERT_TRUE(add(i * GIB_PAGES, GIB_PAGES, false));
	EXPECT_EQ(1, pieces.nr);
	EXPECT_TRUE(has(GIB_PAGES, 1024 * GIB_PAGES));
}

TEST(a_gap_that_is_filled_joins_two)
{
	pieces.nr = 0;
	EXPECT_TRUE(add(1000, 100, false));
	EXPECT_TRUE(add(1200, 100, false));
	EXPECT_TRUE(add(2000, 100, false));
	EXPECT_EQ(3, pieces.nr);
	EXPECT_TRUE(add(1100, 100, false));
	EXPECT_EQ(2, pieces.nr);
	EXPECT_TRUE(has(1000, 300));
	EXPECT_TRUE(has(2000, 100));
}

TEST(the_pools_memory_stays_apart)
{
	pieces.nr = 0;
	EXPECT_TRUE(add(1000, 100, true));
	EXPECT_TRUE(add(1100, 100, false));
	EXPECT_EQ(2, pieces.nr);
	EXPECT_TRUE(add(1200, 50, false));
	EXPECT_TRUE(add(900, 100, true));
	EXPECT_EQ(2, pieces.nr);
	EXPECT_TRUE(has(900, 200));
	EXPECT_TRUE(has(1100, 150));
}

TEST(when_all_are_taken_only_neighbours_fit)
{
	pieces.nr = 0;
	for (unsigned long i = 0; i < SIGMA_SEGMENTS_MAX; i++)
		ASSERT_TRUE(add(i * 1000, 100, false));
	EXPECT_FALSE(add(500, 100, false));
	EXPECT_TRUE(add(100, 100, false));
	EXPECT_EQ(SIGMA_SEGMENTS_MAX, pieces.nr);
	EXPECT_FALSE(add(200, 100, true));
	EXPECT_TRUE(add(200, 800, false));
	EXPECT_EQ(SIGMA_SEGMENTS_MAX - 1, pieces.nr);
	EXPECT_TRUE(has(0, 1100));
	EXPECT_TRUE(add(500000, 100, false));
}

TEST_HARNESS_MAIN
