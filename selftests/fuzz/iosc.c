// SPDX-License-Identifier: GPL-2.0
/* A hostile guest's part of the IOSC window: its kernel log, and its report of itself. */
#include <pthread.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../daemon/guest.h"
#include "../../daemon/guestlog.h"
#include "fuzz.h"

FUZZ_TARGET(100);

enum action {
	ACT_SAY, ACT_FILL, ACT_HEAD, ACT_DRAIN, ACT_RING, ACT_RESTART, ACT_RACE, ACT_TEXT,
	NR_ACTIONS
};

/* The log's head is near one of these values */
enum head { H_HERE, H_ZERO, H_FULL, H_TOP, H_ONES, NR_HEADS };

#define HEAD(base, add)	base, B16(add)

/* SAY(): log @len bytes, which follow. FILL(): log @times times 256 of @byte. */
#define SAY(len)	ACT_SAY, len
#define FILL(times, byte)	ACT_FILL, times, byte
#define MOVE(head)	ACT_HEAD, head
#define DRAIN		ACT_DRAIN
#define RING		ACT_RING
#define RESTART		ACT_RESTART
/* Another thread moves the head back and forth while the log is read */
#define RACE(head, other)	ACT_RACE, head, other
#define TEXT(len)	ACT_TEXT, len

static char dir[] = "/tmp/sigma-fuzz-XXXXXX";
static char path[64], older[64];

static const struct observers observers;	/* nobody */

struct iosc {
	uint8_t *window;
	struct sigma_iosc_log *ring;
	struct guest guest;
	struct guestlog *log;
	uint64_t tail;
	sd_event *event;
	uint64_t heads[2];
	bool stop;
};

static void clean_up(void)
{
	unlink(path);
	unlink(older);
	rmdir(dir);
}

static void set_up(void)
{
	FUZZ_CHECK(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/log", dir);
	snprintf(older, sizeof(older), "%s/log.1", dir);
	atexit(clean_up);
}

static void set_head(struct iosc *iosc, uint64_t head)
{
	__atomic_store_n(&iosc->ring->head, head, __ATOMIC_RELEASE);
}

static void say(struct iosc *iosc, const uint8_t *bytes, size_t len)
{
	uint64_t head = iosc->ring->head;

	for (size_t i = 0; i < len; i++)
		iosc->ring->data[head++ % SIGMA_IOSC_LOG_BYTES] = bytes[i];
	set_head(iosc, head);
}

static uint64_t take_head(struct iosc *iosc, struct input *in)
{
	const uint64_t heads[NR_HEADS] = {
		[H_HERE] = iosc->ring->head, [H_FULL] = iosc->ring->head + SIGMA_IOSC_LOG_BYTES,
		[H_TOP] = 1ULL << 63, [H_ONES] = ~0ULL,
	};
	unsigned int base = take8(in) % NR_HEADS;

	return heads[base] + (int16_t)take16(in);
}

static void *race(void *data)
{
	struct iosc *iosc = data;

	for (unsigned int i = 0; !__atomic_load_n(&iosc->stop, __ATOMIC_ACQUIRE); i++)
		set_head(iosc, iosc->heads[i % 2]);
	return NULL;
}

static void act_race(struct iosc *iosc, struct input *in)
{
	pthread_t thread;

	iosc->heads[0] = take_head(iosc, in);
	iosc->heads[1] = take_head(iosc, in);
	iosc->stop = false;
	FUZZ_CHECK(!pthread_create(&thread, NULL, race, iosc));
	for (unsigned int i = 0; i < 2; i++)
		guestlog_drain(iosc->log);
	__atomic_store_n(&iosc->stop, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
}

/* The texts that the guest reports: without a zero byte, or with any bytes */
static void act_text(struct iosc *iosc, struct input *in)
{
	struct sigma_iosc_header *header = (void *)(iosc->window + SIGMA_IOSC_HEADER_OFF);
	static const size_t fields[] = {
		offsetof(struct sigma_iosc_guest, release),
		offsetof(struct sigma_iosc_guest, panic_text),
	};
	char text[sizeof(header->guest.panic_text)];
	size_t len = take8(in) % (sizeof(text) + 1);

	take(in, header->guest.release, len < 64 ? len : 64);
	memset(header->guest.panic_text, take8(in), len);
	take(in, &header->guest.state, sizeof(header->guest.state));
	for (size_t i = 0; i < 2; i++) {
		size_t size = i ? sizeof(text) : sizeof(header->guest.release);

		memset(text, 0xff, sizeof(text));
		guest_text(&iosc->guest, fields[i], text, size);
		FUZZ_CHECK(strnlen(text, size) < size);
		for (const char *c = text; *c; c++)
			FUZZ_CHECK(*c >= ' ' && *c <= '~');
	}
	guest_driver_seen(&iosc->guest);
	guest_heartbeat(&iosc->guest);
}

static void act(struct iosc *iosc, struct input *in)
{
	uint8_t bytes[256], times;

	switch (take8(in) % NR_ACTIONS) {
	case ACT_SAY:
		times = take8(in);
		take(in, bytes, times);
		say(iosc, bytes, times);
		break;
	case ACT_FILL:
		times = take8(in);
		memset(bytes, take8(in), sizeof(bytes));
		for (unsigned int i = 0; i < times; i++)
			say(iosc, bytes, sizeof(bytes));
		break;
	case ACT_HEAD:
		set_head(iosc, take_head(iosc, in));
		break;
	case ACT_DRAIN:
		guestlog_drain(iosc->log);
		break;
	case ACT_RING:
		eventfd_write(guestlog_doorbell(iosc->log), 1);
		sd_event_run(iosc->event, 0);
		break;
	case ACT_RESTART:
		guestlog_restart(iosc->log);
		break;
	case ACT_RACE:
		act_race(iosc, in);
		break;
	case ACT_TEXT:
		act_text(iosc, in);
		break;
	}
}

/* The file is bounded and safe to show; its last bytes go to @end */
static void check_file(const char *name, char *end, size_t size)
{
	static char text[GUESTLOG_FILE_MAX + 1];
	FILE *file = fopen(name, "r");
	size_t len;

	memset(end, 0, size);
	if (!file)
		return;
	len = fread(text, 1, sizeof(text), file);
	fclose(file);
	FUZZ_CHECK(len <= GUESTLOG_FILE_MAX);
	for (size_t i = 0; i < len; i++)
		FUZZ_CHECK((uint8_t)text[i] >= ' ' ? text[i] != 0x7f :
			   text[i] == '\n' || text[i] == '\t');
	if (len >= size)
		memcpy(end, text + len - size, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char mark[] = "\n<the mark>";
	struct input in = { data, size };
	struct iosc iosc = { 0 };
	char end[sizeof(mark) - 1];

	if (!*path)
		set_up();
	fuzz_begin();
	unlink(older);
	iosc.window = calloc(1, SIGMA_IOSC_SIZE);
	iosc.ring = (void *)(iosc.window + SIGMA_IOSC_LOG_OFF);
	iosc.guest.iosc = iosc.window;
	FUZZ_CHECK(iosc.window && sd_event_new(&iosc.event) >= 0);
	FUZZ_CHECK(!guestlog_open(&iosc.log, iosc.event, iosc.window, path, &iosc.tail,
				  &observers));

	while (in.left)
		act(&iosc, &in);
	check_file(older, end, sizeof(end));
	check_file(path, end, sizeof(end));

	/* The log of the next guest is read */
	set_head(&iosc, 0);
	guestlog_restart(iosc.log);
	say(&iosc, (const uint8_t *)mark, sizeof(mark) - 1);
	guestlog_drain(iosc.log);
	check_file(path, end, sizeof(end));
	FUZZ_CHECK(!memcmp(end, mark, sizeof(end)));

	guestlog_close(iosc.log);
	sd_event_unref(iosc.event);
	free(iosc.window);
	fuzz_check_messages(0);
	fuzz_end();
	return 0;
}

CASE(head_goes_back, SAY(3), 'a', 'b', '\n', DRAIN, MOVE(HEAD(H_HERE, -2)), DRAIN, SAY(1), 'c',
	DRAIN)
CASE(head_jumps_over_the_ring, SAY(1), 'a', MOVE(HEAD(H_FULL, 1)), DRAIN, MOVE(HEAD(H_FULL, 0)),
	RING)
CASE(head_at_the_top, MOVE(HEAD(H_TOP, -1)), DRAIN, MOVE(HEAD(H_TOP, 0)), DRAIN,
	MOVE(HEAD(H_ONES, 0)), DRAIN, SAY(2), 'a', 'b', DRAIN, MOVE(HEAD(H_ZERO, 0)), DRAIN)
CASE(head_far_ahead, MOVE(HEAD(H_TOP, -1)), DRAIN, MOVE(HEAD(H_TOP, -2)), DRAIN)
CASE(head_races, FILL(255, 'x'), RACE(HEAD(H_HERE, 0), HEAD(H_FULL, 100)),
	RACE(HEAD(H_ZERO, 0), HEAD(H_ONES, 0)), RACE(HEAD(H_TOP, -1), HEAD(H_TOP, 1)))
CASE(text_that_a_terminal_obeys, SAY(12), 0x1b, '[', '2', 'J', 0x9b, 0xc2, 0x9b, 0x7f, 0, '\r',
	0xed, 0xa0, DRAIN)
CASE(character_cut_at_the_end, SAY(3), 0xf0, 0x9f, 0x98, DRAIN, SAY(1), 0x80, DRAIN, SAY(1), 0xe2,
	DRAIN, RESTART, SAY(1), 'a', DRAIN)
CASE(more_than_a_file, FILL(255, 0xc3), FILL(255, 'x'), DRAIN, FILL(255, '\n'), FILL(255, 0x80),
	DRAIN, FILL(255, 'y'), FILL(255, 'y'), DRAIN, FILL(255, 'z'), FILL(255, 'z'), DRAIN,
	FILL(255, 0x1b), DRAIN)
CASE(text_without_end, TEXT(192), 'a', 0x1b, 0x80, 'b')
