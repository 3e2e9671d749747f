// SPDX-License-Identifier: GPL-2.0
/*
 * Keeps the guest's CPUs online. A CPU that goes offline halts in the guest kernel's own idle loop.
 * Only the ACPI wake-up mailbox (ACPI 6.5, 5.2.12.19) could start it again, and a CPU in that loop
 * does not poll it. So kernels before 6.10 would wait for the CPU for ever, with the hotplug lock
 * held; later ones refuse by themselves to take it offline.
 */
#include <linux/cpuhotplug.h>
#include <linux/device.h>

#include "../kmod/shared/fault.h"
#include "guest.h"

static int refuse(unsigned int cpu)
{
	/* The host takes all CPUs of a guest that is asleep, and has them wait at the mailbox again */
	if (sigma_sleep_has_begun())
		return 0;
	pr_err("sigma_guest: cpu %u stays online: nothing could start it again; to have fewer, start the guest with a lower CPUs=\n",
	       cpu);
	return -EOPNOTSUPP;
}

void sigma_cpu_open(struct sigma_guest *guest)
{
	int err = sigma_fault() ?: cpuhp_setup_state_nocalls(CPUHP_AP_ONLINE_DYN,
							     "sigma_guest:online", NULL, refuse);

	if (err < 0)
		dev_warn(guest->dev, "CPUs can be taken offline, but not online again: error %d\n",
			 err);
}
