// SPDX-License-Identifier: GPL-2.0
/* A back end that cannot be run: nothing of it may stay. virtio-fs.c and virtio-net-user.c run some. */
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>

#include "../../daemon/virtio/backend.h"
#include "tap.h"

#define FILES_MAX	64
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

TEST_HARNESS_MAIN
