// SPDX-License-Identifier: GPL-2.0
/*
 * The search for the panic of a guest that boots: see bootlog.h.
 *
 * A record of the log is the record's 62-bit id, followed by its text, in blocks of whole words
 * that are filled one after the other (struct prb_data_block, kernel/printk/printk_ringbuffer.h).
 * The first ids are those just below 0 or 2^32, and the banner is among the first records.
 * So the banner's text after such an id marks the beginning of a log. The text of panic(), with an
 * id not far above the banner's, is a panic of the same log. The text is complete once the block of
 * the next record follows, as one always does. A kernel may move its log, once, early in its boot,
 * so the last few logs that were found are all searched.
 */
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/param.h>
#include <time.h>
#include <unistd.h>

#include "bootlog.h"

#define PAGE		UINT64_C(4096)
#define STEP		(UINT64_C(256) << 10)	/* bytes between looks at the clock */
#define OVERLAP		64			/* the texts that are searched for are shorter */
#define FLAGS		UINT64_C(512)		/* of pages, read at once */
#define LOG_SIZE	(UINT64_C(16) << 20)	/* how far from its banner a log is searched */
#define LOOKS_EAGER	120			/* a kernel may take a minute to its banner */
#define ID_MASK		((UINT64_C(1) << 62) - 1)
#define FIRST_IDS	0xff000000U		/* least lower half of the first ids */
#define IDS_MAX		(UINT64_C(1) << 24)	/* records of one boot */
#define IDS_MIXED	16
#define RECORD_SIZE	2048			/* kernels cut a text at 1024 bytes */

#define KPF_HWPOISON	19			/* Documentation/admin-guide/mm/pagemap.rst */

#define BANNER		"Linux version "
#define PANIC		"Kernel panic - not syncing: "
#define GIVES_UP	"sigma-init: gives up: "

/* A part of the guest's memory, in whole words. The guest may write to it meanwhile */
struct view {
	const volatile uint64_t *at, *end;
};

static uint64_t now_usec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * UINT64_C(1000000) + now.tv_nsec / 1000;
}

/*
 * Bytes up to the first page with a memory error: reading such a page would end this process by
 * SIGBUS.
 */
static uint64_t sound_bytes(const struct bootlog *log, uint64_t phys, uint64_t len)
{
	const uint64_t first = phys / PAGE, end = (phys + len + PAGE - 1) / PAGE;
	uint64_t flags[FLAGS];
	ssize_t got;

	for (uint64_t page = first; log->pageflags >= 0 && page < end; page += FLAGS) {
		got = pread(log->pageflags, flags, MIN(FLAGS, end - page) * sizeof(*flags),
			    page * sizeof(*flags));
		for (ssize_t i = 0; i < got / (ssize_t)sizeof(*flags); i++)
			if (flags[i] >> KPF_HWPOISON & 1)
				return page + i == first ? 0 : (page + i) * PAGE - phys;
	}
	return len;
}

/* At most @max bytes from @offset on; @at is NULL beyond the end of the memory */
static struct view view_from(const struct bootlog *log, uint64_t offset, uint64_t max)
{
	const struct guest_memory *memory = log->memory;
	struct view view = {};

	for (unsigned int i = 0; i < memory->nr; i++) {
		const struct memory_segment *seg = &memory->segment[i];
		uint64_t at = offset - seg->offset;

		if (offset < seg->offset || at >= seg->size)
			continue;
		view.at = (const volatile uint64_t *)(memory->base + offset);
		view.end = view.at + sound_bytes(log, seg->phys + at, MIN(seg->size - at, max)) /
				     sizeof(uint64_t);
	}
	return view;
}

static bool text_is(const volatile uint64_t *at, const volatile uint64_t *end, const char *text)
{
	const volatile char *bytes = (const volatile char *)at;
	size_t len = strlen(text);

	if ((const volatile char *)end - bytes < (ptrdiff_t)len)
		return false;
	for (size_t i = 0; i < len; i++)
		if (bytes[i] != text[i])
			return false;
	return true;
}

/*
 * Find the next block whose text begins with one of @text, and move @view->at to that text.
 * @which: out: the one. Return: the block's id, 0: there is none.
 */
static uint64_t next_record(struct view *view, const char *const text[2], unsigned int *which)
{
	uint64_t first[2], word, id;

	memcpy(&first[0], text[0], sizeof(*first));
	memcpy(&first[1], text[1], sizeof(*first));
	while (view->end - view->at > 1) {
		view->at++;
		word = *view->at;
		if (word != first[0] && word != first[1])
			continue;
		*which = word != first[0];
		if (!text_is(view->at, view->end, text[*which]))
			continue;
		id = view->at[-1];
		if (id && !(id & ~ID_MASK))
			return id;
	}
	return 0;
}

static bool is_first(uint64_t id)
{
	uint32_t upper = id >> 32;

	return (uint32_t)id >= FIRST_IDS && (!upper || upper == ID_MASK >> 32);
}

static void remember(struct bootlog *log, uint64_t offset, uint64_t id)
{
	const unsigned int nr = sizeof(log->found) / sizeof(*log->found);

	for (unsigned int i = 0; i < nr; i++)
		if (log->found[i].id && log->found[i].offset == offset)
			return;
	log->found[log->nr_found++ % nr] = (struct bootlog_start){ .offset = offset, .id = id };
}

/*
 * Continue the search for logs. After a pass over all of the memory the next pass begins at once,
 * as long as no log was found and the kernel may not have reached its banner. Otherwise it waits
 * for as long as the guest has booted so far.
 */
static void search(struct bootlog *log)
{
	static const char *const banner[] = { BANNER, BANNER };
	const uint64_t end = now_usec() + BOOTLOG_LOOK_USEC;
	unsigned int which;
	struct view view;
	uint64_t id;

	if (log->looks < log->next_search)
		return;
	do {
		view = view_from(log, log->offset, STEP + OVERLAP);
		if (!view.at) {
			log->offset = 0;
			log->next_search = log->nr_found || log->looks > LOOKS_EAGER ?
					   2 * log->looks : log->looks;
			return;
		}
		for (const volatile uint64_t *start = view.at; (id = next_record(&view, banner, &which)); )
			if (is_first(id))
				remember(log, log->offset + (view.at - start) * sizeof(id), id);
		log->offset += STEP;
	} while (now_usec() < end);
}

/*
 * The beginning of the block of the record after @id, within @max bytes; NULL: there is none.
 * The ids may be out of order by a few, because several CPUs log at the same time.
 */
static const volatile uint64_t *next_block(const struct view *view, uint64_t id, size_t max)
{
	const volatile uint64_t *end = MIN(view->end, view->at + max / sizeof(id));

	for (const volatile uint64_t *at = view->at; at < end; at++)
		if (((*at - id - 1) & ID_MASK) < IDS_MIXED)
			return at;
	return NULL;
}

/*
 * The kernel removes KERN_EMERG, two bytes, from the front of the text by moving the text down, and
 * cuts the newline at its end. So the last two characters are there twice: cut the second copy.
 */
static size_t without_rest(const char *text, size_t len)
{
	return len >= 4 && !memcmp(text + len - 4, text + len - 2, 2) ? len - 2 : len;
}

/* Copy the first line of [@from, @end) to @text, which has @size bytes, the NUL included */
static void copy_line(const volatile char *from, const volatile char *end, char *text, size_t size)
{
	size_t len = 0;

	while (from < end && len < size - 1) {
		text[len] = *from++;
		if (!text[len])
			break;
		if (text[len] == '\n') {
			if (from == end || !*from)
				len = without_rest(text, len);
			break;
		}
		len++;
	}
	text[len] = '\0';
}

/* Find the end of the boot, and copy the rest of its first line. A panic follows all else */
static enum bootlog_end find_end(const struct bootlog *log, const struct bootlog_start *start,
				 char *text, size_t size)
{
	static const char *const ends[] = { PANIC, GIVES_UP };
	struct view view = view_from(log, start->offset, LOG_SIZE);
	enum bootlog_end found = BOOTLOG_NONE;
	const volatile uint64_t *end;
	unsigned int which;
	uint64_t id;

	if (!start->id || !view.at)
		return found;
	while (found != BOOTLOG_PANIC && (id = next_record(&view, ends, &which))) {
		if (((id - start->id) & ID_MASK) >= IDS_MAX)
			continue;
		end = next_block(&view, id, RECORD_SIZE);
		if (!end)
			continue;
		copy_line((const volatile char *)view.at + strlen(ends[which]),
			  (const volatile char *)end, text, size);
		found = which ? BOOTLOG_GAVE_UP : BOOTLOG_PANIC;
	}
	return found;
}

void bootlog_begin(struct bootlog *log, const struct guest_memory *memory)
{
	*log = (struct bootlog){
		.memory = memory,
		/* Without it (a kernel may lack it) all pages count as sound */
		.pageflags = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC),
	};
}

void bootlog_end(struct bootlog *log)
{
	if (log->pageflags >= 0)
		close(log->pageflags);
	log->pageflags = -1;
}

enum bootlog_end bootlog_look(struct bootlog *log, char *text, size_t size)
{
	enum bootlog_end end = BOOTLOG_NONE;

	log->looks++;
	search(log);
	for (size_t i = 0; i < sizeof(log->found) / sizeof(*log->found) && !end; i++)
		end = find_end(log, &log->found[i], text, size);
	return end;
}
