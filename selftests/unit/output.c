// SPDX-License-Identifier: GPL-2.0
/* Standard output that cannot be written, and that of "sigmad --help" and "sigmad --version". */
#include <sys/wait.h>

#define main sigmad
#include "../../daemon/main.c"
#undef main

#include "capture.h"
#include "tap.h"

static int full(void)
{
	return open("/dev/full", O_WRONLY);
}

/* Run @what in a process with this stdout (-1: none), and with SIGPIPE ignored; how it ended */
static int in_child(int out, int (*what)(void))
{
	pid_t pid;
	int how;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		signal(SIGPIPE, SIG_IGN);
		stdout = fdopen(STDOUT_FILENO, "w");	/* tap.h's is line-buffered */
		if (out < 0)
			close(STDOUT_FILENO);
		else
			dup2(out, STDOUT_FILENO);
		exit(what());
	}
	if (out >= 0)
		close(out);
	return waitpid(pid, &how, 0) == pid ? how : -1;
}

static int print_help(void)
{
	return sigmad(2, (char *[]){ "sigmad", "--help", NULL });
}

static int print_version(void)
{
	return sigmad(2, (char *[]){ "sigmad", "--version", NULL });
}

TEST(sigmad_fails_without_output)
{
	int (* const prints[])(void) = { print_help, print_version };

	for (size_t i = 0; i < sizeof(prints) / sizeof(*prints); i++) {
		int how;

		capture_start();
		how = in_child(full(), prints[i]);
		EXPECT_SAID("sigmad: error: cannot write to standard output: No space left on device\n",
			    capture_end());
		EXPECT_TRUE(WIFEXITED(how) && WEXITSTATUS(how) == EXIT_FAILURE);

		capture_start();
		how = in_child(-1, prints[i]);
		EXPECT_SAID("cannot write to standard output: Bad file descriptor\n", capture_end());
		EXPECT_TRUE(WIFEXITED(how) && WEXITSTATUS(how) == EXIT_FAILURE);
	}
}

static int print_nothing(void)
{
	output_open();
	return output_close(0);
}

TEST(who_prints_nothing_needs_no_output)
{
	EXPECT_EQ(0, in_child(-1, print_nothing));
	EXPECT_EQ(0, in_child(full(), print_nothing));
}

static int keep_status(void)
{
	output_open();
	puts("lost");
	return output_close(3);
}

TEST(status_is_kept)
{
	int ends[2];
	int how;

	capture_start();
	how = in_child(full(), keep_status);
	EXPECT_SAID("No space left on device", capture_end());
	EXPECT_EQ(3, WEXITSTATUS(how));

	/* Nobody reads: no message */
	ASSERT_EQ(0, pipe(ends));
	close(ends[0]);
	capture_start();
	how = in_child(ends[1], keep_status);
	EXPECT_STREQ("", capture_end());
	EXPECT_EQ(3, WEXITSTATUS(how));
}

static int first_error_counts(void)
{
	output_open();
	if (!output_works() || !output_flush())
		return EXIT_SUCCESS;
	output_fail(EDQUOT);
	output_fail(ENOSPC);
	if (output_works() || output_flush())
		return EXIT_SUCCESS;
	return output_close(0);
}

TEST(written_without_stdio)
{
	int how;

	capture_start();
	how = in_child(open("/dev/null", O_WRONLY), first_error_counts);
	EXPECT_SAID("cannot write to standard output: Disk quota exceeded", capture_end());
	EXPECT_EQ(EXIT_FAILURE, WEXITSTATUS(how));
}

static int lose_message(void)
{
	output_open();
	dup2(full(), STDERR_FILENO);
	fputs("lost\n", stderr);
	return output_close(0);
}

TEST(lost_message)
{
	EXPECT_EQ(EXIT_FAILURE, WEXITSTATUS(in_child(open("/dev/null", O_WRONLY), lose_message)));
}

/* Without standard streams, a file that is opened must not become one of them */
static int open_file(void)
{
	int fd;

	close(STDIN_FILENO);
	close(STDERR_FILENO);
	output_open();
	fd = open("/dev/null", O_RDWR);
	return fd > STDERR_FILENO && read(STDIN_FILENO, &fd, 1) < 0 &&
	       write(STDOUT_FILENO, "", 1) < 0 && write(STDERR_FILENO, "", 1) < 0 ? 0 : 1;
}

TEST(files_do_not_become_standard_streams)
{
	EXPECT_EQ(0, in_child(-1, open_file));
}

TEST_HARNESS_MAIN
