// SPDX-License-Identifier: GPL-2.0
/*
 * For bench/guard, in a guest: measure what a doorbell to the host costs. Reading the parameter
 * "send" gives the nanoseconds that ringing takes the guest, "taken" those until the host's
 * interrupt handler has taken the doorbell. Each is rung only when the host has no other doorbell
 * to look at, so every doorbell is an interrupt. It is the log's doorbell, for which the host then
 * finds nothing new.
 */
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <asm/msr.h>
#include <asm/tsc.h>

#include "guest.h"
#include "../kmod/shared/apic.c"
#include "../kmod/shared/doorbell.c"

#define BATCH		1000
#define PATIENCE_NS	NSEC_PER_SEC

static struct sigma_doorbell_tx tx;

static bool at_rest(void)
{
	return !READ_ONCE(tx.words->busy) && !READ_ONCE(tx.words->pending[0]);
}

static int wait_for_rest(u64 start)
{
	while (!at_rest()) {
		cpu_relax();
		if (ktime_get_ns() - start > PATIENCE_NS)
			return -ETIMEDOUT;
	}
	return 0;
}

static int batch(u64 *send, u64 *taken)
{
	long ipis = atomic_long_read(&tx.ipis);

	*send = *taken = 0;
	for (unsigned int i = 0; i < BATCH; i++) {
		u64 start, sent;
		int err = wait_for_rest(ktime_get_ns());

		start = rdtsc_ordered();
		sigma_doorbell_ring(&tx, SIGMA_DOORBELL_LOG);
		sent = rdtsc_ordered();
		err = err ?: wait_for_rest(ktime_get_ns());
		if (err)
			return err;
		*send += sent - start;
		*taken += rdtsc_ordered() - start;
	}
	return atomic_long_read(&tx.ipis) - ipis == BATCH ? 0 : -EIO;
}

static int measure(char *buffer, const struct kernel_param *kp)
{
	u64 send, taken;
	int err = batch(&send, &taken);

	return err ?: sysfs_emit(buffer, "%llu\n",
				 mul_u64_u32_div(kp->arg ? taken : send, USEC_PER_SEC / BATCH,
						 tsc_khz));
}

static const struct kernel_param_ops measure_ops = {
	.get = measure,
};
module_param_cb(send, &measure_ops, NULL, 0400);
MODULE_PARM_DESC(send, "ns that ringing takes");
module_param_cb(taken, &measure_ops, &tx, 0400);
MODULE_PARM_DESC(taken, "ns until the host has taken it");

static int __init ring_init(void)
{
	struct device *dev = bus_find_device_by_name(&platform_bus_type, NULL, "SGMA0001:00");
	struct sigma_guest *guest = dev ? dev_get_drvdata(dev) : NULL;
	int err = guest ? sigma_apic_init() : -ENODEV;

	if (!err)
		tx.words = &guest->header->to_host;
	put_device(dev);
	return err;
}
module_init(ring_init);

static void __exit ring_exit(void)
{
	sigma_apic_exit();
}
module_exit(ring_exit);

MODULE_DESCRIPTION("Measure doorbells to the host");
MODULE_LICENSE("GPL");
