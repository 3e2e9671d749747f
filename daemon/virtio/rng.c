// SPDX-License-Identifier: GPL-2.0
/*
 * virtio-rng (virtio 1.2, 5.4): random bytes of the host's kernel. A request gets at most CHUNK
 * bytes, which 5.4.6.1 allows, so a guest that asks for very many delays neither its other devices
 * nor the host.
 */
#include <errno.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "backends.h"
#include "bus.h"

#define QUEUE_SIZE	8
#define BATCH		16	/* requests done before returning to the event loop */
#define CHUNK		256	/* bytes; up to this size getrandom() is never interrupted */

struct rng {
	struct virtio_device dev;
	struct vq_request request;
};

static struct rng *to_rng(struct virtio_device *dev)
{
	return (struct rng *)((char *)dev - offsetof(struct rng, dev));
}

/* Fill the request. Return: bytes written, or -errno when the driver broke the device */
static int fill(struct rng *rng)
{
	struct vq_buffers *in = &rng->request.in;
	uint8_t bytes[CHUNK];
	size_t len = in->len < sizeof(bytes) ? in->len : sizeof(bytes);

	if (rng->request.out.nr || !len) {
		virtio_device_broken(&rng->dev, "a buffer of %zu bytes, %zu to be read", in->len,
				     rng->request.out.len);
		return -EPROTO;
	}
	/* The host's generator was initialised long ago, so this cannot fail (getrandom(2)) */
	if (getrandom(bytes, len, 0) != (ssize_t)len)
		return 0;
	vq_write(in, bytes, len);
	explicit_bzero(bytes, sizeof(bytes));
	return len;
}

static void rng_kick(struct virtio_device *dev, struct virtqueue *vq)
{
	struct rng *rng = to_rng(dev);
	unsigned int done = 0;

	while (done < BATCH && virtqueue_pop(vq, &rng->request) > 0) {
		int len = fill(rng);

		if (len < 0)
			break;
		virtqueue_push(vq, rng->request.head, len);
		done++;
	}
	virtqueue_notify(vq);
	if (done == BATCH)
		virtqueue_kick(vq);
}

static int rng_start(struct virtio_device *dev)
{
	return 0;
}

static void rng_reset(struct virtio_device *dev)
{
}

static void rng_destroy(struct virtio_device *dev)
{
	free(to_rng(dev));
}

static const struct virtio_device_ops rng_ops = {
	.name		= "rng",
	.device_id	= VIRTIO_ID_RNG,
	.pauses		= true,
	.start		= rng_start,
	.reset		= rng_reset,
	.kick		= rng_kick,
	.destroy	= rng_destroy,
};

int virtio_rng_add(struct virtio_making *making)
{
	struct rng *rng = calloc(1, sizeof(*rng));
	int ret;

	if (!rng)
		return making_say(making, -ENOMEM,
				  "cannot make a source of random numbers: out of memory");
	rng->dev.ops = &rng_ops;
	rng->dev.nr_queues = 1;
	rng->dev.queue[0].max_size = QUEUE_SIZE;
	ret = virtio_device_add(making, &rng->dev);
	if (ret < 0)
		free(rng);
	return ret;
}
