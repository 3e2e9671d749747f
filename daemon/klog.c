// SPDX-License-Identifier: GPL-2.0
/*
 * A kernel describes itself to crash dump tools by VMCOREINFO, a page of KEY=value
 * lines that starts with OSRELEASE= (Documentation/admin-guide/kdump/vmcoreinfo.rst). The
 * page is found by looking at the start of each page of the guest's memory. From it
 * come the address of the page tables, with which all other addresses are translated as
 * the guest's MMU does, and the layout of the printk ring buffer.
 *
 * That is a ring of descriptors with an equally long array of printk_info beside
 * it, and a ring of text (kernel/printk/printk_ringbuffer.c). A descriptor's state_var has
 * the state of the record in its two top bits and the record's id in the others.
 * Its two logical positions, which grow for ever and are reduced modulo the size of the
 * text ring, say where the record's block of text begins and the next one begins; a block
 * that would not fit before the end of the ring lies at the ring's start.
 *
 * Nothing that is read here can be trusted. All of it goes through read_virtual(), which
 * reaches no other memory than the guest's; loops and buffers have bounds of their own.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>

#include "klog.h"

#define PAGE_SHIFT		12
#define PAGE_SIZE		(1ULL << PAGE_SHIFT)

/* Page table entries, SDM vol. 3A 4.5 */
#define TABLE_SHIFT		9		/* address bits that each level translates */
#define TABLE_MASK		((1ULL << TABLE_SHIFT) - 1)
#define ENTRY_PRESENT		(1ULL << 0)
#define ENTRY_LEAF		(1ULL << 7)	/* in a page directory and the level above */
#define ENTRY_ADDRESS		0x000ffffffffff000ULL
#define LEVEL_LEAF_MAX		3		/* 1 GiB pages; level 1 holds 4 KiB pages */

#define KERNEL_MAP		0xffffffff80000000ULL	/* __START_KERNEL_map */

#define VMCOREINFO_START	"OSRELEASE="
#define CANDIDATES_MAX		16		/* pages that look like one but aren't */

/* The top bits of state_var */
#define STATE_SHIFT		62
#define STATE_COMMITTED		1
#define STATE_FINALIZED		2
#define ID_MASK			((1ULL << STATE_SHIFT) - 1)

/* Positions of records without a block of text: bit 0 is set */
#define POSITION_NO_TEXT	0x1
#define POSITION_EMPTY_LINE	0x3

/* A text block starts with the id of its descriptor. */
#define BLOCK_HEADER		sizeof(uint64_t)

/* Above what a kernel can be told to have by log_buf_len= in practice */
#define RECORD_BITS_MAX		24
#define TEXT_BITS_MAX		28

/* The values of VMCOREINFO that are needed. All are required. */
struct vmcoreinfo {
	uint64_t prb, page_table, phys_base, five_levels, sme_mask;
	uint64_t desc_ring, text_ring;
	uint64_t count_bits, descs, infos, head_id, tail_id;
	uint64_t desc_size, state_var, position, begin, next;
	uint64_t info_size, time, text_len;
	uint64_t size_bits, data;
};

static const struct {
	const char *key;
	int base;
	size_t offset;
} vmcoreinfo_keys[] = {
#define KEY(name, base, field) { "\n" name "=", base, offsetof(struct vmcoreinfo, field) }
	KEY("SYMBOL(prb)", 16, prb),
	KEY("SYMBOL(swapper_pg_dir)", 16, page_table),
	KEY("NUMBER(phys_base)", 10, phys_base),
	KEY("NUMBER(pgtable_l5_enabled)", 10, five_levels),
	KEY("NUMBER(sme_mask)", 10, sme_mask),
	KEY("OFFSET(printk_ringbuffer.desc_ring)", 10, desc_ring),
	KEY("OFFSET(printk_ringbuffer.text_data_ring)", 10, text_ring),
	KEY("OFFSET(prb_desc_ring.count_bits)", 10, count_bits),
	KEY("OFFSET(prb_desc_ring.descs)", 10, descs),
	KEY("OFFSET(prb_desc_ring.infos)", 10, infos),
	KEY("OFFSET(prb_desc_ring.head_id)", 10, head_id),
	KEY("OFFSET(prb_desc_ring.tail_id)", 10, tail_id),
	KEY("SIZE(prb_desc)", 10, desc_size),
	KEY("OFFSET(prb_desc.state_var)", 10, state_var),
	KEY("OFFSET(prb_desc.text_blk_lpos)", 10, position),
	KEY("OFFSET(prb_data_blk_lpos.begin)", 10, begin),
	KEY("OFFSET(prb_data_blk_lpos.next)", 10, next),
	KEY("SIZE(printk_info)", 10, info_size),
	KEY("OFFSET(printk_info.ts_nsec)", 10, time),
	KEY("OFFSET(printk_info.text_len)", 10, text_len),
	KEY("OFFSET(prb_data_ring.size_bits)", 10, size_bits),
	KEY("OFFSET(prb_data_ring.data)", 10, data),
#undef KEY
};

struct klog {
	const struct guest_memory *mem;
	struct vmcoreinfo info;
	uint64_t page_table;		/* physical */
	unsigned int levels;

	uint64_t descs, infos, data;	/* virtual */
	uint64_t count, size;		/* records; bytes of text */
	uint64_t head, tail;		/* ids of the newest and the oldest record */
};

static bool read_physical(const struct klog *klog, uint64_t phys, void *buffer, size_t len)
{
	const void *at = memory_at(klog->mem, phys, len);

	if (at)
		memcpy(buffer, at, len);
	return at;
}

/* Walk the guest's page tables. @left: bytes up to the end of the page that was found. */
static bool translate(const struct klog *klog, uint64_t virt, uint64_t *phys, uint64_t *left)
{
	uint64_t table = klog->page_table;

	for (unsigned int level = klog->levels; level; level--) {
		unsigned int shift = PAGE_SHIFT + (level - 1) * TABLE_SHIFT;
		uint64_t offset = virt & ((1ULL << shift) - 1);
		uint64_t entry;

		if (!read_physical(klog, table + ((virt >> shift) & TABLE_MASK) * sizeof(entry),
				   &entry, sizeof(entry)))
			return false;
		if (!(entry & ENTRY_PRESENT))
			return false;

		table = entry & ENTRY_ADDRESS & ~klog->info.sme_mask;
		if (level == 1 || (level <= LEVEL_LEAF_MAX && entry & ENTRY_LEAF)) {
			/* In a large page's entry bit 12 is not part of the address */
			*phys = (table & ~((1ULL << shift) - 1)) + offset;
			*left = (1ULL << shift) - offset;
			return true;
		}
	}
	return false;
}

static bool read_virtual(const struct klog *klog, uint64_t virt, void *buffer, size_t len)
{
	uint8_t *to = buffer;

	while (len) {
		uint64_t phys, left;
		size_t part;

		if (!translate(klog, virt, &phys, &left))
			return false;
		part = MIN(len, left);
		if (!read_physical(klog, phys, to, part))
			return false;
		virt += part;
		to += part;
		len -= part;
	}
	return true;
}

static bool read_u64(const struct klog *klog, uint64_t virt, uint64_t *value)
{
	return read_virtual(klog, virt, value, sizeof(*value));
}

/* @text: the page, NUL-terminated */
static bool vmcoreinfo_parse(struct vmcoreinfo *info, const char *text)
{
	for (size_t i = 0; i < sizeof(vmcoreinfo_keys) / sizeof(*vmcoreinfo_keys); i++) {
		const char *key = vmcoreinfo_keys[i].key, *at = strstr(text, key);
		uint64_t value;
		char *end;

		if (!at)
			return false;
		at += strlen(key);
		errno = 0;
		/* phys_base may be negative: the sum with it wraps as intended */
		value = strtoull(at, &end, vmcoreinfo_keys[i].base);
		if (errno || end == at || *end != '\n')
			return false;
		memcpy((char *)info + vmcoreinfo_keys[i].offset, &value, sizeof(value));
	}
	return true;
}

/* Find the ring by a page of VMCOREINFO. */
static bool klog_open(struct klog *klog, const char *text)
{
	const struct vmcoreinfo *info = &klog->info;
	uint32_t count_bits, size_bits;
	uint64_t prb, descs, texts;

	if (!vmcoreinfo_parse(&klog->info, text))
		return false;
	klog->page_table = info->page_table - KERNEL_MAP + info->phys_base;
	klog->levels = info->five_levels ? 5 : 4;

	if (!read_u64(klog, info->prb, &prb))
		return false;
	descs = prb + info->desc_ring;
	texts = prb + info->text_ring;
	if (!read_virtual(klog, descs + info->count_bits, &count_bits, sizeof(count_bits)) ||
	    !read_u64(klog, descs + info->descs, &klog->descs) ||
	    !read_u64(klog, descs + info->infos, &klog->infos) ||
	    !read_u64(klog, descs + info->head_id, &klog->head) ||
	    !read_u64(klog, descs + info->tail_id, &klog->tail) ||
	    !read_virtual(klog, texts + info->size_bits, &size_bits, sizeof(size_bits)) ||
	    !read_u64(klog, texts + info->data, &klog->data))
		return false;

	if (!count_bits || count_bits > RECORD_BITS_MAX || !size_bits || size_bits > TEXT_BITS_MAX)
		return false;
	klog->count = 1ULL << count_bits;
	klog->size = 1ULL << size_bits;
	return true;
}

/*
 * Where the text of a block is in the text ring, and how long it can be.
 * Return: false for a block that cannot be.
 */
static bool block_text(const struct klog *klog, uint64_t begin, uint64_t next, uint64_t *at,
		       uint64_t *len)
{
	uint64_t begin_turn = begin / klog->size, last_turn = (next - 1) / klog->size;

	if (begin_turn == last_turn && begin < next) {
		*at = begin % klog->size;
		*len = next - begin;
	} else if ((begin + klog->size) / klog->size == last_turn) {
		*at = 0;
		*len = next % klog->size;
	} else {
		return false;
	}
	if (*len < BLOCK_HEADER || *len > klog->size)
		return false;
	*at += BLOCK_HEADER;
	*len -= BLOCK_HEADER;
	return true;
}

/* A record of several lines has its time in front of each, as the kernel prints it. */
static size_t print_record(FILE *out, uint64_t time, const char *text, size_t len)
{
	static const uint64_t second = 1000000000, microsecond = 1000;
	size_t at = 0, printed = 0;

	do {
		printed += fprintf(out, "[%5" PRIu64 ".%06" PRIu64 "] ", time / second,
				   time % second / microsecond);
		for (; at < len && text[at] != '\n'; at++) {
			unsigned char c = text[at];

			if ((c < ' ' && c != '\t') || c >= 0x7f)
				printed += fprintf(out, "\\x%02x", c);
			else
				printed += fprintf(out, "%c", c);
		}
		printed += fprintf(out, "\n");
	} while (++at < len);
	return printed;
}

/*
 * Print one record.
 * Return: bytes printed, or a negative errno when the ring is not where it should be.
 */
static ssize_t read_record(const struct klog *klog, uint64_t id, char *text, FILE *out)
{
	const struct vmcoreinfo *info = &klog->info;
	uint64_t desc = klog->descs + id % klog->count * info->desc_size;
	uint64_t meta = klog->infos + id % klog->count * info->info_size;
	uint64_t state, again, begin, next, time, at, room;
	uint16_t len;

	if (!read_u64(klog, desc + info->state_var, &state) ||
	    !read_u64(klog, desc + info->position + info->begin, &begin) ||
	    !read_u64(klog, desc + info->position + info->next, &next) ||
	    !read_u64(klog, meta + info->time, &time) ||
	    !read_virtual(klog, meta + info->text_len, &len, sizeof(len)))
		return -EINVAL;

	if ((state & ID_MASK) != id || (state >> STATE_SHIFT != STATE_COMMITTED &&
					state >> STATE_SHIFT != STATE_FINALIZED))
		return 0;

	if (begin & next & POSITION_NO_TEXT) {
		if (begin != POSITION_EMPTY_LINE || next != POSITION_EMPTY_LINE)
			return 0;
		len = 0;
	} else {
		if (!block_text(klog, begin, next, &at, &room))
			return 0;
		len = MIN(len, room);
		if (!read_virtual(klog, klog->data + at, text, len))
			return -EINVAL;
	}

	/* A running guest may have used descriptor and text again meanwhile */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (!read_u64(klog, desc + info->state_var, &again) || (again & ID_MASK) != id)
		return 0;
	return print_record(out, time, text, len);
}

static int klog_print(const struct klog *klog, FILE *out)
{
	uint64_t records = ((klog->head - klog->tail) & ID_MASK) + 1;
	char text[UINT16_MAX];
	size_t printed = 0;

	if (records > klog->count)
		return -EINVAL;
	/* Descriptors can share text, so neither ring bounds what there is to print */
	for (uint64_t i = records - MIN(records, KLOG_RECORDS_MAX); i < records; i++) {
		ssize_t len = read_record(klog, (klog->tail + i) & ID_MASK, text, out);

		if (len < 0)
			return len;
		printed += len;
		if (printed > KLOG_PRINT_MAX) {
			fprintf(out, "<cut after %zu bytes>\n", printed);
			break;
		}
	}
	return 0;
}

int klog_read(const struct guest_memory *mem, FILE *out)
{
	struct klog klog = { .mem = mem };
	unsigned int candidates = 0;
	char text[PAGE_SIZE + 1];

	for (unsigned int i = 0; i < mem->nr; i++) {
		const struct memory_segment *segment = &mem->segment[i];

		for (uint64_t at = 0; segment->size - at >= PAGE_SIZE; at += PAGE_SIZE) {
			const uint8_t *page = mem->base + segment->offset + at;

			if (memcmp(page, VMCOREINFO_START, strlen(VMCOREINFO_START)))
				continue;
			memcpy(text, page, PAGE_SIZE);
			text[PAGE_SIZE] = '\0';
			if (klog_open(&klog, text))
				return klog_print(&klog, out);
			if (++candidates == CANDIDATES_MAX)
				return -EINVAL;
		}
	}
	return candidates ? -EINVAL : -ENOENT;
}
