/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Channels: bounded messages between a program of the host and one of the guest.
 *
 * A guest has SIGMA_CHANNELS of them, numbered from 1. Each is one character device on either
 * side, with permissions of its own: /dev/iosc/NAME/NUMBER on the host, /dev/iosc/NUMBER in the
 * guest. One file at a time may be open on each side.
 *
 * A session lasts from when both sides have the channel open until one of them closes it, dies,
 * or its kernel stops; it is over for good then, and a new one takes a new open() on both sides.
 *
 *   open          EBUSY: it is open on this side already. ENODEV: the guest was destroyed.
 *                 Succeeds whether or not there is a peer yet.
 *   read          one message. Blocks unless O_NONBLOCK (EAGAIN) while none is there, or no peer
 *                 yet. EMSGSIZE: the buffer is too small, the message stays. EPIPE: the session
 *                 is over, and all that the peer sent was read.
 *   write         one message of 1..SIGMA_CHANNEL_MSG_MAX bytes, else EINVAL or EMSGSIZE. Blocks
 *                 unless O_NONBLOCK (EAGAIN) while there is no room, or no peer yet. EPIPE: the
 *                 session is over.
 *   both          EPROTO: a ring of this session makes no sense. Who writes to a ring past its
 *                 kernel is to blame, here or there. The session is over.
 *   poll          EPOLLIN: a message waits; EPOLLOUT: there is room for one of any length;
 *                 EPOLLHUP | EPOLLERR: the session is over. None of them: no peer yet.
 *   ioctl         SIGMA_CHANNEL_KICK
 *   mmap          offset 0, SIGMA_CHANNEL_SIZE bytes, MAP_SHARED: struct sigma_channel. PROT_WRITE
 *                 only on the block of this side, else EPERM.
 *
 * Through the mapping a program sends and receives without a system call, and may spin on the
 * peer's index instead of waiting. read, write and poll look at the same indices, so both ways
 * go together.
 *
 * The rings. Each side produces into the ring of its own block. Indices count bytes, run freely
 * and are reduced modulo SIGMA_CHANNEL_RING; they are multiples of SIGMA_RECORD_ALIGN. The ring
 * is empty where the producer's `produced` is the consumer's `consumed`, full where it is
 * SIGMA_CHANNEL_RING ahead, broken where it is more. A message is a record: struct
 * sigma_record_header, then its bytes, then padding to SIGMA_RECORD_ALIGN. No record goes over the
 * ring's end: where one does not fit before it, a header with SIGMA_RECORD_PAD fills the rest,
 * and is published together with the record behind it.
 * Indices are published by release stores and read by acquire loads.
 *
 * Sleep. A side that is about to sleep sets `want_data`, or `want_room` to the bytes it waits for,
 * full barrier, looks once more. The other one publishes its index, full barrier, reads these
 * words, and rings the channel's doorbell where it finds what is wanted. Its kernel does that in
 * read and write; a program that writes to the mapping does SIGMA_CHANNEL_KICK. The doorbell's
 * receiver clears both words before it wakes whoever slept. A side that spins sets neither and
 * is never interrupted.
 *
 * Sessions. `session` counts opens and ends of one side: odd is open. `peer` is the session of
 * the other side that this one has joined, 0: none yet. A side joins a session that is odd
 * and whose `peer` is 0 or names its own; before, it sets its `consumed` to the other's
 * `produced`, so nothing that is older is read. The session stands when both have joined; nothing
 * may be produced before. It is over when the other's `session` is not the joined one any more, or
 * the own one has changed: its kernel knows that the peer is dead. Only the kernels write these
 * words, and each change rings the doorbell.
 */
#ifndef _UAPI_SIGMA_CHANNEL_H
#define _UAPI_SIGMA_CHANNEL_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define SIGMA_CHANNELS		16
#define SIGMA_CHANNEL_MSG_MAX	8192
#define SIGMA_CHANNEL_RING	32768	/* bytes, power of two */

#define SIGMA_RECORD_ALIGN	8
#define SIGMA_RECORD_PAD	0xffffffff

struct sigma_record_header {
	__le32 length;			/* 1..SIGMA_CHANNEL_MSG_MAX, or SIGMA_RECORD_PAD */
	__le32 reserved;		/* 0 */
};

/* Who: index of struct sigma_channel's arrays */
enum sigma_channel_side {
	SIGMA_SIDE_HOST = 0,
	SIGMA_SIDE_GUEST = 1,
};

/* Written by the kernel of its side alone */
struct sigma_channel_state {
	__le32 session;
	__le32 peer;
	__le32 want_data;		/* 0 or 1 */
	__le32 want_room;		/* bytes */
	__u8 pad[48];
};

/* Written by its side alone, kernel and program */
struct sigma_channel_block {
	__le32 produced;		/* bytes, into @data */
	__u8 pad0[60];
	__le32 consumed;		/* bytes, of the other block's @data */
	__u8 pad1[4028];
	__u8 data[SIGMA_CHANNEL_RING];
};

struct sigma_channel {
	struct sigma_channel_state state[2];
	__u8 pad[3968];
	struct sigma_channel_block block[2];
};

#define SIGMA_CHANNEL_SIZE	0x13000

#define SIGMA_CHANNEL_IOC	0xE6

/* SIGMA_CHANNEL_KICK: ring the peer's doorbell if its kernel waits for something. Any time. */
#define SIGMA_CHANNEL_KICK	_IO(SIGMA_CHANNEL_IOC, 0x01)

#endif
