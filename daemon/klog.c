// SPDX-License-Identifier: GPL-2.0
/*
 * Reads the guest's kernel log: see klog.h. VMCOREINFO in the guest's memory says where the printk
 * ring buffer is and how it is laid out.
 *
 * The buffer is a ring of descriptors, an array of printk_info of the same length, and a ring of
 * text (kernel/printk/printk_ringbuffer.c). A descriptor's state_var has the state of the record in
 * its two top bits and the record's id in the others. A descriptor has two logical positions: where
 * the record's block of text begins, and where the next block begins. They grow for ever, and are
 * reduced modulo the size of the text ring. A block that would not fit before the end of the ring
 * lies at the ring's start.
 *
 * Nothing that is read here is trusted. All reads go through vmcoreinfo_read(), which reaches only
 * the guest's memory; loops and buffers have their own bounds.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>

#include "../common/vmcoreinfo.h"
#include "klog.h"

/* The top bits of state_var */
#define STATE_SHIFT		62
#define STATE_COMMITTED		1
#define STATE_FINALIZED		2
#define ID_MASK			((1ULL << STATE_SHIFT) - 1)

/* Positions of records without a block of text have bit 0 set */
#define POSITION_NO_TEXT	0x1
#define POSITION_EMPTY_LINE	0x3

/* A text block starts with the id of its descriptor */
#define BLOCK_HEADER		sizeof(uint64_t)

/* log2 of the sizes, above any log_buf_len= in practice */
#define RECORD_BITS_MAX		24
#define TEXT_BITS_MAX		28

/* Values of VMCOREINFO; all are required */
struct layout {
	uint64_t prb;
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
} layout_keys[] = {
#define KEY(name, base, field) { name, base, offsetof(struct layout, field) }
	KEY("SYMBOL(prb)", 16, prb),
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
	struct vmcoreinfo kernel;
	struct layout layout;

	uint64_t descs, infos, data;	/* virtual */
	uint64_t count, size;		/* records; bytes of text */
	uint64_t head, tail;		/* ids of the newest and the oldest record */
};

static bool read_virtual(const struct klog *klog, uint64_t virt, void *buffer, size_t len)
{
	return vmcoreinfo_read(&klog->kernel, virt, buffer, len);
}

static bool read_u64(const struct klog *klog, uint64_t virt, uint64_t *value)
{
	return read_virtual(klog, virt, value, sizeof(*value));
}

/* Read where the rings are, and how large; false: VMCOREINFO or the sizes make no sense */
static bool klog_open(struct klog *klog)
{
	struct layout *info = &klog->layout;
	uint32_t count_bits, size_bits;
	uint64_t prb, descs, texts;

	for (size_t i = 0; i < sizeof(layout_keys) / sizeof(*layout_keys); i++)
		if (!vmcoreinfo_value(&klog->kernel, layout_keys[i].key, layout_keys[i].base,
				      (uint64_t *)((char *)info + layout_keys[i].offset)))
			return false;

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
 * Find where the text of a block is in the text ring, and its greatest length.
 * Return: false when the positions are corrupt.
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

/* Print a record, with its time in front of each of its lines, as the kernel does */
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
 * Return: bytes printed, or a negative errno when the ring is not in the guest's memory.
 */
static ssize_t read_record(const struct klog *klog, uint64_t id, char *text, FILE *out)
{
	const struct layout *info = &klog->layout;
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

	/* A running guest may have reused descriptor and text meanwhile */
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
	/* Descriptors can share text, so the size of the rings does not bound the output */
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
	struct klog klog;
	int error = vmcoreinfo_find(&klog.kernel, mem);

	if (error)
		return error;
	return klog_open(&klog) ? klog_print(&klog, out) : -EINVAL;
}
