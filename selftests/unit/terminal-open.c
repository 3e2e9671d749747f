// SPDX-License-Identifier: GPL-2.0
/*
 * Whose terminal is the console of a guest? When a sigmad is dead, the number of its pty is free for
 * the next terminal of anybody. The tests have a /run of their own; else they say so and pass.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "../../ctl/ctl.h"
#include "capture.h"
#include "tap.h"

#define FOLDER	RUNDIR "/demo"

static char pty[64];		/* the slave's name */
static pid_t sigmad;		/* a process with what of sigmad matters here */
static pid_t dies_at_open;	/* ends just before the console is opened */
static int impostor = -1;
static bool replaced;		/* has the impostor the number of sigmad's pty? */

static bool have_run(void)
{
	static int have = -1;

	if (have < 0)
		have = !unshare(CLONE_NEWNS) &&
		       !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
		       !mount("tmpfs", "/run", "tmpfs", 0, NULL) &&
		       !mkdir(RUNDIR, 0755) && !mkdir(FOLDER, 0755);
	if (!have)
		puts("# not tried: needs root and a mount namespace");
	return have;
}

static int new_pty(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY);

	if (master < 0 || grantpt(master) || unlockpt(master) ||
	    ptsname_r(master, pty, sizeof(pty)))
		abort();
	return master;
}

static void start_sigmad(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX, .sun_path = FOLDER "/bus" };
	int ready[2];

	if (pipe(ready))
		abort();
	unlink(FOLDER "/bus");
	unlink(FOLDER "/console");
	sigmad = fork();
	if (!sigmad) {
		int bus = socket(AF_UNIX, SOCK_STREAM, 0);

		new_pty();
		if (bind(bus, (struct sockaddr *)&addr, sizeof(addr)) || listen(bus, 8) ||
		    symlink(pty, FOLDER "/console") || write(ready[1], pty, sizeof(pty)) < 0)
			_exit(1);
		pause();
	}
	if (read(ready[0], pty, sizeof(pty)) != sizeof(pty))
		abort();
	close(ready[0]);
	close(ready[1]);
}

/* sigmad dies, and somebody else's terminal gets the number of its pty */
static void replace_sigmad(void)
{
	char before[sizeof(pty)];

	strcpy(before, pty);
	kill(sigmad, SIGKILL);
	waitpid(sigmad, NULL, 0);
	impostor = new_pty();
	replaced = !strcmp(before, pty);
	if (!replaced)
		puts("# not tried: the number of the pty went to another process");
}

int open(const char *path, int flags, ...)
{
	if (dies_at_open && strstr(path, "/console")) {
		dies_at_open = 0;
		replace_sigmad();
	}
	return syscall(SYS_openat, AT_FDCWD, path, flags, 0600);
}

static void end(void)
{
	kill(sigmad, SIGKILL);
	waitpid(sigmad, NULL, 0);
	if (impostor >= 0)
		close(impostor);
	impostor = -1;
}

TEST(of_a_sigmad_that_lives)
{
	char name[sizeof(pty)];
	int fd;

	if (!have_run())
		return;
	start_sigmad();
	fd = terminal_open("demo");
	EXPECT_TRUE(fd >= 0 && !ttyname_r(fd, name, sizeof(name)));
	EXPECT_STREQ(pty, name);
	close(fd);
	end();
}

TEST(of_a_dead_sigmad)
{
	if (!have_run())
		return;
	start_sigmad();
	replace_sigmad();
	capture_start();
	EXPECT_TRUE(terminal_open("demo") < 0);
	EXPECT_SAID("demo: its sigmad is gone; ", capture_end());
	end();
}

TEST(of_a_sigmad_that_dies_meanwhile)
{
	if (!have_run())
		return;
	start_sigmad();
	dies_at_open = sigmad;
	capture_start();
	EXPECT_TRUE(terminal_open("demo") < 0);
	EXPECT_SAID(replaced ? "demo: its sigmad is gone; " : "; its sigmad is gone", capture_end());
	end();
}

TEST_HARNESS_MAIN
