// SPDX-License-Identifier: GPL-2.0
/*
 * A back end that cannot be run, of which nothing may stay, and one that writes without end.
 * virtio-fs.c and virtio-net-user.c run some that serve.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../daemon/virtio/backend.h"
#include "capture.h"
#include "tap.h"

#define FILES_MAX	64
#define PATIENCE_USEC	60000000
/* /dev/null and three pipes; clone3() needs one more, for the pidfd */
#define FILES_NEEDED	7

/* The files that are open, as a string of '0' and '1' */
static const char *open_files(char files[FILES_MAX + 1])
{
	for (int fd = 0; fd < FILES_MAX; fd++)
		files[fd] = fcntl(fd, F_GETFD) < 0 ? '0' : '1';
	files[FILES_MAX] = '\0';
	return files;
}

TEST(each_file_is_one_too_many)
{
	char *argv[] = { "/bin/true", NULL }, why[BACKEND_WHY_MAX];
	const struct backend_command command = {
		.name = "true", .serves = "nothing", .argv = argv, .fd = STDIN_FILENO,
	};
	char before[FILES_MAX + 1], after[FILES_MAX + 1];
	struct backend backend = {};
	struct rlimit limit, less;
	int error[FILES_NEEDED + 1];
	sd_event *event;

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	ASSERT_TRUE(sd_event_new(&event) >= 0);
	open_files(before);
	less = limit;
	for (unsigned int nr = 0; nr <= FILES_NEEDED; nr++) {
		/* The first @nr descriptors that are free may be used */
		less.rlim_cur = strchr(before, '0') - before + nr;
		ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &less));
		error[nr] = backend_start(&backend, event, &command, 0, why);
		setrlimit(RLIMIT_NOFILE, &limit);
		EXPECT_STREQ(before, open_files(after));
		EXPECT_EQ(0, backend.pid);
	}
	for (unsigned int nr = 0; nr < FILES_NEEDED; nr++)
		EXPECT_EQ(-EMFILE, error[nr]);
	/* -EPERM where namespaces are not allowed */
	EXPECT_TRUE(error[FILES_NEEDED] == -EMFILE || error[FILES_NEEDED] == -EPERM);
	sd_event_unref(event);
}

static const struct backend *talkative;
static unsigned int reads;

/* More output of it waits, whenever it is read. After 10000 times the test has failed anyway */
ssize_t read(int fd, void *to, size_t len)
{
	if (!talkative || fd != talkative->log_fd)
		return syscall(SYS_read, fd, to, len);
	memset(to, 'x', len);
	((char *)to)[len - 1] = '\n';
	return ++reads < 10000 ? (ssize_t)len : 0;
}

TEST(output_without_end)
{
	char *argv[] = { "/bin/echo", "here I am", NULL };
	static char why[BACKEND_WHY_MAX];
	const struct backend_command command = {
		.name = "echo", .serves = "nothing", .argv = argv, .fd = STDIN_FILENO,
	};
	struct backend backend = {};
	sd_event *event;
	int error;

	ASSERT_TRUE(sd_event_new(&event) >= 0);
	error = backend_start(&backend, event, &command, getuid(), why);
	if (error) {
		sd_event_unref(event);
		SKIP(return, why);
	}
	talkative = &backend;
	capture_start();
	/* The event loop has other things to do, too */
	EXPECT_EQ(1, sd_event_run(event, PATIENCE_USEC));
	EXPECT_TRUE(reads && reads < 100);
	/* As when it has left a child that writes on */
	backend_end(&backend);
	EXPECT_TRUE(reads < 200);
	EXPECT_SAID("nothing: echo: xxx", capture_end());
	talkative = NULL;
	sd_event_unref(event);
}

TEST_HARNESS_MAIN
