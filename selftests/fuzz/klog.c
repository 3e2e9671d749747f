// SPDX-License-Identifier: GPL-2.0
/*
 * Read the log from the memory of a hostile kernel: a good image, in which some places are
 * overwritten before it is read, and others meanwhile.
 */
#include <stdbool.h>

#include "../../daemon/klog.h"
#include "../unit/klog-image.h"
#include "fuzz.h"

FUZZ_TARGET(300);

enum place {
	P_INFO,			/* VMCOREINFO */
	P_TABLES, P_TABLES_END, P_POINTER, P_RING, P_DESCS, P_INFOS, P_TEXT, P_MEMORY,
	NR_PLACES
};

enum value {
	V_ZERO, V_TOP, V_MEMORY, V_MEMORY_END, V_TABLES, V_KERNEL, V_KERNEL_END, V_RING, V_DIRECT,
	V_DIRECT_END, V_FINALIZED, V_ONES,
	NR_VALUES
};

/* The first bytes: whether tables have five levels, records logged, places overwritten before */
#define IMAGE(five_levels, records, before)	five_levels, records, before
/* Overwrite a place with so many bytes of a value near another one */
#define PUT(place, offset, bytes, value, add)	place, B16(offset), bytes, value, B16(add)

struct cookie {
	struct input in;
	size_t printed;
};

static void write_place(struct input *in)
{
	static const uint32_t places[NR_PLACES] = {
		[P_INFO] = VMCOREINFO, [P_TABLES] = TOP_TABLE,
		[P_TABLES_END] = TOP_TABLE + PAGE - 8, [P_POINTER] = PRB_POINTER, [P_RING] = PRB,
		[P_DESCS] = DESCS, [P_INFOS] = INFOS, [P_TEXT] = TEXT,
	};
	static const uint64_t values[NR_VALUES] = {
		[V_MEMORY] = PHYS + 3, [V_MEMORY_END] = PHYS + SIZE + 3,
		[V_TABLES] = PHYS + TOP_TABLE + 3, [V_KERNEL] = KERNEL_MAP,
		[V_KERNEL_END] = KERNEL_MAP + (2 << 20), [V_RING] = KERNEL_MAP + PRB,
		[V_DIRECT] = DIRECT_MAP, [V_DIRECT_END] = DIRECT_MAP + 2 * PAGE,
		[V_TOP] = 1ULL << 63, [V_FINALIZED] = 2ULL << 62, [V_ONES] = ~0ULL,
	};
	uint32_t place = places[take8(in) % NR_PLACES] + take16(in);
	unsigned int bytes = take8(in) % 9;
	uint64_t value = values[take8(in) % NR_VALUES];

	value += (int16_t)take16(in);
	memcpy(memory + place, &value, bytes);
}

/* The output must be safe to show. The guest keeps writing meanwhile. */
static ssize_t on_print(void *data, const char *from, size_t len)
{
	struct cookie *cookie = data;

	for (size_t i = 0; i < len; i++)
		FUZZ_CHECK((from[i] >= ' ' && from[i] <= '~') || from[i] == '\n' ||
			   from[i] == '\t');
	cookie->printed += len;
	if (cookie->in.left)
		write_place(&cookie->in);
	return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cookie cookie = { .in = { data, size } };
	const cookie_io_functions_t functions = { .write = on_print };
	struct input *in = &cookie.in;
	unsigned int records, before;
	char buffer[64];
	FILE *out;

	fuzz_begin();
	make(take8(in) & 1 ? 5 : 4);
	records = take8(in) % (2 * COUNT);
	before = take8(in) % 32;
	for (unsigned int i = 0; i < records; i++)
		log_bytes(i * 1000000ULL, (const char *)memory + i * 64, i * 64);
	while (before-- && in->left)
		write_place(in);

	out = fopencookie(&cookie, "w", functions);
	setvbuf(out, buffer, _IOFBF, sizeof(buffer));
	klog_read(&mem, out);
	fclose(out);
	/* The last record and the note about the cut exceed the limit */
	FUZZ_CHECK(cookie.printed < KLOG_PRINT_MAX + (2 << 20));
	unmake();
	fuzz_check_messages(0);
	fuzz_end();
	return 0;
}

CASE(good_log, IMAGE(0, 5, 0))
CASE(log_of_five_levels, IMAGE(1, 5, 0))
CASE(table_in_itself, IMAGE(0, 3, 1), PUT(P_TABLES_END, 0, 8, V_TABLES, 0))
CASE(table_at_the_end, IMAGE(0, 3, 1), PUT(P_TABLES_END, 0, 8, V_MEMORY_END, -PAGE))
CASE(table_outside, IMAGE(0, 3, 1), PUT(P_TABLES_END, 0, 8, V_MEMORY_END, 0))
CASE(ring_at_the_end, IMAGE(0, 3, 1), PUT(P_POINTER, 0, 8, V_KERNEL_END, -16))
CASE(ring_outside, IMAGE(0, 3, 1), PUT(P_POINTER, 0, 8, V_KERNEL_END, 0))
CASE(ring_at_the_top, IMAGE(0, 3, 1), PUT(P_POINTER, 0, 8, V_ONES, -16))
CASE(records_at_the_end, IMAGE(0, 3, 1), PUT(P_RING, 16 + 8, 8, V_KERNEL_END, -40))
CASE(text_at_the_end, IMAGE(0, 8, 1), PUT(P_RING, 128 + 8, 8, V_DIRECT_END, -16))
CASE(too_many_records, IMAGE(0, 3, 1), PUT(P_RING, 16 + 4, 4, V_ZERO, 63))
CASE(more_records_than_there_can_be, IMAGE(0, 3, 2), PUT(P_RING, 16 + 4, 4, V_ZERO, 24),
	PUT(P_RING, 16 + 32, 8, V_ZERO, 0))
CASE(too_much_text, IMAGE(0, 3, 1), PUT(P_RING, 128, 4, V_ZERO, 64))
CASE(text_as_long_as_can_be, IMAGE(0, 3, 3), PUT(P_INFOS, 6 * INFO_SIZE + TEXT_LEN, 2, V_ONES, 0),
	PUT(P_INFOS, 7 * INFO_SIZE + TEXT_LEN, 2, V_ONES, 0), PUT(P_RING, 128, 4, V_ZERO, 28))
CASE(block_that_ends_before_it_begins, IMAGE(0, 3, 1),
	PUT(P_DESCS, 6 * DESC_SIZE + POSITION + NEXT, 8, V_ZERO, 8))
CASE(block_that_wraps_at_the_top, IMAGE(0, 3, 2),
	PUT(P_DESCS, 6 * DESC_SIZE + POSITION + BEGIN, 8, V_ONES, -7),
	PUT(P_DESCS, 6 * DESC_SIZE + POSITION + NEXT, 8, V_ZERO, 32))
CASE(ids_far_apart, IMAGE(0, 3, 1), PUT(P_RING, 16 + 24, 8, V_TOP, -1))
CASE(vmcoreinfo_without_end, IMAGE(0, 3, 3), PUT(P_INFO, 4088, 8, V_ONES, 0),
	PUT(P_INFO, 500, 8, V_ONES, 0), PUT(P_INFO, 15, 1, V_ZERO, 'x'))
CASE(changes_while_it_is_read, IMAGE(0, 9, 0), PUT(P_RING, 16 + 4, 4, V_ZERO, 24),
	PUT(P_INFOS, 6 * INFO_SIZE + TEXT_LEN, 2, V_ONES, 0), PUT(P_TABLES_END, 0, 8, V_ZERO, 0))
