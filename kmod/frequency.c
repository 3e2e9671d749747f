// SPDX-License-Identifier: GPL-2.0
/*
 * The frequency of a lent CPU. A CPU keeps its last frequency request, and when the host takes a
 * CPU offline, the host's driver requests the lowest one (intel_pstate_hwp_offline(),
 * amd_pstate_epp_offline()). A guest can hardly change that: on AMD, its drivers need ACPI objects
 * that the guest does not have, and a guarded guest may not write the register. A request by the
 * host's cpufreq policy would be undone by the same drivers.
 *
 * So the CPU itself requests the highest performance when it arrives in the entry pages, at each
 * start. Nothing has to be restored: the host's driver writes the register again when it onlines
 * the CPU.
 *
 * A CPU that is parked, perhaps for days because its guest panicked, would keep that request. Cores
 * may share a voltage or a clock, and HLT does not take the request back. So it requests the lowest
 * performance, but only where intel_pstate controls HWP: that driver leaves the register so when it
 * takes a CPU offline, and restores it when the CPU comes online. Other drivers remember what they
 * have written last, and may not write it again: the CPU would stay slow after its return.
 *
 * Two kinds of CPUs are left as they are: Intel CPUs without HWP, which a guest's own intel_pstate
 * controls, and CPUs whose requests go through memory of the firmware.
 */
#include <linux/cpufreq.h>
#include <linux/cpumask.h>
#include <linux/string.h>
#include <asm/cpufeature.h>
#include <asm/msr.h>

#include "frequency.h"

/* IA32_HWP_REQUEST, SDM vol. 3B 15.4.4; all other bits stay as they are */
#define HWP_PERF_MASK		0x00ffffffULL	/* minimum, maximum, desired */
#define HWP_EPP_MASK		0xff000000ULL
#define HWP_PERF(perf)		((perf) | (perf) << 8)

/* CPPC_REQUEST, AMD PPR: maximum, minimum, desired, energy preference */
#define CPPC_MASK		0xffffffffULL
#define CPPC_PERF(perf)		((perf) | (perf) << 8)
#define CPPC_HIGHEST(cap)	((cap) >> 24 & 0xff)

/* PERF_CTL, APM vol. 2, 17.1.1: P-state 0 is the fastest */
#define PSTATE_FASTEST		0

/*
 * Reads on the CPU itself, since a machine may have several kinds of cores. A CPU that is offline
 * executes nothing: CPU 0 answers for it. A request beyond what a core can do is one for all it can.
 */
static bool read(unsigned int cpu, u32 msr, u64 *value)
{
	return !rdmsrq_safe_on_cpu(cpu_online(cpu) ? cpu : 0, msr, value);
}

static bool has_hwp(unsigned int cpu)
{
	u64 on;

	return boot_cpu_has(X86_FEATURE_HWP) && read(cpu, MSR_PM_ENABLE, &on) && on & 1;
}

/* The driver is called intel_cpufreq in passive mode */
static bool host_restores_hwp(void)
{
	const char *driver = IS_ENABLED(CONFIG_CPU_FREQ) ? cpufreq_get_current_driver() : NULL;

	return driver && (!strcmp(driver, "intel_pstate") || !strcmp(driver, "intel_cpufreq"));
}

void sigma_frequency_lowest(unsigned int cpu, struct sigma_frequency *freq)
{
	u64 cap, request;

	freq->msr = 0;
	if (!has_hwp(cpu) || !host_restores_hwp() || !read(cpu, MSR_HWP_CAPABILITIES, &cap) ||
	    !read(cpu, MSR_HWP_REQUEST, &request))
		return;
	request &= ~HWP_PERF_MASK;
	if (boot_cpu_has(X86_FEATURE_HWP_EPP))
		request |= HWP_EPP_MASK;	/* save energy */
	freq->value = request | HWP_PERF(HWP_LOWEST_PERF(cap));
	freq->msr = MSR_HWP_REQUEST;
}

void sigma_frequency_highest(unsigned int cpu, struct sigma_frequency *freq)
{
	u64 on, cap, request;

	freq->msr = 0;
	if (has_hwp(cpu)) {
		if (!read(cpu, MSR_HWP_CAPABILITIES, &cap) || !read(cpu, MSR_HWP_REQUEST, &request))
			return;
		request &= ~HWP_PERF_MASK;
		if (boot_cpu_has(X86_FEATURE_HWP_EPP))
			request &= ~HWP_EPP_MASK;
		freq->value = request | HWP_PERF(HWP_HIGHEST_PERF(cap));
		freq->msr = MSR_HWP_REQUEST;
	} else if (boot_cpu_has(X86_FEATURE_CPPC) && read(cpu, MSR_AMD_CPPC_ENABLE, &on) &&
		   on & 1) {
		if (!read(cpu, MSR_AMD_CPPC_CAP1, &cap) || !read(cpu, MSR_AMD_CPPC_REQ, &request))
			return;
		freq->value = (request & ~CPPC_MASK) | CPPC_PERF(CPPC_HIGHEST(cap));
		freq->msr = MSR_AMD_CPPC_REQ;
	} else if (boot_cpu_has(X86_FEATURE_HW_PSTATE) && read(cpu, MSR_AMD_PERF_CTL, &request)) {
		freq->value = PSTATE_FASTEST;
		freq->msr = MSR_AMD_PERF_CTL;
	}
}
