// SPDX-License-Identifier: GPL-2.0
/* Writing a guest's memory as an ELF core: its layout, and what a hostile guest can cause. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "../../ctl/vmcore.h"
#include "klog-image.h"
#include "tap.h"

#define LOW_PHYS	0x90000ULL
#define NR_CPUS		2
#define SPARE		0x100000			/* for page tables of the direct mapping */

static uint8_t low[SIGMA_LOW_SIZE];
static struct elf_prstatus cpus[NR_CPUS];
static struct vmcoreinfo info;
static struct vmcore core;
static uint64_t told, stop_at, failed;

static uint8_t *file;
static size_t file_size;
static int fd = -1;

static bool on_progress(void *data, uint64_t done, uint64_t size)
{
	told = done;
	return done < stop_at;
}

static void make_core(unsigned int levels)
{
	make(levels);
	map(DIRECT_MAP + PHYS, PHYS, levels, 2, SPARE);
	log_text(0, "some text");
	for (size_t i = 0; i < sizeof(low); i += PAGE)
		low[i] = i / PAGE;
	cpus[1].pr_reg[0] = 0x1234;
	stop_at = ~0ULL;
	core = (struct vmcore) {
		.mem = &mem, .low = low, .low_phys = LOW_PHYS, .info = &info, .cpus = cpus,
		.nr_cpus = NR_CPUS, .progress = on_progress,
	};
}

static int write_core(bool sparse)
{
	struct stat st;
	int error;

	if (file)
		munmap(file, file_size);
	if (fd >= 0)
		close(fd);
	fd = memfd_create("core", MFD_CLOEXEC);
	error = vmcore_write(&core, fd, sparse, &failed);
	fstat(fd, &st);
	file_size = st.st_size;
	file = mmap(NULL, file_size, PROT_READ, MAP_SHARED, fd, 0);
	return error;
}

static const Elf64_Phdr *program_header(unsigned int i)
{
	const Elf64_Ehdr *ehdr = (void *)file;

	return i < ehdr->e_phnum ? (const Elf64_Phdr *)(file + ehdr->e_phoff) + i : NULL;
}

/* The memory is in the file, with these addresses */
static void expect_load(unsigned int i, uint64_t phys, uint64_t virt, uint64_t size,
			const uint8_t *bytes)
{
	const Elf64_Phdr *load = program_header(i);

	ASSERT_TRUE(load);
	EXPECT_EQ(PT_LOAD, load->p_type);
	EXPECT_EQ(phys, load->p_paddr);
	EXPECT_EQ(virt, load->p_vaddr);
	EXPECT_EQ(size, load->p_filesz);
	EXPECT_EQ(size, load->p_memsz);
	EXPECT_EQ(0, load->p_offset % PAGE);
	EXPECT_EQ(0, load->p_align);
	ASSERT_TRUE(load->p_offset + size <= file_size);
	EXPECT_EQ(0, memcmp(file + load->p_offset, bytes, size));
}

static const Elf64_Nhdr *note(unsigned int i)
{
	const Elf64_Phdr *notes = program_header(0);
	uint64_t at = 0;

	while (at < notes->p_filesz) {
		const Elf64_Nhdr *found = (void *)(file + notes->p_offset + at);

		if (!i--)
			return found;
		at += sizeof(*found) + (found->n_namesz + 3) / 4 * 4 + (found->n_descsz + 3) / 4 * 4;
	}
	EXPECT_EQ(notes->p_filesz, at);
	return NULL;
}

static const uint8_t *note_text(const Elf64_Nhdr *found)
{
	return (const uint8_t *)(found + 1) + (found->n_namesz + 3) / 4 * 4;
}

TEST(layout)
{
	for (unsigned int levels = 4; levels <= 5; levels++) {
		const Elf64_Ehdr *ehdr;

		make_core(levels);
		ASSERT_EQ(0, vmcoreinfo_find(&info, &mem));
		ASSERT_EQ(0, write_core(false));
		ehdr = (void *)file;
		EXPECT_EQ(0, memcmp(ehdr->e_ident, ELFMAG, SELFMAG));
		EXPECT_EQ(ELFCLASS64, ehdr->e_ident[EI_CLASS]);
		EXPECT_EQ(ET_CORE, ehdr->e_type);
		EXPECT_EQ(EM_X86_64, ehdr->e_machine);
		EXPECT_EQ(4, ehdr->e_phnum);
		EXPECT_EQ(PT_NOTE, program_header(0)->p_type);
		expect_load(1, LOW_PHYS, DIRECT_MAP + LOW_PHYS, sizeof(low), low);
		expect_load(2, PHYS, DIRECT_MAP + PHYS, SIZE, memory);
		/* One large page of the kernel is mapped */
		expect_load(3, PHYS, KERNEL_MAP, 2 << 20, memory);
		EXPECT_EQ(sizeof(low) + SIZE, told);
		EXPECT_EQ(program_header(2)->p_offset + SIZE, file_size);
	}
}

TEST(notes)
{
	const Elf64_Nhdr *found;

	make_core(4);
	ASSERT_EQ(0, vmcoreinfo_find(&info, &mem));
	ASSERT_EQ(0, write_core(false));
	for (unsigned int i = 0; i < NR_CPUS; i++) {
		found = note(i);
		ASSERT_TRUE(found);
		EXPECT_EQ(NT_PRSTATUS, found->n_type);
		EXPECT_STREQ("CORE", (const char *)(found + 1));
		ASSERT_EQ(sizeof(cpus[i]), found->n_descsz);
		EXPECT_EQ(0, memcmp(note_text(found), &cpus[i], sizeof(cpus[i])));
	}
	found = note(NR_CPUS);
	ASSERT_TRUE(found);
	EXPECT_STREQ("VMCOREINFO", (const char *)(found + 1));
	ASSERT_EQ(strlen((char *)memory + VMCOREINFO), found->n_descsz);
	EXPECT_EQ(0, memcmp(note_text(found), memory + VMCOREINFO, found->n_descsz));
	EXPECT_TRUE(!note(NR_CPUS + 1));
}

TEST(two_segments_of_which_the_second_has_the_kernel)
{
	struct guest_memory kernel;

	make_core(4);
	kernel = mem;
	mem = (struct guest_memory) {
		.nr = 2, .segment = { { PHYS - PAGE * 4, PAGE, 0 }, { PHYS, SIZE, PAGE } },
	};
	make_file(SIZE + PAGE);
	memset(mem.base, 'x', PAGE);
	memcpy(mem.base + PAGE, kernel.base, SIZE);
	memory_close(&kernel);
	memory = mem.base + PAGE;
	ASSERT_EQ(0, vmcoreinfo_find(&info, &mem));
	ASSERT_EQ(0, write_core(false));
	/* Without the direct mapping's address the first segment has no virtual one */
	expect_load(2, PHYS - PAGE * 4, 0, PAGE, mem.base);
	expect_load(3, PHYS, 0, SIZE, memory);
	expect_load(4, PHYS, KERNEL_MAP, 2 << 20, memory);
}

/* KASLR: the direct mapping is above its default address */
TEST(direct_mapping_elsewhere)
{
	const uint64_t moved = DIRECT_MAP + (77ULL << 39) + (5ULL << 30);

	make_core(4);
	put(TOP_TABLE + (DIRECT_MAP >> 39 & 511) * 8, 0);
	map(moved + LOW_PHYS, LOW_PHYS, 4, 1, SPARE + 8 * PAGE);
	map(moved + PHYS, PHYS, 4, 2, SPARE + 12 * PAGE);
	ASSERT_EQ(0, vmcoreinfo_find(&info, &mem));
	ASSERT_EQ(0, write_core(false));
	expect_load(1, LOW_PHYS, moved + LOW_PHYS, sizeof(low), low);
	expect_load(2, PHYS, moved + PHYS, SIZE, memory);
}

TEST(no_kernel)
{
	make_core(4);
	core.info = NULL;
	ASSERT_EQ(0, write_core(false));
	expect_load(1, LOW_PHYS, 0, sizeof(low), low);
	expect_load(2, PHYS, 0, SIZE, memory);
	EXPECT_TRUE(!program_header(3));
	EXPECT_TRUE(note(NR_CPUS - 1) && !note(NR_CPUS));
}

TEST(zeros_are_holes)
{
	uint8_t *dense;
	size_t size;
	struct stat st;

	make_core(4);
	ASSERT_EQ(0, vmcoreinfo_find(&info, &mem));
	ASSERT_EQ(0, write_core(false));
	size = file_size;
	dense = malloc(size);
	memcpy(dense, file, size);
	ASSERT_EQ(0, write_core(true));
	ASSERT_EQ(size, file_size);
	/* Memory ends with zeroes and is mostly empty. Reading the mapping would fill the holes. */
	EXPECT_TRUE(lseek(fd, file_size - PAGE, SEEK_DATA) < 0 && errno == ENXIO);
	EXPECT_TRUE(!fstat(fd, &st) && st.st_blocks * 512ULL < SIZE / 4);
	EXPECT_EQ(0, memcmp(dense, file, size));
	free(dense);
}

/* The dump goes on after a page that cannot be read, and says so */
TEST(page_with_a_memory_error)
{
	static const uint64_t pages[] = { 0, TEXT, SIZE / 2 + PAGE, SIZE - PAGE };

	for (size_t i = 0; i < sizeof(pages) / sizeof(*pages); i++) {
		make_core(4);
		memset(memory + pages[i], 'x', PAGE);
		failing_page = pages[i];
		ASSERT_EQ(0, vmcoreinfo_find(&info, &mem));
		ASSERT_EQ(0, write_core(i % 2));
		EXPECT_EQ(1, failed);
		memset(memory + pages[i], 0, PAGE);
		expect_load(2, PHYS, DIRECT_MAP + PHYS, SIZE, memory);
	}
	failing_page = VMCOREINFO;
	EXPECT_EQ(-ENOENT, vmcoreinfo_find(&info, &mem));
	make_core(4);
	ASSERT_EQ(0, vmcoreinfo_find(&info, &mem));
	ASSERT_EQ(0, write_core(true));
	EXPECT_EQ(0, failed);
}

TEST(write_that_is_ended)
{
	make_core(4);
	ASSERT_EQ(0, vmcoreinfo_find(&info, &mem));
	stop_at = SIZE / 2;
	EXPECT_EQ(-EINTR, write_core(false));
	EXPECT_TRUE(told >= SIZE / 2 && told < SIZE);
	EXPECT_EQ(-EINTR, write_core(true));
	stop_at = ~0ULL;
	close(fd);
	fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	EXPECT_EQ(-ENOSPC, vmcore_write(&core, fd, false, &failed));
}

/* Random page tables cause no crash or endless loop, and only the guest's memory is written */
TEST(hostile_tables)
{
	srand(1);
	for (int round = 0; round < 100; round++) {
		make_core(4 + round % 2);
		if (vmcoreinfo_find(&info, &mem))
			continue;
		for (int i = 0; i < 40; i++) {
			uint64_t at = (rand() % 2 ? TOP_TABLE : SPARE) + rand() % (5 * 512) * 8;

			put(at, (i % 2 ? PHYS + rand() % SIZE : (uint64_t)rand() << 20) | 0x83);
		}
		ASSERT_EQ(0, write_core(true));
		for (unsigned int i = 1; program_header(i); i++)
			EXPECT_TRUE(program_header(i)->p_offset + program_header(i)->p_filesz <=
				    file_size);
	}
	munmap(file, file_size);
	close(fd);
	unmake();
}

TEST_HARNESS_MAIN
