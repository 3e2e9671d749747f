/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Queues of a virtio device served by another process: the front end of the vhost-user
 * protocol (docs/interop/vhost-user.rst of QEMU).
 *
 * The back end gets the guest's memory as file descriptors, and for each queue the eventfds
 * that sigma.ko ties to the guest's doorbells. From vhost_user_start() to vhost_user_stop() it
 * serves the queues, and sigmad does not wake up for them. It is not trusted with more than
 * that: what it answers is checked, and it is waited for VHOST_USER_SECONDS at most.
 */
#ifndef SIGMA_VHOST_USER_H
#define SIGMA_VHOST_USER_H

#include "vhost_link.h"
#include "device.h"

/** vhost_user_connect - connect to a listening socket; its fd, or a negative errno */
int vhost_user_connect(const char *path);

/**
 * vhost_user_open - agree with a back end on what is spoken
 * @fd: stream socket that is connected to it; the connection's from now on, whatever happens
 *
 * Return: 0, or a negative errno, told in @vu->why; it is closed then.
 */
int vhost_user_open(struct vhost_user *vu, const char *name, int fd);

/**
 * vhost_user_close - end the connection
 *
 * Returns when the back end has closed it, too, which it does when it has let go of the guest's
 * memory, or when it had time enough for that.
 */
void vhost_user_close(struct vhost_user *vu);

/** vhost_user_alive - is it connected, and the other end there? */
bool vhost_user_alive(const struct vhost_user *vu);

/** vhost_user_get_config - read the first @size bytes of config space; errors as for open */
int vhost_user_get_config(struct vhost_user *vu, void *config, uint32_t size);

/**
 * vhost_user_start - hand over the queues of a device that its driver set up
 *
 * To be called in its ops->start, and ops->kick must not be there. When the back end dies or
 * breaks the protocol, or the guest breaks a queue, the device is marked broken and its
 * ops->reset is called, so that has to bear being called twice.
 *
 * Return: 0, or a negative errno with a limited warning: vhost_user_close() it then.
 */
int vhost_user_start(struct vhost_user *vu, struct virtio_device *dev);

/**
 * vhost_user_stop - have the back end finish what it has in hand, and touch no queue any more
 *
 * One that does not is disconnected, with a limited warning.
 */
void vhost_user_stop(struct vhost_user *vu);

#endif
