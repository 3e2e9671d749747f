/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One guest of sigma.ko: its ioctls (kmod/uapi/sigma.h) and its part of the IOSC window (inter-OS
 * communication: memory that host and guest share), with messages for people.
 */
#ifndef SIGMA_GUEST_H
#define SIGMA_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../common/guestfile.h"
#include "../common/reason.h"
#include "../kmod/uapi/iosc.h"
#include "../kmod/uapi/sigma.h"

/**
 * struct guest - a guest that this process created or took over
 * @name: its name
 * @control_fd: /dev/sigma/control
 * @fd: /dev/sigma/NAME, non-blocking
 * @iosc: the IOSC window, SIGMA_IOSC_SIZE bytes; each field that the guest writes is read once
 * @info: as of the last guest_update(); only @info.state changes
 * @nodes: the NUMA nodes of its CPUs and memory; without ranges if sigma.ko is too old to tell
 * @why: sigma.ko's reason at guest_create()
 * @suspend: what becomes of it when the machine sleeps
 */
struct guest {
	char name[SIGMA_NAME_MAX];
	int control_fd;
	int fd;
	const uint8_t *iosc;
	struct sigma_info info;
	struct sigma_nodes nodes;
	struct sigma_why why;
	enum sigma_suspend suspend;
};

/**
 * guest_open - open sigma.ko's control device and check that no guest has this name
 *
 * guest_create() checks the name again. This early check comes before errors that a second start
 * of the same guest would cause, such as locked disks. Return: 0, and guest_close() has to follow;
 * or a reported negative errno.
 */
int guest_open(struct guest *guest, const char *name);
void guest_close(struct guest *guest);

/**
 * guest_create - lend CPUs and memory, open the guest's device and map its IOSC window
 * @config: memory, guard and split_cores are used
 * @cpus: numbers of the CPUs to lend
 * @nr_cpus: how many
 * @why: out: sigma.ko's reason when it refuses
 *
 * Return: 0; -ENOMEM (memory), -EOPNOTSUPP (guard) or -EBUSY, -EINVAL (CPUs) with a reason in
 * @why, not reported; or another negative errno, reported. After an error nothing is taken.
 */
int guest_create(struct guest *guest, const struct guest_config *config, const uint32_t *cpus,
		 unsigned int nr_cpus, char why[REASON_TEXT_MAX]);

struct save_head;

/**
 * guest_create_at - the same for a guest that was saved, which has to be where it was
 *
 * @why is set after any error that is not reported, which all but -EEXIST are.
 */
int guest_create_at(struct guest *guest, const struct save_head *head, char why[REASON_TEXT_MAX]);

/** guest_set_shared - SIGMA_SET_SHARED; 0 or -errno, not reported */
int guest_set_shared(struct guest *guest, const struct sigma_shared *shared);

/**
 * guest_restore - SIGMA_RESTORE; 0 or -errno, not reported
 * @window: SIGMA_IOSC_SIZE bytes
 * @low: SIGMA_LOW_SIZE bytes
 */
int guest_restore(struct guest *guest, const void *window, const void *low);

/** guest_attach - open the device of an existing guest, map its window; 0 or a reported -errno */
int guest_attach(struct guest *guest, const char *name);

/**
 * guest_destroy - stop the guest and give everything back
 *
 * The guest's memory file must be unmapped and closed before. Return: 0 or a reported negative
 * errno.
 */
int guest_destroy(struct guest *guest);

/** guest_leave - close the device of the guest, which goes on without this process */
void guest_leave(struct guest *guest);

/** guest_give_back - as guest_destroy(), of a guest that this process has not open */
int guest_give_back(const char *name);

/** guest_update - read @info; sigma.ko takes the state for seen then. 0 or a reported -errno */
int guest_update(struct guest *guest);

/** guest_has_changed - has the guest's state changed since the last guest_update()? */
bool guest_has_changed(const struct guest *guest);

/** guest_start - SIGMA_START; 0 or a reported negative errno */
int guest_start(struct guest *guest, const struct sigma_start *start);
/** guest_stop - SIGMA_STOP; 0 or a reported negative errno */
int guest_stop(struct guest *guest);

/** guest_receive - read one control message of at most SIGMA_MSG_MAX bytes; its length or -errno */
int guest_receive(struct guest *guest, void *msg);

/** guest_nmi - SIGMA_NMI: the guest logs what its first CPU does; 0 or -errno, not reported */
int guest_nmi(struct guest *guest);

/** guest_send - write one control message; 0 or -errno, not reported */
int guest_send(struct guest *guest, const void *msg, size_t len);

/** guest_has_room - does the ring to the guest have room for guest_send()? */
bool guest_has_room(struct guest *guest);

/** guest_can_sleep - does the guest's driver obey SIGMA_POWER_SLEEP? */
bool guest_can_sleep(const struct guest *guest);

/** guest_wakes - was the guest woken, and has not reported yet? A guest that lies is watched less */
bool guest_wakes(const struct guest *guest);

/** guest_return_cpus - SIGMA_RETURN_CPUS: the guest is asleep; 0 or -errno, not reported */
int guest_return_cpus(struct guest *guest);

/** guest_wake - SIGMA_WAKE; 0, or -errno with the reason in @why, not reported */
int guest_wake(struct guest *guest, char why[REASON_TEXT_MAX]);

/**
 * guest_set_suspend - SIGMA_SET_SUSPEND: what shall become of it when the machine sleeps
 *
 * A sigma.ko that is too old lets no machine with a guest sleep.
 */
void guest_set_suspend(struct guest *guest, enum sigma_suspend policy);

/** guest_keeps_awake - may the machine not sleep, for this guest? */
bool guest_keeps_awake(const struct guest *guest);

/**
 * guest_wake_failure - does it sleep on, although sigma.ko was to wake it after the machine's sleep?
 * @why: out: why; else ""
 */
bool guest_wake_failure(const struct guest *guest, char why[REASON_TEXT_MAX]);

/** guest_ask - ask the guest's driver to power off, reboot or sleep; 0 or -errno, not reported */
int guest_ask(struct guest *guest, enum sigma_power action);

/**
 * guest_bind_kick - signal @fd when the guest rings @doorbell
 * @fd: an eventfd; -1: unbind
 *
 * Return: 0 or -errno, not reported: a guest can cause errors at will.
 */
int guest_bind_kick(struct guest *guest, uint32_t doorbell, int fd);

/** guest_bind_call - ring @doorbell of the guest when @fd is signalled; as guest_bind_kick() */
int guest_bind_call(struct guest *guest, uint32_t doorbell, int fd);

/** guest_runs - does the guest execute? If not, its CPUs are parked or lost */
bool guest_runs(const struct guest *guest);

/** guest_lives - does the guest execute, or is it asleep and may execute again? */
bool guest_lives(const struct guest *guest);

/**
 * guest_warn_of_guard - warn if Guard=auto has chosen a guard other than full
 * @asked: the guard that the configuration asks for
 */
void guest_warn_of_guard(const struct guest *guest, enum sigma_guard_kind asked);

/** guest_warn_of_nodes - warn if memory is of another NUMA node than all of the guest's CPUs */
void guest_warn_of_nodes(const struct guest *guest);

/**
 * guest_panic_found - SIGMA_PANIC: the guest's memory shows that it panicked while it booted
 * @text: the first line of the panic
 *
 * Return: 0; -EPIPE: the guest boots no longer; another negative errno. Not reported.
 */
int guest_panic_found(struct guest *guest, const char *text);

/**
 * guest_text - copy a string that the guest wrote to its part of the IOSC header
 * @offset: in struct sigma_iosc_guest
 * @text: out: NUL-terminated printable ASCII; other characters become '?'
 * @size: bytes of @text
 */
void guest_text(const struct guest *guest, size_t offset, char *text, size_t size);

#define GUEST_PANIC_MAX	SIGMA_PANIC_MAX

/** guest_panic - copy the guest's reason for its panic, as guest_text(); "" unless it panicked */
void guest_panic(const struct guest *guest, char text[GUEST_PANIC_MAX]);

/** guest_driver_seen - has the guest's driver been up since the last start? */
bool guest_driver_seen(const struct guest *guest);

/** guest_heartbeat - the guest's heartbeat counter */
uint64_t guest_heartbeat(const struct guest *guest);

#endif
