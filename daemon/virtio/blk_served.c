// SPDX-License-Identifier: GPL-2.0
/* Disks of a vhost-user back end: see blk_served.h. */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../../common/log.h"
#include "blk_served.h"
#include "device.h"
#include "disk.h"

uint64_t blk_served_size(const struct virtio_device *dev)
{
	const struct virtio_blk_config *config = dev->config;

	return le64toh(config->capacity) * SECTOR_SIZE;
}

int blk_served_take(struct virtio_device *dev, const struct virtio_blk_config *now,
		    char why[VHOST_USER_WHY_MAX])
{
	struct virtio_blk_config *config = dev->config, same = *now;

	same.capacity = config->capacity;
	if (memcmp(&same, config, BLK_SERVED_CONFIG_SIZE)) {
		snprintf(why, VHOST_USER_WHY_MAX, "the back end serves another disk now; stop the guest and start it");
		return -ESTALE;
	}
	if (le64toh(now->capacity) < le64toh(config->capacity)) {
		snprintf(why, VHOST_USER_WHY_MAX, "the back end's disk has %llu bytes only now, and the guest was given %llu, since a disk does not shrink; make it as large again, or stop the guest and start it",
			 (unsigned long long)le64toh(now->capacity) * SECTOR_SIZE,
			 (unsigned long long)blk_served_size(dev));
		return -ESTALE;
	}
	if (now->capacity != config->capacity) {
		config->capacity = now->capacity;
		virtio_device_config_changed(dev);
	}
	return 0;
}

int blk_served_refresh(struct virtio_device *dev, struct vhost_user *link,
		       char why[VHOST_USER_WHY_MAX])
{
	struct virtio_blk_config now = { 0 };
	int error = vhost_user_get_config(link, &now, BLK_SERVED_CONFIG_SIZE);

	if (!error)
		return blk_served_take(dev, &now, why);
	snprintf(why, VHOST_USER_WHY_MAX, "%s %.*s", link->name, VHOST_USER_WHY_MAX - 32, link->why);
	return error;
}

void blk_served_changed(struct virtio_device *dev, struct vhost_user *link, const char *path)
{
	const uint64_t was = blk_served_size(dev);
	char why[VHOST_USER_WHY_MAX];
	uint32_t left_out;

	if (blk_served_refresh(dev, link, why))
		ratelimit_warn(&dev->warned, "disk %s: %s", path, why);
	else if (blk_served_size(dev) != was &&
		 ratelimit_take(&dev->warned, RATELIMIT_BURST, &left_out))
		log_info("disk %s: has grown to %llu bytes, and the guest was told", path,
			 (unsigned long long)blk_served_size(dev));
}
