/* SPDX-License-Identifier: GPL-2.0 */
/* One guest of sigma.ko: its ioctls (kmod/uapi/sigma.h) with messages for people. */
#ifndef SIGMA_GUEST_H
#define SIGMA_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../common/guestfile.h"
#include "../kmod/uapi/iosc.h"
#include "../kmod/uapi/sigma.h"

/**
 * struct guest - a guest that this process created
 * @control_fd: /dev/sigma/control
 * @fd: /dev/sigma/NAME, non-blocking
 * @iosc: the IOSC window, SIGMA_IOSC_SIZE bytes; what the guest wrote there is read once
 * @info: as of the last guest_update(); constant but for @info.state
 */
struct guest {
	char name[SIGMA_NAME_MAX];
	int control_fd;
	int fd;
	const uint8_t *iosc;
	struct sigma_info info;
};

/**
 * guest_open - open sigma.ko's control device and see that there is no guest of this name
 *
 * Only guest_create() decides, but before that much else would fail in its own words, such as
 * the locks on the disks. Return: 0 or a reported negative errno; guest_close() after 0.
 */
int guest_open(struct guest *guest, const char *name);
void guest_close(struct guest *guest);

/**
 * guest_create - lend CPUs and memory, open the guest's device and map its IOSC window
 * @config: its memory, guard and split_cores
 * @why: out: the kernel's reason when it refuses, @size bytes
 *
 * Return: 0; -ENOMEM (memory), -EOPNOTSUPP (guard) or -EBUSY, -EINVAL (CPUs) with a reason in
 * @why, not reported; another negative errno that was reported. Nothing was taken then.
 */
int guest_create(struct guest *guest, const struct guest_config *config, const uint32_t *cpus,
		 unsigned int nr_cpus, char *why, size_t size);

/** guest_attach - the same for a guest that exists; 0 or a reported negative errno */
int guest_attach(struct guest *guest, const char *name);

/**
 * guest_destroy - stop the guest and give everything back
 *
 * Its memory file must be unmapped and closed. Return: 0 or a reported negative errno.
 */
int guest_destroy(struct guest *guest);

/** guest_update - read @info again; tells the kernel that its state has been seen */
int guest_update(struct guest *guest);

int guest_start(struct guest *guest, const struct sigma_start *start);
int guest_stop(struct guest *guest);

/** guest_receive - read one control message of at most SIGMA_MSG_MAX bytes: read(2), -errno */
int guest_receive(struct guest *guest, void *msg);

/** guest_nmi - have the driver log what its first CPU does; 0 or -errno, not reported */
int guest_nmi(struct guest *guest);

/** guest_send - write one control message. 0 or -errno, not reported */
int guest_send(struct guest *guest, const void *msg, size_t len);

/** guest_has_room - will guest_send() find room in the ring? */
bool guest_has_room(struct guest *guest);

/** guest_ask - ask the guest's driver to power off or reboot. 0 or -errno, not reported */
int guest_ask(struct guest *guest, enum sigma_power action);

/**
 * guest_bind_kick - signal @fd when the guest rings @doorbell; -1 unties
 *
 * Return: 0 or -errno, not reported: a guest can cause it at will.
 */
int guest_bind_kick(struct guest *guest, uint32_t doorbell, int fd);

/** guest_bind_call - ring @doorbell of the guest when @fd is signalled; likewise */
int guest_bind_call(struct guest *guest, uint32_t doorbell, int fd);

/** guest_runs - does it execute? Else its CPUs are parked, or lost */
bool guest_runs(const struct guest *guest);

/**
 * guest_warn_of_guard - say what @asked came to, where that is less than full
 * @path: GUARD_SYSFS, or a file like it
 */
void guest_warn_of_guard(const struct guest *guest, enum sigma_guard_kind asked, const char *path);

/**
 * guest_text - copy a string that the guest wrote in its part of the IOSC header
 * @text: out, @size bytes, NUL-terminated: printable ASCII, everything else is '?'
 * @offset: in struct sigma_iosc_guest
 */
void guest_text(const struct guest *guest, size_t offset, char *text, size_t size);

#define GUEST_PANIC_MAX	sizeof(((struct sigma_iosc_guest *)0)->panic_text)

/** guest_panic - what it said of its panic, likewise; "" unless it panicked */
void guest_panic(const struct guest *guest, char text[GUEST_PANIC_MAX]);

/** guest_driver_seen - has its driver been up since the last start? */
bool guest_driver_seen(const struct guest *guest);

uint64_t guest_heartbeat(const struct guest *guest);

#endif
