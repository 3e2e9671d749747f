// SPDX-License-Identifier: GPL-2.0
/*
 * Who holds what of a guest's memory objects: the file "shared" of sysfs.c.
 *
 * Of the guest's grants the host counts what it would also let programs take: see read_grant() in
 * shared/grant.c. What the guest's programs hold its kernel says.
 */
#include <linux/mm.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "shared/channel.h"
#include "lent.h"

/* struct lent - what one side lends over one channel */
struct lent {
	unsigned int grants;
	u64 size, held;
};

static void add(struct lent *lent, u64 size, bool held)
{
	lent->grants++;
	lent->size += size;
	lent->held += held ? size : 0;
}

static void count_ours(const struct sigma_objects *set, struct lent *lent)
{
	for (unsigned int i = 0; i < SIGMA_GRANTS; i++) {
		const struct sigma_lent *grant = &set->lent[i];

		if (grant->number && !grant->withdrawn)
			add(&lent[grant->end->number - 1], grant->size,
			    le32_to_cpu(READ_ONCE(set->theirs->held[i])) == grant->number);
	}
}

static bool holds(const struct sigma_objects *set, u32 number)
{
	const struct sigma_object *object;

	list_for_each_entry(object, &set->objects, list)
		if (object->taken && !object->is_void && object->number == number)
			return true;
	return false;
}

static void count_theirs(const struct sigma_objects *set, struct lent *lent)
{
	for (unsigned int i = 0; i < SIGMA_GRANTS; i++) {
		const struct sigma_grant *grant = &set->theirs->grant[i];
		u32 number = le32_to_cpu(READ_ONCE(grant->number));
		u32 channel = le32_to_cpu(READ_ONCE(grant->channel));
		u64 offset = le64_to_cpu(READ_ONCE(grant->offset));
		u64 size = le64_to_cpu(READ_ONCE(grant->size));

		if (number && number % SIGMA_GRANTS == i && channel && channel <= SIGMA_CHANNELS &&
		    sigma_area_is_theirs(set, offset, size))
			add(&lent[channel - 1], size, holds(set, number));
	}
}

static int print(char *buf, int len, const char *side, const struct lent *lent)
{
	for (unsigned int i = 0; i < SIGMA_CHANNELS; i++)
		if (lent[i].grants)
			len += sysfs_emit_at(buf, len, "%s %u %u %llu %llu\n", side, i + 1,
					     lent[i].grants, lent[i].size, lent[i].held);
	return len;
}

int sigma_lent_show(struct sigma_objects *set, char *buf)
{
	struct lent ours[SIGMA_CHANNELS] = { }, theirs[SIGMA_CHANNELS] = { };
	u64 objects;
	int len;

	mutex_lock(&set->lock);
	if (!set->area || set->gone) {
		mutex_unlock(&set->lock);
		return 0;
	}
	objects = set->size / 2 - PFN_PHYS(set->room);
	count_ours(set, ours);
	if (!set->peer_down)
		count_theirs(set, theirs);
	mutex_unlock(&set->lock);
	len = sysfs_emit(buf, "half %llu %llu\n", set->size / 2, objects);
	len = print(buf, len, "host", ours);
	return print(buf, len, "guest", theirs);
}
