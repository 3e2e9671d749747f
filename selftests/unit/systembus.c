// SPDX-License-Identifier: GPL-2.0
/* The names of guests as those of machines. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "../../daemon/systembus.h"
#include "capture.h"
#include "tap.h"

TEST(names_that_are_one_machine)
{
	char folder[] = "/tmp/sigma-unit-XXXXXX", path[64];
	const char *said;

	ASSERT_TRUE(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/a-b_c", folder);
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	EXPECT_EQ(0, systembus_check_name(folder, "a-b_c"));
	EXPECT_EQ(0, systembus_check_name(folder, "a-b-d"));
	EXPECT_EQ(0, systembus_check_name(folder, "a-b"));
	capture_start();
	EXPECT_EQ(-EEXIST, systembus_check_name(folder, "a_b_c"));
	said = capture_end();
	EXPECT_SAID("a_b_c: cannot be a service beside the guest a-b_c: both are the machine a-b-c", said);
	unlink(path);
	rmdir(folder);
	EXPECT_EQ(0, systembus_check_name(folder, "a_b_c"));
}

TEST_HARNESS_MAIN
