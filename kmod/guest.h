/* SPDX-License-Identifier: GPL-2.0 */
/* A guest's life: create, start, stop, destroy; its state. */
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

struct sigma_guard;
struct sigma_guest;

/**
 * struct sigma_device_node - how a guest gets its device node; chardev.c knows
 * @add: make the node of the guest, and its files in sysfs. May sleep. Return: 0 or -errno
 * @del: remove both. May sleep
 */
struct sigma_device_node {
	int (*add)(struct sigma_guest *guest);
	void (*del)(struct sigma_guest *guest);
};

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
 * @guard: built for each start; NULL for SIGMA_GUARD_NO
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
};

extern struct mutex sigma_guests_lock;

int sigma_guest_create(struct sigma_create *args, const struct sigma_device_node *node);
int sigma_guest_destroy(const char *name);
int sigma_guest_start(struct sigma_guest *guest, const struct sigma_start *args);
int sigma_guest_stop(struct sigma_guest *guest);
int sigma_guest_nmi(struct sigma_guest *guest);
void sigma_guest_info(struct sigma_guest *guest, struct sigma_info *info);
void sigma_guest_nodes(struct sigma_guest *guest, struct sigma_nodes *nodes);

/** sigma_guest_panic - SIGMA_PANIC. Return: 0, -EPIPE, -EIO or -ENODEV. */
int sigma_guest_panic(struct sigma_guest *guest, const struct sigma_panic *panic);

/** sigma_guest_violation - SIGMA_GET_VIOLATION */
void sigma_guest_violation(struct sigma_guest *guest, struct sigma_violation *violation);

/**
 * sigma_guest_gathering - the guest for which memory is gathered now, of several the first one
 * @name: out: its name, SIGMA_NAME_MAX bytes; "": none
 *
 * Return: bytes that it has so far.
 */
u64 sigma_guest_gathering(char *name);

/** sigma_guests_close - from now on refuse (@close), or allow, to create and start guests */
void sigma_guests_close(bool close);

/**
 * sigma_guests_close_if_none - as sigma_guests_close(true), unless a guest exists
 *
 * A guest that is being made does not exist yet: it is given up. Return: closed.
 */
bool sigma_guests_close_if_none(void);

/** sigma_guests_stop_all - park every lent CPU; @kexec: kexec starts another kernel. May sleep. */
void sigma_guests_stop_all(bool kexec);

const char *sigma_state_name(enum sigma_state state);

/** sigma_guest_alive - do CPUs run @guest? */
static inline bool sigma_guest_alive(const struct sigma_guest *guest)
{
	return sigma_state_alive(READ_ONCE(guest->state));
}

#endif
