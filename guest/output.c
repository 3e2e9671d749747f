// SPDX-License-Identifier: GPL-2.0
/*
 * The output of the console while nobody takes it, because sigmad has died and the next one is not there
 * yet, or is stopped.
 *
 * virtio_console spins until the device has used a buffer of output, with a lock held and interrupts off:
 * a device of a hypervisor never keeps it waiting. Here one line of the kernel's log would stop the CPU, and
 * a panic would not be reported. So the notification, which comes before the driver spins, waits itself, for
 * PATIENCE_MS at most. Then it breaks the virtqueue, which ends the driver's spinning. The driver adds
 * nothing to a broken queue: what a program writes to the terminal waits in it, and the kernel's log is in
 * the IOSC window anyway.
 *
 * The buffer stays in the queue, and the text in it is moved here, since the driver frees its own. The next
 * sigmad finds and uses it. With the next heartbeat the queue works again: the buffer is taken out first,
 * since the driver would free that, too. Meanwhile all other CPUs are stopped, as the driver's lock is its own.
 */
#include <linux/err.h>
#include <linux/io.h>
#include <linux/minmax.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/stop_machine.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <asm/tsc.h>

#include "../kmod/shared/fault.h"
#include "guest.h"

#define PATIENCE_MS	1000
#define KEPT_MAX	256	/* hvc_console writes 16 bytes at once */

/**
 * struct sigma_output - the queue for the console's output
 * @vq: the queue, a split one
 * @stuck: it is broken, and one buffer is in it
 * @kept: the text of that buffer
 */
struct sigma_output {
	struct virtqueue *vq;
	bool stuck;
	u8 kept[KEPT_MAX];
};

static struct sigma_output *watched;		/* there is one console */
static DEFINE_MUTEX(watched_lock);

/* Return: the device has used all buffers */
static bool is_used(const struct vring *ring)
{
	return READ_ONCE(ring->used->idx) == READ_ONCE(ring->avail->idx);
}

/* The last buffer's text. A sigmad that takes the buffer right now finds the old place, or the new one */
static void keep_text(struct sigma_output *output, const struct vring *ring)
{
	struct virtio_device *vdev = output->vq->vdev;
	const u16 last = virtio16_to_cpu(vdev, ring->avail->idx) - 1;
	const u16 head = virtio16_to_cpu(vdev, ring->avail->ring[last & (ring->num - 1)]);
	struct vring_desc *desc = &ring->desc[head];
	const u32 len = min_t(u32, virtio32_to_cpu(vdev, desc->len), KEPT_MAX);

	if (desc->flags)	/* a chain, which this driver never makes */
		return;
	memcpy(output->kept, phys_to_virt(virtio64_to_cpu(vdev, desc->addr)), len);
	WRITE_ONCE(desc->len, cpu_to_virtio32(vdev, len));
	smp_wmb();	/* a length that fits both, then the place */
	WRITE_ONCE(desc->addr, cpu_to_virtio64(vdev, virt_to_phys(output->kept)));
}

void sigma_output_wait(struct sigma_output *output)
{
	const struct vring *ring = virtqueue_get_vring(output->vq);
	const u64 begun = rdtsc_ordered(), patience = (u64)tsc_khz * PATIENCE_MS;

	while (!is_used(ring)) {
		if (rdtsc_ordered() - begun > patience) {
			keep_text(output, ring);
			__virtqueue_break(output->vq);
			WRITE_ONCE(output->stuck, true);
			return;
		}
		cpu_relax();
	}
}

/* Called with all other CPUs stopped */
static int go_on(void *data)
{
	struct sigma_output *output = data;
	unsigned int len;

	__virtqueue_unbreak(output->vq);
	virtqueue_get_buf(output->vq, &len);
	output->stuck = false;
	return 0;
}

void sigma_output_look(void)
{
	mutex_lock(&watched_lock);
	if (watched && READ_ONCE(watched->stuck) && is_used(virtqueue_get_vring(watched->vq)))
		stop_machine(go_on, watched, NULL);
	mutex_unlock(&watched_lock);
}

struct sigma_output *sigma_output_new(void)
{
	struct sigma_output *output = sigma_fault() ? NULL : kzalloc(sizeof(*output), GFP_KERNEL);

	return output ?: ERR_PTR(-ENOMEM);
}

void sigma_output_watch(struct sigma_output *output, struct virtqueue *vq)
{
	output->vq = vq;
	mutex_lock(&watched_lock);
	if (!watched)
		watched = output;
	mutex_unlock(&watched_lock);
}

void sigma_output_reset(struct sigma_output *output)
{
	mutex_lock(&watched_lock);
	/* Nobody will use what the driver might still add */
	__virtqueue_break(output->vq);
	if (output->stuck)
		virtqueue_detach_unused_buf(output->vq);
	output->stuck = false;
	mutex_unlock(&watched_lock);
}

void sigma_output_free(struct sigma_output *output)
{
	if (!output)
		return;
	mutex_lock(&watched_lock);
	if (watched == output)
		watched = NULL;
	mutex_unlock(&watched_lock);
	kfree(output);
}
