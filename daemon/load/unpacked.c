// SPDX-License-Identifier: GPL-2.0
/*
 * The size of an initrd when the guest's kernel has unpacked it. An initrd is a row of newc cpio
 * archives, with zeros between them, and the last one is usually compressed
 * (Documentation/driver-api/early-userspace/buffer-format.rst).
 */
#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <string.h>

#include "load.h"

#define CHUNK		(1 << 16)
#define HEADER_SIZE	110U
#define FILESIZE_AT	54	/* eight hexadecimal digits each */
#define NAMESIZE_AT	94
#define ALIGN4(value)	(((value) + 3) & ~(uint64_t)3)

void unpacked_filters(struct archive *in)
{
	archive_read_support_filter_gzip(in);
	archive_read_support_filter_bzip2(in);
	archive_read_support_filter_lzma(in);
	archive_read_support_filter_xz(in);
	archive_read_support_filter_lz4(in);
	archive_read_support_filter_zstd(in);
}

/* The bytes of the compressed stream at @data, at most about @max. What follows it is left out */
static uint64_t decompressed(const uint8_t *data, size_t size, uint64_t max)
{
	struct archive *in = archive_read_new();
	struct archive_entry *entry;
	static char buffer[CHUNK];
	uint64_t total = 0;
	ssize_t n;

	if (!in)
		return 0;
	unpacked_filters(in);
	archive_read_support_format_raw(in);
	if (archive_read_open_memory(in, data, size) == ARCHIVE_OK &&
	    archive_read_next_header(in, &entry) == ARCHIVE_OK &&
	    archive_filter_code(in, 0) != ARCHIVE_FILTER_NONE)
		while (total < max && (n = archive_read_data(in, buffer, sizeof(buffer))) > 0)
			total += n;
	archive_read_free(in);
	return total;
}

static uint64_t field(const uint8_t *header, size_t at)
{
	char text[9] = "";
	unsigned int value = 0;

	memcpy(text, header + at, sizeof(text) - 1);
	return sscanf(text, "%8x", &value) == 1 ? value : 0;
}

uint64_t initrd_unpacked(const uint8_t *data, size_t size, uint64_t max)
{
	uint64_t at = 0, total = 0, file;

	while (at < size && total < max) {
		if (!data[at]) {
			at++;
			continue;
		}
		if (size - at < HEADER_SIZE || memcmp(data + at, "07070", 5))
			return total + decompressed(data + at, size - at, max - total);
		file = field(data + at, FILESIZE_AT);
		at += ALIGN4(HEADER_SIZE + field(data + at, NAMESIZE_AT)) + ALIGN4(file);
		if (at <= size)
			total += file;
	}
	return total;
}
