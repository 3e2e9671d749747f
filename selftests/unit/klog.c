// SPDX-License-Identifier: GPL-2.0
/*
 * Read a kernel log from memory: a small ring in memory that is laid out like a kernel's, and the
 * same with each field changed that a hostile guest could change.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include "../../daemon/klog.h"
#include "klog-image.h"
#include "tap.h"

static char *text;

static int read_log(void)
{
	size_t size;
	FILE *out;
	int error;

	free(text);
	text = NULL;
	out = open_memstream(&text, &size);
	error = klog_read(&mem, out);
	fclose(out);
	return error;
}

TEST(some_lines)
{
	for (unsigned int levels = 4; levels <= 5; levels++) {
		make(levels);
		log_text(0, "Linux version 9.9.9");
		log_text(1002003004, "two\nlines");
		log_text(12345678901234567, "late");
		ASSERT_EQ(0, read_log());
		EXPECT_STREQ("[    0.000000] Linux version 9.9.9\n[    1.002003] two\n"
			     "[    1.002003] lines\n[12345678.901234] late\n", text);
	}
}

TEST(text_over_pages_and_around_the_end)
{
	static char line[3000];
	char expected[3100];

	make(4);
	memset(line, 'x', sizeof(line));
	log_bytes(0, line, sizeof(line));
	memset(line, 'y', sizeof(line));
	log_bytes(0, line, sizeof(line));	/* crosses both pages */
	put(PRB + 16 + 32, (FIRST_ID + 1) & (~0ULL >> 2));
	memset(line, 'z', sizeof(line));
	log_bytes(0, line, sizeof(line));	/* does not fit after it */
	ASSERT_EQ(0, read_log());

	memset(expected, 'y', sizeof(expected));
	memcpy(expected, "[    0.000000] ", 15);
	EXPECT_EQ(0, memcmp(text, expected, 15 + sizeof(line)));
	memset(expected + 15, 'z', sizeof(line));
	EXPECT_EQ(0, memcmp(text + 16 + sizeof(line), expected, 15 + sizeof(line)));
	EXPECT_EQ(2 * (16 + sizeof(line)), strlen(text));
}

TEST(records_that_hold_nothing)
{
	make(4);
	log_text(0, "a");
	log_text(0, "reserved");
	put(desc_of(id - 1) + STATE_VAR, 0ULL << 62 | (id - 1));
	log_text(0, "reused");
	put(desc_of(id - 1) + STATE_VAR, 2ULL << 62 | 77);
	log_text(0, "failed");
	put(desc_of(id - 1) + POSITION + BEGIN, 1);
	put(desc_of(id - 1) + POSITION + NEXT, 1);
	log_text(0, "empty");
	put(desc_of(id - 1) + POSITION + BEGIN, 3);
	put(desc_of(id - 1) + POSITION + NEXT, 3);
	log_text(0, "committed");
	put(desc_of(id - 1) + STATE_VAR, 1ULL << 62 | (id - 1));
	ASSERT_EQ(0, read_log());
	EXPECT_STREQ("[    0.000000] a\n[    0.000000] \n[    0.000000] committed\n", text);
}

TEST(bytes_that_a_terminal_would_obey)
{
	make(4);
	log_text(0, "\33]0;title\a\tok\x9b");
	ASSERT_EQ(0, read_log());
	EXPECT_STREQ("[    0.000000] \\x1b]0;title\\x07\tok\\x9b\n", text);
}

TEST(no_log)
{
	make(4);
	memory[VMCOREINFO] = 'X';
	EXPECT_EQ(-ENOENT, read_log());
	make(4);
	memset(memory + VMCOREINFO + 100, 0, PAGE - 100);
	EXPECT_EQ(-EINVAL, read_log());
	/* The text has no terminating zero */
	make(4);
	memset(memory + VMCOREINFO + 20, 'x', PAGE - 20);
	EXPECT_EQ(-EINVAL, read_log());
}

/* A page that looks like VMCOREINFO, perhaps in the page cache, must not hide the real one */
TEST(impostors)
{
	make(4);
	log_text(0, "real");
	strcpy((char *)memory + PAGE, "OSRELEASE=1.2.3\nSYMBOL(prb)=zz\n");
	strcpy((char *)memory + 2 * PAGE, "OSRELEASE=");
	ASSERT_EQ(0, read_log());
	EXPECT_STREQ("[    0.000000] real\n", text);
}

TEST(hostile_addresses)
{
	static const uint64_t places[] = {
		TOP_TABLE + 511 * 8, PRB_POINTER, PRB + 16 + 8, PRB + 16 + 16, PRB + 128 + 8,
	};
	static const uint64_t values[] = {
		0, 1, 3, ~0ULL, PHYS - PAGE + 3, PHYS + SIZE + 3, KERNEL_MAP - 1,
		KERNEL_MAP + (2 << 20) - 4, DIRECT_MAP + 2 * PAGE - 1, 1ULL << 63,
	};

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		for (size_t j = 0; j < sizeof(values) / sizeof(*values); j++) {
			make(4);
			log_text(0, "text");
			put(places[i], values[j]);
			EXPECT_TRUE(read_log() <= 0);
		}
	}
}

TEST(hostile_sizes)
{
	make(4);
	put32(PRB + 16 + 4, 63);
	EXPECT_EQ(-EINVAL, read_log());
	make(4);
	put32(PRB + 128, 64);
	EXPECT_EQ(-EINVAL, read_log());
	make(4);
	put(PRB + 16 + 24, FIRST_ID + COUNT);
	EXPECT_EQ(-EINVAL, read_log());
	/* The longest possible text, in the longest possible block */
	make(4);
	log_text(0, "text");
	put(desc_of(FIRST_ID) + POSITION + NEXT, FIRST_POSITION + TEXT_SIZE);
	memset(memory + INFOS + FIRST_ID % COUNT * INFO_SIZE + TEXT_LEN, 0xff, 2);
	EXPECT_EQ(0, read_log());
}

/* Many records share one text of newlines only, so the output is sixteen times as long */
TEST(output_is_bounded)
{
	const unsigned int count_bits = 8, count = 1 << count_bits;
	const uint64_t descs = 0x100000, infos = 0x140000;

	make(4);
	memset(memory + TEXT, '\n', TEXT_SIZE);
	put32(PRB + 16 + 4, count_bits);
	put(PRB + 16 + 8, KERNEL_MAP + descs);
	put(PRB + 16 + 16, KERNEL_MAP + infos);
	put(PRB + 16 + 24, count - 1);
	put(PRB + 16 + 32, 0);
	for (unsigned int i = 0; i < count; i++) {
		put(descs + i * DESC_SIZE + STATE_VAR, 2ULL << 62 | i);
		put(descs + i * DESC_SIZE + POSITION + BEGIN, TEXT_SIZE);
		put(descs + i * DESC_SIZE + POSITION + NEXT, 2 * TEXT_SIZE);
		memset(memory + infos + i * INFO_SIZE + TEXT_LEN, 0xff, 2);
	}
	ASSERT_EQ(0, read_log());
	EXPECT_TRUE(strlen(text) > KLOG_PRINT_MAX);
	EXPECT_TRUE(strlen(text) < KLOG_PRINT_MAX + (1 << 20));
	EXPECT_TRUE(strstr(text, "\n<cut after "));
}

/* Random pages cause no crash and no endless loop */
TEST(noise)
{
	srand(1);
	for (int round = 0; round < 300; round++) {
		make(4 + round % 2);
		for (int i = 0; i < 5; i++)
			log_text(i, "some text");
		for (int i = 0; i < 40; i++) {
			static const uint64_t from[] = { PRB, DESCS, INFOS, TOP_TABLE, VMCOREINFO };
			uint64_t at = from[rand() % 5] + rand() % 600;

			memory[at] ^= 1 << rand() % 8;
		}
		read_log();
	}
	EXPECT_TRUE(true);
	unmake();
	free(text);
	text = NULL;
}

TEST_HARNESS_MAIN
