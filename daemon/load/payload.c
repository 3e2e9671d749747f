// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel in a bzImage: an ELF file, which is compressed, with the length of what is unpacked
 * behind it (boot.rst, payload_offset and payload_length). In a guest the code of the bzImage would
 * unpack it, at each start and on one CPU that does nothing else meanwhile. Here it is unpacked once
 * (kernelcache.c), and the guest begins with the kernel itself, as after that code: the ELF file is
 * entered as vmlinux.c says, and kaslr.c moves it as that code would.
 *
 * One thing differs: that code switches to page tables of five levels where the CPU has them. They
 * are for more than 64 TiB of memory, which no guest has.
 *
 * The bzImage is started as it is where its payload is compressed as libarchive alone cannot read it
 * (LZO), or is not an ELF file.
 */
#include <archive.h>
#include <archive_entry.h>
#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>

#include "../../common/log.h"
#include "load.h"

#define LENGTH_SIZE	4U		/* of the length behind the payload: little-endian */
#define UNPACKED_MAX	(1U << 30)	/* KERNEL_IMAGE_SIZE: a kernel maps no more */
#define GZIP_MAGIC	"\x1f\x8b"

/* Unpack @size bytes at @data into @to, which has exactly as many bytes as they become */
static bool unpack(const uint8_t *data, size_t size, uint8_t *to, size_t to_size)
{
	struct archive *in = archive_read_new();
	struct archive_entry *entry;
	size_t done = 0;

	if (!in)
		return false;
	unpacked_filters(in);
	archive_read_support_format_raw(in);
	if (archive_read_open_memory(in, data, size) == ARCHIVE_OK &&
	    archive_read_next_header(in, &entry) == ARCHIVE_OK &&
	    archive_filter_code(in, 0) != ARCHIVE_FILTER_NONE)
		while (done < to_size) {
			ssize_t n = archive_read_data(in, to + done, to_size - done);

			if (n <= 0)
				break;
			done += n;
		}
	archive_read_free(in);
	return done == to_size;
}

/* Return: there may be one */
static bool find_payload(const struct kernel *kernel, struct payload *payload)
{
	const uint64_t at = kernel->segment[0].from + (uint64_t)kernel->hdr.payload_offset;
	const uint64_t size = kernel->hdr.payload_length;

	if (!kernel->hdr.payload_offset || size <= LENGTH_SIZE || at > kernel->size ||
	    size > kernel->size - at)
		return false;
	payload->data = kernel->data + at;
	payload->size = size;
	memcpy(&payload->unpacked, payload->data + size - LENGTH_SIZE, LENGTH_SIZE);
	return payload->unpacked >= sizeof(Elf64_Ehdr) && payload->unpacked <= UNPACKED_MAX;
}

/* Set @elf to the unpacked payload, to be freed. Return: it could be unpacked, and is an ELF file */
static bool read_payload(const struct payload *payload, struct kernel *elf)
{
	/* gzip has the length in its own format */
	const bool is_gzip = !memcmp(payload->data, GZIP_MAGIC, strlen(GZIP_MAGIC));
	const size_t size = is_gzip ? payload->size : payload->size - LENGTH_SIZE;

	elf->size = payload->unpacked;
	elf->data = malloc(elf->size);
	if (elf->data && unpack(payload->data, size, elf->data, elf->size) && vmlinux_matches(elf))
		return true;
	kernel_close(elf);
	return false;
}

int payload_open(struct kernel *kernel, const struct stat *st, const char *path)
{
	struct kernel elf = { 0 };
	struct payload payload;
	bool found = find_payload(kernel, &payload);
	int error;

	if (found && !kernelcache_load(&elf, st, &payload)) {
		found = read_payload(&payload, &elf);
		if (found)
			kernelcache_save(&elf, st, &payload);
	}
	if (!found) {
		log_info("%s: its code unpacks the kernel in the guest", path);
		return 0;
	}
	error = vmlinux_parse(&elf, path);
	if (error) {
		kernel_close(&elf);
		return error;
	}

	/* What the header says of the kernel itself stays */
	free(kernel->data);
	kernel->data = elf.data;
	kernel->size = elf.size;
	kernel->init_size = elf.init_size;
	kernel->pref_address = elf.pref_address;
	kernel->alignment = MAX(kernel->alignment, elf.alignment);
	kernel->nr_segments = elf.nr_segments;
	memcpy(kernel->segment, elf.segment, sizeof(elf.segment));
	kernel->entry = elf.entry;
	kernel->linked_at = elf.linked_at;
	kaslr_find(kernel, path);
	return 0;
}
