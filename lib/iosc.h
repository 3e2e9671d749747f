/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libiosc: messages between programs of a SIGMA host and of its guest, over the channels of IOSC
 * (inter-OS communication). iosc(3) is the manual of this library, iosc(4) that of the devices.
 *
 * Functions that fail return -1 or NULL and set errno. EPIPE: the session is over, since the peer
 * closed the channel or died, and all that it sent was received. EPROTO: the session is over, since
 * the rings are invalid. For a new session close the channel and open it again.
 *
 * On one channel, one thread at a time may send, and one thread may receive.
 */
#ifndef IOSC_H
#define IOSC_H

#include <stddef.h>
#include <sys/types.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

#define IOSC_MESSAGE_MAX	8192	/* bytes */
#define IOSC_DONTWAIT		1	/* flags: EAGAIN instead of waiting or spinning */
#define IOSC_SPIN_FOREVER	(~0U)

struct iosc;

/**
 * iosc_open - open a channel
 * @guest: on the host: name of the guest; in a guest: NULL
 * @number: 1..16
 *
 * Does not wait for a peer: sending or receiving the first message does.
 * Errors: those of open(2) and mmap(2); EBUSY: the channel is open on this side already.
 */
struct iosc *iosc_open(const char *guest, unsigned int number);

/** iosc_open_path - open a channel by the path of its device */
struct iosc *iosc_open_path(const char *path);

/** iosc_close - end the session; the peer can still receive what was sent. NULL: does nothing */
void iosc_close(struct iosc *channel);

/**
 * iosc_fd - descriptor for poll(2), read(2) and write(2), see iosc(4)
 *
 * POLLIN: iosc_recv() will not wait; POLLOUT: iosc_send() will not wait, whatever the length.
 */
int iosc_fd(const struct iosc *channel);

/**
 * iosc_set_spin - set how long to spin, waiting for the peer, before sleeping
 * @microseconds: 0, the default: sleep at once; IOSC_SPIN_FOREVER: never sleep
 *
 * Spinning uses this CPU, sleeping costs an interrupt on both sides.
 */
void iosc_set_spin(struct iosc *channel, unsigned int microseconds);

/**
 * iosc_send - send one message
 * @length: 1..IOSC_MESSAGE_MAX, else EINVAL or EMSGSIZE
 * @flags: 0 or IOSC_DONTWAIT
 *
 * Waits for a peer and for room. Return: 0. EINTR: a signal came, nothing was sent.
 */
int iosc_send(struct iosc *channel, const void *message, size_t length, int flags);

/**
 * iosc_recv - receive one message
 * @size: of @buffer; EMSGSIZE when the message is longer, which then stays in the ring
 * @flags: 0 or IOSC_DONTWAIT
 *
 * Waits for a peer and for a message. Return: its length, which is never 0.
 */
ssize_t iosc_recv(struct iosc *channel, void *buffer, size_t size, int flags);

/**
 * iosc_reserve - reserve room for one message in the ring itself
 * @length: as for iosc_send()
 * @flags: likewise
 *
 * Return: where to write at most @length bytes, aligned to 8. It is valid until iosc_commit(). An
 * iosc_send() or another iosc_reserve() before that discards it.
 */
void *iosc_reserve(struct iosc *channel, size_t length, int flags);

/**
 * iosc_commit - send the message that was written to the reserved room
 * @length: its bytes, from 1 to the reserved length
 *
 * Return: 0. EINVAL: nothing was reserved, or not so much.
 */
int iosc_commit(struct iosc *channel, size_t length);

/**
 * iosc_peek - get the next message, in the ring itself
 * @message: out; the peer may change its bytes at any time: copy before you check
 * @flags: as for iosc_recv()
 *
 * Return: its length. Until iosc_release() it stays valid, and iosc_peek() returns the same one.
 */
ssize_t iosc_peek(struct iosc *channel, const void **message, int flags);

/** iosc_release - remove the message of iosc_peek() from the ring. Return: 0. EINVAL: none */
int iosc_release(struct iosc *channel);

/**
 * iosc_wait - wait until a message, or room for one, is there
 * @events: POLLIN, POLLOUT or both
 * @timeout: the longest time; NULL: without end
 *
 * Spins first, as iosc_set_spin() said. Another thread may send meanwhile, and with POLLOUT alone
 * another may receive. Return: those of @events that came, also when the session is over, and the
 * next call then tells; 0: none, which may be too early; -1: errno, EINTR for example.
 */
int iosc_wait(struct iosc *channel, short events, const struct timespec *timeout);

/**
 * iosc_pair - make both ends of a channel that needs no guest and no device
 * @ends: out
 *
 * For two programs of one kernel, which are related by fork(2), and for tests. The session stands,
 * and is over when one end is closed in all processes that have it. Return: 0; errno of
 * memfd_create(2), eventfd(2), socketpair(2), mmap(2).
 */
int iosc_pair(struct iosc *ends[2]);

/*
 * Memory objects: memory that one side makes and lends to the other, without a copy. iosc-calls(7)
 * explains them. EOPNOTSUPP: the guest's file has no SharedMemory=, or the channel is of iosc_pair().
 */
struct iosc_memory;

#define IOSC_MEMORY_WRITE	1	/* iosc_memory_grant(): the peer may write, too */
#define IOSC_MEMORY_ZEROES	1	/* iosc_memory_take(): see there */

/**
 * iosc_memory_new - make an object of @size bytes, which are 0, and map it
 * @channel: any of the guest's; the object does not need it any more
 * @size: is rounded up to whole pages
 *
 * Errors: ENOSPC: this side's half of the area has no room for it in one piece; those of mmap(2).
 */
struct iosc_memory *iosc_memory_new(struct iosc *channel, size_t size);

/**
 * iosc_memory_grant - lend a part of it to the program at the other end of @channel
 * @offset, @size: whole pages; @size 0: all from @offset on
 * @flags: 0 or IOSC_MEMORY_WRITE
 * @grant: out: a number, which a call or a message passes to the peer. It means nothing on another
 *	channel, nor in another session
 *
 * Return: 0. EAGAIN: no peer yet; EPIPE: the session is over; EMFILE: too many are lent; EINVAL.
 */
int iosc_memory_grant(struct iosc *channel, struct iosc_memory *memory, size_t offset, size_t size,
		      int flags, unsigned int *grant);

/**
 * iosc_memory_revoke - take it back
 *
 * Afterwards no program of the peer has it mapped. Return: 0, also if the session is over, or the
 * grant was taken back before. ETIMEDOUT: the peer's kernel has not obeyed in two seconds; ENOMEM:
 * the host has no memory to move it out of a guarded guest's reach, and it was not taken back.
 */
int iosc_memory_revoke(struct iosc *channel, unsigned int grant);

/**
 * iosc_memory_take - get what the peer has lent, and map it
 * @grant: the number that the peer has passed
 * @flags: IOSC_MEMORY_ZEROES: once the peer has taken it back, the mapping has zeroes, and what this
 *	program writes afterwards, in each page the same. 0: an access is a SIGBUS then
 *
 * Errors: EBADF: there is no such grant, or not any more; EPROTO: it is malformed; EPIPE, EAGAIN.
 */
struct iosc_memory *iosc_memory_take(struct iosc *channel, unsigned int grant, int flags);

/** iosc_memory_at - where it is mapped, aligned to a page */
void *iosc_memory_at(const struct iosc_memory *memory);

/** iosc_memory_size - bytes */
size_t iosc_memory_size(const struct iosc_memory *memory);

/** iosc_memory_is_writable - may this program write to it? */
int iosc_memory_is_writable(const struct iosc_memory *memory);

/** iosc_memory_fd - for poll(2): POLLHUP: the peer has taken it back, or the session is over */
int iosc_memory_fd(const struct iosc_memory *memory);

/** iosc_memory_free - unmap it; all that is lent of it is taken back. NULL: does nothing */
void iosc_memory_free(struct iosc_memory *memory);

#ifdef __cplusplus
}
#endif
#endif
