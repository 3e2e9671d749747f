// SPDX-License-Identifier: GPL-2.0
/*
 * Every path on which this kernel ends. A stock kernel ends by resetting the machine (port 0xcf9,
 * the keyboard controller, a triple fault), and here the machine is the host's. So a hook stops
 * each path at its last common point, before it touches anything but this CPU and this guest's
 * memory. The hook reports the end in sigma_iosc_guest.state and parks the CPU until the host takes
 * it back. The host stops the guest's other CPUs as soon as it sees a final state.
 *
 *	power-off, halt,	machine_ops, see machine-ops.c
 *	reboot, sysrq-b,
 *	panic=N, watchdogs
 *	kexec, crash kernel	machine_ops: the next kernel would lack this module at first, and
 *				sigmad's command line
 *	panic			the last panic notifier, see below
 *	suspend			"mem" is sleep.c's. Other states are refused, as nothing could wake
 *				this guest: sigma_power_prepare()
 *	hibernation		refused, likewise
 *	kexec that comes back	refused by a syscore operation, since it calls none of machine_ops
 *				(KEXEC_PRESERVE_CONTEXT). Suspend ends there, too, at the latest.
 *
 * When the panic notifier runs, the message is in printk's buffer; records that the console has not
 * got yet are flushed here. What the kernel does after the notifiers (blinking, waiting,
 * panic_timeout and its reset) is of no use to a guest, so the CPU parks in the notifier.
 *
 * If a hook can't be installed, the guest stops at once and reports it, because it could reset the
 * host later.
 */
#include <linux/atomic.h>
#include <linux/device.h>
#include <linux/irqflags.h>
#include <linux/notifier.h>
#include <linux/panic_notifier.h>
#include <linux/reboot.h>
#include <linux/suspend.h>
#include <linux/syscore_ops.h>
#include <asm/reboot.h>

#include "../kmod/shared/fault.h"
#include "guest.h"

static struct sigma_guest *power_guest;

static void write_panic_text(const char *text)
{
	struct sigma_iosc_guest *shared = &power_guest->header->guest;
	size_t len = min(strcspn(text, "\n"), sizeof(shared->panic_text) - 1);

	memcpy(shared->panic_text, text, len);
	shared->panic_text[len] = '\0';
}

/* Any context. If several CPUs come here at once, the first one reports its reason. */
static void __noreturn power_stop(u32 state, const char *panic_text)
{
	static atomic_t stopping = ATOMIC_INIT(0);

	local_irq_disable();
	if (!atomic_xchg(&stopping, 1)) {
		sigma_console_flush();
		if (panic_text)
			write_panic_text(panic_text);
		/* Release: a reader that sees the state sees the text and the log, too */
		smp_store_release(&power_guest->header->guest.state, cpu_to_le32(state));
		sigma_iosc_ring(power_guest, SIGMA_DOORBELL_STATE);
	}
	/* An NMI or SMI ends a HLT */
	for (;;)
		asm volatile("cli; hlt" : : : "memory");
}

static void restart(char *command)
{
	power_stop(SIGMA_GUEST_REBOOT, NULL);
}

static void restart_at_once(void)
{
	power_stop(SIGMA_GUEST_REBOOT, NULL);
}

static void off(void)
{
	power_stop(SIGMA_GUEST_POWEROFF, NULL);
}

/* Before kexec starts the next kernel. The other paths that shut down are stopped before this */
static void shutdown(void)
{
	power_stop(SIGMA_GUEST_REBOOT, NULL);
}

/* The kernel starts a crash kernel before it calls the panic notifiers */
static void crash_shutdown(struct pt_regs *regs)
{
	power_stop(SIGMA_GUEST_PANIC,
		   "panic; the crash kernel is not started on a lent CPU, see the log");
}

static const struct machine_ops ends = {
	.restart		= restart,
	.halt			= off,
	.power_off		= off,
	.shutdown		= shutdown,
	.crash_shutdown		= crash_shutdown,
	.emergency_restart	= restart_at_once,
};

/* A kernel that nothing can power off halts instead, and says so. machine_ops.power_off comes first */
static int power_off(struct sys_off_data *data)
{
	power_stop(SIGMA_GUEST_POWEROFF, NULL);
}

static int panicked(struct notifier_block *nb, unsigned long action, void *text)
{
	power_stop(SIGMA_GUEST_PANIC, text);
}

static struct notifier_block panic_hook = {
	.notifier_call	= panicked,
	.priority	= INT_MIN,	/* after all other notifiers */
};

static int refuse_suspend(void)
{
	dev_err(power_guest->dev, "suspend refused: nothing could wake this guest\n");
	return -EPERM;
}

static int suspending(struct notifier_block *nb, unsigned long action, void *data)
{
	switch (action) {
	case PM_SUSPEND_PREPARE:
		if (!sigma_sleep_is_possible())
			return notifier_from_errno(refuse_suspend());
		sigma_sleep_freezes();
		return NOTIFY_DONE;
	case PM_HIBERNATION_PREPARE:
		return notifier_from_errno(refuse_suspend());
	case PM_POST_SUSPEND:
	case PM_POST_HIBERNATION:
	case PM_POST_RESTORE:		/* /dev/snapshot can suspend, too */
		sigma_sleep_thawed();
		return NOTIFY_DONE;
	default:
		return NOTIFY_DONE;
	}
}

/* The notifier does not learn which state it is. Only that of sleep.c has begun here */
int sigma_power_prepare(struct device *dev)
{
	return sigma_sleep_has_begun() ? 0 : refuse_suspend();
}

static struct notifier_block suspend_hook = {
	.notifier_call	= suspending,
};

static int gate(SIGMA_SYSCORE_ARGS)
{
	return sigma_sleep_has_begun() ? 0 : -EPERM;
}

SIGMA_DEFINE_SYSCORE(suspend_gate, gate);

static void require_hook(const char *name, int err)
{
	char text[sizeof(power_guest->header->guest.panic_text)];

	if (!err)
		return;
	snprintf(text, sizeof(text),
		 "stopped, since nothing keeps this kernel from resetting the host: %s: error %d",
		 name, err);
	dev_emerg(power_guest->dev, "%s\n", text);
	power_stop(SIGMA_GUEST_PANIC, text);
}

void sigma_power_open(struct sigma_guest *guest)
{
	struct sys_off_handler *handler;

	power_guest = guest;
	require_hook("panic notifier", sigma_fault() ?:
		     atomic_notifier_chain_register(&panic_notifier_list, &panic_hook));

	require_hook(IS_ENABLED(CONFIG_KPROBES) ? "machine_ops" : "no CONFIG_KPROBES",
		     sigma_fault() ?: sigma_machine_ops_replace(&ends));
	sigma_register_syscore(&suspend_gate);
	handler = sigma_fault_ptr() ?:
		  register_sys_off_handler(SYS_OFF_MODE_POWER_OFF, SYS_OFF_PRIO_FIRMWARE + 1,
					   power_off, NULL);
	require_hook("power-off handler", PTR_ERR_OR_ZERO(handler));
	require_hook("suspend notifier", sigma_fault() ?: register_pm_notifier(&suspend_hook));
}

void sigma_power_event(struct sigma_guest *guest, u32 action, u32 sleeps)
{
	if (action != SIGMA_POWER_SLEEP && sigma_sleep_defers(action))
		return;
	switch (action) {
	case SIGMA_POWER_OFF:
		dev_info(guest->dev, "the host asks for a power-off\n");
		orderly_poweroff(true);
		break;
	case SIGMA_POWER_REBOOT:
		dev_info(guest->dev, "the host asks for a reboot\n");
		orderly_reboot();
		break;
	case SIGMA_POWER_SLEEP:
		dev_info(guest->dev, "the host asks for sleep\n");
		sigma_sleep_asked(guest, sleeps);
		break;
	default:
		dev_warn(guest->dev, "unknown power action %u ignored\n", action);
	}
}
