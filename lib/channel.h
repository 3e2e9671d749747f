/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An open channel, for the files of libiosc: the mapped rings, and the bell by which a side wakes
 * the other and sleeps itself. The bell is the channel's device (iosc.c), or eventfds where both
 * ends belong to programs of one kernel (pair.c).
 */
#ifndef IOSC_CHANNEL_H
#define IOSC_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "../kmod/shared/record.h"

struct iosc;

/**
 * struct iosc_bell - how an end sleeps and wakes its peer
 * @poll: sleep until @events, at most @timeout; NULL: without end. Return: as in pollfd.revents, or
 *	-1. It may return too early
 * @kick: wake the peer, which waits for what has just been published
 * @broken: the session is over: is the reason an invalid ring?
 * @write, @read: send or receive one message, and sleep until that is possible
 * @empty: NULL, or called when the ring was found empty. Return: look again
 * @full: NULL, or called when the ring had no room
 * @spins: NULL, or called when it was said whether the end ever sleeps
 * @close: release what belongs to the bell
 */
struct iosc_bell {
	int (*poll)(struct iosc *channel, short events, const struct timespec *timeout);
	void (*kick)(struct iosc *channel);
	bool (*broken)(struct iosc *channel);
	ssize_t (*write)(struct iosc *channel, const void *message, size_t length);
	ssize_t (*read)(struct iosc *channel, void *buffer, size_t size);
	bool (*empty)(struct iosc *channel);
	void (*full)(struct iosc *channel);
	void (*spins)(struct iosc *channel, bool for_ever);
	void (*close)(struct iosc *channel);
};

/**
 * struct iosc - an open channel
 * @bell: see there
 * @fd: what programs poll; of the device: the device
 * @pair: of an end of a pair: what belongs to it
 * @shared: all of the channel, mapped read-only
 * @ours: the block of this side, mapped once more for writing
 * @theirs: the block of the peer, in @shared
 * @our_state: the session's words of this side, in @shared
 * @their_state: those of the peer, in @shared
 * @reserved: the record of iosc_reserve(); length 0: none
 * @peeked: the record of iosc_peek(); length 0: none
 * @produced: index at which @reserved begins
 * @spin: microseconds to spin before sleeping
 */
struct iosc {
	const struct iosc_bell *bell;
	int fd;
	struct iosc_pair *pair;
	const struct sigma_channel *shared;
	struct sigma_channel_block *ours;
	const struct sigma_channel_block *theirs;
	const struct sigma_channel_state *our_state, *their_state;
	struct sigma_record reserved, peeked;
	uint32_t produced;
	unsigned int spin;
};

#endif
