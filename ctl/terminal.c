// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's console, hvc0. sigmad has the master of a pty. This file puts the person's terminal
 * into raw mode and connects it to the slave. A key, a signal or the guest's end may end that, and
 * each of them passes the one place that restores the terminal.
 *
 * No input is lost: what the guest has not taken yet waits in a buffer. A guest that takes none
 * must not keep the person from leaving. So only ppoll() waits, a terminal is read whether or not
 * the guest keeps up, and its buffer grows. Other input is read when the guest has taken the last
 * piece.
 *
 * The key that leaves may also be a byte of what is pasted. A person presses it alone, so a key is
 * what one read() returns without anything else, if nothing follows for PASTE_USEC. What came before
 * does not count: a program that types a line and sees the answer may press the key at once. Input
 * that is no terminal has no keys at all.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "../common/output.h"
#include "ctl.h"

#define PIECE		4096		/* bytes that are read at once */
#define BUFFER_MAX	(16 << 20)	/* bytes that a guest may be behind with its input */
#define KEYS_MAX	16		/* bytes that a person types at once; more is a paste */
#define PASTE_USEC	50000		/* the pieces of a paste follow each other sooner */

static volatile sig_atomic_t got_end, got_resize;

static void on_signal(int number)
{
	if (number == SIGWINCH)
		got_resize = 1;
	else
		got_end = 1;
}

/* Signals are blocked except while ppoll() waits, so that none is missed just before it */
static void catch_signals(sigset_t *waiting)
{
	static const int numbers[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGWINCH };
	const struct sigaction action = { .sa_handler = on_signal };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		sigaddset(&set, numbers[i]);
		sigaction(numbers[i], &action, NULL);
	}
	signal(SIGPIPE, SIG_IGN);	/* the write fails, too */
	sigprocmask(SIG_BLOCK, &set, waiting);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		sigdelset(waiting, numbers[i]);
}

static void copy_size(int console)
{
	struct winsize size;

	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) || ioctl(console, TIOCSWINSZ, &size))
		return;
	/* sigmad has the pty's master, which the kernel does not tell, and watches for this */
	futimens(console, NULL);
}

/* Data that was read from one side and not yet written to the other: from @at to @len */
struct buffer {
	char *data;
	size_t at, len, size;
};

static bool holds(const struct buffer *buffer)
{
	return buffer->at < buffer->len;
}

/* False, with nothing added: it would have more than BUFFER_MAX bytes, or there is no memory */
static bool append(struct buffer *buffer, const char *data, size_t len)
{
	size_t size = buffer->size ?: PIECE;
	char *larger;

	if (buffer->at && len > buffer->size - buffer->len) {
		buffer->len -= buffer->at;
		memmove(buffer->data, buffer->data + buffer->at, buffer->len);
		buffer->at = 0;
	}
	if (len > BUFFER_MAX - buffer->len)
		return false;
	while (size - buffer->len < len)
		size *= 2;
	larger = size > buffer->size ? realloc(buffer->data, size) : buffer->data;
	if (!larger)
		return false;
	buffer->data = larger;
	buffer->size = size;
	memcpy(buffer->data + buffer->len, data, len);
	buffer->len += len;
	return true;
}

static void clear(struct buffer *buffer)
{
	buffer->at = 0;
	buffer->len = 0;
}

/* Read a piece; its length, 0 if there is none yet, or -1 at the end of the input */
static ssize_t read_piece(int from, char piece[PIECE])
{
	ssize_t len = read(from, piece, PIECE);

	if (len < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	return len > 0 ? len : -1;
}

/* Write as much of the buffer as @to accepts; false, with errno, if it failed for good */
static bool drain(struct buffer *buffer, int to)
{
	ssize_t len;

	if (!holds(buffer))
		return true;
	len = write(to, buffer->data + buffer->at, buffer->len - buffer->at);
	if (len < 0)
		return errno == EINTR || errno == EAGAIN;
	buffer->at += len;
	if (!holds(buffer))
		clear(buffer);
	return true;
}

/**
 * struct talk - a connection of stdin and stdout to a console
 * @key: the key that leaves; ESCAPE_NONE: none does
 * @terminal: stdin is a terminal
 * @ended: the input has ended
 * @held: how many times the key was pressed, if it may still turn out to belong to a paste
 * @leave_at: when it will not do so any more, on CLOCK_MONOTONIC
 * @lost: bytes of input for which there was no room
 */
struct talk {
	int console, key;
	bool terminal, ended;
	struct buffer in, out;
	size_t held;
	uint64_t leave_at;
	size_t lost;
};

static void keep(struct talk *talk, const char *data, size_t len)
{
	if (!append(&talk->in, data, len))
		talk->lost += len;
}

/* Is the piece the key that leaves, and nothing else? */
static bool is_key(const struct talk *talk, const char *piece, size_t len)
{
	if (!talk->terminal || talk->key == ESCAPE_NONE || len > KEYS_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (piece[i] != talk->key)
			return false;
	return true;
}

/* Put back the key that was held */
static void unhold(struct talk *talk)
{
	const char key = talk->key;

	for (; talk->held; talk->held--)
		keep(talk, &key, 1);
}

static void take_input(struct talk *talk)
{
	char piece[PIECE];
	ssize_t len = read_piece(STDIN_FILENO, piece);

	if (len <= 0) {
		talk->ended = len < 0;
		return;
	}
	if (is_key(talk, piece, len)) {
		if (!talk->held)
			talk->leave_at = clock_now(CLOCK_MONOTONIC) + PASTE_USEC;
		talk->held += len;
		return;
	}
	unhold(talk);
	keep(talk, piece, len);
}

/* False: the console has ended */
static bool take_output(struct talk *talk)
{
	char piece[PIECE];
	ssize_t len = read_piece(talk->console, piece);

	return len >= 0 && append(&talk->out, piece, len);
}

/* Without events the descriptor is left out, since ppoll() would still report a hangup */
static void want(struct pollfd *pollfd, int fd, short events)
{
	pollfd->fd = events ? fd : -1;
	pollfd->events = events;
	pollfd->revents = 0;
}

/* The events that sd-bus waits for; when it will not wait any more is put into *@until */
static void want_bus(struct pollfd *pollfd, sd_bus *bus, uint64_t *until)
{
	int events = sd_bus_get_events(bus);
	uint64_t when;

	want(pollfd, sd_bus_get_fd(bus), events > 0 ? events : 0);
	if (sd_bus_get_timeout(bus, &when) > 0 && when < *until)
		*until = when;
}

/* Wait for events, for signals, and until a time on CLOCK_MONOTONIC, which may be UINT64_MAX */
static int wait_events(struct pollfd *fds, unsigned int nr, uint64_t until, const sigset_t *waiting)
{
	uint64_t now = clock_now(CLOCK_MONOTONIC), left = until > now ? until - now : 0;
	const struct timespec patience = {
		.tv_sec = left / USEC_PER_SEC, .tv_nsec = left % USEC_PER_SEC * 1000,
	};

	return ppoll(fds, nr, until == UINT64_MAX ? NULL : &patience, waiting);
}

static bool process_bus(sd_bus *bus)
{
	int ret;

	do
		ret = sd_bus_process(bus, NULL);
	while (ret > 0);
	return ret >= 0;
}

static enum terminal_end talk_until_end(struct talk *talk, const struct terminal_watch *watch,
					const sigset_t *waiting)
{
	enum { KEYS, CONSOLE, SCREEN, BUS, NR };
	struct pollfd fds[NR];

	copy_size(talk->console);
	while (!talk->ended || holds(&talk->in) || watch) {
		bool room = talk->terminal || !holds(&talk->in);
		uint64_t until = talk->held ? talk->leave_at : UINT64_MAX;

		if (watch && !process_bus(watch->bus))
			return TERMINAL_GUEST_ENDED;
		if (watch && *watch->done)
			return TERMINAL_DONE;
		want(&fds[KEYS], STDIN_FILENO, room && !talk->ended ? POLLIN : 0);
		want(&fds[CONSOLE], talk->console, (holds(&talk->out) ? 0 : POLLIN) |
		     (holds(&talk->in) ? POLLOUT : 0));
		/* Always, since it is the end when nobody reads any more */
		fds[SCREEN] = (struct pollfd) {
			.fd = STDOUT_FILENO, .events = holds(&talk->out) ? POLLOUT : 0,
		};
		want(&fds[BUS], -1, 0);
		if (watch)
			want_bus(&fds[BUS], watch->bus, &until);
		if (wait_events(fds, NR, until, waiting) < 0) {
			if (errno != EINTR || got_end)
				return TERMINAL_SIGNAL;
			if (got_resize) {
				got_resize = 0;
				copy_size(talk->console);
			}
			continue;
		}
		if (fds[KEYS].revents)
			take_input(talk);
		if (fds[CONSOLE].revents && !holds(&talk->out) && !take_output(talk))
			return TERMINAL_GUEST_ENDED;
		/* The last output of a console that has ended is still to be read */
		if (fds[CONSOLE].revents && !drain(&talk->in, talk->console))
			clear(&talk->in);
		if (fds[SCREEN].revents && !drain(&talk->out, STDOUT_FILENO)) {
			output_fail(errno);
			return TERMINAL_OUTPUT_ENDED;
		}
		if (fds[SCREEN].revents & (POLLERR | POLLHUP) && !holds(&talk->out)) {
			output_fail(EPIPE);
			return TERMINAL_OUTPUT_ENDED;
		}
		/* If more input came, take_input() has put the key back */
		if (talk->held && (talk->ended || clock_now(CLOCK_MONOTONIC) >= talk->leave_at))
			return TERMINAL_LEFT;
	}
	return TERMINAL_LEFT;
}

/* Put a terminal into raw mode. @before: out: its mode before */
static void make_raw(int fd, struct termios *before)
{
	struct termios raw;

	if (tcgetattr(fd, before))
		return;
	raw = *before;
	cfmakeraw(&raw);
	tcsetattr(fd, TCSANOW, &raw);
}

/* The process ID of the guest's sigmad, or -errno, not reported */
static pid_t find_sigmad(const char *name)
{
	pid_t pid;
	int pidfd = client_pidfd(name, &pid);

	if (pidfd < 0)
		return pidfd;
	close(pidfd);
	return pid;
}

/*
 * The number of a pty is free once its sigmad is dead, and the next terminal of anybody gets it. So
 * the console is the guest's only if the same sigmad lived before and after the open().
 */
int terminal_open(const char *name)
{
	pid_t sigmad = find_sigmad(name), now;
	char path[RUNDIR_PATH_MAX];
	struct termios before;
	int fd;

	if (sigmad < 0)
		return client_complain(sigmad, name, sigmad);
	snprintf(path, sizeof(path), RUNDIR "/%s/console", name);
	fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return complain(-errno, "%s: cannot open its console, %s: %s%s", name, path,
				strerror(errno), errno == ENOENT || errno == EIO ?
				"; its sigmad is gone" : errno == EACCES ?
				"; be root, or join the group '" RUNDIR_GROUP "'" : "");
	now = find_sigmad(name);
	if (now != sigmad) {
		close(fd);
		return client_complain(-ECONNRESET, name, now < 0 ? now : -ECONNRESET);
	}
	/* Each of two readers would get only part of the output */
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		close(fd);
		return complain(-EBUSY, "%s: somebody else has its console open", name);
	}
	/* Another program may have left it in a mode that echoes output, or cuts long lines */
	make_raw(fd, &before);
	return fd;
}

static void say_connected(const char *name, int key)
{
	if (key == ESCAPE_NONE)
		fprintf(stderr, "Connected to %s. All keys go to the guest; none leaves.\n", name);
	else
		fprintf(stderr, "Connected to %s. Ctrl-%c leaves; the guest goes on.\n", name,
			key + '@');
}

enum terminal_end terminal_talk(const char *name, int console, int key,
				const struct terminal_watch *watch)
{
	/* After TERMINAL_SIGNAL the next call goes on with what the buffers hold */
	static struct talk talk;
	struct termios before;
	enum terminal_end end;
	sigset_t waiting;

	got_end = 0;
	catch_signals(&waiting);
	talk.console = console;
	talk.key = key;
	talk.terminal = isatty(STDIN_FILENO);
	talk.held = 0;
	if (talk.terminal) {
		say_connected(name, key);
		make_raw(STDIN_FILENO, &before);
	}
	end = talk_until_end(&talk, watch, &waiting);
	if (end == TERMINAL_LEFT && drain(&talk.in, console))
		talk.lost += talk.in.len - talk.in.at;
	if (talk.terminal) {
		tcsetattr(STDIN_FILENO, TCSANOW, &before);
		fprintf(stderr, "\nDisconnected from %s.\n", name);
	}
	if (end == TERMINAL_LEFT && talk.lost)
		complain(0, "%s: has not taken the last %zu bytes of your input, and they are lost",
			 name, talk.lost);
	return end;
}
