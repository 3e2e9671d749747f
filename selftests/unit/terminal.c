// SPDX-License-Identifier: GPL-2.0
/*
 * A person's terminal, connected to a guest's console. Both are ptys, whose masters the test has.
 * The connection is a process of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <termios.h>

#include "../../common/output.h"
#include "../../ctl/ctl.h"
#include "tap.h"

#define KEY		"\x1d"
#define PASTE		(20 << 10)
#define AGAIN_MS	300		/* then a key that was taken for a paste is pressed again */

/**
 * struct desk - a person at a console
 * @person: master of the person's terminal, or the write end of a pipe, if stdin is no terminal
 * @screen: what stdout goes to, if it is not the terminal of stdin; or -1
 * @guest: master of the console
 * @console: the console
 * @messages: what was said on stderr
 */
struct desk {
	int person, screen, guest, console, messages;
	pid_t pid;
};

enum stdio { ON_TERMINAL, IN_PIPE, OUT_PIPE };

static void talk_in_child(const struct desk *desk, int stdio, int in, int out, int key)
{
	enum terminal_end end;

	output_open();
	close(desk->guest);
	close(desk->person);
	setsid();
	if (stdio != IN_PIPE)
		ioctl(in, TIOCSCTTY, 0);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(desk->messages, STDERR_FILENO);
	if (desk->screen >= 0)
		close(desk->screen);
	if (in > STDERR_FILENO)
		close(in);
	if (out > STDERR_FILENO && out != in)
		close(out);
	end = terminal_talk("g", desk->console, key, NULL);
	_exit(output_close(end));
}

static void sit_down(struct desk *desk, enum stdio stdio, int key)
{
	int in, out, ends[2];
	struct termios raw;

	*desk = (struct desk){ .screen = -1, .messages = memfd_create("stderr", MFD_CLOEXEC) };
	if (openpty(&desk->guest, &desk->console, NULL, NULL, NULL) ||
	    tcgetattr(desk->console, &raw))
		abort();
	cfmakeraw(&raw);
	tcsetattr(desk->console, TCSANOW, &raw);
	if (openpty(&desk->person, &in, NULL, NULL, NULL))
		abort();
	out = in;
	if (stdio == IN_PIPE) {
		desk->screen = desk->person;
		if (pipe(ends))
			abort();
		in = ends[0];
		desk->person = ends[1];
	} else if (stdio == OUT_PIPE) {
		if (pipe(ends))
			abort();
		desk->screen = ends[0];
		out = ends[1];
	}
	fcntl(desk->console, F_SETFL, O_NONBLOCK);
	fcntl(desk->guest, F_SETFL, O_NONBLOCK);
	fcntl(desk->person, F_SETFL, O_NONBLOCK);
	fflush(stdout);
	desk->pid = fork();
	if (!desk->pid)
		talk_in_child(desk, stdio, in, out, key);
	close(in);
	if (out != in)
		close(out);
	/* Keys before raw mode would be edited as lines */
	for (bool raw_yet = stdio == IN_PIPE; !raw_yet; usleep(1000))
		raw_yet = !tcgetattr(desk->person, &raw) && !(raw.c_lflag & ICANON);
}

static bool ends_within(const struct desk *desk, int ms)
{
	struct pollfd end = { .fd = -1, .events = POLLIN };
	int nr;

	end.fd = pidfd_open(desk->pid, 0);
	nr = poll(&end, 1, ms);
	close(end.fd);
	return nr == 1;
}

/* How it ended, as waitpid() tells it */
static int get_up(struct desk *desk)
{
	int how;

	if (waitpid(desk->pid, &how, 0) != desk->pid)
		abort();
	close(desk->guest);
	close(desk->console);
	close(desk->person);
	close(desk->messages);
	if (desk->screen >= 0)
		close(desk->screen);
	return how;
}

#define EXPECT_END(end, desk) do {					\
	int how = get_up(desk);						\
	EXPECT_TRUE(WIFEXITED(how));					\
	EXPECT_EQ(end, WEXITSTATUS(how));				\
} while (0)

static const char *said(const struct desk *desk)
{
	static char text[4096];
	ssize_t len = pread(desk->messages, text, sizeof(text) - 1, 0);

	text[len > 0 ? len : 0] = '\0';
	return text;
}

/* Wait for a descriptor; a test that waits for ever ends by its alarm */
static void await(int fd, short events)
{
	struct pollfd pollfd = { .fd = fd, .events = events };

	poll(&pollfd, 1, -1);
}

/* A terminal that has been stuffed takes a key only when its reader has taken something out */
static void type(const struct desk *desk, const char *text)
{
	ssize_t n;

	do {
		await(desk->person, POLLOUT);
		n = write(desk->person, text, strlen(text));
	} while (n < 0 && errno == EAGAIN);
	if (n != (ssize_t)strlen(text))
		abort();
}

/* Press the key that leaves, until it did */
static void leave(const struct desk *desk, const char *key)
{
	do
		type(desk, key);
	while (!ends_within(desk, AGAIN_MS));
}

/* Read @len bytes of what arrives at the guest */
static void hear(const struct desk *desk, char *text, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n;

		await(desk->guest, POLLIN);
		n = read(desk->guest, text + done, len - done);
		if (n > 0)
			done += n;
	}
	text[len] = '\0';
}

/* Type all of @text while the guest takes @step bytes at a time; is what it got the same? */
static bool passes(const struct desk *desk, const char *text, size_t len, size_t step)
{
	char *got = calloc(1, len + 1);
	size_t sent = 0, done = 0;
	bool same;

	while (done < len) {
		struct pollfd fds[] = {
			{ .fd = sent < len ? desk->person : -1, .events = POLLOUT },
			{ .fd = desk->guest, .events = POLLIN },
		};
		ssize_t n;

		poll(fds, 2, -1);
		n = fds[0].revents ? write(desk->person, text + sent, len - sent) : 0;
		sent += n > 0 ? n : 0;
		n = fds[1].revents ? read(desk->guest, got + done, len - done < step ?
					  len - done : step) : 0;
		done += n > 0 ? n : 0;
	}
	same = !memcmp(got, text, len);
	free(got);
	return same;
}

/* Each byte of 0 to 255, in an order that repeats late */
static char *all_bytes(size_t len)
{
	char *text = malloc(len);

	for (size_t i = 0; i < len; i++)
		text[i] = i * 7 + i / 256;
	return text;
}

TEST(talks_both_ways)
{
	struct desk desk;
	char text[16];

	sit_down(&desk, ON_TERMINAL, ESCAPE_DEFAULT);
	type(&desk, "uname\r");
	hear(&desk, text, 6);
	EXPECT_STREQ("uname\r", text);
	ASSERT_EQ(5, write(desk.guest, "Linux", 5));
	await(desk.person, POLLIN);
	ASSERT_EQ(5, read(desk.person, text, sizeof(text)));
	EXPECT_EQ(0, memcmp(text, "Linux", 5));
	EXPECT_TRUE(strstr(said(&desk), "Connected to g. Ctrl-] leaves"));
	leave(&desk, KEY);
	EXPECT_END(TERMINAL_LEFT, &desk);
}

TEST(key_leaves)
{
	struct desk desk;
	char text[1];

	sit_down(&desk, ON_TERMINAL, ESCAPE_DEFAULT);
	type(&desk, KEY);
	EXPECT_TRUE(ends_within(&desk, -1));
	EXPECT_EQ(-1, read(desk.guest, text, 1));	/* the guest got nothing */
	EXPECT_TRUE(strstr(said(&desk), "\nDisconnected from g.\n"));
	EXPECT_FALSE(strstr(said(&desk), "lost"));
	EXPECT_END(TERMINAL_LEFT, &desk);
}

/* As a program does that waits for the answer */
TEST(key_leaves_right_after_a_line)
{
	static const char line[] = "echo a line that is longer than what a person types at once\r";
	struct desk desk;
	char text[sizeof(line)];

	sit_down(&desk, ON_TERMINAL, ESCAPE_DEFAULT);
	type(&desk, line);
	hear(&desk, text, strlen(line));
	type(&desk, KEY);
	EXPECT_TRUE(ends_within(&desk, -1));
	EXPECT_END(TERMINAL_LEFT, &desk);
}

/* As a person does for whom it is too slow */
TEST(key_leaves_when_pressed_twice)
{
	struct desk desk;

	sit_down(&desk, ON_TERMINAL, ESCAPE_DEFAULT);
	type(&desk, KEY KEY);
	EXPECT_END(TERMINAL_LEFT, &desk);
}

TEST(pasted_key_goes_to_the_guest)
{
	static const char * const pastes[] = { "ab" KEY "cd", KEY "b", "a" KEY };
	struct desk desk;
	char text[16];

	sit_down(&desk, ON_TERMINAL, ESCAPE_DEFAULT);
	for (size_t i = 0; i < sizeof(pastes) / sizeof(*pastes); i++) {
		type(&desk, pastes[i]);
		hear(&desk, text, strlen(pastes[i]));
		EXPECT_STREQ(pastes[i], text);
	}
	leave(&desk, KEY);
	EXPECT_END(TERMINAL_LEFT, &desk);
}

TEST(another_key_leaves)
{
	struct desk desk;
	char text[2];

	sit_down(&desk, ON_TERMINAL, 'A' - '@');
	type(&desk, KEY);
	hear(&desk, text, 1);
	EXPECT_STREQ(KEY, text);
	EXPECT_TRUE(strstr(said(&desk), "Ctrl-A leaves"));
	leave(&desk, "\x01");
	EXPECT_END(TERMINAL_LEFT, &desk);
}

TEST(no_key_leaves)
{
	struct desk desk;
	char text[2];

	sit_down(&desk, ON_TERMINAL, ESCAPE_NONE);
	type(&desk, KEY);
	hear(&desk, text, 1);
	EXPECT_STREQ(KEY, text);
	type(&desk, "\xff");				/* is ESCAPE_NONE as a char */
	hear(&desk, text, 1);
	EXPECT_STREQ("\xff", text);
	EXPECT_TRUE(strstr(said(&desk), "none leaves"));
	kill(desk.pid, SIGTERM);
	EXPECT_END(TERMINAL_SIGNAL, &desk);
}

TEST(paste_arrives_whole)
{
	char *text = all_bytes(PASTE);
	struct desk desk;

	sit_down(&desk, ON_TERMINAL, ESCAPE_DEFAULT);
	EXPECT_TRUE(passes(&desk, text, PASTE, 16));
	leave(&desk, KEY);
	EXPECT_END(TERMINAL_LEFT, &desk);
	free(text);
}

TEST(pipe_arrives_whole)
{
	char *text = all_bytes(10 * PASTE), byte;
	struct desk desk;

	sit_down(&desk, IN_PIPE, ESCAPE_DEFAULT);
	EXPECT_TRUE(passes(&desk, text, 10 * PASTE, 100));
	/* A key alone is no key, and the end of the input ends it */
	type(&desk, KEY);
	hear(&desk, text, 1);
	EXPECT_EQ(*KEY, text[0]);
	EXPECT_FALSE(ends_within(&desk, 0));
	type(&desk, "the end");
	close(desk.person);
	EXPECT_TRUE(ends_within(&desk, -1));
	hear(&desk, text, 7);
	EXPECT_STREQ("the end", text);
	EXPECT_EQ(-1, read(desk.guest, &byte, 1));
	EXPECT_STREQ("", said(&desk));
	desk.person = -1;
	EXPECT_END(TERMINAL_LEFT, &desk);
	free(text);
}

TEST(guest_that_takes_nothing)
{
	const size_t len = 15 * PASTE;
	char *text = all_bytes(len);
	struct desk desk;

	sit_down(&desk, ON_TERMINAL, ESCAPE_DEFAULT);
	for (size_t sent = 0; sent < len;) {
		ssize_t n;

		await(desk.person, POLLOUT);
		n = write(desk.person, text + sent, len - sent);
		sent += n > 0 ? n : 0;
	}
	leave(&desk, KEY);
	EXPECT_TRUE(strstr(said(&desk), "bytes of your input, and they are lost"));
	EXPECT_END(TERMINAL_LEFT, &desk);
	free(text);
}

TEST(size_follows_without_a_key)
{
	const struct winsize sizes[] = { { .ws_row = 43, .ws_col = 132 },
					 { .ws_row = 24, .ws_col = 80 } };
	struct desk desk;
	char name[64], events[4096];
	int inotify = inotify_init1(IN_CLOEXEC);

	sit_down(&desk, ON_TERMINAL, ESCAPE_DEFAULT);
	ASSERT_TRUE(inotify >= 0 && !ttyname_r(desk.console, name, sizeof(name)));
	ASSERT_TRUE(inotify_add_watch(inotify, name, IN_ATTRIB) >= 0);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct winsize size = {};

		ASSERT_EQ(0, ioctl(desk.person, TIOCSWINSZ, &sizes[i]));
		/* Once the console was touched it has the size, as sigmad expects */
		while (size.ws_row != sizes[i].ws_row) {
			ASSERT_TRUE(read(inotify, events, sizeof(events)) > 0);
			ASSERT_EQ(0, ioctl(desk.guest, TIOCGWINSZ, &size));
		}
		EXPECT_EQ(sizes[i].ws_col, size.ws_col);
	}
	close(inotify);
	leave(&desk, KEY);
	EXPECT_END(TERMINAL_LEFT, &desk);
}

TEST(guest_ends)
{
	struct desk desk;

	sit_down(&desk, ON_TERMINAL, ESCAPE_DEFAULT);
	close(desk.guest);
	EXPECT_TRUE(ends_within(&desk, -1));
	desk.guest = -1;
	EXPECT_END(TERMINAL_GUEST_ENDED, &desk);
}

TEST(reader_ends)
{
	struct desk desk;

	sit_down(&desk, OUT_PIPE, ESCAPE_DEFAULT);
	close(desk.screen);			/* while the guest says nothing */
	desk.screen = -1;
	EXPECT_TRUE(ends_within(&desk, -1));
	EXPECT_FALSE(strstr(said(&desk), "cannot write"));
	EXPECT_END(TERMINAL_OUTPUT_ENDED, &desk);
}

TEST_HARNESS_MAIN
