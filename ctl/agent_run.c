// SPDX-License-Identifier: GPL-2.0
/*
 * Runs a program in a guest: see agent.h.
 *
 * This process behaves as the program would if it were here. Once the program runs, this process
 * passes its signals on, and stops when the program has stopped. What the agent sends is checked as
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
#include <unistd.h>

#include "../common/output.h"
#include "../common/text.h"
#include "agent.h"
#include "ctl.h"

#define LEAVE_KEYS	3	/* so often in LEAVE_USEC, the key ends the connection */
#define LEAVE_USEC	USEC_PER_SEC

enum state {
	WAITING, RUNNING,
	EXITED,			/* the rest of its output is being written */
	LEFT,			/* that was given up, because of a signal */
	FAILED,
};

/**
 * struct run - a program that runs
 * @signals: those that are still to be sent
 * @resized: the terminal's size is still to be sent
 * @stopped: the signal by which the program has stopped; 0: it runs
 * @deadline: on CLOCK_MONOTONIC, when the next step to end the program is due; 0: never
 * @steps: how many of these were taken
 * @keys: how often the key that leaves was pressed since @first_key, on CLOCK_MONOTONIC
 * @keys_unsent: the guest takes no keys any more; they are read for that one only
 * @lost_output: output could not be written here, though somebody would read it
 * @fd: copies of the standard streams that are non-blocking where possible; -1: closed
 */
struct run {
	const char *name;
	const struct agent_program *program;
	struct relay *relay;
	enum state state;
	struct agent_end *end;
	struct agent_signals signals;
	bool resized;
	int stopped;
	uint64_t deadline;
	unsigned int steps, keys;
	uint64_t first_key;
	bool keys_unsent;
	struct agent_terminal_here terminal;
	bool has_terminal, lost_output;
	int fd[3];
};

/* Signals */

static void take_signals(struct run *run)
{
	const uint64_t winch = agent_signal_bit(SIGWINCH);

	agent_signals_take(&run->signals);
	if (run->signals.pending & agent_signal_bit(SIGCONT))
		agent_terminal_take(&run->terminal);
	if (run->signals.pending & winch && run->has_terminal) {
		run->signals.pending &= ~winch;
		run->resized = true;
	}
}

/* The program has stopped, so this process does. It goes on here when it is continued */
static void stop(struct run *run)
{
	/* A stop of the whole job, if the key that stops it was not seen by this terminal */
	const bool job = run->terminal.raw;

	agent_terminal_give_back(&run->terminal);
	agent_signals_stop(run->stopped, job);
	run->stopped = 0;
	agent_terminal_take(&run->terminal);
	/* Also if this process could not stop, as one that no shell controls */
	run->signals.pending |= agent_signal_bit(SIGCONT);
	run->resized = run->has_terminal;
}

/*
 * The program has exited, and nobody takes its output. It cannot get signals any more, so they have
 * their usual effect on this process, which is done once the caller has tidied up.
 */
static void obey_signals(struct run *run)
{
	static const int without_effect[] = { SIGCONT, SIGWINCH, SIGURG };

	for (size_t i = 0; i < sizeof(without_effect) / sizeof(*without_effect); i++)
		run->signals.pending &= ~agent_signal_bit(without_effect[i]);
	if (run->signals.pending & agent_signal_bit(SIGTSTP)) {
		run->signals.pending &= ~agent_signal_bit(SIGTSTP);
		agent_terminal_give_back(&run->terminal);
		agent_signals_stop(SIGTSTP, false);
		agent_terminal_take_signals(&run->terminal);
	}
	if (!run->signals.pending)
		return;
	*run->end = (struct agent_end) { .signal = ffsll(run->signals.pending),
					 .timed_out = run->end->timed_out };
	run->state = LEFT;
}

static void send_pending(struct run *run)
{
	struct agent_size size;

	for (int i = 1; i <= AGENT_SIGNAL_MAX && run->state == RUNNING; i++) {
		uint32_t number = htole32(i);

		if (run->signals.pending & agent_signal_bit(i) &&
		    !relay_send(run->relay, AGENT_SIGNAL, &number, sizeof(number)))
			run->signals.pending &= ~agent_signal_bit(i);
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

/* The guest must not keep the person by refusing keys, either */
static void read_unsent_keys(struct run *run)
{
	uint8_t keys[256];
	ssize_t len = read(run->terminal.in, keys, sizeof(keys));

	if (len > 0)
		on_read(run, AGENT_TTY, keys, len);
	else if (!len || (errno != EAGAIN && errno != EINTR))
		run->keys_unsent = false;
}

static void on_inlet_closed(void *data, enum agent_stream stream, int fd)
{
	struct run *run = data;

	(void)fd;
	if (stream == AGENT_TTY)
		run->keys_unsent = true;
	close_stream(run, stream);
}

static void on_outlet_closed(void *data, enum agent_stream stream, int fd, int error)
{
	struct run *run = data;

	(void)fd;
	/* Of EPIPE the program gets to know, and of others as if they were EPIPE */
	if (error && error != EPIPE) {
		run->lost_output = true;
		if (stream != AGENT_STDERR)
			output_fail(error);
	}
	close_stream(run, stream);
}

/* Frames */

static void begin_time(struct run *run)
{
	if (run->program->timeout)
		run->deadline = clock_deadline(run->program->timeout);
}

static int on_started(struct run *run, size_t size)
{
	int error;

	if (run->state != WAITING || size != sizeof(uint32_t))
		return -EPROTO;
	error = agent_signals_catch(&run->signals);
	if (error)
		return error;
	run->state = RUNNING;
	begin_time(run);
	/* Its size may have changed since the request */
	run->resized = run->has_terminal;
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
	/* These were for the program */
	run->signals.pending = 0;
	/* A guest that goes on sending does not keep this process */
	relay_finish(run->relay);
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
	return run->state == FAILED || run->state == LEFT ||
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

/* When its time is over, ask the program to end, then have it killed, then leave the guest */
static int end_in_time(struct run *run)
{
	static const int signals[] = { SIGTERM, SIGKILL };

	if (time_left(run))
		return 0;
	run->end->timed_out = true;
	if (run->state == WAITING || run->steps == sizeof(signals) / sizeof(*signals))
		return -ETIMEDOUT;
	run->signals.pending |= agent_signal_bit(signals[run->steps++]) | agent_signal_bit(SIGCONT);
	run->deadline += run->program->grace;
	return 0;
}

/* What is to be done before the next wait. 0, or the reason why this is the end */
static int step(struct run *run)
{
	int error = end_in_time(run);

	if (run->relay->finished && run->state != EXITED)
		return -ECONNRESET;
	if (run->keys == LEAVE_KEYS)
		return -ECANCELED;
	send_pending(run);
	return error;
}

static int talk(struct run *run)
{
	struct pollfd fds[RELAY_FDS + 2];
	unsigned int nr;
	int error;

	while (!is_done(run)) {
		error = step(run);
		if (error)
			return error;
		if (run->state == EXITED)
			agent_terminal_take_signals(&run->terminal);
		nr = relay_prepare(run->relay, fds);
		fds[nr] = (struct pollfd) { .fd = run->signals.fd, .events = POLLIN };
		fds[nr + 1] = (struct pollfd) { .fd = run->keys_unsent ? run->terminal.in : -1,
						.events = POLLIN };
		if (poll(fds, nr + 2, time_left(run)) < 0) {
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
		/* All of its output is written: the status is that of the program */
		if (run->state == EXITED && !relay_outlets_done(run->relay))
			obey_signals(run);
		if (fds[nr + 1].revents)
			read_unsent_keys(run);
		if (run->stopped && run->state == RUNNING)
			stop(run);
	}
	return 0;
}

/* Output is lost. If the program ended of just that, or well, this was no success */
static void settle(const struct run *run)
{
	struct agent_end *end = run->end;

	if (run->lost_output && (end->signal == SIGPIPE || (!end->signal && !end->status)))
		*end = (struct agent_end) { .status = AGENT_STATUS_FAILED,
					    .timed_out = end->timed_out };
}

static int report(const struct run *run, int error)
{
	if (error == -ETIMEDOUT && run->end->timed_out)
		return complain(error, "%s: the program's time is over, and the guest does not answer",
				run->name);
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
	struct run run = { .name = name, .program = program, .end = end, .signals = { .fd = -1 },
			   .fd = { -1, -1, -1 } };
	int error;

	*end = (struct agent_end) { .status = AGENT_STATUS_FAILED };
	run.relay = relay_new(socket, &ops, &run);
	if (!run.relay) {
		close(socket);
		return report(&run, -ENOMEM);
	}
	begin_time(&run);
	run.has_terminal = agent_terminal_open(&run.terminal, program->tty);
	error = agent_send_request(run.relay, program, run.has_terminal ? &run.terminal : NULL,
				   agent_signals_ignored());
	if (!error)
		error = talk(&run);
	settle(&run);
	agent_terminal_give_back(&run.terminal);
	agent_terminal_close(&run.terminal);
	for (int i = STDIN_FILENO; i <= STDERR_FILENO; i++)
		if (run.fd[i] >= 0)
			close(run.fd[i]);
	relay_free(run.relay);
	if (run.signals.fd >= 0)
		close(run.signals.fd);
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
