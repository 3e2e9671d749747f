// SPDX-License-Identifier: GPL-2.0
/*
 * The programs at both ends of a channel, for channels.sh. Each opens PATH once:
 *
 *	echo PATH WAY		send back all messages, until the session is over
 *	drive PATH WAY		the other end of an echo: send messages of all lengths, several in
 *				flight, and check that they come back in order and whole
 *	listen PATH WAY		print the messages, and at last the error that ends them
 *	fill PATH		write without blocking until the ring is full, and print the number
 *				of messages; write one more with blocking, and print that
 *	hold PATH		read nothing until SIGUSR1, then read all, and print their number
 *	scribble PATH WHAT	send "hello", then write to the own block what no program may
 *
 * WAY is the interface: "calls" is read(2) and write(2), "poll" the same with poll(2), "copy" is
 * libiosc's send and recv, "ring" its zero-copy calls, "spin" these without ever sleeping.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../kmod/uapi/channel.h"
#include "../../lib/iosc.h"

#define UNDER_WAY	3	/* drive's messages in flight; they must fit into both rings */
#define STEP		97	/* from one message's length to the next */

enum way { CALLS, POLL, COPY, RING, SPIN, WAYS };

static const char *const ways[WAYS] = { "calls", "poll", "copy", "ring", "spin" };

struct end {
	enum way way;
	struct iosc *channel;
	int fd;
};

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerrorname_np(errno));
	exit(EXIT_FAILURE);
}

static void expect(int error, ssize_t returned, const char *what)
{
	if (returned >= 0 || errno != error)
		die(what);
}

static struct end open_end(const char *path, const char *way)
{
	struct end end = {};

	while (end.way < WAYS && strcmp(way, ways[end.way]))
		end.way++;
	if (end.way == WAYS) {
		errno = EINVAL;
		die(way);
	}
	if (end.way == CALLS || end.way == POLL) {
		end.fd = open(path, O_RDWR | (end.way == POLL ? O_NONBLOCK : 0));
	} else {
		end.channel = iosc_open_path(path);
		end.fd = end.channel ? iosc_fd(end.channel) : -1;
	}
	if (end.fd < 0)
		die(path);
	if (end.way == SPIN)
		iosc_set_spin(end.channel, IOSC_SPIN_FOREVER);
	return end;
}

static void wait_for(int fd, short events)
{
	struct pollfd pollfd = { .fd = fd, .events = events };

	if (poll(&pollfd, 1, -1) < 0)
		die("poll");
}

static ssize_t take(struct end *end, void *buffer)
{
	const void *message;
	ssize_t length;

	switch (end->way) {
	case POLL:
		wait_for(end->fd, POLLIN);
		/* fall through */
	case CALLS:
		return read(end->fd, buffer, IOSC_MESSAGE_MAX);
	case COPY:
		return iosc_recv(end->channel, buffer, IOSC_MESSAGE_MAX, 0);
	default:
		length = iosc_peek(end->channel, &message, 0);
		if (length > 0) {
			memcpy(buffer, message, length);
			iosc_release(end->channel);
		}
		return length;
	}
}

static int put(struct end *end, const void *message, size_t length)
{
	void *room;

	switch (end->way) {
	case POLL:
		wait_for(end->fd, POLLOUT);
		/* fall through */
	case CALLS:
		return write(end->fd, message, length) == (ssize_t)length ? 0 : -1;
	case COPY:
		return iosc_send(end->channel, message, length, 0);
	default:
		/* Reserves more than the message needs */
		room = iosc_reserve(end->channel, IOSC_MESSAGE_MAX, 0);
		if (!room)
			return -1;
		memcpy(room, message, length);
		return iosc_commit(end->channel, length);
	}
}

static int echo(struct end *end)
{
	uint8_t message[IOSC_MESSAGE_MAX];
	ssize_t length;

	while ((length = take(end, message)) > 0)
		if (put(end, message, length))
			break;
	if (errno != EPIPE)
		die("echo");
	return 0;
}

static void fill_in(uint8_t *message, unsigned int length, unsigned int number)
{
	uint32_t word = number * 2654435761U + length;

	for (unsigned int i = 0; i < length; i++, word = word * 1664525 + 1013904223)
		message[i] = word >> 24;
}

static unsigned int length_of(unsigned int number)
{
	unsigned int last = IOSC_MESSAGE_MAX - 1;

	return number * STEP > last ? last + 1 : number * STEP + 1;
}

static int drive(struct end *end)
{
	unsigned int nr = IOSC_MESSAGE_MAX / STEP + 1, sent = 0;
	uint8_t message[IOSC_MESSAGE_MAX], expected[IOSC_MESSAGE_MAX];

	for (unsigned int seen = 0; seen < nr; seen++) {
		ssize_t length;

		/* poll(2) waits for room for a message of any length. With several in flight both
		 * sides could wait for room, so POLL has one.
		 */
		while (sent < nr && sent < seen + (end->way == POLL ? 1 : UNDER_WAY)) {
			fill_in(message, length_of(sent), sent);
			if (put(end, message, length_of(sent)))
				die("send");
			sent++;
		}
		length = take(end, message);
		if (length < 0)
			die("receive");
		fill_in(expected, length_of(seen), seen);
		if (length != length_of(seen) || memcmp(message, expected, length)) {
			fprintf(stderr, "message %u: %zd bytes for %u, or others\n", seen, length,
				length_of(seen));
			return 1;
		}
	}
	printf("%u messages\n", nr);
	return 0;
}

static int listen_to(struct end *end)
{
	char message[IOSC_MESSAGE_MAX];
	ssize_t length;

	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("open");
	while ((length = take(end, message)) > 0)
		printf("%.*s\n", (int)length, message);
	puts(length ? strerrorname_np(errno) : "0");
	return 0;
}

static int fill(int fd)
{
	static const char message[100], too_long[IOSC_MESSAGE_MAX + 1];
	struct pollfd pollfd = { .fd = fd, .events = POLLOUT };
	unsigned int nr = 0;

	/* The other end has opened the channel when there is room */
	if (poll(&pollfd, 1, -1) < 0)
		die("poll");
	expect(EINVAL, write(fd, message, 0), "a message of 0 bytes");
	expect(EMSGSIZE, write(fd, too_long, sizeof(too_long)), "one too long");
	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (write(fd, message, sizeof(message)) > 0)
		nr++;
	if (errno != EAGAIN || poll(&pollfd, 1, 0))
		die("full");
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("%u\n", nr);
	fcntl(fd, F_SETFL, 0);
	if (write(fd, message, sizeof(message)) < 0)
		die("write");
	puts("one more");
	return 0;
}

static int hold(int fd)
{
	char message[IOSC_MESSAGE_MAX];
	unsigned int nr = 0;
	sigset_t set;
	int signal;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigwait(&set, &signal);
	expect(EMSGSIZE, read(fd, message, 1), "a buffer too small");
	while (read(fd, message, sizeof(message)) > 0)
		nr++;
	printf("%u %s\n", nr, strerrorname_np(errno));
	return 0;
}

static struct sigma_channel_block *map_block(int fd)
{
	size_t size = sizeof(struct sigma_channel_block);

	for (unsigned int side = 0; side < 2; side++) {
		void *block = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
				   offsetof(struct sigma_channel, block) + side * size);

		if (block != MAP_FAILED)
			return block;
		if (errno != EPERM)
			break;
	}
	die("mmap");
}

/* A program can write to its own block only */
static void check_rights(int fd)
{
	void *all = mmap(NULL, SIGMA_CHANNEL_SIZE, PROT_READ, MAP_SHARED, fd, 0);

	if (all == MAP_FAILED)
		die("mmap");
	if (!mprotect(all, SIGMA_CHANNEL_SIZE, PROT_READ | PROT_WRITE))
		die("mprotect succeeds");
	if (mmap(NULL, SIGMA_CHANNEL_SIZE, PROT_WRITE, MAP_SHARED, fd, 0) != MAP_FAILED ||
	    mmap(NULL, 2 * SIGMA_CHANNEL_SIZE, PROT_READ, MAP_SHARED, fd, 0) != MAP_FAILED ||
	    mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, SIGMA_CHANNEL_SIZE) != MAP_FAILED)
		die("mmap succeeds");
}

static int scribble(int fd, const char *what)
{
	struct sigma_channel_block *block = map_block(fd);
	struct pollfd joined = { .fd = fd, .events = POLLOUT };
	struct sigma_record_header *next;

	check_rights(fd);
	/* Before "hello": the answer to it looks at the index */
	if (!strcmp(what, "consumed")) {
		if (poll(&joined, 1, -1) < 0)
			die("poll");
		block->consumed += 2 * SIGMA_CHANNEL_RING;
	}
	if (write(fd, "hello", 5) != 5)
		die("write");
	next = (void *)(block->data + block->produced % SIGMA_CHANNEL_RING);
	if (!strcmp(what, "produced")) {
		block->produced += 2 * SIGMA_CHANNEL_RING;
	} else if (strcmp(what, "consumed")) {
		next->length = !strcmp(what, "long") ? SIGMA_CHANNEL_MSG_MAX + 1 :
			       !strcmp(what, "pad") ? SIGMA_RECORD_PAD : 1000;
		block->produced += 16;
	}
	ioctl(fd, SIGMA_CHANNEL_KICK);
	pause();
	return 0;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 2 ? argv[1] : "", *path = argv[2];
	const char *word = argc > 3 ? argv[3] : "calls";
	struct end end;

	end = open_end(path, strcmp(verb, "scribble") ? word : "calls");
	if (!strcmp(verb, "echo"))
		return echo(&end);
	if (!strcmp(verb, "drive"))
		return drive(&end);
	if (!strcmp(verb, "listen"))
		return listen_to(&end);
	if (!strcmp(verb, "fill"))
		return fill(end.fd);
	if (!strcmp(verb, "hold"))
		return hold(end.fd);
	if (!strcmp(verb, "scribble"))
		return scribble(end.fd, word);
	fputs("usage: channels VERB PATH [WAY|WHAT]\n", stderr);
	return 2;
}
