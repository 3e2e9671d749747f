// SPDX-License-Identifier: GPL-2.0
/*
 * Finds out whether a guest panics while it boots. Until the guest's driver is up it can't report a
 * panic, and has no heartbeat. But a kernel's log is text in its memory, and a panic is the last
 * thing that it logs. So this file searches the guest's memory once a second while it boots.
 *
 * A record of the log is the record's 62-bit id, followed by its text, in blocks of whole words
 * that are filled one after the other (struct prb_data_block, kernel/printk/printk_ringbuffer.h).
 * The first ids are those just below 0 or 2^32, and the banner is among the first records.
 * So the banner's text after such an id marks the beginning of a log. The text of panic(), with an
 * id not far above the banner's, is a panic of the same log. The text is complete once the block of
 * the next record follows, as one always does. A kernel may move its log, once, early in its boot,
 * so the last few logs that were found are all searched.
 *
 * Memory is searched again and again until a log is found, and then less and less often. Each
 * search takes LOOK_NS at most, in a thread that may sleep. It reads only the guest's memory, each
 * word once, and writes none of it. All that a guest can gain by forging a log is to be stopped.
 */
#include <linux/io.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sizes.h>

#include "guest.h"

#define LOOK_PERIOD	HZ
#define LOOK_NS		(250 * NSEC_PER_MSEC)
#define STEP		SZ_256K		/* bytes between looks at the clock */
#define OVERLAP		SZ_64		/* the texts that are searched for are shorter */
#define LOG_SIZE	SZ_16M		/* how far from its banner a log is searched for a panic */
#define LOOKS_EAGER	60		/* a kernel may take so many seconds to its banner */
#define ID_MASK		GENMASK_ULL(61, 0)
#define FIRST_IDS	0xff000000U	/* least lower half of the first ids */
#define IDS_MAX		BIT_ULL(24)	/* records of one boot */
#define IDS_MIXED	16
#define RECORD_SIZE	SZ_2K		/* kernels cut a text at 1024 bytes */

#define BANNER		"Linux version "
#define PANIC		"Kernel panic - not syncing: "

static struct workqueue_struct *bootlog_wq;

/* A part of the guest's memory, in the host's direct map */
struct view {
	const u64 *at, *end;
};

/* Bytes up to the first page with a memory error: such a page is unmapped, and must not be read */
static u64 sound_bytes(u64 phys, u64 len)
{
	u64 at = phys;

	while (at < phys + len && !PageHWPoison(pfn_to_page(PHYS_PFN(at))))
		at = ALIGN_DOWN(at, PAGE_SIZE) + PAGE_SIZE;
	return min(at - phys, len);
}

/* At most @max bytes from @offset on; @at is NULL beyond the end of the memory */
static struct view view_from(const struct sigma_memory *mem, u64 offset, u64 max)
{
	struct view view = { };

	for (unsigned int i = 0; i < mem->nr_segments; i++) {
		const struct sigma_segment *seg = &mem->segment[i];

		if (offset < seg->size) {
			view.at = phys_to_virt(seg->phys + offset);
			view.end = view.at + sound_bytes(seg->phys + offset,
							 min(seg->size - offset, max)) /
					     sizeof(u64);
			break;
		}
		offset -= seg->size;
	}
	return view;
}

static bool text_is(const u64 *at, const u64 *end, const char *text)
{
	size_t len = strlen(text);
	const char *bytes = (const char *)at;

	if ((const char *)end - bytes < (long)len)
		return false;
	for (size_t i = 0; i < len; i++)
		if (READ_ONCE(bytes[i]) != text[i])
			return false;
	return true;
}

/*
 * Find the next block whose text begins with @text, and move @view->at to that text.
 * Return: the block's id, 0: there is none.
 */
static u64 next_record(struct view *view, const char *text)
{
	u64 first, id;

	memcpy(&first, text, sizeof(first));
	while (view->end - view->at > 1) {
		view->at++;
		if (READ_ONCE(*view->at) != first || !text_is(view->at, view->end, text))
			continue;
		id = READ_ONCE(view->at[-1]);
		if (id && !(id & ~ID_MASK))
			return id;
	}
	return 0;
}

/* It still boots, and was not started again meanwhile */
static bool boots_on(const struct sigma_guest *guest)
{
	return READ_ONCE(guest->state) == SIGMA_STATE_BOOTING && !READ_ONCE(guest->bootlog.begun);
}

static bool is_first(u64 id)
{
	return lower_32_bits(id) >= FIRST_IDS &&
	       (!upper_32_bits(id) || upper_32_bits(id) == upper_32_bits(ID_MASK));
}

static void remember(struct sigma_bootlog *log, u64 offset, u64 id)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(log->found); i++)
		if (log->found[i].id && log->found[i].offset == offset)
			return;
	log->found[log->nr_found++ % ARRAY_SIZE(log->found)] =
		(struct sigma_bootlog_start){ .offset = offset, .id = id };
}

/*
 * Continue the search for logs. After a pass over all of the memory the next pass begins at once,
 * as long as no log was found and the kernel may not have reached its banner. Otherwise it waits
 * for as long as the guest has booted so far.
 */
static void search(struct sigma_guest *guest)
{
	struct sigma_bootlog *log = &guest->bootlog;
	u64 end = ktime_get_ns() + LOOK_NS, id;
	struct view view;

	if (log->looks < log->next_search)
		return;
	do {
		view = view_from(&guest->memory, log->offset, STEP + OVERLAP);
		if (!view.at) {
			log->offset = 0;
			log->next_search = log->nr_found || log->looks > LOOKS_EAGER ?
					   2 * log->looks : log->looks;
			return;
		}
		for (const u64 *start = view.at; (id = next_record(&view, BANNER)); )
			if (is_first(id))
				remember(log, log->offset + (view.at - start) * sizeof(u64), id);
		log->offset += STEP;
		cond_resched();
	} while (boots_on(guest) && ktime_get_ns() < end);
}

/*
 * The beginning of the block of the record after @id, within @max bytes; NULL: there is none.
 * The ids may be out of order by a few, because several CPUs log at the same time.
 */
static const u64 *next_block(const struct view *view, u64 id, size_t max)
{
	const u64 *end = min(view->end, view->at + max / sizeof(u64));

	for (const u64 *at = view->at; at < end; at++)
		if (((READ_ONCE(*at) - id - 1) & ID_MASK) < IDS_MIXED)
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
static void copy_line(const char *from, const char *end, char *text, size_t size)
{
	size_t len = 0;

	while (from < end && len < size - 1) {
		text[len] = READ_ONCE(*from++);
		if (!text[len])
			break;
		if (text[len] == '\n') {
			if (from == end || !READ_ONCE(*from))
				len = without_rest(text, len);
			break;
		}
		len++;
	}
	text[len] = '\0';
}

/* @text: receives the reason that the kernel gives */
static bool find_panic(const struct sigma_guest *guest, const struct sigma_bootlog_start *start,
		       char *text, size_t size)
{
	struct view view = view_from(&guest->memory, start->offset, LOG_SIZE);
	const u64 *end;
	u64 id;

	if (!start->id || !view.at)
		return false;
	while ((id = next_record(&view, PANIC))) {
		if (((id - start->id) & ID_MASK) >= IDS_MAX)
			continue;
		end = next_block(&view, id, RECORD_SIZE);
		if (!end)
			continue;
		copy_line((const char *)view.at + strlen(PANIC), (const char *)end, text, size);
		return true;
	}
	return false;
}

static void bootlog_work(struct work_struct *work)
{
	struct sigma_guest *guest = container_of(to_delayed_work(work), struct sigma_guest,
						 bootlog.work);
	struct sigma_bootlog *log = &guest->bootlog;
	char text[SIGMA_PANIC_MAX];
	bool panicked = false;

	if (xchg(&log->begun, false)) {
		log->offset = 0;
		log->looks = log->next_search = log->nr_found = 0;
		memset(log->found, 0, sizeof(log->found));
	}
	log->looks++;
	search(guest);
	for (unsigned int i = 0; !panicked && i < ARRAY_SIZE(log->found); i++) {
		panicked = find_panic(guest, &log->found[i], text, sizeof(text));
		cond_resched();
	}

	mutex_lock(&guest->lock);
	if (panicked && boots_on(guest))
		sigma_guest_panicked(guest, text);
	if (guest->state == SIGMA_STATE_BOOTING)
		queue_delayed_work(bootlog_wq, &log->work, LOOK_PERIOD);
	mutex_unlock(&guest->lock);
}

void sigma_bootlog_init(struct sigma_guest *guest)
{
	INIT_DELAYED_WORK(&guest->bootlog.work, bootlog_work);
}

void sigma_bootlog_watch(struct sigma_guest *guest)
{
	lockdep_assert_held(&guest->lock);
	WRITE_ONCE(guest->bootlog.begun, true);
	mod_delayed_work(bootlog_wq, &guest->bootlog.work, LOOK_PERIOD);
}

void sigma_bootlog_exit(struct sigma_guest *guest)
{
	cancel_delayed_work_sync(&guest->bootlog.work);
}

/* Unbound: a search of many GiB takes long, and must not delay other work of one CPU */
int sigma_bootlog_setup(void)
{
	bootlog_wq = alloc_workqueue("sigma_bootlog", WQ_UNBOUND, 0);
	return bootlog_wq ? 0 : -ENOMEM;
}

void sigma_bootlog_teardown(void)
{
	destroy_workqueue(bootlog_wq);
}
