/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory objects: see uapi/object.h for what they are, and for the protocol in shared memory.
 *
 *	area.c		this side's half of the area: allotting it, and moving objects in and out
 *	object.c	objects as files that programs map
 *	grant.c		grants: lending, taking, revoking
 *
 * They are linked into sigma.ko and into sigma_guest.ko.
 */
#ifndef _SIGMA_OBJECT_H
#define _SIGMA_OBJECT_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "../uapi/object.h"

struct device;
struct file;
struct page;
struct sigma_channel_end;
struct sigma_doorbell_tx;
struct sigma_objects;

/**
 * struct sigma_range - a piece of this side's half of the area
 * @users: the object that is there, and grants that the other kernel may not have let go of yet
 */
struct sigma_range {
	unsigned long page, nr_pages;
	unsigned int users;
};

/**
 * struct sigma_object - an object of this side, or one of the other side that was taken
 * @set: the guest's objects
 * @file: what programs have open
 * @size: bytes, a multiple of SIGMA_OBJECT_ALIGN
 * @taken: it is of the other side
 * @writable: programs may write to it
 * @is_void: see poll in uapi/object.h
 * @range: of this side's: where in the area it is, or NULL
 * @private: of this side's, for a confined peer: where it is while @range is NULL, from vmalloc()
 * @end: of one taken: the channel
 * @number: of one taken: of the grant
 * @session: of one taken: the peer's session
 * @phys: of one taken: its address
 * @zeroes: of one taken: what is mapped in its place once it is void; or NULL
 */
struct sigma_object {
	struct sigma_objects *set;
	struct list_head list;
	struct file *file;
	u64 size;
	bool taken, writable, is_void;
	struct sigma_range *range;
	void *private;
	struct sigma_channel_end *end;
	u32 number, session;
	phys_addr_t phys;
	struct page *zeroes;
};

/**
 * struct sigma_lent - a grant of this side
 * @number: as in shared memory; 0: the place is free
 * @withdrawn: it is void, but the other kernel may not have let go of it
 * @session: this side's session of channel @end
 * @object: NULL: it has gone
 * @size: bytes
 */
struct sigma_lent {
	u32 number, session;
	bool withdrawn;
	struct sigma_channel_end *end;
	struct sigma_object *object;
	struct sigma_range *range;
	u64 size;
};

/**
 * struct sigma_objects - the objects and grants of one guest, on one side
 * @lock: protects all below; taken in page faults of objects
 * @parent: outlives each open object
 * @tx: sends doorbells to the peer
 * @ours: this side's table in the window
 * @theirs: the other side's
 * @peer_runs: on the host: could the guest's kernel answer now? NULL: always
 * @data: its argument
 * @confined: the peer's kernel must not reach what is not lent: objects are in the area only while
 *	      they are
 * @peer_down: the peer's kernel has stopped
 * @gone: the guest was destroyed
 * @area: the area, mapped; NULL: there is none
 * @phys: its address
 * @size: its bytes
 * @used: a bit for each page of this side's half
 * @room: pages of this side's half that no object has
 * @objects: all that are open
 * @lent: this side's grants
 * @count: makes numbers of grants differ
 * @wait: woken when anything changes
 * @work: see sigma_objects_settle()
 */
struct sigma_objects {
	struct mutex lock;
	struct device *parent;
	struct sigma_doorbell_tx *tx;
	unsigned int side;
	struct sigma_grants *ours;
	const struct sigma_grants *theirs;
	bool (*peer_runs)(void *data);
	void *data;
	bool confined, peer_down, gone;
	void *area;
	phys_addr_t phys;
	u64 size;
	unsigned long *used;
	unsigned long room;
	struct list_head objects;
	struct sigma_lent lent[SIGMA_GRANTS];
	u32 count;
	wait_queue_head_t wait;
	struct work_struct work;
};

/**
 * sigma_objects_init - fill in @set, without an area; call it before doorbells can arrive
 * @side: enum sigma_channel_side
 * @window: the IOSC window
 */
void sigma_objects_init(struct sigma_objects *set, unsigned int side, void *window,
			struct sigma_doorbell_tx *tx);

/**
 * sigma_objects_open - there is an area
 * @parent: owns @set, the window and the area's mapping, and lives as long as an object is open
 * @area: @size bytes, mapped; a multiple of 2 * SIGMA_OBJECT_ALIGN
 *
 * May sleep. Return: 0 or -ENOMEM.
 */
int sigma_objects_open(struct sigma_objects *set, struct device *parent, void *area,
		       phys_addr_t phys, u64 size);

/** sigma_objects_close - the area and the peer are about to go: all objects are void. May sleep. */
void sigma_objects_close(struct sigma_objects *set);

/**
 * sigma_objects_forget - the peer's kernel has stopped, and the window is about to be overwritten:
 * nothing is lent any more, in either direction. May sleep.
 */
void sigma_objects_forget(struct sigma_objects *set);

/** sigma_objects_restored - the window is that of a peer that sleeps, for which nothing is lent yet */
void sigma_objects_restored(struct sigma_objects *set);

/**
 * sigma_objects_settle - end what is over: grants of sessions that have ended, and what programs have
 * of the other side that is not lent any more. May sleep.
 */
void sigma_objects_settle(struct sigma_objects *set);

/** sigma_objects_rung - have that done soon, since something has changed. May take spinlocks. */
void sigma_objects_rung(struct sigma_objects *set);

/** sigma_objects_ioctl - SIGMA_CHANNEL_NEW_OBJECT to SIGMA_CHANNEL_TAKE, else -ENOTTY */
long sigma_objects_ioctl(struct sigma_channel_end *end, unsigned int cmd, void __user *arg);

/* Among the three files. With set->lock held, unless said otherwise */

/** sigma_area_alloc - a range that is not zeroed, with one user. ERR_PTR: -ENOSPC, -ENOMEM */
struct sigma_range *sigma_area_alloc(struct sigma_objects *set, unsigned long nr_pages);

/** sigma_range_put - one user less of @range, which may be NULL; the last one gives it back */
void sigma_range_put(struct sigma_objects *set, struct sigma_range *range);

/** sigma_range_phys - its address */
phys_addr_t sigma_range_phys(const struct sigma_objects *set, const struct sigma_range *range);

/** sigma_area_offset - of @range in the area */
u64 sigma_area_offset(const struct sigma_objects *set, const struct sigma_range *range);

/** sigma_area_is_theirs - are the @size bytes at @offset in the other side's half, and aligned? */
bool sigma_area_is_theirs(const struct sigma_objects *set, u64 offset, u64 size);

/** sigma_object_enter - move an object of this side to the area. Return: 0, -ENOSPC, -ENOMEM */
int sigma_object_enter(struct sigma_object *object);

/** sigma_object_leave - move an object of this side out of the area, and of the peer's reach */
void sigma_object_leave(struct sigma_object *object);

/** sigma_object_unmap - no program has it mapped afterwards, until it touches it again */
void sigma_object_unmap(struct sigma_object *object);

/**
 * sigma_object_file - make the file of @object, and put it on the list. Without set->lock
 *
 * Return: 0 or a negative errno. Afterwards fput() gives all up, before it the caller does.
 */
int sigma_object_file(struct sigma_object *object);

/** sigma_object_of - the object of @file, if it is one of this side's; NULL. Any context */
struct sigma_object *sigma_object_of(const struct file *file);

/** sigma_object_void - an access to it fails from now on */
void sigma_object_void(struct sigma_object *object);

/** sigma_grants_drop - @object is about to go, with all its grants, or what is held by it */
void sigma_grants_drop(struct sigma_object *object);

#endif
