// SPDX-License-Identifier: GPL-2.0
/*
 * A guest's life.
 *
 *	create		lends all of its CPUs and memory, or nothing
 *	start		BOOTING: its first CPU jumps into the kernel that user space loaded
 *			RUNNING: its driver reported that it is up
 *	the guest ends	it reports that through shared memory, and its CPUs are parked at once
 *	stop		parks its CPUs, whatever they do
 *	destroy		returns everything
 *
 * The guest reports its state in sigma_iosc_guest, which only the guest writes. The host trusts
 * it only to start running or to end. A CPU that cannot be parked makes the guest LOST: the CPU
 * may still be running, so neither the guest's memory nor its CPUs are ever returned.
 */
#include <linux/ctype.h>
#include <linux/kobject.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/sysfs.h>
#include <linux/topology.h>
#include <linux/wait.h>
#include <asm/apic.h>
#include <asm/tsc.h>

#include "guard/guard.h"
#include "shared/apic.h"
#include "shared/fault.h"
#include "cpu.h"
#include "entry.h"
#include "guest.h"
#include "low.h"
#include "why.h"

#define LOW_GUEST_PAGES		(SIGMA_LOW_SIZE >> PAGE_SHIFT)
#define LOW_LENT_PAGES		(LOW_GUEST_PAGES + 1)	/* one more as the dummy I/O APIC */
#define HEALTH_PERIOD		HZ
#define MISSED_BEATS_MAX	2			/* in a row, of HEALTH_PERIOD each */

DEFINE_MUTEX(sigma_guests_lock);	/* protects `guests`; serialises lending, returning CPUs */
static LIST_HEAD(guests);
/*
 * Guests that are being made. They have a name, CPUs that are claimed, a window and low memory, and
 * their memory is gathered without sigma_guests_lock. Written with both locks held, in this order.
 */
static LIST_HEAD(making);
static DEFINE_MUTEX(making_lock);
static DECLARE_WAIT_QUEUE_HEAD(settled);	/* claimed CPUs were lent or given up */
static bool closed;		/* the machine restarts or sleeps: create and start no guest */

static const char *const state_names[] = {
	[SIGMA_STATE_CREATED]		= "created",
	[SIGMA_STATE_BOOTING]		= "booting",
	[SIGMA_STATE_RUNNING]		= "running",
	[SIGMA_STATE_POWEROFF]		= "poweroff",
	[SIGMA_STATE_REBOOT]		= "reboot",
	[SIGMA_STATE_PANICKED]		= "panicked",
	[SIGMA_STATE_STOPPED]		= "stopped",
	[SIGMA_STATE_LOST]		= "lost",
	[SIGMA_STATE_UNRESPONSIVE]	= "unresponsive",
	[SIGMA_STATE_CONTAINED]		= "contained",
};

const char *sigma_state_name(enum sigma_state state)
{
	return state_names[state];
}

static void set_state(struct sigma_guest *guest, enum sigma_state state)
{
	lockdep_assert_held(&guest->lock);
	if (guest->state == state)
		return;
	WRITE_ONCE(guest->state, state);
	if (!sigma_guest_alive(guest))
		sigma_channels_down(&guest->channels);
	atomic_inc(&guest->state_seq);
	wake_up_interruptible(&guest->wait);
	pr_info("%s: %s\n", guest->view.name, sigma_state_name(state));
	if (device_is_registered(&guest->dev))
		kobject_uevent(&guest->dev.kobj, KOBJ_CHANGE);
}

/* Park all CPUs. @state is the reason, and becomes the guest's state, or LOST does */
static int park(struct sigma_guest *guest, enum sigma_state state)
{
	int err = 0;

	sigma_guard_stopping(guest->guard);
	sigma_cpu_reset(guest->view.cpus, guest->view.nr_cpus);
	for (unsigned int i = 0; i < guest->view.nr_cpus; i++)
		err = sigma_cpu_park(guest->view.cpus[i]) ?: err;
	if (err)
		pr_err("%s: may still be running; its CPUs and memory stay lent until this machine restarts\n",
		       guest->view.name);
	set_state(guest, err ? SIGMA_STATE_LOST : state);
	return err;
}

static enum sigma_state reported_state(const struct sigma_guest *guest)
{
	switch (le32_to_cpu(READ_ONCE(guest->iosc.header->guest.state))) {
	case SIGMA_GUEST_UP:
		return SIGMA_STATE_RUNNING;
	case SIGMA_GUEST_POWEROFF:
		return SIGMA_STATE_POWEROFF;
	case SIGMA_GUEST_REBOOT:
		return SIGMA_STATE_REBOOT;
	case SIGMA_GUEST_PANIC:
		return SIGMA_STATE_PANICKED;
	default:
		return SIGMA_STATE_BOOTING;
	}
}

/* If the guard has stopped a CPU of a guest that was alive, stop the others, too */
static bool contained(struct sigma_guest *guest)
{
	struct sigma_violation violation;

	if (!sigma_guard_violation(guest->guard, &violation))
		return false;
	pr_warn("%s: contained: violation %u, info 0x%llx, cpu %u, CPL %u, RIP 0x%llx\n",
		guest->view.name, violation.reason, violation.info, violation.cpu, violation.cpl,
		violation.rip);
	park(guest, SIGMA_STATE_CONTAINED);
	if (violation.reason == SIGMA_VIOLATION_MACHINE_CHECK)
		sigma_memory_failed(&guest->memory, violation.address);
	return true;
}

/* The guest or its guard has rung SIGMA_DOORBELL_STATE */
static void state_work(struct work_struct *work)
{
	struct sigma_guest *guest = container_of(work, struct sigma_guest, state_work);
	enum sigma_state reported;

	mutex_lock(&guest->lock);
	if (sigma_guest_alive(guest) && !contained(guest)) {
		reported = reported_state(guest);
		if (reported == SIGMA_STATE_RUNNING)
			set_state(guest, reported);
		else if (reported != SIGMA_STATE_BOOTING)
			park(guest, reported);
	}
	mutex_unlock(&guest->lock);
}

/* Once a second: has the guest's heartbeat moved? */
static void health_work(struct work_struct *work)
{
	struct sigma_guest *guest = container_of(to_delayed_work(work), struct sigma_guest,
						 health_work);
	u64 beat = le64_to_cpu(READ_ONCE(guest->iosc.header->guest.heartbeat));

	mutex_lock(&guest->lock);
	if (!sigma_guest_alive(guest) || contained(guest)) {
		mutex_unlock(&guest->lock);
		return;
	}
	guest->missed_beats = beat == guest->heartbeat ? guest->missed_beats + 1 : 0;
	guest->heartbeat = beat;
	if (guest->state == SIGMA_STATE_RUNNING && guest->missed_beats >= MISSED_BEATS_MAX)
		set_state(guest, SIGMA_STATE_UNRESPONSIVE);
	else if (guest->state == SIGMA_STATE_UNRESPONSIVE && !guest->missed_beats)
		set_state(guest, SIGMA_STATE_RUNNING);
	schedule_delayed_work(&guest->health_work, HEALTH_PERIOD);
	mutex_unlock(&guest->lock);
}

static unsigned int count_guests(void)
{
	struct sigma_guest *guest;
	unsigned int nr = 0;

	lockdep_assert_held(&sigma_guests_lock);
	list_for_each_entry(guest, &guests, list)
		nr++;
	list_for_each_entry(guest, &making, list)
		nr++;
	return nr;
}

static struct sigma_guest *find_guest(const char *name)
{
	struct sigma_guest *guest;

	lockdep_assert_held(&sigma_guests_lock);
	list_for_each_entry(guest, &guests, list)
		if (!strcmp(guest->view.name, name))
			return guest;
	return NULL;
}

static bool name_is_taken(const char *name)
{
	struct sigma_guest *guest;

	list_for_each_entry(guest, &making, list)
		if (!strcmp(guest->view.name, name))
			return true;
	return find_guest(name);
}

static bool valid_name(const char *name)
{
	size_t len = strnlen(name, SIGMA_NAME_MAX);

	if (!len || len == SIGMA_NAME_MAX || !isalnum(name[0]) || !strcmp(name, "control"))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isascii(name[i]) || (!isalnum(name[i]) && !strchr("_.-", name[i])))
			return false;
	return true;
}

static int check_args(struct sigma_create *args)
{
	struct sigma_why *why = &args->why;

	if (READ_ONCE(closed))
		return sigma_refuse(why, -ESHUTDOWN, SIGMA_REASON_CLOSED, 0, 0);
	if (!valid_name(args->name))
		return sigma_refuse(why, -EINVAL, SIGMA_REASON_NAME, 0, 0);
	if (name_is_taken(args->name))
		return sigma_refuse(why, -EEXIST, SIGMA_REASON_EXISTS, 0, 0);
	if (args->flags & ~SIGMA_CREATE_SPLIT_CORES)
		return sigma_refuse(why, -EINVAL, SIGMA_REASON_FLAGS, 0, args->flags);
	if (args->guard > SIGMA_GUARD_AUTO || args->reserved)
		return sigma_refuse(why, -EINVAL, SIGMA_REASON_GUARD, 0, args->guard);
	if (!args->nr_cpus || args->nr_cpus > SIGMA_CPUS_MAX)
		return sigma_refuse(why, -EINVAL, SIGMA_REASON_NR_CPUS, 0, args->nr_cpus);
	if (!args->memory || args->memory % SIGMA_SEGMENT_ALIGN)
		return sigma_refuse(why, -EINVAL, SIGMA_REASON_MEMORY_SIZE, 0, args->memory);
	return 0;
}

static void guest_release(struct device *dev)
{
	struct sigma_guest *guest = container_of(dev, struct sigma_guest, dev);

	sigma_iosc_free(&guest->iosc);
	sigma_guard_free(guest->guard);
	kfree(guest);
}

static int guest_uevent(SIGMA_DEVNODE_CONST struct device *dev, struct kobj_uevent_env *env)
{
	SIGMA_DEVNODE_CONST struct sigma_guest *guest = container_of(dev, struct sigma_guest, dev);

	return add_uevent_var(env, "SIGMA_STATE=%s", sigma_state_name(READ_ONCE(guest->state)));
}

static const struct device_type guest_type = {
	.name		= "sigma_guest",
	.uevent		= guest_uevent,
	.release	= guest_release,
};

static struct sigma_guest *new_guest(const struct sigma_create *args,
				     enum sigma_guard_kind guard_kind)
{
	struct sigma_guest *guest = kzalloc(sizeof(*guest), GFP_KERNEL);

	if (!guest)
		return NULL;
	guest->view.guard_kind = guard_kind;
	if (guest->view.guard_kind != SIGMA_GUARD_NO) {
		guest->guard = sigma_guard_alloc(&guest->view);
		if (!guest->guard) {
			kfree(guest);
			return NULL;
		}
	}
	device_initialize(&guest->dev);
	guest->dev.type = &guest_type;
	strscpy(guest->view.name, args->name, sizeof(guest->view.name));
	snprintf(guest->view.label, sizeof(guest->view.label), "SIGMA guest %s", guest->view.name);
	mutex_init(&guest->lock);
	guest->gone = true;
	init_waitqueue_head(&guest->wait);
	INIT_WORK(&guest->state_work, state_work);
	INIT_DELAYED_WORK(&guest->health_work, health_work);
	guest->iosc.view = &guest->view;
	guest->iosc.state = &guest->state;
	guest->iosc.guard = guest->guard;
	guest->iosc.channels = &guest->channels;
	guest->iosc.wait = &guest->wait;
	guest->iosc.state_work = &guest->state_work;
	guest->view.nr_cpus = args->nr_cpus;
	for (unsigned int i = 0; i < guest->view.nr_cpus; i++) {
		guest->view.cpus[i] = args->cpus[i];
		guest->view.apic_ids[i] = sigma_cpu_apic_id(args->cpus[i]);
	}
	return guest;
}

/* sigma_cpu_return() reports a CPU that does not come online */
static void return_cpus(struct sigma_guest *guest)
{
	for (unsigned int i = guest->view.nr_cpus; i--; )
		sigma_cpu_return(guest->view.cpus[i]);
}

u64 sigma_guest_gathering(char *name)
{
	const struct sigma_guest *guest;
	u64 bytes = 0;

	*name = '\0';
	mutex_lock(&making_lock);
	guest = list_first_entry_or_null(&making, struct sigma_guest, list);
	if (guest) {
		strscpy(name, guest->view.name, SIGMA_NAME_MAX);
		bytes = READ_ONCE(guest->memory.gathered);
	}
	mutex_unlock(&making_lock);
	return bytes;
}

static void refuse_memory(const struct sigma_guest *guest, int err, struct sigma_why *why)
{
	if (err == -ESHUTDOWN)
		sigma_refuse(why, err, SIGMA_REASON_CLOSED, 0, 0);
	else if (guest->memory.short_of == SIGMA_REASON_SCATTERED)
		sigma_refuse(why, err, SIGMA_REASON_SCATTERED, 0, guest->memory.gathered);
	else
		sigma_refuse(why, err, SIGMA_REASON_GUEST_MEMORY, 0, sigma_memory_lendable());
}

static void unclaim_cpus(const u32 *cpus, unsigned int nr)
{
	sigma_cpu_unclaim(cpus, nr);
	wake_up_all(&settled);
}

/* Take all but the memory, and of the CPUs only the claim: nobody else may have these any more */
static int begin_making(struct sigma_create *args, const struct sigma_device_node *node,
			struct sigma_guest **begun)
{
	enum sigma_guard_kind guard_kind;
	struct sigma_why *why = &args->why;
	struct sigma_guest *guest;
	int err;

	lockdep_assert_held(&sigma_guests_lock);
	err = check_args(args);
	if (!err)
		err = sigma_cpu_claim(args->cpus, args->nr_cpus,
				      args->flags & SIGMA_CREATE_SPLIT_CORES, why);
	if (err)
		return err;
	err = sigma_guard_choose(args, &guard_kind, why);
	if (err)
		goto unclaim;
	guest = sigma_fault() ? NULL : new_guest(args, guard_kind);
	if (!guest) {
		err = sigma_refuse(why, -ENOMEM, SIGMA_REASON_NO_MEMORY, 0, 0);
		goto unclaim;
	}
	guest->node = node;

	err = sigma_fault() ?: sigma_iosc_init(&guest->iosc);
	if (err) {
		sigma_refuse(why, err, err == -ENOMEM ? SIGMA_REASON_WINDOW : SIGMA_REASON_INTERRUPT,
			     0, -err);
		goto put_guest;
	}
	guest->view.iosc_phys = sigma_iosc_phys(&guest->iosc);

	guest->view.low_phys = sigma_fault() ? 0 : sigma_low_lend(LOW_LENT_PAGES);
	if (!guest->view.low_phys) {
		err = sigma_refuse(why, -ENOSPC, SIGMA_REASON_LOW_MEMORY, 0, count_guests());
		goto exit_iosc;
	}

	mutex_lock(&making_lock);
	list_add_tail(&guest->list, &making);
	mutex_unlock(&making_lock);
	*begun = guest;
	return 0;

exit_iosc:
	sigma_iosc_exit(&guest->iosc);
put_guest:
	put_device(&guest->dev);
unclaim:
	unclaim_cpus(args->cpus, args->nr_cpus);
	return err;
}

static void leave_making(struct sigma_guest *guest)
{
	lockdep_assert_held(&sigma_guests_lock);
	mutex_lock(&making_lock);
	list_del(&guest->list);
	mutex_unlock(&making_lock);
}

/* Undo begin_making(). The memory was given back before */
static void give_up(struct sigma_guest *guest)
{
	lockdep_assert_held(&sigma_guests_lock);
	leave_making(guest);
	sigma_low_return(guest->view.low_phys, LOW_LENT_PAGES);
	sigma_iosc_exit(&guest->iosc);
	unclaim_cpus(guest->view.cpus, guest->view.nr_cpus);
	put_device(&guest->dev);
}

/* The memory has been gathered */
static int finish_making(struct sigma_guest *guest, struct sigma_create *args)
{
	struct sigma_why *why = &args->why;
	int err;

	lockdep_assert_held(&sigma_guests_lock);
	if (READ_ONCE(closed))
		return sigma_refuse(why, -ESHUTDOWN, SIGMA_REASON_CLOSED, 0, 0);
	guest->view.nr_segments = guest->memory.nr_segments;
	guest->view.segments = guest->memory.segment;

	err = sigma_fault() ?: sigma_identity_build(&guest->identity, &guest->view);
	if (err)
		return sigma_refuse(why, err, SIGMA_REASON_PAGE_TABLES, 0, 0);

	err = sigma_cpu_lend(guest->view.cpus, guest->view.nr_cpus, why);
	if (err)
		goto free_identity;

	err = guest->node->add(guest);
	if (err) {
		sigma_refuse(why, err, SIGMA_REASON_DEVICE, 0, -err);
		goto give_back_cpus;
	}

	err = sigma_channels_add(&guest->channels, &guest->dev, guest->view.name);
	if (err) {
		sigma_refuse(why, err, SIGMA_REASON_CHANNELS, 0, -err);
		goto del_node;
	}

	/* Not before: its node is there already, and a guest that runs could not be given up */
	mutex_lock(&guest->lock);
	WRITE_ONCE(guest->gone, false);
	mutex_unlock(&guest->lock);
	__module_get(THIS_MODULE);
	leave_making(guest);
	list_add_tail(&guest->list, &guests);
	wake_up_all(&settled);
	pr_info("%s: created with %u CPUs and %llu MiB in %u segments, guard: %s\n", guest->view.name,
		guest->view.nr_cpus, guest->memory.size >> 20, guest->memory.nr_segments,
		sigma_guard_name(guest->view.guard_kind));
	return 0;

del_node:
	guest->node->del(guest);
give_back_cpus:
	return_cpus(guest);
free_identity:
	sigma_identity_free(&guest->identity);
	return err;
}

/*
 * begin_making(), which waits while another guest that is being made has one of the CPUs. That CPU
 * is online, so a caller that chooses among CPUs that are online would choose it again and again.
 * Once it is lent, the caller sees that. If the other guest was given up, this one gets the CPU.
 */
static int begin_patiently(struct sigma_create *args, const struct sigma_device_node *node,
			   struct sigma_guest **begun)
{
	bool wait;
	int err;

	for (;;) {
		memset(&args->why, 0, sizeof(args->why));
		mutex_lock(&sigma_guests_lock);
		err = begin_making(args, node, begun);
		wait = err && args->why.reason == SIGMA_REASON_CPU_LENT &&
		       sigma_cpu_is_only_claimed(args->why.cpu);
		mutex_unlock(&sigma_guests_lock);
		if (!wait)
			return err;
		if (wait_event_killable(settled, !sigma_cpu_is_only_claimed(args->why.cpu)))
			return -EINTR;
	}
}

/*
 * Gathering memory may take long. Other guests are made, started and destroyed meanwhile, and the
 * machine may restart or sleep: then this guest is given up.
 */
int sigma_guest_create(struct sigma_create *args, const struct sigma_device_node *node)
{
	struct sigma_guest *guest;
	int err;

	err = begin_patiently(args, node, &guest);
	if (err)
		return err;

	err = sigma_fault() ?:
	      sigma_memory_lend(&guest->memory, args->memory, cpu_to_node(guest->view.cpus[0]),
				guest->view.label, &closed);
	if (err) {
		refuse_memory(guest, err, &args->why);
	} else {
		mutex_lock(&sigma_guests_lock);
		err = finish_making(guest, args);
		mutex_unlock(&sigma_guests_lock);
		if (err)
			sigma_memory_return(&guest->memory);
	}
	if (err) {
		mutex_lock(&sigma_guests_lock);
		give_up(guest);
		mutex_unlock(&sigma_guests_lock);
	}
	return err;
}

static int stop_locked(struct sigma_guest *guest)
{
	int err = 0;

	if (sigma_guest_alive(guest))
		err = park(guest, SIGMA_STATE_STOPPED);
	else if (guest->state == SIGMA_STATE_LOST)
		err = -EIO;
	sigma_iosc_unbind_all(&guest->iosc);
	return err;
}

static int destroy_locked(struct sigma_guest *guest)
{
	int err;

	mutex_lock(&guest->lock);
	if (atomic_read(&guest->memory_files)) {
		mutex_unlock(&guest->lock);
		return -EBUSY;
	}
	err = stop_locked(guest);
	if (err) {
		mutex_unlock(&guest->lock);
		return err;
	}
	guest->gone = true;
	mutex_unlock(&guest->lock);
	wake_up_interruptible(&guest->wait);
	/* sigma_doorbell_ring() may have found the guest alive and be about to send it an IPI */
	synchronize_rcu();

	list_del(&guest->list);
	sigma_channels_del(&guest->channels);
	return_cpus(guest);
	unclaim_cpus(guest->view.cpus, guest->view.nr_cpus);
	sigma_iosc_exit(&guest->iosc);
	cancel_work_sync(&guest->state_work);
	cancel_delayed_work_sync(&guest->health_work);
	mutex_lock(&guest->lock);	/* guard_exits in sysfs reads the frames */
	sigma_guard_clear(guest->guard);
	mutex_unlock(&guest->lock);
	sigma_identity_free(&guest->identity);
	sigma_memory_return(&guest->memory);
	sigma_low_return(guest->view.low_phys, LOW_LENT_PAGES);
	/* Last: once the device is gone, user space may count on everything being returned */
	guest->node->del(guest);
	pr_info("%s: destroyed, everything given back\n", guest->view.name);
	put_device(&guest->dev);
	module_put(THIS_MODULE);
	return 0;
}

int sigma_guest_destroy(const char *name)
{
	struct sigma_guest *guest;
	int err;

	mutex_lock(&sigma_guests_lock);
	guest = find_guest(name);
	err = guest ? destroy_locked(guest) : -ENOENT;
	mutex_unlock(&sigma_guests_lock);
	return err;
}

static int start_cpu(struct sigma_guest *guest, unsigned int i, const struct sigma_start *args)
{
	u64 mailbox = guest->view.iosc_phys + SIGMA_IOSC_MAILBOX_OFF;

	if (guest->guard)
		return sigma_guard_start_cpu(guest->guard, i, args->entry, args->boot_params);
	if (i)
		return sigma_cpu_start(guest->view.cpus[i], ENTRY_MAILBOX, &guest->identity, mailbox, 0);
	return sigma_cpu_start(guest->view.cpus[0], ENTRY_JUMP, &guest->identity, args->entry,
			       args->boot_params);
}

/* Secondary CPUs first: they must wait at the mailbox before the boot CPU writes to it */
static int start_cpus(struct sigma_guest *guest, const struct sigma_start *args)
{
	for (unsigned int i = guest->view.nr_cpus; i--; ) {
		int err = start_cpu(guest, i, args);

		if (err)
			return err;
	}
	return 0;
}

int sigma_guest_start(struct sigma_guest *guest, const struct sigma_start *args)
{
	int err;

	mutex_lock(&guest->lock);
	if (guest->gone) {
		err = -ENODEV;
	} else if (!sigma_memory_contains(&guest->memory, args->entry, 1) ||
		   !sigma_memory_contains(&guest->memory, args->boot_params, PAGE_SIZE)) {
		err = -EFAULT;
	} else if (READ_ONCE(closed)) {
		err = -ESHUTDOWN;
	} else if (guest->state == SIGMA_STATE_LOST) {
		err = -EIO;
	} else if (sigma_guest_alive(guest)) {
		err = -EBUSY;
	} else if (guest->guard && sigma_guard_build(guest->guard)) {
		err = -ENOMEM;
	} else {
		sigma_iosc_reset(&guest->iosc);
		guest->missed_beats = 0;
		guest->heartbeat = 0;
		guest->nmis = 0;
		set_state(guest, SIGMA_STATE_BOOTING);
		err = start_cpus(guest, args);
		if (err)
			park(guest, SIGMA_STATE_STOPPED);
		else
			schedule_delayed_work(&guest->health_work, HEALTH_PERIOD);
	}
	mutex_unlock(&guest->lock);
	return err;
}

int sigma_guest_stop(struct sigma_guest *guest)
{
	int err;

	mutex_lock(&guest->lock);
	err = guest->gone ? -ENODEV : stop_locked(guest);
	mutex_unlock(&guest->lock);
	return err;
}

/*
 * Only the first CPU gets the NMI: it has a handler once the driver is up, while the others may
 * still wait at the mailbox.
 */
int sigma_guest_nmi(struct sigma_guest *guest)
{
	struct sigma_iosc_header *header = guest->iosc.header;
	int err;

	mutex_lock(&guest->lock);
	if (guest->gone) {
		err = -ENODEV;
	} else if (guest->state != SIGMA_STATE_RUNNING &&
		   guest->state != SIGMA_STATE_UNRESPONSIVE) {
		err = -EPIPE;
	} else if (!READ_ONCE(header->guest.takes_nmis)) {
		err = -EOPNOTSUPP;
	} else {
		WRITE_ONCE(header->nmis, cpu_to_le32(++guest->nmis));
		err = sigma_apic_send(guest->view.apic_ids[0], APIC_DM_NMI);
	}
	mutex_unlock(&guest->lock);
	return err;
}

/* The text is written first, since the change of state makes others read it */
int sigma_guest_panic(struct sigma_guest *guest, const struct sigma_panic *panic)
{
	char *text = guest->iosc.header->guest.panic_text;
	int err;

	mutex_lock(&guest->lock);
	if (guest->gone) {
		err = -ENODEV;
	} else if (guest->state != SIGMA_STATE_BOOTING) {
		err = -EPIPE;
	} else {
		strscpy(text, panic->text, SIGMA_PANIC_MAX);
		err = park(guest, SIGMA_STATE_PANICKED);
	}
	mutex_unlock(&guest->lock);
	return err;
}
static_assert(sizeof_field(struct sigma_iosc_guest, panic_text) == SIGMA_PANIC_MAX);

void sigma_guest_violation(struct sigma_guest *guest, struct sigma_violation *violation)
{
	memset(violation, 0, sizeof(*violation));
	mutex_lock(&guest->lock);
	sigma_guard_violation(guest->guard, violation);
	mutex_unlock(&guest->lock);
}

void sigma_guest_info(struct sigma_guest *guest, struct sigma_info *info)
{
	mutex_lock(&guest->lock);
	memset(info, 0, sizeof(*info));
	strscpy(info->name, guest->view.name, sizeof(info->name));
	info->state = guest->state;
	info->nr_cpus = guest->view.nr_cpus;
	memcpy(info->cpus, guest->view.cpus, sizeof(info->cpus));
	memcpy(info->apic_ids, guest->view.apic_ids, sizeof(info->apic_ids));
	info->nr_segments = guest->memory.nr_segments;
	memcpy(info->segments, guest->memory.segment, sizeof(info->segments));
	info->bsp_apic_id = sigma_cpu_apic_id(0);
	info->tsc_khz = tsc_khz;
	info->guard = guest->view.guard_kind;
	info->memory = guest->memory.size;
	info->iosc_phys = guest->view.iosc_phys;
	info->low_phys = guest->view.low_phys;
	info->ioapic_phys = guest->view.low_phys + SIGMA_LOW_SIZE;
	mutex_unlock(&guest->lock);
}

/*
 * Each segment begins a range. A change of the node within one begins a further one, as long as
 * there is room for the segments that follow.
 */
static void find_node_ranges(const struct sigma_memory *mem, struct sigma_nodes *nodes)
{
	struct sigma_node_range *range = NULL;

	for (unsigned int i = 0; i < mem->nr_segments; i++) {
		const struct sigma_segment *seg = &mem->segment[i];

		for (u64 at = 0; at < seg->size; at += SIGMA_SEGMENT_ALIGN) {
			u32 node = page_to_nid(pfn_to_page(PHYS_PFN(seg->phys + at)));
			bool new = !at || range->node != node;

			if (new && nodes->nr_ranges < SIGMA_NODE_RANGES_MAX - mem->nr_segments + i + 1) {
				range = &nodes->ranges[nodes->nr_ranges++];
				range->phys = seg->phys + at;
				range->node = node;
			}
			range->size += SIGMA_SEGMENT_ALIGN;
		}
	}
}

void sigma_guest_nodes(struct sigma_guest *guest, struct sigma_nodes *nodes)
{
	memset(nodes, 0, sizeof(*nodes));
	mutex_lock(&guest->lock);
	for (unsigned int i = 0; i < guest->view.nr_cpus; i++)
		nodes->cpus[i] = max(cpu_to_node(guest->view.cpus[i]), 0);	/* NUMA_NO_NODE */
	if (!guest->gone)
		find_node_ranges(&guest->memory, nodes);
	mutex_unlock(&guest->lock);
}

void sigma_guests_close(bool close)
{
	mutex_lock(&sigma_guests_lock);
	WRITE_ONCE(closed, close);
	mutex_unlock(&sigma_guests_lock);
}

bool sigma_guests_close_if_none(void)
{
	bool none;

	mutex_lock(&sigma_guests_lock);
	none = list_empty(&guests);
	if (none)
		WRITE_ONCE(closed, true);
	mutex_unlock(&sigma_guests_lock);
	return none;
}

/*
 * This includes guests that never ran: their CPUs are still in the host's offline loop, and a
 * kernel started by kexec would not know of these CPUs, since they are not present.
 */
void sigma_guests_stop_all(bool kexec)
{
	struct sigma_guest *guest;

	mutex_lock(&sigma_guests_lock);
	list_for_each_entry(guest, &guests, list) {
		mutex_lock(&guest->lock);
		if (guest->state != SIGMA_STATE_LOST)
			park(guest, SIGMA_STATE_STOPPED);
		/* The next kernel may use our pages, so no CPU may execute code in them any more */
		if (kexec)
			sigma_cpu_reset(guest->view.cpus, guest->view.nr_cpus);
		mutex_unlock(&guest->lock);
	}
	if (kexec)
		sigma_cpu_reset_left();
	mutex_unlock(&sigma_guests_lock);
}
