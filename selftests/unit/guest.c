// SPDX-License-Identifier: GPL-2.0
/* The names of a guest's states, and the messages about its guard. */
#include <errno.h>
#include <stdlib.h>

#include "../../common/guard.h"
#include "../../common/gueststate.h"
#include "../../daemon/guest.h"
#include "capture.h"
#include "tap.h"

static char folder[] = "/tmp/sigma-unit-XXXXXX";
static char why[REASON_TEXT_MAX];

static void write_file(const char *name, const char *text)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "w");
	if (!file)
		return;
	fputs(text, file);
	fclose(file);
}

/* Write the files of sysfs */
static void machine(const char *guard, int missing)
{
	char number[16];

	snprintf(number, sizeof(number), "%d\n", missing);
	write_file("guard", guard);
	write_file("guard_missing", number);
}

/* The message for a guest that asked for @asked and got @has, for this reason */
static const char *warned(enum sigma_guard_kind asked, enum sigma_guard_kind has,
			  enum sigma_reason reason)
{
	const struct guest guest = { .info.guard = has, .why.reason = reason, .why.cpu = 3 };

	capture_start();
	guest_warn_of_guard(&guest, asked);
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
	ASSERT_TRUE(mkdtemp(folder) != NULL);
	EXPECT_EQ(-EINVAL, guard_of_machine(folder, why));
	EXPECT_STREQ("", why);
	machine("full\n", SIGMA_REASON_NONE);
	EXPECT_EQ(SIGMA_GUARD_FULL, guard_of_machine(folder, why));
	EXPECT_STREQ("", why);
	machine("memory\n", SIGMA_REASON_NO_X2APIC);
	EXPECT_EQ(SIGMA_GUARD_MEMORY, guard_of_machine(folder, why));
	EXPECT_TRUE(strstr(why, "this CPU has no x2APIC mode") == why);
	machine("no\n", SIGMA_REASON_SVM_OFF);
	EXPECT_EQ(SIGMA_GUARD_NO, guard_of_machine(folder, why));
	EXPECT_STREQ("the firmware switched SVM off; switch it on in its set-up", why);

	write_file("guard", "");
	EXPECT_EQ(-EINVAL, guard_of_machine(folder, why));
}

TEST(less_than_full_is_told)
{
	EXPECT_SAID("Guard=auto has chosen \"memory\", which is against accidents, not against attacks",
		    warned(SIGMA_GUARD_AUTO, SIGMA_GUARD_MEMORY, SIGMA_REASON_NO_X2APIC));
	EXPECT_SAID("(this CPU has no x2APIC mode",
		    warned(SIGMA_GUARD_AUTO, SIGMA_GUARD_MEMORY, SIGMA_REASON_NO_X2APIC));
	EXPECT_SAID("(cpu 3 has APIC ID",
		    warned(SIGMA_GUARD_AUTO, SIGMA_GUARD_MEMORY, SIGMA_REASON_X2APIC_ID));
	EXPECT_SAID("has chosen \"no\": the guest is as trusted as a kernel module (this CPU has neither",
		    warned(SIGMA_GUARD_AUTO, SIGMA_GUARD_NO, SIGMA_REASON_NO_VIRTUALISATION));
	/* Whoever asked for it gets no message */
	EXPECT_STREQ("", warned(SIGMA_GUARD_MEMORY, SIGMA_GUARD_MEMORY, SIGMA_REASON_NONE));
	EXPECT_STREQ("", warned(SIGMA_GUARD_NO, SIGMA_GUARD_NO, SIGMA_REASON_NONE));
	EXPECT_STREQ("", warned(SIGMA_GUARD_AUTO, SIGMA_GUARD_FULL, SIGMA_REASON_NONE));
}

TEST_HARNESS_MAIN
