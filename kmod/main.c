// SPDX-License-Identifier: GPL-2.0
/*
 * sigma.ko: lends CPUs and memory of a running host to a second kernel. See uapi/sigma.h for the
 * interface to user space, and ARCHITECTURE.md for the order of locks.
 *
 *	main.c		module, host checks, reboot
 *	create.c	create and destroy guests; the list of them
 *	guest.c		a guest's life: start, stop, its end; its state
 *	sleep.c		wake a guest that is asleep; its CPUs go back meanwhile
 *	suspend.c	the machine sleeps: guests fall asleep before, and are woken afterwards
 *	cpu.c		lend and return CPUs
 *	startup.c	start CPUs by INIT and start-up IPI, park them
 *	entry.S arrival.c	the entry pages, where a started CPU arrives
 *	frequency.c	the frequency of lent CPUs
 *	memory.c	lend and return memory
 *	pages.c		pages of the running host
 *	window.c	the memory of an IOSC window
 *	place.c		where a guest must be that was saved
 *	pool.c		memory that was set aside for guests
 *	low.c		pages below 1 MiB
 *	identity.c	page tables for a CPU that arrives
 *	iosc.c		the IOSC (inter-OS communication) window: rings, doorbells, eventfds
 *	clock.c		the wall clock in the IOSC window
 *	why.h		reasons for user space
 *	chardev.c	/dev/sigma/ *
 *	memfile.c	a guest's memory as a file
 *	sysfs.c		/sys/class/sigma/ *
 *	guard/		the minimal hypervisor that confines a guest: see guard/guard.h
 *	shared/		what sigma_guest.ko is compiled from as well: doorbells, channels, the
 *			APIC, faults for tests
 *
 * This file checks that the host is fit for guests, and stops them when the host restarts.
 */
#include <linux/cc_platform.h>
#include <linux/module.h>
#include <linux/reboot.h>
#include <asm/cpufeature.h>

#include "../common/version.h"
#include "guard/guard.h"
#include "shared/apic.h"
#include "shared/channel.h"
#include "shared/fault.h"
#include "chardev.h"
#include "cpu.h"
#include "create.h"
#include "entry.h"
#include "iosc.h"
#include "low.h"
#include "pool.h"
#include "suspend.h"

static int check_host(void)
{
	/* A CPU in real mode reads the entry pages, and their page tables, as unencrypted memory */
	if (cc_platform_has(CC_ATTR_MEM_ENCRYPT)) {
		pr_err("this host encrypts its memory: a CPU that starts in real mode could not read the entry code; boot with mem_encrypt=off\n");
		return -EOPNOTSUPP;
	}
	if (boot_cpu_has(X86_FEATURE_XENPV)) {
		pr_err("this kernel runs in a paravirtual machine of Xen, which has the CPUs and their memory; boot Linux without Xen\n");
		return -EOPNOTSUPP;
	}
	if (!boot_cpu_has(X86_FEATURE_APIC)) {
		pr_err("this machine has no local APIC: cannot start a second kernel\n");
		return -EOPNOTSUPP;
	}
	return 0;
}

/* Called before devices and other CPUs are shut down, for power-off and kexec alike */
static int on_reboot(struct notifier_block *nb, unsigned long action, void *data)
{
	/* The text that kernel_kexec() passes; nothing exported tells a kexec from a reboot */
	bool kexec = data && !strcmp(data, "kexec reboot");

	sigma_guests_close(SIGMA_CLOSED_FOR_RESTART);
	sigma_guests_stop_all(kexec);
	return NOTIFY_DONE;
}

static struct notifier_block reboot_notifier = {
	.notifier_call = on_reboot,
	.priority = INT_MAX,
};

static int __init sigma_init(void)
{
	int err;

	err = check_host();
	if (err)
		return err;
	err = sigma_fault() ?: sigma_apic_init();
	if (err)
		return err;
	sigma_low_init();
	err = sigma_fault() ?: sigma_entry_init();
	if (err)
		goto exit_apic;
	err = sigma_fault() ?: sigma_pool_init();
	if (err)
		goto exit_entry;
	err = sigma_fault() ?: sigma_cpu_init();
	if (err)
		goto exit_pool;
	err = sigma_fault() ?: sigma_guard_init();
	if (err)
		goto exit_cpu;
	err = sigma_fault() ?: sigma_iosc_setup();
	if (err)
		goto exit_guard;
	err = sigma_channels_setup();
	if (err)
		goto teardown_iosc;
	err = sigma_fault() ?: register_reboot_notifier(&reboot_notifier);
	if (err)
		goto teardown_channels;
	err = sigma_fault() ?: sigma_suspend_init();
	if (err)
		goto unregister_reboot;
	err = sigma_chardev_init();
	if (err)
		goto exit_suspend;
	return 0;

exit_suspend:
	sigma_suspend_exit();
unregister_reboot:
	unregister_reboot_notifier(&reboot_notifier);
teardown_channels:
	sigma_channels_teardown();
teardown_iosc:
	sigma_iosc_teardown();
exit_guard:
	sigma_guard_exit();
exit_cpu:
	sigma_cpu_exit();
exit_pool:
	sigma_pool_exit();
exit_entry:
	sigma_entry_exit(true);
exit_apic:
	sigma_apic_exit();
	return err;
}

/* Every guest holds a reference to the module, so no guest exists here */
static void __exit sigma_exit(void)
{
	bool vacant;

	sigma_chardev_exit();
	sigma_suspend_exit();
	unregister_reboot_notifier(&reboot_notifier);
	sigma_channels_teardown();
	sigma_iosc_teardown();
	sigma_guard_exit();
	vacant = sigma_cpu_exit();
	sigma_pool_exit();
	sigma_entry_exit(vacant);
	sigma_apic_exit();
}

module_init(sigma_init);
module_exit(sigma_exit);

MODULE_LICENSE("GPL");
MODULE_AUTHOR("The authors of SIGMA");
MODULE_VERSION(SIGMA_VERSION);
MODULE_DESCRIPTION("Run a second kernel on a lent CPU and memory");
