// SPDX-License-Identifier: GPL-2.0
/*
 * Frames and streams of a connection between sigmactl and the agent: see relay.h.
 *
 * What the other side sent is copied into @in once and checked there. Frames that answer others,
 * CREDIT and SHUT, are not queued when they become due, since a peer that takes nothing could make
 * that queue long: a stream remembers that they are due until there is room.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay.h"

#define HEADER		sizeof(struct agent_header)
#define CREDIT_LEAST	(AGENT_WINDOW / 4)	/* fewer are not worth a frame */
#define UNLIMITED	UINT64_MAX
#define SEND_MS		60000		/* for a peer to take something */

struct relay *relay_new(int socket, const struct relay_ops *ops, void *data)
{
	struct relay *relay = calloc(1, sizeof(*relay));
	int flags = fcntl(socket, F_GETFL);

	if (!relay || flags < 0 || fcntl(socket, F_SETFL, flags | O_NONBLOCK)) {
		free(relay);
		return NULL;
	}
	relay->socket = socket;
	relay->ops = ops;
	relay->data = data;
	for (unsigned int i = 0; i < AGENT_NR_STREAMS; i++) {
		relay->inlet[i].fd = -1;
		relay->outlet[i].fd = -1;
	}
	return relay;
}

void relay_free(struct relay *relay)
{
	for (unsigned int i = 0; i < AGENT_NR_STREAMS; i++)
		free(relay->outlet[i].ring);
	/* The key of the guest went through it */
	explicit_bzero(relay, sizeof(*relay));
	free(relay);
}

void relay_read_from(struct relay *relay, enum agent_stream stream, int fd)
{
	relay->inlet[stream] = (struct inlet) {
		.open = true, .fd = fd, .credit = AGENT_WINDOW, .left = UNLIMITED,
	};
}

int relay_write_to(struct relay *relay, enum agent_stream stream, int fd)
{
	uint8_t *ring = malloc(AGENT_WINDOW);
	int flags = fcntl(fd, F_GETFL);

	if (!ring)
		return -ENOMEM;
	/* A pipe that poll(2) calls writable takes so much without waiting */
	relay->outlet[stream] = (struct outlet) {
		.open = true, .fd = fd, .ring = ring, .room = AGENT_WINDOW,
		.most = flags >= 0 && flags & O_NONBLOCK ? AGENT_WINDOW : PIPE_BUF,
	};
	return 0;
}

bool relay_inlets_done(const struct relay *relay)
{
	for (unsigned int i = 0; i < AGENT_NR_STREAMS; i++)
		if (relay->inlet[i].open)
			return false;
	return true;
}

bool relay_outlets_done(const struct relay *relay)
{
	for (unsigned int i = 0; i < AGENT_NR_STREAMS; i++)
		if (relay->outlet[i].fd >= 0 && relay->outlet[i].len)
			return false;
	return true;
}

bool relay_unsent(const struct relay *relay)
{
	return relay->out_at < relay->out_len;
}

bool relay_has_room(const struct relay *relay, size_t size)
{
	return HEADER + size <= RELAY_OUT_SIZE - (relay->out_len - relay->out_at);
}

/* Make room for a frame behind what is queued: where its payload goes, or NULL */
static uint8_t *begin_frame(struct relay *relay, size_t size)
{
	if (!relay_has_room(relay, size))
		return NULL;
	if (HEADER + size > RELAY_OUT_SIZE - relay->out_len) {
		relay->out_len -= relay->out_at;
		memmove(relay->out, relay->out + relay->out_at, relay->out_len);
		relay->out_at = 0;
	}
	return relay->out + relay->out_len + HEADER;
}

static void end_frame(struct relay *relay, enum agent_type type, unsigned int stream, size_t size)
{
	const struct agent_header header = {
		.size = htole32(size), .type = htole16(type), .stream = htole16(stream),
	};

	memcpy(relay->out + relay->out_len, &header, HEADER);
	relay->out_len += HEADER + size;
}

static int queue(struct relay *relay, enum agent_type type, unsigned int stream,
		 const void *payload, size_t size)
{
	uint8_t *to;

	if (size > AGENT_PAYLOAD_MAX)
		return -EMSGSIZE;
	to = begin_frame(relay, size);
	if (!to)
		return -EAGAIN;
	if (size)
		memcpy(to, payload, size);
	end_frame(relay, type, stream, size);
	return 0;
}

int relay_send(struct relay *relay, enum agent_type type, const void *payload, size_t size)
{
	return queue(relay, type, 0, payload, size);
}

static int flush(struct relay *relay)
{
	ssize_t len;

	while (relay_unsent(relay)) {
		len = send(relay->socket, relay->out + relay->out_at,
			   relay->out_len - relay->out_at, MSG_NOSIGNAL);
		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return errno == EAGAIN ? 0 : -errno;
		relay->out_at += len;
	}
	relay->out_at = 0;
	relay->out_len = 0;
	return 0;
}

int relay_send_wait(struct relay *relay, enum agent_type type, const void *payload, size_t size)
{
	struct pollfd pollfd = { .fd = relay->socket, .events = POLLOUT };
	int error, ready = 1;

	while ((error = relay_send(relay, type, payload, size)) == -EAGAIN) {
		error = flush(relay);
		if (error)
			return error;
		if (relay_unsent(relay))
			ready = poll(&pollfd, 1, SEND_MS);
		if (!ready)
			return -ETIMEDOUT;
		if (ready < 0 && errno != EINTR)
			return -errno;
	}
	return error;
}

/* Streams that are read here */

static void close_inlet(struct relay *relay, unsigned int stream)
{
	struct inlet *inlet = &relay->inlet[stream];
	int fd = inlet->fd;

	if (fd < 0)
		return;
	inlet->fd = -1;
	relay->ops->inlet_closed(relay->data, stream, fd);
}

void relay_finish(struct relay *relay)
{
	relay->finished = true;
	for (unsigned int i = 0; i < AGENT_NR_STREAMS; i++)
		close_inlet(relay, i);
}

static bool wants_read(const struct relay *relay, const struct inlet *inlet)
{
	/* Its end needs no credit */
	return inlet->fd >= 0 && (inlet->credit || !inlet->left) &&
	       relay_has_room(relay, RELAY_PIECE + RELAY_CONTROL);
}

/* Read a piece right into the queue */
static void read_inlet(struct relay *relay, unsigned int stream)
{
	struct inlet *inlet = &relay->inlet[stream];
	size_t size = RELAY_PIECE;
	ssize_t len;
	uint8_t *to;

	if (size > inlet->credit)
		size = inlet->credit;
	if (size > inlet->left)
		size = inlet->left;
	to = begin_frame(relay, size);
	if (!to)
		return;
	len = size ? read(inlet->fd, to, size) : 0;
	if (len < 0 && (errno == EINTR || (errno == EAGAIN && inlet->left == UNLIMITED)))
		return;
	if (len <= 0) {
		close_inlet(relay, stream);
		return;
	}
	if (relay->ops->read)
		relay->ops->read(relay->data, stream, to, len);
	end_frame(relay, AGENT_DATA, stream, len);
	inlet->credit -= len;
	if (inlet->left != UNLIMITED)
		inlet->left -= len;
}

static void process_inlets(struct relay *relay, const struct pollfd *fds)
{
	for (unsigned int i = 0; i < AGENT_NR_STREAMS; i++) {
		struct inlet *inlet = &relay->inlet[i];
		bool last = inlet->left != UNLIMITED;

		if (wants_read(relay, inlet) && !last && fds[i].fd == inlet->fd && fds[i].revents)
			read_inlet(relay, i);
		while (last && wants_read(relay, inlet))
			read_inlet(relay, i);
		if (inlet->open && inlet->fd < 0 && !queue(relay, AGENT_END, i, NULL, 0))
			inlet->open = false;
	}
}

void relay_end_inlet(struct relay *relay, enum agent_stream stream, uint64_t left)
{
	relay->inlet[stream].left = left;
}

/* Streams that are written here */

static void close_outlet(struct relay *relay, unsigned int stream, int error)
{
	struct outlet *outlet = &relay->outlet[stream];
	int fd = outlet->fd;

	if (fd < 0)
		return;
	outlet->fd = -1;
	outlet->len = 0;
	outlet->shut = outlet->open;
	relay->ops->outlet_closed(relay->data, stream, fd, error);
}

static void write_outlet(struct relay *relay, unsigned int stream)
{
	struct outlet *outlet = &relay->outlet[stream];
	size_t part = AGENT_WINDOW - outlet->at;
	ssize_t len;

	if (part > outlet->len)
		part = outlet->len;
	if (part > outlet->most)
		part = outlet->most;
	len = write(outlet->fd, outlet->ring + outlet->at, part);
	if (len < 0) {
		if (errno != EINTR && errno != EAGAIN)
			close_outlet(relay, stream, errno);
		return;
	}
	outlet->at = (outlet->at + len) % AGENT_WINDOW;
	outlet->len -= len;
	outlet->owed += len;
}

/* Say what the other side has to know about a stream */
static void answer(struct relay *relay, unsigned int stream)
{
	struct outlet *outlet = &relay->outlet[stream];
	uint32_t owed = htole32(outlet->owed);

	if (outlet->shut && !queue(relay, AGENT_SHUT, stream, NULL, 0))
		outlet->shut = false;
	if (!outlet->open || outlet->fd < 0 || !outlet->owed ||
	    (outlet->owed < CREDIT_LEAST && outlet->len))
		return;
	if (queue(relay, AGENT_CREDIT, stream, &owed, sizeof(owed)))
		return;
	outlet->room += outlet->owed;
	outlet->owed = 0;
}

static void process_outlets(struct relay *relay, const struct pollfd *fds)
{
	for (unsigned int i = 0; i < AGENT_NR_STREAMS; i++) {
		struct outlet *outlet = &relay->outlet[i];
		int events = outlet->fd >= 0 && fds[i].fd == outlet->fd ? fds[i].revents : 0;

		if (events & POLLOUT && outlet->len)
			write_outlet(relay, i);
		else if (events & (POLLERR | POLLHUP | POLLNVAL))
			close_outlet(relay, i, EPIPE);
		if (outlet->fd >= 0 && !outlet->len && !outlet->open)
			close_outlet(relay, i, 0);
		answer(relay, i);
	}
}

/* What the other side sends */

static int take_data(struct outlet *outlet, const uint8_t *payload, size_t size)
{
	size_t at, part;

	if (!outlet->open || size > outlet->room)
		return -EPROTO;
	outlet->room -= size;
	if (outlet->fd < 0)
		return 0;
	/* room + len + owed is the window, so there is place for it */
	at = (outlet->at + outlet->len) % AGENT_WINDOW;
	part = size < AGENT_WINDOW - at ? size : AGENT_WINDOW - at;
	memcpy(outlet->ring + at, payload, part);
	memcpy(outlet->ring, payload + part, size - part);
	outlet->len += size;
	return 0;
}

static int take_credit(struct inlet *inlet, const uint8_t *payload, size_t size)
{
	uint32_t credit;

	if (size != sizeof(credit))
		return -EPROTO;
	memcpy(&credit, payload, sizeof(credit));
	credit = le32toh(credit);
	if (credit > AGENT_WINDOW - inlet->credit)
		return -EPROTO;
	inlet->credit += credit;
	return 0;
}

static int take_stream_frame(struct relay *relay, unsigned int type, unsigned int stream,
			     const uint8_t *payload, size_t size)
{
	if (stream >= AGENT_NR_STREAMS)
		return -EPROTO;
	switch (type) {
	case AGENT_DATA:
		return take_data(&relay->outlet[stream], payload, size);
	case AGENT_CREDIT:
		return take_credit(&relay->inlet[stream], payload, size);
	case AGENT_END:
		if (!relay->outlet[stream].open || size)
			return -EPROTO;
		relay->outlet[stream].open = false;
		return 0;
	default:
		if (size)
			return -EPROTO;
		close_inlet(relay, stream);
		return 0;
	}
}

static int take_frame(struct relay *relay, const struct agent_header *header, uint8_t *payload)
{
	unsigned int type = le16toh(header->type), stream = le16toh(header->stream);
	size_t size = le32toh(header->size);
	uint8_t next = payload[size];
	int error;

	if (type >= AGENT_DATA && type <= AGENT_SHUT)
		return take_stream_frame(relay, type, stream, payload, size);
	if (stream)
		return -EPROTO;
	payload[size] = '\0';
	error = relay->ops->frame(relay->data, type, payload, size);
	payload[size] = next;
	return error;
}

/* Take the whole frames that are in the buffer */
static int take_frames(struct relay *relay)
{
	struct agent_header header;
	size_t at = 0, size;
	int error = 0;

	while (!error && !relay->finished && relay->in_len - at >= HEADER) {
		memcpy(&header, relay->in + at, HEADER);
		size = le32toh(header.size);
		if (size > AGENT_PAYLOAD_MAX)
			return -EPROTO;
		if (relay->in_len - at - HEADER < size)
			break;
		error = take_frame(relay, &header, relay->in + at + HEADER);
		at += HEADER + size;
	}
	relay->in_len -= at;
	memmove(relay->in, relay->in + at, relay->in_len);
	return error;
}

static int receive(struct relay *relay)
{
	ssize_t len;

	len = recv(relay->socket, relay->in + relay->in_len, RELAY_IN_SIZE - relay->in_len, 0);
	if (len < 0)
		return errno == EINTR || errno == EAGAIN ? 0 : -errno;
	if (!len) {
		relay->finished = true;
		return relay->in_len ? -ECONNRESET : 0;
	}
	relay->in_len += len;
	return take_frames(relay);
}

/* Descriptor 0 is the connection, those of the inlets and of the outlets follow */
unsigned int relay_prepare(struct relay *relay, struct pollfd fds[RELAY_FDS])
{
	struct pollfd *in = fds + 1, *out = in + AGENT_NR_STREAMS;

	fds[0] = (struct pollfd) { .fd = relay->finished ? -1 : relay->socket,
				   .events = POLLIN | (relay_unsent(relay) ? POLLOUT : 0) };
	for (unsigned int i = 0; i < AGENT_NR_STREAMS; i++) {
		const struct inlet *inlet = &relay->inlet[i];
		const struct outlet *outlet = &relay->outlet[i];

		in[i] = (struct pollfd) { .fd = wants_read(relay, inlet) ? inlet->fd : -1,
					  .events = POLLIN };
		out[i] = (struct pollfd) { .fd = outlet->fd, .events = outlet->len ? POLLOUT : 0 };
	}
	return RELAY_FDS;
}

int relay_process(struct relay *relay, const struct pollfd fds[RELAY_FDS])
{
	int error = 0;

	if (fds[0].revents & ~POLLOUT)
		error = receive(relay);
	if (error)
		return error;
	process_inlets(relay, fds + 1);
	process_outlets(relay, fds + 1 + AGENT_NR_STREAMS);
	return flush(relay);
}
