// SPDX-License-Identifier: GPL-2.0
/*
 * Grants of memory objects: see object.h, and uapi/object.h for the protocol and the ioctls.
 *
 * What the other kernel wrote is one table and one array of words. A grant is read once, compared with
 * the channel's session, and must lie in the other side's half of the area. A word that says that a
 * grant is held delays when memory is used again, and a revocation for REVOKE_TIMEOUT; nothing else
 * depends on it.
 *
 * Whatever ends a grant or a session, sigma_objects_settle() makes both sides agree again. It compares
 * what is with what should be, so nothing is lost if it runs once for several reasons.
 */
#include <linux/bitmap.h>
#include <linux/device.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "channel.h"
#include "doorbell.h"
#include "fault.h"
#include "object.h"

#define REVOKE_TIMEOUT	(2 * HZ)	/* in which a kernel that runs lets go */
#define ZERO_SIZE	((u64)SZ_1M)
#define COUNT_MASK	(U32_MAX / SIGMA_GRANTS)

static void ring(struct sigma_objects *set)
{
	sigma_doorbell_ring(set->tx, SIGMA_DOORBELL_OBJECTS);
}

/* Grants of this side. All that follows is called with set->lock held, unless it says otherwise */

static bool peer_holds(const struct sigma_objects *set, unsigned int place, u32 number)
{
	return !READ_ONCE(set->peer_down) &&
	       le32_to_cpu(READ_ONCE(set->theirs->held[place])) == number;
}

/* The place stays taken until the other kernel has let go: see finish() */
static void withdraw(struct sigma_objects *set, struct sigma_lent *lent)
{
	if (lent->withdrawn)
		return;
	WRITE_ONCE(set->ours->grant[lent - set->lent].number, 0);
	lent->withdrawn = true;
	smp_mb();	/* pairs with hold(): it sees this, or peer_holds() sees that it holds the grant */
}

static void finish(struct sigma_objects *set)
{
	for (unsigned int i = 0; i < SIGMA_GRANTS; i++) {
		struct sigma_lent *lent = &set->lent[i];

		if (!lent->withdrawn || peer_holds(set, i, lent->number))
			continue;
		sigma_range_put(set, lent->range);
		*lent = (struct sigma_lent){ };
	}
}

static unsigned int count_grants(const struct sigma_object *object)
{
	const struct sigma_objects *set = object->set;
	unsigned int count = 0;

	for (unsigned int i = 0; i < SIGMA_GRANTS; i++)
		count += set->lent[i].object == object && !set->lent[i].withdrawn;
	return count;
}

/* The other side's */

static bool stands(const struct sigma_object *object)
{
	const struct sigma_objects *set = object->set;
	u32 ours, theirs;

	return !sigma_channel_session(object->end, &ours, &theirs) && theirs == object->session &&
	       le32_to_cpu(READ_ONCE(set->theirs->grant[object->number % SIGMA_GRANTS].number)) ==
	       object->number;
}

/* Let go of what no program has any more. Return: the peer is to be told */
static bool let_go(struct sigma_objects *set)
{
	DECLARE_BITMAP(held, SIGMA_GRANTS);
	struct sigma_object *object;
	bool changed = false;

	bitmap_zero(held, SIGMA_GRANTS);
	list_for_each_entry(object, &set->objects, list)
		if (object->taken && !object->is_void)
			__set_bit(object->number % SIGMA_GRANTS, held);
	for (unsigned int i = 0; i < SIGMA_GRANTS; i++) {
		if (test_bit(i, held) || !set->ours->held[i])
			continue;
		/* After the mappings are gone */
		smp_store_release(&set->ours->held[i], 0);
		changed = true;
	}
	return changed;
}

/* Say that this side holds it. Return: is it granted? */
static bool hold(struct sigma_objects *set, u32 number)
{
	unsigned int place = number % SIGMA_GRANTS;
	u32 held = le32_to_cpu(set->ours->held[place]);

	if (held && held != number)
		return false;
	WRITE_ONCE(set->ours->held[place], cpu_to_le32(number));
	smp_mb();	/* pairs with withdraw() */
	return le32_to_cpu(READ_ONCE(set->theirs->grant[place].number)) == number;
}

/* Both */

/* Objects of a confined peer that are lent no more */
static void leave_area(struct sigma_objects *set)
{
	struct sigma_object *object;

	if (!set->confined)
		return;
	list_for_each_entry(object, &set->objects, list)
		if (object->range && !count_grants(object))
			sigma_object_leave(object);
}

static void settle(struct sigma_objects *set)
{
	struct sigma_object *object;
	bool changed = false;
	u32 ours, theirs;

	if (set->gone || !set->area)
		return;
	for (unsigned int i = 0; i < SIGMA_GRANTS; i++) {
		struct sigma_lent *lent = &set->lent[i];

		if (!lent->number || lent->withdrawn ||
		    (!sigma_channel_session(lent->end, &ours, &theirs) && ours == lent->session))
			continue;
		withdraw(set, lent);
		changed = true;
	}
	list_for_each_entry(object, &set->objects, list)
		if (object->taken && !object->is_void && !stands(object))
			sigma_object_void(object);
	leave_area(set);
	changed |= let_go(set);
	finish(set);
	if (changed)
		ring(set);
	wake_up_all(&set->wait);
}

/* Without the lock */
void sigma_objects_settle(struct sigma_objects *set)
{
	mutex_lock(&set->lock);
	settle(set);
	mutex_unlock(&set->lock);
}

static void settle_work(struct work_struct *work)
{
	sigma_objects_settle(container_of(work, struct sigma_objects, work));
}

void sigma_objects_rung(struct sigma_objects *set)
{
	schedule_work(&set->work);
}

void sigma_grants_drop(struct sigma_object *object)
{
	struct sigma_objects *set = object->set;
	bool changed = false;

	for (unsigned int i = 0; i < SIGMA_GRANTS; i++) {
		if (set->lent[i].object != object)
			continue;
		set->lent[i].object = NULL;
		withdraw(set, &set->lent[i]);
		changed = true;
	}
	if (object->taken && !set->gone)
		changed |= let_go(set);
	finish(set);
	if (changed)
		ring(set);
}

/* The ioctls; without the lock */

/* Install @object's file. The caller has written to user space all that it had to */
static int install(struct sigma_object *object)
{
	int fd = sigma_fault() ?: get_unused_fd_flags(O_CLOEXEC);

	if (fd < 0)
		fput(object->file);
	else
		fd_install(fd, object->file);
	return fd;
}

static struct sigma_object *new_object(struct sigma_objects *set, u64 size, bool taken)
{
	struct sigma_object *object = sigma_fault() ? NULL : kzalloc(sizeof(*object), GFP_KERNEL);

	if (!object)
		return NULL;
	object->set = set;
	object->size = size;
	object->taken = taken;
	object->is_void = taken;	/* until it is known */
	object->writable = true;
	return object;
}

/* Take room for @object, so that it can be in the area at any time. Return: 0 or a negative errno */
static int allot(struct sigma_object *object)
{
	struct sigma_objects *set = object->set;
	unsigned long nr_pages = object->size >> PAGE_SHIFT;
	int err = 0;

	mutex_lock(&set->lock);
	if (set->gone) {
		err = -ENODEV;
	} else if (nr_pages > set->room) {
		err = -ENOSPC;
	} else if (!set->confined) {
		object->range = sigma_area_alloc(set, nr_pages);
		err = PTR_ERR_OR_ZERO(object->range);
	}
	if (!err)
		set->room -= nr_pages;
	mutex_unlock(&set->lock);
	return err;
}

/* Zero it where it is. In pieces, each with the lock, since the area may go at any time */
static int zero(struct sigma_object *object)
{
	struct sigma_objects *set = object->set;
	int err = 0;

	for (u64 done = 0; !err && done < object->size; done += ZERO_SIZE) {
		mutex_lock(&set->lock);
		if (set->gone)
			err = -ENODEV;
		else
			memset(set->area + sigma_area_offset(set, object->range) + done, 0,
			       min(object->size - done, ZERO_SIZE));
		mutex_unlock(&set->lock);
		cond_resched();
	}
	return err;
}

static void give_up(struct sigma_object *object)
{
	struct sigma_objects *set = object->set;

	mutex_lock(&set->lock);
	sigma_range_put(set, object->range);
	set->room += object->size >> PAGE_SHIFT;
	mutex_unlock(&set->lock);
	vfree(object->private);
}

static long new(struct sigma_objects *set, const struct sigma_object_new __user *arg)
{
	struct sigma_object *object;
	struct sigma_object_new args;
	int err;

	if (copy_from_user(&args, arg, sizeof(args)))
		return -EFAULT;
	if (!args.size || args.flags)
		return -EINVAL;
	if (args.size > set->size)
		return -ENOSPC;
	object = new_object(set, ALIGN(args.size, SIGMA_OBJECT_ALIGN), false);
	if (!object)
		return -ENOMEM;
	err = allot(object);
	if (err)
		goto free_object;
	if (set->confined) {
		object->private = sigma_fault() ? NULL : vzalloc(object->size);
		err = object->private ? 0 : -ENOMEM;
	} else {
		err = zero(object);
	}
	if (!err)
		err = sigma_object_file(object);
	if (!err)
		return install(object);
	give_up(object);
free_object:
	kfree(object);
	return err;
}

static bool valid_grant(const struct sigma_object_grant *args, const struct sigma_object *object)
{
	return !(args->rights & ~SIGMA_OBJECT_WRITE) && !args->reserved && args->size &&
	       IS_ALIGNED(args->offset | args->size, SIGMA_OBJECT_ALIGN) &&
	       args->offset < object->size && args->size <= object->size - args->offset;
}

static struct sigma_lent *free_place(struct sigma_objects *set)
{
	for (unsigned int i = 0; i < SIGMA_GRANTS; i++)
		if (!set->lent[i].number)
			return &set->lent[i];
	return NULL;
}

/* With the lock held */
static int grant_locked(struct sigma_channel_end *end, struct sigma_object *object,
			struct sigma_object_grant *args)
{
	struct sigma_objects *set = object->set;
	struct sigma_lent *lent = free_place(set);
	struct sigma_grant *shared;
	u32 ours, theirs;
	int err;

	err = set->gone ? -ENODEV : sigma_channel_session(end, &ours, &theirs);
	if (err)
		return err;
	if (!lent)
		return -EMFILE;
	err = object->range ? 0 : sigma_object_enter(object);
	if (err)
		return err;
	set->count = (set->count + 1) & COUNT_MASK ?: 1;
	*lent = (struct sigma_lent){
		.number = set->count * SIGMA_GRANTS + (lent - set->lent), .session = ours,
		.end = end, .object = object, .range = object->range, .size = args->size,
	};
	object->range->users++;
	shared = &set->ours->grant[lent - set->lent];
	shared->channel = cpu_to_le32(end->number);
	shared->session = cpu_to_le32(ours);
	shared->rights = cpu_to_le32(args->rights);
	shared->offset = cpu_to_le64(sigma_area_offset(set, object->range) + args->offset);
	shared->size = cpu_to_le64(args->size);
	/* After what it means; pairs with read_grant() */
	smp_store_release(&shared->number, cpu_to_le32(lent->number));
	args->number = lent->number;
	return 0;
}

static long grant(struct sigma_channel_end *end, struct sigma_object_grant __user *arg)
{
	struct sigma_objects *set = &end->all->objects;
	struct sigma_object_grant args;
	struct sigma_object *object;
	struct file *file;
	int err;

	if (copy_from_user(&args, arg, sizeof(args)))
		return -EFAULT;
	file = fget(args.fd);
	object = file ? sigma_object_of(file) : NULL;
	if (object && !args.size && args.offset < object->size)
		args.size = object->size - args.offset;
	if (!object) {
		err = -EBADF;
	} else if (object->set != set) {
		err = -EXDEV;
	} else if (!valid_grant(&args, object)) {
		err = -EINVAL;
	} else {
		mutex_lock(&set->lock);
		err = grant_locked(end, object, &args);
		mutex_unlock(&set->lock);
	}
	if (file)
		fput(file);
	if (!err && put_user(args.number, &arg->number))
		err = -EFAULT;		/* it ends with the session */
	return err;
}

/*
 * With the lock held. Void the grant, and move what a confined peer had out of its reach. Return: what its
 * programs have mapped is not the object any more
 */
static bool revoke_locked(struct sigma_objects *set, struct sigma_lent *lent)
{
	const struct sigma_object *object = lent->object;
	bool moved;

	withdraw(set, lent);
	leave_area(set);
	moved = set->confined && !(object && object->range);
	finish(set);
	ring(set);
	return moved;
}

/* Could a program of the peer still have the memory that it was granted mapped? */
static bool still_mapped(struct sigma_objects *set, u32 number)
{
	return peer_holds(set, number % SIGMA_GRANTS, number) &&
	       (!set->peer_runs || set->peer_runs(set->data));
}

static long revoke(struct sigma_channel_end *end, const __u32 __user *arg)
{
	struct sigma_objects *set = &end->all->objects;
	bool found, moved = false;
	struct sigma_lent *lent;
	u32 number;
	long ret;

	if (get_user(number, arg))
		return -EFAULT;
	lent = &set->lent[number % SIGMA_GRANTS];
	mutex_lock(&set->lock);
	found = number && lent->number == number && lent->end == end;
	if (found)
		moved = revoke_locked(set, lent);
	mutex_unlock(&set->lock);
	if (!found)
		return -EBADF;
	ret = wait_event_interruptible_timeout(set->wait, !still_mapped(set, number),
					       REVOKE_TIMEOUT);
	if (ret < 0)
		return -EINTR;
	return still_mapped(set, number) && !moved ? -ETIMEDOUT : 0;
}

/* With the lock held. Return: 0, or a negative errno if what the other kernel wrote is no such grant */
static int read_grant(struct sigma_channel_end *end, u32 number, u32 session,
		      struct sigma_object *object)
{
	struct sigma_objects *set = object->set;
	const struct sigma_grant *shared = &set->theirs->grant[number % SIGMA_GRANTS];
	u32 rights;
	u64 offset;

	/* Before what it means; pairs with grant_locked() */
	if (!number || le32_to_cpu(smp_load_acquire(&shared->number)) != number ||
	    le32_to_cpu(READ_ONCE(shared->channel)) != end->number ||
	    le32_to_cpu(READ_ONCE(shared->session)) != session)
		return -EBADF;
	rights = le32_to_cpu(READ_ONCE(shared->rights));
	offset = le64_to_cpu(READ_ONCE(shared->offset));
	object->size = le64_to_cpu(READ_ONCE(shared->size));
	if (rights & ~SIGMA_OBJECT_WRITE || !sigma_area_is_theirs(set, offset, object->size))
		return -EPROTO;
	object->writable = rights & SIGMA_OBJECT_WRITE;
	object->phys = set->phys + offset;
	object->number = number;
	object->session = session;
	object->end = end;
	return 0;
}

/* With the lock held */
static int take_locked(struct sigma_channel_end *end, u32 number, struct sigma_object *object)
{
	struct sigma_objects *set = object->set;
	u32 ours, theirs;
	int err;

	err = set->gone ? -ENODEV : sigma_channel_session(end, &ours, &theirs);
	if (err)
		return err;
	/* Another one may have been at this place */
	settle(set);
	err = read_grant(end, number, theirs, object);
	if (err)
		return err;
	if (!hold(set, number)) {
		if (let_go(set))
			ring(set);
		return -EBADF;
	}
	i_size_write(file_inode(object->file), object->size);
	WRITE_ONCE(object->is_void, false);
	return 0;
}

static long take(struct sigma_channel_end *end, struct sigma_object_take __user *arg)
{
	struct sigma_objects *set = &end->all->objects;
	struct sigma_object_take args;
	struct sigma_object *object;
	int err;

	if (copy_from_user(&args, arg, sizeof(args)))
		return -EFAULT;
	if (args.flags & ~SIGMA_TAKE_ZEROES || args.reserved)
		return -EINVAL;
	object = new_object(set, 0, true);
	if (!object)
		return -ENOMEM;
	err = -ENOMEM;
	if (args.flags & SIGMA_TAKE_ZEROES) {
		object->zeroes = sigma_fault() ? NULL : alloc_page(GFP_KERNEL | __GFP_ZERO);
		if (!object->zeroes)
			goto free_object;
	}
	err = sigma_object_file(object);
	if (err)
		goto free_zeroes;
	mutex_lock(&set->lock);
	err = take_locked(end, args.number, object);
	mutex_unlock(&set->lock);
	args.size = object->size;
	args.rights = object->writable ? SIGMA_OBJECT_WRITE : 0;
	if (!err && copy_to_user(arg, &args, sizeof(args)))
		err = -EFAULT;
	if (!err)
		return install(object);
	fput(object->file);
	return err;

free_zeroes:
	if (object->zeroes)
		__free_page(object->zeroes);
free_object:
	kfree(object);
	return err;
}

long sigma_objects_ioctl(struct sigma_channel_end *end, unsigned int cmd, void __user *arg)
{
	struct sigma_objects *set = &end->all->objects;

	if (cmd != SIGMA_CHANNEL_NEW_OBJECT && cmd != SIGMA_CHANNEL_GRANT &&
	    cmd != SIGMA_CHANNEL_REVOKE && cmd != SIGMA_CHANNEL_TAKE)
		return -ENOTTY;
	/* Acquire: pairs with sigma_objects_open() */
	if (!smp_load_acquire(&set->area))
		return -EOPNOTSUPP;
	switch (cmd) {
	case SIGMA_CHANNEL_NEW_OBJECT:
		return new(set, arg);
	case SIGMA_CHANNEL_GRANT:
		return grant(end, arg);
	case SIGMA_CHANNEL_REVOKE:
		return revoke(end, arg);
	default:
		return take(end, arg);
	}
}

/* The set; without the lock */

void sigma_objects_init(struct sigma_objects *set, unsigned int side, void *window,
			struct sigma_doorbell_tx *tx)
{
	struct sigma_grants *tables = window + SIGMA_IOSC_OBJECTS_OFF;

	set->side = side;
	set->tx = tx;
	set->ours = &tables[side];
	set->theirs = &tables[!side];
	set->peer_down = true;
	mutex_init(&set->lock);
	INIT_LIST_HEAD(&set->objects);
	init_waitqueue_head(&set->wait);
	INIT_WORK(&set->work, settle_work);
}

int sigma_objects_open(struct sigma_objects *set, struct device *parent, void *area,
		       phys_addr_t phys, u64 size)
{
	unsigned long *used = sigma_fault() ? NULL :
			      bitmap_zalloc(size / 2 >> PAGE_SHIFT, GFP_KERNEL | __GFP_NOWARN);

	if (!used)
		return -ENOMEM;
	mutex_lock(&set->lock);
	set->used = used;
	set->room = size / 2 >> PAGE_SHIFT;
	set->parent = parent;
	set->phys = phys;
	set->size = size;
	/* Release: who sees the area sees the rest; pairs with sigma_objects_ioctl() */
	smp_store_release(&set->area, area);
	mutex_unlock(&set->lock);
	return 0;
}

/* With the lock held: nothing is lent any more, in either direction */
static void end_all(struct sigma_objects *set)
{
	struct sigma_object *object;

	WRITE_ONCE(set->peer_down, true);
	list_for_each_entry(object, &set->objects, list)
		if (object->taken && !object->is_void)
			sigma_object_void(object);
	for (unsigned int i = 0; i < SIGMA_GRANTS; i++)
		if (set->lent[i].number)
			withdraw(set, &set->lent[i]);
	finish(set);
	let_go(set);
}

void sigma_objects_forget(struct sigma_objects *set)
{
	mutex_lock(&set->lock);
	end_all(set);
	leave_area(set);
	mutex_unlock(&set->lock);
	wake_up_all(&set->wait);
}

void sigma_objects_restored(struct sigma_objects *set)
{
	mutex_lock(&set->lock);
	memset(set->ours, 0, sizeof(*set->ours));
	mutex_unlock(&set->lock);
	ring(set);
}

void sigma_objects_close(struct sigma_objects *set)
{
	struct sigma_object *object;

	mutex_lock(&set->lock);
	end_all(set);
	set->gone = true;
	list_for_each_entry(object, &set->objects, list) {
		sigma_object_void(object);
		sigma_range_put(set, object->range);
		object->range = NULL;
	}
	mutex_unlock(&set->lock);
	cancel_work_sync(&set->work);
	bitmap_free(set->used);
	set->used = NULL;
	wake_up_all(&set->wait);
}
