/* SPDX-License-Identifier: GPL-2.0 */
/* Creating and destroying guests, and the list of them. */
#ifndef _SIGMA_CREATE_H
#define _SIGMA_CREATE_H

#include <linux/mutex.h>
#include <linux/types.h>

#include "uapi/sigma.h"

struct sigma_guest;
struct sigma_why;

extern struct mutex sigma_guests_lock;	/* see create.c */

/**
 * struct sigma_device_node - how a guest gets its device node; chardev.c knows
 * @add: make the node of the guest, and its files in sysfs. May sleep. Return: 0 or -errno
 * @del: remove both. May sleep
 */
struct sigma_device_node {
	int (*add)(struct sigma_guest *guest);
	void (*del)(struct sigma_guest *guest);
};

/** sigma_guest_create - SIGMA_CREATE; may sleep long. Return: 0, or -errno with @args->why set */
int sigma_guest_create(struct sigma_create *args, const struct sigma_device_node *node);

/** sigma_guest_create_at - SIGMA_CREATE_AT; the same, with @at->create.why */
int sigma_guest_create_at(struct sigma_create_at *at, const struct sigma_device_node *node);

/** sigma_guest_destroy - SIGMA_DESTROY; may sleep. Return: 0, -ENOENT, -EBUSY or -EIO */
int sigma_guest_destroy(const char *name);

/**
 * sigma_guest_gathering - the first guest for which memory is gathered now
 * @name: out: its name, SIGMA_NAME_MAX bytes; "": none
 *
 * Return: bytes that it has so far.
 */
u64 sigma_guest_gathering(char *name);

/**
 * sigma_guests_unclaim - other guests may have these CPUs, which were claimed and are not lent
 *
 * Wakes whoever waits for them. Called with sigma_guests_lock held.
 */
void sigma_guests_unclaim(const u32 *cpus, unsigned int nr);

/**
 * sigma_guests_lend_cpus - lend the CPUs that @guest has claimed: see sigma_cpu_lend()
 *
 * Interrupts of guests' doorbells that one of them had are spread over those that the host keeps.
 */
int sigma_guests_lend_cpus(const struct sigma_guest *guest, struct sigma_why *why);

/*
 * Around anything else that takes CPUs offline: note which CPU takes each guest's doorbells, and have
 * it take them again. With sigma_guests_lock held; may sleep
 */
void sigma_guests_note_doorbells(void);
void sigma_guests_keep_doorbells(void);

/** sigma_guest_release_cpus - give the guest's CPUs back; with sigma_guests_lock held, may sleep */
void sigma_guest_release_cpus(struct sigma_guest *guest);

/* Why no guest may be created, started or woken now */
#define SIGMA_CLOSED_FOR_RESTART	0x1
#define SIGMA_CLOSED_FOR_SLEEP		0x2

/**
 * sigma_guests_close - refuse to create, start and wake guests: SIGMA_CLOSED_FOR_*
 *
 * A guest that is being made is given up. May sleep.
 */
void sigma_guests_close(unsigned int reason);

/** sigma_guests_reopen - that reason is over; with sigma_guests_lock held */
void sigma_guests_reopen(unsigned int reason);

/** sigma_guests_closed_for - is there one of these reasons? */
bool sigma_guests_closed_for(unsigned int reason);

/**
 * sigma_guests_visit - call @visit for each guest until it returns an error, and return that
 *
 * Called with sigma_guests_lock held. Guests that are being made are left out.
 */
int sigma_guests_visit(int (*visit)(struct sigma_guest *guest, void *data), void *data);

/** sigma_guests_stop_all - park every lent CPU; @kexec: kexec starts another kernel. May sleep. */
void sigma_guests_stop_all(bool kexec);

#endif
