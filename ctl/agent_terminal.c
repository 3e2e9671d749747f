// SPDX-License-Identifier: GPL-2.0
/*
 * This process's terminal, as that of a program in a guest: see agent.h.
 *
 * Keys must not be taken from a program here that waits for some: in "sigmactl exec web -- dmesg |
 * less" they are for less. So without an order the program has a terminal only if its output goes
 * to one. Its keys come from there, too, if stdin is none: "... | sigmactl exec web -- less" works.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "agent.h"

/*
 * A descriptor of its own for the terminal of @fd, since other processes use @fd, too, and may not
 * expect that it is non-blocking
 */
static int open_again(int fd, int flags)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

/* One of another user, as after su, cannot be opened by its name */
static int open_or_copy(int fd, int flags)
{
	int again = open_again(fd, flags);

	return again >= 0 ? again : fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
}

bool agent_terminal_open(struct agent_terminal_here *terminal, enum agent_tty tty)
{
	bool in = isatty(STDIN_FILENO), out = isatty(STDOUT_FILENO);

	*terminal = (struct agent_terminal_here) { .in = -1, .out = -1 };
	if (tty == AGENT_TTY_NEVER || (tty == AGENT_TTY_AUTO && !out))
		return false;
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (tty == AGENT_TTY_ALWAYS || isatty(fd))
			terminal->streams |= 1U << fd;
	if (in)
		terminal->in = open_or_copy(STDIN_FILENO, O_RDONLY);
	else if (tty == AGENT_TTY_ALWAYS)
		terminal->in = open_or_copy(STDIN_FILENO, O_RDONLY);
	else
		terminal->in = open("/dev/tty", O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	terminal->out = open_or_copy(STDOUT_FILENO, O_WRONLY);
	terminal->has_mode = terminal->in >= 0 && isatty(terminal->in) &&
			     !tcgetattr(terminal->in, &terminal->before);
	return true;
}

void agent_terminal_close(struct agent_terminal_here *terminal)
{
	if (terminal->in >= 0)
		close(terminal->in);
	if (terminal->out >= 0)
		close(terminal->out);
	terminal->in = -1;
	terminal->out = -1;
}

void agent_terminal_take(struct agent_terminal_here *terminal)
{
	struct termios raw;

	if (!terminal->has_mode || terminal->raw || tcgetattr(terminal->in, &terminal->before))
		return;
	raw = terminal->before;
	cfmakeraw(&raw);
	terminal->raw = !tcsetattr(terminal->in, TCSANOW, &raw);
}

void agent_terminal_take_signals(struct agent_terminal_here *terminal)
{
	struct termios mode;

	agent_terminal_take(terminal);
	if (!terminal->raw || tcgetattr(terminal->in, &mode) || mode.c_lflag & ISIG)
		return;
	mode.c_lflag |= ISIG;
	tcsetattr(terminal->in, TCSANOW, &mode);
}

void agent_terminal_give_back(struct agent_terminal_here *terminal)
{
	if (terminal->raw)
		tcsetattr(terminal->in, TCSANOW, &terminal->before);
	terminal->raw = false;
}

bool agent_terminal_size(const struct agent_terminal_here *terminal, struct agent_size *size)
{
	struct winsize winsize;

	if (ioctl(terminal->out, TIOCGWINSZ, &winsize) && ioctl(terminal->in, TIOCGWINSZ, &winsize))
		return false;
	*size = (struct agent_size) {
		.rows = htole16(winsize.ws_row), .columns = htole16(winsize.ws_col),
		.width = htole16(winsize.ws_xpixel), .height = htole16(winsize.ws_ypixel),
	};
	return true;
}
