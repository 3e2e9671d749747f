// SPDX-License-Identifier: GPL-2.0
/*
 * Machine checks that are broadcast to all CPUs of the machine. The host reads the banks, so this
 * kernel runs with mce=off. It leaves CR4.MCE set, as it found it, takes the exception, logs
 * "Unexpected int18" and goes on. But it leaves MCG_STATUS.MCIP set, and with that the next machine
 * check resets the machine (SDM vol. 3B, 16.3.1.2). So the heartbeat clears it here.
 *
 * A guard handles machine checks itself, and the guest's CPUs never see one.
 */
#include <linux/device.h>
#include <linux/smp.h>
#include <asm/cpufeature.h>
#include <asm/mce.h>
#include <asm/msr.h>

#include "guest.h"

static bool is_in_progress(void)
{
	u64 status;

	return !rdmsrq_safe(MSR_IA32_MCG_STATUS, &status) && status & MCG_STATUS_MCIP;
}

static void clear_mcip(void *unused)
{
	if (is_in_progress())
		wrmsr(MSR_IA32_MCG_STATUS, 0, 0);
}

void sigma_machine_check_poll(struct sigma_guest *guest)
{
	if (!boot_cpu_has(X86_FEATURE_MCE) || !is_in_progress())
		return;
	dev_warn(guest->dev, "a machine check was broadcast to all CPUs; see the host's log\n");
	on_each_cpu(clear_mcip, NULL, 1);
}
