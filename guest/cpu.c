// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's CPUs stay online. The one that takes a CPU offline is the guest's kernel, which lets
 * it wait in its own idle loop; what starts it again is the ACPI wake-up mailbox (ACPI 6.5,
 * 5.2.12.19), which nobody looks at from there. So kernels before 6.10 would wait for that CPU for
 * ever, with the hotplug lock held; later ones refuse to take it offline by themselves.
 */
#include <linux/cpuhotplug.h>
#include <linux/device.h>

#include "guest.h"

static int refuse(unsigned int cpu)
{
	pr_err("sigma_guest: cpu %u stays online: nothing could start it again; to have fewer, start the guest with a lower CPUs=\n",
	       cpu);
	return -EOPNOTSUPP;
}

void sigma_cpu_open(struct sigma_guest *guest)
{
	int err = cpuhp_setup_state_nocalls(CPUHP_AP_ONLINE_DYN, "sigma_guest:online", NULL, refuse);

	if (err < 0)
		dev_warn(guest->dev, "CPUs can be taken offline, but not online again: error %d\n", err);
}
