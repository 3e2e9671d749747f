// SPDX-License-Identifier: GPL-2.0
/* kmod/shared/limit.h: guests interrupt a simulated CPU as fast as they can. */
#include <stdbool.h>
#include <stdint.h>

#include "../../kmod/shared/limit.h"
#include "tap.h"

#define USEC		UINT64_C(1000)
#define SECOND		(1000000 * USEC)
#define TICK		(4000 * USEC)
#define PAUSE		(2 * TICK)
#define TAKEN		(10 * USEC)	/* by one interrupt */
#define GUESTS_MAX	64

/**
 * struct guest - one that interrupts
 * @on: it does so for that long, and then not for @off, again and again
 * @gap: from the end of one interrupt to the next
 * @taken: ns that its interrupts took
 * @pauses: number of times that they were made to pause
 */
struct guest {
	uint64_t on, off, gap;
	struct sigma_limit limit;
	uint64_t next, taken;
	unsigned int pauses;
};

static struct guest guests[GUESTS_MAX];
static struct sigma_limit all;
static uint64_t most;			/* the fullest that the CPU's bucket was */

/* When does it interrupt, at @now or later? */
static uint64_t interrupts_at(const struct guest *guest, uint64_t now)
{
	uint64_t cycle = guest->on + guest->off, into = now % cycle;

	return into < guest->on ? now : now - into + cycle;
}

static struct guest *first_of(unsigned int nr)
{
	struct guest *first = guests;

	for (unsigned int i = 1; i < nr; i++)
		if (guests[i].next < first->next)
			first = &guests[i];
	return first;
}

/* Return: percent of the CPU's time that the interrupts of @nr guests take in a second */
static unsigned int run(unsigned int nr)
{
	uint64_t now = 0, taken = 0;

	all = (struct sigma_limit) { };
	most = 0;
	for (unsigned int i = 0; i < nr; i++) {
		guests[i].limit = (struct sigma_limit) { };
		guests[i].next = interrupts_at(&guests[i], i * USEC);
		guests[i].taken = guests[i].pauses = 0;
	}
	while (now < SECOND) {
		struct guest *guest = first_of(nr);

		if (guest->next > now)
			now = guest->next;
		if (sigma_limit_exceeded(&all, &guest->limit, now, nr, TICK)) {
			guest->pauses++;
			guest->next = interrupts_at(guest, now + PAUSE);
			continue;
		}
		now += TAKEN;
		taken += TAKEN;
		guest->taken += TAKEN;
		sigma_limit_account(&all, &guest->limit, now, TAKEN, nr);
		if (all.ns > most)
			most = all.ns;
		guest->next = interrupts_at(guest, now + guest->gap);
	}
	return taken * 100 / now;
}

static void all_like(unsigned int nr, struct guest guest)
{
	for (unsigned int i = 0; i < nr; i++)
		guests[i] = guest;
}

/* However many they are, they get a quarter, and not much less */
TEST(all_the_time)
{
	for (unsigned int nr = 1; nr <= GUESTS_MAX; nr += 1 + nr / 2) {
		unsigned int share;

		all_like(nr, (struct guest) { .on = SECOND, .gap = USEC });
		share = run(nr);
		EXPECT_TRUE(share >= 15 && share <= 25);
		EXPECT_TRUE(most <= 2 * TICK + nr * TAKEN);
	}
}

/* Bursts of any length, of all at once or in turn */
TEST(now_and_then)
{
	for (unsigned int nr = 1; nr <= GUESTS_MAX; nr *= 2)
		for (uint64_t on = TICK / 8; on <= 4 * TICK; on += on / 2)
			for (uint64_t off = TICK / 4; off <= 16 * TICK; off *= 2) {
				all_like(nr, (struct guest) { .on = on, .off = off, .gap = USEC });
				EXPECT_TRUE(run(nr) <= 25);
				EXPECT_TRUE(most <= 2 * TICK + nr * TAKEN);
			}
}

/* One after the other, each for less than a tick: none is seen to ring for long */
TEST(in_turn)
{
	for (unsigned int nr = 2; nr <= 8; nr++) {
		all_like(nr, (struct guest) { .gap = USEC });
		for (unsigned int i = 0; i < nr; i++) {
			/* The first one after the others have had their turn, and so on */
			guests[i].on = TICK * 9 / 10 + i * USEC;
			guests[i].off = guests[i].on * (nr - 1);
		}
		EXPECT_TRUE(run(nr) <= 25);
	}
}

/* A guest that takes a fifth alone is never made to pause */
TEST(busy_guest)
{
	all_like(1, (struct guest) { .on = SECOND, .gap = 4 * TAKEN });
	EXPECT_TRUE(run(1) >= 19);
	EXPECT_EQ(0, guests[0].pauses);
}

/* Nor is one that takes less than its part, whatever the others do */
TEST(among_others)
{
	for (unsigned int nr = 2; nr <= GUESTS_MAX; nr *= 2) {
		all_like(nr, (struct guest) { .on = SECOND, .gap = USEC });
		guests[0].gap = (SIGMA_LIMIT_SHARE * nr + 1) * TAKEN;
		run(nr);
		EXPECT_EQ(0, guests[0].pauses);
		EXPECT_TRUE(guests[1].pauses > 0);
	}
}

/* The clock of the CPU to which the interrupt moved is behind */
TEST(clock_that_goes_back)
{
	struct sigma_limit limit = { .ns = 5, .at = 1000 };

	sigma_limit_take(&limit, 900, 7, 4);
	EXPECT_EQ(12, limit.ns);
	sigma_limit_take(&limit, 940, 0, 4);
	EXPECT_EQ(2, limit.ns);
	sigma_limit_take(&limit, 2000, 0, 4);
	EXPECT_EQ(0, limit.ns);
}

TEST_HARNESS_MAIN
