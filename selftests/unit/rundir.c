// SPDX-License-Identifier: GPL-2.0
/* Access to the files in /run/sigma. */
#include <grp.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "../../common/rundir.h"
#include "tap.h"

/* With the group, the mode is as requested; without it, only the owner has access */
TEST(shared_with_the_group_or_nobody)
{
	const struct group *group = getgrnam(RUNDIR_GROUP);
	char path[] = "/tmp/sigma-unit-XXXXXX";
	struct stat st;
	int fd = mkstemp(path);

	ASSERT_TRUE(fd >= 0);
	if (group && geteuid()) {
		SKIP(goto remove, "only root may give files to the group");
	}
	ASSERT_EQ(0, fchmod(fd, 0660));
	rundir_share(path, 0640);
	ASSERT_EQ(0, fstat(fd, &st));
	EXPECT_EQ((mode_t)(group ? 0640 : 0600), st.st_mode & 07777);
	if (group)
		EXPECT_EQ(group->gr_gid, st.st_gid);
remove:
	close(fd);
	unlink(path);
}

TEST_HARNESS_MAIN
