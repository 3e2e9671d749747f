// SPDX-License-Identifier: GPL-2.0
/*
 * sigmactl, and an agent that does not what a good one does: it says what it must not, hangs, or goes
 * on without end. This program is that agent.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "../../common/output.h"
#include "../../ctl/agent.h"
#include "stream.h"
#include "tap.h"

#define TIMED_OUT	124
#define START_USEC	3000000		/* a good agent starts a program within that */
#define KEY_LEAVE	(']' & 0x1f)
#define MUCH		(100 << 10)	/* more than a pipe takes */
#define FLOOD		(4 << 20)
#define FLOOD_FRAMES	4096
#define SIGNALS_TRIES	600
#define SIGNALS_USEC	50000
#define FLOOD_MS	2000		/* nobody takes it any more */

/* sigmactl, and the agent's end of the connection */
struct client {
	pid_t pid;
	int agent;
};

static const struct agent_program simple = { .argv = (char *[]){ "true", NULL }, .umask = -1 };

static bool begin(struct client *client, const struct agent_program *program, const int streams[3])
{
	struct agent_end end;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return false;
	fflush(stdout);
	client->agent = pair[0];
	client->pid = fork();
	if (!client->pid) {
		for (int i = STDIN_FILENO; i <= STDERR_FILENO; i++)
			dup2(streams[i], i);
		for (int fd = STDERR_FILENO + 1; fd < 64; fd++)
			if (fd != pair[1])
				close(fd);
		agent_run("g", pair[1], program, &end);
		_exit(output_close(end.timed_out ? TIMED_OUT : agent_exit(&end)));
	}
	close(pair[1]);
	return client->pid > 0;
}

static void say(const struct client *client, enum agent_type type, enum agent_stream stream,
		const void *payload, uint32_t size)
{
	const struct agent_header header = {
		.size = htole32(size), .type = htole16(type), .stream = htole16(stream),
	};

	EXPECT_EQ((ssize_t)sizeof(header), write(client->agent, &header, sizeof(header)));
	if (size)
		EXPECT_EQ((ssize_t)size, write(client->agent, payload, size));
}

static void say_started(const struct client *client)
{
	const uint32_t pid = htole32(1);

	say(client, AGENT_STARTED, 0, &pid, sizeof(pid));
}

static void say_exited(const struct client *client, unsigned int status, unsigned int number)
{
	const struct agent_exited exited = {
		.status = htole32(status), .signal = htole32(number),
	};

	say(client, AGENT_EXITED, 0, &exited, sizeof(exited));
}

/* As a shell says it */
static int end(struct client *client)
{
	int how;

	waitpid(client->pid, &how, 0);
	close(client->agent);
	return WIFSIGNALED(how) ? 128 + WTERMSIG(how) : WEXITSTATUS(how);
}

/* Take frames up to one of this type: its 32 bits, 0 if it has none, UINT32_MAX if none came */
static uint32_t hear(const struct client *client, enum agent_type wanted)
{
	static uint8_t payload[AGENT_PAYLOAD_MAX];
	struct agent_header header;
	uint32_t value;

	while (recv(client->agent, &header, sizeof(header), MSG_WAITALL) == sizeof(header)) {
		const uint32_t size = le32toh(header.size);

		if (size && recv(client->agent, payload, size, MSG_WAITALL) != size)
			break;
		if (le16toh(header.type) != wanted)
			continue;
		memcpy(&value, payload, sizeof(value));
		return size == sizeof(value) ? le32toh(value) : 0;
	}
	return UINT32_MAX;
}

static int null_device(void)
{
	return open("/dev/null", O_RDWR | O_CLOEXEC);
}

TEST(signal_before_the_start)
{
	const int null = null_device(), streams[] = { null, null, null };
	struct client client;

	ASSERT_TRUE(begin(&client, &simple, streams));
	EXPECT_EQ(0, hear(&client, AGENT_START));
	kill(client.pid, SIGTERM);
	EXPECT_EQ(128 + SIGTERM, end(&client));
	close(null);
}

TEST(time_is_over_in_a_guest_that_hangs)
{
	const int null = null_device(), streams[] = { null, null, null };
	struct agent_program program = simple;
	struct client client;

	program.timeout = START_USEC;
	program.grace = 1000;
	ASSERT_TRUE(begin(&client, &program, streams));
	say_started(&client);
	EXPECT_EQ(SIGTERM, hear(&client, AGENT_SIGNAL));
	EXPECT_EQ(SIGCONT, hear(&client, AGENT_SIGNAL));
	EXPECT_EQ(SIGKILL, hear(&client, AGENT_SIGNAL));
	EXPECT_EQ(TIMED_OUT, end(&client));
	program.timeout = 1000;
	ASSERT_TRUE(begin(&client, &program, streams));
	EXPECT_EQ(TIMED_OUT, end(&client));
	close(null);
}

TEST(keys_that_the_guest_refuses)
{
	const uint8_t leave[] = { KEY_LEAVE, KEY_LEAVE, KEY_LEAVE };
	struct termios mode;
	struct client client;
	int master, slave;

	ASSERT_EQ(0, openpty(&master, &slave, NULL, NULL, NULL));
	ASSERT_TRUE(begin(&client, &simple, (const int[]){ slave, slave, slave }));
	say_started(&client);
	say(&client, AGENT_SHUT, AGENT_TTY, NULL, 0);
	say(&client, AGENT_DATA, AGENT_TTY, "heard", 5);
	EXPECT_TRUE(strstr(stream_read(master, "heard"), "heard"));
	EXPECT_EQ((ssize_t)sizeof(leave), write(master, leave, sizeof(leave)));
	EXPECT_TRUE(strstr(stream_read(master, "Ctrl-]"), "g: left by Ctrl-]"));
	EXPECT_EQ(125, end(&client));
	EXPECT_EQ(0, tcgetattr(slave, &mode));
	EXPECT_TRUE(mode.c_lflag & ECHO);
	close(master);
	close(slave);
}

/* sigmactl, whose stdout is this one, of a program that writes and ends */
static int ends_with(int out, unsigned int status, unsigned int number, const char **said)
{
	const int null = null_device();
	struct client client;
	int messages[2];

	if (pipe2(messages, O_CLOEXEC) ||
	    !begin(&client, &simple, (const int[]){ null, out, messages[1] }))
		return -1;
	close(messages[1]);
	close(null);
	say_started(&client);
	say(&client, AGENT_DATA, AGENT_STDOUT, "x", 1);
	EXPECT_EQ(0, hear(&client, AGENT_SHUT));
	say_exited(&client, status, number);
	*said = stream_read(messages[0], NULL);
	close(messages[0]);
	return end(&client);
}

TEST(output_that_cannot_be_written)
{
	const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	const char *said;
	int unread[2];

	EXPECT_EQ(125, ends_with(full, 0, SIGPIPE, &said));
	EXPECT_TRUE(strstr(said, "cannot write to standard output: No space left on device"));
	EXPECT_EQ(125, ends_with(full, 0, 0, &said));
	EXPECT_EQ(3, ends_with(full, 3, 0, &said));
	EXPECT_TRUE(strstr(said, "No space left on device"));
	close(full);
	ASSERT_EQ(0, pipe2(unread, O_CLOEXEC));
	close(unread[0]);
	EXPECT_EQ(128 + SIGPIPE, ends_with(unread[1], 0, SIGPIPE, &said));
	EXPECT_STREQ("", said);
	close(unread[1]);
}

/* Send what means nothing until nobody takes it any more: the number of bytes */
static size_t flood(const struct client *client)
{
	static struct {
		struct agent_header header;
		uint32_t credit;
	} frames[FLOOD_FRAMES];
	struct pollfd pollfd = { .fd = client->agent, .events = POLLOUT };
	size_t sent = 0, at;
	ssize_t len;

	for (size_t i = 0; i < FLOOD_FRAMES; i++) {
		frames[i].header.size = htole32(sizeof(frames[i].credit));
		frames[i].header.type = htole16(AGENT_CREDIT);
	}
	while (sent < FLOOD && poll(&pollfd, 1, FLOOD_MS) > 0) {
		at = sent % sizeof(frames);
		len = send(client->agent, (const char *)frames + at, sizeof(frames) - at,
			   MSG_DONTWAIT | MSG_NOSIGNAL);
		if (len <= 0)
			break;
		sent += len;
	}
	return sent;
}

/* What it sent before is written, and no more is taken from it */
TEST(goes_on_after_the_end)
{
	static uint8_t data[MUCH];
	const int null = null_device();
	struct client client;
	size_t got = 0;
	int out[2];
	ssize_t len;

	ASSERT_EQ(0, pipe2(out, O_CLOEXEC));
	ASSERT_TRUE(begin(&client, &simple, (const int[]){ null, out[1], null }));
	close(out[1]);
	say_started(&client);
	say(&client, AGENT_DATA, AGENT_STDOUT, data, sizeof(data));
	say_exited(&client, 5, 0);
	EXPECT_TRUE(flood(&client) < FLOOD);
	while ((len = read(out[0], data, sizeof(data))) > 0)
		got += len;
	EXPECT_EQ(sizeof(data), got);
	EXPECT_EQ(5, end(&client));
	close(out[0]);
	close(null);
}

/* sigmactl, whose output nobody takes, of a program that has exited. @out: its stdout, both ends */
static bool begin_unread(struct client *client, int out[2])
{
	static const uint8_t data[MUCH];
	const int null = null_device();
	struct pollfd closed = { .events = 0 };
	int in[2];

	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) ||
	    !begin(client, &simple, (const int[]){ in[0], out[1], null }))
		return false;
	close(in[0]);
	close(null);
	say_started(client);
	say(client, AGENT_DATA, AGENT_STDOUT, data, sizeof(data));
	say_exited(client, 5, 0);
	/* It reads no more for a program that has exited */
	closed.fd = in[1];
	poll(&closed, 1, -1);
	close(in[1]);
	return closed.revents & POLLERR;
}

TEST(signal_while_nobody_takes_the_output)
{
	static uint8_t data[MUCH];
	struct client client;
	ssize_t len, got = 0;
	int out[2], how;

	ASSERT_TRUE(begin_unread(&client, out));
	kill(client.pid, SIGTERM);
	EXPECT_EQ(128 + SIGTERM, end(&client));
	close(out[0]);
	close(out[1]);

	/* It stops and goes on, and then all of the output is there */
	ASSERT_TRUE(begin_unread(&client, out));
	close(out[1]);
	kill(client.pid, SIGWINCH);
	kill(client.pid, SIGTSTP);
	ASSERT_EQ(client.pid, waitpid(client.pid, &how, WUNTRACED));
	EXPECT_TRUE(WIFSTOPPED(how));
	kill(client.pid, SIGCONT);
	while ((len = read(out[0], data, sizeof(data))) > 0)
		got += len;
	EXPECT_EQ((ssize_t)sizeof(data), got);
	EXPECT_EQ(5, end(&client));
	close(out[0]);
}

static bool makes_signals(int terminal)
{
	struct termios mode;

	for (unsigned int i = 0; i < SIGNALS_TRIES; i++) {
		if (!tcgetattr(terminal, &mode) && mode.c_lflag & ISIG && !(mode.c_lflag & ECHO))
			return true;
		usleep(SIGNALS_USEC);
	}
	return false;
}

/* Its keys are for this process then. Its output stays as the program wrote it */
TEST(keys_while_a_terminal_takes_no_output)
{
	static const uint8_t data[MUCH];
	struct client client;
	struct termios mode;
	int master, slave;

	ASSERT_EQ(0, openpty(&master, &slave, NULL, NULL, NULL));
	ASSERT_TRUE(begin(&client, &simple, (const int[]){ slave, slave, slave }));
	say_started(&client);
	say(&client, AGENT_DATA, AGENT_TTY, data, sizeof(data));
	say_exited(&client, 0, 0);
	EXPECT_TRUE(makes_signals(slave));
	EXPECT_EQ(0, tcgetattr(slave, &mode));
	EXPECT_FALSE(mode.c_oflag & OPOST);
	kill(client.pid, SIGINT);
	EXPECT_EQ(128 + SIGINT, end(&client));
	EXPECT_EQ(0, tcgetattr(slave, &mode));
	EXPECT_TRUE(mode.c_lflag & ECHO);
	close(master);
	close(slave);
}

/* What an agent that is none may say: the bytes of frames. The exit status of sigmactl */
static int hear_from(const void *bytes, size_t size)
{
	const int null = null_device(), streams[] = { null, null, null };
	struct client client;

	if (!begin(&client, &simple, streams) || write(client.agent, bytes, size) != (ssize_t)size)
		return -1;
	shutdown(client.agent, SHUT_WR);
	close(null);
	return end(&client);
}

#define HEADER(type, size)	(size), 0, 0, 0, (type), 0, 0, 0
#define STARTED			HEADER(AGENT_STARTED, 4), 1, 0, 0, 0
#define SAYS(...)		hear_from((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

TEST(hostile_agent)
{
	EXPECT_EQ(3, SAYS(STARTED, HEADER(AGENT_EXITED, 8), 3, 0, 0, 0, 0, 0, 0, 0));
	/* Not started, a wrong size, wrong numbers, unknown frames */
	EXPECT_EQ(125, SAYS(HEADER(AGENT_EXITED, 8), 0, 0, 0, 0, 0, 0, 0, 0));
	EXPECT_EQ(125, SAYS(STARTED, HEADER(AGENT_EXITED, 4), 0, 0, 0, 0));
	EXPECT_EQ(125, SAYS(STARTED, HEADER(AGENT_EXITED, 8), 0, 1, 0, 0, 0, 0, 0, 0));
	EXPECT_EQ(125, SAYS(STARTED, HEADER(AGENT_EXITED, 8), 0, 0, 0, 0, 65, 0, 0, 0));
	EXPECT_EQ(125, SAYS(STARTED, STARTED));
	EXPECT_EQ(125, SAYS(STARTED, HEADER(AGENT_STOPPED, 4), SIGKILL, 0, 0, 0));
	EXPECT_EQ(125, SAYS(HEADER(AGENT_FAILED, 4), 0, 0, 0, 0));
	EXPECT_EQ(126, SAYS(HEADER(AGENT_FAILED, 6), 126, 0, 0, 0, 0x1b, 0));
	EXPECT_EQ(125, SAYS(HEADER(AGENT_START, 0)));
	EXPECT_EQ(125, SAYS(HEADER(AGENT_DATA, 1), 'a'));
	EXPECT_EQ(125, SAYS(STARTED));
	EXPECT_EQ(125, SAYS(0xff, 0xff, 0xff, 0xff, AGENT_STARTED, 0, 0, 0));
}

TEST_HARNESS_MAIN
