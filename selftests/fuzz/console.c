// SPDX-License-Identifier: GPL-2.0
/* A hostile driver of a console with a real pty, and a client of that pty. */
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "hostile.h"

#define PATIENCE	200		/* times 10 ms; a pty passes data on asynchronously */

FUZZ_TARGET(300);

#define SPLIT		1		/* the first byte of the input, as in blk.c */

static void on_heard(void *data, const char *text, size_t len)
{
}

struct terminal {
	char *path;
	int client;
};

/* Actions, each with a number, and memory where it is needed */
#define SUPPLY(nr, addr, len)	ACT_DEVICE, D_SUPPLY, nr, addr, len
#define PRINT(parts, addr, len)	ACT_DEVICE, D_PRINT, parts, addr, len
#define TYPE(nr)		ACT_DEVICE, D_TYPE, nr, ADDR(ZERO, 0), LEN(BYTES, 0)
#define READ			ACT_DEVICE, D_READ, 0, ADDR(ZERO, 0), LEN(BYTES, 0)
#define WINDOW(rows, columns)	ACT_DEVICE, D_WINDOW, rows, ADDR(ZERO, 0), LEN(BYTES, columns)
#define REOPEN			ACT_DEVICE, D_REOPEN, 0, ADDR(ZERO, 0), LEN(BYTES, 0)

enum { D_SUPPLY, D_PRINT, D_TYPE, D_READ, D_WINDOW, D_REOPEN, NR_DONE };

static void open_client(struct terminal *term)
{
	term->client = open(term->path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	FUZZ_CHECK(term->client >= 0);
}

static void act_terminal(struct driver *driver)
{
	struct terminal *term = driver->data;
	struct input *in = &driver->in;
	unsigned int what = take8(in) % NR_DONE, nr = take8(in);
	uint64_t addr = take_addr(in);
	uint32_t len = take_len(in);
	struct winsize size = { .ws_row = nr, .ws_col = len };
	struct buffer buf[16];
	char bytes[4096];

	switch (what) {
	case D_SUPPLY:
		for (unsigned int i = 0; i <= nr % 32; i++) {
			buf[0] = (struct buffer) { addr, len, W };
			add_chain(driver, 0, buf, 1, nr & 0x80);
		}
		break;
	case D_PRINT:
		nr = nr % 16 + 1;
		for (unsigned int i = 0; i < nr; i++)
			buf[i] = (struct buffer) { addr + i * (len / nr), len / nr, 0 };
		add_chain(driver, 1, buf, nr, nr & 1);
		break;
	case D_TYPE:
		memset(bytes, 'x', sizeof(bytes));
		if (write(term->client, bytes, nr * 16 + 1) < 0)
			return;		/* full */
		break;
	case D_READ:
		while (read(term->client, bytes, sizeof(bytes)) > 0)
			;
		break;
	case D_WINDOW:
		ioctl(term->client, TIOCSWINSZ, &size);
		break;
	case D_REOPEN:
		close(term->client);
		open_client(term);
		break;
	}
}

/* The client receives the mark that the guest prints, after everything that was printed before */
static void check_output(struct guest *guest, const struct terminal *term, struct ring *tx)
{
	static const char mark[] = "<the mark>";
	static char out[1 << 18];
	const struct buffer buf = { guest_alloc(guest, sizeof(mark)), sizeof(mark) - 1, 0 };
	struct pollfd client = { .fd = term->client, .events = POLLIN };
	struct vring_used_elem elem;
	size_t len = 0;
	ssize_t n;

	memcpy(at(guest, buf.phys), mark, sizeof(mark));
	ring_add(tx, &buf, 1);
	ring_kick(tx);
	guest_run(guest, 0);
	FUZZ_CHECK(ring_take(tx, 0, &elem));
	for (unsigned int tries = 0; tries < PATIENCE; tries++) {
		guest_run(guest, 0);
		while ((n = read(term->client, out + len, sizeof(out) - len)) > 0)
			len += n;
		FUZZ_CHECK(len < sizeof(out));	/* the backlog is bounded */
		if (len >= sizeof(mark) - 1 &&
		    !memcmp(out + len - (sizeof(mark) - 1), mark, sizeof(mark) - 1))
			return;
		poll(&client, 1, 10);
	}
	FUZZ_CHECK(!"the mark was printed");
}

static void check_input(struct guest *guest, const struct terminal *term, struct ring *rx)
{
	const struct buffer buf = { guest_alloc(guest, 64), 64, W };
	struct vring_used_elem elem;

	ring_add(rx, &buf, 1);
	ring_kick(rx);
	guest_run(guest, 0);
	FUZZ_CHECK(write(term->client, "x", 1) == 1 || errno == EAGAIN);
	for (unsigned int tries = 0; !ring_take(rx, 0, &elem); tries++) {
		FUZZ_CHECK(tries < PATIENCE);
		sd_event_run(guest->event, 10000);
	}
	FUZZ_CHECK(elem.len >= 1 && *(char *)at(guest, buf.phys) == 'x');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct terminal term;
	struct driver driver = {
		.in = { data, size }, .nr_devices = 1, .nr_queues = 2, .act = act_terminal,
		.data = &term,
	};
	struct guest *guest;
	struct ring rx, tx;

	fuzz_begin();
	driver.guest = guest = guest_new_with_gap(take8(&driver.in) & SPLIT ? GUARD : 0);
	FUZZ_CHECK(!guest_add_console(guest, on_heard, &term.path));
	open_client(&term);

	be_hostile(&driver);
	FUZZ_CHECK(negotiate(guest, 0, get_features(guest, 0)));
	FUZZ_CHECK(!ring_open(&rx, guest, 0, 0, 8) && !ring_open(&tx, guest, 0, 1, 8));
	FUZZ_CHECK(driver_ok(guest, 0));
	check_output(guest, &term, &tx);
	check_input(guest, &term, &rx);
	FUZZ_CHECK(!needs_reset(guest, 0));

	close(term.client);
	free(term.path);
	guest_free(&guest);
	fuzz_end();
	return 0;
}

#define UP_0		UP(0, 0, 6, 0), RUN

CASE(output_of_a_loop, 0, UP_0, DESCRIPTOR(ADDR(DESC_1, 0), ADDR(WORK, 0), LEN(BYTES, 64), NEXT, 1),
	DESCRIPTOR(ADDR(DESC_1, 16), ADDR(WORK, 0), LEN(BYTES, 64), NEXT, 0), OFFER(1, 0, 0),
	KICK(1), RUN)
CASE(output_of_all_memory, 0, UP_0, PRINT(0, ADDR(BEGIN_1, 0), LEN(SEGMENT, 0)),
	PRINT(15, ADDR(BEGIN_0, 0), LEN(SEGMENT, 0)), KICK(1), RUN, RUN)
CASE(output_over_the_end, SPLIT, UP_0, PRINT(0, ADDR(END_0, -50), LEN(BYTES, 100)), KICK(1), RUN)
CASE(output_that_can_be_written, 0, UP_0,
	DESCRIPTOR(ADDR(DESC_1, 0), ADDR(WORK, 0), LEN(BYTES, 64), W, 0), OFFER(1, 0, 0), KICK(1),
	RUN)
CASE(output_that_nobody_reads, 0, UP_0, PRINT(0, ADDR(WORK, 0), LEN(BYTES, 0x7000)),
	PRINT(0, ADDR(WORK, 0), LEN(BYTES, 0x7000)), PRINT(0, ADDR(WORK, 0), LEN(BYTES, 0x7000)),
	KICK(1), RUN, PRINT(0, ADDR(WORK, 0), LEN(BYTES, 0x7000)), KICK(1), RUN, READ, RUN, RUN,
	PRINT(0, ADDR(WORK, 0), LEN(BYTES, 0x7000)), KICK(1), RUN)
CASE(output_index_jumps, 0, UP_0, INDEX(1, 0x8000, 0), KICK(1), RUN)
CASE(input_buffer_that_cannot_be_written, 0, UP_0,
	DESCRIPTOR(ADDR(DESC, 0), ADDR(WORK, 0), LEN(BYTES, 64), 0, 0), OFFER(0, 0, 0), KICK(0),
	TYPE(1), RUN)
CASE(input_index_goes_back, 0, UP_0, SUPPLY(3, ADDR(WORK, 0), LEN(BYTES, 4)), KICK(0), RUN, TYPE(1),
	PAUSE, RUN, INDEX(0, 0, 0), TYPE(1), PAUSE, RUN, RUN)
CASE(input_over_the_rings, 0, UP_0, SUPPLY(3, ADDR(AVAIL, 0), LEN(BYTES, 256)), KICK(0), RUN,
	TYPE(60), PAUSE, RUN, RUN, PAUSE, RUN)
CASE(input_buffer_over_the_end, SPLIT, UP_0, SUPPLY(0, ADDR(END_1, -1), LEN(BYTES, 2)), KICK(0),
	RUN, TYPE(1), PAUSE, RUN)
CASE(buffer_changes_while_it_waits, 0, UP_0, SUPPLY(0, ADDR(WORK, 0), LEN(BYTES, 64)), KICK(0), RUN,
	DESCRIPTOR(ADDR(DESC, 0), ADDR(GAP, 0), LEN(TOP, -1), INDIRECT, 0), TYPE(1), PAUSE, RUN,
	PAUSE, RUN)
CASE(reset_with_input_waiting, 0, UP_0, SUPPLY(0, ADDR(WORK, 0), LEN(BYTES, 1)), KICK(0), RUN,
	TYPE(255), PAUSE, STATUS(0, 0), PAUSE, RUN, UP_0)
CASE(window_changes, 0, UP_0, SUPPLY(7, ADDR(WORK, 0), LEN(BYTES, 1)), KICK(0), RUN,
	WINDOW(255, 65535), TYPE(0), PAUSE, RUN, WINDOW(0, 0), TYPE(0), PAUSE, RUN, REOPEN,
	WINDOW(1, 1), TYPE(0), PAUSE, RUN)
CASE(started_without_queues, 0, UP(0, 0, 6, LEFT_OUT(0) | LEFT_OUT(1) | MUST_IDLE), TYPE(1), PAUSE,
	RUN)
CASE(typed_at_without_a_driver, 0, TYPE(1), PAUSE, RUN, UP(0, 0, 6, LEFT_OUT(0) | MUST_IDLE))
CASE(emergency_write, 0, UP_0, MESSAGE(0, SIGMA_MSG_SET_CONFIG, 0, 24), B16(8), B16(0), B16(4))
