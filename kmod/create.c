// SPDX-License-Identifier: GPL-2.0
/*
 * Creating and destroying guests, and the list of them.
 *
 * A guest gets all of its CPUs and memory, or nothing. It is made in three steps. The first one
 * takes what is there at once: the name, a claim on the CPUs, the IOSC window and low memory. The
 * second one gathers the guest's memory, which may take long. The third one takes the CPUs offline
 * and makes the device nodes. Then the guest exists. Destroying it undoes the steps in the reverse
 * order, but its own device node goes last.
 */
#include <linux/ctype.h>
#include <linux/kobject.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/topology.h>
#include <linux/wait.h>

#include "guard/guard.h"
#include "shared/fault.h"
#include "cpu.h"
#include "create.h"
#include "guest.h"
#include "low.h"
#include "place.h"
#include "startup.h"
#include "why.h"

DEFINE_MUTEX(sigma_guests_lock);	/* protects `guests`; serialises lending, returning CPUs */
static LIST_HEAD(guests);
/*
 * Guests that are being made. They have a name, CPUs that are claimed, a window and low memory, and
 * their memory is gathered without sigma_guests_lock. Written with both locks held, in this order.
 */
static LIST_HEAD(making);
static DEFINE_MUTEX(making_lock);
static unsigned int closed_for;			/* SIGMA_CLOSED_FOR_*; written under sigma_guests_lock */
static DECLARE_WAIT_QUEUE_HEAD(settled);	/* claimed CPUs were lent or given up */

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

static void for_each_window(void (*act)(struct sigma_iosc *iosc))
{
	struct sigma_guest *guest;

	lockdep_assert_held(&sigma_guests_lock);
	list_for_each_entry(guest, &guests, list)
		act(&guest->iosc);
	list_for_each_entry(guest, &making, list)
		act(&guest->iosc);
}

void sigma_guests_note_doorbells(void)
{
	for_each_window(sigma_iosc_note_cpu);
}

void sigma_guests_keep_doorbells(void)
{
	for_each_window(sigma_iosc_keep_cpu);
}

int sigma_guests_lend_cpus(const struct sigma_guest *guest, struct sigma_why *why)
{
	int err;

	sigma_guests_note_doorbells();
	err = sigma_cpu_lend(guest->view.cpus, guest->view.nr_cpus, why);
	sigma_guests_keep_doorbells();
	return err;
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

	if (READ_ONCE(sigma_guests_closed))
		return sigma_refuse(why, -ESHUTDOWN, SIGMA_REASON_CLOSED, 0, 0);
	if (!valid_name(args->name))
		return sigma_refuse(why, -EINVAL, SIGMA_REASON_NAME, 0, 0);
	if (name_is_taken(args->name))
		return sigma_refuse(why, -EEXIST, SIGMA_REASON_EXISTS, 0, 0);
	if (args->flags & ~(SIGMA_CREATE_SPLIT_CORES | SIGMA_CREATE_ONE_NODE))
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
	kvfree(guest->suspend.low);
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
	sigma_guest_init(guest);
	guest->iosc.view = &guest->view;
	guest->iosc.state = &guest->state;
	guest->iosc.guard = guest->guard;
	guest->iosc.channels = &guest->channels;
	guest->iosc.wait = &guest->wait;
	guest->iosc.state_work = &guest->state_work;
	guest->split_cores = args->flags & SIGMA_CREATE_SPLIT_CORES;
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

static bool in_window(const struct sigma_guest *guest, u64 phys)
{
	return phys >= guest->view.iosc_phys && phys - guest->view.iosc_phys < SIGMA_IOSC_SIZE;
}

static bool owns(const struct sigma_guest *guest, u64 phys)
{
	return in_window(guest, phys) ||
	       sigma_memory_contains(&guest->memory, phys, 1);
}

/* Has a guest what is at @phys? Of one that is being made, the memory is not known yet */
static bool is_guests(u64 phys)
{
	struct sigma_guest *guest;

	lockdep_assert_held(&sigma_guests_lock);
	list_for_each_entry(guest, &guests, list)
		if (owns(guest, phys))
			return true;
	list_for_each_entry(guest, &making, list)
		if (in_window(guest, phys))
			return true;
	return false;
}

static int refuse_place(enum sigma_reason reason, u64 phys, struct sigma_why *why)
{
	int err = reason == SIGMA_REASON_PLACE_NO_RAM ? -EINVAL : -EBUSY;

	if (reason != SIGMA_REASON_PLACE_PIECES && is_guests(phys))
		reason = SIGMA_REASON_PLACE_GUEST;
	return sigma_refuse(why, err, reason, 0, phys);
}

static void refuse_memory(const struct sigma_guest *guest, int err, struct sigma_why *why)
{
	if (err == -ESHUTDOWN)
		sigma_refuse(why, err, SIGMA_REASON_CLOSED, 0, 0);
	else if (guest->memory.short_of == SIGMA_REASON_SCATTERED)
		sigma_refuse(why, err, SIGMA_REASON_SCATTERED, 0, guest->memory.gathered);
	else if (guest->memory.short_of == SIGMA_REASON_NODE_MEMORY)
		sigma_refuse(why, err, SIGMA_REASON_NODE_MEMORY, guest->view.cpus[0],
			     guest->memory.gathered);
	else
		sigma_refuse(why, err, SIGMA_REASON_GUEST_MEMORY, 0, sigma_memory_lendable());
}

void sigma_guests_unclaim(const u32 *cpus, unsigned int nr)
{
	sigma_cpu_unclaim(cpus, nr);
	wake_up_all(&settled);
}

static int lend_window(struct sigma_guest *guest, u64 memory, u64 phys, struct sigma_why *why)
{
	enum sigma_reason reason = SIGMA_REASON_NONE;
	const struct sigma_place place = { .phys = phys, .memory = memory, .reason = &reason };
	int err = sigma_fault() ?: sigma_iosc_init(&guest->iosc, &place);

	if (err && reason)
		return refuse_place(reason, phys, why);
	if (err)
		return sigma_refuse(why, err, err == -ENOMEM ? SIGMA_REASON_WINDOW :
				    SIGMA_REASON_INTERRUPT, 0, -err);
	guest->view.iosc_phys = sigma_iosc_phys(&guest->iosc);
	return 0;
}

static int lend_low(struct sigma_guest *guest, u64 phys, struct sigma_why *why)
{
	guest->view.low_phys = sigma_fault() ? 0 : sigma_low_lend(phys, SIGMA_LOW_LENT_PAGES);
	if (guest->view.low_phys)
		return 0;
	if (phys)
		return sigma_refuse(why, -EBUSY, SIGMA_REASON_PLACE_LOW, 0, phys);
	return sigma_refuse(why, -ENOSPC, SIGMA_REASON_LOW_MEMORY, 0, count_guests());
}

/*
 * Take all but the memory, and of the CPUs only the claim: nobody else may have these any more. @at:
 * where the guest has to be, and @args is part of it; or NULL
 */
static int begin_making(struct sigma_create *args, struct sigma_create_at *at,
			const struct sigma_device_node *node, struct sigma_guest **begun)
{
	enum sigma_guard_kind guard_kind;
	struct sigma_why *why = &args->why;
	struct sigma_guest *guest;
	int err;

	lockdep_assert_held(&sigma_guests_lock);
	err = check_args(args);
	if (!err && at)
		err = sigma_places_check(at, why) ?: sigma_places_find_cpus(at, why);
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

	sigma_guests_note_doorbells();
	err = lend_window(guest, args->memory, at ? at->iosc_phys : 0, why);
	if (err)
		goto put_guest;
	err = lend_low(guest, at ? at->low_phys : 0, why);
	if (err)
		goto exit_iosc;

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
	sigma_guests_unclaim(args->cpus, args->nr_cpus);
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
	sigma_low_return(guest->view.low_phys, SIGMA_LOW_LENT_PAGES);
	sigma_iosc_exit(&guest->iosc);
	sigma_guests_unclaim(guest->view.cpus, guest->view.nr_cpus);
	put_device(&guest->dev);
}

/* The memory has been gathered */
static int finish_making(struct sigma_guest *guest, struct sigma_create *args)
{
	struct sigma_why *why = &args->why;
	int err;

	lockdep_assert_held(&sigma_guests_lock);
	if (READ_ONCE(sigma_guests_closed))
		return sigma_refuse(why, -ESHUTDOWN, SIGMA_REASON_CLOSED, 0, 0);
	guest->view.nr_segments = guest->memory.nr_segments;
	guest->view.segments = guest->memory.segment;

	err = sigma_fault() ?: sigma_identity_build(&guest->identity, &guest->view);
	if (err)
		return sigma_refuse(why, err, SIGMA_REASON_PAGE_TABLES, 0, 0);

	err = sigma_guests_lend_cpus(guest, why);
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
	sigma_guest_open(guest);
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
static int begin_patiently(struct sigma_create *args, struct sigma_create_at *at,
			   const struct sigma_device_node *node, struct sigma_guest **begun)
{
	bool wait;
	int err;

	for (;;) {
		memset(&args->why, 0, sizeof(args->why));
		mutex_lock(&sigma_guests_lock);
		err = begin_making(args, at, node, begun);
		wait = err && args->why.reason == SIGMA_REASON_CPU_LENT &&
		       sigma_cpu_is_only_claimed(args->why.cpu);
		mutex_unlock(&sigma_guests_lock);
		if (!wait)
			return err;
		if (wait_event_killable(settled, !sigma_cpu_is_only_claimed(args->why.cpu)))
			return -EINTR;
	}
}

static int lend_memory(struct sigma_guest *guest, struct sigma_create *args)
{
	int err = sigma_fault() ?:
		  sigma_memory_lend(&guest->memory, args->memory, cpu_to_node(guest->view.cpus[0]),
				    args->flags & SIGMA_CREATE_ONE_NODE, guest->view.label,
				    &sigma_guests_closed);

	if (err)
		refuse_memory(guest, err, &args->why);
	return err;
}

static int lend_memory_at(struct sigma_guest *guest, const struct sigma_create_at *at,
			  struct sigma_why *why)
{
	u64 failed_at = 0;
	int err = sigma_fault() ?:
		  sigma_memory_lend_at(&guest->memory, at->segments, at->nr_segments,
				       guest->view.label, &sigma_guests_closed, &failed_at);

	if (!err)
		return 0;
	if (err != -ENOMEM || !failed_at || guest->memory.short_of == SIGMA_REASON_GUEST_MEMORY) {
		refuse_memory(guest, err, why);
		return err;
	}
	mutex_lock(&sigma_guests_lock);
	err = refuse_place(guest->memory.short_of, failed_at, why);
	mutex_unlock(&sigma_guests_lock);
	return err;
}

/*
 * Gathering memory may take long. Other guests are made, started and destroyed meanwhile, and the
 * machine may restart or sleep: then this guest is given up.
 */
static int create(struct sigma_create *args, struct sigma_create_at *at,
		  const struct sigma_device_node *node)
{
	struct sigma_guest *guest;
	int err;

	err = begin_patiently(args, at, node, &guest);
	if (err)
		return err;

	err = at ? lend_memory_at(guest, at, &args->why) : lend_memory(guest, args);
	if (!err) {
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

int sigma_guest_create(struct sigma_create *args, const struct sigma_device_node *node)
{
	return create(args, NULL, node);
}

int sigma_guest_create_at(struct sigma_create_at *at, const struct sigma_device_node *node)
{
	return create(&at->create, at, node);
}

void sigma_guest_release_cpus(struct sigma_guest *guest)
{
	lockdep_assert_held(&sigma_guests_lock);
	return_cpus(guest);
	sigma_guests_unclaim(guest->view.cpus, guest->view.nr_cpus);
}

static int destroy_locked(struct sigma_guest *guest)
{
	int err;

	err = sigma_guest_close(guest);
	if (err)
		return err;
	/* sigma_doorbell_ring() may have found the guest alive and be about to send it an IPI */
	synchronize_rcu();

	list_del(&guest->list);
	sigma_channels_del(&guest->channels);
	if (guest->has_cpus)
		sigma_guest_release_cpus(guest);
	sigma_iosc_exit(&guest->iosc);
	sigma_guest_quiesce(guest);
	mutex_lock(&guest->lock);	/* guard_exits in sysfs reads the frames */
	sigma_guard_clear(guest->guard);
	mutex_unlock(&guest->lock);
	sigma_identity_free(&guest->identity);
	sigma_memory_return(&guest->memory);
	sigma_low_return(guest->view.low_phys, SIGMA_LOW_LENT_PAGES);
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

void sigma_guests_close(unsigned int reason)
{
	mutex_lock(&sigma_guests_lock);
	WRITE_ONCE(closed_for, closed_for | reason);
	WRITE_ONCE(sigma_guests_closed, true);
	mutex_unlock(&sigma_guests_lock);
}

void sigma_guests_reopen(unsigned int reason)
{
	lockdep_assert_held(&sigma_guests_lock);
	WRITE_ONCE(closed_for, closed_for & ~reason);
	WRITE_ONCE(sigma_guests_closed, closed_for);
}

bool sigma_guests_closed_for(unsigned int reason)
{
	return READ_ONCE(closed_for) & reason;
}

int sigma_guests_visit(int (*visit)(struct sigma_guest *guest, void *data), void *data)
{
	struct sigma_guest *guest;
	int err = 0;

	lockdep_assert_held(&sigma_guests_lock);
	list_for_each_entry(guest, &guests, list) {
		err = visit(guest, data);
		if (err)
			break;
	}
	return err;
}

/*
 * This includes guests that never ran: their CPUs are still in the host's offline loop, and a
 * kernel started by kexec would not know of these CPUs, since they are not present.
 */
void sigma_guests_stop_all(bool kexec)
{
	struct sigma_guest *guest;

	mutex_lock(&sigma_guests_lock);
	list_for_each_entry(guest, &guests, list)
		sigma_guest_shut_down(guest, kexec);
	if (kexec)
		sigma_cpu_reset_left();
	mutex_unlock(&sigma_guests_lock);
}
