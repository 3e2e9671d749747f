// SPDX-License-Identifier: GPL-2.0
/*
 * Starting and parking lent CPUs.
 *
 * INIT and a start-up IPI (SIPI) bring a lent CPU to the entry pages, whatever it did before, since
 * INIT resets the core. The CPU acknowledges that it has arrived, and only then may the guest's
 * memory be freed.
 *
 * A parked CPU is halted, with handlers for NMIs and machine checks. It does not wait for a
 * start-up IPI, because such a CPU does not enter SMM: firmware that gathers all CPUs in SMM has
 * hung laptops (smp_park_other_cpus_in_init() caused that until kernel commit fbe1bf1e5ff1). CPUs
 * are left waiting for a start-up IPI in three cases only: for a kernel that kexec starts, which
 * overwrites our pages; after a CPU did not answer; and where the host could not online a CPU.
 *
 * All CPUs of a guest get INIT before the first of them is started or parked. So none can send an
 * NMI to another one that is on its way to the entry pages, and one wait of INIT_US serves all: until
 * a CPU gets its start-up IPI, it takes no SMI, and a machine check would reset the machine.
 *
 * CPUs are started one after the other, because the entry pages hold orders for one CPU at a time.
 */
#include <linux/delay.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <asm/apic.h>
#include <asm/cpufeature.h>
#include <asm/smp.h>

#include "shared/apic.h"
#include "entry.h"
#include "frequency.h"
#include "identity.h"
#include "startup.h"

#define INIT_ASSERT	(APIC_INT_LEVELTRIG | APIC_INT_ASSERT | APIC_DM_INIT)
#define INIT_DEASSERT	(APIC_INT_LEVELTRIG | APIC_DM_INIT)
#define INIT_US		10000	/* MP specification 1.4, B.4 */
#define SIPI_US		200
#define SIPI_TRIES	2	/* likewise: a second one where the first was lost */
#define ARRIVE_MS	1000	/* far beyond what real hardware needs */
#define INIT_TRIES	3

static DEFINE_MUTEX(start_lock);	/* protects the orders in the entry pages */
/* Of a CPU that is started, and of one that is parked; valid for lent CPUs */
static DEFINE_PER_CPU(struct sigma_frequency, frequency);
static DEFINE_PER_CPU(struct sigma_frequency, parked_frequency);
static struct sigma_identity park_identity;

u32 sigma_cpu_apic_id(unsigned int cpu)
{
	return per_cpu(x86_cpu_to_apicid, cpu);
}

void sigma_startup_prepare(unsigned int cpu)
{
	struct sigma_frequency *freq = per_cpu_ptr(&frequency, cpu);
	struct sigma_frequency *parked = per_cpu_ptr(&parked_frequency, cpu);

	sigma_frequency_highest(cpu, freq);
	sigma_frequency_lowest(cpu, parked);
	if (freq->msr)
		pr_info("cpu %u: asks for its highest performance, by MSR 0x%x, when it is started%s\n",
			cpu, freq->msr, parked->msr ? ", and for its lowest when it is parked" : "");
}

static bool wait_for_arrival(u32 token, unsigned int usecs)
{
	for (unsigned int waited = 0; ; waited += 20) {
		if (sigma_entry_arrived(token))
			return true;
		if (waited >= usecs)
			return false;
		usleep_range(20, 40);
	}
}

/* @cpu waits for a start-up IPI. Return: 0: it has arrived */
static int sipi(unsigned int cpu, u32 token)
{
	u32 vector = sigma_entry_page() >> PAGE_SHIFT;
	int err;

	/* A CPU that has started ignores a further start-up IPI */
	for (int i = 0; i < SIPI_TRIES; i++) {
		err = sigma_apic_send(sigma_cpu_apic_id(cpu), APIC_DM_STARTUP | vector);
		if (err)
			return err;
		if (wait_for_arrival(token, SIPI_US))
			return 0;
	}
	return wait_for_arrival(token, ARRIVE_MS * USEC_PER_MSEC) ? 0 : -EIO;
}

/* The CPU was reset by sigma_cpu_reset(), and gets another INIT only if that has not reached it */
static int send(const struct entry_order *order)
{
	unsigned int cpu = order->cpu;
	u32 token;
	int err;

	mutex_lock(&start_lock);
	token = sigma_entry_tell(order);
	err = sipi(cpu, token);
	/*
	 * A CPU in SMM misses both start-up IPIs. One that arrives late finds the same orders. The
	 * token is a new one, since the CPU may have arrived just before this reset.
	 */
	for (int i = 0; i < INIT_TRIES && err; i++) {
		sigma_cpu_reset(&cpu, 1);
		token = sigma_entry_tell(order);
		err = sipi(cpu, token);
	}
	/* A CPU that has not arrived must not arrive later, and find the orders for another one */
	if (err)
		sigma_cpu_reset(&cpu, 1);
	mutex_unlock(&start_lock);

	if (err)
		pr_err("cpu %u (APIC ID %u): did not answer INIT and start-up (error %d)\n",
		       cpu, sigma_cpu_apic_id(cpu), err);
	return err;
}

int sigma_cpu_start(unsigned int cpu, u32 mode, const struct sigma_identity *id, u64 target,
		    u64 argument)
{
	return send(&(struct entry_order) {
		.cpu = cpu, .mode = mode, .id = id, .target = target, .argument = argument,
		.freq = per_cpu_ptr(&frequency, cpu),
	});
}

int sigma_cpu_park(unsigned int cpu)
{
	return send(&(struct entry_order) {
		.cpu = cpu, .mode = ENTRY_PARK, .id = &park_identity,
		.freq = per_cpu_ptr(&parked_frequency, cpu),
	});
}

/* One wait serves all CPUs. A CPU that did not receive the INIT is noticed by send() */
static void init_all(const u32 *cpus, unsigned int nr)
{
	/* The first CPU comes last: the others send NMIs to it, for a backtrace */
	for (unsigned int i = nr; i--; )
		sigma_apic_send(sigma_cpu_apic_id(cpus[i]), INIT_ASSERT);
	usleep_range(INIT_US, INIT_US + 1000);
	for (unsigned int i = 0; i < nr; i++)
		sigma_apic_send(sigma_cpu_apic_id(cpus[i]), INIT_DEASSERT);
}

void sigma_cpu_reset(const u32 *cpus, unsigned int nr)
{
	init_all(cpus, nr);
	/* The first INIT only causes a VM exit of a guarded guest: see guard/program */
	if (boot_cpu_has(X86_FEATURE_VMX) || boot_cpu_has(X86_FEATURE_SVM))
		init_all(cpus, nr);
}

int sigma_startup_init(void)
{
	int err;

	err = sigma_identity_init(&park_identity);
	if (err)
		return err;
	err = sigma_entry_map(&park_identity);
	if (err)
		sigma_identity_free(&park_identity);
	return err;
}

void sigma_startup_exit(void)
{
	sigma_identity_free(&park_identity);
}
