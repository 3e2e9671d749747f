// SPDX-License-Identifier: GPL-2.0
/*
 * In a guest: interrupt without end from the last CPU, until the module is unloaded:
 *
 *	insmod storm.ko what=doorbells		# ring the host, whether it is busy or not
 *	insmod storm.ko what=interrupts		# ring whenever the host has taken the last one
 *	insmod storm.ko what=nmis		# send NMIs to the guest's first CPU
 *
 * In the host: send a thousand NMIs to a lent CPU, which must survive them wherever it waits. The
 * module does not stay loaded then:
 *	insmod storm.ko what=nmis to=APIC_ID
 */
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <asm/nmi.h>
#include <asm/smp.h>

#include "guest.h"
#include "../kmod/shared/apic.c"

#define BATCH	256
#define NMIS	1000
#define TAKEN_US	20	/* longer than the host looks for more before it is done */
#define NMI_US	100		/* between two NMIs: one that comes too early is lost */

static char *what = "doorbells";
module_param(what, charp, 0);

static int to = -1;
module_param(to, int, 0);

static struct task_struct *task;
static struct sigma_iosc_doorbell *words;

static int swallow(unsigned int type, struct pt_regs *regs)
{
	return NMI_HANDLED;
}

/* All doorbells, so that the host has much to do for one interrupt */
static void ring(void)
{
	u64 target = le64_to_cpu(READ_ONCE(words->target));

	for (unsigned int w = 0; w < SIGMA_DOORBELL_WORDS; w++)
		WRITE_ONCE(words->pending[w], cpu_to_le64(~0ULL));
	sigma_apic_send(target >> 32, APIC_DM_FIXED | (u8)target);
}

static void interrupt_host(void)
{
	udelay(TAKEN_US);
	if (!READ_ONCE(words->busy) && !READ_ONCE(words->pending[SIGMA_DOORBELL_WORDS - 1]))
		ring();
}

static void interrupt_self(void)
{
	sigma_apic_send(per_cpu(x86_cpu_to_apicid, 0), APIC_DM_NMI);
}

static int storm(void *send)
{
	while (!kthread_should_stop()) {
		for (int i = 0; i < BATCH; i++)
			((void (*)(void))send)();
		cond_resched();
	}
	return 0;
}

static int send_nmis(void)
{
	int err = sigma_apic_init();

	for (int i = 0; i < NMIS && !err; i++) {
		err = sigma_apic_send(to, APIC_DM_NMI);
		udelay(NMI_US);
	}
	sigma_apic_exit();
	return err ?: -ECANCELED;
}

static int __init storm_init(void)
{
	bool nmis = !strcmp(what, "nmis");
	struct sigma_guest *guest;
	struct device *dev;
	int err;

	if (to >= 0)
		return send_nmis();
	dev = bus_find_device_by_name(&platform_bus_type, NULL, "SGMA0001:00");
	guest = dev ? dev_get_drvdata(dev) : NULL;
	put_device(dev);
	err = guest ? sigma_apic_init() : -ENODEV;
	if (!err && nmis)
		err = register_nmi_handler(NMI_LOCAL, swallow, 0, "storm");
	if (err)
		return err;
	words = &guest->header->to_host;
	task = kthread_create(storm, nmis ? interrupt_self : !strcmp(what, "interrupts") ?
			      interrupt_host : ring, "storm");
	if (IS_ERR(task))
		return PTR_ERR(task);
	kthread_bind(task, cpumask_last(cpu_online_mask));
	wake_up_process(task);
	return 0;
}
module_init(storm_init);

static void __exit storm_exit(void)
{
	kthread_stop(task);
	if (!strcmp(what, "nmis"))
		unregister_nmi_handler(NMI_LOCAL, "storm");
	sigma_apic_exit();
}
module_exit(storm_exit);

MODULE_DESCRIPTION("Interrupt without end");
MODULE_LICENSE("GPL");
