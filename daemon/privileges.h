/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The privileges that sigmad still has once it reads something of a guest.
 *
 * sigmad is started with root's privileges, by sigmactl or by systemd. It gives up nearly all of
 * them before it opens the guest file, so a guest that makes sigmad run code of its own finds a
 * process that cannot load modules, trace, mount, run programs, become another user, or make system
 * calls that sigmad does not need. It can still open the files that root may open, since a disk that
 * is added later may be any file.
 *
 * Work that needs more privileges is done before, or by the broker (virtio/broker.h).
 */
#ifndef SIGMA_PRIVILEGES_H
#define SIGMA_PRIVILEGES_H

#include <stdbool.h>

/**
 * privileges_shed - keep what sigmad needs, for good
 * @owned: the guest has an owner other than root, and with that less that root has to do
 *
 * Return: 0, or a reported -errno.
 */
int privileges_shed(bool owned);

/** privileges_of_broker - keep what those that it starts need. Return: 0, or a reported -errno */
int privileges_of_broker(void);

#endif
