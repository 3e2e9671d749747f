// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's console, hvc0. sigmad has the master of a pty. This file puts the person's terminal
 * into raw mode and connects it to the slave. A key, a signal or the guest's end may end that, and
 * each of them passes the one place that restores the terminal.
 *
 * A guest that takes no input must not keep the person from leaving. So only ppoll() waits: keys go
 * through a buffer, and keys that do not fit are dropped, as a tty does.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "ctl.h"

#define LEAVE_KEY ('\x1d')	/* Ctrl-] */

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

	if (!ioctl(STDIN_FILENO, TIOCGWINSZ, &size))
		ioctl(console, TIOCSWINSZ, &size);
}

/* Data that was read from one side and not yet written to the other */
struct buffer {
	char data[4096];
	size_t len;
};

/* Read into the buffer, and drop what does not fit; false at the end of the input */
static bool fill(struct buffer *buffer, int from, bool *leave)
{
	char data[sizeof(buffer->data)], *key = NULL;
	ssize_t len = read(from, data, sizeof(data));
	size_t room = sizeof(buffer->data) - buffer->len;

	if (len < 0)
		return errno == EINTR || errno == EAGAIN;
	if (!len)
		return false;
	if (leave)
		key = memchr(data, LEAVE_KEY, len);
	if (key) {
		*leave = true;
		len = key - data;
	}
	if ((size_t)len > room)
		len = room;
	memcpy(buffer->data + buffer->len, data, len);
	buffer->len += len;
	return true;
}

/* Write as much of the buffer as @to accepts; false if it failed for good */
static bool drain(struct buffer *buffer, int to)
{
	ssize_t len;

	if (!buffer->len)
		return true;
	len = write(to, buffer->data, buffer->len);
	if (len < 0)
		return errno == EINTR || errno == EAGAIN;
	buffer->len -= len;
	memmove(buffer->data, buffer->data + len, buffer->len);
	return true;
}

/* Without events the descriptor is left out, since ppoll() would still report a hangup */
static void want(struct pollfd *pollfd, int fd, short events)
{
	pollfd->fd = events ? fd : -1;
	pollfd->events = events;
	pollfd->revents = 0;
}

/* The events that sd-bus waits for, and its timeout */
static void want_bus(struct pollfd *pollfd, sd_bus *bus, struct timespec *patience,
		     const struct timespec **until)
{
	uint64_t when, now = clock_now(CLOCK_MONOTONIC);
	int events = sd_bus_get_events(bus);

	want(pollfd, sd_bus_get_fd(bus), events > 0 ? events : 0);
	*until = NULL;
	if (sd_bus_get_timeout(bus, &when) > 0 && when != UINT64_MAX) {
		when = when > now ? when - now : 0;
		patience->tv_sec = when / USEC_PER_SEC;
		patience->tv_nsec = when % USEC_PER_SEC * 1000;
		*until = patience;
	}
}

static bool process_bus(sd_bus *bus)
{
	int ret;

	do
		ret = sd_bus_process(bus, NULL);
	while (ret > 0);
	return ret >= 0;
}

static enum terminal_end talk(int console, bool terminal, const struct terminal_watch *watch,
			      const sigset_t *waiting)
{
	enum { KEYS, CONSOLE, SCREEN, BUS, NR };
	struct buffer in = {}, out = {};
	const struct timespec *until = NULL;
	struct timespec patience;
	struct pollfd fds[NR];
	bool leave = false, ended = false;	/* the input */

	copy_size(console);
	while (!ended || in.len || watch) {
		bool room = terminal || !in.len;

		if (watch && !process_bus(watch->bus))
			return TERMINAL_GUEST_ENDED;
		if (watch && *watch->done)
			return TERMINAL_DONE;
		want(&fds[KEYS], STDIN_FILENO, room && !ended ? POLLIN : 0);
		want(&fds[CONSOLE], console, (out.len ? 0 : POLLIN) | (in.len ? POLLOUT : 0));
		want(&fds[SCREEN], STDOUT_FILENO, out.len ? POLLOUT : 0);
		want(&fds[BUS], -1, 0);
		if (watch)
			want_bus(&fds[BUS], watch->bus, &patience, &until);
		if (ppoll(fds, NR, until, waiting) < 0) {
			if (errno != EINTR || got_end)
				return TERMINAL_SIGNAL;
			if (got_resize) {
				got_resize = 0;
				copy_size(console);
			}
			continue;
		}
		if (fds[KEYS].revents && !fill(&in, STDIN_FILENO, terminal ? &leave : NULL))
			ended = true;
		if (fds[CONSOLE].revents && !out.len && !fill(&out, console, NULL))
			return TERMINAL_GUEST_ENDED;
		if (fds[CONSOLE].revents && !drain(&in, console))
			in.len = 0;
		if (fds[SCREEN].revents && !drain(&out, STDOUT_FILENO))
			return TERMINAL_OUTPUT_ENDED;
		if (leave) {
			drain(&in, console);
			return TERMINAL_LEFT;
		}
	}
	return TERMINAL_LEFT;
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
	return fd;
}

enum terminal_end terminal_talk(const char *name, int console, const struct terminal_watch *watch)
{
	struct termios before, raw;
	enum terminal_end end;
	sigset_t waiting;
	bool terminal;

	got_end = 0;
	catch_signals(&waiting);
	terminal = !tcgetattr(STDIN_FILENO, &before);
	if (terminal) {
		fprintf(stderr, "Connected to %s. Ctrl-] leaves; the guest goes on.\n", name);
		raw = before;
		cfmakeraw(&raw);
		tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
	}
	end = talk(console, terminal, watch, &waiting);
	if (terminal) {
		tcsetattr(STDIN_FILENO, TCSANOW, &before);
		fprintf(stderr, "\nDisconnected from %s.\n", name);
	}
	return end;
}
