/* SPDX-License-Identifier: GPL-2.0 */
/* Locks on a disk, so that nothing else writes to what a guest uses. */
#ifndef SIGMA_DISK_LOCK_H
#define SIGMA_DISK_LOCK_H

#include <stdbool.h>

/**
 * disk_lock - lock a disk
 * @fd: the open disk; closing it releases the locks
 * @read_only: others may read, too
 * @seconds: how long to wait while others hold a lock
 *
 * Two kinds of processes may hold the lock for a moment:
 *
 * - udevd, which has a shared lock on a block device while it probes it. It does so whenever a
 *   program that could write closes the device, such as mkfs or the last guest (systemd,
 *   BLOCK_DEVICE_LOCKING);
 * - a sigmad that was killed, whose requests the kernel still carries out. They access the disk and
 *   the guest's memory, so nobody else may use the disk before they are done.
 *
 * Return: 0; -EBUSY: another program uses the disk; or another negative errno.
 */
int disk_lock(int fd, bool read_only, bool block_device, unsigned int seconds);

/** disk_lock_also - lock another open file of the disk, too. Return: 0 or -errno */
int disk_lock_also(int fd, bool read_only);

#endif
