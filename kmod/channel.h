/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Channels for programs, for both kernels: see uapi/channel.h for what they are. channel.c is
 * linked into sigma.ko and into sigma_guest.ko.
 */
#ifndef _SIGMA_CHANNEL_H
#define _SIGMA_CHANNEL_H

#include <linux/cdev.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>

#include "doorbell.h"
#include "uapi/iosc.h"

struct sigma_channels;

/**
 * struct sigma_channel_end - this side's end of one channel
 * @all: the set it is of
 * @number: 1..SIGMA_CHANNELS
 * @shared: in the window
 * @lock: protects what follows up to @drained; taken in the doorbell's interrupt
 * @session: as in the state of this side, which is only a copy: the window may be reset
 * @joined: the peer's session, 0: none yet
 * @error: 0, or why the session is over
 * @opened: a file has it open
 * @reachable: the peer's kernel runs
 * @drained: what the peer left in its ring is gone
 * @rx_lock: held by who reads, also while it copies to user space
 * @tx_lock: the same for who writes
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
	struct mutex rx_lock, tx_lock;
	wait_queue_head_t wait;
};

/**
 * struct sigma_channels - all channels of one guest, as this side has them
 * @side: enum sigma_channel_side
 * @phys: physical address of the first one
 * @tx: the peer's doorbells
 */
struct sigma_channels {
	unsigned int side;
	phys_addr_t phys;
	struct sigma_doorbell_tx *tx;
	struct sigma_channel_end end[SIGMA_CHANNELS];
	/* private */
	struct cdev cdev;
	dev_t first;
	bool gone;
};

/** sigma_channels_setup - the device class, once for a module. 0 or -errno */
int sigma_channels_setup(void);
void sigma_channels_teardown(void);

/**
 * sigma_channels_init - before doorbells can arrive
 * @window: the IOSC window, which is at physical address @phys
 */
void sigma_channels_init(struct sigma_channels *all, unsigned int side, void *window,
			 phys_addr_t phys, struct sigma_doorbell_tx *tx);

/**
 * sigma_channels_add - make the device nodes
 * @parent: owns @all and the window, and lives as long as any of the nodes is open
 * @name: of the guest, its folder below /dev/iosc; NULL: none
 *
 * May sleep. Return: 0 or a negative errno.
 */
int sigma_channels_add(struct sigma_channels *all, struct device *parent, const char *name);

/** sigma_channels_del - undo it, and end all sessions. May sleep. */
void sigma_channels_del(struct sigma_channels *all);

/** sigma_channels_forget - the window is going to be overwritten; the peer is down */
void sigma_channels_forget(struct sigma_channels *all);

/** sigma_channels_up - the peer's kernel is about to run; the window is as after a reset */
void sigma_channels_up(struct sigma_channels *all);

/** sigma_channels_down - it does not run any more: its sessions are over. Any context. */
void sigma_channels_down(struct sigma_channels *all);

/** sigma_channels_rung - the peer rang @doorbell, SIGMA_DOORBELL_END and above. Any context. */
void sigma_channels_rung(struct sigma_channels *all, unsigned int doorbell);

#endif
