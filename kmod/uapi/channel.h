/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause */
/*
 * Channels: messages of bounded size between a program on the host and a program in the guest.
 *
 * A guest has SIGMA_CHANNELS channels, numbered from 1. Each is one character device on each side,
 * with permissions of its own: /dev/iosc/NAME/NUMBER on the host, /dev/iosc/NUMBER in the guest.
 * (IOSC: inter-OS communication.) One file at a time may be open on each side.
 *
 * A session begins when both sides have the channel open. It ends for good when one of them closes
 * it or dies, or when its kernel stops. A new session takes a new open() on both sides.
 *
 *   open          EBUSY: it is open on this side already. ENODEV: the guest was destroyed.
 *                 Succeeds whether or not there is a peer yet.
 *   read          one message. While there is no message, or no peer yet, it blocks, or fails with
 *                 EAGAIN if O_NONBLOCK is set. EMSGSIZE: the buffer is too small, the message
 *                 stays. EPIPE: the session is over, and all that the peer sent was read.
 *   write         one message of 1..SIGMA_CHANNEL_MSG_MAX bytes, else EINVAL or EMSGSIZE. While
 *                 there is no room, or no peer yet, it blocks, or fails with EAGAIN if O_NONBLOCK
 *                 is set. EPIPE: the session is over.
 *   both          EPROTO: a ring of this session is invalid, because a program on either side
 *                 wrote nonsense through its mapping. The session is over.
 *   poll          EPOLLIN: a message waits; EPOLLOUT: there is room for one of any length;
 *                 EPOLLHUP | EPOLLERR: the session is over. None of them: no peer yet.
 *   ioctl         SIGMA_CHANNEL_KICK; those for memory objects: see object.h
 *   mmap          offset 0, SIGMA_CHANNEL_SIZE bytes, MAP_SHARED: struct sigma_channel. PROT_WRITE
 *                 only on the block of this side, else EPERM.
 *
 * Through the mapping a program sends and receives without a system call, and may spin on the
 * peer's index instead of sleeping. read, write and poll use the same indices, so a program may mix
 * both ways.
 *
 * The rings. Each side produces into the ring of its own block. Indices count bytes, are never
 * reset, and are reduced modulo SIGMA_CHANNEL_RING on use; they are multiples of
 * SIGMA_RECORD_ALIGN. The ring is empty when the producer's `produced` equals the consumer's
 * `consumed`, full when it is SIGMA_CHANNEL_RING ahead, broken when it is further ahead. A message
 * is a record: struct sigma_record_header, then its bytes, then padding to SIGMA_RECORD_ALIGN. No
 * record wraps around the end of the ring: where it does not fit before the end, a header with
 * SIGMA_RECORD_PAD fills the rest, and is published together with the record that follows.
 * Indices are published by release stores and read by acquire loads.
 *
 * Sleep. A side that is about to sleep sets `want_data`, or sets `want_room` to the bytes that it
 * waits for, executes a full barrier, and checks the ring once more. The other side publishes its
 * index, executes a full barrier, reads these words, and rings the channel's doorbell if the ring
 * now has what is wanted. The kernel does this in read and write; a program that writes to the
 * mapping calls SIGMA_CHANNEL_KICK. The doorbell's receiver clears both words before it wakes the
 * sleeper. A side that spins sets neither word and is never interrupted.
 *
 * Sessions. `session` counts opens and ends of one side; an odd value means open. `peer` is the
 * session of the other side that this side has joined, 0: none yet. A side joins a session that is
 * odd and whose `peer` is 0 or this side's own session. Before it joins, it sets its `consumed` to
 * the other's `produced`, so it reads nothing older. The session stands when both sides have
 * joined; nothing may be produced before. It is over when the other's `session` is no longer the
 * one that was joined, or when this side's own `session` has changed, because its kernel knows that
 * the peer is dead. Only the kernels write these words, and each change rings the doorbell.
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

/* Index of the arrays in struct sigma_channel */
enum sigma_channel_side {
	SIGMA_SIDE_HOST = 0,
	SIGMA_SIDE_GUEST = 1,
};

/* Written by the kernel of this side only */
struct sigma_channel_state {
	__le32 session;
	__le32 peer;
	__le32 want_data;		/* 0 or 1 */
	__le32 want_room;		/* bytes */
	__u8 pad[48];
};

/* Written by this side only: by its kernel and by the program that has it mapped */
struct sigma_channel_block {
	__le32 produced;		/* bytes written to @data */
	__u8 pad0[60];
	__le32 consumed;		/* bytes read from the other block's @data */
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

/* SIGMA_CHANNEL_KICK: ring the peer's doorbell if the ring has what it waits for. At any time. */
#define SIGMA_CHANNEL_KICK	_IO(SIGMA_CHANNEL_IOC, 0x01)

#endif
