// SPDX-License-Identifier: GPL-2.0
/*
 * For soak/: a guest fills its IOSC window with noise, again and again, and interrupts the host
 * each time. One word stays: where the guest's own interrupts go. A guest that sends those anywhere
 * is modules/trespass.c.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/random.h>

#include "guest.h"
#include "../kmod/shared/apic.c"

#define ROUNDS		64
#define PAUSE_MS	20
#define STATES		16	/* a few more than there are */

static struct sigma_guest *find_guest(void)
{
	struct device *dev = bus_find_device_by_name(&platform_bus_type, NULL, "SGMA0001:00");
	struct sigma_guest *guest = dev ? dev_get_drvdata(dev) : NULL;

	put_device(dev);
	return guest;
}

static void make_noise(void *window, __le64 *target)
{
	const size_t at = (void *)target - window, next = at + sizeof(*target);

	get_random_bytes(window, at);
	get_random_bytes(window + next, SIGMA_IOSC_SIZE - next);
}

static int __init noise_init(void)
{
	struct sigma_guest *guest = find_guest();
	__le64 *target;
	u64 to;
	int err;

	err = guest ? sigma_apic_init() : -ENODEV;
	if (err)
		return err;
	target = &guest->header->to_host.target;
	to = le64_to_cpu(READ_ONCE(*target));
	for (unsigned int i = 0; i < ROUNDS; i++) {
		make_noise(guest->window, target);
		/* Random bits are never the number of a state */
		if (i % 2)
			WRITE_ONCE(guest->header->guest.state, cpu_to_le32(i / 2 % STATES));
		sigma_apic_send(to >> 32, APIC_DM_FIXED | (u8)to);
		msleep(PAUSE_MS);
	}
	sigma_apic_exit();
	return -ECANCELED;	/* an error, so that the module does not stay */
}
module_init(noise_init);

MODULE_DESCRIPTION("Fill the IOSC window with noise");
MODULE_LICENSE("GPL");
