/* SPDX-License-Identifier: GPL-2.0 */
/* What disks of a vhost-user back end have in common: blk_socket.c and blk_image.c. */
#ifndef SIGMA_VIRTIO_BLK_SERVED_H
#define SIGMA_VIRTIO_BLK_SERVED_H

#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>
#include <stddef.h>

/* Features that do not need a configuration that the driver can write */
#define BLK_SERVED_FEATURES						\
	(1ULL << VIRTIO_BLK_F_SIZE_MAX | 1ULL << VIRTIO_BLK_F_SEG_MAX |	\
	 1ULL << VIRTIO_BLK_F_GEOMETRY | 1ULL << VIRTIO_BLK_F_RO |	\
	 1ULL << VIRTIO_BLK_F_BLK_SIZE | 1ULL << VIRTIO_BLK_F_FLUSH |	\
	 1ULL << VIRTIO_BLK_F_TOPOLOGY | 1ULL << VIRTIO_BLK_F_DISCARD |	\
	 1ULL << VIRTIO_BLK_F_WRITE_ZEROES)

/* Without the fields of secure erase, which is not offered */
#define BLK_SERVED_CONFIG_SIZE	offsetof(struct virtio_blk_config, max_secure_erase_sectors)

#endif
