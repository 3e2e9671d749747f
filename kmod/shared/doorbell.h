/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Doorbells, for both kernels: see uapi/iosc.h for the protocol in shared memory.
 * doorbell.c is linked into sigma.ko and into sigma_guest.ko.
 */
#ifndef _SIGMA_DOORBELL_H
#define _SIGMA_DOORBELL_H

#include <linux/atomic.h>
#include <linux/irqdomain.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#include "../uapi/iosc.h"
#include "limit.h"

/**
 * struct sigma_doorbell_rx - the receiving end
 * @words: the words in shared memory that this end receives on
 * @handler: called for each doorbell that was rung, 0 <= n < SIGMA_DOORBELLS, in hard interrupt
 *	     context, or with CONFIG_PREEMPT_RT in the interrupt's thread: it may take spinlocks. With
 *	     @rearm also in a work item, beside the interrupt, while interrupts pause
 * @published: or NULL: called with each target that is published; calls are serialised, with
 *	       interrupts off
 * @rearm: or NULL: the guard between the peer and this end sends one interrupt for each call of
 *	   this, and swallows all others. Called in any context
 * @data: argument of all three
 * @received: doorbells that were rung
 * @interrupts: interrupts taken for them
 * @spent: ns that these took, an estimate: see account()
 */
struct sigma_doorbell_rx {
	struct sigma_iosc_doorbell *words;
	void (*handler)(void *data, unsigned int n);
	void (*published)(void *data, u64 target);
	void (*rearm)(void *data);
	void *data;
	atomic_long_t received;
	atomic_long_t interrupts;
	u64 spent;
	/* private */
	struct fwnode_handle *fwnode;
	struct irq_domain *domain;
	unsigned int irq;
	raw_spinlock_t publish_lock;
	u64 target;			/* as in @words, which the peer can write; or 0 */
	struct delayed_work leftover;
	unsigned int pause;
	u64 last_end, least_gap;
	struct sigma_limit limit;
};

/**
 * sigma_doorbell_listen - get an interrupt vector and publish it in rx->words
 * @name: shown in /proc/interrupts
 * @cpu: CPU to receive on
 *
 * The caller has filled in the fields of @rx up to @data. May sleep. Vector changes that come from
 * a new affinity are republished.
 * Return: 0 or a negative errno.
 */
int sigma_doorbell_listen(struct sigma_doorbell_rx *rx, const char *name, unsigned int cpu);

/** sigma_doorbell_republish - publish the vector again, after the words were overwritten */
void sigma_doorbell_republish(struct sigma_doorbell_rx *rx);

/**
 * sigma_doorbell_look - look at what was rung while no interrupt could come
 *
 * Publishes the vector again, and sends an interrupt to this end itself. May sleep.
 */
void sigma_doorbell_look(struct sigma_doorbell_rx *rx);

/** sigma_doorbell_cpu - the CPU that receives. Return: it, or -EAGAIN while it is about to change */
int sigma_doorbell_cpu(const struct sigma_doorbell_rx *rx);

/**
 * sigma_doorbell_move - receive on another CPU, soon
 *
 * May sleep. Return: 0, or a negative errno, and nothing has changed: @cpu has no free vector, or is
 * offline.
 */
int sigma_doorbell_move(struct sigma_doorbell_rx *rx, unsigned int cpu);

/** sigma_doorbell_unlisten - withdraw the vector and free it; no handler runs afterwards */
void sigma_doorbell_unlisten(struct sigma_doorbell_rx *rx);

/**
 * struct sigma_doorbell_tx - the sending end
 * @words: the peer's words in shared memory
 * @allowed: may an IPI be sent to {apic_id, vector}, which the peer wrote? NULL: to any vector
 *	     >= 32. Interrupts are off from its answer until the IPI is sent
 * @data: argument of @allowed
 * @sent: doorbells rung
 * @ipis: interrupts sent
 */
struct sigma_doorbell_tx {
	struct sigma_iosc_doorbell *words;
	bool (*allowed)(void *data, u32 apic_id, u32 vector);
	void *data;
	atomic_long_t sent;
	atomic_long_t ipis;
};

/**
 * sigma_doorbell_ring - ring doorbell @n of the peer
 *
 * Publish the data first. Any context; in an NMI only if the NMI handler does not return.
 */
void sigma_doorbell_ring(struct sigma_doorbell_tx *tx, unsigned int n);

#endif
