// SPDX-License-Identifier: GPL-2.0
/*
 * The area of memory objects: this side's half of it, and objects that move in and out: see object.h.
 *
 * A guarded guest's kernel reaches all of the area, whatever was granted, since nested page tables are
 * not changed while the guest runs. So on the host an object that is not lent to such a guest is not
 * in the area, but in memory of the host. That memory is kept while it is lent, so that taking an object
 * back cannot fail.
 */
#include <linux/bitmap.h>
#include <linux/err.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "fault.h"
#include "object.h"

/* Pages of one half */
static unsigned long half(const struct sigma_objects *set)
{
	return set->size / 2 >> PAGE_SHIFT;
}

struct sigma_range *sigma_area_alloc(struct sigma_objects *set, unsigned long nr_pages)
{
	struct sigma_range *range = sigma_fault() ? NULL : kmalloc(sizeof(*range), GFP_KERNEL);
	unsigned long page;

	if (!range)
		return ERR_PTR(-ENOMEM);
	page = bitmap_find_next_zero_area(set->used, half(set), 0, nr_pages, 0);
	if (page >= half(set)) {
		kfree(range);
		return ERR_PTR(-ENOSPC);
	}
	bitmap_set(set->used, page, nr_pages);
	*range = (struct sigma_range){ .page = page, .nr_pages = nr_pages, .users = 1 };
	return range;
}

void sigma_range_put(struct sigma_objects *set, struct sigma_range *range)
{
	if (!range || --range->users)
		return;
	if (!set->gone)
		bitmap_clear(set->used, range->page, range->nr_pages);
	kfree(range);
}

u64 sigma_area_offset(const struct sigma_objects *set, const struct sigma_range *range)
{
	u64 start = set->side == SIGMA_SIDE_HOST ? 0 : set->size / 2;

	return start + PFN_PHYS(range->page);
}

phys_addr_t sigma_range_phys(const struct sigma_objects *set, const struct sigma_range *range)
{
	return set->phys + sigma_area_offset(set, range);
}

bool sigma_area_is_theirs(const struct sigma_objects *set, u64 offset, u64 size)
{
	u64 start = set->side == SIGMA_SIDE_HOST ? set->size / 2 : 0, half = set->size / 2;

	return size && IS_ALIGNED(offset | size, SIGMA_OBJECT_ALIGN) && offset >= start &&
	       offset - start < half && size <= half - (offset - start);
}

int sigma_object_enter(struct sigma_object *object)
{
	struct sigma_objects *set = object->set;
	struct sigma_range *range = sigma_area_alloc(set, object->size >> PAGE_SHIFT);

	if (IS_ERR(range))
		return PTR_ERR(range);
	/* A program that touches it now waits for the lock, and finds it in its new place */
	sigma_object_unmap(object);
	memcpy(set->area + sigma_area_offset(set, range), object->private, object->size);
	object->range = range;
	return 0;
}

void sigma_object_leave(struct sigma_object *object)
{
	struct sigma_objects *set = object->set;

	sigma_object_unmap(object);
	memcpy(object->private, set->area + sigma_area_offset(set, object->range), object->size);
	sigma_range_put(set, object->range);
	object->range = NULL;
}
