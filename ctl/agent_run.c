// SPDX-License-Identifier: GPL-2.0
/*
 * Runs a program in a guest: see agent.h.
 *
 * This process behaves as the program would if it were here. It gets signals by a signalfd and
 * passes them on, and stops when the program has stopped. What the agent sends is checked as
 * anything that a guest says: it can end this process, and write to its output, and no more.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "../common/output.h"
#include "../common/text.h"
#include "agent.h"
#include "ctl.h"

#define GRACE_USEC	(10 * USEC_PER_SEC)	/* from SIGTERM to SIGKILL */
#define LEAVE_KEYS	3	/* so often in LEAVE_USEC, the key ends the connection */
#define LEAVE_USEC	USEC_PER_SEC

enum state { WAITING, RUNNING, EXITED, FAILED };

/**
 * struct run - a program that runs
 * @signals: a signalfd
 * @caught: the signals that go to it
 * @pending: those that are still to be sent; bit N - 1: signal N
 * @resized: the terminal's size is still to be sent
 * @stopped: the signal by which the program has stopped; 0: it runs
 * @timeout: of the program; @deadline: when the next signal for it is due; 0: never
 * @keys: how often the key that leaves was pressed since @first_key, on CLOCK_MONOTONIC
 * @fd: copies of the standard streams that are non-blocking where possible; -1: closed
 */
struct run {
	const char *name;
	struct relay *relay;
	enum state state;
	struct agent_end *end;
	int signals;
	sigset_t caught;
	uint64_t pending;
	bool resized;
	int stopped;
	uint64_t timeout, deadline;
	unsigned int keys;
	uint64_t first_key;
	struct agent_terminal_here terminal;
	bool has_terminal;
	int fd[3];
};

static uint64_t bit_of(int number)
{
	return 1ULL << (number - 1);
}

/* Signals */

static const int own[] = {	/* signals that are about this process only, and faults */
	SIGKILL, SIGSTOP, SIGCHLD, SIGPIPE, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS,
	SIGABRT, SIGTTIN, SIGTTOU, SIGXCPU, SIGXFSZ,
};

static bool is_own(int number)
{
	for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
		if (own[i] == number)
			return true;
	return false;
}

/* Catch all signals but those that are ignored here, which the program is to ignore as well */
static int catch_signals(struct run *run, uint64_t *ignored)
{
	struct sigaction action;

	*ignored = 0;
	sigemptyset(&run->caught);
	for (int i = 1; i <= SIGRTMAX; i++) {
		if (sigaction(i, NULL, &action))
			continue;
		if (action.sa_handler == SIG_IGN && !(action.sa_flags & SA_SIGINFO))
			*ignored |= bit_of(i);
		else if (!is_own(i))
			sigaddset(&run->caught, i);
	}
	/* Its default effect is none, so it need not be passed on as ignored */
	sigaddset(&run->caught, SIGWINCH);
	sigaddset(&run->caught, SIGCONT);
	sigprocmask(SIG_BLOCK, &run->caught, NULL);
	signal(SIGPIPE, SIG_IGN);
	run->signals = signalfd(-1, &run->caught, SFD_CLOEXEC | SFD_NONBLOCK);
	return run->signals < 0 ? -errno : 0;
}

static void take_signals(struct run *run)
{
	struct signalfd_siginfo info;

	while (read(run->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCONT)
			agent_terminal_take(&run->terminal);
		if (info.ssi_signo == SIGWINCH && run->has_terminal)
			run->resized = true;
		else if (info.ssi_signo <= AGENT_SIGNAL_MAX)
			run->pending |= bit_of(info.ssi_signo);
	}
}

/* The program has stopped, so this process does. It goes on here when it is continued */
static void stop(struct run *run)
{
	bool raw = run->terminal.raw;
	struct sigaction before = {}, usual = { .sa_handler = SIG_DFL };
	sigset_t set;

	/* A stop of the whole job, if the key that stops it was not seen by this terminal */
	agent_terminal_give_back(&run->terminal);
	sigemptyset(&set);
	sigaddset(&set, run->stopped);
	sigaction(run->stopped, &usual, &before);
	if (raw)
		kill(0, run->stopped);
	else
		raise(run->stopped);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigaction(run->stopped, &before, NULL);
	run->stopped = 0;
	agent_terminal_take(&run->terminal);
	/* Also if this process could not stop, as one that no shell controls */
	run->pending |= bit_of(SIGCONT);
	run->resized = run->has_terminal;
}

static void send_pending(struct run *run)
{
	struct agent_size size;

	for (int i = 1; i <= AGENT_SIGNAL_MAX && run->state == RUNNING; i++) {
		uint32_t number = htole32(i);

		if (run->pending & bit_of(i) &&
		    !relay_send(run->relay, AGENT_SIGNAL, &number, sizeof(number)))
			run->pending &= ~bit_of(i);
	}
	if (run->resized && run->state == RUNNING &&
	    (!agent_terminal_size(&run->terminal, &size) ||
	     !relay_send(run->relay, AGENT_SIZE, &size, sizeof(size))))
		run->resized = false;
}

/* Streams */

/* A copy that does not block, since other processes may use the same one as this; or just a copy */
static int copy_stream(int fd)
{
	char path[32];
	int copy = -1;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (fd != STDIN_FILENO && lseek(fd, 0, SEEK_CUR) < 0)
		copy = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return copy >= 0 ? copy : fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
}

static int open_streams(struct run *run)
{
	int error = 0;

	for (int i = STDIN_FILENO; i <= STDERR_FILENO && !error; i++) {
		if (run->terminal.streams >> i & 1)
			continue;
		run->fd[i] = copy_stream(i);
		if (run->fd[i] < 0)
			error = -errno;
		else if (i == STDIN_FILENO)
			relay_read_from(run->relay, i, run->fd[i]);
		else
			error = relay_write_to(run->relay, i, run->fd[i]);
	}
	if (error || !run->has_terminal)
		return error;
	if (run->terminal.in >= 0)
		relay_read_from(run->relay, AGENT_TTY, run->terminal.in);
	return run->terminal.out < 0 ? 0 :
	       relay_write_to(run->relay, AGENT_TTY, run->terminal.out);
}

/* The stream itself is closed, too: who is at its other end sees that, as with the program itself */
static void close_stream(struct run *run, enum agent_stream stream)
{
	int null;

	if (stream == AGENT_TTY)
		return;
	close(run->fd[stream]);
	run->fd[stream] = -1;
	/* Messages of this process still go to stderr */
	if (stream == AGENT_STDERR)
		return;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0) {
		dup2(null, stream);
		close(null);
	}
}

/* A guest that hangs must not keep the person. The keys go to the program like all others */
static void on_read(void *data, enum agent_stream stream, const uint8_t *bytes, size_t len)
{
	uint64_t now = clock_now(CLOCK_MONOTONIC);
	struct run *run = data;

	for (size_t i = 0; i < len && stream == AGENT_TTY && run->keys < LEAVE_KEYS; i++) {
		if (!run->keys || now - run->first_key > LEAVE_USEC) {
			run->keys = 0;
			run->first_key = now;
		}
		run->keys = bytes[i] == ESCAPE_DEFAULT ? run->keys + 1 : 0;
	}
}

static void on_inlet_closed(void *data, enum agent_stream stream, int fd)
{
	(void)fd;
	close_stream(data, stream);
}

static void on_outlet_closed(void *data, enum agent_stream stream, int fd, int error)
{
	struct run *run = data;

	(void)fd;
	/* Of EPIPE the program gets to know */
	if (error && error != EPIPE && stream != AGENT_STDERR)
		output_fail(error);
	close_stream(run, stream);
}

/* Frames */

static int on_started(struct run *run, size_t size)
{
	if (run->state != WAITING || size != sizeof(uint32_t))
		return -EPROTO;
	run->state = RUNNING;
	if (run->timeout)
		run->deadline = clock_deadline(run->timeout);
	agent_terminal_take(&run->terminal);
	return open_streams(run);
}

static int on_failed(struct run *run, const uint8_t *payload, size_t size)
{
	struct text_filter filter = {};
	uint32_t status;
	char *text;
	size_t len;

	if (run->state != WAITING || size < sizeof(status))
		return -EPROTO;
	memcpy(&status, payload, sizeof(status));
	status = le32toh(status);
	if (status < AGENT_STATUS_FAILED || status > AGENT_STATUS_NOT_FOUND)
		return -EPROTO;
	len = size - sizeof(status);
	text = malloc(len + TEXT_HELD_MAX + 1);
	if (!text)
		return -ENOMEM;
	len = text_clean(&filter, (const char *)payload + sizeof(status), len, text);
	len += text_clean_end(&filter, text + len);
	complain(0, "%s: %.*s", run->name, (int)len, text);
	free(text);
	run->end->status = status;
	run->state = FAILED;
	return 0;
}

static int on_stopped(struct run *run, const uint8_t *payload, size_t size)
{
	uint32_t number;

	if (run->state != RUNNING || size != sizeof(number))
		return -EPROTO;
	memcpy(&number, payload, sizeof(number));
	number = le32toh(number);
	if (number != SIGSTOP && number != SIGTSTP && number != SIGTTIN && number != SIGTTOU)
		return -EPROTO;
	run->stopped = number;
	return 0;
}

static int on_exited(struct run *run, const uint8_t *payload, size_t size)
{
	struct agent_exited exited;

	if (run->state != RUNNING || size != sizeof(exited))
		return -EPROTO;
	memcpy(&exited, payload, sizeof(exited));
	exited.status = le32toh(exited.status);
	exited.signal = le32toh(exited.signal);
	if (exited.status > 255 || exited.signal > AGENT_SIGNAL_MAX)
		return -EPROTO;
	run->end->status = exited.status;
	run->end->signal = exited.signal;
	run->state = EXITED;
	run->deadline = 0;
	return 0;
}

static int on_frame(void *data, unsigned int type, const uint8_t *payload, size_t size)
{
	struct run *run = data;

	switch (type) {
	case AGENT_STARTED:
		return on_started(run, size);
	case AGENT_FAILED:
		return on_failed(run, payload, size);
	case AGENT_STOPPED:
		return on_stopped(run, payload, size);
	case AGENT_EXITED:
		return on_exited(run, payload, size);
	default:
		return -EPROTO;
	}
}

static const struct relay_ops ops = {
	.frame = on_frame,
	.read = on_read,
	.inlet_closed = on_inlet_closed,
	.outlet_closed = on_outlet_closed,
};

/* The loop */

static bool is_done(const struct run *run)
{
	return run->state == FAILED ||
	       (run->state == EXITED && relay_outlets_done(run->relay));
}

/* Milliseconds until the program's time is over; -1: it has no such time */
static int time_left(const struct run *run)
{
	uint64_t now = clock_now(CLOCK_MONOTONIC);

	if (!run->deadline)
		return -1;
	return run->deadline > now ? MIN((run->deadline - now) / 1000 + 1, INT_MAX) : 0;
}

/* The program's time is over: ask it to end, and the next time, have it killed */
static void end_in_time(struct run *run)
{
	if (time_left(run))
		return;
	if (!run->end->timed_out) {
		run->end->timed_out = true;
		run->pending |= bit_of(SIGTERM) | bit_of(SIGCONT);
		run->deadline += GRACE_USEC;
	} else {
		run->pending |= bit_of(SIGKILL);
		run->deadline = 0;
	}
}

static int talk(struct run *run)
{
	struct pollfd fds[RELAY_FDS + 1];
	unsigned int nr;
	int error;

	while (!is_done(run)) {
		if (run->relay->finished && run->state != EXITED)
			return -ECONNRESET;
		end_in_time(run);
		if (run->keys == LEAVE_KEYS)
			return -ECANCELED;
		send_pending(run);
		nr = relay_prepare(run->relay, fds);
		fds[nr] = (struct pollfd) { .fd = run->signals, .events = POLLIN };
		if (poll(fds, nr + 1, time_left(run)) < 0) {
			if (errno != EINTR)
				return -errno;
			continue;
		}
		error = relay_process(run->relay, fds);
		/* The end of the connection does not matter once the program has ended */
		if (error && run->state != EXITED)
			return error;
		if (fds[nr].revents)
			take_signals(run);
		if (run->stopped && run->state == RUNNING)
			stop(run);
	}
	return 0;
}

static int report(const struct run *run, int error)
{
	switch (error) {
	case 0:
		return 0;
	case -E2BIG:
		return complain(error, "%s: arguments and environment are too long", run->name);
	case -ECANCELED:
		return complain(error, "%s: left by Ctrl-]; the program ends", run->name);
	case -EPROTO:
		return complain(error, "%s: its agent does not keep to the protocol; use an agent and a sigmactl of the same release",
				run->name);
	case -ECONNRESET:
	case -EPIPE:
		return complain(error, "%s: the connection to its agent ended before the program: the guest has ended or restarted, or somebody killed the agent",
				run->name);
	default:
		return complain(error, "%s: the connection to its agent failed: %s", run->name,
				strerror(-error));
	}
}

int agent_run(const char *name, int socket, const struct agent_program *program,
	      struct agent_end *end)
{
	struct run run = { .name = name, .end = end, .signals = -1, .fd = { -1, -1, -1 },
			   .timeout = program->timeout };
	uint64_t ignored;
	int error;

	*end = (struct agent_end) { .status = AGENT_STATUS_FAILED };
	run.relay = relay_new(socket, &ops, &run);
	if (!run.relay) {
		close(socket);
		return report(&run, -ENOMEM);
	}
	error = catch_signals(&run, &ignored);
	run.has_terminal = agent_terminal_open(&run.terminal, program->tty);
	if (!error)
		error = agent_send_request(run.relay, program,
					   run.has_terminal ? &run.terminal : NULL, ignored);
	if (!error)
		error = talk(&run);
	agent_terminal_give_back(&run.terminal);
	agent_terminal_close(&run.terminal);
	for (int i = STDIN_FILENO; i <= STDERR_FILENO; i++)
		if (run.fd[i] >= 0)
			close(run.fd[i]);
	relay_free(run.relay);
	if (run.signals >= 0)
		close(run.signals);
	close(socket);
	return report(&run, error);
}

int agent_exit(const struct agent_end *end)
{
	const struct rlimit none = {};
	sigset_t set;

	if (!end->signal)
		return end->status;
	/* The core that matters is in the guest */
	setrlimit(RLIMIT_CORE, &none);
	signal(end->signal, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, end->signal);
	raise(end->signal);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	/* One that does not end a process here */
	return 128 + end->signal;
}
