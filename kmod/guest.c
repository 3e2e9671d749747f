// SPDX-License-Identifier: GPL-2.0
/*
 * A guest's life, from when it was created (create.c) until it is destroyed.
 *
 *	start		BOOTING: its first CPU jumps into the kernel that user space loaded
 *			RUNNING: its driver reported that it is up
 *	the guest ends	it reports that through shared memory, and its CPUs are parked at once
 *	stop		parks its CPUs, whatever they do
 *	it falls asleep	ASLEEP: it reports that, too, and where it wants to wake
 *	wake		BOOTING, as after a start, but it goes on where it fell asleep
 *
 * The guest reports its state in sigma_iosc_guest, which only the guest writes. The host trusts
 * it only to start running, to fall asleep or to end. A CPU that cannot be parked makes the guest
 * LOST: the CPU may still be running, so neither the guest's memory nor its CPUs are ever returned.
 */
#include <linux/kobject.h>
#include <linux/mm.h>
#include <linux/topology.h>
#include <linux/wait.h>
#include <asm/apic.h>
#include <asm/tsc.h>

#include "guard/guard.h"
#include "shared/apic.h"
#include "entry.h"
#include "guest.h"
#include "startup.h"

#define HEALTH_PERIOD		HZ
#define MISSED_BEATS_MAX	2			/* in a row, of HEALTH_PERIOD each */

bool sigma_guests_closed;
void (*sigma_guest_changed)(struct sigma_guest *guest);

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
	[SIGMA_STATE_ASLEEP]		= "asleep",
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
	if (!sigma_guest_lives(guest))
		sigma_channels_down(&guest->channels);
	atomic_inc(&guest->state_seq);
	wake_up_interruptible(&guest->wait);
	sigma_guest_changed(guest);
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
	const struct sigma_iosc_guest *shared = &guest->iosc.header->guest;

	/* Acquire: what the guest wrote before is read after it */
	switch (le32_to_cpu(smp_load_acquire(&shared->state))) {
	case SIGMA_GUEST_ASLEEP:
		/* One that was woken and has not come back yet has said so before */
		return le32_to_cpu(READ_ONCE(shared->sleeps)) == guest->wake.sleeps ?
		       SIGMA_STATE_BOOTING : SIGMA_STATE_ASLEEP;
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

/* SIGMA_WAKE checks what is read here. A guest that wrote nonsense can only be stopped then */
static void read_wake(struct sigma_guest *guest)
{
	const struct sigma_iosc_guest *shared = &guest->iosc.header->guest;

	guest->wake.page = le64_to_cpu(READ_ONCE(shared->wake_page));
	guest->wake.flags = le32_to_cpu(READ_ONCE(shared->wake_flags));
	guest->wake.sleeps = le32_to_cpu(READ_ONCE(shared->sleeps));
}

static void fall_asleep(struct sigma_guest *guest)
{
	read_wake(guest);
	park(guest, SIGMA_STATE_ASLEEP);
}

/* Its CPUs never ran it, and are in the host's offline loop */
void sigma_guest_restored(struct sigma_guest *guest)
{
	lockdep_assert_held(&guest->lock);
	read_wake(guest);
	set_state(guest, SIGMA_STATE_ASLEEP);
}

/* Whoever serves the guest may want to wake it for that (poll in uapi/sigma.h) */
static void tell_rung(struct sigma_guest *guest)
{
	atomic_inc(&guest->state_seq);
	wake_up_interruptible(&guest->wait);
}

/* The guest or its guard has rung SIGMA_DOORBELL_STATE, or the host a doorbell of a guest that sleeps */
static void state_work(struct work_struct *work)
{
	struct sigma_guest *guest = container_of(work, struct sigma_guest, state_work);
	enum sigma_state reported;

	mutex_lock(&guest->lock);
	if (sigma_guest_alive(guest) && !contained(guest)) {
		reported = reported_state(guest);
		sigma_guest_changed(guest);		/* it may have refused to sleep */
		if (reported == SIGMA_STATE_RUNNING)
			set_state(guest, reported);
		else if (reported == SIGMA_STATE_ASLEEP)
			fall_asleep(guest);
		else if (reported != SIGMA_STATE_BOOTING)
			park(guest, reported);
	}
	if (atomic_xchg(&guest->iosc.rung_asleep, 0) && guest->state == SIGMA_STATE_ASLEEP)
		tell_rung(guest);
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
	/* A guest that falls asleep rings while its local APIC is off, which may be lost */
	if (reported_state(guest) == SIGMA_STATE_ASLEEP)
		schedule_work(&guest->state_work);
	if (guest->state == SIGMA_STATE_RUNNING && guest->missed_beats >= MISSED_BEATS_MAX)
		set_state(guest, SIGMA_STATE_UNRESPONSIVE);
	else if (guest->state == SIGMA_STATE_UNRESPONSIVE && !guest->missed_beats)
		set_state(guest, SIGMA_STATE_RUNNING);
	schedule_delayed_work(&guest->health_work, HEALTH_PERIOD);
	mutex_unlock(&guest->lock);
}

void sigma_guest_init(struct sigma_guest *guest)
{
	mutex_init(&guest->lock);
	guest->gone = true;
	init_waitqueue_head(&guest->wait);
	INIT_WORK(&guest->state_work, state_work);
	INIT_DELAYED_WORK(&guest->health_work, health_work);
}

void sigma_guest_quiesce(struct sigma_guest *guest)
{
	cancel_work_sync(&guest->state_work);
	cancel_delayed_work_sync(&guest->health_work);
}

static int start_cpu(struct sigma_guest *guest, unsigned int i, const struct sigma_start *args,
		     bool la57)
{
	u64 mailbox = guest->view.iosc_phys + SIGMA_IOSC_MAILBOX_OFF;

	if (guest->guard)
		return sigma_guard_start_cpu(guest->guard, i, args->entry, args->boot_params);
	if (i)
		return sigma_cpu_start(guest->view.cpus[i], ENTRY_MAILBOX, &guest->identity, mailbox, 0);
	return sigma_cpu_start(guest->view.cpus[0], la57 ? ENTRY_JUMP_LA57 : ENTRY_JUMP,
			       &guest->identity, args->entry, args->boot_params);
}

/* Secondary CPUs first: they must wait at the mailbox before the boot CPU writes to it */
static int start_cpus(struct sigma_guest *guest, const struct sigma_start *args, bool la57)
{
	sigma_cpu_reset(guest->view.cpus, guest->view.nr_cpus);
	for (unsigned int i = guest->view.nr_cpus; i--; ) {
		int err = start_cpu(guest, i, args, la57);

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
	} else if (READ_ONCE(sigma_guests_closed)) {
		err = -ESHUTDOWN;
	} else if (guest->state == SIGMA_STATE_LOST) {
		err = -EIO;
	} else if (sigma_guest_lives(guest)) {
		err = -EBUSY;
	} else if (!guest->has_cpus) {
		err = -ENXIO;
	} else if (guest->guard && sigma_guard_build(guest->guard, false)) {
		err = -ENOMEM;
	} else {
		sigma_iosc_reset(&guest->iosc);
		guest->missed_beats = 0;
		guest->heartbeat = 0;
		guest->nmis = 0;
		guest->wake.sleeps = 0;
		guest->suspend.asked = false;
		set_state(guest, SIGMA_STATE_BOOTING);
		err = start_cpus(guest, args, false);
		if (err)
			park(guest, SIGMA_STATE_STOPPED);
		else
			schedule_delayed_work(&guest->health_work, HEALTH_PERIOD);
	}
	mutex_unlock(&guest->lock);
	return err;
}

/* For memory objects: one that is asleep could not answer */
static bool peer_runs(void *data)
{
	return sigma_guest_alive(data);
}

static int set_shared_locked(struct sigma_guest *guest, const struct sigma_shared *args)
{
	struct sigma_objects *objects = &guest->channels.objects;

	if (guest->gone)
		return -ENODEV;
	/* Once and for all: also that there is none */
	if (args->phys == objects->phys && args->size == objects->size)
		return 0;
	if (guest->state != SIGMA_STATE_CREATED || objects->area)
		return -EBUSY;
	if (!args->size || !IS_ALIGNED(args->phys | args->size, SIGMA_SEGMENT_ALIGN))
		return -EINVAL;
	if (!sigma_memory_contains(&guest->memory, args->phys, args->size))
		return -EFAULT;
	objects->peer_runs = peer_runs;
	objects->data = guest;
	objects->confined = guest->view.guard_kind != SIGMA_GUARD_NO;
	return sigma_objects_open(objects, &guest->dev, phys_to_virt(args->phys), args->phys,
				  args->size);
}

int sigma_guest_set_shared(struct sigma_guest *guest, const struct sigma_shared *args)
{
	int err;

	mutex_lock(&guest->lock);
	err = set_shared_locked(guest, args);
	mutex_unlock(&guest->lock);
	return err;
}

/* The guest wrote the page's address, which must be its own; and the CPU must have what it needs */
static int check_wake(const struct sigma_guest *guest)
{
	if (guest->gone)
		return -ENODEV;
	if (guest->state != SIGMA_STATE_ASLEEP)
		return -EPIPE;
	if (READ_ONCE(sigma_guests_closed))
		return -ESHUTDOWN;
	if (!IS_ALIGNED(guest->wake.page, PAGE_SIZE) ||
	    !sigma_memory_contains(&guest->memory, guest->wake.page, PAGE_SIZE))
		return -EFAULT;
	if (guest->wake.flags & ~SIGMA_WAKE_LA57 ||
	    (guest->wake.flags & SIGMA_WAKE_LA57 && !guest->identity.root_la57))
		return -EFAULT;
	return 0;
}

int sigma_guest_can_wake(struct sigma_guest *guest)
{
	int err;

	mutex_lock(&guest->lock);
	err = check_wake(guest);
	mutex_unlock(&guest->lock);
	return err;
}

int sigma_guest_leave_cpus(struct sigma_guest *guest)
{
	int ret;

	mutex_lock(&guest->lock);
	if (guest->gone) {
		ret = -ENODEV;
	} else if (guest->state != SIGMA_STATE_ASLEEP) {
		ret = -EPIPE;
	} else {
		ret = guest->has_cpus;
		guest->has_cpus = false;
	}
	mutex_unlock(&guest->lock);
	return ret;
}

void sigma_guest_take_cpus(struct sigma_guest *guest)
{
	mutex_lock(&guest->lock);
	guest->has_cpus = true;
	mutex_unlock(&guest->lock);
}

/* Its memory and the window are as it left them. If no CPU reaches it, it sleeps on */
static int wake_locked(struct sigma_guest *guest)
{
	struct sigma_start at;
	bool la57;
	int err = check_wake(guest);

	if (err)
		return err;
	la57 = guest->wake.flags & SIGMA_WAKE_LA57;
	if (guest->guard && sigma_guard_build(guest->guard, la57))
		return -ENOMEM;
	at = (struct sigma_start){ .entry = guest->wake.page, .boot_params = guest->wake.page };
	guest->missed_beats = 0;
	/* One that was not obeyed before would start the next CPU at once, and where it no longer belongs */
	sigma_iosc_forget_command(&guest->iosc);
	set_state(guest, SIGMA_STATE_BOOTING);
	err = start_cpus(guest, &at, la57);
	if (err)
		park(guest, SIGMA_STATE_ASLEEP);
	else
		schedule_delayed_work(&guest->health_work, HEALTH_PERIOD);
	return err;
}

int sigma_guest_resume(struct sigma_guest *guest)
{
	int err;

	mutex_lock(&guest->lock);
	err = wake_locked(guest);
	mutex_unlock(&guest->lock);
	return err;
}

static int stop_locked(struct sigma_guest *guest)
{
	int err = 0;

	if (sigma_guest_alive(guest))
		err = park(guest, SIGMA_STATE_STOPPED);
	else if (guest->state == SIGMA_STATE_ASLEEP)
		set_state(guest, SIGMA_STATE_STOPPED);	/* its CPUs are parked, or the host's */
	else if (guest->state == SIGMA_STATE_LOST)
		err = -EIO;
	sigma_iosc_unbind_all(&guest->iosc);
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

void sigma_guest_open(struct sigma_guest *guest)
{
	mutex_lock(&guest->lock);
	WRITE_ONCE(guest->gone, false);
	guest->has_cpus = true;
	mutex_unlock(&guest->lock);
}

int sigma_guest_close(struct sigma_guest *guest)
{
	int err;

	mutex_lock(&guest->lock);
	err = atomic_read(&guest->memory_files) ? -EBUSY : stop_locked(guest);
	if (!err)
		WRITE_ONCE(guest->gone, true);
	mutex_unlock(&guest->lock);
	if (!err)
		wake_up_interruptible(&guest->wait);
	return err;
}

void sigma_guest_shut_down(struct sigma_guest *guest, bool kexec)
{
	mutex_lock(&guest->lock);
	if (!guest->has_cpus)
		set_state(guest, SIGMA_STATE_STOPPED);	/* an INIT would hit the host's */
	else if (guest->state != SIGMA_STATE_LOST)
		park(guest, SIGMA_STATE_STOPPED);
	/* The next kernel may use our pages, so no CPU may execute code in them any more */
	if (kexec && guest->has_cpus)
		sigma_cpu_reset(guest->view.cpus, guest->view.nr_cpus);
	mutex_unlock(&guest->lock);
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
