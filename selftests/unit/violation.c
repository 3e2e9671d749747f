// SPDX-License-Identifier: GPL-2.0
/* common/violation.c and common/reason.c: sigma.ko's numbers in words. */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "../../common/reason.h"
#include "../../common/violation.h"
#include "tap.h"

TEST(violation_in_lines)
{
	static const struct sigma_violation violation = {
		.reason = SIGMA_VIOLATION_MEMORY, .cpu = 13, .guest_cpu = 1, .write = 1, .cpl = 3,
		.info = 0x1000000, .rip = 0xffffffffc0001234, .rflags = 0x246, .cr0 = 0x80050033,
		.cr2 = 0x7f, .cr3 = 0x10a, .cr4 = 0x6f0, .efer = 0x1d01,
		.gpr = { 0x600df00d600df00d, 1, 2, 3, 0xffffc90000013d10, 5, 6, 7,
			 8, 9, 10, 11, 12, 13, 14, UINT64_MAX },
	};
	struct violation_register registers[VIOLATION_REGISTERS];
	char text[VIOLATION_TEXT_MAX];

	violation_text(&violation, text);
	EXPECT_STREQ("wrote to address 0x1000000, which is not the guest's\n"
		"cpu 13 (the guest's CPU 1), CPL 3, RIP 0xffffffffc0001234\n"
		"rflags 246 cr0 80050033 cr2 7f cr3 10a cr4 6f0 efer 1d01\n"
		"rax 600df00d600df00d rcx 0000000000000001 rdx 0000000000000002 rbx 0000000000000003\n"
		"rsp ffffc90000013d10 rbp 0000000000000005 rsi 0000000000000006 rdi 0000000000000007\n"
		"r8 0000000000000008 r9 0000000000000009 r10 000000000000000a r11 000000000000000b\n"
		"r12 000000000000000c r13 000000000000000d r14 000000000000000e r15 ffffffffffffffff\n",
		text);
	violation_registers(&violation, registers);
	EXPECT_STREQ("rip", registers[0].name);
	EXPECT_EQ(0xffffffffc0001234, registers[0].value);
	EXPECT_STREQ("r15", registers[VIOLATION_REGISTERS - 1].name);
	EXPECT_EQ(UINT64_MAX, registers[VIOLATION_REGISTERS - 1].value);
}

/* All fields at their greatest values fit */
TEST(longest_violation)
{
	struct sigma_violation violation;
	char text[VIOLATION_TEXT_MAX];

	memset(&violation, 0xff, sizeof(violation));
	violation_text(&violation, text);
	EXPECT_TRUE(strlen(text) < sizeof(text) - 1);
	EXPECT_STREQ("r15 ffffffffffffffff\n", strstr(text, "r15"));
}

static const char *what(uint32_t reason, bool write, bool fetch)
{
	static char text[VIOLATION_WHAT_MAX];

	violation_what(&(struct sigma_violation){ .reason = reason, .info = 0xabc, .write = write,
						  .fetch = fetch }, text);
	return text;
}

TEST(every_kind_of_violation)
{
	EXPECT_STREQ("read from address 0xabc, which is not the guest's",
		     what(SIGMA_VIOLATION_MEMORY, false, false));
	EXPECT_STREQ("ran code at address 0xabc, which is not the guest's",
		     what(SIGMA_VIOLATION_MEMORY, false, true));
	EXPECT_STREQ("triple fault", what(SIGMA_VIOLATION_SHUTDOWN, false, false));
	EXPECT_STREQ("sent an interrupt that it may not send, ICR 0xabc",
		     what(SIGMA_VIOLATION_IPI, false, false));
	EXPECT_STREQ("invalid CPU state", what(SIGMA_VIOLATION_STATE, false, false));
	EXPECT_STREQ("machine check, status 0xabc",
		     what(SIGMA_VIOLATION_MACHINE_CHECK, false, false));
	EXPECT_STREQ("fault in the guard itself at 0xabc, please report it",
		     what(SIGMA_VIOLATION_GUARD, false, false));
	EXPECT_STREQ("caused a VM exit that the guard does not handle, code 0xabc",
		     what(SIGMA_VIOLATION_EXIT, false, false));
}

static const char *reason(uint32_t reason, uint32_t cpu, uint64_t value)
{
	static char text[REASON_TEXT_MAX];

	reason_text(&(struct sigma_why){ .reason = reason, .cpu = cpu, .value = value }, 1 << 30,
		    text);
	return text;
}

/* Each one has words of its own, which fit with the greatest numbers */
TEST(every_reason_has_words)
{
	char texts[SIGMA_REASON_PLACE_PIECES + 1][REASON_TEXT_MAX];

	EXPECT_STREQ("", reason(SIGMA_REASON_NONE, 0, 0));
	for (uint32_t i = 1; i <= SIGMA_REASON_PLACE_PIECES; i++) {
		strcpy(texts[i], reason(i, UINT32_MAX, UINT64_MAX));
		EXPECT_TRUE(texts[i][0] && strlen(texts[i]) < REASON_TEXT_MAX - 1);
		EXPECT_TRUE(!strstr(texts[i], "does not know: they are"));
		for (uint32_t k = 1; k < i; k++)
			EXPECT_TRUE(strcmp(texts[i], texts[k]));
	}
	EXPECT_STREQ("sigma.ko gives reason 54, which this program does not know: they are of different versions",
		     reason(SIGMA_REASON_PLACE_PIECES + 1, 0, 0));
}

TEST(numbers_in_reasons)
{
	EXPECT_STREQ("cpu 3: shares a core with cpu 2, which this guest does not get; give it both, or allow it with SplitCores=yes",
		     reason(SIGMA_REASON_CPU_SIBLING, 3, 2));
	EXPECT_STREQ("cannot gather 1024 MiB of memory: the host can lend 5 MiB now, since it keeps an eighth of its memory for itself; ask for less, or free some",
		     reason(SIGMA_REASON_GUEST_MEMORY, 0, 5 << 20));
	EXPECT_STREQ("no 40 KiB in one piece are left below 1 MiB, where every kernel needs some: 12 guests have what this machine has there; stop one",
		     reason(SIGMA_REASON_LOW_MEMORY, 0, 12));
	EXPECT_STREQ("the firmware leaves no 40 KiB in one piece below 1 MiB, where every kernel needs some: this machine cannot run guests",
		     reason(SIGMA_REASON_LOW_MEMORY, 0, 0));
	EXPECT_STREQ("cannot make its device node: No space left on device",
		     reason(SIGMA_REASON_DEVICE, 0, ENOSPC));
	EXPECT_STREQ("the pool has 8 ranges, and takes no more; unloading sigma.ko empties it",
		     reason(SIGMA_REASON_POOL_FULL, 0, 8));
	EXPECT_STREQ("the host's kernel cannot map this memory: Cannot allocate memory; dmesg may tell more",
		     reason(SIGMA_REASON_POOL_UNMAPPABLE, 0, ENOMEM));
}

TEST_HARNESS_MAIN
