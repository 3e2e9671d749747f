// SPDX-License-Identifier: GPL-2.0
/*
 * One connection of the host, from HELLO to its end: see agent.h.
 *
 * When the program has ended, its pipes may still have output in them, and a process that it left
 * behind may go on writing. So what is in them at this moment is sent, and then the exit status: as
 * with a shell, whose prompt comes back although a program in the background still writes.
 */
#include <endian.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../common/relay.h"
#include "agent.h"

#define HELLO_SECONDS	5	/* of those without the key there may be many */
#define REQUEST_SECONDS	60	/* for HELLO to START */
#define END_SECONDS	10	/* for the host to close the connection after the last frame */
#define GRACE_SECONDS	2	/* between SIGHUP and SIGKILL */
#define TTY_LEFT	(1 << 20)	/* more than a pty holds */

enum state {
	STATE_HELLO, STATE_REQUEST, STATE_RUNNING,
	STATE_DRAINING,		/* the program has ended, its output is still being sent */
	STATE_ENDING,		/* the last frame is queued */
};

struct session {
	enum state state;
	const uint8_t *key;
	struct relay *relay;
	struct request request;
	struct program program;
	struct agent_exited exited;
	bool last;			/* the host asked for a program with AGENT_START_LAST */
	uint32_t stopped;		/* the signal, if the host is to be told; or 0 */
	time_t deadline;		/* on CLOCK_MONOTONIC; 0: none */
};

static time_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec;
}

static void end_soon(struct session *session)
{
	session->state = STATE_ENDING;
	session->deadline = now() + END_SECONDS;
}

static int fail(struct session *session, unsigned int status, const char *why)
{
	uint8_t payload[sizeof(uint32_t) + REASON_MAX];
	uint32_t value = htole32(status);
	size_t len = strnlen(why, REASON_MAX);

	memcpy(payload, &value, sizeof(value));
	memcpy(payload + sizeof(value), why, len);
	end_soon(session);
	return relay_send(session->relay, AGENT_FAILED, payload, sizeof(value) + len);
}

/* In a time that does not depend on where the keys differ */
static bool is_key(const uint8_t *given, const uint8_t *key)
{
	unsigned int differs = 0;

	for (unsigned int i = 0; i < AGENT_KEY_SIZE; i++)
		differs |= given[i] ^ key[i];
	return !differs;
}

static int take_hello(struct session *session, unsigned int type, const uint8_t *payload,
		      size_t size)
{
	struct agent_hello hello;
	char why[REASON_MAX];

	if (type != AGENT_HELLO || size != sizeof(hello))
		return -EPROTO;
	memcpy(&hello, payload, sizeof(hello));
	if (memcmp(hello.magic, AGENT_MAGIC, sizeof(hello.magic)) ||
	    !is_key(hello.key, session->key))
		return -EACCES;
	session->state = STATE_REQUEST;
	session->deadline = now() + REQUEST_SECONDS;
	if (le32toh(hello.version) == AGENT_VERSION)
		return 0;
	snprintf(why, sizeof(why), "the agent in the guest speaks version %u, and this sigmactl version %u; use an agent and a sigmactl of the same release",
		 AGENT_VERSION, le32toh(hello.version));
	return fail(session, AGENT_STATUS_FAILED, why);
}

static int connect_streams(struct session *session)
{
	const struct program *program = &session->program;
	struct relay *relay = session->relay;
	int error = 0;

	for (int i = AGENT_STDOUT; i <= AGENT_STDERR; i++)
		if (program->mine[i] >= 0)
			relay_read_from(relay, i, program->mine[i]);
	if (program->mine[AGENT_STDIN] >= 0)
		error = relay_write_to(relay, AGENT_STDIN, program->mine[AGENT_STDIN]);
	if (!error && program->master >= 0) {
		relay_read_from(relay, AGENT_TTY, program->master);
		error = relay_write_to(relay, AGENT_TTY, program->master);
	}
	return error;
}

static int start(struct session *session)
{
	char why[REASON_MAX];
	uint32_t pid;
	int status;

	session->last = session->request.start.flags & AGENT_START_LAST;
	status = program_start(&session->program, &session->request, why);
	if (status)
		return fail(session, status, why);
	session->state = STATE_RUNNING;
	session->deadline = 0;
	pid = htole32(session->program.pid);
	return relay_send(session->relay, AGENT_STARTED, &pid, sizeof(pid)) ?:
	       connect_streams(session);
}

static int take_request(struct session *session, unsigned int type, const uint8_t *payload,
			size_t size)
{
	char why[REASON_MAX];
	int ret;

	ret = request_take(&session->request, type, payload, size, why);
	if (ret == -ENOENT)
		return fail(session, AGENT_STATUS_FAILED, why);
	return ret > 0 ? start(session) : ret;
}

/*
 * The program has ended, and the host does not take the rest of its output. Whoever waits for that
 * wants no more of it: this signal would have ended a program that still writes.
 */
static void give_up_output(struct session *session, int number)
{
	if (number == SIGCONT || number == SIGTSTP || number == SIGWINCH || number == SIGURG)
		return;
	for (int i = AGENT_STDOUT; i <= AGENT_TTY; i++)
		if (session->relay->inlet[i].fd >= 0)
			relay_end_inlet(session->relay, i, 0);
	session->exited = (struct agent_exited) { .signal = htole32(number) };
}

static int take_signal(struct session *session, const uint8_t *payload, size_t size)
{
	uint32_t number;

	if (size != sizeof(number))
		return -EPROTO;
	memcpy(&number, payload, sizeof(number));
	number = le32toh(number);
	if (!number || number > AGENT_SIGNAL_MAX)
		return -EPROTO;
	/* Once the program was waited for, its number may be another process's */
	if (session->state == STATE_RUNNING)
		program_signal(&session->program, number);
	else
		give_up_output(session, number);
	return 0;
}

static int take_size(struct session *session, const uint8_t *payload, size_t size)
{
	struct agent_size terminal_size;

	if (size != sizeof(terminal_size) || session->program.master < 0)
		return -EPROTO;
	memcpy(&terminal_size, payload, sizeof(terminal_size));
	pty_resize(session->program.master, &terminal_size);
	return 0;
}

static int on_frame(void *data, unsigned int type, const uint8_t *payload, size_t size)
{
	struct session *session = data;

	switch (session->state) {
	case STATE_HELLO:
		return take_hello(session, type, payload, size);
	case STATE_REQUEST:
		return take_request(session, type, payload, size);
	case STATE_RUNNING:
	case STATE_DRAINING:
		if (type == AGENT_SIGNAL)
			return take_signal(session, payload, size);
		return type == AGENT_SIZE ? take_size(session, payload, size) : -EPROTO;
	default:
		return 0;	/* was sent before the host knew of the end */
	}
}

/* The terminal stays open until the end of the session, for SIZE and the other direction */
static void close_stream(struct session *session, enum agent_stream stream, int fd)
{
	if (stream == AGENT_TTY)
		return;
	session->program.mine[stream] = -1;
	close(fd);
}

static void on_inlet_closed(void *data, enum agent_stream stream, int fd)
{
	close_stream(data, stream, fd);
}

static void on_outlet_closed(void *data, enum agent_stream stream, int fd, int error)
{
	if (stream == AGENT_TTY && !error)
		pty_end(fd);
	close_stream(data, stream, fd);
}

static const struct relay_ops ops = {
	.frame = on_frame,
	.inlet_closed = on_inlet_closed,
	.outlet_closed = on_outlet_closed,
};

/* What is in the pipes now is the end of the streams */
static void drain(struct session *session)
{
	static const struct pollfd idle[RELAY_FDS];

	session->state = STATE_DRAINING;
	for (int i = AGENT_STDOUT; i <= AGENT_TTY; i++) {
		struct inlet *inlet = &session->relay->inlet[i];
		int left = TTY_LEFT;

		if (inlet->fd < 0)
			continue;
		if (i != AGENT_TTY && ioctl(inlet->fd, FIONREAD, &left))
			left = 0;
		relay_end_inlet(session->relay, i, left);
	}
	/* An error comes again with the next call */
	relay_process(session->relay, idle);
}

static void reap(struct session *session)
{
	int how;

	if (session->state != STATE_RUNNING ||
	    waitpid(session->program.pid, &how, WNOHANG | WUNTRACED) != session->program.pid)
		return;
	if (WIFSTOPPED(how)) {
		session->stopped = WSTOPSIG(how);
		return;
	}
	session->exited = (struct agent_exited) {
		.status = htole32(WIFEXITED(how) ? WEXITSTATUS(how) : 0),
		.signal = htole32(WIFSIGNALED(how) ? WTERMSIG(how) : 0),
	};
	session->stopped = 0;
	drain(session);
}

/* Queue what has become due */
static void report(struct session *session)
{
	uint32_t stopped = htole32(session->stopped);

	if (session->stopped &&
	    !relay_send(session->relay, AGENT_STOPPED, &stopped, sizeof(stopped)))
		session->stopped = 0;
	if (session->state == STATE_DRAINING && relay_inlets_done(session->relay) &&
	    !relay_send(session->relay, AGENT_EXITED, &session->exited, sizeof(session->exited)))
		end_soon(session);
}

static int open_signals(void)
{
	static const int ignored[] = { SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGTSTP, SIGTTIN, SIGTTOU };
	sigset_t set;

	for (size_t i = 0; i < sizeof(ignored) / sizeof(*ignored); i++)
		signal(ignored[i], SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* False: the agent itself is to end */
static bool take_signals(struct session *session, int signals)
{
	struct signalfd_siginfo info;
	bool go_on = true;

	while (read(signals, &info, sizeof(info)) == sizeof(info))
		if (info.ssi_signo == SIGTERM)
			go_on = false;
	reap(session);
	return go_on;
}

/* Until the end of the session, the connection or the agent */
static void serve(struct session *session, int signals)
{
	struct pollfd fds[RELAY_FDS + 1];
	struct relay *relay = session->relay;
	unsigned int nr;
	time_t left;

	for (;;) {
		report(session);
		left = session->deadline ? session->deadline - now() : 0;
		if (relay->finished || left < 0)
			return;
		nr = relay_prepare(relay, fds);
		if (relay_unsent(relay))
			fds[0].events |= POLLOUT;
		else if (session->state == STATE_ENDING)
			shutdown(relay->socket, SHUT_WR);
		fds[nr] = (struct pollfd) { .fd = signals, .events = POLLIN };
		if (poll(fds, nr + 1, session->deadline ? (int)(left + 1) * 1000 : -1) < 0)
			continue;
		if (relay_process(relay, fds))
			return;
		if (fds[nr].revents && !take_signals(session, signals))
			return;
	}
}

/* The host is gone, and its program with it */
static void end_program(const struct session *session)
{
	const struct timespec grace = { .tv_sec = GRACE_SECONDS };
	sigset_t set;

	program_hang_up();
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	/* It may also stop, or have stopped before; then it has not ended */
	sigtimedwait(&set, NULL, &grace);
	program_kill();
	waitpid(session->program.pid, NULL, 0);
}

bool session_run(int connection, const uint8_t key[AGENT_KEY_SIZE])
{
	struct session session = {
		.key = key, .deadline = now() + HELLO_SECONDS,
		.program = { .mine = { -1, -1, -1 }, .master = -1, .slave = -1 },
	};
	int signals;

	/* The program's terminal becomes that of this session */
	setsid();
	signals = open_signals();
	session.relay = relay_new(connection, &ops, &session);
	if (signals < 0 || !session.relay)
		return false;
	serve(&session, signals);
	if (session.state == STATE_RUNNING)
		end_program(&session);
	relay_free(session.relay);
	request_free(&session.request);
	close(signals);
	return session.last;
}
