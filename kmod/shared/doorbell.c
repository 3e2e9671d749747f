// SPDX-License-Identifier: GPL-2.0
/*
 * Doorbells: see doorbell.h, and uapi/iosc.h for the protocol in shared memory.
 *
 * The receiver's interrupt is an ordinary one of its kernel, in an irq domain of our own below the
 * x86 vector domain. So the vector is accounted for, is shown in /proc/interrupts, and moves with
 * its affinity. No device is programmed with it: the vector and the APIC ID are published in shared
 * memory, as a device would get them by an MSI message.
 */
#include <linux/bitops.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/jiffies.h>
#include <linux/sched/clock.h>
#include <linux/smp.h>
#include <asm/hw_irq.h>
#include <asm/irqdomain.h>
#include <asm/apic.h>
#include <asm/smp.h>
#include <asm/sync_bitops.h>

#include "apic.h"
#include "doorbell.h"

#define FIRST_LEGAL_VECTOR	32	/* below are exceptions, SDM vol. 3A, 6.2 */
#define LAST_VECTOR		255
#define MAX_PASSES		16	/* over the pending words in one interrupt */

#define LIMIT_BURST_NS		TICK_NSEC	/* interrupts may be ahead of their limit by so much */
#define LIMIT_PAUSE		2		/* ticks without interrupts: half a burst drains */
#define COST_MAX_NS		(10 * NSEC_PER_USEC)	/* of an interrupt besides its handler, */
#define EMULATED_MAX_NS	(100 * NSEC_PER_USEC)	/* and in a virtual machine */

/*
 * The time that limited interrupts have taken on this CPU. Used in the interrupt only, and without
 * preemption, since the threads of several interrupts may share the CPU. A guest's own receivers
 * have no limit.
 */
static DEFINE_PER_CPU(struct sigma_limit, limit_of_all);
static atomic_t nr_limited;		/* receivers with a limit */

/*
 * The CPU's physical APIC ID: irq_cfg.dest_apicid is a logical one on hosts of up to eight
 * CPUs in xAPIC mode.
 */
static u32 apic_id_of(struct irq_data *data)
{
	unsigned int cpu = cpumask_first(irq_data_get_effective_affinity_mask(data));

	return per_cpu(x86_cpu_to_apicid, cpu);
}

/* Under the lock, so that the last caller to read the vector is the last one to publish it */
static void publish(struct irq_data *data)
{
	struct sigma_doorbell_rx *rx = data->domain->host_data;
	unsigned long flags;
	u64 target;

	raw_spin_lock_irqsave(&rx->publish_lock, flags);
	target = SIGMA_DOORBELL_TARGET(apic_id_of(data), irqd_cfg(data)->vector);
	rx->target = target;
	if (rx->published)
		rx->published(rx->data, target);
	WRITE_ONCE(rx->words->target, cpu_to_le64(target));
	raw_spin_unlock_irqrestore(&rx->publish_lock, flags);
}

void sigma_doorbell_republish(struct sigma_doorbell_rx *rx)
{
	publish(irq_domain_get_irq_data(rx->domain, rx->irq));
}

/* A new affinity moves the vector; the old vector works until the new one was used */
static int doorbell_set_affinity(struct irq_data *data, const struct cpumask *mask, bool force)
{
	int ret = irq_chip_set_affinity_parent(data, mask, force);

	if (ret >= 0)
		publish(data);
	return ret;
}

/*
 * There is no device to mask, and an IPI that comes while masked only costs one more look. But
 * before 6.13 a change of the affinity takes effect between a mask and an unmask in the interrupt
 * itself, and the irq core calls both without checking that they exist.
 */
static void doorbell_mask(struct irq_data *data)
{
}

static struct irq_chip doorbell_chip = {
	.name			= "SIGMA",
	.irq_mask		= doorbell_mask,
	.irq_unmask		= doorbell_mask,
	.irq_ack		= irq_chip_ack_parent,
	.irq_set_affinity	= doorbell_set_affinity,
	.irq_retrigger		= irq_chip_retrigger_hierarchy,
	.flags			= IRQCHIP_SKIP_SET_WAKE | IRQCHIP_AFFINITY_PRE_STARTUP,
};

static int doorbell_domain_alloc(struct irq_domain *domain, unsigned int virq,
				 unsigned int nr_irqs, void *arg)
{
	int err = irq_domain_alloc_irqs_parent(domain, virq, nr_irqs, arg);

	if (err)
		return err;
	irq_domain_set_info(domain, virq, 0, &doorbell_chip, domain->host_data,
			    handle_edge_irq, NULL, NULL);
	return 0;
}

static const struct irq_domain_ops doorbell_domain_ops = {
	.alloc	= doorbell_domain_alloc,
	.free	= irq_domain_free_irqs_common,
};

static void take_pending(struct sigma_doorbell_rx *rx)
{
	for (unsigned int w = 0; w < SIGMA_DOORBELL_WORDS; w++) {
		unsigned long bits;
		unsigned int bit;

		if (!READ_ONCE(rx->words->pending[w]))
			continue;
		bits = le64_to_cpu(xchg(&rx->words->pending[w], 0));
		atomic_long_add(hweight64(bits), &rx->received);
		for_each_set_bit(bit, &bits, 64)
			rx->handler(rx->data, w * 64 + bit);
	}
}

static bool any_pending(const struct sigma_doorbell_rx *rx)
{
	for (unsigned int w = 0; w < SIGMA_DOORBELL_WORDS; w++)
		if (READ_ONCE(rx->words->pending[w]))
			return true;
	return false;
}

/* Under the lock, so that the interrupt does not move between the look at it and the sending */
static void ring_self(struct sigma_doorbell_rx *rx)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&rx->publish_lock, flags);
	if (rx->target)
		sigma_apic_send(rx->target >> 32, APIC_DM_FIXED | (u32)rx->target);
	raw_spin_unlock_irqrestore(&rx->publish_lock, flags);
}

/* Handle what is pending. Return: false when there is still more, and `busy` stays set */
static bool drain(struct sigma_doorbell_rx *rx)
{
	for (int pass = 0; pass < MAX_PASSES; pass++) {
		WRITE_ONCE(rx->words->busy, cpu_to_le32(1));
		take_pending(rx);
		WRITE_ONCE(rx->words->busy, 0);
		if (rx->rearm)
			rx->rearm(rx->data);
		/* Pairs with the LOCK of sync_test_and_set_bit() in sigma_doorbell_ring() */
		smp_mb();
		if (!any_pending(rx))
			return true;
	}
	WRITE_ONCE(rx->words->busy, cpu_to_le32(1));
	return false;
}

/*
 * A peer that never stops ringing must not keep this CPU from all other work. So what is left over
 * waits for the next tick, and `busy` keeps the peer from sending IPIs until then.
 */
static void drain_or_defer(struct sigma_doorbell_rx *rx)
{
	if (!drain(rx))
		schedule_delayed_work(&rx->leftover, 1);
}

/*
 * Runs once a tick while interrupts pause, and handles what was rung meanwhile. What is left over has
 * an interrupt sent to this CPU itself: handlers of a guest rely on it that no two of them run at
 * once, and that softirqs which they raise run right behind them.
 */
static void drain_leftover(struct work_struct *work)
{
	struct sigma_doorbell_rx *rx = container_of(to_delayed_work(work),
						    struct sigma_doorbell_rx, leftover);
	unsigned int pause = READ_ONCE(rx->pause);

	/* The interrupt changes it only while it is 0 */
	if (pause)
		WRITE_ONCE(rx->pause, --pause);
	if (pause) {
		take_pending(rx);
		schedule_delayed_work(&rx->leftover, 1);
		return;
	}
	ring_self(rx);
	/* The interrupt clears it. Should it not come, the next tick sends another one */
	if (READ_ONCE(rx->words->busy))
		schedule_delayed_work(&rx->leftover, 1);
}

/*
 * The cost of an interrupt besides its handler is taken to be the shortest time ever seen between
 * two of them: nothing else ran in that time. An emulator is sometimes much faster than usual, so in
 * a virtual machine the time that they can have taken counts. The time of a handler in a thread
 * includes what more urgent threads took meanwhile: then interrupts pause rather too early.
 */
static void account(struct sigma_doorbell_rx *rx, u64 begin, unsigned int nr)
{
	u64 gap = begin > rx->last_end ? begin - rx->last_end : 0, end = local_clock(), cost;

	if (!boot_cpu_has(X86_FEATURE_HYPERVISOR))
		rx->least_gap = min(rx->least_gap, gap);
	cost = end - begin + min(gap, rx->least_gap);
	rx->last_end = end;
	WRITE_ONCE(rx->spent, rx->spent + cost);
	if (!rx->rearm)
		return;
	sigma_limit_account(get_cpu_ptr(&limit_of_all), &rx->limit, end, cost, nr);
	put_cpu_ptr(&limit_of_all);
}

static bool is_limit_exceeded(struct sigma_doorbell_rx *rx, u64 begin, unsigned int nr)
{
	bool exceeded;

	if (!rx->rearm)
		return false;
	exceeded = sigma_limit_exceeded(get_cpu_ptr(&limit_of_all), &rx->limit, begin, nr,
					LIMIT_BURST_NS);
	put_cpu_ptr(&limit_of_all);
	return exceeded;
}

static void pause_interrupts(struct sigma_doorbell_rx *rx)
{
	WRITE_ONCE(rx->words->busy, cpu_to_le32(1));
	take_pending(rx);
	WRITE_ONCE(rx->pause, LIMIT_PAUSE);
	schedule_delayed_work(&rx->leftover, 1);
}

/*
 * Handlers take spinlocks and wake waiters, as eventfds and virtio drivers do. With real-time
 * preemption both may sleep, so there, and with threadirqs, the interrupt core runs this function in
 * a thread, as it does for devices. An interrupt that comes while the thread runs makes it run once
 * more, so none is lost. On other kernels there is no thread.
 */
static irqreturn_t doorbell_interrupt(int irq, void *cookie)
{
	struct sigma_doorbell_rx *rx = cookie;
	unsigned int nr = max(atomic_read(&nr_limited), 1);
	u64 begin = local_clock();

	atomic_long_inc(&rx->interrupts);
	/* This one was sent before interrupts paused. The work item handles it, and arms again */
	if (READ_ONCE(rx->pause))
		return IRQ_HANDLED;
	if (is_limit_exceeded(rx, begin, nr))
		pause_interrupts(rx);
	else
		drain_or_defer(rx);
	account(rx, begin, nr);
	return IRQ_HANDLED;
}

void sigma_doorbell_look(struct sigma_doorbell_rx *rx)
{
	sigma_doorbell_republish(rx);
	/* Doorbells rung before the target was published sent no interrupt */
	smp_mb();
	ring_self(rx);
}

int sigma_doorbell_cpu(const struct sigma_doorbell_rx *rx)
{
	struct irq_data *data = irq_domain_get_irq_data(rx->domain, rx->irq);

	return irqd_is_setaffinity_pending(data) ? -EAGAIN :
	       (int)cpumask_first(irq_data_get_effective_affinity_mask(data));
}

int sigma_doorbell_move(struct sigma_doorbell_rx *rx, unsigned int cpu)
{
	int err = irq_set_affinity(rx->irq, cpumask_of(cpu));

	/* Before 6.13 it moves in the next interrupt */
	if (!err)
		ring_self(rx);
	return err;
}

int sigma_doorbell_listen(struct sigma_doorbell_rx *rx, const char *name, unsigned int cpu)
{
	struct irq_alloc_info info = { .mask = cpumask_of(cpu) };
	int irq, err;

	atomic_long_set(&rx->received, 0);
	atomic_long_set(&rx->interrupts, 0);
	raw_spin_lock_init(&rx->publish_lock);
	INIT_DELAYED_WORK(&rx->leftover, drain_leftover);
	rx->least_gap = boot_cpu_has(X86_FEATURE_HYPERVISOR) ? EMULATED_MAX_NS : COST_MAX_NS;
	rx->fwnode = irq_domain_alloc_named_fwnode(name);
	if (!rx->fwnode)
		return -ENOMEM;

	rx->domain = sigma_irq_domain_create(x86_vector_domain, 1, rx->fwnode,
					     &doorbell_domain_ops, rx);
	if (IS_ERR_OR_NULL(rx->domain)) {
		err = rx->domain ? PTR_ERR(rx->domain) : -ENOMEM;
		goto free_fwnode;
	}

	irq = irq_domain_alloc_irqs(rx->domain, 1, cpu_to_node(cpu), &info);
	if (irq < 0) {
		err = irq;
		goto remove_domain;
	}
	rx->irq = irq;

	/* Without IRQF_NO_THREAD: see doorbell_interrupt() */
	err = request_irq(irq, doorbell_interrupt, 0, name, rx);
	if (err)
		goto free_irqs;

	if (rx->rearm)
		atomic_inc(&nr_limited);
	sigma_doorbell_look(rx);
	return 0;

free_irqs:
	irq_dispose_mapping(irq);
remove_domain:
	irq_domain_remove(rx->domain);
free_fwnode:
	irq_domain_free_fwnode(rx->fwnode);
	rx->domain = NULL;
	return err;
}

void sigma_doorbell_unlisten(struct sigma_doorbell_rx *rx)
{
	unsigned long flags;

	if (!rx->domain)
		return;
	raw_spin_lock_irqsave(&rx->publish_lock, flags);
	rx->target = 0;
	WRITE_ONCE(rx->words->target, 0);
	raw_spin_unlock_irqrestore(&rx->publish_lock, flags);
	free_irq(rx->irq, rx);
	if (rx->rearm)
		atomic_dec(&nr_limited);
	cancel_delayed_work_sync(&rx->leftover);
	irq_dispose_mapping(rx->irq);
	irq_domain_remove(rx->domain);
	irq_domain_free_fwnode(rx->fwnode);
	rx->domain = NULL;
}

static void interrupt_peer(struct sigma_doorbell_tx *tx)
{
	u64 target = le64_to_cpu(READ_ONCE(tx->words->target));
	u32 apic_id = target >> 32, vector = (u32)target;

	if (vector < FIRST_LEGAL_VECTOR || vector > LAST_VECTOR)
		return;
	if (tx->allowed && !tx->allowed(tx->data, apic_id, vector))
		return;
	if (!sigma_apic_send(apic_id, APIC_DM_FIXED | vector))
		atomic_long_inc(&tx->ipis);
}

void sigma_doorbell_ring(struct sigma_doorbell_tx *tx, unsigned int n)
{
	unsigned long flags;

	atomic_long_inc(&tx->sent);
	/* sync_: with LOCK even in a kernel for one CPU, since the peer is another CPU */
	if (sync_test_and_set_bit(n % 64, (__force unsigned long *)&tx->words->pending[n / 64]))
		return;
	if (READ_ONCE(tx->words->busy))
		return;

	/*
	 * The CPU must not return to the host between the check and the IPI. With interrupts off
	 * here, the synchronize_rcu() before its return waits
	 */
	local_irq_save(flags);
	interrupt_peer(tx);
	local_irq_restore(flags);
}
