// SPDX-License-Identifier: GPL-2.0
/* The names of a guest's states, and the messages about its guard. */
#include <errno.h>
#include <stdlib.h>

#include "../../common/guard.h"
#include "../../common/gueststate.h"
#include "../../daemon/guest.h"
#include "capture.h"
#include "tap.h"

#define NO_X2APIC	"this CPU has no x2APIC mode"

static char path[] = "/tmp/sigma-unit-XXXXXX";
static char why[GUARD_WHY_MAX];

/* Write the file of sysfs with this text */
static void machine(const char *text)
{
	FILE *file = fopen(path, "w");

	if (!file)
		return;
	fputs(text, file);
	fclose(file);
}

/* The message for a guest that asked for @asked and got @has */
static const char *warned(enum sigma_guard_kind asked, enum sigma_guard_kind has)
{
	const struct guest guest = { .info.guard = has };

	capture_start();
	guest_warn_of_guard(&guest, asked, path);
	return capture_end();
}

TEST(every_state_has_a_name)
{
	for (int state = 0; state < GUEST_STATES; state++) {
		ASSERT_TRUE(guest_state_name(state) != NULL);
		EXPECT_EQ(state, guest_state_from_name(guest_state_name(state)));
	}
	EXPECT_STREQ("unknown", guest_state_name(GUEST_STATES));
}

TEST(unknown_state)
{
	EXPECT_EQ(-EINVAL, guest_state_from_name("gone"));
	EXPECT_EQ(-EINVAL, guest_state_from_name(""));
}

TEST(guard_of_the_machine)
{
	int fd = mkstemp(path);

	ASSERT_TRUE(fd >= 0);
	close(fd);
	EXPECT_EQ(-EINVAL, guard_of_machine(path, why));
	EXPECT_STREQ("", why);
	machine("full\n");
	EXPECT_EQ(SIGMA_GUARD_FULL, guard_of_machine(path, why));
	EXPECT_STREQ("", why);
	machine("memory: " NO_X2APIC "\n");
	EXPECT_EQ(SIGMA_GUARD_MEMORY, guard_of_machine(path, why));
	EXPECT_STREQ(NO_X2APIC, why);
}

/* The machine is that of the last test */
TEST(less_than_full_is_told)
{
	EXPECT_SAID("Guard=auto has chosen \"memory\", which is against accidents, not against attacks",
		    warned(SIGMA_GUARD_AUTO, SIGMA_GUARD_MEMORY));
	EXPECT_SAID("(" NO_X2APIC ")", warned(SIGMA_GUARD_AUTO, SIGMA_GUARD_MEMORY));
	/* Whoever asked for it gets no message */
	EXPECT_STREQ("", warned(SIGMA_GUARD_MEMORY, SIGMA_GUARD_MEMORY));
	EXPECT_STREQ("", warned(SIGMA_GUARD_NO, SIGMA_GUARD_NO));

	machine("full\n");
	EXPECT_STREQ("", warned(SIGMA_GUARD_AUTO, SIGMA_GUARD_FULL));
	EXPECT_SAID("dmesg tells why", warned(SIGMA_GUARD_AUTO, SIGMA_GUARD_MEMORY));

	machine("no: this CPU has neither\n");
	EXPECT_SAID("has chosen \"no\": the guest is as trusted as a kernel module (this CPU has neither)",
		    warned(SIGMA_GUARD_AUTO, SIGMA_GUARD_NO));
	unlink(path);
	EXPECT_EQ(-EINVAL, guard_of_machine(path, why));
}

TEST_HARNESS_MAIN
