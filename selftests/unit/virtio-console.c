// SPDX-License-Identifier: GPL-2.0
/* The console: a pty at one end, and at the other end a guest that must never wait for it. */
#include <fcntl.h>
#include <linux/virtio_console.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "tap.h"
#include "virtio-guest.h"

#define FEATURES	(1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_CONSOLE_F_SIZE)
#define W		VRING_DESC_F_WRITE
#define QUEUE		16

struct terminal {
	struct guest *guest;
	char *path;
	int client;			/* a client of the pty */
	struct ring rx, tx;
	uint64_t memory;
};

/* What is told of it */
static char heard[64];
static size_t heard_len;

static void on_heard(void *data, const char *text, size_t len)
{
	if (heard_len + len > sizeof(heard))
		return;
	memcpy(heard + heard_len, text, len);
	heard_len += len;
}

static struct guest *terminal_new(struct terminal *term)
{
	struct guest *guest = guest_new();

	*term = (struct terminal) { .guest = guest };
	heard_len = 0;
	if (guest_add_console(guest, on_heard, &term->path) < 0 ||
	    !negotiate(guest, 0, FEATURES) ||
	    ring_open(&term->rx, guest, 0, 0, QUEUE) ||
	    ring_open(&term->tx, guest, 0, 1, QUEUE) || !driver_ok(guest, 0))
		abort();
	term->memory = guest_alloc(guest, 1 << 20);
	term->client = open(term->path, O_RDWR | O_NOCTTY | O_NONBLOCK);
	free(term->path);
	return guest;
}

static bool print(struct terminal *term, const void *text, uint32_t len)
{
	const struct buffer buf = { term->memory, len, 0 };
	struct vring_used_elem elem;

	memcpy(at(term->guest, term->memory), text, len);
	ring_add(&term->tx, &buf, 1);
	ring_kick(&term->tx);
	guest_run(term->guest, 0);
	return ring_take(&term->tx, 0, &elem);
}

/* Read all that the client sees, as a string */
static size_t seen(struct terminal *term, char *buf, size_t size)
{
	size_t len = 0;
	ssize_t n;

	/* A pty passes data on from a work item */
	for (unsigned int idle = 0; idle < 5 && len + 1 < size; idle++) {
		guest_run(term->guest, 10);
		n = read(term->client, buf + len, size - len - 1);
		if (n > 0) {
			len += n;
			idle = 0;
		}
	}
	buf[len] = '\0';
	return len;
}

TEST(prints)
{
	struct terminal term;
	struct guest *guest GUEST = terminal_new(&term);
	char buf[100];

	ASSERT_TRUE(guest && term.client >= 0);
	ASSERT_TRUE(print(&term, "hello\n", 6));
	seen(&term, buf, sizeof(buf));
	EXPECT_STREQ("hello\n", buf);		/* raw mode: no \r is added */
	EXPECT_EQ(6, heard_len);
	EXPECT_EQ(0, memcmp(heard, "hello\n", 6));
	close(term.client);
}

TEST(types_as_far_as_there_are_buffers)
{
	struct terminal term;
	struct guest *guest GUEST = terminal_new(&term);
	const struct buffer buf[] = { { term.memory, 4, W }, { term.memory + 8, 4, W } };
	struct vring_used_elem elem;

	ASSERT_EQ(6, write(term.client, "abcdef", 6));
	guest_run(guest, 20);
	ring_add(&term.rx, &buf[0], 1);
	ring_kick(&term.rx);
	guest_run(guest, 20);
	ASSERT_TRUE(ring_take(&term.rx, 0, &elem));
	EXPECT_EQ(4, elem.len);
	EXPECT_EQ(0, memcmp(at(guest, term.memory), "abcd", 4));
	EXPECT_FALSE(ring_take(&term.rx, 0, &elem));

	ring_add(&term.rx, &buf[1], 1);
	ring_kick(&term.rx);
	guest_run(guest, 20);
	ASSERT_TRUE(ring_take(&term.rx, 0, &elem));
	EXPECT_EQ(2, elem.len);
	EXPECT_EQ(0, memcmp(at(guest, term.memory + 8), "ef", 2));
	close(term.client);
}

TEST(buffer_waits_for_typing)
{
	struct terminal term;
	struct guest *guest GUEST = terminal_new(&term);
	const struct buffer buf = { term.memory, 64, W };
	struct vring_used_elem elem;

	for (unsigned int i = 0; i < 100; i++) {
		ring_add(&term.rx, &buf, 1);
		ring_kick(&term.rx);
		guest_run(guest, 0);
		ASSERT_FALSE(ring_take(&term.rx, 0, &elem));
		ASSERT_EQ(1, write(term.client, "x", 1));
		for (unsigned int j = 0; j < 100 && term.rx.v.used->idx == term.rx.seen; j++)
			guest_run(guest, 10);
		ASSERT_TRUE(ring_take(&term.rx, 0, &elem));
		ASSERT_EQ(1, elem.len);
	}
	close(term.client);
}

/* Bytes of output that @out shows or reports as missed */
static size_t accounted_for(const char *out)
{
	unsigned long long missed;
	size_t sum = strlen(out);

	for (const char *note = strstr(out, "\r\n<missed "); note;
	     note = strstr(note + 1, "\r\n<missed ")) {
		if (sscanf(note, "\r\n<missed %llu bytes>\r\n", &missed) != 1)
			return 0;
		sum += missed - (strchr(note, '>') + strlen(">\r\n") - note);
	}
	return sum;
}

TEST(never_waits_for_a_reader)
{
	struct terminal term;
	struct guest *guest GUEST = terminal_new(&term);
	static char line[4096], out[1 << 20];
	const unsigned int lines = 400;
	size_t len;

	memset(line, '.', sizeof(line));
	for (unsigned int i = 0; i < lines; i++)
		ASSERT_TRUE(guest && print(&term, line, sizeof(line)));
	ASSERT_TRUE(print(&term, "the end", 7));

	len = seen(&term, out, sizeof(out));
	EXPECT_TRUE(strstr(out, "<missed "));
	EXPECT_TRUE(len > 7 && !strcmp(out + len - 7, "the end"));
	EXPECT_EQ(lines * sizeof(line) + 7, accounted_for(out));

	ASSERT_TRUE(print(&term, "again", 5));
	seen(&term, out, sizeof(out));
	EXPECT_STREQ("again", out);
	close(term.client);
}

TEST(long_output_at_once)
{
	struct terminal term;
	struct guest *guest GUEST = terminal_new(&term);
	const struct buffer all = { SEGMENT_1, SEGMENT_SIZE, 0 };
	struct vring_used_elem elem;

	ring_add(&term.tx, &all, 1);
	ring_kick(&term.tx);
	guest_run(guest, 0);
	EXPECT_TRUE(ring_take(&term.tx, 0, &elem));
	close(term.client);
}

TEST(client_comes_and_goes)
{
	struct terminal term;
	struct guest *guest GUEST = terminal_new(&term);
	char name[32], buf[100];

	ASSERT_TRUE(guest && !ttyname_r(term.client, name, sizeof(name)));
	close(term.client);
	ASSERT_TRUE(print(&term, "kept", 4));
	term.client = open(name, O_RDWR | O_NOCTTY | O_NONBLOCK);
	seen(&term, buf, sizeof(buf));
	EXPECT_STREQ("kept", buf);
	close(term.client);
}

/* Was the guest told of a change since the last call, and to which size? */
static bool told(struct terminal *term, unsigned int columns, unsigned int rows)
{
	struct guest *guest = term->guest;
	struct sigma_msg_config msg = { .length = 4 };

	for (unsigned int i = 0; i < 100 && !guest->nr_messages; i++)
		guest_run(guest, 10);
	if (guest->nr_messages != 1 || guest->message[0].head.id != SIGMA_MSG_EVENT_CONFIG ||
	    ask(guest, 0, SIGMA_MSG_GET_CONFIG, 0, &msg, sizeof(msg), &msg, sizeof(msg)))
		return false;
	guest->nr_messages = 0;
	return msg.data[0] == columns && msg.data[2] == rows;
}

TEST(window_size)
{
	struct terminal term;
	struct guest *guest GUEST = terminal_new(&term);
	const struct winsize wide = { .ws_col = 132, .ws_row = 50 };
	const struct winsize high = { .ws_col = 80, .ws_row = 60 };
	struct sigma_msg_config msg = { .length = 4 };
	const struct buffer buf = { term.memory, 64, W };
	struct vring_used_elem elem;

	ASSERT_EQ(0, ask(guest, 0, SIGMA_MSG_GET_CONFIG, 0, &msg, sizeof(msg), &msg,
			 sizeof(msg)));
	EXPECT_EQ(0, msg.data[0]);
	EXPECT_EQ(0, msg.data[2]);

	/* The driver is told the size when it has started */
	guest->nr_messages = 0;
	ring_add(&term.rx, &buf, 1);
	ring_kick(&term.rx);
	EXPECT_TRUE(told(&term, 80, 24));

	/* A client that touches the pty need not type */
	ioctl(term.client, TIOCSWINSZ, &wide);
	ASSERT_EQ(0, futimens(term.client, NULL));
	EXPECT_TRUE(told(&term, 132, 50));

	/* The first input tells it again, and then each input after a change does */
	ASSERT_EQ(1, write(term.client, "x", 1));
	EXPECT_TRUE(told(&term, 132, 50));
	ASSERT_TRUE(ring_take(&term.rx, 100, &elem));
	ring_add(&term.rx, &buf, 1);
	ring_kick(&term.rx);
	ASSERT_EQ(1, write(term.client, "x", 1));
	guest_run(guest, 50);
	EXPECT_EQ(0, guest->nr_messages);
	ioctl(term.client, TIOCSWINSZ, &high);
	ring_add(&term.rx, &buf, 1);
	ring_kick(&term.rx);
	ASSERT_EQ(1, write(term.client, "x", 1));
	EXPECT_TRUE(told(&term, 80, 60));
	close(term.client);
}

TEST(size_before_the_driver)
{
	struct terminal term;
	struct guest *guest GUEST = terminal_new(&term);
	const struct winsize wide = { .ws_col = 132, .ws_row = 50 };
	const struct buffer buf = { term.memory, 64, W };
	uint32_t now;

	ASSERT_EQ(0, set_status(guest, 0, 0, &now));
	guest->nr_messages = 0;
	ioctl(term.client, TIOCSWINSZ, &wide);
	ASSERT_EQ(0, futimens(term.client, NULL));
	guest_run(guest, 20);
	EXPECT_EQ(0, guest->nr_messages);	/* there is no driver to tell */

	ASSERT_TRUE(negotiate(guest, 0, FEATURES) && !ring_open(&term.rx, guest, 0, 0, QUEUE) &&
		    !ring_open(&term.tx, guest, 0, 1, QUEUE) && driver_ok(guest, 0));
	guest->nr_messages = 0;
	ring_add(&term.rx, &buf, 1);
	ring_kick(&term.rx);
	EXPECT_TRUE(told(&term, 132, 50));
	close(term.client);
}

/* A client that types faster than the driver takes it waits; nothing is lost */
TEST(paste)
{
	struct terminal term;
	struct guest *guest GUEST = terminal_new(&term);
	const struct buffer buf = { term.memory, 16, W };
	static char text[20 << 10], got[sizeof(text)];
	size_t sent = 0, len = 0;
	struct vring_used_elem elem;

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = i * 7 + i / 256;
	while (len < sizeof(text)) {
		ssize_t n = sent < sizeof(text) ?
			write(term.client, text + sent, sizeof(text) - sent) : 0;

		sent += n > 0 ? n : 0;
		ring_add(&term.rx, &buf, 1);
		ring_kick(&term.rx);
		while (term.rx.v.used->idx == term.rx.seen)
			guest_run(guest, 10);
		ASSERT_TRUE(ring_take(&term.rx, 0, &elem));
		ASSERT_TRUE(elem.len && elem.len <= 16 && elem.len <= sizeof(text) - len);
		memcpy(got + len, at(guest, term.memory), elem.len);
		len += elem.len;
	}
	EXPECT_EQ(sizeof(text), sent);
	EXPECT_EQ(0, memcmp(text, got, sizeof(text)));
	close(term.client);
}

TEST(malformed_buffers)
{
	const struct buffer bad[] = { { SEGMENT_1, 64, 0 }, { NOWHERE, 64, W } };

	for (unsigned int i = 0; i < 2; i++) {
		struct terminal term;
		struct guest *guest GUEST = terminal_new(&term);

		ring_add(&term.rx, &bad[i], 1);
		ring_kick(&term.rx);
		guest_run(guest, 0);
		EXPECT_TRUE(get_status(guest, 0) & VIRTIO_CONFIG_S_NEEDS_RESET);
		close(term.client);
	}
}

TEST(reset_and_again)
{
	struct terminal term;
	struct guest *guest GUEST = terminal_new(&term);
	const struct buffer buf = { term.memory, 64, W };
	struct vring_used_elem elem;
	uint32_t now;

	ring_add(&term.rx, &buf, 1);
	ring_kick(&term.rx);
	guest_run(guest, 0);
	ASSERT_EQ(0, set_status(guest, 0, 0, &now));
	ASSERT_EQ(1, write(term.client, "x", 1));	/* there is no driver to take it */
	guest_run(guest, 20);

	ASSERT_TRUE(negotiate(guest, 0, FEATURES) && !ring_open(&term.rx, guest, 0, 0, QUEUE) &&
		    !ring_open(&term.tx, guest, 0, 1, QUEUE) && driver_ok(guest, 0));
	ring_add(&term.rx, &buf, 1);
	ring_kick(&term.rx);
	guest_run(guest, 20);
	ASSERT_TRUE(ring_take(&term.rx, 0, &elem));
	EXPECT_EQ(1, elem.len);
	close(term.client);
}

TEST_HARNESS_MAIN
