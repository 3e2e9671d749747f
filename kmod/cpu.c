// SPDX-License-Identifier: GPL-2.0
/*
 * Lending CPUs.
 *
 * A lent CPU is an offline CPU of the host that this module keeps from coming online. It is in one
 * of three places: in the host's offline loop (just lent), in the guest (started), or halted in the
 * entry pages (parked). startup.c moves it between them. The host takes a CPU back by its usual
 * onlining, which begins with an INIT, whatever the CPU does.
 *
 * A CPU that the host has offline (chcpu -d, maxcpus=, nosmt) is lent without being onlined, and
 * is given back offline: it rests where it is until the host onlines it. Only the kernel's
 * bring-up sets a CPU's MTRRs and loads its microcode. One that maxcpus= has kept from that since
 * boot is therefore brought up once before it is lent. Before our pages are freed, CPUs that rest
 * there are brought up and taken offline, or else the pages stay taken.
 *
 * While it is lent, a CPU is not "present", as if it had been unplugged. Without that, broadcast
 * IPIs would reach the guest: once every present CPU has booted, x86 kernels send them by
 * shorthand to all CPUs of the machine, online or not; a guest would obey the host's "stop" IPI.
 * A CPU that is present without being in cpus_booted_once_mask, or the reverse, makes
 * apic_smt_update() turn the shorthand off; it runs at the end of each CPU hotplug operation.
 *
 * Unless cores may be split, all CPUs of a core have one owner. The kernel's map of siblings has
 * online CPUs only, so a sibling that is offline is known by its APIC ID, and is kept offline as
 * long as the guest exists. A host whose hyperthreads are switched off can so lend its cores.
 */
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/log2.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/topology.h>
#include <asm/cpufeature.h>
#include <asm/processor.h>
#include <asm/smp.h>

#include "shared/fault.h"
#include "cpu.h"
#include "startup.h"
#include "why.h"

#define XAPIC_ID_MAX	254	/* 255 is the broadcast ID */
#define HOTPLUG_TRIES	20	/* PCI probes, for one, disable CPU hotplug for a moment */
#define HOTPLUG_MS	100

/* CPUID leaf 0Bh, subleaf 0 (SDM vol. 3A, 9.9.3; APM vol. 3, appendix E.3) */
#define TOPOLOGY_LEAF		0xb
#define TOPOLOGY_SHIFT(eax)	((eax) & 0x1f)		/* bits of the APIC ID for the thread */
#define TOPOLOGY_CPUS(ebx)	((ebx) & 0xffff)	/* in a core */
#define TOPOLOGY_LEVEL(ecx)	((ecx) >> 8 & 0xff)
#define TOPOLOGY_LEVEL_THREADS	1
/* AMD CPUs without that leaf, if they have X86_FEATURE_TOPOEXT (APM vol. 3, appendix E.4) */
#define COMPUTE_UNIT_LEAF	0x8000001e
#define COMPUTE_UNIT_CPUS(ebx)	(((ebx) >> 8 & 0xff) + 1)

static cpumask_t claimed;		/* by sigma_cpu_claim() */
static cpumask_t lent;			/* changed by atomic bit operations */
static cpumask_t were_offline;		/* of these, the CPUs that the host had offline */
static cpumask_t left_parked;		/* were given back, and did not come online then */
static cpumask_t slept;			/* were offline when the machine slept, perhaps still are */
/* The guest that has all of its cores for itself, a number for each claim; 0: cores may be split */
static DEFINE_PER_CPU(unsigned int, owner);	/* valid for claimed CPUs */
static unsigned int thread_bits;		/* of an APIC ID, for the CPU in its core */
static enum cpuhp_state hotplug_state;

static unsigned int read_thread_bits(void)
{
	unsigned int eax, ebx, ecx, edx;

	if (cpuid_eax(0) >= TOPOLOGY_LEAF) {
		cpuid_count(TOPOLOGY_LEAF, 0, &eax, &ebx, &ecx, &edx);
		/* Some machines have two threads and a shift of 0 (topology_ext.c of Linux) */
		if (TOPOLOGY_CPUS(ebx) && TOPOLOGY_LEVEL(ecx) == TOPOLOGY_LEVEL_THREADS)
			return TOPOLOGY_SHIFT(eax) ?: order_base_2(TOPOLOGY_CPUS(ebx));
	}
	if (boot_cpu_has(X86_FEATURE_TOPOEXT))
		return order_base_2(COMPUTE_UNIT_CPUS(cpuid_ebx(COMPUTE_UNIT_LEAF)));
	return 0;
}

/* Works for CPUs that are offline, too */
static bool same_core(unsigned int a, unsigned int b)
{
	return sigma_cpu_apic_id(a) >> thread_bits == sigma_cpu_apic_id(b) >> thread_bits;
}

/* Return: a lent CPU in the core of @cpu whose guest must not share that; nr_cpu_ids: none */
static unsigned int unshared_sibling(unsigned int cpu)
{
	unsigned int other;

	for_each_cpu(other, &lent)
		if (same_core(cpu, other) && per_cpu(owner, other) &&
		    per_cpu(owner, other) != per_cpu(owner, cpu))
			return other;
	return nr_cpu_ids;
}

/*
 * Runs on another CPU before @cpu is brought up; an error keeps it offline. A lent CPU gets here
 * only if something else, such as ACPI hotplug, has made it present again. CPUs of one guest are
 * returned one after the other, so siblings with the same owner may be onlined.
 */
static int refuse_online(unsigned int cpu)
{
	unsigned int sibling;

	if (cpumask_test_cpu(cpu, &lent)) {
		pr_warn_ratelimited("cpu %u: runs a guest and cannot be onlined; stop the guest first (sigmactl list)\n",
				    cpu);
		return -EBUSY;
	}
	sibling = unshared_sibling(cpu);
	if (sibling < nr_cpu_ids) {
		pr_warn_ratelimited("cpu %u: shares a core with cpu %u, which runs a guest, and cannot be onlined; stop the guest first (sigmactl list), or give it SplitCores=yes\n",
				    cpu, sibling);
		return -EBUSY;
	}
	return 0;
}

/* Runs on another CPU after @cpu died, and before apic_smt_update() */
static int hide_lent(unsigned int cpu)
{
	if (cpumask_test_cpu(cpu, &lent))
		set_cpu_present(cpu, false);
	return 0;
}

/* Also for CPUs that are offline, of which the kernel's map of siblings does not tell */
static bool are_siblings(unsigned int a, unsigned int b)
{
	return cpumask_test_cpu(b, topology_sibling_cpumask(a)) || same_core(a, b);
}

static int check_one(unsigned int cpu, const cpumask_t *wanted, bool split_cores,
		     struct sigma_why *why)
{
	unsigned int other;

	if (cpu == 0)
		return sigma_refuse(why, -EINVAL, SIGMA_REASON_CPU_0, cpu, 0);
	if (cpu >= nr_cpu_ids || !cpu_possible(cpu))
		return sigma_refuse(why, -EINVAL, SIGMA_REASON_CPU_NONE, cpu, 0);
	if (cpumask_test_cpu(cpu, &claimed))
		return sigma_refuse(why, -EBUSY, SIGMA_REASON_CPU_LENT, cpu, 0);
	if (!cpu_present(cpu))
		return sigma_refuse(why, -EINVAL, SIGMA_REASON_CPU_NONE, cpu, 0);
	if (sigma_cpu_apic_id(cpu) > XAPIC_ID_MAX)
		return sigma_refuse(why, -EINVAL, SIGMA_REASON_CPU_APIC_ID, cpu,
				    sigma_cpu_apic_id(cpu));
	/* Other siblings that are offline, and that no guest has, stay offline */
	for_each_cpu(other, &claimed)
		if (are_siblings(cpu, other) && (!split_cores || per_cpu(owner, other)))
			return sigma_refuse(why, -EINVAL, SIGMA_REASON_CPU_SIBLING, cpu, other);
	if (split_cores)
		return 0;
	for_each_online_cpu(other)
		if (!cpumask_test_cpu(other, wanted) && are_siblings(cpu, other))
			return sigma_refuse(why, -EINVAL, SIGMA_REASON_CPU_SIBLING, cpu, other);
	return 0;
}

void sigma_cpu_lendable(cpumask_t *cpus)
{
	unsigned int cpu;

	cpumask_clear(cpus);
	for_each_present_cpu(cpu)
		if (cpu && !cpumask_test_cpu(cpu, &claimed) && sigma_cpu_apic_id(cpu) <= XAPIC_ID_MAX)
			cpumask_set_cpu(cpu, cpus);
}

void sigma_cpu_core(unsigned int cpu, cpumask_t *core)
{
	unsigned int other;

	cpumask_clear(core);
	for_each_possible_cpu(other)
		if ((cpu_present(other) || cpumask_test_cpu(other, &lent)) &&
		    are_siblings(cpu, other))
			cpumask_set_cpu(other, core);
}

int sigma_cpu_claim(const u32 *cpus, unsigned int nr, bool split_cores, struct sigma_why *why)
{
	static unsigned int claims;	/* protected by the caller, as is `claimed` */
	cpumask_t *wanted = kzalloc(sizeof(*wanted), GFP_KERNEL);
	int err = 0;

	if (!wanted)
		return sigma_refuse(why, -ENOMEM, SIGMA_REASON_NO_MEMORY, 0, 0);
	for (unsigned int i = 0; i < nr && !err; i++)
		if (cpus[i] < nr_cpu_ids && cpumask_test_and_set_cpu(cpus[i], wanted))
			err = sigma_refuse(why, -EINVAL, SIGMA_REASON_CPU_TWICE, cpus[i], 0);
	for (unsigned int i = 0; i < nr && !err; i++)
		err = check_one(cpus[i], wanted, split_cores, why);
	kfree(wanted);
	if (err)
		return err;

	/* 0 is not a number of a claim */
	if (!++claims)
		claims = 1;
	for (unsigned int i = 0; i < nr; i++) {
		per_cpu(owner, cpus[i]) = split_cores ? 0 : claims;
		cpumask_set_cpu(cpus[i], &claimed);
	}
	return 0;
}

void sigma_cpu_unclaim(const u32 *cpus, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		cpumask_clear_cpu(cpus[i], &claimed);
}

bool sigma_cpu_is_only_claimed(unsigned int cpu)
{
	return cpumask_test_cpu(cpu, &claimed) && !cpumask_test_cpu(cpu, &lent);
}

/*
 * Has a sibling come online since sigma_cpu_claim(), which the guest does not get? From here on
 * refuse_online() prevents that.
 */
static unsigned int online_sibling(unsigned int cpu)
{
	unsigned int other;

	for_each_online_cpu(other)
		if (per_cpu(owner, cpu) && same_core(cpu, other) &&
		    per_cpu(owner, other) != per_cpu(owner, cpu))
			return other;
	return nr_cpu_ids;
}

/* @change: add_cpu() or remove_cpu() */
static int try_patiently(int (*change)(unsigned int cpu), unsigned int cpu)
{
	int err = -EBUSY;

	for (int i = 0; i < HOTPLUG_TRIES && err == -EBUSY; i++) {
		if (i)
			msleep(HOTPLUG_MS);
		err = change(cpu);
	}
	return err;
}

static int add_cpu_patiently(unsigned int cpu)
{
	return try_patiently(add_cpu, cpu);
}

/*
 * Let the host bring up a CPU that is new to it, and take it offline again. Where hyperthreads are
 * switched off, the kernel does the second part itself (-ECANCELED). The machine's sleep may reset a
 * CPU, and the kernel leaves one that was offline as it is.
 */
static int bring_up_once(unsigned int cpu, struct sigma_why *why)
{
	int err;

	if (cpu_data(cpu).initialized && !cpumask_test_cpu(cpu, &slept))
		return 0;
	if (!cpu_online(cpu))
		pr_info("cpu %u: was never online%s; the host brings it up once, which sets its MTRRs and loads its microcode\n",
			cpu, cpumask_test_cpu(cpu, &slept) ? " since the machine slept" : "");
	err = add_cpu_patiently(cpu);
	/* What a hyperthread that is switched off has of these, it shares with its core's first one */
	if (err == -EPERM && cpumask_test_cpu(cpu, &slept))
		err = 0;
	if (err < 0 && err != -ECANCELED)
		return sigma_refuse(why, -EBUSY, SIGMA_REASON_CPU_NEW, cpu, -err);
	cpumask_clear_cpu(cpu, &slept);
	return 0;
}

void sigma_cpu_woken(void)
{
	unsigned int cpu;

	for_each_present_cpu(cpu)
		if (!cpu_online(cpu))
			cpumask_set_cpu(cpu, &slept);
}

/*
 * Hide a lent CPU that was offline. Its onlining fails, but at the end of that the kernel sees that
 * a CPU is missing. Where hyperthreads are switched off, it does not even begin (-EPERM).
 *
 * Return: does the kernel know?
 */
static bool hide_offline(unsigned int cpu)
{
	cpumask_set_cpu(cpu, &were_offline);
	set_cpu_present(cpu, false);
	return add_cpu_patiently(cpu) == -EINVAL;
}

/* @hidden: set if the kernel has seen since that a CPU is missing, and broadcasts no IPIs */
static int lend_one(unsigned int cpu, bool *hidden, struct sigma_why *why)
{
	bool was_offline = !cpu_online(cpu);
	unsigned int sibling;
	int err;

	/* Since it was claimed it may have been unplugged, and then has no device any more */
	if (!cpu_present(cpu))
		return sigma_refuse(why, -EINVAL, SIGMA_REASON_CPU_NONE, cpu, 0);
	err = bring_up_once(cpu, why);
	if (err)
		return err;
	cpumask_set_cpu(cpu, &lent);
	sigma_startup_prepare(cpu);
	err = try_patiently(remove_cpu, cpu);
	if (err < 0) {
		cpumask_clear_cpu(cpu, &lent);
		set_cpu_present(cpu, true);
		return sigma_refuse(why, -EBUSY, SIGMA_REASON_CPU_BUSY, cpu, -err);
	}
	/* Above 0: it is offline, perhaps because somebody else took it offline meanwhile */
	if (!err || hide_offline(cpu))
		*hidden = true;
	if (was_offline)
		cpumask_set_cpu(cpu, &were_offline);
	sibling = online_sibling(cpu);
	if (sibling < nr_cpu_ids)
		return sigma_refuse(why, -EINVAL, SIGMA_REASON_CPU_SIBLING, cpu, sibling);
	pr_info("cpu %u: lent%s; the host sees it as not present and cannot online it until it is back\n",
		cpu, cpumask_test_cpu(cpu, &were_offline) ? ", and was offline" : "");
	return 0;
}

int sigma_cpu_lend(const u32 *cpus, unsigned int nr, struct sigma_why *why)
{
	bool hidden = !cpumask_empty(&lent);
	int err = 0;

	for (unsigned int i = 0; i < nr && !err; i++)
		err = sigma_fault() ?: lend_one(cpus[i], &hidden, why);
	if (!err && !hidden)
		err = sigma_refuse(why, -EINVAL, SIGMA_REASON_CPU_SMT, cpus[0], 0);
	for (unsigned int i = 0; i < nr && err; i++)
		if (cpumask_test_cpu(cpus[i], &lent))
			sigma_cpu_return(cpus[i]);
	return err;
}

int sigma_cpu_return(unsigned int cpu)
{
	int err;

	cpumask_clear_cpu(cpu, &lent);
	set_cpu_present(cpu, true);
	/*
	 * Where a CPU rests that stays offline, it survives NMI and machine check; waiting for a
	 * start-up IPI it would not (CR4.MCE is 0 after INIT, SDM vol. 3A, table 10-1)
	 */
	if (cpumask_test_and_clear_cpu(cpu, &were_offline)) {
		cpumask_set_cpu(cpu, &left_parked);
		return 0;
	}
	err = add_cpu_patiently(cpu);
	if (err >= 0)
		return 0;
	cpumask_set_cpu(cpu, &left_parked);
	pr_err("cpu %u: was given back, but the host could not online it (error %d): try chcpu -e %u\n",
	       cpu, err, cpu);
	return err;
}

/* The kernel's bring-up takes CPUs out of our pages. Return: is none left there? */
static bool vacate(void)
{
	bool vacant = true;
	unsigned int cpu;
	int err;

	for_each_cpu(cpu, &left_parked) {
		/* One that was unplugged meanwhile has no device, for which add_cpu() would look */
		if (cpu_online(cpu) || !cpu_present(cpu))
			continue;
		err = add_cpu_patiently(cpu);
		if (err < 0) {
			pr_warn("cpu %u: rests below 1 MiB, in pages that stay taken until this machine restarts, since the host cannot online it (error %d); kexec would overwrite them, so restart by the firmware\n",
				cpu, err);
			vacant = false;
			continue;
		}
		/* Above 0: somebody else has onlined it just now, and may keep it */
		if (err > 0)
			continue;
		err = remove_cpu(cpu);
		if (err < 0)
			pr_warn("cpu %u: was offline, and is online now: the host could not take it offline again (error %d): try chcpu -d %u\n",
				cpu, err, cpu);
	}
	return vacant;
}

void sigma_cpu_reset_left(void)
{
	unsigned int cpu;

	for_each_cpu(cpu, &left_parked)
		if (!cpu_online(cpu) && !cpumask_test_cpu(cpu, &lent))
			sigma_cpu_reset(&cpu, 1);
}

int sigma_cpu_init(void)
{
	int err;

	err = sigma_startup_init();
	if (err)
		return err;

	thread_bits = read_thread_bits();
	err = cpuhp_setup_state_nocalls(CPUHP_BP_PREPARE_DYN, "sigma:lent", refuse_online,
					hide_lent);
	if (err < 0) {
		sigma_startup_exit();
		return err;
	}
	hotplug_state = err;
	return 0;
}

bool sigma_cpu_exit(void)
{
	bool vacant = vacate();

	cpuhp_remove_state_nocalls(hotplug_state);
	if (vacant)
		sigma_startup_exit();
	return vacant;
}
