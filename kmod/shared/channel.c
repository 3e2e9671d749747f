// SPDX-License-Identifier: GPL-2.0
/*
 * The message channels of /dev/iosc: see channel.h, and uapi/channel.h for the protocol and the
 * devices.
 *
 * Two things decide what a file may do: the session, whose words only the two kernels write, and
 * the rings, which programs of either side may write to. So nothing in a ring is trusted, and a
 * broken ring ends the session. A message is copied once, between the user's buffer and the ring.
 *
 * No lock is shared with the peer. `lock` protects the session, and is held for a few instructions
 * only, since the doorbell's interrupt takes it, too. One mutex for each direction keeps threads
 * that share a file from mixing up records. A thread that is about to sleep sets in the shared
 * state what it waits for (want_data, want_room), and the doorbell clears that before it wakes the
 * thread. So each sleep costs one interrupt at most.
 *
 * Order: the peer publishes `produced` before it changes its `session`. So status() is called
 * before each look at the ring: a reader that finds the session over, and then the ring empty, has
 * read everything.
 */
#include <linux/device.h>
#include <linux/fs.h>
#include <linux/idr.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/uio.h>

#include "channel.h"
#include "fault.h"
#include "record.h"

#define SETS	256
#define MINORS	(SETS * SIGMA_CHANNELS)

static struct class sigma_channel_class = {
	.name = "iosc",
};
static dev_t first_devt;
static DEFINE_IDA(sets);		/* one number for each SIGMA_CHANNELS minors */

static struct sigma_channel_state *our_state(const struct sigma_channel_end *end)
{
	return &end->shared->state[end->all->side];
}

static const struct sigma_channel_state *their_state(const struct sigma_channel_end *end)
{
	return &end->shared->state[!end->all->side];
}

static struct sigma_channel_block *our_block(const struct sigma_channel_end *end)
{
	return &end->shared->block[end->all->side];
}

static const struct sigma_channel_block *their_block(const struct sigma_channel_end *end)
{
	return &end->shared->block[!end->all->side];
}

static void ring(struct sigma_channel_end *end)
{
	sigma_doorbell_ring(end->all->tx, SIGMA_DOORBELL_CHANNEL(end->number));
}

static u32 aligned(__le32 index)
{
	return ALIGN(le32_to_cpu(index), SIGMA_RECORD_ALIGN);
}

/* The session. The next three functions are called with end->lock held. */

static void publish(struct sigma_channel_end *end)
{
	struct sigma_channel_state *ours = our_state(end);

	WRITE_ONCE(ours->peer, 0);
	WRITE_ONCE(ours->want_data, 0);
	WRITE_ONCE(ours->want_room, 0);
	/* After the words above; pairs with look_at_peer() and status() of the peer */
	smp_store_release(&ours->session, cpu_to_le32(end->session));
}

static void end_session(struct sigma_channel_end *end, int error)
{
	if (!end->opened || end->error)
		return;
	WRITE_ONCE(end->error, error);
	/*
	 * Release: the peer sees what this session has produced before it sees the end. `peer` and
	 * the want words stay as they are.
	 */
	WRITE_ONCE(end->session, end->session + 1);	/* status() reads it without the lock */
	smp_store_release(&our_state(end)->session, cpu_to_le32(end->session));
	sigma_objects_rung(&end->all->objects);
}

/* Join the peer's session, or notice that it ended. Return: the peer's doorbell is to be rung */
static bool look_at_peer(struct sigma_channel_end *end)
{
	const struct sigma_channel_state *theirs = their_state(end);
	/* Before all else that the peer wrote: pair with publish() and look_at_peer() there */
	u32 session = le32_to_cpu(smp_load_acquire(&theirs->session));
	/* Likewise */
	u32 peer = le32_to_cpu(smp_load_acquire(&theirs->peer));

	if (!end->opened || end->error || !end->reachable)
		return false;
	if (end->joined) {
		if (session == end->joined)
			return false;
		end_session(end, -EPIPE);
		return true;
	}
	if (!(session & 1) || (peer && peer != end->session))
		return false;
	WRITE_ONCE(our_block(end)->consumed,
		   cpu_to_le32(aligned(READ_ONCE(their_block(end)->produced))));
	WRITE_ONCE(end->joined, session);
	/* The peer may produce once it sees this */
	smp_store_release(&our_state(end)->peer, cpu_to_le32(session));
	return true;
}

/*
 * Called without the lock. Return: 0 when both sides have joined, -EAGAIN when there is no peer
 * yet, else the error that ended the session.
 */
static int status(struct sigma_channel_end *end)
{
	const struct sigma_channel_state *theirs = their_state(end);
	/* Before all else that the peer wrote: pair with publish() and look_at_peer() there */
	u32 session = le32_to_cpu(smp_load_acquire(&theirs->session));
	/* Likewise */
	u32 peer = le32_to_cpu(smp_load_acquire(&theirs->peer));
	int error = READ_ONCE(end->error);
	u32 joined = READ_ONCE(end->joined);

	if (error)
		return error;
	if (!joined)
		return -EAGAIN;
	if (session != joined)
		return -EPIPE;
	return peer == READ_ONCE(end->session) ? 0 : -EAGAIN;
}

int sigma_channel_session(struct sigma_channel_end *end, u32 *ours, u32 *theirs)
{
	*ours = READ_ONCE(end->session);
	*theirs = READ_ONCE(end->joined);
	return status(end);
}

static int break_session(struct sigma_channel_end *end)
{
	spin_lock_irq(&end->lock);
	end_session(end, -EPROTO);
	spin_unlock_irq(&end->lock);
	ring(end);
	wake_up_interruptible(&end->wait);
	return -EPROTO;
}

static void handle_doorbell(struct sigma_channel_end *end)
{
	unsigned long flags;
	bool changed;

	/* Before the wake-up: a thread that goes on sleeping sets these again */
	WRITE_ONCE(our_state(end)->want_data, 0);
	WRITE_ONCE(our_state(end)->want_room, 0);
	spin_lock_irqsave(&end->lock, flags);
	changed = look_at_peer(end);
	spin_unlock_irqrestore(&end->lock, flags);
	if (changed)
		ring(end);
	wake_up_interruptible(&end->wait);
}

void sigma_channels_rung(struct sigma_channels *all, unsigned int doorbell)
{
	handle_doorbell(&all->end[doorbell - SIGMA_DOORBELL_END]);
}

void sigma_channels_up(struct sigma_channels *all)
{
	WRITE_ONCE(all->objects.peer_down, false);
	for (unsigned int i = 0; i < SIGMA_CHANNELS; i++) {
		struct sigma_channel_end *end = &all->end[i];

		spin_lock_irq(&end->lock);
		end->reachable = true;
		publish(end);
		spin_unlock_irq(&end->lock);
	}
}

/* A session that the peer has joined is over, and the next one has another number */
void sigma_channels_restored(struct sigma_channels *all)
{
	WRITE_ONCE(all->objects.peer_down, false);
	sigma_objects_restored(&all->objects);
	for (unsigned int i = 0; i < SIGMA_CHANNELS; i++) {
		struct sigma_channel_end *end = &all->end[i];
		u32 last = le32_to_cpu(READ_ONCE(our_state(end)->session)) | 1;

		spin_lock_irq(&end->lock);
		WRITE_ONCE(end->session, last + (end->opened ? 2 : 1));
		end->reachable = true;
		publish(end);
		spin_unlock_irq(&end->lock);
		ring(end);
	}
}

void sigma_channels_down(struct sigma_channels *all)
{
	WRITE_ONCE(all->objects.peer_down, true);
	sigma_objects_rung(&all->objects);
	for (unsigned int i = 0; i < SIGMA_CHANNELS; i++) {
		struct sigma_channel_end *end = &all->end[i];
		unsigned long flags;

		spin_lock_irqsave(&end->lock, flags);
		end->reachable = false;
		if (end->joined)
			end_session(end, -EPIPE);
		spin_unlock_irqrestore(&end->lock, flags);
		wake_up_interruptible(&end->wait);
	}
}

void sigma_channels_fall_asleep(struct sigma_channels *all)
{
	for (unsigned int i = 0; i < SIGMA_CHANNELS; i++)
		all->end[i].seen = READ_ONCE(their_block(&all->end[i])->produced);
}

u32 sigma_channels_sleep(struct sigma_channels *all)
{
	u32 news = 0;

	for (unsigned int i = 0; i < SIGMA_CHANNELS; i++) {
		struct sigma_channel_end *end = &all->end[i];

		if (!end->opened)
			continue;
		WRITE_ONCE(our_state(end)->want_data, cpu_to_le32(1));
		smp_mb();	/* pairs with ring_if_wanted() of the peer */
		if (READ_ONCE(their_block(end)->produced) != end->seen)
			news |= BIT(i);
	}
	return news;
}

void sigma_channels_forget(struct sigma_channels *all)
{
	for (unsigned int i = 0; i < SIGMA_CHANNELS; i++) {
		struct sigma_channel_end *end = &all->end[i];

		spin_lock_irq(&end->lock);
		if (end->joined)
			WRITE_ONCE(end->drained, true);
		spin_unlock_irq(&end->lock);
	}
	smp_wmb();	/* before the window is overwritten: see take() */
	sigma_objects_forget(&all->objects);
}

/* The rings */

static bool readable(struct sigma_channel_end *end)
{
	/* An invalid index counts as readable, too: take() reports it */
	return READ_ONCE(end->joined) && !READ_ONCE(end->drained) &&
	       READ_ONCE(their_block(end)->produced) != READ_ONCE(our_block(end)->consumed);
}

static bool writable(struct sigma_channel_end *end, u32 length)
{
	u32 produced = le32_to_cpu(READ_ONCE(our_block(end)->produced));
	u32 consumed = le32_to_cpu(READ_ONCE(their_block(end)->consumed));
	int used = sigma_record_used(produced, consumed);

	return used < 0 || sigma_record_need(produced, length) <= SIGMA_CHANNEL_RING - used;
}

static bool peer_wants_data(struct sigma_channel_end *end)
{
	return READ_ONCE(their_state(end)->want_data) &&
	       READ_ONCE(our_block(end)->produced) != READ_ONCE(their_block(end)->consumed);
}

static bool peer_wants_room(struct sigma_channel_end *end)
{
	u32 room = le32_to_cpu(READ_ONCE(their_state(end)->want_room));
	u32 produced = le32_to_cpu(READ_ONCE(their_block(end)->produced));
	u32 consumed = le32_to_cpu(READ_ONCE(our_block(end)->consumed));

	return room && SIGMA_CHANNEL_RING - (produced - consumed) >= room;
}

/* Called after an index was published */
static void ring_if_wanted(struct sigma_channel_end *end)
{
	/*
	 * Pairs with wants_data() and wants_room(): either this side sees what the peer wants, or
	 * the peer sees the new index.
	 */
	smp_mb();
	if (peer_wants_data(end) || peer_wants_room(end))
		ring(end);
}

static bool wants_data(struct sigma_channel_end *end)
{
	int err;

	WRITE_ONCE(our_state(end)->want_data, cpu_to_le32(1));
	smp_mb();	/* pairs with ring_if_wanted() */
	err = status(end);
	return readable(end) || (err && err != -EAGAIN);
}

static bool wants_room(struct sigma_channel_end *end, u32 length)
{
	u32 produced = le32_to_cpu(READ_ONCE(our_block(end)->produced));
	int err;

	WRITE_ONCE(our_state(end)->want_room, cpu_to_le32(sigma_record_need(produced, length)));
	smp_mb();	/* pairs with ring_if_wanted() */
	err = status(end);
	return err ? err != -EAGAIN : writable(end, length);
}

/* Return: bytes, 0 when there is no message, or a negative errno */
static ssize_t take(struct sigma_channel_end *end, struct iov_iter *to)
{
	const struct sigma_channel_block *theirs = their_block(end);
	struct sigma_channel_block *ours = our_block(end);
	struct sigma_record record;
	u32 produced, consumed;
	int found;

	if (!readable(end))
		return 0;
	/* Before the data; pairs with put() */
	produced = le32_to_cpu(smp_load_acquire(&theirs->produced));
	consumed = le32_to_cpu(READ_ONCE(ours->consumed));
	found = sigma_record_find(theirs->data, produced, consumed, &record);
	if (found > 0 && record.length > iov_iter_count(to))
		return -EMSGSIZE;
	if (found > 0 && copy_to_iter(theirs->data + record.offset, record.length, to) !=
	    record.length)
		return -EFAULT;
	/* Was the window reset during the copy? Pairs with sigma_channels_forget() */
	smp_rmb();
	if (READ_ONCE(end->drained))
		return 0;
	if (found <= 0)
		return found ? break_session(end) : 0;
	/* After the copy: the peer overwrites the record then; pairs with put() */
	smp_store_release(&ours->consumed, cpu_to_le32(record.next));
	ring_if_wanted(end);
	return record.length;
}

static ssize_t channel_read(struct kiocb *iocb, struct iov_iter *to)
{
	struct sigma_channel_end *end = iocb->ki_filp->private_data;
	ssize_t ret;
	int err;

	for (;;) {
		ret = mutex_lock_interruptible(&end->rx_lock);
		if (ret)
			return ret;
		err = status(end);
		ret = err == -EPROTO ? err : take(end, to);
		mutex_unlock(&end->rx_lock);
		if (ret)
			return ret;
		if (err && err != -EAGAIN)
			return err;
		if (iocb->ki_filp->f_flags & O_NONBLOCK) {
			/* An edge-triggered poller must be woken by the next message */
			if (wq_has_sleeper(&end->wait) && wants_data(end))
				continue;
			return -EAGAIN;
		}
		ret = wait_event_interruptible(end->wait, wants_data(end));
		if (ret || signal_pending(current))	/* even if the peer never lets it sleep */
			return ret ?: -ERESTARTSYS;
	}
}

/* Return: bytes, 0 when there is no room, or a negative errno */
static ssize_t put(struct sigma_channel_end *end, struct iov_iter *from)
{
	const struct sigma_channel_block *theirs = their_block(end);
	struct sigma_channel_block *ours = our_block(end);
	/* Before the record is overwritten; pairs with the peer's release of it */
	u32 consumed = le32_to_cpu(smp_load_acquire(&theirs->consumed));
	u32 produced = le32_to_cpu(READ_ONCE(ours->produced));
	struct sigma_record record;
	int err;

	err = sigma_record_place(produced, consumed, iov_iter_count(from), &record);
	if (err)
		return err == -ENOSPC ? 0 : break_session(end);
	if (copy_from_iter(ours->data + record.offset, record.length, from) != record.length)
		return -EFAULT;
	sigma_record_head(ours->data, produced, &record);
	/* After the record; pairs with the peer's read of it */
	smp_store_release(&ours->produced, cpu_to_le32(record.next));
	ring_if_wanted(end);
	return record.length;
}

static ssize_t channel_write(struct kiocb *iocb, struct iov_iter *from)
{
	struct sigma_channel_end *end = iocb->ki_filp->private_data;
	size_t length = iov_iter_count(from);
	ssize_t ret;

	if (!length)
		return -EINVAL;
	if (length > SIGMA_CHANNEL_MSG_MAX)
		return -EMSGSIZE;
	for (;;) {
		ret = mutex_lock_interruptible(&end->tx_lock);
		if (ret)
			return ret;
		ret = status(end);
		if (!ret)
			ret = put(end, from);
		mutex_unlock(&end->tx_lock);
		if (ret && ret != -EAGAIN)
			return ret;
		if (iocb->ki_filp->f_flags & O_NONBLOCK) {
			if (wq_has_sleeper(&end->wait) && wants_room(end, length))
				continue;
			return -EAGAIN;
		}
		ret = wait_event_interruptible(end->wait, wants_room(end, length));
		if (ret || signal_pending(current))	/* even if the peer never lets it sleep */
			return ret ?: -ERESTARTSYS;
	}
}

static __poll_t channel_poll(struct file *file, poll_table *pt)
{
	struct sigma_channel_end *end = file->private_data;
	__poll_t asked = poll_requested_events(pt), events = 0;
	bool sleeps;
	int err;

	poll_wait(file, &end->wait, pt);
	/* A poll that does not sleep asks for no doorbell */
	sleeps = wq_has_sleeper(&end->wait);
	err = status(end);
	if (readable(end) || (sleeps && asked & EPOLLIN && wants_data(end) && readable(end)))
		events |= EPOLLIN | EPOLLRDNORM;
	if (!err && (writable(end, SIGMA_CHANNEL_MSG_MAX) ||
		     (sleeps && asked & EPOLLOUT && wants_room(end, SIGMA_CHANNEL_MSG_MAX))))
		events |= EPOLLOUT | EPOLLWRNORM;
	/* Check again: the session may have ended since the first look */
	err = status(end);
	if (err && err != -EAGAIN)
		events = (events & ~(EPOLLOUT | EPOLLWRNORM)) | EPOLLERR | EPOLLHUP;
	return events;
}

static long channel_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	if (cmd != SIGMA_CHANNEL_KICK)
		return sigma_objects_ioctl(file->private_data, cmd, (void __user *)arg);
	ring_if_wanted(file->private_data);
	return 0;
}

/* A program may read all of the channel, and write to the block of its own side */
static int channel_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct sigma_channel_end *end = file->private_data;
	unsigned long size = vma->vm_end - vma->vm_start;
	u64 offset = (u64)vma->vm_pgoff << PAGE_SHIFT;
	u64 ours = (void *)our_block(end) - (void *)end->shared;
	phys_addr_t phys = end->all->phys + (end->number - 1) * SIGMA_CHANNEL_SIZE + offset;

	if (!(vma->vm_flags & VM_MAYSHARE) || offset >= SIGMA_CHANNEL_SIZE ||
	    size > SIGMA_CHANNEL_SIZE - offset)
		return -EINVAL;
	if (!(vma->vm_flags & VM_WRITE))
		vm_flags_clear(vma, VM_MAYWRITE);
	else if (offset < ours || offset + size > ours + sizeof(struct sigma_channel_block))
		return -EPERM;
	vm_flags_set(vma, VM_DONTEXPAND | VM_DONTDUMP);
	return remap_pfn_range(vma, vma->vm_start, PHYS_PFN(phys), size, vma->vm_page_prot);
}

static int channel_open(struct inode *inode, struct file *file)
{
	struct sigma_channels *all = container_of(inode->i_cdev, struct sigma_channels, cdev);
	struct sigma_channel_end *end = &all->end[inode->i_rdev - all->first];
	int err = 0;

	spin_lock_irq(&end->lock);
	if (READ_ONCE(all->gone)) {	/* it is one for all ends, which have a lock each */
		err = -ENODEV;
	} else if (end->opened) {
		err = -EBUSY;
	} else {
		end->opened = true;
		end->drained = false;
		end->error = 0;
		end->joined = 0;
		end->session++;
		/* A program may have left any value there */
		WRITE_ONCE(our_block(end)->produced,
			   cpu_to_le32(aligned(READ_ONCE(our_block(end)->produced))));
		publish(end);
		/*
		 * The peer does the same: publish, barrier, look. So at least one side sees the
		 * other and joins at once; the other side joins when its doorbell rings.
		 */
		smp_mb();
		look_at_peer(end);
	}
	spin_unlock_irq(&end->lock);
	if (err)
		return err;
	ring(end);
	file->private_data = end;
	return stream_open(inode, file);
}

static int channel_release(struct inode *inode, struct file *file)
{
	struct sigma_channel_end *end = file->private_data;

	spin_lock_irq(&end->lock);
	end_session(end, -EPIPE);
	end->opened = false;
	spin_unlock_irq(&end->lock);
	ring(end);
	return 0;
}

static const struct file_operations channel_fops = {
	.owner		= THIS_MODULE,
	.open		= channel_open,
	.release	= channel_release,
	.read_iter	= channel_read,
	.write_iter	= channel_write,
	.poll		= channel_poll,
	.mmap		= channel_mmap,
	.unlocked_ioctl	= channel_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
};

/* Devices */

void sigma_channels_init(struct sigma_channels *all, unsigned int side, void *window,
			 phys_addr_t phys, struct sigma_doorbell_tx *tx)
{
	all->side = side;
	all->phys = phys + SIGMA_IOSC_CHANNELS_OFF;
	all->tx = tx;
	sigma_objects_init(&all->objects, side, window, tx);
	for (unsigned int i = 0; i < SIGMA_CHANNELS; i++) {
		struct sigma_channel_end *end = &all->end[i];

		end->all = all;
		end->number = i + 1;
		end->shared = window + SIGMA_IOSC_CHANNEL_OFF(end->number);
		spin_lock_init(&end->lock);
		mutex_init(&end->rx_lock);
		mutex_init(&end->tx_lock);
		init_waitqueue_head(&end->wait);
	}
}

static void remove_nodes(struct sigma_channels *all, unsigned int nr)
{
	while (nr)
		device_destroy(&sigma_channel_class, all->first + --nr);
}

/* The first node and the last one fail in tests, with none and with all others to take back */
static void *node_fault(unsigned int i)
{
	return !i || i == SIGMA_CHANNELS - 1 ? sigma_fault_ptr() : NULL;
}

/* In a device's name '!' stands for the '/' of its node */
static int make_nodes(struct sigma_channels *all, struct device *parent, const char *name)
{
	for (unsigned int i = 0; i < SIGMA_CHANNELS; i++) {
		struct device *dev = node_fault(i) ?:
			device_create(&sigma_channel_class, parent, all->first + i, NULL,
				      "iosc!%s%s%u", name ?: "", name ? "!" : "", i + 1);

		if (IS_ERR(dev)) {
			remove_nodes(all, i);
			return PTR_ERR(dev);
		}
	}
	return 0;
}

int sigma_channels_add(struct sigma_channels *all, struct device *parent, const char *name)
{
	int set, err;

	set = sigma_fault() ?: ida_alloc_max(&sets, SETS - 1, GFP_KERNEL);
	if (set < 0)
		return set;
	all->first = first_devt + set * SIGMA_CHANNELS;
	cdev_init(&all->cdev, &channel_fops);
	all->cdev.owner = THIS_MODULE;
	cdev_set_parent(&all->cdev, &parent->kobj);
	err = sigma_fault() ?: cdev_add(&all->cdev, all->first, SIGMA_CHANNELS);
	if (err)
		goto free_set;
	err = make_nodes(all, parent, name);
	if (err)
		goto del_cdev;
	return 0;

del_cdev:
	cdev_del(&all->cdev);
free_set:
	ida_free(&sets, set);
	return err;
}

void sigma_channels_del(struct sigma_channels *all)
{
	remove_nodes(all, SIGMA_CHANNELS);
	cdev_del(&all->cdev);
	ida_free(&sets, (all->first - first_devt) / SIGMA_CHANNELS);
	for (unsigned int i = 0; i < SIGMA_CHANNELS; i++) {
		struct sigma_channel_end *end = &all->end[i];

		spin_lock_irq(&end->lock);
		WRITE_ONCE(all->gone, true);
		end_session(end, -EPIPE);
		spin_unlock_irq(&end->lock);
		wake_up_interruptible(&end->wait);
	}
	sigma_objects_close(&all->objects);
}

int sigma_channels_setup(void)
{
	int err = sigma_fault() ?: class_register(&sigma_channel_class);

	if (err)
		return err;
	err = sigma_fault() ?: alloc_chrdev_region(&first_devt, 0, MINORS, "iosc");
	if (err)
		class_unregister(&sigma_channel_class);
	return err;
}

void sigma_channels_teardown(void)
{
	unregister_chrdev_region(first_devt, MINORS);
	class_unregister(&sigma_channel_class);
}
