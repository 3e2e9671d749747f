// SPDX-License-Identifier: GPL-2.0
/*
 * sigmactl console: the guest's hvc0. sigmad keeps the master of a pty; here the person's
 * terminal is put into raw mode and tied to its slave. Whatever ends us, by a key, a
 * signal or the guest's end, passes the one place where the terminal is restored.
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

/* Signals are blocked but while ppoll() waits, so that none slips in before it */
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

static bool write_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t done = write(fd, data, len);

		if (done < 0 && errno != EINTR)
			return false;
		if (done > 0) {
			data += done;
			len -= done;
		}
	}
	return true;
}

/* Copy once from @from to @to; false when that is over */
static bool pump(int from, int to, bool keys)
{
	char data[4096], *leave = NULL;
	ssize_t len = read(from, data, sizeof(data));

	if (len < 0)
		return errno == EINTR || errno == EAGAIN;
	if (!len)
		return false;
	if (keys)
		leave = memchr(data, LEAVE_KEY, len);
	return write_all(to, data, leave ? leave - data : len) && !leave;
}

static void talk(int console, bool terminal)
{
	struct pollfd fds[] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = console, .events = POLLIN },
	};
	sigset_t waiting;

	catch_signals(&waiting);
	copy_size(console);
	while (!got_end) {
		if (ppoll(fds, 2, NULL, &waiting) < 0 && errno != EINTR)
			break;
		if (got_resize) {
			got_resize = 0;
			copy_size(console);
			continue;
		}
		if (got_end)
			break;
		if (fds[1].revents && !pump(console, STDOUT_FILENO, false))
			break;
		if (fds[0].revents && !pump(STDIN_FILENO, console, terminal))
			break;
	}
}

static int open_console(const char *name)
{
	char path[RUNDIR_PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), RUNDIR "/%s/console", name);
	fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return complain(-errno, "%s: cannot open its console, %s: %s%s", name, path,
				strerror(errno), errno == ENOENT || errno == EIO ?
				"; its sigmad is gone" : "");
	/* Two readers would each get half of the output */
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		close(fd);
		return complain(-EBUSY, "%s: somebody else has its console open", name);
	}
	return fd;
}

static int run(const struct options *options, char **args)
{
	const char *name = args[0];
	struct termios before, raw;
	bool terminal;
	int console, status;

	status = guest_check(name);
	if (status)
		return status;
	console = open_console(name);
	if (console < 0)
		return EXIT_FAILED;

	terminal = !tcgetattr(STDIN_FILENO, &before);
	if (terminal) {
		fprintf(stderr, "Connected to %s. Ctrl-] leaves; the guest goes on.\n", name);
		raw = before;
		cfmakeraw(&raw);
		tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
	}
	talk(console, terminal);
	if (terminal) {
		tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
		fprintf(stderr, "\nDisconnected from %s.\n", name);
	}
	close(console);
	return EXIT_OK;
}

const struct verb verb_console = {
	.name = "console",
	.args = "NAME",
	.summary = "Connect this terminal to a guest's console",
	.help =
"It is hvc0 in the guest. Press Ctrl-] to leave; the guest goes on. One at a time. Input\n"
"need not be a terminal: its end ends the connection.\n"
"\n"
"Examples:\n"
"  sigmactl console demo\n"
"  (echo uname -r; sleep 1) | sigmactl console demo\n",
	.nr_args = 1,
	.run = run,
};
