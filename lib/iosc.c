// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libiosc: see iosc.h, and ../kmod/uapi/channel.h for the protocol.
 *
 * Messages are sent and received in the mapped rings; system calls are only for sleeping and
 * waking. A caller that has to wait first spins for the time of iosc_set_spin(). Then it sleeps in
 * read(2), write(2) or poll(2). An ioctl wakes the peer if the shared state shows that it sleeps.
 *
 * The state words in the mapping show whether the session stands. If they show that it does not,
 * poll(2) decides, because the words are inconsistent for a moment while a kernel resets the
 * window.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "channel.h"
#include "iosc.h"

#define DIRECTORY	"/dev/iosc"
#define SPINS		64	/* between two looks at the clock */

static uint32_t load(const __le32 *word)
{
	return le32toh(__atomic_load_n(word, __ATOMIC_ACQUIRE));
}

static void publish(__le32 *word, uint32_t value)
{
	__atomic_store_n(word, htole32(value), __ATOMIC_RELEASE);
}

/* The device of a channel */

static int device_poll(struct iosc *channel, short events, const struct timespec *timeout)
{
	struct pollfd pollfd = { .fd = channel->fd, .events = events };

	return ppoll(&pollfd, 1, timeout, NULL) < 0 ? -1 : pollfd.revents;
}

static void device_kick(struct iosc *channel)
{
	ioctl(channel->fd, SIGMA_CHANNEL_KICK);
}

static bool device_broken(struct iosc *channel)
{
	/* This read does not block, since the session is over, and returns the reason */
	return read(channel->fd, NULL, 0) < 0 && errno == EPROTO;
}

static ssize_t device_write(struct iosc *channel, const void *message, size_t length)
{
	return write(channel->fd, message, length);
}

static ssize_t device_read(struct iosc *channel, void *buffer, size_t size)
{
	return read(channel->fd, buffer, size);
}

static void device_close(struct iosc *channel)
{
	close(channel->fd);
}

static const struct iosc_bell device = {
	.poll = device_poll,
	.kick = device_kick,
	.broken = device_broken,
	.write = device_write,
	.read = device_read,
	.close = device_close,
};

/* The kernel permits a writable mapping only of this side's block, so try both */
static int map(struct iosc *channel)
{
	void *shared = mmap(NULL, SIGMA_CHANNEL_SIZE, PROT_READ, MAP_SHARED, channel->fd, 0);
	size_t size = sizeof(struct sigma_channel_block);

	if (shared == MAP_FAILED)
		return -1;
	channel->shared = shared;
	for (unsigned int side = SIGMA_SIDE_HOST; side <= SIGMA_SIDE_GUEST; side++) {
		off_t offset = offsetof(struct sigma_channel, block) + side * size;
		void *ours = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, channel->fd,
				  offset);

		if (ours != MAP_FAILED) {
			channel->ours = ours;
			channel->theirs = &channel->shared->block[!side];
			channel->our_state = &channel->shared->state[side];
			channel->their_state = &channel->shared->state[!side];
			return 0;
		}
		if (errno != EPERM)
			break;
	}
	munmap(shared, SIGMA_CHANNEL_SIZE);
	return -1;
}

struct iosc *iosc_open_path(const char *path)
{
	struct iosc *channel = calloc(1, sizeof(*channel));
	int error;

	if (!channel)
		return NULL;
	channel->bell = &device;
	channel->fd = open(path, O_RDWR | O_CLOEXEC);
	if (channel->fd < 0)
		goto free_channel;
	if (map(channel))
		goto close_fd;
	return channel;

close_fd:
	error = errno;
	close(channel->fd);
	errno = error;
free_channel:
	error = errno;
	free(channel);
	errno = error;
	return NULL;
}

struct iosc *iosc_open(const char *guest, unsigned int number)
{
	char path[PATH_MAX];
	int length;

	length = snprintf(path, sizeof(path), DIRECTORY "/%s%s%u", guest ?: "", guest ? "/" : "",
			  number);
	if (length >= (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	return iosc_open_path(path);
}

void iosc_close(struct iosc *channel)
{
	if (!channel)
		return;
	munmap(channel->ours, sizeof(*channel->ours));
	munmap((void *)channel->shared, sizeof(*channel->shared));
	channel->bell->close(channel);
	free(channel);
}

int iosc_fd(const struct iosc *channel)
{
	return channel->fd;
}

void iosc_set_spin(struct iosc *channel, unsigned int microseconds)
{
	channel->spin = microseconds;
	if (channel->bell->spins)
		channel->bell->spins(channel, microseconds == IOSC_SPIN_FOREVER);
}

/* The session */

static bool session_stands(const struct iosc *channel)
{
	uint32_t theirs = load(&channel->their_state->session);
	uint32_t their_peer = load(&channel->their_state->peer);
	uint32_t ours = load(&channel->our_state->session);

	return ours & 1 && theirs & 1 && their_peer == ours &&
	       load(&channel->our_state->peer) == theirs;
}

static int fail(int error)
{
	errno = error;
	return -1;
}

/*
 * Called when the session does not stand. Return: 0 if @events has POLLIN and a message can still
 * be read; -1 with EAGAIN if there is no session yet; else -1 with the error that ended it.
 */
static int check_session(struct iosc *channel, short events)
{
	static const struct timespec now;
	int seen = channel->bell->poll(channel, events, &now);

	if (seen < 0)
		return -1;
	if (seen & POLLIN)
		return 0;
	if (!(seen & (POLLHUP | POLLERR)))
		return fail(EAGAIN);
	return fail(channel->bell->broken(channel) ? EPROTO : EPIPE);
}

/* Called after an index was published: wake the peer if *@want shows that it sleeps */
static void wake_peer(struct iosc *channel, const __le32 *want)
{
	/* Pairs with the kernel's barrier between its store of the word and its last check */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(want, __ATOMIC_RELAXED))
		channel->bell->kick(channel);
}

/* Waiting */

static uint64_t microseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000ULL + now.tv_nsec / 1000;
}

/*
 * Call @attempt again while it fails with EAGAIN, for at most the time of iosc_set_spin(). Return:
 * the last result of @attempt, which may be -1 with EAGAIN.
 */
static ssize_t spin(struct iosc *channel, ssize_t (*attempt)(struct iosc *, void *), void *data,
		    int flags)
{
	ssize_t ret = attempt(channel, data);
	uint64_t end = 0;

	while (ret < 0 && errno == EAGAIN && channel->spin && !(flags & IOSC_DONTWAIT)) {
		if (channel->spin != IOSC_SPIN_FOREVER && !end)
			end = microseconds() + channel->spin;
		for (unsigned int i = 0; i < SPINS && ret < 0 && errno == EAGAIN; i++) {
			__builtin_ia32_pause();
			ret = attempt(channel, data);
		}
		if (end && microseconds() >= end)
			break;
	}
	return ret;
}

/* Likewise, but sleep between two attempts until @events, which is POLLIN or POLLOUT */
static ssize_t wait_for(struct iosc *channel, ssize_t (*attempt)(struct iosc *, void *),
			void *data, short events, int flags)
{
	for (;;) {
		ssize_t ret = spin(channel, attempt, data, flags);

		if (ret >= 0 || errno != EAGAIN || flags & IOSC_DONTWAIT)
			return ret;
		if (channel->bell->poll(channel, events, NULL) < 0)
			return -1;
	}
}

/* Sending */

/* Another thread may have room reserved meanwhile */
static int find_room(struct iosc *channel, size_t length, struct sigma_record *record)
{
	int error;

	if (!session_stands(channel))
		return check_session(channel, 0);
	error = sigma_record_place(le32toh(channel->ours->produced),
				   load(&channel->theirs->consumed), length, record);
	if (!error)
		return 0;
	if (error != -ENOSPC)
		return fail(EPROTO);
	if (channel->bell->full)
		channel->bell->full(channel);
	return fail(EAGAIN);
}

static ssize_t try_reserve(struct iosc *channel, void *data)
{
	const size_t *length = data;

	channel->reserved.length = 0;
	channel->produced = le32toh(channel->ours->produced);
	if (!find_room(channel, *length, &channel->reserved))
		return 0;
	channel->reserved.length = 0;
	return -1;
}

static int check_length(size_t length)
{
	if (!length)
		return fail(EINVAL);
	return length > SIGMA_CHANNEL_MSG_MAX ? fail(EMSGSIZE) : 0;
}

static void send_reserved(struct iosc *channel)
{
	struct sigma_record *record = &channel->reserved;

	sigma_record_head(channel->ours->data, channel->produced, record);
	publish(&channel->ours->produced, record->next);
	record->length = 0;
	wake_peer(channel, &channel->their_state->want_data);
}

void *iosc_reserve(struct iosc *channel, size_t length, int flags)
{
	channel->reserved.length = 0;
	if (check_length(length))
		return NULL;
	/* Mostly there is room */
	if (try_reserve(channel, &length) &&
	    (errno != EAGAIN || flags & IOSC_DONTWAIT ||
	     wait_for(channel, try_reserve, &length, POLLOUT, flags)))
		return NULL;
	return channel->ours->data + channel->reserved.offset;
}

int iosc_commit(struct iosc *channel, size_t length)
{
	struct sigma_record *record = &channel->reserved;

	if (!length || length > record->length)
		return fail(EINVAL);
	record->next -= sigma_record_size(record->length) - sigma_record_size(length);
	record->length = length;
	send_reserved(channel);
	return 0;
}

int iosc_send(struct iosc *channel, const void *message, size_t length, int flags)
{
	channel->reserved.length = 0;
	if (check_length(length))
		return -1;
	if (spin(channel, try_reserve, &length, flags)) {
		if (errno != EAGAIN || flags & IOSC_DONTWAIT)
			return -1;
		return channel->bell->write(channel, message, length) < 0 ? -1 : 0;
	}
	memcpy(channel->ours->data + channel->reserved.offset, message, length);
	send_reserved(channel);
	return 0;
}

/* Receiving */

static ssize_t try_peek(struct iosc *channel, void *data)
{
	int found;

	channel->peeked.length = 0;
	/* Checked before the ring, which then has all messages that were sent before the end */
	if (!session_stands(channel) && check_session(channel, POLLIN))
		return -1;
	found = sigma_record_find(channel->theirs->data, load(&channel->theirs->produced),
				  le32toh(channel->ours->consumed), &channel->peeked);
	if (found > 0)
		return channel->peeked.length;
	if (found)
		return fail(EPROTO);
	if (channel->bell->empty && channel->bell->empty(channel))
		return try_peek(channel, data);
	return fail(EAGAIN);
}

ssize_t iosc_peek(struct iosc *channel, const void **message, int flags)
{
	ssize_t length = try_peek(channel, NULL);

	if (length < 0 && errno == EAGAIN && !(flags & IOSC_DONTWAIT))
		length = wait_for(channel, try_peek, NULL, POLLIN, flags);
	if (length > 0)
		*message = channel->theirs->data + channel->peeked.offset;
	return length;
}

int iosc_release(struct iosc *channel)
{
	if (!channel->peeked.length)
		return fail(EINVAL);
	channel->peeked.length = 0;
	publish(&channel->ours->consumed, channel->peeked.next);
	wake_peer(channel, &channel->their_state->want_room);
	return 0;
}

ssize_t iosc_recv(struct iosc *channel, void *buffer, size_t size, int flags)
{
	ssize_t length = spin(channel, try_peek, NULL, flags);

	if (length < 0 && errno == EAGAIN && !(flags & IOSC_DONTWAIT))
		return channel->bell->read(channel, buffer, size);
	if (length < 0)
		return length;
	if ((size_t)length > size)
		return fail(EMSGSIZE);
	memcpy(buffer, channel->theirs->data + channel->peeked.offset, length);
	return iosc_release(channel) ? -1 : length;
}

/* Waiting for either */

static short ready(struct iosc *channel, short events)
{
	struct sigma_record room;
	short seen = 0;

	if (events & POLLIN && (try_peek(channel, NULL) > 0 || errno != EAGAIN))
		seen |= POLLIN;
	if (events & POLLOUT &&
	    (!find_room(channel, SIGMA_CHANNEL_MSG_MAX, &room) || errno != EAGAIN))
		seen |= POLLOUT;
	return seen;
}

int iosc_wait(struct iosc *channel, short events, const struct timespec *timeout)
{
	uint64_t limit = UINT64_MAX, begin = channel->spin ? microseconds() : 0, spent = 0;
	short seen = ready(channel, events);
	struct timespec rest;
	int ret;

	if (timeout)
		limit = timeout->tv_sec * 1000000ULL + timeout->tv_nsec / 1000;
	while (!seen && spent < channel->spin && spent < limit) {
		for (unsigned int i = 0; i < SPINS && !seen; i++) {
			__builtin_ia32_pause();
			seen = ready(channel, events);
		}
		spent = channel->spin == IOSC_SPIN_FOREVER && !timeout ? 0 : microseconds() - begin;
	}
	if (seen)
		return seen;
	if (timeout && channel->spin) {
		limit -= spent < limit ? spent : limit;
		rest.tv_sec = limit / 1000000;
		rest.tv_nsec = limit % 1000000 * 1000;
		timeout = &rest;
	}
	ret = channel->bell->poll(channel, events, timeout);
	if (ret < 0)
		return -1;
	return ret & (POLLHUP | POLLERR) ? events : ret & events;
}
