// SPDX-License-Identifier: GPL-2.0
/* What sigmad asks of the OOM killer, in a file of the test's own and for this process itself. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../daemon/oom.h"
#include "capture.h"
#include "tap.h"

static const char *opens;	/* what is opened instead of the kernel's file; NULL: that one */

int open(const char *path, int flags, ...)
{
	if (opens && !strcmp(path, "/proc/self/oom_score_adj"))
		path = opens;
	return syscall(SYS_openat, AT_FDCWD, path, flags, 0600);
}

/* Return: the value after a call with @before as the value */
static int protect(const char *before)
{
	char name[] = "/tmp/sigma-unit-XXXXXX", after[16] = "";
	int fd = mkstemp(name);

	if (write(fd, before, strlen(before)) < 0)
		perror(name);
	opens = name;
	oom_protect();
	opens = NULL;
	if (pread(fd, after, sizeof(after) - 1, 0) < 0)
		perror(name);
	close(fd);
	unlink(name);
	return atoi(after);
}

TEST(lowers_the_value)
{
	EXPECT_EQ(OOM_SCORE_ADJ, protect("0\n"));
	/* As of a terminal whose user has a service manager */
	EXPECT_EQ(OOM_SCORE_ADJ, protect("200\n"));
	EXPECT_EQ(OOM_SCORE_ADJ, protect("1000\n"));
}

TEST(keeps_what_the_administrator_set)
{
	EXPECT_EQ(-1000, protect("-1000\n"));
	EXPECT_EQ(-100, protect("-100\n"));
}

TEST(failure_is_a_warning)
{
	const char *said;

	opens = "/nonexistent";
	capture_start();
	oom_protect();
	said = capture_end();
	opens = NULL;
	EXPECT_SAID("warning: the host's OOM killer may choose sigmad: ", said);
	EXPECT_SAID(strerror(ENOENT), said);
}

/* With CAP_SYS_RESOURCE this process is protected, and without it nothing is said */
TEST(real_file)
{
	capture_start();
	oom_protect();
	EXPECT_STREQ("", capture_end());
}

TEST_HARNESS_MAIN
