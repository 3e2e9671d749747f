// SPDX-License-Identifier: GPL-2.0
/* Do the loaded module and a program fit? */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../common/version.h"
#include "../../common/versions.h"
#include "tap.h"

TEST(both_versions_are_named)
{
	char path[] = "/tmp/sigma-unit-XXXXXX", why[VERSIONS_TEXT_MAX];
	int fd = mkstemp(path);

	ASSERT_TRUE(fd >= 0);
	ASSERT_EQ(6, write(fd, "9.8.7\n", 6));
	EXPECT_TRUE(!versions_fit(path, "sigmad", why));
	EXPECT_STREQ("the loaded sigma.ko is version 9.8.7, and this sigmad is version " SIGMA_VERSION,
		     why);
	ASSERT_EQ(0, ftruncate(fd, 0));
	ASSERT_EQ(strlen(SIGMA_VERSION), pwrite(fd, SIGMA_VERSION, strlen(SIGMA_VERSION), 0));
	EXPECT_TRUE(versions_fit(path, "sigmad", why));
	EXPECT_STREQ("", why);
	close(fd);
	unlink(path);
	/* Without the module others complain */
	EXPECT_TRUE(versions_fit(path, "sigmad", why));
}

TEST_HARNESS_MAIN
