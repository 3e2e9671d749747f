// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel in a bzImage: packed in all ways that can be unpacked, with lists of relocations old and
 * new, and what is damaged. It is kept for the next start.
 */
#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <stddef.h>
#include <sys/stat.h>

#include "image.h"
#include "kernelfile.h"

#define LINKED_AT	0x1000000
#define MAP		0xffffffff80000000
#define SEGMENT_AT	0x1000
#define SEGMENT_SIZE	0x1000
#define MEMORY_SIZE	0x3000
#define RELOCS_AT	offsetof(struct elf, relocs)
#define RELOCS_MAX	16

/* A kernel of one segment, section headers, and the lists */
static struct elf {
	Elf64_Ehdr elf;
	Elf64_Phdr segment;
	uint8_t rest[SEGMENT_AT - sizeof(Elf64_Ehdr) - sizeof(Elf64_Phdr)];
	union {
		uint8_t bytes[SEGMENT_SIZE];
		struct {
			uint64_t pointer;
			uint32_t low;		/* a pointer's low half */
			int32_t percpu;
		};
	} text;
	Elf64_Shdr sections[2];
	uint32_t relocs[RELOCS_MAX];
} elf;

static uint8_t file[IMAGE_SETUP_SIZE + 2 * sizeof(elf)];
static char dir[] = "/tmp/sigma-cache-XXXXXX";

#define ADDRESS(field) ((uint32_t)(MAP + LINKED_AT + offsetof(struct elf, text.field) - SEGMENT_AT))

static void make_elf(void)
{
	memset(&elf, 0, sizeof(elf));
	elf_header(&elf.elf, LINKED_AT + 0x70, offsetof(struct elf, segment), 1);
	elf.elf.e_shoff = offsetof(struct elf, sections);
	elf.elf.e_shentsize = sizeof(Elf64_Shdr);
	elf.elf.e_shnum = 2;
	elf.segment = (Elf64_Phdr) {
		.p_type = PT_LOAD, .p_offset = SEGMENT_AT, .p_paddr = LINKED_AT,
		.p_vaddr = MAP + LINKED_AT, .p_filesz = SEGMENT_SIZE, .p_memsz = MEMORY_SIZE,
	};
	memset(elf.text.bytes, 0x90, SEGMENT_SIZE);
	elf.text.pointer = MAP + LINKED_AT + 0x123;
	elf.text.low = (uint32_t)(MAP + LINKED_AT + 0x456);
	elf.text.percpu = -0x789;
}

/* The lists of 6.1: 0, 64 bits, 0, relative to the per-CPU area, 0, 32 bits. Return: the file's size */
static size_t old_lists(void)
{
	const uint32_t lists[] = { 0, ADDRESS(pointer), 0, ADDRESS(percpu), 0, ADDRESS(low) };

	memcpy(elf.relocs, lists, sizeof(lists));
	return RELOCS_AT + sizeof(lists);
}

static size_t new_lists(void)
{
	const uint32_t lists[] = { 0, ADDRESS(pointer), 0, ADDRESS(low) };

	memcpy(elf.relocs, lists, sizeof(lists));
	return RELOCS_AT + sizeof(lists);
}

/* A bzImage with @size bytes of @elf, compressed by this filter. Return: the size of the image */
static size_t pack(int filter, size_t size)
{
	struct setup_header *hdr = (struct setup_header *)(file + IMAGE_HEADER_AT);
	uint8_t *payload = file + IMAGE_SETUP_SIZE + IMAGE_ENTRY_64;
	struct archive *out = archive_write_new();
	struct archive_entry *entry = archive_entry_new();
	uint32_t unpacked = size;
	size_t used = 0;

	image_make(file, "6.1.0-50-amd64");
	archive_write_set_format_raw(out);
	if (archive_write_add_filter(out, filter) != ARCHIVE_OK)
		return 0;
	archive_write_set_bytes_per_block(out, 0);
	archive_write_open_memory(out, payload, sizeof(file) - (payload - file), &used);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_write_header(out, entry);
	archive_write_data(out, &elf, size);
	archive_write_close(out);
	archive_write_free(out);
	archive_entry_free(entry);
	if (filter == ARCHIVE_FILTER_GZIP)
		used -= sizeof(unpacked);	/* it ends with its length */
	memcpy(payload + used, &unpacked, sizeof(unpacked));
	used += sizeof(unpacked);
	hdr->payload_offset = IMAGE_ENTRY_64;
	hdr->payload_length = used;
	hdr->syssize = (IMAGE_ENTRY_64 + used + 15) / 16;
	return IMAGE_SETUP_SIZE + hdr->syssize * 16;
}

static int open_packed(size_t size)
{
	size_t packed = pack(ARCHIVE_FILTER_ZSTD, size);

	return packed ? open_bytes(file, packed) : -ENOSYS;
}

TEST(packed_in_all_ways)
{
	static const int filters[] = {
		ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_BZIP2, ARCHIVE_FILTER_LZMA, ARCHIVE_FILTER_XZ,
		ARCHIVE_FILTER_LZ4, ARCHIVE_FILTER_ZSTD,
	};
	static uint8_t memory[MEMORY_SIZE];

	setenv("SIGMA_CACHEDIR", "/proc", 1);	/* no place for files */
	for (size_t i = 0; i < sizeof(filters) / sizeof(*filters); i++) {
		size_t size;

		make_elf();
		size = pack(filters[i], old_lists());
		ASSERT_NE(0, size);
		ASSERT_EQ(0, open_bytes(file, size));
		EXPECT_STREQ("", said);
		EXPECT_EQ(1, image.nr_segments);
		EXPECT_EQ(MEMORY_SIZE, image.init_size);
		EXPECT_EQ(0x70, image.entry);
		EXPECT_EQ(0, image.pref_address);
		EXPECT_EQ(0x200000, image.alignment);
		EXPECT_EQ(IMAGE_PREF_ADDRESS, image.hdr.pref_address);
		EXPECT_STREQ("6.1.0-50-amd64", image.version);
		EXPECT_TRUE(image.can_move);
		memset(memory, 0, sizeof(memory));
		kernel_copy(&image, memory);
		EXPECT_EQ(0, memcmp(memory, elf.text.bytes, SEGMENT_SIZE));
		EXPECT_EQ(0, memory[SEGMENT_SIZE]);
		kernel_close(&image);
	}
}

TEST(it_moves)
{
	static union {
		typeof(elf.text) text;
		uint8_t bytes[MEMORY_SIZE];
	} memory;
	const uint64_t delta = 0x1e00000;

	for (int percpu = 0; percpu < 2; percpu++) {
		make_elf();
		ASSERT_EQ(0, open_packed(percpu ? old_lists() : new_lists()));
		ASSERT_TRUE(image.can_move);
		memset(&memory, 0, sizeof(memory));
		kernel_copy(&image, memory.bytes);
		kaslr_move(&image, memory.bytes, delta);
		EXPECT_EQ(MAP + LINKED_AT + 0x123 + delta, memory.text.pointer);
		EXPECT_EQ((uint32_t)(MAP + LINKED_AT + 0x456 + delta), memory.text.low);
		EXPECT_EQ(percpu ? -0x789 - (int32_t)delta : -0x789, memory.text.percpu);
		EXPECT_EQ(0x90, memory.text.bytes[sizeof(uint64_t) * 2]);
		kernel_close(&image);
	}
}

TEST(where_it_moves_to)
{
	uint64_t all = 0;

	make_elf();
	ASSERT_EQ(0, open_packed(new_lists()));
	for (int i = 0; i < 100; i++) {
		uint64_t delta = kaslr_choose(&image);

		EXPECT_EQ(0, delta % 0x200000);
		EXPECT_TRUE(LINKED_AT + delta + MEMORY_SIZE <= 1 << 30);
		all |= delta;
	}
	EXPECT_NE(0, all);
	image.init_size = 1 << 30;
	EXPECT_EQ(0, kaslr_choose(&image));
	image.can_move = false;
	EXPECT_EQ(0, kaslr_choose(&image));
	kernel_close(&image);
}

TEST(a_kernel_that_cannot_move)
{
	make_elf();
	ASSERT_EQ(0, open_packed(RELOCS_AT));
	EXPECT_STREQ("", said);
	EXPECT_TRUE(!image.can_move);
	EXPECT_EQ(0, kaslr_choose(&image));
	kernel_close(&image);
}

TEST(words_that_forbid_it)
{
	EXPECT_TRUE(cmdline_has("root=/dev/vda nokaslr quiet", "nokaslr"));
	EXPECT_TRUE(cmdline_has("\"nokaslr\"", "nokaslr"));
	EXPECT_TRUE(!cmdline_has("nokaslr=0 nokaslr2 anokaslr", "nokaslr"));
	EXPECT_TRUE(!cmdline_has("quiet -- nokaslr", "nokaslr"));
	EXPECT_TRUE(!cmdline_has("", "nokaslr"));
}

TEST(lists_that_are_wrong)
{
	static const struct {
		uint32_t words[RELOCS_MAX];
		size_t size;
	} wrong[] = {
		{ { 0 }, 4 },				/* one list */
		{ { ADDRESS(low), 0, 0 }, 12 },		/* no 0 before it */
		{ { 0, 0, 0, 0 }, 16 },			/* four lists */
		{ { 0, 0, ADDRESS(low) }, 11 },		/* no whole word */
		{ { 0, 0, (uint32_t)MAP + LINKED_AT - 1 }, 12 },
		{ { 0, 0, (uint32_t)MAP + LINKED_AT + MEMORY_SIZE - 3 }, 12 },
		{ { 0, (uint32_t)MAP + LINKED_AT + MEMORY_SIZE - 7, 0 }, 12 },
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		make_elf();
		memcpy(elf.relocs, wrong[i].words, sizeof(elf.relocs));
		ASSERT_EQ(0, open_packed(RELOCS_AT + wrong[i].size));
		EXPECT_SAID("relocations cannot be read", said);
		EXPECT_TRUE(!image.can_move);
		kernel_close(&image);
	}
	make_elf();
	elf.elf.e_shoff = UINT64_MAX;
	ASSERT_EQ(0, open_packed(new_lists()));
	EXPECT_SAID("relocations cannot be read", said);
	kernel_close(&image);
}

/* What is started as a bzImage: its own code unpacks it, or says what is wrong with it */
TEST(what_is_not_unpacked)
{
	struct setup_header *hdr = (struct setup_header *)(file + IMAGE_HEADER_AT);
	size_t size;

	for (int i = 0; i < 5; i++) {
		make_elf();
		size = new_lists();
		if (i == 0)
			memset(&elf.elf, 0, sizeof(elf.elf));
		size = pack(ARCHIVE_FILTER_ZSTD, size);
		ASSERT_NE(0, size);
		if (i == 1)
			hdr->payload_length = UINT32_MAX;
		if (i == 2)
			hdr->payload_offset = UINT32_MAX;
		if (i == 3)
			hdr->payload_length -= 5;
		if (i == 4)
			memset(file + IMAGE_SETUP_SIZE + IMAGE_ENTRY_64, 'L', 16);
		ASSERT_EQ(0, open_bytes(file, size));
		EXPECT_EQ(IMAGE_ENTRY_64, image.entry);
		EXPECT_EQ(IMAGE_INIT_SIZE, image.init_size);
		EXPECT_TRUE(!image.can_move);
		kernel_close(&image);
	}
}

TEST(a_payload_that_is_no_kernel)
{
	make_elf();
	elf.segment.p_paddr = 0x1000;
	EXPECT_EQ(-EINVAL, open_packed(new_lists()));
	EXPECT_SAID("not a kernel's", said);
}

static unsigned int nr_files(void)
{
	struct dirent *entry;
	unsigned int nr = 0;
	DIR *all = opendir(dir);

	while ((entry = readdir(all)))
		nr += entry->d_name[0] != '.';
	closedir(all);
	return nr;
}

TEST(it_is_kept)
{
	struct kernel kept = { .data = (uint8_t *)&elf, .size = sizeof(elf) }, found = {};
	struct payload payload = { .data = (const uint8_t *)"packed", .size = 6, .unpacked = sizeof(elf) };
	/* One that it ends with, and another one of its length */
	const struct payload others[] = {
		{ .data = payload.data + 1, .size = 5, .unpacked = sizeof(elf) },
		{ .data = (const uint8_t *)"PACKED", .size = 6, .unpacked = sizeof(elf) },
	};
	struct stat st = { .st_ino = 1, .st_size = 7 };

	ASSERT_TRUE(mkdtemp(dir));
	setenv("SIGMA_CACHEDIR", dir, 1);
	make_elf();
	EXPECT_TRUE(!kernelcache_load(&found, &st, &payload));
	kernelcache_save(&kept, &st, &payload);
	ASSERT_TRUE(kernelcache_load(&found, &st, &payload));
	EXPECT_EQ(sizeof(elf), found.size);
	EXPECT_EQ(0, memcmp(&elf, found.data, sizeof(elf)));
	kernel_close(&found);

	/* A file with the same name, of another disk */
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		EXPECT_TRUE(!kernelcache_load(&found, &st, &others[i]));

	st.st_ctim.tv_nsec = 1;
	EXPECT_TRUE(!kernelcache_load(&found, &st, &payload));
	st.st_ctim.tv_nsec = 0;
	for (unsigned int i = 2; i < 8; i++) {
		struct stat other = { .st_ino = i };

		kernelcache_save(&kept, &other, &payload);
		EXPECT_EQ(i < 4 ? i : 4, nr_files());
		EXPECT_TRUE(kernelcache_load(&found, &other, &payload));
		kernel_close(&found);
	}

	/* A folder that others may write to is not read */
	kernelcache_save(&kept, &st, &payload);
	chmod(dir, 0777);
	EXPECT_TRUE(!kernelcache_load(&found, &st, &payload));
	chmod(dir, 0700);
	EXPECT_TRUE(kernelcache_load(&found, &st, &payload));
	kernel_close(&found);
	EXPECT_EQ(0, rmdir(dir) ? errno == ENOTEMPTY ? 0 : errno : 1);
}

/* The next start does not need what is packed */
TEST(the_next_start)
{
	char name[] = "/tmp/sigma-unit-XXXXXX";
	size_t size;
	int fd = mkstemp(name);

	make_elf();
	size = pack(ARCHIVE_FILTER_XZ, new_lists());
	ASSERT_EQ(size, write(fd, file, size));
	close(fd);
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, kernel_open(&image, name));
		EXPECT_EQ(0x70, image.entry);
		EXPECT_TRUE(image.can_move);
		kernel_close(&image);
	}
	unlink(name);
	ASSERT_EQ(0, system("rm -r \"$SIGMA_CACHEDIR\""));
}

TEST_HARNESS_MAIN
