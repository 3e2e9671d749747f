// SPDX-License-Identifier: GPL-2.0
/*
 * The machine sleeps (suspend to idle or to memory, or it hibernates), and its guests before it. A CPU
 * that a guest has would lose its state, or go on while the host stands still.
 *
 *	before	the machine's processes still run, sigmad among them, which serves the guests' disks.
 *		Each guest that runs is asked to fall asleep, or to switch itself off, as its policy is
 *		(SIGMA_SET_SUSPEND). When all have obeyed, the host gets all CPUs back, of guests that
 *		have ended, too. If one does not obey in time, the machine does not sleep
 *	after	in a work item, once the machine's processes run again: the CPUs are lent again, and the
 *		guests that were put to sleep are woken. One that cannot have its CPUs sleeps on
 *
 * The same work item follows a sleep that was given up, wherever that was. sigmad is not needed for any
 * of this but for a guest's I/O: it may die at each step.
 *
 * The notifier comes before the kernel's own, which disables CPU hotplug from then on until after the
 * machine's sleep. Afterwards it comes before it, too. So CPUs are lent by the work item, which tries
 * again while hotplug is still disabled (cpu.c).
 *
 * A guest that obeys too late, when its machine has given up, is woken at once.
 *
 * Memory that guests have stays as it is, as the host's own does. But firmware that wakes a machine has
 * been seen to write to pages below 1 MiB, which is why Linux uses none of them but its own start of a CPU.
 * So what guests and the entry pages have there is kept elsewhere.
 *
 * Hibernation saves each page of the host that is not free (saveable_page() in kernel/power/snapshot.c).
 * What a guest has are such pages, but for memory of the pool: memory that is offline, or that the host
 * never had, is not saved. The kernel that loads the image ends with its guests, so it must have none.
 */
#include <linux/bits.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/suspend.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "cpu.h"
#include "create.h"
#include "entry.h"
#include "guest.h"
#include "low.h"
#include "suspend.h"

#define LOOK_PERIOD	(HZ / 2)	/* should a change of a guest go unnoticed */

static unsigned int suspend_timeout = 30;
module_param(suspend_timeout, uint, 0644);
MODULE_PARM_DESC(suspend_timeout, "Seconds that guests have to fall asleep before the machine does (30)");

static atomic_t changes;		/* of any guest */
static DECLARE_WAIT_QUEUE_HEAD(changed);
/*
 * What the machine prepares for, or does: PREPARING_*. A program that hibernates by /dev/snapshot has
 * begun as soon as it has opened that, and others may suspend meanwhile. Written under sigma_guests_lock
 */
static unsigned int preparing;
#define PREPARING_SUSPEND	BIT(0)
#define PREPARING_HIBERNATION	BIT(1)
#define PREPARING_RESTORE	BIT(2)	/* of the image of a kernel that has hibernated */
/* Guests are without their CPUs, or may soon be. Written under sigma_guests_lock */
static bool away;
static DECLARE_WAIT_QUEUE_HEAD(back);	/* woken when they are not any more */
static void *entry_copy;		/* of the entry pages; under sigma_guests_lock */

static void bring_back(struct work_struct *work);
static DECLARE_WORK(bring_back_work, bring_back);

/* The lock of one guest is held in the next functions */

static u32 refusals_of(const struct sigma_guest *guest)
{
	/* Acquire: the error that belongs to it is read after it */
	return le32_to_cpu(smp_load_acquire(&guest->iosc.header->guest.refusals));
}

static bool refused(const struct sigma_guest *guest)
{
	return guest->suspend.asked && guest->suspend.policy == SIGMA_SUSPEND_SLEEP &&
	       refusals_of(guest) != guest->suspend.refusals;
}

static void on_change(struct sigma_guest *guest)
{
	lockdep_assert_held(&guest->lock);
	if (guest->state != SIGMA_STATE_ASLEEP)
		memset(&guest->suspend.failure, 0, sizeof(guest->suspend.failure));
	if (READ_ONCE(preparing)) {
		atomic_inc(&changes);
		wake_up(&changed);
	} else if (refused(guest) || !sigma_guest_lives(guest)) {
		guest->suspend.asked = false;
	} else if (guest->suspend.asked && guest->state == SIGMA_STATE_ASLEEP) {
		queue_work(system_dfl_wq, &bring_back_work);
	}
}

int sigma_suspend_set(struct sigma_guest *guest, enum sigma_suspend policy)
{
	int err;

	mutex_lock(&guest->lock);
	err = guest->gone ? -ENODEV : 0;
	if (!err)
		guest->suspend.policy = policy;
	mutex_unlock(&guest->lock);
	return err;
}

void sigma_suspend_failure(struct sigma_guest *guest, struct sigma_wake_failure *failure)
{
	mutex_lock(&guest->lock);
	*failure = guest->suspend.failure;
	mutex_unlock(&guest->lock);
}

/* Before */

static int hinders(const struct sigma_guest *guest, const char *why)
{
	pr_err("this machine cannot sleep: guest %s: %s\n", guest->view.name, why);
	return -EBUSY;
}

static int hinders_lost(const struct sigma_guest *guest)
{
	return hinders(guest, "a CPU of it did not answer, and may still run");
}

/* The guest writes can_sleep. One that lies does not obey */
static int ask(struct sigma_guest *guest)
{
	const bool stops = guest->suspend.policy == SIGMA_SUSPEND_STOP;
	const struct sigma_iosc_guest *shared = &guest->iosc.header->guest;
	const struct {
		struct sigma_msg msg;
		struct sigma_bus_event_power power;
	} event = {
		.msg = { .flags = SIGMA_MSG_BUS, .id = SIGMA_BUS_EVENT_POWER },
		.power = {
			.action = cpu_to_le32(stops ? SIGMA_POWER_OFF : SIGMA_POWER_SLEEP),
			.sleeps = stops ? 0 : READ_ONCE(shared->sleeps),
		},
	};

	if (!stops && !READ_ONCE(shared->can_sleep))
		return hinders(guest, "its driver cannot fall asleep; stop it, or give it Suspend=stop");
	guest->suspend.refusals = refusals_of(guest);
	/* If the ring is full, the next look asks */
	guest->suspend.asked = !sigma_iosc_send(&guest->iosc, &event, sizeof(event));
	return 0;
}

/* One that boots, or wakes, cannot be asked yet */
static int settle_alive(struct sigma_guest *guest)
{
	char why[64];

	if (guest->suspend.policy == SIGMA_SUSPEND_REFUSE)
		return hinders(guest, "it is to run on (Suspend=refuse)");
	if (!guest->suspend.asked)
		return guest->state == SIGMA_STATE_BOOTING ? 0 : ask(guest);
	if (!refused(guest))
		return 0;
	snprintf(why, sizeof(why), "its kernel could not fall asleep (error %u)",
		 le32_to_cpu(READ_ONCE(guest->iosc.header->guest.refusal)));
	return hinders(guest, why);
}

/* @data: set to true if it is not settled yet */
static int settle(struct sigma_guest *guest, void *data)
{
	bool *pending = data;
	int err = 0;

	mutex_lock(&guest->lock);
	if (guest->state == SIGMA_STATE_LOST) {
		err = hinders_lost(guest);
	} else if (sigma_guest_alive(guest)) {
		err = settle_alive(guest);
		*pending = true;
	}
	mutex_unlock(&guest->lock);
	return err;
}

/* There is no time left */
static int settle_at_last(struct sigma_guest *guest, void *data)
{
	bool alive, stops, booting, lost;

	mutex_lock(&guest->lock);
	alive = sigma_guest_alive(guest);
	lost = guest->state == SIGMA_STATE_LOST;
	booting = guest->state == SIGMA_STATE_BOOTING;
	stops = guest->suspend.policy == SIGMA_SUSPEND_STOP;
	mutex_unlock(&guest->lock);
	if (lost)
		return hinders_lost(guest);
	if (!alive)
		return 0;
	if (!stops)
		return hinders(guest, booting ? "it still boots, or wakes up" :
						"it did not fall asleep in time");
	pr_warn("%s: did not switch itself off before the machine sleeps, and is stopped\n",
		guest->view.name);
	return sigma_guest_stop(guest);
}

/* Does one of them hinder, whatever the others do? */
static int check(struct sigma_guest *guest, void *data)
{
	int err = 0;

	mutex_lock(&guest->lock);
	if (sigma_guest_alive(guest) && guest->suspend.policy == SIGMA_SUSPEND_REFUSE)
		err = settle_alive(guest);
	mutex_unlock(&guest->lock);
	return err;
}

static int visit_all(int (*visit)(struct sigma_guest *guest, void *data), void *data)
{
	int err;

	mutex_lock(&sigma_guests_lock);
	err = sigma_guests_visit(visit, data);
	mutex_unlock(&sigma_guests_lock);
	return err;
}

static int have_all_settle(void)
{
	const unsigned long end = jiffies + READ_ONCE(suspend_timeout) * HZ;

	for (;;) {
		int seen = atomic_read(&changes), err;
		bool pending = false;

		err = visit_all(settle, &pending);
		if (err || !pending)
			return err;
		if (time_after(jiffies, end))
			return visit_all(settle_at_last, NULL);
		/* A shell whose child ends gets a signal, which is no reason to stay awake */
		if (wait_event_killable_timeout(changed, atomic_read(&changes) != seen,
						LOOK_PERIOD) < 0) {
			pr_err("this machine does not sleep: who asked for it was killed\n");
			return -EINTR;
		}
	}
}

/* Of guests that are asleep, and of those that have ended or never began: none of them runs */
static int give_back(struct sigma_guest *guest, void *data)
{
	bool has, alive;

	mutex_lock(&guest->lock);
	alive = sigma_guest_alive(guest);
	has = guest->has_cpus && !alive;
	if (has)
		guest->has_cpus = false;
	guest->suspend.lent |= has;
	mutex_unlock(&guest->lock);
	if (WARN_ON(alive))
		return -EBUSY;
	if (!has)
		return 0;
	synchronize_rcu();	/* as in destroy_locked(): somebody may be about to send an IPI */
	sigma_guest_release_cpus(guest);
	return 0;
}

/* No CPU executes or changes anything there now, nor will before they are repaired */
static int keep_low(struct sigma_guest *guest, void *data)
{
	guest->suspend.low = sigma_low_copy(guest->view.low_phys, SIGMA_LOW_LENT_PAGES);
	return guest->suspend.low ? 0 :
	       hinders(guest, "no memory for a copy of what it has below 1 MiB");
}

static int keep_all_low(void)
{
	int err = 0;

	mutex_lock(&sigma_guests_lock);
	/* Not the stacks: a CPU that rests there takes NMIs in a suspend to idle */
	if (!entry_copy)
		entry_copy = sigma_low_copy(sigma_entry_page(), ENTRY_STACKS >> PAGE_SHIFT);
	if (!entry_copy) {
		pr_err("this machine cannot sleep: no memory for a copy of pages below 1 MiB\n");
		err = -ENOMEM;
	}
	if (!err)
		err = sigma_guests_visit(keep_low, NULL);
	mutex_unlock(&sigma_guests_lock);
	return err;
}

static void set_preparing(unsigned int now)
{
	mutex_lock(&sigma_guests_lock);
	WRITE_ONCE(preparing, now);
	if (now)
		WRITE_ONCE(away, true);
	mutex_unlock(&sigma_guests_lock);
}

static int hinders_restore(struct sigma_guest *guest, void *data)
{
	pr_err("this machine cannot go on with its hibernated kernel: guest %s would be lost; stop it first (sigmactl stop)\n",
	       guest->view.name);
	return -EBUSY;
}

/* @data: pages that guests have, a sum */
static int count_saved(struct sigma_guest *guest, void *data)
{
	unsigned long *pages = data;

	*pages += PHYS_PFN(guest->memory.size);
	if (!sigma_memory_has_pool(&guest->memory))
		return 0;
	pr_err("this machine cannot hibernate: guest %s: its memory is of the pool, and would not be saved; stop it, or save it (sigmactl save)\n",
	       guest->view.name);
	return -EBUSY;
}

/* The kernel keeps the image in memory before it is written, and cannot swap guests' memory out */
static int check_hibernation(void)
{
	const unsigned long most = totalram_pages() / 2;
	unsigned long pages = 0;
	int err = visit_all(count_saved, &pages);

	if (err || pages < most)
		return err;
	pr_err("this machine cannot hibernate: its guests have %lu MiB, and it can save less than half of its memory, %lu MiB; stop some of them, or save them (sigmactl save)\n",
	       pages >> (20 - PAGE_SHIFT), most >> (20 - PAGE_SHIFT));
	return -ENOMEM;
}

static int check_all(unsigned int what)
{
	int err;

	if (what == PREPARING_RESTORE)
		return visit_all(hinders_restore, NULL);
	err = what == PREPARING_HIBERNATION ? check_hibernation() : 0;
	return err ?: visit_all(check, NULL);
}

/* From here on no guest is made, started or woken */
static int prepare(unsigned int what)
{
	const unsigned int before = preparing;
	int err;

	/* Guests that wake up from the last sleep */
	flush_work(&bring_back_work);
	set_preparing(before | what);
	sigma_guests_close(SIGMA_CLOSED_FOR_SLEEP);
	err = check_all(what);
	if (!err)
		err = have_all_settle();
	if (!err)
		err = visit_all(give_back, NULL);
	if (!err)
		err = keep_all_low();
	if (!err) {
		mutex_lock(&sigma_guests_lock);
		sigma_guests_note_doorbells();
		mutex_unlock(&sigma_guests_lock);
		return 0;
	}
	set_preparing(before);
	bring_back(NULL);
	return err;
}

/* After */

static void sleeps_on(struct sigma_guest *guest, int err, const struct sigma_why *why)
{
	mutex_lock(&guest->lock);
	guest->suspend.failure = (struct sigma_wake_failure){ .error = -err, .why = *why };
	/* sigmad has the words for it */
	atomic_inc(&guest->state_seq);
	wake_up_interruptible(&guest->wait);
	mutex_unlock(&guest->lock);
	pr_warn("%s: sleeps on, though the machine is awake: error %d, reason %u, cpu %u; 'sigmactl wake %s' tries again\n",
		guest->view.name, err, why->reason, why->cpu, guest->view.name);
}

/* @copy: of sigma_low_copy(), or NULL; freed */
static void repair(const char *whose, u64 phys, unsigned int nr, void **copy)
{
	unsigned int repaired = sigma_low_repair(phys, nr, *copy);

	*copy = NULL;
	if (repaired)
		pr_warn("%s: the firmware has overwritten %u of its pages below 1 MiB while this machine slept; they are repaired\n",
			whose, repaired);
}

/* Wake it, or give it the CPUs that it had */
static int bring_one_back(struct sigma_guest *guest, void *data)
{
	struct sigma_why why = {};
	bool wake, lend;
	int err = 0;

	mutex_lock(&guest->lock);
	wake = guest->suspend.asked && guest->state == SIGMA_STATE_ASLEEP;
	/* If the machine restarts meanwhile, the next kernel needs the CPUs */
	lend = guest->suspend.lent && !guest->has_cpus && !READ_ONCE(sigma_guests_closed);
	/* One that runs still may obey late, if it was asked to fall asleep: on_change() */
	if (wake || refused(guest) || guest->suspend.policy != SIGMA_SUSPEND_SLEEP)
		guest->suspend.asked = false;
	guest->suspend.lent = false;
	mutex_unlock(&guest->lock);
	repair(guest->view.name, guest->view.low_phys, SIGMA_LOW_LENT_PAGES, &guest->suspend.low);
	if (wake)
		err = sigma_guest_wake_locked(guest, &why);
	else if (lend)
		err = sigma_guest_lend_again(guest, &why);
	if (err && wake)
		sleeps_on(guest, err, &why);
	else if (err)
		pr_warn("%s: has no CPUs any more after the machine's sleep: error %d, reason %u, cpu %u\n",
			guest->view.name, err, why.reason, why.cpu);
	return 0;
}

/* Others could take the CPUs as soon as they may be lent, so that is allowed under the same lock */
static void bring_back(struct work_struct *work)
{
	mutex_lock(&sigma_guests_lock);
	if (!preparing) {
		repair("the entry of lent CPUs", sigma_entry_page(), ENTRY_STACKS >> PAGE_SHIFT,
		       &entry_copy);
		sigma_guests_reopen(SIGMA_CLOSED_FOR_SLEEP);
		sigma_guests_keep_doorbells();
		sigma_guests_visit(bring_one_back, NULL);
		WRITE_ONCE(away, false);
		wake_up_all(&back);
	}
	mutex_unlock(&sigma_guests_lock);
}

/*
 * A guest may restart while the machine falls asleep, and that is no reason to end it. It has its CPUs
 * again only some time after guests may start: bring_back() lends one guest's after the other's.
 */
int sigma_suspend_start(struct sigma_guest *guest, const struct sigma_start *args)
{
	for (;;) {
		int err;

		if (wait_event_interruptible(back, !READ_ONCE(away)))
			return -ERESTARTSYS;
		err = sigma_guest_start(guest, args);
		if (err != -ESHUTDOWN || sigma_guests_closed_for(SIGMA_CLOSED_FOR_RESTART))
			return err;
	}
}

static int on_suspend(struct notifier_block *nb, unsigned long action, void *data)
{
	unsigned int ended;

	switch (action) {
	case PM_SUSPEND_PREPARE:
		return notifier_from_errno(prepare(PREPARING_SUSPEND));
	case PM_HIBERNATION_PREPARE:
		return notifier_from_errno(prepare(PREPARING_HIBERNATION));
	case PM_RESTORE_PREPARE:
		return notifier_from_errno(prepare(PREPARING_RESTORE));
	case PM_POST_SUSPEND:
		ended = PREPARING_SUSPEND;
		break;
	case PM_POST_HIBERNATION:
		ended = PREPARING_HIBERNATION;
		break;
	case PM_POST_RESTORE:
		ended = PREPARING_RESTORE;
		break;
	default:
		return NOTIFY_DONE;
	}
	/* A machine that hibernates may also suspend to memory, which has no notification of its own */
	sigma_cpu_woken();
	set_preparing(preparing & ~ended);
	queue_work(system_dfl_wq, &bring_back_work);
	return NOTIFY_DONE;
}

/* Before the kernel's own: see above */
static struct notifier_block suspend_notifier = {
	.notifier_call = on_suspend,
	.priority = INT_MAX,
};

int sigma_suspend_init(void)
{
	sigma_guest_changed = on_change;
	return register_pm_notifier(&suspend_notifier);
}

/* There is no guest left that could queue the work */
void sigma_suspend_exit(void)
{
	unregister_pm_notifier(&suspend_notifier);
	flush_work(&bring_back_work);
}
