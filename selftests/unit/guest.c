// SPDX-License-Identifier: GPL-2.0
/* The names of a guest's states. */
#include <errno.h>

#include "../../daemon/guest.h"
#include "tap.h"

TEST(every_state_has_a_name)
{
	for (int state = 0; state < GUEST_STATES; state++) {
		ASSERT_TRUE(guest_state_name(state) != NULL);
		EXPECT_EQ(state, guest_state_from_name(guest_state_name(state)));
	}
	EXPECT_STREQ("unknown", guest_state_name(GUEST_STATES));
}

TEST(no_state)
{
	EXPECT_EQ(-EINVAL, guest_state_from_name("gone"));
	EXPECT_EQ(-EINVAL, guest_state_from_name(""));
}

TEST_HARNESS_MAIN
