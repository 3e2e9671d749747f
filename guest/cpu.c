// SPDX-License-Identifier: GPL-2.0
/*
 * Keeps the guest's CPUs online. A CPU that is offline cannot rest: it waits at the ACPI wake-up mailbox
 * (offline.c), which it has to poll. And kernels from 6.10 on refuse by themselves to take CPUs offline
 * where the mailbox starts them. Only a suspend may do so, for a moment.
 */
#include <linux/cpuhotplug.h>
#include <linux/device.h>

#include "../kmod/shared/fault.h"
#include "guest.h"

static int refuse(unsigned int cpu)
{
	if (sigma_sleep_has_begun())
		return 0;
	pr_err("sigma_guest: cpu %u stays online: offline it would not rest; to have fewer, start the guest with a lower CPUs=\n",
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
