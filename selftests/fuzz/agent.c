// SPDX-License-Identifier: GPL-2.0
/*
 * What one side of a connection between sigmactl and the agent may send to the other: frames and
 * streams (common/relay.c), and the description of a program (guest/agent/request.c).
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../common/relay.h"
#include "../../guest/agent/agent.h"
#include "fuzz.h"

FUZZ_TARGET(2000);

#define FRAMES_MAX	4096	/* in an input; each may be as long as a frame can be */

/* What is sent: a frame of @len bytes that follow, one of many equal bytes, or bytes of no frame */
enum action { ACT_FRAME, ACT_LONG, ACT_RAW, NR_ACTIONS };

#define FRAME(type, stream, len)	ACT_FRAME, type, stream, len
#define LONG(type, stream, size)	ACT_LONG, type, stream, B16(size)	/* @size is in units of 8 bytes */
#define RAW(len)			ACT_RAW, len

struct target {
	struct relay *relay;
	struct request request;
	int peer;
	int null, zero;
	bool started;
};

static int on_frame(void *data, unsigned int type, const uint8_t *payload, size_t size)
{
	struct target *target = data;
	char why[REASON_MAX];
	int ret;

	FUZZ_CHECK(!payload[size]);
	if (target->started)
		return 0;
	ret = request_take(&target->request, type, payload, size, why);
	target->started = ret > 0;
	FUZZ_CHECK(target->request.bytes <= AGENT_STRINGS_SIZE_MAX);
	FUZZ_CHECK(target->request.user.nr_groups <= AGENT_GROUPS_MAX);
	return ret < 0 && ret != -ENOENT ? ret : 0;
}

static void on_inlet_closed(void *data, enum agent_stream stream, int fd)
{
	FUZZ_CHECK(stream < AGENT_NR_STREAMS && fd >= 0);
}

static void on_outlet_closed(void *data, enum agent_stream stream, int fd, int error)
{
	FUZZ_CHECK(stream < AGENT_NR_STREAMS && fd >= 0);
}

static const struct relay_ops ops = {
	.frame = on_frame, .inlet_closed = on_inlet_closed, .outlet_closed = on_outlet_closed,
};

static void check(const struct relay *relay)
{
	FUZZ_CHECK(relay->in_len <= RELAY_IN_SIZE && relay->out_len <= RELAY_OUT_SIZE);
	for (unsigned int i = 0; i < AGENT_NR_STREAMS; i++) {
		const struct outlet *outlet = &relay->outlet[i];

		FUZZ_CHECK((uint64_t)outlet->room + outlet->len + outlet->owed <= AGENT_WINDOW);
		FUZZ_CHECK(relay->inlet[i].credit <= AGENT_WINDOW);
	}
}

/* Have the relay take what waits; false: it has ended the connection */
static bool step(struct target *target)
{
	static uint8_t taken[1 << 18];
	struct pollfd fds[RELAY_FDS];

	FUZZ_CHECK(poll(fds, relay_prepare(target->relay, fds), 0) >= 0);
	if (relay_process(target->relay, fds))
		return false;
	check(target->relay);
	while (read(target->peer, taken, sizeof(taken)) > 0)
		;
	return !target->relay->finished;
}

static bool say(struct target *target, const uint8_t *bytes, size_t size)
{
	while (size) {
		ssize_t len = send(target->peer, bytes, size, MSG_NOSIGNAL);

		if (len < 0 && errno != EAGAIN)
			return false;
		if (len > 0) {
			bytes += len;
			size -= len;
		}
		if (!step(target))
			return false;
	}
	return true;
}

static bool act(struct target *target, struct input *in)
{
	static uint8_t bytes[sizeof(struct agent_header) + (1 << 19)];
	struct agent_header header = {};
	unsigned int action = take8(in) % NR_ACTIONS;
	size_t size;

	if (action == ACT_RAW) {
		size = take8(in);
		take(in, bytes, size);
		return say(target, bytes, size);
	}
	header.type = htole16(take8(in));
	header.stream = htole16(take8(in));
	size = action == ACT_FRAME ? take8(in) : take16(in) * 8UL;
	header.size = htole32(size);
	memcpy(bytes, &header, sizeof(header));
	memset(bytes + sizeof(header), 'x', size);
	take(in, bytes + sizeof(header), action == ACT_FRAME ? size : 0);
	return say(target, bytes, sizeof(header) + size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct target target = { .null = -1 };
	int pair[2];

	fuzz_begin();
	FUZZ_CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair));
	target.peer = pair[0];
	target.null = open("/dev/null", O_RDWR | O_NONBLOCK);
	target.zero = open("/dev/zero", O_RDONLY);
	FUZZ_CHECK(target.null >= 0 && target.zero >= 0);
	target.relay = relay_new(pair[1], &ops, &target);
	FUZZ_CHECK(target.relay);
	relay_read_from(target.relay, AGENT_STDOUT, target.zero);
	relay_read_from(target.relay, AGENT_TTY, target.null);
	FUZZ_CHECK(!relay_write_to(target.relay, AGENT_STDIN, target.null));
	FUZZ_CHECK(!relay_write_to(target.relay, AGENT_TTY, target.null));

	for (unsigned int i = 0; i < FRAMES_MAX && in.left && act(&target, &in); i++)
		;
	relay_free(target.relay);
	request_free(&target.request);
	close(target.zero);
	close(target.null);
	close(pair[0]);
	close(pair[1]);
	fuzz_end();
	return 0;
}

CASE(a_program, FRAME(AGENT_ARG, 0, 4), 'e', 'c', 'h', 'o', FRAME(AGENT_ENV, 0, 3), 'A', '=', 'b',
	FRAME(AGENT_USER, 0, 6), 'r', 'o', 'o', 't', ':', '0', FRAME(AGENT_UMASK, 0, 4), 18, 0, 0, 0,
	FRAME(AGENT_START, 0, 16), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
CASE(start_without_program, FRAME(AGENT_START, 0, 16), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
CASE(string_with_nul, FRAME(AGENT_ARG, 0, 3), 'a', 0, 'b')
CASE(empty_strings, FRAME(AGENT_ARG, 0, 0), FRAME(AGENT_WORKDIR, 0, 0))
CASE(ids, FRAME(AGENT_IDS, 0, 12), 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0)
CASE(ids_cut, FRAME(AGENT_IDS, 0, 7), 1, 0, 0, 0, 2, 0, 0)
CASE(ids_too_many, LONG(AGENT_IDS, 0, 0x300))
CASE(limit_unknown, FRAME(AGENT_LIMIT, 0, 24), 200)
CASE(longest_frame, LONG(AGENT_ARG, 0, 0x4000))
CASE(longer_than_that, LONG(AGENT_ARG, 0, 0x4001))
CASE(strings_without_end, LONG(AGENT_ENV, 0, 0x4000), LONG(AGENT_ARG, 0, 0x4000),
	LONG(AGENT_ARG, 0, 0x4000), LONG(AGENT_ARG, 0, 0x4000))
CASE(more_data_than_the_window, LONG(AGENT_DATA, AGENT_STDIN, 0x4000),
	LONG(AGENT_DATA, AGENT_STDIN, 0x4000), LONG(AGENT_DATA, AGENT_STDIN, 0x4000))
CASE(data_after_the_end, FRAME(AGENT_DATA, AGENT_STDIN, 1), 'a', FRAME(AGENT_END, AGENT_STDIN, 0),
	FRAME(AGENT_DATA, AGENT_STDIN, 1), 'b')
CASE(data_of_no_stream, FRAME(AGENT_DATA, AGENT_STDERR, 1), 'a', FRAME(AGENT_DATA, 9, 1), 'a')
CASE(credit, FRAME(AGENT_CREDIT, AGENT_STDOUT, 4), 0, 0x80, 0, 0)
CASE(credit_for_all, FRAME(AGENT_CREDIT, AGENT_STDOUT, 4), 0xff, 0xff, 0xff, 0xff)
CASE(credit_cut, FRAME(AGENT_CREDIT, AGENT_STDOUT, 3), 1, 0, 0)
CASE(shut_twice, FRAME(AGENT_SHUT, AGENT_STDOUT, 0), FRAME(AGENT_SHUT, AGENT_STDOUT, 0),
	FRAME(AGENT_CREDIT, AGENT_STDOUT, 4), 1, 0, 0, 0)
CASE(end_with_data, FRAME(AGENT_END, AGENT_STDIN, 1), 'a')
CASE(stream_of_another_frame, FRAME(AGENT_ARG, 1, 1), 'a')
CASE(unknown_type, FRAME(200, 0, 0))
CASE(no_frame, RAW(9), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)
CASE(half_a_frame, RAW(9), 2, 0, 0, 0, 2, 0, 0, 0, 'a')
