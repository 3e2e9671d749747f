/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Virtqueues served by another process: the front end of the vhost-user protocol
 * (docs/interop/vhost-user.rst of QEMU).
 *
 * The back end gets the guest's memory as file descriptors, and for each queue the eventfds that
 * sigma.ko binds to the guest's doorbells. From vhost_user_start() to vhost_user_stop() it serves
 * the queues, and sigmad does not wake up for them. The back end is trusted with nothing else: its
 * replies are checked, and sigmad waits for them at most VHOST_USER_SECONDS.
 */
#ifndef SIGMA_VHOST_USER_H
#define SIGMA_VHOST_USER_H

#include "vhost_link.h"
#include "device.h"

/** vhost_user_connect - connect to a listening socket; its fd, or a negative errno */
int vhost_user_connect(const char *path);

/**
 * vhost_user_open - negotiate protocol and features with a back end
 * @name: for messages; not copied
 * @fd: stream socket that is connected to the back end; belongs to @vu from now on
 *
 * Return: 0, or a negative errno and the reason in @vu->why; the connection is closed then.
 */
int vhost_user_open(struct vhost_user *vu, const char *name, int fd);

/**
 * vhost_user_close - end the connection
 *
 * Waits until the back end has closed it, too, which it does after it has released the guest's
 * memory. The wait has a timeout. Return: it has closed it, or there was no connection.
 */
bool vhost_user_close(struct vhost_user *vu);

/** vhost_user_alive - is it connected, and has the back end not closed the connection? */
bool vhost_user_alive(const struct vhost_user *vu);

/**
 * vhost_user_answers - is a back end that has queues still there to serve them?
 *
 * Waits, with a timeout. If there is no answer, the back end is told to end: nothing else is sent to
 * it, and when it closes the connection, the device is lost as if it had died.
 */
bool vhost_user_answers(struct vhost_user *vu);

/** vhost_user_get_config - read the first @size bytes of config space; 0, or -errno and @vu->why */
int vhost_user_get_config(struct vhost_user *vu, void *config, uint32_t size);

/**
 * vhost_user_start - hand over the queues of a device that its driver has set up
 *
 * To be called in the device's ops->start; ops->kick must be NULL. When the back end dies or breaks
 * the protocol, or the guest breaks a queue, the device is marked broken and its ops->reset is
 * called. So ops->reset may be called twice.
 *
 * Return: 0, or a negative errno with a rate-limited warning: vhost_user_close() has to follow.
 */
int vhost_user_start(struct vhost_user *vu, struct virtio_device *dev);

/**
 * vhost_user_stop - have the back end finish the requests in flight and stop serving the queues
 *
 * If it fails to, it is disconnected, with a rate-limited warning.
 */
void vhost_user_stop(struct vhost_user *vu);

#endif
