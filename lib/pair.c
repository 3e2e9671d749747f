// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * iosc_pair(): two ends of one channel without a device, for programs of one kernel and for tests.
 *
 * The rings are those of ../kmod/uapi/channel.h in a memory file, and libiosc uses them as it does
 * a device's. The session stands from the beginning. In place of doorbells each end has an eventfd,
 * which stays signalled while messages may wait, and one end of a socket pair, on which the kernel
 * shows that the other end was closed or that its last process died. An epoll descriptor over both
 * is what programs poll.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "channel.h"
#include "iosc.h"

#define STATES_SIZE	offsetof(struct sigma_channel, block)

/**
 * struct iosc_pair - what one end has beyond the rings
 * @bell: the eventfd that the peer signals
 * @peer_bell: the eventfd of the peer
 * @life: its end of the socket pair
 * @states: the words of both sides, mapped for writing
 * @side: its index in @states
 */
struct iosc_pair {
	int bell, peer_bell, life;
	struct sigma_channel_state *states;
	unsigned int side;
};

static void ring(int bell)
{
	eventfd_write(bell, 1);
}

static bool peer_gone(const struct iosc_pair *pair)
{
	struct pollfd life = { .fd = pair->life, .events = POLLRDHUP };

	return poll(&life, 1, 0) > 0;
}

static int pair_poll(struct iosc *channel, short events, const struct timespec *timeout)
{
	struct iosc_pair *pair = channel->pair;
	struct pollfd fds[] = {
		{ .fd = pair->bell, .events = POLLIN },
		{ .fd = pair->life, .events = POLLRDHUP },
	};

	if (ppoll(fds, 2, timeout, NULL) < 0)
		return -1;
	return (fds[0].revents ? events : 0) | (fds[1].revents ? POLLHUP : 0);
}

static void pair_kick(struct iosc *channel)
{
	ring(channel->pair->peer_bell);
}

static bool pair_broken(struct iosc *channel)
{
	return false;
}

static ssize_t pair_write(struct iosc *channel, const void *message, size_t length)
{
	void *room = iosc_reserve(channel, length, 0);

	if (!room)
		return -1;
	memcpy(room, message, length);
	return iosc_commit(channel, length) ? -1 : (ssize_t)length;
}

static ssize_t pair_read(struct iosc *channel, void *buffer, size_t size)
{
	const void *message;

	if (iosc_peek(channel, &message, 0) < 0)
		return -1;
	return iosc_recv(channel, buffer, size, IOSC_DONTWAIT);
}

static bool ring_has_data(const struct iosc *channel)
{
	return __atomic_load_n(&channel->theirs->produced, __ATOMIC_SEQ_CST) !=
	       channel->ours->consumed;
}

/*
 * The bell is silenced before the ring is looked at again, and rings on if a message came meanwhile
 */
static bool pair_empty(struct iosc *channel)
{
	struct iosc_pair *pair = channel->pair;
	bool gone = peer_gone(pair);
	eventfd_t count;

	eventfd_read(pair->bell, &count);
	if (ring_has_data(channel)) {
		ring(pair->bell);
		return true;
	}
	if (gone)
		__atomic_store_n(&pair->states[pair->side].session, htole32(2), __ATOMIC_RELEASE);
	return gone;
}

static void pair_full(struct iosc *channel)
{
	struct iosc_pair *pair = channel->pair;
	struct sigma_channel_state *state = &pair->states[pair->side];
	eventfd_t count;

	__atomic_store_n(&state->want_room, htole32(SIGMA_CHANNEL_MSG_MAX), __ATOMIC_SEQ_CST);
	eventfd_read(pair->bell, &count);
	if (ring_has_data(channel))
		ring(pair->bell);
	if (peer_gone(pair))
		__atomic_store_n(&state->session, htole32(2), __ATOMIC_RELEASE);
}

/* An end that never sleeps needs no bell */
static void pair_spins(struct iosc *channel, bool for_ever)
{
	struct iosc_pair *pair = channel->pair;

	__atomic_store_n(&pair->states[pair->side].want_data, htole32(!for_ever), __ATOMIC_SEQ_CST);
}

static void pair_close(struct iosc *channel)
{
	struct iosc_pair *pair = channel->pair;

	close(channel->fd);
	close(pair->life);
	close(pair->peer_bell);
	close(pair->bell);
	munmap(pair->states, STATES_SIZE);
	free(pair);
}

static const struct iosc_bell pair_bell = {
	.poll = pair_poll,
	.kick = pair_kick,
	.broken = pair_broken,
	.write = pair_write,
	.read = pair_read,
	.empty = pair_empty,
	.full = pair_full,
	.spins = pair_spins,
	.close = pair_close,
};

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

static int watch(int epoll, int fd, uint32_t events)
{
	struct epoll_event event = { .events = events };

	return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

/* Takes @life; the bells are duplicated */
static struct iosc *make_end(int memory, unsigned int side, const int bells[2], int life)
{
	size_t size = sizeof(struct sigma_channel_block);
	off_t offset = offsetof(struct sigma_channel, block) + side * size;
	struct iosc *channel = calloc(1, sizeof(*channel));
	struct iosc_pair *pair = calloc(1, sizeof(*pair));
	void *shared;

	if (!channel || !pair)
		goto free_both;
	pair->side = side;
	pair->life = life;
	pair->bell = dup(bells[side]);
	pair->peer_bell = dup(bells[!side]);
	channel->fd = epoll_create1(EPOLL_CLOEXEC);
	if (pair->bell < 0 || pair->peer_bell < 0 || channel->fd < 0 ||
	    watch(channel->fd, pair->bell, EPOLLIN) || watch(channel->fd, life, EPOLLRDHUP))
		goto close_fds;
	shared = mmap(NULL, SIGMA_CHANNEL_SIZE, PROT_READ, MAP_SHARED, memory, 0);
	if (shared == MAP_FAILED)
		goto close_fds;
	channel->ours = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, memory, offset);
	if (channel->ours == MAP_FAILED)
		goto unmap_shared;
	pair->states = mmap(NULL, STATES_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
	if (pair->states == MAP_FAILED)
		goto unmap_ours;
	pair->states[side] = (struct sigma_channel_state){
		.session = htole32(1), .peer = htole32(1), .want_data = htole32(1),
	};
	channel->bell = &pair_bell;
	channel->pair = pair;
	channel->shared = shared;
	channel->theirs = &channel->shared->block[!side];
	channel->our_state = &channel->shared->state[side];
	channel->their_state = &channel->shared->state[!side];
	return channel;

unmap_ours:
	munmap(channel->ours, size);
unmap_shared:
	munmap(shared, SIGMA_CHANNEL_SIZE);
close_fds:
	close_fd(channel->fd);
	close_fd(pair->peer_bell);
	close_fd(pair->bell);
free_both:
	free(pair);
	free(channel);
	close(life);
	return NULL;
}

int iosc_pair(struct iosc *ends[2])
{
	int bells[2], life[2], memory, error, ret = -1;

	memory = memfd_create("iosc", MFD_CLOEXEC);
	bells[0] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	bells[1] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (memory < 0 || bells[0] < 0 || bells[1] < 0 || ftruncate(memory, SIGMA_CHANNEL_SIZE) ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, life))
		goto close_fds;
	ends[0] = make_end(memory, 0, bells, life[0]);
	ends[1] = make_end(memory, 1, bells, life[1]);
	if (ends[0] && ends[1])
		ret = 0;
	else
		iosc_close(ends[0] ? ends[0] : ends[1]);

close_fds:
	/* The ends have descriptors of their own */
	error = errno;
	close_fd(bells[1]);
	close_fd(bells[0]);
	close_fd(memory);
	errno = error;
	return ret;
}
