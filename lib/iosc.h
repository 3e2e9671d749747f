/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * libiosc: messages between programs of a SIGMA host and of its guest. iosc(3) is the manual,
 * iosc(4) that of the devices below.
 *
 * Functions return -1 or NULL and set errno where they fail. EPIPE: the session is over, since
 * the peer closed the channel, or died; all that it sent was received. EPROTO: the rings make no
 * sense; the session is over. For another session close the channel and open it again.
 *
 * One thread at a time may send on a channel, and one receive.
 */
#ifndef IOSC_H
#define IOSC_H

#include <stddef.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define IOSC_MESSAGE_MAX	8192	/* bytes */
#define IOSC_DONTWAIT		1	/* flags: EAGAIN instead of waiting */
#define IOSC_SPIN_FOREVER	(~0U)

struct iosc;

/**
 * iosc_open - open a channel
 * @guest: on the host: name of the guest; in a guest: NULL
 * @number: 1..16
 *
 * Does not wait for a peer: the first message does.
 * Errors: those of open(2) and mmap(2); EBUSY: it is open on this side already.
 */
struct iosc *iosc_open(const char *guest, unsigned int number);

/** iosc_open_path - open a channel by the path of its device */
struct iosc *iosc_open_path(const char *path);

/** iosc_close - end the session; what the peer has not received yet it still can. NULL: nothing */
void iosc_close(struct iosc *channel);

/**
 * iosc_fd - descriptor for poll(2), read(2) and write(2), as iosc(4) has them
 *
 * POLLIN: iosc_recv() will not wait; POLLOUT: nor will iosc_send(), of any length.
 */
int iosc_fd(const struct iosc *channel);

/**
 * iosc_set_spin - how long to look for the peer's next step before sleeping
 * @microseconds: 0, the default: sleep at once; IOSC_SPIN_FOREVER: never sleep
 *
 * Looking costs this CPU, sleeping an interrupt of both.
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
 * @size: of @buffer; EMSGSIZE when the message is longer, which stays then
 *
 * Return: its length, which is never 0.
 */
ssize_t iosc_recv(struct iosc *channel, void *buffer, size_t size, int flags);

/**
 * iosc_reserve - room for one message, in the ring itself
 * @length: as for iosc_send()
 *
 * Return: where to write it, at most @length bytes, aligned to 8. Valid until iosc_commit(); until
 * then iosc_send() and another iosc_reserve() give it up.
 */
void *iosc_reserve(struct iosc *channel, size_t length, int flags);

/** iosc_commit - send what was written there, @length bytes. Return: 0. EINVAL: none reserved */
int iosc_commit(struct iosc *channel, size_t length);

/**
 * iosc_peek - the next message, in the ring itself
 * @message: out; the peer may change what is there at any time: copy before you check
 *
 * Return: its length. Valid until iosc_release(); the same one until then.
 */
ssize_t iosc_peek(struct iosc *channel, const void **message, int flags);

/** iosc_release - be done with it. Return: 0. EINVAL: no message was peeked at */
int iosc_release(struct iosc *channel);

#ifdef __cplusplus
}
#endif
#endif
