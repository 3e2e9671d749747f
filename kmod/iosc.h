/* SPDX-License-Identifier: GPL-2.0 */
/* The IOSC (inter-OS communication) window of one guest: rings, doorbells, eventfds. */
#ifndef _SIGMA_IOSC_H
#define _SIGMA_IOSC_H

#include <linux/atomic.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "shared/doorbell.h"
#include "shared/ring.h"
#include "uapi/iosc.h"
#include "uapi/sigma.h"
#include "clock.h"
#include "window.h"

struct eventfd_ctx;
struct sigma_channels;
struct sigma_guard;
struct sigma_iosc;
struct sigma_view;

struct sigma_call {			/* an eventfd that rings a doorbell of the guest */
	struct sigma_iosc *iosc;
	unsigned int doorbell;
	struct eventfd_ctx *ctx;
	wait_queue_entry_t wait;
	poll_table pt;
	struct work_struct shutdown;
};

/**
 * struct sigma_iosc - the window of one guest, and what its doorbells reach
 * @view: the guest
 * @state: its state; IPIs go to its CPUs only while they run
 * @guard: its guard, or NULL
 * @channels: rung by the doorbells from SIGMA_DOORBELL_END on; sigma_iosc_init() initialises it
 * @wait: woken by SIGMA_DOORBELL_CONTROL
 * @state_work: scheduled by SIGMA_DOORBELL_STATE, and with @rung_asleep
 */
struct sigma_iosc {
	const struct sigma_view *view;
	const enum sigma_state *state;
	struct sigma_guard *guard;
	struct sigma_channels *channels;
	wait_queue_head_t *wait;
	struct work_struct *state_work;
	/* sigma_iosc_init() fills in the rest */
	struct sigma_window memory;
	void *window;			/* SIGMA_IOSC_SIZE bytes, of @memory */
	struct sigma_iosc_header *header;
	struct sigma_ring_end rx, tx;	/* the control rings */
	struct mutex rx_lock, tx_lock;
	struct sigma_doorbell_rx doorbell_rx;
	unsigned int doorbell_cpu;	/* that @doorbell_rx interrupts, or did when last looked at */
	struct sigma_doorbell_tx doorbell_tx;
	atomic_t rung_asleep;		/* 1: the guest slept when a doorbell of it was rung */
	struct sigma_clock clock;
	struct mutex bind_lock;		/* protects the arrays below */
	struct eventfd_ctx __rcu *kick[SIGMA_DOORBELLS];
	struct eventfd_ctx *retired[SIGMA_DOORBELLS];	/* used by sigma_iosc_unbind_all() */
	struct sigma_call *call[SIGMA_DOORBELLS];
};

int sigma_iosc_setup(void);	/* once, for the module */
void sigma_iosc_teardown(void);
/* The caller has filled in the first fields. Return: 0, -ENOMEM, or another error of the interrupt's */
int sigma_iosc_init(struct sigma_iosc *iosc, const struct sigma_place *place);
void sigma_iosc_exit(struct sigma_iosc *iosc);	/* stops the kernel's use of the window */
void sigma_iosc_free(struct sigma_iosc *iosc);	/* frees the window; nobody maps it now */
void sigma_iosc_reset(struct sigma_iosc *iosc);	/* before a start; guest CPUs are parked */
/* The window of a guest that was saved, SIGMA_IOSC_SIZE bytes, which may be anything; likewise */
void sigma_iosc_restore(struct sigma_iosc *iosc, const void *window);
/* Before a wake, likewise: clear the mailbox's command */
void sigma_iosc_forget_command(struct sigma_iosc *iosc);
/*
 * The kernel moves a doorbell's interrupt away from a CPU that goes offline, to any other, and not back.
 * Before CPUs go offline, note which CPU has it; afterwards, keep it there, or choose another one as
 * sigma_iosc_init() did. Both with sigma_guests_lock held; may sleep
 */
void sigma_iosc_note_cpu(struct sigma_iosc *iosc);
void sigma_iosc_keep_cpu(struct sigma_iosc *iosc);
void sigma_iosc_unbind_all(struct sigma_iosc *iosc);
int sigma_iosc_bind_kick(struct sigma_iosc *iosc, unsigned int doorbell, int fd);
int sigma_iosc_bind_call(struct sigma_iosc *iosc, unsigned int doorbell, int fd);
/* Put a control message of 1..SIGMA_MSG_MAX bytes into the ring to the guest. Return: 0 or -ENOSPC */
int sigma_iosc_send(struct sigma_iosc *iosc, const void *msg, size_t len);
u64 sigma_iosc_phys(const struct sigma_iosc *iosc);

#endif
