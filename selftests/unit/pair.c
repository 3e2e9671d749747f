// SPDX-License-Identifier: GPL-2.0
/* Messages over iosc_pair(): libiosc's rings without a device, how both ends sleep, and their end. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "../../lib/iosc.h"
#include "tap.h"

#define LONG	8000

static struct iosc *ends[2];
static char message[IOSC_MESSAGE_MAX];

static void end(void)
{
	iosc_close(ends[0]);
	iosc_close(ends[1]);
}

/* Return: what poll(2) says at once */
static int polled(struct iosc *channel)
{
	struct pollfd pollfd = { .fd = iosc_fd(channel), .events = POLLIN };

	poll(&pollfd, 1, 0);
	return pollfd.revents;
}

TEST(messages_in_both_directions)
{
	ASSERT_TRUE(!iosc_pair(ends));
	for (unsigned int i = 0; i < 100; i++) {
		EXPECT_EQ(0, iosc_send(ends[i % 2], "hello", 5, 0));
		EXPECT_EQ(5, iosc_recv(ends[!(i % 2)], message, sizeof(message), 0));
		EXPECT_TRUE(!memcmp(message, "hello", 5));
	}
	EXPECT_EQ(-1, iosc_recv(ends[0], message, sizeof(message), IOSC_DONTWAIT));
	EXPECT_EQ(EAGAIN, errno);
	end();
}

TEST(the_descriptor_shows_messages)
{
	ASSERT_TRUE(!iosc_pair(ends));
	iosc_recv(ends[1], message, sizeof(message), IOSC_DONTWAIT);
	EXPECT_EQ(0, polled(ends[1]));
	EXPECT_EQ(0, iosc_send(ends[0], "a", 1, 0));
	EXPECT_EQ(0, iosc_send(ends[0], "b", 1, 0));
	EXPECT_EQ(POLLIN, polled(ends[1]));
	EXPECT_EQ(1, iosc_recv(ends[1], message, sizeof(message), 0));
	EXPECT_EQ(POLLIN, polled(ends[1]));
	EXPECT_EQ(1, iosc_recv(ends[1], message, sizeof(message), 0));
	EXPECT_EQ(-1, iosc_recv(ends[1], message, sizeof(message), IOSC_DONTWAIT));
	EXPECT_EQ(0, polled(ends[1]));
	end();
}

static void *read_all(void *count)
{
	for (long i = 0; i < (long)count; i++)
		EXPECT_EQ(LONG, iosc_recv(ends[1], message, sizeof(message), 0));
	return NULL;
}

TEST(a_writer_waits_for_room)
{
	static const char data[LONG];
	pthread_t reader;
	long sent = 0;

	ASSERT_TRUE(!iosc_pair(ends));
	while (!iosc_send(ends[0], data, LONG, IOSC_DONTWAIT))
		sent++;
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_TRUE(sent > 2);
	ASSERT_TRUE(!pthread_create(&reader, NULL, read_all, (void *)(sent + 50)));
	for (unsigned int i = 0; i < 50; i++)
		EXPECT_EQ(0, iosc_send(ends[0], data, LONG, 0));
	pthread_join(reader, NULL);
	end();
}

TEST(waiting_has_an_end)
{
	static const struct timespec soon = { .tv_nsec = 1000000 };

	ASSERT_TRUE(!iosc_pair(ends));
	EXPECT_EQ(POLLOUT, iosc_wait(ends[0], POLLIN | POLLOUT, &soon));
	for (unsigned int spin = 0; spin < 3; spin++) {
		static const unsigned int spins[] = { 0, 100, IOSC_SPIN_FOREVER };

		iosc_set_spin(ends[0], spins[spin]);
		while (iosc_wait(ends[0], POLLIN, &soon))
			;	/* it may return too early, once */
		EXPECT_EQ(0, iosc_send(ends[1], "a", 1, 0));
		EXPECT_EQ(POLLIN, iosc_wait(ends[0], POLLIN, NULL));
		EXPECT_EQ(1, iosc_recv(ends[0], message, sizeof(message), 0));
		EXPECT_EQ(-1, iosc_recv(ends[0], message, sizeof(message), IOSC_DONTWAIT));
	}
	end();
}

TEST(what_was_sent_is_received_after_the_end)
{
	ASSERT_TRUE(!iosc_pair(ends));
	EXPECT_EQ(0, iosc_send(ends[0], "last", 4, 0));
	iosc_close(ends[0]);
	EXPECT_EQ(POLLIN, iosc_wait(ends[1], POLLIN, NULL));
	EXPECT_EQ(4, iosc_recv(ends[1], message, sizeof(message), 0));
	EXPECT_EQ(POLLIN, iosc_wait(ends[1], POLLIN, NULL));
	EXPECT_EQ(-1, iosc_recv(ends[1], message, sizeof(message), 0));
	EXPECT_EQ(EPIPE, errno);
	EXPECT_EQ(-1, iosc_send(ends[1], "a", 1, 0));
	EXPECT_EQ(EPIPE, errno);
	iosc_close(ends[1]);
}

TEST(a_process_that_dies)
{
	pid_t child;

	ASSERT_TRUE(!iosc_pair(ends));
	child = fork();
	if (!child) {
		iosc_close(ends[1]);
		iosc_send(ends[0], "hello", 5, 0);
		pause();
	}
	iosc_close(ends[0]);
	EXPECT_EQ(5, iosc_recv(ends[1], message, sizeof(message), 0));
	kill(child, SIGKILL);
	EXPECT_EQ(-1, iosc_recv(ends[1], message, sizeof(message), 0));
	EXPECT_EQ(EPIPE, errno);
	waitpid(child, NULL, 0);
	iosc_close(ends[1]);
}

TEST_HARNESS_MAIN
