// SPDX-License-Identifier: GPL-2.0
/* The program's terminal, a pty: see agent.h. */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "agent.h"

#define TTY_GROUP	5	/* Debian's, Fedora's and Arch's */
#define TTY_MODE	0620
#define PTS		"/dev/pts"
#define PTS_OPTIONS	"gid=5,mode=620,ptmxmode=666"

static int open_master(void)
{
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0 || (errno != ENODEV && errno != ENOENT))
		return fd;
	/* An init that is a shell has mounted no file system for it */
	mkdir(PTS, 0755);
	if (mount("devpts", PTS, "devpts", MS_NOSUID | MS_NOEXEC, PTS_OPTIONS))
		return -1;
	return posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
}

static void set_mode(int slave, const struct agent_terminal *terminal)
{
	struct termios mode;

	if (!(terminal->input | terminal->output | terminal->control | terminal->local) ||
	    tcgetattr(slave, &mode))
		return;
	mode.c_iflag = terminal->input;
	mode.c_oflag = terminal->output;
	mode.c_cflag = terminal->control;
	mode.c_lflag = terminal->local;
	for (unsigned int i = 0; i < NCCS && i < AGENT_TERMINAL_CHARS; i++)
		mode.c_cc[i] = terminal->chars[i];
	tcsetattr(slave, TCSANOW, &mode);
}

void pty_end(int master)
{
	struct termios mode;

	/* If it is full, the program has not read what came before, and may never do so */
	if (!tcgetattr(master, &mode) && write(master, &mode.c_cc[VEOF], 1) < 0)
		return;
}

void pty_resize(int master, const struct agent_size *size)
{
	const struct winsize winsize = {
		.ws_row = le16toh(size->rows), .ws_col = le16toh(size->columns),
		.ws_xpixel = le16toh(size->width), .ws_ypixel = le16toh(size->height),
	};

	ioctl(master, TIOCSWINSZ, &winsize);
}

int pty_open(const struct agent_terminal *terminal, const struct user *user, int *master,
		  int *slave)
{
	const int unlocked = 0;
	int error;

	*master = open_master();
	if (*master < 0)
		return -errno;
	/* By its master, since the path of the slave may be another one's in this mount namespace */
	if (ioctl(*master, TIOCSPTLCK, &unlocked)) {
		error = -errno;
		goto close_master;
	}
	*slave = ioctl(*master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*slave < 0) {
		error = -errno;
		goto close_master;
	}
	set_mode(*slave, terminal);
	pty_resize(*master, &terminal->size);
	if (fchown(*slave, user->uid, TTY_GROUP) || fchmod(*slave, TTY_MODE) ||
	    ioctl(*slave, TIOCSCTTY, 0)) {
		error = -errno;
		goto close_slave;
	}
	return 0;

close_slave:
	close(*slave);
close_master:
	close(*master);
	*master = -1;
	*slave = -1;
	return error;
}
