// SPDX-License-Identifier: GPL-2.0
/* Reports to a sigmactl that reads none of them: sigmad goes on, and what counts is not lost. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/gueststate.h"
#include "../../daemon/notify.h"
#include "tap.h"

#define MANY	100

static struct sockaddr_un addr = { .sun_family = AF_UNIX };
static struct observers observers;
static char text[4096];		/* the reports, one after the other */

static int listen_here(bool service)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "/tmp/sigma-notify-%d", getpid());
	unlink(addr.sun_path);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)))
		return -1;
	setenv("NOTIFY_SOCKET", addr.sun_path, 1);
	observers = (struct observers){};
	notify_observe(&observers, service);
	return fd;
}

static void read_all(int fd)
{
	size_t at = 0;
	ssize_t len;

	while ((len = recv(fd, text + at, sizeof(text) - 2 - at, MSG_DONTWAIT)) > 0) {
		at += len;
		text[at++] = '\n';
	}
	text[at] = '\0';
}

TEST(nobody_reads)
{
	int fd = listen_here(false);

	ASSERT_TRUE(fd >= 0);
	for (unsigned int i = 0; i < MANY; i++)
		observers_progress(&observers, "Step %u.", i);
	observers_ready(&observers);
	for (unsigned int i = 0; i < MANY; i++)
		observers_state(&observers, i % 2 ? SIGMA_STATE_RUNNING : SIGMA_STATE_UNRESPONSIVE);
	observers_state(&observers, SIGMA_STATE_PANICKED);
	observers_ending(&observers);
	for (unsigned int i = 0; i < MANY; i++)
		observers_ready(&observers);
	read_all(fd);
	EXPECT_TRUE(strstr(text, "STATUS=Step 0.\n"));
	EXPECT_TRUE(strstr(text, "\nREADY=1\n"));
	EXPECT_TRUE(strstr(text, GUEST_STATE_VARIABLE "panicked\nSTOPPING=1\n"));
	close(fd);
	unlink(addr.sun_path);
}

/* Other programs have filled the socket, and the reader is slow */
TEST(no_room_for_a_while)
{
	int fd = listen_here(false), other = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0), how;
	pid_t reader;

	ASSERT_TRUE(fd >= 0 && other >= 0);
	while (sendto(other, "READY=0", 7, 0, (struct sockaddr *)&addr, sizeof(addr)) > 0)
		;
	ASSERT_EQ(EAGAIN, errno);
	reader = fork();
	if (!reader) {
		for (*text = '\0'; !strstr(text, "READY=1\n"); read_all(fd))
			usleep(200000);
		_exit(0);
	}
	observers_ready(&observers);
	EXPECT_EQ(reader, waitpid(reader, &how, 0));
	EXPECT_EQ(0, how);
	close(other);
	close(fd);
	unlink(addr.sun_path);
}

TEST(nobody_is_there_any_more)
{
	int fd = listen_here(false);

	ASSERT_TRUE(fd >= 0);
	close(fd);
	for (unsigned int i = 0; i < MANY; i++)
		observers_ready(&observers);
	unlink(addr.sun_path);
}

TEST(systemd_gets_all)
{
	int fd = listen_here(true);

	ASSERT_TRUE(fd >= 0);
	for (unsigned int i = 0; i < MANY; i++) {
		observers_state(&observers, SIGMA_STATE_RUNNING);
		read_all(fd);
		EXPECT_STREQ("STATUS=Guest is running.\n" GUEST_STATE_VARIABLE "running\n", text);
	}
	close(fd);
	unlink(addr.sun_path);
}

TEST_HARNESS_MAIN
