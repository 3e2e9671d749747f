/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The message channels of /dev/iosc: see uapi/channel.h for the protocol and the devices. channel.c
 * is linked into sigma.ko and into sigma_guest.ko.
 */
#ifndef _SIGMA_CHANNEL_H
#define _SIGMA_CHANNEL_H

#include <linux/cdev.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>

#include "doorbell.h"
#include "object.h"
#include "../uapi/iosc.h"

struct sigma_channels;

/**
 * struct sigma_channel_end - this side's end of one channel
 * @all: the set that it belongs to
 * @number: 1..SIGMA_CHANNELS
 * @shared: the channel's memory in the IOSC window
 * @lock: protects the fields from @session to @drained; taken in the doorbell's interrupt
 * @session: this side's session; the one in shared memory is a copy, since the window may be reset
 * @joined: the peer's session that this side has joined, 0: none yet
 * @error: 0, or the error that ended the session
 * @opened: a file has it open
 * @reachable: the peer's kernel runs
 * @drained: the window was reset, so messages that the peer left in its ring are lost
 * @seen: the peer's `produced` when this side's programs were frozen last
 * @rx_lock: held by a reader, also while it copies to user space
 * @tx_lock: the same for a writer
 * @wait: woken when anything changes
 */
struct sigma_channel_end {
	struct sigma_channels *all;
	unsigned int number;
	struct sigma_channel *shared;
	spinlock_t lock;
	u32 session, joined;
	int error;
	bool opened, reachable, drained;
	__le32 seen;
	struct mutex rx_lock, tx_lock;
	wait_queue_head_t wait;
};

/**
 * struct sigma_channels - this side's ends of all channels of one guest
 * @side: enum sigma_channel_side
 * @phys: physical address of the first channel
 * @tx: sends doorbells to the peer
 * @objects: memory objects that are lent over the channels
 * @end: channel N is end[N - 1]
 */
struct sigma_channels {
	unsigned int side;
	phys_addr_t phys;
	struct sigma_doorbell_tx *tx;
	struct sigma_objects objects;
	struct sigma_channel_end end[SIGMA_CHANNELS];
	/* private */
	struct cdev cdev;
	dev_t first;
	bool gone;
};

/** sigma_channels_setup - register the device class, once for a module. Return: 0 or -errno. */
int sigma_channels_setup(void);
void sigma_channels_teardown(void);

/**
 * sigma_channels_init - fill in @all; call it before doorbells can arrive
 * @side: enum sigma_channel_side
 * @window: the IOSC window
 * @phys: physical address of @window
 * @tx: sends doorbells to the peer
 */
void sigma_channels_init(struct sigma_channels *all, unsigned int side, void *window,
			 phys_addr_t phys, struct sigma_doorbell_tx *tx);

/**
 * sigma_channels_add - make the device nodes
 * @parent: owns @all and the window, and lives as long as any of the nodes is open
 * @name: the guest's name, which is a folder below /dev/iosc; NULL: no folder
 *
 * May sleep. Return: 0 or a negative errno.
 */
int sigma_channels_add(struct sigma_channels *all, struct device *parent, const char *name);

/** sigma_channels_del - remove the device nodes, and end all sessions. May sleep. */
void sigma_channels_del(struct sigma_channels *all);

/**
 * sigma_channel_session - does the session stand?
 * @ours, @theirs: out: the numbers of both sides, valid if it does
 *
 * Any context. Return: 0, -EAGAIN: there is none yet, -EPIPE or -EPROTO: it is over.
 */
int sigma_channel_session(struct sigma_channel_end *end, u32 *ours, u32 *theirs);

/** sigma_channels_forget - the window is about to be overwritten; the peer is down. May sleep. */
void sigma_channels_forget(struct sigma_channels *all);

/** sigma_channels_up - the peer's kernel is about to run; the window has just been reset */
void sigma_channels_up(struct sigma_channels *all);

/** sigma_channels_restored - the window is that of a peer that sleeps; this side's sessions are over */
void sigma_channels_restored(struct sigma_channels *all);

/** sigma_channels_fall_asleep - this side's programs are frozen. May take spinlocks. */
void sigma_channels_fall_asleep(struct sigma_channels *all);

/**
 * sigma_channels_sleep - this side's last CPU sleeps: the peer shall ring whatever comes
 *
 * Return: bit n - 1 is set if something came through channel n since sigma_channels_fall_asleep().
 * Interrupts are off.
 */
u32 sigma_channels_sleep(struct sigma_channels *all);

/** sigma_channels_down - the peer's kernel stopped: its sessions are over. May take spinlocks. */
void sigma_channels_down(struct sigma_channels *all);

/** sigma_channels_rung - the peer rang @doorbell, SIGMA_DOORBELL_END or above. May take spinlocks. */
void sigma_channels_rung(struct sigma_channels *all, unsigned int doorbell);

#endif
