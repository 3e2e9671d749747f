// SPDX-License-Identifier: GPL-2.0
/* A kernel's ELF file: a good one that is made here, and one with each possible fault. */
#include <elf.h>
#include <errno.h>
#include <stddef.h>

#include "kernelfile.h"

#define TEXT_AT		0x1000
#define DATA_AT		0x2000
#define SEGMENT_SIZE	0x1000
#define VERSION_AT	(TEXT_AT + 0x100)

static struct {
	Elf64_Ehdr elf;
	Elf64_Phdr segment[3];
	uint8_t rest[0x3000 - sizeof(Elf64_Ehdr) - 3 * sizeof(Elf64_Phdr)];
} file;


/* The layout of 6.1: text, data with a bss, and a note, which is no memory of its own */
static void good(void)
{
	memset(&file, 0, sizeof(file));
	elf_header(&file.elf, 0x1000070, offsetof(typeof(file), segment), 3);
	file.segment[0] = (Elf64_Phdr) {
		.p_type = PT_LOAD, .p_offset = DATA_AT, .p_paddr = 0x1400000,
		.p_vaddr = 0xffffffff81400000, .p_filesz = SEGMENT_SIZE, .p_memsz = 0x300000,
	};
	file.segment[1] = (Elf64_Phdr) {
		.p_type = PT_LOAD, .p_offset = TEXT_AT, .p_paddr = 0x1000000,
		.p_vaddr = 0xffffffff81000000, .p_filesz = SEGMENT_SIZE, .p_memsz = SEGMENT_SIZE,
	};
	file.segment[2] = (Elf64_Phdr) {
		.p_type = PT_NOTE, .p_offset = TEXT_AT, .p_paddr = 0x1000000, .p_memsz = 1UL << 40,
	};
	memset((uint8_t *)&file + TEXT_AT, 0x90, SEGMENT_SIZE);
	memset((uint8_t *)&file + DATA_AT, 0xda, SEGMENT_SIZE);
	strcpy((char *)&file + VERSION_AT - 0x40, "Linux version %s");
	strcpy((char *)&file + VERSION_AT, "Linux version 6.1.0-50-amd64 (builder@host) #1 SMP");
}

TEST(a_good_one)
{
	static uint8_t memory[0x700000];

	good();
	ASSERT_EQ(0, open_bytes(&file, sizeof(file)));
	EXPECT_STREQ("", said);
	EXPECT_EQ(2, image.nr_segments);
	EXPECT_EQ(sizeof(memory), image.init_size);
	EXPECT_EQ(0x70, image.entry);
	EXPECT_EQ(0x200000, image.alignment);
	EXPECT_EQ(2047, image.cmdline_max);
	EXPECT_EQ(0x53726448, image.hdr.header);
	EXPECT_STREQ("6.1.0-50-amd64", image.version);
	EXPECT_EQ(6, image.major);
	EXPECT_EQ(1, image.minor);

	kernel_copy(&image, memory);
	EXPECT_EQ(0x90, memory[0]);
	EXPECT_EQ(0, memory[SEGMENT_SIZE]);
	EXPECT_EQ(0xda, memory[0x400000]);
	EXPECT_EQ(0xda, memory[0x400000 + SEGMENT_SIZE - 1]);
	EXPECT_EQ(0, memory[0x400000 + SEGMENT_SIZE]);
	kernel_close(&image);
}

TEST(short_files)
{
	good();
	for (size_t size = SELFMAG; size < sizeof(file.elf) + sizeof(file.segment); size += 7)
		EXPECT_EQ(-EINVAL, open_bytes(&file, size));
	EXPECT_EQ(-EINVAL, open_bytes(&file, DATA_AT));
	EXPECT_SAID("truncated: 8192 bytes, at least 12288 are expected", said);
}

TEST(no_kernels)
{
	good();
	file.elf.e_ident[EI_CLASS] = ELFCLASS32;
	EXPECT_BAD("not for x86-64");
	good();
	file.elf.e_machine = EM_AARCH64;
	EXPECT_BAD("not for x86-64");
	good();
	file.elf.e_type = ET_REL;
	EXPECT_BAD("not a program");
	good();
	file.segment[1].p_paddr = 0x1000;
	EXPECT_BAD("not a kernel's");
	good();
	file.elf.e_entry = 0xfff;
	EXPECT_BAD("not a kernel's");
	good();
	file.elf.e_entry = 0x1700000;
	EXPECT_BAD("not a kernel's");
	good();
	file.segment[0].p_type = file.segment[1].p_type = PT_NULL;
	EXPECT_BAD("not a kernel's");
	good();
	file.segment[0].p_paddr = 1UL << 32;
	EXPECT_BAD("not a kernel's");
	good();
	strcpy((char *)&file + VERSION_AT, "Linux version 5.10.0 (x) #1");
	EXPECT_BAD("Linux 5.10.0 is too old for a guest");
}

TEST(damaged_ones)
{
	good();
	file.elf.e_phoff = UINT64_MAX;
	EXPECT_BAD("program headers are not in the file");
	good();
	file.elf.e_phoff = sizeof(file) - 1;
	EXPECT_BAD("program headers are not in the file");
	good();
	file.elf.e_phnum = 0;
	EXPECT_BAD("program headers are not in the file");
	good();
	file.elf.e_phentsize = 32;
	EXPECT_BAD("program headers are not in the file");
	good();
	file.segment[0].p_offset = UINT64_MAX;
	EXPECT_BAD("truncated");
	good();
	file.segment[0].p_filesz = UINT64_MAX;
	EXPECT_BAD("truncated");
	good();
	file.segment[0].p_memsz = 1;
	EXPECT_BAD("larger than a kernel");
	good();
	file.segment[0].p_memsz = UINT64_MAX;
	EXPECT_BAD("larger than a kernel");
	good();
	file.segment[0].p_paddr = UINT64_MAX - 1;
	EXPECT_BAD("larger than a kernel");
	good();
	memset((char *)&file + VERSION_AT, 'L', SEGMENT_SIZE / 2);
	EXPECT_BAD("which kernel version");
}

TEST(too_many_segments)
{
	Elf64_Phdr *header = (Elf64_Phdr *)((uint8_t *)&file + TEXT_AT);

	good();
	for (int i = 0; i <= KERNEL_SEGMENTS_MAX; i++)
		header[i] = file.segment[1];
	file.elf.e_phoff = TEXT_AT;
	file.elf.e_phnum = KERNEL_SEGMENTS_MAX + 1;
	EXPECT_BAD("more segments than a kernel");
}

TEST_HARNESS_MAIN
