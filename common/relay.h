/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One side of a connection between sigmactl and the agent: frames, and streams between the
 * connection and file descriptors. Both sides use it; common/agent.h describes the protocol.
 *
 * A relay never waits and never has more than a bounded part of a stream in memory. The owner's loop
 * is
 *
 *	nr = relay_prepare(&relay, fds);	more descriptors may follow in fds
 *	ppoll(fds, nr, ...)
 *	error = relay_process(&relay, fds);
 */
#ifndef SIGMA_RELAY_H
#define SIGMA_RELAY_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent.h"

#define RELAY_PIECE	(32U << 10)	/* bytes that are read from a descriptor at once */
#define RELAY_CONTROL	4096U		/* bytes of other frames that fit, too */
#define RELAY_IN_SIZE	(sizeof(struct agent_header) + AGENT_PAYLOAD_MAX)
#define RELAY_OUT_SIZE	(sizeof(struct agent_header) + AGENT_PAYLOAD_MAX + RELAY_CONTROL)
#define RELAY_FDS	(1 + 2 * AGENT_NR_STREAMS)

/**
 * struct inlet - a stream that is read here and sent to the other side
 * @open: END has not been sent
 * @fd: what is read; -1: the end was seen
 * @credit: bytes that the other side has room for
 * @left: bytes that are still read; then this is the end
 */
struct inlet {
	bool open;
	int fd;
	uint32_t credit;
	uint64_t left;
};

/**
 * struct outlet - a stream that the other side sends and that is written here
 * @open: END has not been received
 * @fd: where it is written; -1: it is closed
 * @ring: AGENT_WINDOW bytes, @len of which, from @at on, are to be written
 * @room: bytes that the other side may send
 * @owed: bytes that are free, of which it does not know yet
 * @most: bytes that are written at once
 * @shut: it is to be told that nobody reads
 */
struct outlet {
	bool open;
	int fd;
	uint8_t *ring;
	uint32_t at, len, room, owed, most;
	bool shut;
};

struct relay;

/**
 * struct relay_ops - what the owner does
 * @frame: a frame that is about no stream came; @payload has @size bytes and a NUL behind them.
 *	   Return: 0, or a negative errno that ends the connection
 * @read: @len bytes of @stream were read here, and will be sent; may be NULL
 * @inlet_closed: @stream is not read from @fd any more: this is its end, or nobody reads it at the
 *	    other side. Close @fd
 * @outlet_closed: @stream is not written to @fd any more: @error is 0 at its end, or the errno of
 *	    what failed, EPIPE if nobody reads it here. Close @fd
 */
struct relay_ops {
	int (*frame)(void *data, unsigned int type, const uint8_t *payload, size_t size);
	void (*read)(void *data, enum agent_stream stream, const uint8_t *bytes, size_t len);
	void (*inlet_closed)(void *data, enum agent_stream stream, int fd);
	void (*outlet_closed)(void *data, enum agent_stream stream, int fd, int error);
};

/** struct relay - @finished: the other side has closed the connection, at the end of a frame */
struct relay {
	int socket;
	const struct relay_ops *ops;
	void *data;
	bool finished;
	struct inlet inlet[AGENT_NR_STREAMS];
	struct outlet outlet[AGENT_NR_STREAMS];
	size_t in_len, out_at, out_len;
	uint8_t in[RELAY_IN_SIZE + 1];
	uint8_t out[RELAY_OUT_SIZE];
};

/** relay_new - make a relay for a connection, which becomes non-blocking; NULL: out of memory */
struct relay *relay_new(int socket, const struct relay_ops *ops, void *data);

/** relay_free - free it; it closes no descriptor */
void relay_free(struct relay *relay);

/** relay_read_from - send what @fd has as @stream; its reads should not block after poll(2) */
void relay_read_from(struct relay *relay, enum agent_stream stream, int fd);

/** relay_write_to - write @stream to @fd, best a non-blocking one. Return: 0 or -ENOMEM */
int relay_write_to(struct relay *relay, enum agent_stream stream, int fd);

/** relay_end_inlet - read at most @left more bytes, as long as there are any; then it is the end */
void relay_end_inlet(struct relay *relay, enum agent_stream stream, uint64_t left);

/** relay_inlets_done, relay_outlets_done - is all sent, and all written? */
bool relay_inlets_done(const struct relay *relay);
bool relay_outlets_done(const struct relay *relay);

/** relay_unsent - are there frames that the connection has not taken yet? */
bool relay_unsent(const struct relay *relay);

/** relay_has_room - would relay_send() take a frame of @size bytes? One of 64 nearly always fits */
bool relay_has_room(const struct relay *relay, size_t size);

/**
 * relay_send - queue a frame
 *
 * Return: 0; -EAGAIN: there is no room now; -EMSGSIZE: there never will be.
 */
int relay_send(struct relay *relay, enum agent_type type, const void *payload, size_t size);

/** relay_send_wait - as relay_send(), but wait for room; 0, or a negative errno */
int relay_send_wait(struct relay *relay, enum agent_type type, const void *payload, size_t size);

/** relay_prepare - what to wait for; returns the number of entries in @fds that it has filled */
unsigned int relay_prepare(struct relay *relay, struct pollfd fds[RELAY_FDS]);

/**
 * relay_process - do what can be done after poll(2)
 *
 * Return: 0; -EPROTO: the other side broke the protocol; -EPIPE, -ECONNRESET: the connection has
 * ended in the middle of something; or another negative errno.
 */
int relay_process(struct relay *relay, const struct pollfd fds[RELAY_FDS]);

#endif
