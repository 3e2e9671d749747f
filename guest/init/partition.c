// SPDX-License-Identifier: GPL-2.0
/*
 * Partition tables: GPT (UEFI 2.10, 5.3), and the disk signature of an MBR, by which the kernel
 * makes the PARTUUID of its partitions.
 *
 * Checksums are not looked at. The kernel has checked them: the partitions of a table that it does
 * not accept have no nodes.
 */
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "init.h"

#define GUID_SIZE	16
#define GUID_TEXT	37
#define NAME_UNITS	36		/* of UTF-16 */
#define NAME_TEXT	(NAME_UNITS * 3 + 1)
#define ENTRIES_MAX	1024		/* 128 are usual */

/* The root partition of x86-64, from the Discoverable Partitions Specification */
#define TYPE_ROOT_X86_64	"4f68bce3-e8cd-4db1-96e7-fbcaf984b709"
#define FLAG_NO_AUTO		(1ULL << 63)

#define MBR_DISK_ID		440	/* offset */
#define MBR_MAGIC		510

/* All fields are little-endian */
struct gpt_header {
	char magic[8];
	uint8_t skipped[72 - 8];
	uint64_t entries_block;
	uint32_t nr_entries, entry_size;
};

struct gpt_entry {
	uint8_t type[GUID_SIZE], id[GUID_SIZE];
	uint64_t first_block, last_block, flags;
	uint16_t name[NAME_UNITS];
};

/* The first three fields of a GUID are little-endian numbers */
static bool is_guid(const uint8_t guid[GUID_SIZE], const char *wanted)
{
	static const uint8_t order[GUID_SIZE] = {
		3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15
	};
	char text[GUID_TEXT], *at = text;

	for (unsigned int i = 0; i < GUID_SIZE; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*at++ = '-';
		at += sprintf(at, "%02x", guid[order[i]]);
	}
	return !strcasecmp(text, wanted);
}

/* UTF-16 to UTF-8. Surrogates, which no usual name has, become what is no valid UTF-8 */
static bool is_name(const uint16_t name[NAME_UNITS], const char *wanted)
{
	char text[NAME_TEXT], *at = text;

	for (unsigned int i = 0; i < NAME_UNITS && name[i]; i++) {
		unsigned int c = le16toh(name[i]);

		if (c < 0x80) {
			*at++ = c;
			continue;
		}
		if (c < 0x800) {
			*at++ = 0xc0 | c >> 6;
		} else {
			*at++ = 0xe0 | c >> 12;
			*at++ = 0x80 | (c >> 6 & 0x3f);
		}
		*at++ = 0x80 | (c & 0x3f);
	}
	*at = '\0';
	return *text && !strcmp(text, wanted);
}

static bool entry_matches(const struct gpt_entry *entry, const char *spec)
{
	static const uint8_t unused[GUID_SIZE];
	const char *value;

	if (!memcmp(entry->type, unused, sizeof(unused)))
		return false;
	value = value_of(spec, "PARTUUID");
	if (value)
		return is_guid(entry->id, value);
	value = value_of(spec, "PARTLABEL");
	if (value)
		return is_name(entry->name, value);
	return is_guid(entry->type, TYPE_ROOT_X86_64) && !(le64toh(entry->flags) & FLAG_NO_AUTO);
}

static unsigned int find_in_gpt(int fd, unsigned int block_size, const char *spec)
{
	struct gpt_header header;
	struct gpt_entry entry;
	uint64_t at;
	uint32_t nr, size;

	if (!read_at(fd, block_size, &header, sizeof(header)) ||
	    memcmp(header.magic, "EFI PART", sizeof(header.magic)))
		return 0;
	at = le64toh(header.entries_block) * block_size;
	nr = le32toh(header.nr_entries);
	size = le32toh(header.entry_size);
	if (size < sizeof(entry))
		return 0;
	for (uint32_t i = 0; i < nr && i < ENTRIES_MAX; i++, at += size) {
		if (!read_at(fd, at, &entry, sizeof(entry)))
			return 0;
		if (entry_matches(&entry, spec))
			return i + 1;
	}
	return 0;
}

/* PARTUUID=01234567-02: the disk's signature and the partition's number, in hexadecimal */
static unsigned int find_in_mbr(int fd, const char *spec)
{
	const char *value = value_of(spec, "PARTUUID");
	char signature[16];
	uint8_t magic[2];
	unsigned long number;
	uint32_t id;
	char *end;

	if (!value || !read_at(fd, MBR_MAGIC, magic, sizeof(magic)) || magic[0] != 0x55 ||
	    magic[1] != 0xaa || !read_at(fd, MBR_DISK_ID, &id, sizeof(id)) || !id)
		return 0;
	snprintf(signature, sizeof(signature), "%08x-", le32toh(id));
	if (strncasecmp(value, signature, strlen(signature)))
		return 0;
	value += strlen(signature);
	number = strtoul(value, &end, 16);
	return end == value + 2 && !*end ? number : 0;
}

unsigned int partition_find(int fd, unsigned int block_size, const char *spec)
{
	return find_in_gpt(fd, block_size, spec) ?: find_in_mbr(fd, spec);
}
