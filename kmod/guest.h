/* SPDX-License-Identifier: GPL-2.0 */
/* A guest's life: start, stop, its end; its state. */
#ifndef _SIGMA_GUEST_H
#define _SIGMA_GUEST_H

#include <linux/atomic.h>
#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "shared/channel.h"
#include "uapi/iosc.h"
#include "uapi/sigma.h"
#include "identity.h"
#include "iosc.h"
#include "memory.h"
#include "view.h"

struct sigma_device_node;
struct sigma_guard;

/**
 * struct sigma_guest - one guest, and its device
 * @dev: its device; the last reference frees this struct
 * @cdev: for @node, as are the class, the number and the groups of @dev
 * @node: makes and removes the device's node
 * @lock: held for everything that changes state, CPUs or memory
 * @state: enum sigma_state; written under @lock, read anywhere
 * @state_seq: number of changes, for EPOLLPRI
 * @gone: not created yet, or destroyed; then only open files still hold the device
 * @memory_files: open or mapped memory files; SIGMA_DESTROY fails while there are any
 * @view: constant once the guest is created
 * @guard: built for each start and each wake; NULL for SIGMA_GUARD_NO
 * @has_cpus: its CPUs are lent. False once SIGMA_RETURN_CPUS has given them back. Written under the
 *	      lock of all guests and @lock, read under either
 * @split_cores: SIGMA_CREATE_SPLIT_CORES, for when they are lent again
 * @wake: what the guest wrote when it fell asleep, read once; not checked yet
 * @suspend: its part in the machine's sleep, for suspend.c. @policy: SIGMA_SET_SUSPEND. @asked: it was
 *	     asked to fall asleep, or to switch itself off; if it falls asleep, it is to be woken. @refusals:
 *	     sigma_iosc_guest.refusals at that time. @lent: its CPUs were given back, and are to be lent
 *	     again. @low: what is in its pages below 1 MiB, of sigma_low_copy(), while the machine sleeps;
 *	     under sigma_guests_lock. @failure: why it sleeps on
 */
struct sigma_guest {
	struct device dev;
	struct cdev cdev;
	const struct sigma_device_node *node;
	struct list_head list;
	struct mutex lock;
	enum sigma_state state;
	atomic_t state_seq;
	bool gone;
	wait_queue_head_t wait;
	atomic_t memory_files;

	struct sigma_view view;
	struct sigma_memory memory;
	struct sigma_identity identity;
	struct sigma_iosc iosc;
	struct sigma_channels channels;
	struct sigma_guard *guard;

	struct work_struct state_work;
	struct delayed_work health_work;
	u64 heartbeat;
	unsigned int missed_beats;
	u32 nmis;			/* NMIs sent since the start */

	bool has_cpus, split_cores;
	struct {
		u64 page;
		u32 flags;
		u32 sleeps;
	} wake;
	struct sigma_guest_suspend {
		enum sigma_suspend policy;
		bool asked, lent;
		u32 refusals;
		void *low;
		struct sigma_wake_failure failure;
	} suspend;
};

/*
 * Called with the guest's lock held when its state, or what it says of itself, has changed. suspend.c sets
 * it before there is a guest.
 */
extern void (*sigma_guest_changed)(struct sigma_guest *guest);

int sigma_guest_start(struct sigma_guest *guest, const struct sigma_start *args);
int sigma_guest_stop(struct sigma_guest *guest);
int sigma_guest_nmi(struct sigma_guest *guest);
void sigma_guest_info(struct sigma_guest *guest, struct sigma_info *info);
void sigma_guest_nodes(struct sigma_guest *guest, struct sigma_nodes *nodes);

/** sigma_guest_panic - SIGMA_PANIC. Return: 0, -EPIPE, -EIO or -ENODEV. */
int sigma_guest_panic(struct sigma_guest *guest, const struct sigma_panic *panic);

/** sigma_guest_return_cpus - SIGMA_RETURN_CPUS; in sleep.c. May sleep. Return: 0, -EPIPE, -ENODEV */
int sigma_guest_return_cpus(struct sigma_guest *guest);

/** sigma_guest_wake - SIGMA_WAKE; in sleep.c. May sleep. Return: 0, or -errno; @why: out */
int sigma_guest_wake(struct sigma_guest *guest, struct sigma_why *why);

/**
 * sigma_guest_restore - SIGMA_RESTORE; in sleep.c. May sleep
 * @window: SIGMA_IOSC_SIZE bytes of a window that was saved, which nobody else can change
 * @low: SIGMA_LOW_SIZE bytes, likewise
 *
 * Return: 0, -EBUSY, -EINVAL, -ESHUTDOWN, -ENODEV.
 */
int sigma_guest_restore(struct sigma_guest *guest, const void *window, const void *low);

/** sigma_guest_wake_locked - the same, with sigma_guests_lock held */
int sigma_guest_wake_locked(struct sigma_guest *guest, struct sigma_why *why);

/**
 * sigma_guest_lend_again - lend the CPUs again that were given back; with sigma_guests_lock held
 *
 * May sleep. Return: 0, or -errno with the reason in @why.
 */
int sigma_guest_lend_again(struct sigma_guest *guest, struct sigma_why *why);

/** sigma_guest_set_shared - SIGMA_SET_SHARED. May sleep. Return: 0 or a negative errno */
int sigma_guest_set_shared(struct sigma_guest *guest, const struct sigma_shared *args);

/** sigma_guest_violation - SIGMA_GET_VIOLATION */
void sigma_guest_violation(struct sigma_guest *guest, struct sigma_violation *violation);

/*
 * The machine restarts or sleeps: no guest may be created or started. Written by create.c, and read
 * anywhere.
 */
extern bool sigma_guests_closed;

/* For create.c, which makes guests and destroys them, and sleep.c */

/** sigma_guest_init - lock, wait queue and work items of a guest, which cannot be used yet */
void sigma_guest_init(struct sigma_guest *guest);

/** sigma_guest_open - the guest is created: from now on it can be started */
void sigma_guest_open(struct sigma_guest *guest);

/**
 * sigma_guest_close - stop the guest for good: it cannot be started again
 *
 * Return: 0; -EBUSY: a memory file is open; -EIO: a CPU could not be parked.
 */
int sigma_guest_close(struct sigma_guest *guest);

/**
 * sigma_guest_leave_cpus - the CPUs of a guest that is asleep are about to be given back
 *
 * Return: 1: the caller gives them back; 0: they are back already; -EPIPE: not asleep; -ENODEV.
 */
int sigma_guest_leave_cpus(struct sigma_guest *guest);

/** sigma_guest_can_wake - could SIGMA_WAKE succeed, if its CPUs can be lent? Return: 0 or -errno */
int sigma_guest_can_wake(struct sigma_guest *guest);

/** sigma_guest_take_cpus - the guest's CPUs, which had been given back, are lent again */
void sigma_guest_take_cpus(struct sigma_guest *guest);

/** sigma_guest_restored - its window is that of a guest that is asleep; with @guest->lock held */
void sigma_guest_restored(struct sigma_guest *guest);

/** sigma_guest_resume - start the CPUs of a guest that is asleep. May sleep. Return: see SIGMA_WAKE */
int sigma_guest_resume(struct sigma_guest *guest);

/** sigma_guest_quiesce - wait for the work items of a guest that was closed; may sleep */
void sigma_guest_quiesce(struct sigma_guest *guest);

/** sigma_guest_shut_down - park its CPUs; @kexec: they must leave our pages, too. May sleep. */
void sigma_guest_shut_down(struct sigma_guest *guest, bool kexec);

const char *sigma_state_name(enum sigma_state state);

/** sigma_guest_alive - do CPUs run @guest? */
static inline bool sigma_guest_alive(const struct sigma_guest *guest)
{
	return sigma_state_alive(READ_ONCE(guest->state));
}

/** sigma_guest_lives - does @guest run, or is it asleep and may run again? */
static inline bool sigma_guest_lives(const struct sigma_guest *guest)
{
	return sigma_state_lives(READ_ONCE(guest->state));
}

#endif
