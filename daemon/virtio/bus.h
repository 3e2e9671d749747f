/* SPDX-License-Identifier: GPL-2.0 */
/* The bus of the virtio devices of one guest; see device.h. */
#ifndef SIGMA_VIRTIO_BUS_H
#define SIGMA_VIRTIO_BUS_H

#include "device.h"
#include "making.h"

struct virtio_bus;

/**
 * struct virtio_bus_ops - what the bus needs from the process around it
 * @send: send one control message to the guest; 0 or -errno
 * @bind: bind doorbells to eventfds (SIGMA_SET_KICK, SIGMA_SET_CALL); fds of -1 unbind; 0 or
 *	  -errno
 * @released: the result of virtio_bus_remove(): 0: the guest released device @id, which was
 *	      destroyed; -EBUSY: the guest has the device in use, so it stays
 * @awake: the guest was asked to sleep, and could not; @error: its errno value
 * @sleeps: the guest is about to sleep, or does not after all (SIGMA_BUS_SLEEP)
 */
struct virtio_bus_ops {
	int (*send)(void *data, const void *msg, size_t len);
	int (*bind)(void *data, uint32_t kick, int kick_fd, uint32_t call, int call_fd);
	void (*released)(void *data, unsigned int id, int error);
	void (*awake)(void *data, int error);
	void (*sleeps)(void *data, bool asleep);
};

/** virtio_bus_new - make a bus without devices; @data: for @ops. 0 or a reported -errno */
int virtio_bus_new(struct virtio_bus **bus, sd_event *event, const struct guest_memory *mem,
		   const struct virtio_bus_ops *ops, void *data);
/** virtio_bus_free - destroy the devices and free the bus; @bus may be NULL */
void virtio_bus_free(struct virtio_bus *bus);

/**
 * virtio_bus_keep - persist the state of the devices at @state; before any device is added
 * @resume: @state is what the last sigmad persisted: the devices that are added must be the same
 */
void virtio_bus_keep(struct virtio_bus *bus, struct virtio_state *state, bool resume);

/** virtio_bus_keep_in - @state of virtio_bus_keep() is at byte @at of the file @fd, mapped */
void virtio_bus_keep_in(struct virtio_bus *bus, int fd, uint64_t at);

/**
 * virtio_bus_resume - continue where the last sigmad stopped; after the guest's memory was mapped
 *
 * A device that cannot continue is marked broken, with a message. If the last sigmad left a control
 * message unanswered, it is answered.
 *
 * Return: 0, or a reported -errno. After an error this process has to end and to leave the devices
 * as they are: the next sigmad can continue all of them.
 */
int virtio_bus_resume(struct virtio_bus *bus);

/** virtio_bus_idle - have all requests of disks been answered? The guest must be asleep */
bool virtio_bus_idle(const struct virtio_bus *bus);

/** virtio_bus_pauses - can device @id pause? Also if there is no such device */
bool virtio_bus_pauses(const struct virtio_bus *bus, unsigned int id);

/**
 * virtio_bus_pause - the devices access nothing of the guest any more, until virtio_bus_resume()
 *
 * All of them can pause, and are idle, and no message of the guest is handled meanwhile.
 */
void virtio_bus_pause(struct virtio_bus *bus);

/**
 * virtio_bus_stamp - make what the guest wrote to disk @id stable, and say what the disk has
 *
 * The devices are paused, or not resumed yet. Context: may wait for long, any one thread. Return: 1; 0:
 * there is no such disk; -errno.
 */
int virtio_bus_stamp(const struct virtio_bus *bus, unsigned int id, struct disk_stamp *stamp);

/** virtio_bus_tell_sleep - have the guest say when it is about to sleep; before it says hello */
void virtio_bus_tell_sleep(struct virtio_bus *bus);

/**
 * virtio_bus_filter - drop all frames to the guest but those that wake it
 * @frames: which these are; NULL: drop none
 *
 * Only NICs with a tap can do so.
 */
void virtio_bus_filter(struct virtio_bus *bus, const struct wake_frames *frames);

/**
 * virtio_bus_rung - has the first queue of a device of this kind something for the guest?
 * @pending: of the doorbells to the guest
 * @device_id: virtio 1.2 section 5
 *
 * The first queue of a NIC and of AF_VSOCK is that from which the guest receives. Return: the device's
 * number, or -1.
 */
int virtio_bus_rung(const struct virtio_bus *bus, const uint64_t pending[SIGMA_DOORBELL_WORDS],
		    uint32_t device_id);

/** virtio_bus_resuming - do the devices that are added now continue those of the last sigmad? */
bool virtio_bus_resuming(const struct virtio_bus *bus);

/** virtio_bus_event - the event loop of the bus; no reference is taken */
sd_event *virtio_bus_event(struct virtio_bus *bus);

/**
 * virtio_bus_hang_up - the guest has failed and is kept: end its connections with the host's programs
 *
 * Whoever waits for an answer on AF_VSOCK would wait for as long as the guest is kept.
 */
void virtio_bus_hang_up(struct virtio_bus *bus);

/** virtio_bus_reset - the guest was stopped: reset all devices, remove those to be unplugged */
void virtio_bus_reset(struct virtio_bus *bus);

/**
 * virtio_bus_request - buffer for the next control message, SIGMA_MSG_MAX bytes
 *
 * The message is persisted there until virtio_bus_message() has answered it.
 */
void *virtio_bus_request(struct virtio_bus *bus);

/**
 * virtio_bus_message - handle one control message from the guest
 * @msg: @len bytes, already copied out of shared memory
 *
 * The answer goes through ops->send. A malformed request is answered with an error status. A
 * message that cannot be answered is dropped, with a rate-limited warning.
 */
void virtio_bus_message(struct virtio_bus *bus, const void *msg, size_t len);

/**
 * virtio_bus_counters - sum of the counters of all queues of device @id
 *
 * Return: the device's ops->name, or NULL: there is no such device, or sigmad does not serve it.
 */
const char *virtio_bus_counters(const struct virtio_bus *bus, unsigned int id,
				struct virtio_counters *counters);

/**
 * virtio_bus_stopped - is device @id stopped until it is reset?
 *
 * Return: what is wrong and what to do, to be put after the device's name; NULL: it is not.
 */
const char *virtio_bus_stopped(const struct virtio_bus *bus, unsigned int id);

/**
 * virtio_bus_trouble - is there something wrong with device @id, which works on?
 *
 * Return: what is wrong and what to do, to be put after the device's name; NULL: it works, or it is
 * stopped.
 */
const char *virtio_bus_trouble(const struct virtio_bus *bus, unsigned int id);

/** virtio_bus_next - the number that the next device will get, or -ENOSPC */
int virtio_bus_next(const struct virtio_bus *bus);

/**
 * virtio_bus_remove - unplug device @id, which must exist
 * @force: also when the guest has it in use
 *
 * The guest is asked to release the device. The guest's driver is unbound while the device still
 * answers, so that it can write what it has cached. ops->released tells the result. If the
 * guest's transport is not up, it is called before this function returns; else it may be called at
 * any time later.
 *
 * Return: 0; or a reported -errno: with @force, a back end that hangs keeps the guest from releasing
 * it. The unplug stays pending.
 */
int virtio_bus_remove(struct virtio_bus *bus, unsigned int id, bool force);

/** virtio_bus_state - what is persisted of the devices */
struct virtio_state *virtio_bus_state(struct virtio_bus *bus);

/**
 * virtio_bus_state_file - the file that @what, a part of the state, is kept in
 * @at: out: where in the file, in bytes
 *
 * Return: the file, which stays the bus's; -1: there is none.
 */
int virtio_bus_state_file(const struct virtio_bus *bus, const void *what, uint64_t *at);

/**
 * virtio_bus_resize - give device @id, which must be a disk, the size that its storage has
 * @size: in: bytes that the storage is made large before; 0: it is as large as it should be; out:
 *	  the disk's size
 *
 * The guest is told. Return: 0 or a reported -errno: nothing has changed.
 */
int virtio_bus_resize(struct virtio_bus *bus, unsigned int id, uint64_t *size);

/**
 * virtio_device_add - put a filled-in device on the bus, and give doorbells to its queues
 *
 * Return: 0, or -errno and the reason in @making->said: the device still belongs to the caller.
 */
int virtio_device_add(struct virtio_making *making, struct virtio_device *dev);

#endif
