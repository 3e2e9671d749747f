/* SPDX-License-Identifier: GPL-2.0 */
/* What disks of a vhost-user back end have in common: blk_socket.c and blk_image.c. */
#ifndef SIGMA_VIRTIO_BLK_SERVED_H
#define SIGMA_VIRTIO_BLK_SERVED_H

#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>
#include <stddef.h>

#include "vhost_user.h"

/* Features that do not need a configuration that the driver can write */
#define BLK_SERVED_FEATURES						\
	(1ULL << VIRTIO_BLK_F_SIZE_MAX | 1ULL << VIRTIO_BLK_F_SEG_MAX |	\
	 1ULL << VIRTIO_BLK_F_GEOMETRY | 1ULL << VIRTIO_BLK_F_RO |	\
	 1ULL << VIRTIO_BLK_F_BLK_SIZE | 1ULL << VIRTIO_BLK_F_FLUSH |	\
	 1ULL << VIRTIO_BLK_F_TOPOLOGY | 1ULL << VIRTIO_BLK_F_DISCARD |	\
	 1ULL << VIRTIO_BLK_F_WRITE_ZEROES)

/* Without the fields of secure erase, which is not offered */
#define BLK_SERVED_CONFIG_SIZE	offsetof(struct virtio_blk_config, max_secure_erase_sectors)

/** blk_served_size - the size that the guest was given, in bytes */
uint64_t blk_served_size(const struct virtio_device *dev);

/**
 * blk_served_take - give the guest the configuration that the back end has @now
 *
 * It must be of the same disk, which may have grown: then the guest is told. Return: 0, or -ESTALE
 * and the reason in @why, to be put after the name of the disk: nothing has changed.
 */
int blk_served_take(struct virtio_device *dev, const struct virtio_blk_config *now,
		    char why[VHOST_USER_WHY_MAX]);

/** blk_served_refresh - the same with the configuration that the back end @link is asked for */
int blk_served_refresh(struct virtio_device *dev, struct vhost_user *link,
		       char why[VHOST_USER_WHY_MAX]);

/** blk_served_changed - the same, after the back end has said so, with messages about @path */
void blk_served_changed(struct virtio_device *dev, struct vhost_user *link, const char *path);

#endif
