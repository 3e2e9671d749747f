/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What sigmad may still do once it reads something of a guest.
 *
 * sigmad is started with root's privileges, by sigmactl or by systemd. It gives up nearly all of
 * them before it opens the guest file, so a guest that makes sigmad run code of its own finds a
 * process that cannot load modules, trace, mount, run programs, become another user, or call what
 * of the kernel sigmad does not need. Files that root may open remain, since a disk that is added
 * later may be any file.
 *
 * What takes more is done before, or by the broker (virtio/broker.h).
 */
#ifndef SIGMA_PRIVILEGES_H
#define SIGMA_PRIVILEGES_H

/** privileges_shed - keep what sigmad needs, for good. Return: 0, or a reported -errno */
int privileges_shed(void);

/** privileges_of_broker - keep what those that it starts need. Return: 0, or a reported -errno */
int privileges_of_broker(void);

#endif
