// SPDX-License-Identifier: GPL-2.0
/*
 * Guests that are asleep: their CPUs go back to the host, are lent again, and the guest is woken. guest.c
 * sees a guest fall asleep, and checks where it wants to wake.
 */
#include <linux/io.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>

#include "shared/fault.h"
#include "cpu.h"
#include "create.h"
#include "guest.h"
#include "startup.h"
#include "why.h"

int sigma_guest_return_cpus(struct sigma_guest *guest)
{
	int ret;

	mutex_lock(&sigma_guests_lock);
	ret = sigma_guest_leave_cpus(guest);
	if (ret > 0) {
		/* As in destroy_locked(): somebody may be about to send an IPI */
		synchronize_rcu();
		sigma_guest_release_cpus(guest);
		pr_info("%s: its CPUs are the host's while it sleeps\n", guest->view.name);
	}
	mutex_unlock(&sigma_guests_lock);
	return ret < 0 ? ret : 0;
}

/* The guest's tables name its CPUs by APIC IDs, which a CPU that was replaced might not have */
static int check_apic_ids(const struct sigma_view *view, struct sigma_why *why)
{
	for (unsigned int i = 0; i < view->nr_cpus; i++)
		if (sigma_cpu_apic_id(view->cpus[i]) != view->apic_ids[i])
			return sigma_refuse(why, -EINVAL, SIGMA_REASON_CPU_OTHER, view->cpus[i],
					    sigma_cpu_apic_id(view->cpus[i]));
	return 0;
}

int sigma_guest_lend_again(struct sigma_guest *guest, struct sigma_why *why)
{
	const struct sigma_view *view = &guest->view;
	int err;

	lockdep_assert_held(&sigma_guests_lock);
	err = sigma_fault() ?: check_apic_ids(view, why);
	if (!err)
		err = sigma_cpu_claim(view->cpus, view->nr_cpus, guest->split_cores, why);
	if (err)
		return err;
	err = sigma_guests_lend_cpus(guest, why);
	if (err)
		sigma_guests_unclaim(view->cpus, view->nr_cpus);
	else
		sigma_guest_take_cpus(guest);
	return err;
}

int sigma_guest_wake_locked(struct sigma_guest *guest, struct sigma_why *why)
{
	bool lent = false;
	int err;

	lockdep_assert_held(&sigma_guests_lock);
	err = sigma_guest_can_wake(guest);
	if (!err && !guest->has_cpus) {
		err = sigma_guest_lend_again(guest, why);
		lent = !err;
	}
	if (!err)
		err = sigma_fault() ?: sigma_guest_resume(guest);
	/* Sleeping on, or stopped meanwhile; else its CPUs stay with it */
	if (err && lent && sigma_guest_leave_cpus(guest) > 0) {
		synchronize_rcu();	/* as above: it was BOOTING for a moment */
		sigma_guest_release_cpus(guest);
	}
	return err;
}

int sigma_guest_wake(struct sigma_guest *guest, struct sigma_why *why)
{
	int err;

	mutex_lock(&sigma_guests_lock);
	err = sigma_guest_wake_locked(guest, why);
	mutex_unlock(&sigma_guests_lock);
	return err;
}

/* A guest that was saved, whose memory is there again: it sleeps, and wakes as any other does */
static int restore_locked(struct sigma_guest *guest, const void *window, const void *low)
{
	const struct sigma_iosc_header *header = window + SIGMA_IOSC_HEADER_OFF;

	if (guest->gone)
		return -ENODEV;
	if (READ_ONCE(sigma_guests_closed))
		return -ESHUTDOWN;
	if (guest->state != SIGMA_STATE_CREATED)
		return -EBUSY;
	if (header->magic != cpu_to_le64(SIGMA_IOSC_MAGIC) ||
	    header->version != cpu_to_le32(SIGMA_IOSC_VERSION) ||
	    header->guest.state != cpu_to_le32(SIGMA_GUEST_ASLEEP))
		return -EINVAL;
	sigma_iosc_restore(&guest->iosc, window);
	memcpy(phys_to_virt(guest->view.low_phys), low, SIGMA_LOW_SIZE);
	guest->nmis = le32_to_cpu(header->nmis);
	sigma_guest_restored(guest);
	return 0;
}

int sigma_guest_restore(struct sigma_guest *guest, const void *window, const void *low)
{
	int err;

	mutex_lock(&guest->lock);
	err = restore_locked(guest, window, low);
	mutex_unlock(&guest->lock);
	return err;
}
