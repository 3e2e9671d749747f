// SPDX-License-Identifier: GPL-2.0
/*
 * For bench/iosc: measure a round trip of doorbells between two kernels, and one of bare IPIs
 * between two CPUs of one kernel. The doorbells use the modules' own source, with words and vectors
 * of their own.
 *
 * The host loads it first and allocates the page that both share; its parameter "page" has the
 * physical address. The guest loads it with that address, and its interrupt handler rings back
 * whenever it is rung. On the host, reading the parameter "doorbell" or "ipi" measures one batch
 * from CPU 0, and gives nanoseconds for one round trip.
 */
#include <linux/io.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/smp.h>

#include "../kmod/shared/apic.c"
#include "../kmod/shared/doorbell.c"

#define BATCH		1000
#define PATIENCE_NS	NSEC_PER_SEC
#define OTHER_CPU	1
#define BELL		0

struct shared {
	struct sigma_iosc_doorbell to_host, to_guest;
};

static unsigned long page;
module_param(page, ulong, 0400);
MODULE_PARM_DESC(page, "physical address of the host's page; 0: this is the host");

static bool guest;
static struct shared *shared;
static struct sigma_doorbell_rx rx;
static struct sigma_doorbell_tx tx;
static bool back;

static void rung(void *data, unsigned int n)
{
	if (guest)
		sigma_doorbell_ring(&tx, BELL);
	else
		WRITE_ONCE(back, true);
}

static int ring_there(void)
{
	sigma_doorbell_ring(&tx, BELL);
	return 0;
}

static void ipi_back(void *data)
{
	WRITE_ONCE(back, true);
}

static void ipi_there(void *data)
{
	static call_single_data_t csd = CSD_INIT(ipi_back, NULL);

	smp_call_function_single_async(0, &csd);
}

static int send_ipi(void)
{
	static call_single_data_t csd = CSD_INIT(ipi_there, NULL);

	return smp_call_function_single_async(OTHER_CPU, &csd);
}

static int batch(int (*there)(void), u64 *ns)
{
	u64 start = ktime_get_ns();
	int err = 0;

	for (unsigned int i = 0; !err && i < BATCH; i++) {
		WRITE_ONCE(back, false);
		err = there();
		while (!err && !READ_ONCE(back)) {
			cpu_relax();
			if (ktime_get_ns() - start > PATIENCE_NS)
				err = -ETIMEDOUT;
		}
	}
	*ns = div_u64(ktime_get_ns() - start, BATCH);
	return err;
}

/* Interrupts stay on: the measurement waits for them */
static int measure(char *buffer, const struct kernel_param *kp)
{
	int cpu = get_cpu(), err = -EXDEV;
	u64 ns;

	if (!cpu && !guest)
		err = batch(kp->arg, &ns);
	put_cpu();
	return err ?: sysfs_emit(buffer, "%llu\n", ns);
}

static const struct kernel_param_ops measure_ops = {
	.get = measure,
};
module_param_cb(doorbell, &measure_ops, ring_there, 0400);
MODULE_PARM_DESC(doorbell, "ns that a round trip to the guest and back takes");
module_param_cb(ipi, &measure_ops, send_ipi, 0400);
MODULE_PARM_DESC(ipi, "ns that a round trip to CPU 1 and back takes");

static int map_page(void)
{
	guest = page;
	if (guest) {
		shared = memremap(page, PAGE_SIZE, MEMREMAP_WB);
		return shared ? 0 : -ENOMEM;
	}
	shared = (void *)get_zeroed_page(GFP_KERNEL);
	if (!shared)
		return -ENOMEM;
	page = virt_to_phys(shared);
	return 0;
}

static void unmap_page(void)
{
	if (guest)
		memunmap(shared);
	else
		free_page((unsigned long)shared);
}

static int __init roundtrip_init(void)
{
	int err = map_page();

	if (err)
		return err;
	err = sigma_apic_init();
	if (err)
		goto unmap_page;
	rx.words = guest ? &shared->to_guest : &shared->to_host;
	rx.handler = rung;
	tx.words = guest ? &shared->to_host : &shared->to_guest;
	err = sigma_doorbell_listen(&rx, "roundtrip", 0);
	if (err)
		goto exit_apic;
	return 0;

exit_apic:
	sigma_apic_exit();
unmap_page:
	unmap_page();
	return err;
}

static void __exit roundtrip_exit(void)
{
	sigma_doorbell_unlisten(&rx);
	sigma_apic_exit();
	unmap_page();
}

module_init(roundtrip_init);
module_exit(roundtrip_exit);

MODULE_DESCRIPTION("Measure doorbells and IPIs");
MODULE_LICENSE("GPL");
