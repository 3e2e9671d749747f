// SPDX-License-Identifier: GPL-2.0
/*
 * Programs that the agent runs, and that sigmactl makes appear as processes of this machine. Both are
 * the real ones, but for the connection, which is a pair of sockets.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "../../ctl/agent.h"
#include "../../guest/agent/agent.h"
#include "stream.h"
#include "tap.h"

#define MUCH		(100UL << 20)
#define NONE		(-1)
#define KEY_CTRL(key)	((key) & 0x1f)

static const uint8_t key[AGENT_KEY_SIZE] = "what only sigmad and root know";

/* A program: the process of sigmactl, the agent's one, and the ends of the streams; how it ended */
struct job {
	pid_t client, session;
	int in, out, err;
	bool was_last;
};

/* Streams of other processes end only if this one has none of them */
static void close_all_but(int socket)
{
	for (int fd = STDERR_FILENO + 1; fd < 64; fd++)
		if (fd != socket)
			close(fd);
}

/* The agent's side. What is said first is what sigmad says */
static pid_t begin_session(int *socket, const uint8_t *with)
{
	struct agent_hello hello = { .magic = AGENT_MAGIC, .version = htole32(AGENT_VERSION) };
	const struct agent_header header = {
		.size = htole32(sizeof(hello)), .type = htole16(AGENT_HELLO),
	};
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return -1;
	memcpy(hello.key, with, sizeof(hello.key));
	if (write(pair[0], &header, sizeof(header)) < 0 || write(pair[0], &hello, sizeof(hello)) < 0)
		return -1;
	pid = fork();
	if (!pid) {
		close_all_but(pair[1]);
		_exit(session_run(pair[1], key));
	}
	close(pair[1]);
	*socket = pair[0];
	return pid;
}

static void run_client(int socket, const struct agent_program *program, int in, int out, int err)
{
	struct agent_end end;

	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	close_all_but(socket);
	agent_run("g", socket, program, &end);
	_exit(agent_exit(&end));
}

/* Run a program with pipes */
static bool begin_program(struct job *job, const struct agent_program *program)
{
	int in[2], out[2], err[2], socket;

	if (geteuid())
		return false;
	fflush(stdout);
	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC))
		return false;
	job->session = begin_session(&socket, key);
	job->client = fork();
	if (!job->client)
		run_client(socket, program, in[0], out[1], err[1]);
	close(socket);
	close(in[0]);
	close(out[1]);
	close(err[1]);
	job->in = in[1];
	job->out = out[0];
	job->err = err[0];
	return job->session > 0 && job->client > 0;
}

static bool begin(struct job *job, const char *script)
{
	char *argv[] = { "sh", "-c", (char *)script, NULL };
	const struct agent_program program = { .argv = argv, .umask = -1 };

	return begin_program(job, &program);
}

static void close_end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* How it ended, as a shell says it. The agent's process has ended, too, then */
static int end(struct job *job)
{
	int how, session;

	close_end(&job->in);
	waitpid(job->client, &how, 0);
	waitpid(job->session, &session, 0);
	job->was_last = WIFEXITED(session) && WEXITSTATUS(session);
	close_end(&job->out);
	close_end(&job->err);
	return WIFSIGNALED(how) ? 128 + WTERMSIG(how) : WEXITSTATUS(how);
}

#define BEGIN(job, script) do {						\
	if (geteuid())							\
		SKIP(return, "the agent is root");			\
	ASSERT_TRUE(begin(job, script));				\
} while (0)

TEST(output_and_status)
{
	struct job job;

	BEGIN(&job, "echo out; echo err >&2; exit 7");
	EXPECT_STREQ("out\n", stream_read(job.out, NULL));
	EXPECT_STREQ("err\n", stream_read(job.err, NULL));
	EXPECT_EQ(7, end(&job));
}

TEST(death_by_signal)
{
	struct job job;

	BEGIN(&job, "kill -USR1 $$");
	EXPECT_EQ(128 + SIGUSR1, end(&job));
	BEGIN(&job, "kill -KILL $$");
	EXPECT_EQ(128 + SIGKILL, end(&job));
}

TEST(what_is_not_there)
{
	char *argv[] = { "no-such-program", NULL }, *folder[] = { "/etc", NULL };
	struct agent_program program = { .argv = argv, .umask = -1 };
	struct job job;

	if (geteuid())
		SKIP(return, "the agent is root");
	ASSERT_TRUE(begin_program(&job, &program));
	EXPECT_STREQ("sigmactl: g: cannot run no-such-program: No such file or directory\n",
		     stream_read(job.err, NULL));
	EXPECT_EQ(127, end(&job));
	program.argv = folder;
	ASSERT_TRUE(begin_program(&job, &program));
	EXPECT_EQ(126, end(&job));
	program.user = "nobody-at-all";
	ASSERT_TRUE(begin_program(&job, &program));
	EXPECT_TRUE(strstr(stream_read(job.err, NULL),
			   "nobody-at-all: the guest has no such user"));
	EXPECT_EQ(125, end(&job));
	program.user = NULL;
	program.workdir = "/no/such";
	ASSERT_TRUE(begin_program(&job, &program));
	EXPECT_TRUE(strstr(stream_read(job.err, NULL), "/no/such: No such file"));
	EXPECT_EQ(125, end(&job));
}

/* Pseudo-random: the byte at a position */
static uint8_t byte_at(uint64_t at)
{
	at *= 0x9e3779b97f4a7c15ULL;
	return at >> 56;
}

static void feed(int fd, uint64_t size)
{
	static uint8_t piece[1 << 16];

	for (uint64_t at = 0; at < size;) {
		for (size_t i = 0; i < sizeof(piece); i++)
			piece[i] = byte_at(at + i);
		for (size_t sent = 0; sent < sizeof(piece);) {
			ssize_t len = write(fd, piece + sent, sizeof(piece) - sent);

			if (len < 0)
				_exit(1);
			sent += len;
		}
		at += sizeof(piece);
	}
	_exit(0);
}

/* The number of bytes that came back unchanged */
static uint64_t check_echo(int fd)
{
	static uint8_t piece[1 << 16];
	uint64_t at = 0;
	ssize_t len;

	while ((len = read(fd, piece, sizeof(piece))) > 0)
		for (ssize_t i = 0; i < len; i++, at++)
			if (piece[i] != byte_at(at))
				return at;
	return at;
}

TEST(much_data_both_ways)
{
	struct job job;
	pid_t feeder;

	BEGIN(&job, "cat");
	feeder = fork();
	if (!feeder)
		feed(job.in, MUCH);
	close_end(&job.in);
	EXPECT_EQ(MUCH, check_echo(job.out));
	EXPECT_EQ(0, end(&job));
	waitpid(feeder, NULL, 0);
}

TEST(output_closes_before_the_end)
{
	struct job job;

	BEGIN(&job, "echo a; exec >&-; read line; echo $line >&2");
	EXPECT_STREQ("a\n", stream_read(job.out, NULL));
	EXPECT_EQ(5, write(job.in, "word\n", 5));
	EXPECT_STREQ("word\n", stream_read(job.err, NULL));
	EXPECT_EQ(0, end(&job));
}

TEST(nobody_reads)
{
	struct job job;

	BEGIN(&job, "yes");
	EXPECT_EQ('y', *stream_read(job.out, "y"));
	close_end(&job.out);
	EXPECT_EQ(128 + SIGPIPE, end(&job));
}

TEST(program_does_not_read)
{
	struct job job;
	char line[4096] = "";

	BEGIN(&job, "exec <&-; echo closed; sleep 1000");
	EXPECT_STREQ("closed\n", stream_read(job.out, "\n"));
	signal(SIGPIPE, SIG_IGN);
	while (write(job.in, line, sizeof(line)) > 0)
		;
	EXPECT_EQ(EPIPE, errno);
	kill(job.client, SIGTERM);
	EXPECT_EQ(128 + SIGTERM, end(&job));
}

TEST(what_a_background_process_holds_open)
{
	struct job job;
	pid_t behind;

	BEGIN(&job, "sleep 1000 & echo $!");
	EXPECT_EQ(1, sscanf(stream_read(job.out, NULL), "%d", &behind));
	EXPECT_EQ(0, end(&job));
	EXPECT_EQ(0, kill(behind, SIGKILL));
}

TEST(signals_arrive)
{
	struct job job;

	BEGIN(&job, "trap 'echo usr1' USR1; trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.05; done");
	EXPECT_STREQ("up\n", stream_read(job.out, "\n"));
	kill(job.client, SIGUSR1);
	EXPECT_STREQ("usr1\n", stream_read(job.out, "\n"));
	kill(job.client, SIGTERM);
	EXPECT_STREQ("bye\n", stream_read(job.out, "\n"));
	EXPECT_EQ(3, end(&job));
}

/* Is it gone after some of these signals? One is for the agent, which has the rest of the output */
static bool ends_of(pid_t pid, int number)
{
	siginfo_t info = {};

	for (unsigned int i = 0; i < 600 && !info.si_pid; i++) {
		kill(pid, number);
		usleep(50000);
		waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT);
	}
	return info.si_pid;
}

/* More than sigmactl takes, and less than a program can write that nobody reads */
TEST(signal_while_output_waits_in_the_guest)
{
	struct job job;

	BEGIN(&job, "read go; head -c 300000 /dev/zero; echo written >&2");
	EXPECT_EQ(4096, fcntl(job.out, F_SETPIPE_SZ, 4096));
	EXPECT_EQ(3, write(job.in, "go\n", 3));
	EXPECT_STREQ("written\n", stream_read(job.err, "\n"));
	EXPECT_TRUE(ends_of(job.client, SIGTERM));
	EXPECT_EQ(128 + SIGTERM, end(&job));
}

TEST(stop_and_continue)
{
	struct job job;
	int how;

	BEGIN(&job, "echo up; read line; echo $line");
	EXPECT_STREQ("up\n", stream_read(job.out, "\n"));
	kill(job.client, SIGTSTP);
	ASSERT_EQ(job.client, waitpid(job.client, &how, WUNTRACED));
	EXPECT_TRUE(WIFSTOPPED(how));
	EXPECT_EQ(3, write(job.in, "on\n", 3));
	kill(job.client, SIGCONT);
	EXPECT_STREQ("on\n", stream_read(job.out, "\n"));
	EXPECT_EQ(0, end(&job));
}

static bool is_gone(pid_t pid)
{
	for (unsigned int i = 0; i < 600 && !kill(pid, 0); i++)
		usleep(50000);
	return kill(pid, 0) && errno == ESRCH;
}

TEST(host_is_gone)
{
	pid_t shell, child;
	struct job job;

	BEGIN(&job, "trap '' HUP TERM; sleep 1000 & echo $$ $!; wait");
	ASSERT_EQ(2, sscanf(stream_read(job.out, "\n"), "%d %d", &shell, &child));
	kill(job.client, SIGKILL);
	EXPECT_EQ(128 + SIGKILL, end(&job));
	EXPECT_TRUE(is_gone(shell));
	EXPECT_TRUE(is_gone(child));
}

TEST(surroundings)
{
	char *argv[] = { "sh", "-c", "pwd; umask; id -u; id -g; id -G; echo $A-$HOME; ulimit -n", NULL };
	char *env[] = { "A=b=c", "PATH=/usr/bin:/bin", NULL };
	const uint32_t ids[] = { 1234, 1235, 1236, 1237 };
	const struct agent_program program = {
		.argv = argv, .env = env, .bare = true, .workdir = "/usr", .ids = ids, .nr_ids = 4,
		.umask = 0027, .limits = true,
	};
	struct job job;
	struct rlimit limit;
	char expected[128];

	if (geteuid())
		SKIP(return, "the agent is root");
	getrlimit(RLIMIT_NOFILE, &limit);
	snprintf(expected, sizeof(expected), "/usr\n0027\n1234\n1235\n1235 1236 1237\nb=c-\n%llu\n",
		 (unsigned long long)limit.rlim_cur);
	ASSERT_TRUE(begin_program(&job, &program));
	EXPECT_STREQ(expected, stream_read(job.out, NULL));
	EXPECT_EQ(0, end(&job));
}

TEST(wrong_key)
{
	uint8_t other[AGENT_KEY_SIZE];
	struct pollfd pollfd = { .events = POLLIN };
	int socket;
	pid_t session;
	char byte;

	memcpy(other, key, sizeof(other));
	other[AGENT_KEY_SIZE - 1] ^= 1;
	session = begin_session(&socket, other);
	ASSERT_TRUE(session > 0);
	pollfd.fd = socket;
	EXPECT_EQ(1, poll(&pollfd, 1, -1));
	EXPECT_TRUE(read(socket, &byte, 1) <= 0);
	waitpid(session, NULL, 0);
	close(socket);
}

/* With a terminal */

/* @job.in and @job.out are its master */
static bool begin_tty(struct job *job, const char *script)
{
	char *argv[] = { "bash", "--norc", "-c", (char *)script, NULL };
	const struct agent_program program = { .argv = argv, .umask = -1 };
	const struct winsize size = { .ws_row = 33, .ws_col = 111 };
	int socket, master, slave;

	fflush(stdout);
	if (openpty(&master, &slave, NULL, NULL, &size))
		return false;
	job->session = begin_session(&socket, key);
	job->client = fork();
	if (!job->client) {
		/* Its parent is in the session, so that it can stop */
		setsid();
		ioctl(slave, TIOCSCTTY, 0);
		job->client = fork();
		if (!job->client) {
			setpgid(0, 0);
			signal(SIGTTOU, SIG_IGN);
			tcsetpgrp(slave, getpid());
			signal(SIGTTOU, SIG_DFL);
			run_client(socket, &program, slave, slave, slave);
		}
		close(socket);
		close(master);
		for (int how;;) {
			waitpid(job->client, &how, WUNTRACED);
			if (WIFSTOPPED(how)) {
				dprintf(slave, "stopped\r\n");
				usleep(10000);
				kill(-job->client, SIGCONT);
			} else {
				_exit(WIFSIGNALED(how) ? 128 + WTERMSIG(how) : WEXITSTATUS(how));
			}
		}
	}
	close(socket);
	close(slave);
	job->in = NONE;
	job->out = master;
	job->err = NONE;
	return true;
}

#define BEGIN_TTY(job, script) do {					\
	if (geteuid())							\
		SKIP(return, "the agent is root");			\
	ASSERT_TRUE(begin_tty(job, script));				\
} while (0)

static void press(struct job *job, const char *keys)
{
	EXPECT_EQ((ssize_t)strlen(keys), write(job->out, keys, strlen(keys)));
}

TEST(terminal)
{
	struct winsize size = { .ws_row = 20, .ws_col = 40 };
	struct job job;

	/* A read that runs out of time may have some of the line */
	BEGIN_TTY(&job, "trap 'stty size' WINCH; tty; stty size; until read -t 0.1 part; do line+=$part; done; echo got-$line$part");
	EXPECT_TRUE(strstr(stream_read(job.out, "33 111"), "/dev/pts/"));
	ioctl(job.out, TIOCSWINSZ, &size);
	EXPECT_TRUE(strstr(stream_read(job.out, "20 40"), "20 40"));
	press(&job, "word\r");
	EXPECT_TRUE(strstr(stream_read(job.out, "got-word"), "word\r\ngot-word"));
	EXPECT_EQ(0, end(&job));
}

TEST(keys_that_make_signals)
{
	const char interrupt[] = { KEY_CTRL('c'), 0 }, suspend[] = { KEY_CTRL('z'), 0 };
	struct job job;

	BEGIN_TTY(&job, "trap 'echo caught' INT; echo up; until read -t 0.1 a; do :; done; echo end-$a");
	stream_read(job.out, "up");
	press(&job, interrupt);
	EXPECT_TRUE(strstr(stream_read(job.out, "caught"), "caught"));
	press(&job, "x\r");
	EXPECT_TRUE(strstr(stream_read(job.out, "end-"), "end-"));
	end(&job);

	BEGIN_TTY(&job, "echo up; read a; echo end-$a");
	stream_read(job.out, "up");
	press(&job, suspend);
	EXPECT_TRUE(strstr(stream_read(job.out, "stopped"), "stopped"));
	press(&job, "x\r");
	EXPECT_TRUE(strstr(stream_read(job.out, "end-x"), "end-x"));
	EXPECT_EQ(0, end(&job));
}

TEST(terminal_without_keys)
{
	char *argv[] = { "sh", "-c", "test -t 0 && cat && stty size", NULL };
	const struct agent_program program = { .argv = argv, .umask = -1, .tty = AGENT_TTY_ALWAYS };
	struct job job;

	if (geteuid())
		SKIP(return, "the agent is root");
	ASSERT_TRUE(begin_program(&job, &program));
	EXPECT_EQ(5, write(job.in, "word\n", 5));
	close_end(&job.in);
	EXPECT_STREQ("word\r\nword\r\n0 0\r\n", stream_read(job.out, NULL));
	EXPECT_EQ(0, end(&job));
}

TEST(keys_that_leave)
{
	const char leave[] = { KEY_CTRL(']'), KEY_CTRL(']'), KEY_CTRL(']'), 0 };
	struct job job;

	BEGIN_TTY(&job, "stty raw -echo; echo up; sleep 1000");
	stream_read(job.out, "up");
	press(&job, leave);
	EXPECT_TRUE(strstr(stream_read(job.out, "Ctrl-]"), "g: left by Ctrl-]"));
	EXPECT_EQ(125, end(&job));
}

/* With the program of 'sigmactl run' its guest ends: not with others, nor with a wish for none */
TEST(last_program)
{
	char *argv[] = { "true", NULL }, *none[] = { "/no/such", NULL };
	struct agent_program program = { .argv = argv, .umask = -1 };
	struct job job;
	int socket, how;

	if (geteuid())
		SKIP(return, "the agent is root");
	ASSERT_TRUE(begin_program(&job, &program));
	EXPECT_EQ(0, end(&job));
	EXPECT_FALSE(job.was_last);
	program.last = true;
	ASSERT_TRUE(begin_program(&job, &program));
	EXPECT_EQ(0, end(&job));
	EXPECT_TRUE(job.was_last);
	program.argv = none;
	ASSERT_TRUE(begin_program(&job, &program));
	EXPECT_EQ(127, end(&job));
	EXPECT_TRUE(job.was_last);
	job.session = begin_session(&socket, key);
	ASSERT_TRUE(job.session > 0);
	close(socket);
	waitpid(job.session, &how, 0);
	EXPECT_EQ(0, how);
}

TEST_HARNESS_MAIN
