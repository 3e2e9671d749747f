// SPDX-License-Identifier: GPL-2.0
/*
 * The IOSC (inter-OS communication) window of one guest, host side: see uapi/iosc.h.
 *
 * The window is host memory and lives as long as the guest's device, so that the log of a dead
 * guest can be read. A doorbell of the guest signals an eventfd (a "kick", for virtqueues, which
 * this module does not interpret), wakes readers of the control ring, or reaches a channel. An
 * eventfd that user space signals rings a doorbell of the guest (a "call"), directly from the
 * context that signals it. The model for both is virt/kvm/eventfd.c.
 */
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/poll.h>
#include <linux/rcupdate.h>
#include <linux/sched/isolation.h>
#include <linux/slab.h>

#include "guard/guard.h"
#include "shared/channel.h"
#include "shared/fault.h"
#include "iosc.h"
#include "view.h"

static struct workqueue_struct *shutdown_wq;	/* frees calls whose eventfd was closed */
static DEFINE_PER_CPU(unsigned int, nr_guests);	/* interrupt this CPU; under sigma_guests_lock */

u64 sigma_iosc_phys(const struct sigma_iosc *iosc)
{
	return virt_to_phys(iosc->window);
}

/* See sigma_doorbell_rx.handler for the context */
static void doorbell_rung(void *data, unsigned int n)
{
	struct sigma_iosc *iosc = data;
	struct eventfd_ctx *ctx;

	switch (n) {
	case SIGMA_DOORBELL_CONTROL:
		wake_up_interruptible(iosc->wait);
		break;
	case SIGMA_DOORBELL_STATE:
		schedule_work(iosc->state_work);
		break;
	case SIGMA_DOORBELL_OBJECTS:
		sigma_objects_rung(&iosc->channels->objects);
		break;
	case SIGMA_DOORBELL_END ... SIGMA_DOORBELLS - 1:
		sigma_channels_rung(iosc->channels, n);
		break;
	default:
		rcu_read_lock();
		ctx = rcu_dereference(iosc->kick[n]);
		if (ctx)
			sigma_eventfd_signal(ctx);
		rcu_read_unlock();
	}
}

/* The guard needs a copy of the target that the guest can't write to */
static void doorbell_published(void *data, u64 target)
{
	const struct sigma_iosc *iosc = data;

	sigma_guard_publish(iosc->guard, target);
}

static void doorbell_rearm(void *data)
{
	const struct sigma_iosc *iosc = data;

	sigma_guard_arm(iosc->guard);
}

/*
 * The guest wrote the target: only one of its own CPUs is allowed, anything else is the host's. A guest
 * that sleeps has none, but sigmad may want to wake it
 */
static bool may_interrupt(void *data, u32 apic_id, u32 vector)
{
	struct sigma_iosc *iosc = data;
	const enum sigma_state state = READ_ONCE(*iosc->state);

	if (state == SIGMA_STATE_ASLEEP) {
		atomic_set(&iosc->rung_asleep, 1);
		schedule_work(iosc->state_work);
	}
	if (!sigma_state_alive(state))
		return false;
	for (unsigned int i = 0; i < iosc->view->nr_cpus; i++)
		if (iosc->view->apic_ids[i] == apic_id)
			return true;
	return false;
}

/* An eventfd was signalled. Its wait queue is locked */
static int call_wakeup(wait_queue_entry_t *wait, unsigned int mode, int sync, void *key)
{
	struct sigma_call *call = container_of(wait, struct sigma_call, wait);
	__poll_t events = key_to_poll(key);
	u64 count;

	if (events & EPOLLIN) {
		/* Otherwise the eventfd would stay readable, and its counter could become full */
		eventfd_ctx_do_read(call->ctx, &count);
		sigma_doorbell_ring(&call->iosc->doorbell_tx, call->doorbell);
	}
	if (events & EPOLLHUP)
		queue_work(shutdown_wq, &call->shutdown);
	return 0;
}

static void call_queue(struct file *file, wait_queue_head_t *head, poll_table *pt)
{
	struct sigma_call *call = container_of(pt, struct sigma_call, pt);

	add_wait_queue(head, &call->wait);
}

static void call_detach(struct sigma_call *call)
{
	u64 count;

	eventfd_ctx_remove_wait_queue(call->ctx, &call->wait, &count);
	eventfd_ctx_put(call->ctx);
}

/* The last file of the eventfd was closed */
static void call_shutdown(struct work_struct *work)
{
	struct sigma_call *call = container_of(work, struct sigma_call, shutdown);
	struct sigma_iosc *iosc = call->iosc;
	bool ours;

	mutex_lock(&iosc->bind_lock);
	ours = iosc->call[call->doorbell] == call;
	if (ours)
		iosc->call[call->doorbell] = NULL;
	mutex_unlock(&iosc->bind_lock);
	if (!ours)		/* unbind_call() is waiting for this work */
		return;
	call_detach(call);
	kfree(call);
}

/* Called with bind_lock held, which is dropped while waiting */
static void unbind_call(struct sigma_iosc *iosc, unsigned int n)
{
	struct sigma_call *call = iosc->call[n];

	if (!call)
		return;
	iosc->call[n] = NULL;
	mutex_unlock(&iosc->bind_lock);
	call_detach(call);
	cancel_work_sync(&call->shutdown);
	kfree(call);
	mutex_lock(&iosc->bind_lock);
}

/* Called with bind_lock held */
static struct eventfd_ctx *take_kick(struct sigma_iosc *iosc, unsigned int n)
{
	return rcu_replace_pointer(iosc->kick[n], NULL, lockdep_is_held(&iosc->bind_lock));
}

int sigma_iosc_bind_kick(struct sigma_iosc *iosc, unsigned int doorbell, int fd)
{
	struct eventfd_ctx *ctx = NULL, *old;

	if (doorbell >= SIGMA_DOORBELL_END ||
	    (doorbell < SIGMA_DOORBELL_FIRST && doorbell != SIGMA_DOORBELL_LOG))
		return -EINVAL;
	if (fd >= 0) {
		ctx = sigma_fault_ptr() ?: eventfd_ctx_fdget(fd);
		if (IS_ERR(ctx))
			return PTR_ERR(ctx);
	}

	mutex_lock(&iosc->bind_lock);
	old = take_kick(iosc, doorbell);
	rcu_assign_pointer(iosc->kick[doorbell], ctx);
	mutex_unlock(&iosc->bind_lock);
	if (old) {
		synchronize_rcu();	/* doorbell_rung() */
		eventfd_ctx_put(old);
	}
	return 0;
}

int sigma_iosc_bind_call(struct sigma_iosc *iosc, unsigned int doorbell, int fd)
{
	struct sigma_call *call;
	struct file *file;
	int err;

	if (doorbell < SIGMA_DOORBELL_FIRST || doorbell >= SIGMA_DOORBELL_END)
		return -EINVAL;
	if (fd < 0) {
		mutex_lock(&iosc->bind_lock);
		unbind_call(iosc, doorbell);
		mutex_unlock(&iosc->bind_lock);
		return 0;
	}

	call = sigma_fault() ? NULL : kzalloc(sizeof(*call), GFP_KERNEL);
	if (!call)
		return -ENOMEM;
	call->iosc = iosc;
	call->doorbell = doorbell;
	INIT_WORK(&call->shutdown, call_shutdown);
	init_waitqueue_func_entry(&call->wait, call_wakeup);
	init_poll_funcptr(&call->pt, call_queue);

	file = sigma_fault() ? NULL : fget(fd);
	if (!file) {
		err = -EBADF;
		goto free_call;
	}
	call->ctx = sigma_fault_ptr() ?: eventfd_ctx_fileget(file);
	if (IS_ERR(call->ctx)) {
		err = PTR_ERR(call->ctx);
		goto put_file;
	}

	mutex_lock(&iosc->bind_lock);
	while (iosc->call[doorbell])
		unbind_call(iosc, doorbell);
	iosc->call[doorbell] = call;
	if (vfs_poll(file, &call->pt) & EPOLLIN)	/* signalled before it was bound */
		sigma_doorbell_ring(&iosc->doorbell_tx, doorbell);
	mutex_unlock(&iosc->bind_lock);
	fput(file);
	return 0;

put_file:
	fput(file);
free_call:
	kfree(call);
	return err;
}

void sigma_iosc_unbind_all(struct sigma_iosc *iosc)
{
	mutex_lock(&iosc->bind_lock);
	for (unsigned int n = 0; n < SIGMA_DOORBELLS; n++) {
		iosc->retired[n] = take_kick(iosc, n);
		unbind_call(iosc, n);
	}
	synchronize_rcu();	/* doorbell_rung() */
	for (unsigned int n = 0; n < SIGMA_DOORBELLS; n++)
		if (iosc->retired[n])
			eventfd_ctx_put(iosc->retired[n]);
	mutex_unlock(&iosc->bind_lock);
}

int sigma_iosc_send(struct sigma_iosc *iosc, const void *msg, size_t len)
{
	int err;

	mutex_lock(&iosc->tx_lock);
	err = sigma_ring_put(&iosc->tx, msg, len);
	mutex_unlock(&iosc->tx_lock);
	if (!err)
		sigma_doorbell_ring(&iosc->doorbell_tx, SIGMA_DOORBELL_CONTROL);
	return err;
}

/* What is constant while the guest runs */
static void fill_header(struct sigma_iosc *iosc)
{
	struct sigma_iosc_header *header = iosc->header;

	header->magic = cpu_to_le64(SIGMA_IOSC_MAGIC);
	header->version = cpu_to_le32(SIGMA_IOSC_VERSION);
	header->size = cpu_to_le32(SIGMA_IOSC_SIZE);
	strscpy(header->name, iosc->view->name, sizeof(header->name));
	header->wakes = cpu_to_le32(1);
	header->guarded = cpu_to_le32(iosc->view->guard_kind != SIGMA_GUARD_NO);
	header->shared.phys = cpu_to_le64(iosc->channels->objects.phys);
	header->shared.size = cpu_to_le64(iosc->channels->objects.size);
}

void sigma_iosc_reset(struct sigma_iosc *iosc)
{
	sigma_clock_hide(&iosc->clock);
	mutex_lock(&iosc->rx_lock);
	mutex_lock(&iosc->tx_lock);
	sigma_channels_forget(iosc->channels);
	memset(iosc->window, 0, SIGMA_IOSC_SIZE);
	fill_header(iosc);
	sigma_doorbell_republish(&iosc->doorbell_rx);
	iosc->rx.index = 0;
	iosc->tx.index = 0;
	mutex_unlock(&iosc->tx_lock);
	mutex_unlock(&iosc->rx_lock);
	sigma_channels_up(iosc->channels);
	sigma_clock_show(&iosc->clock, &iosc->header->clock);
}

/*
 * The host's own words are made anew, or read once and kept in private memory from then on: its
 * indices of the control rings, which may have any value, and its sessions of channels.
 */
void sigma_iosc_restore(struct sigma_iosc *iosc, const void *window)
{
	struct sigma_iosc_header *header = iosc->header;

	sigma_clock_hide(&iosc->clock);
	mutex_lock(&iosc->rx_lock);
	mutex_lock(&iosc->tx_lock);
	sigma_channels_forget(iosc->channels);
	memcpy(iosc->window, window, SIGMA_IOSC_SIZE);
	memset(header, 0, offsetof(struct sigma_iosc_header, to_guest));
	fill_header(iosc);
	header->nmis = ((const struct sigma_iosc_header *)(window + SIGMA_IOSC_HEADER_OFF))->nmis;
	WRITE_ONCE(iosc->rx.index, le32_to_cpu(READ_ONCE(iosc->rx.ring->consumed)));
	WRITE_ONCE(iosc->tx.index, le32_to_cpu(READ_ONCE(iosc->tx.ring->produced)));
	/* What the guest had rung and nobody has looked at is found by those who take its devices over */
	sigma_doorbell_republish(&iosc->doorbell_rx);
	mutex_unlock(&iosc->tx_lock);
	mutex_unlock(&iosc->rx_lock);
	sigma_channels_restored(iosc->channels);
	sigma_clock_show(&iosc->clock, &header->clock);
}

void sigma_iosc_forget_command(struct sigma_iosc *iosc)
{
	struct sigma_iosc_mailbox *mailbox = iosc->window + SIGMA_IOSC_MAILBOX_OFF;

	WRITE_ONCE(mailbox->command, 0);
}

static bool is_of_guest(const struct sigma_view *view, unsigned int cpu)
{
	for (unsigned int i = 0; i < view->nr_cpus; i++)
		if (view->cpus[i] == cpu)
			return true;
	return false;
}

/*
 * The CPU that the fewest guests interrupt, out of those that the host keeps for itself and does not
 * isolate. Whoever wants another one moves the interrupt (/proc/irq).
 */
static unsigned int choose_doorbell_cpu(const struct sigma_view *view)
{
	unsigned int cpu, best = 0, least = UINT_MAX;

	rcu_read_lock();	/* newer kernels free the mask when cpusets change */
	for_each_cpu_and(cpu, cpu_online_mask, housekeeping_cpumask(HK_TYPE_DOMAIN)) {
		if (is_of_guest(view, cpu) || per_cpu(nr_guests, cpu) >= least)
			continue;
		best = cpu;
		least = per_cpu(nr_guests, cpu);
	}
	rcu_read_unlock();
	return best;
}

static void count_doorbell_at(struct sigma_iosc *iosc, unsigned int cpu)
{
	per_cpu(nr_guests, iosc->doorbell_cpu)--;
	iosc->doorbell_cpu = cpu;
	per_cpu(nr_guests, cpu)++;
}

void sigma_iosc_note_cpu(struct sigma_iosc *iosc)
{
	int cpu = sigma_doorbell_cpu(&iosc->doorbell_rx);

	if (cpu >= 0)
		count_doorbell_at(iosc, cpu);
}

void sigma_iosc_keep_cpu(struct sigma_iosc *iosc)
{
	unsigned int cpu = iosc->doorbell_cpu;

	if (!cpu_online(cpu)) {
		cpu = choose_doorbell_cpu(iosc->view);
		count_doorbell_at(iosc, cpu);
	}
	if (sigma_doorbell_cpu(&iosc->doorbell_rx) == cpu)
		return;
	if (sigma_doorbell_move(&iosc->doorbell_rx, cpu))
		sigma_iosc_note_cpu(iosc);
}

int sigma_iosc_init(struct sigma_iosc *iosc, const struct sigma_place *place)
{
	int err;

	err = sigma_window_lend(&iosc->memory, place);
	if (err)
		return err;
	iosc->window = iosc->memory.at;
	iosc->header = iosc->window + SIGMA_IOSC_HEADER_OFF;
	iosc->rx.ring = iosc->window + SIGMA_IOSC_RING_OFF(SIGMA_CHANNEL_CONTROL, SIGMA_TO_HOST);
	iosc->tx.ring = iosc->window + SIGMA_IOSC_RING_OFF(SIGMA_CHANNEL_CONTROL, SIGMA_TO_GUEST);
	mutex_init(&iosc->rx_lock);
	mutex_init(&iosc->tx_lock);
	mutex_init(&iosc->bind_lock);
	iosc->doorbell_tx.words = &iosc->header->to_guest;
	iosc->doorbell_tx.allowed = may_interrupt;
	iosc->doorbell_tx.data = iosc;
	iosc->doorbell_rx.words = &iosc->header->to_host;
	iosc->doorbell_rx.handler = doorbell_rung;
	iosc->doorbell_rx.published = doorbell_published;
	if (iosc->view->guard_kind == SIGMA_GUARD_FULL)
		iosc->doorbell_rx.rearm = doorbell_rearm;
	iosc->doorbell_rx.data = iosc;
	sigma_channels_init(iosc->channels, SIGMA_SIDE_HOST, iosc->window, sigma_iosc_phys(iosc),
			    &iosc->doorbell_tx);

	iosc->doorbell_cpu = choose_doorbell_cpu(iosc->view);
	err = sigma_fault() ?:
	      sigma_doorbell_listen(&iosc->doorbell_rx, iosc->view->label, iosc->doorbell_cpu);
	if (err && iosc->doorbell_cpu) {
		/* It went offline, or has no vector left */
		iosc->doorbell_cpu = 0;
		err = sigma_doorbell_listen(&iosc->doorbell_rx, iosc->view->label, 0);
	}
	if (err) {
		sigma_iosc_free(iosc);
		return err;
	}
	per_cpu(nr_guests, iosc->doorbell_cpu)++;
	sigma_clock_show(&iosc->clock, &iosc->header->clock);
	return 0;
}

void sigma_iosc_exit(struct sigma_iosc *iosc)
{
	sigma_clock_hide(&iosc->clock);
	sigma_iosc_unbind_all(iosc);
	/* Calls whose call_shutdown() still runs may still use the window */
	flush_workqueue(shutdown_wq);
	sigma_doorbell_unlisten(&iosc->doorbell_rx);
	per_cpu(nr_guests, iosc->doorbell_cpu)--;
}

void sigma_iosc_free(struct sigma_iosc *iosc)
{
	if (!iosc->window)
		return;
	sigma_window_return(&iosc->memory);
	iosc->window = NULL;
}

int sigma_iosc_setup(void)
{
	shutdown_wq = alloc_workqueue("sigma_shutdown", WQ_UNBOUND, 0);
	return shutdown_wq ? 0 : -ENOMEM;
}

void sigma_iosc_teardown(void)
{
	destroy_workqueue(shutdown_wq);
}
