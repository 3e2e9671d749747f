// SPDX-License-Identifier: GPL-2.0
/*
 * For the test "objects", on both sides: programs that lend each other memory.
 *
 *	objects serve PATH		the server of ../calls/frames.capnp, for one client after the other
 *	objects drive PATH		all that two programs can do with memory objects
 *	objects fill PATH MIB		make objects of a MiB each until there is no room. Prints how many
 *					MiB there were
 *	objects keep PATH [all]		have the server hold an object, say so, wait until the peer has ended, and
 *					say what is left. all: also wait until its own object is void
 *	objects asleep PATH			have the server hold an object; take it back at a line of the
 *					standard input, and ask the server at the next one
 *	objects wild PATH FIRST LAST	take grants with these numbers, and all that a program can get wrong;
 *					lend two, and take them back at a line of the standard input
 *	objects stream PATH MIB COUNT	lend a frame of so many MiB, COUNT times
 *
 * FAILED and the line, where something is not as it should be.
 */
#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../kmod/uapi/object.h"
#include "../../lib/iosc.h"
#include "frames-client.h"
#include "frames-server.h"

#define MIB		(1UL << 20)
#define PAGE		4096
#define TIMEOUT		60000		/* milliseconds, for each call */
#define MANY		1000		/* more than SIGMA_GRANTS */

#define MUST(condition) do {							\
	if (!(condition))							\
		errx(EXIT_FAILURE, "FAILED: line %d: %s: %m", __LINE__, #condition);	\
} while (0)

static sigjmp_buf bus_error;

static void on_bus_error(int signal)
{
	siglongjmp(bus_error, 1);
}

static bool touch_is_bus_error(volatile uint8_t *at)
{
	if (sigsetjmp(bus_error, 1))
		return true;
	(void)*at;
	return false;
}

/* The server */

struct state {
	struct iosc_memory *held, *own;
};

static struct iosc *channel_of(const struct iosc_request *request)
{
	return iosc_client_channel(request->client);
}

static int serve_add(struct iosc_request *request, uint32_t frame, uint8_t by, int32_t *error,
		     uint64_t *sum)
{
	struct iosc_memory *memory = iosc_memory_take(channel_of(request), frame, 0);
	uint8_t *at;

	*error = memory ? 0 : errno;
	if (!memory)
		return 0;
	at = iosc_memory_at(memory);
	for (size_t i = 0; i < iosc_memory_size(memory); i++) {
		if (iosc_memory_is_writable(memory))
			at[i] += by;
		*sum += at[i];
	}
	iosc_memory_free(memory);
	return 0;
}

static int serve_hold(struct iosc_request *request, uint32_t frame, bool zeroes, int32_t *error,
		      uint64_t *size, bool *writable)
{
	struct state *state = request->context;
	volatile uint8_t *at;

	iosc_memory_free(state->held);
	state->held = iosc_memory_take(channel_of(request), frame, zeroes ? IOSC_MEMORY_ZEROES : 0);
	*error = state->held ? 0 : errno;
	if (!state->held)
		return 0;
	*size = iosc_memory_size(state->held);
	*writable = iosc_memory_is_writable(state->held);
	at = iosc_memory_at(state->held);
	for (size_t i = 0; i < *size; i += PAGE)
		(void)at[i];
	return 0;
}

static int serve_look(struct iosc_request *request, bool *bus, uint8_t *first, bool *hung_up)
{
	struct state *state = request->context;
	struct pollfd pollfd = { .events = POLLIN };

	if (!state->held)
		return -ENOENT;
	*bus = touch_is_bus_error(iosc_memory_at(state->held));
	if (!*bus)
		*first = *(volatile uint8_t *)iosc_memory_at(state->held);
	pollfd.fd = iosc_memory_fd(state->held);
	*hung_up = poll(&pollfd, 1, 0) == 1 && pollfd.revents & POLLHUP;
	return 0;
}

static int serve_drop(struct iosc_request *request)
{
	struct state *state = request->context;

	iosc_memory_free(state->held);
	state->held = NULL;
	return 0;
}

static int serve_lend(struct iosc_request *request, uint64_t size, bool writable, uint32_t *frame,
		      int32_t *error)
{
	struct state *state = request->context;
	uint8_t *at;

	iosc_memory_free(state->own);
	state->own = iosc_memory_new(channel_of(request), size);
	*error = state->own ? 0 : errno;
	if (!state->own)
		return 0;
	at = iosc_memory_at(state->own);
	for (size_t i = 0; i < iosc_memory_size(state->own); i++)
		at[i] = i % 251;
	if (iosc_memory_grant(channel_of(request), state->own, 0, 0,
			      writable ? IOSC_MEMORY_WRITE : 0, frame))
		*error = errno;
	return 0;
}

static int serve_revoke(struct iosc_request *request, uint32_t frame, int32_t *error)
{
	*error = iosc_memory_revoke(channel_of(request), frame) ? errno : 0;
	return 0;
}

static int serve_free(struct iosc_request *request)
{
	struct state *state = request->context;

	iosc_memory_free(state->own);
	state->own = NULL;
	return 0;
}

/* The kernel cannot pin what can be taken back at any time */
static int serve_direct(struct iosc_request *request, int32_t *error)
{
	struct state *state = request->context;
	int ends[2];

	MUST(!pipe(ends));
	struct iovec part = { .iov_base = iosc_memory_at(state->held), .iov_len = PAGE };
	*error = vmsplice(ends[1], &part, 1, 0) < 0 ? errno : 0;
	close(ends[0]);
	close(ends[1]);
	return 0;
}

static void client_left(void *context, struct iosc_client *client)
{
	struct state *state = context;

	/* What is held is void now, and what was lent is not lent any more */
	if (state->held)
		printf("left %s\n", touch_is_bus_error(iosc_memory_at(state->held)) ? "void" : "valid");
	fflush(stdout);
	iosc_memory_free(state->held);
	iosc_memory_free(state->own);
	*state = (struct state){ };
}

static const struct frames_server server_table = {
	.add = serve_add,
	.hold = serve_hold,
	.look = serve_look,
	.drop = serve_drop,
	.lend = serve_lend,
	.revoke = serve_revoke,
	.free = serve_free,
	.direct = serve_direct,
	.left = client_left,
};

static void serve(const char *path)
{
	static struct state state;
	struct iosc_server *server = iosc_server_new(&frames_service, &server_table, &state);
	int error = iosc_server_add(server, path);

	if (error)
		errx(EXIT_FAILURE, "FAILED: %s: %s", path, strerror(-error));
	puts("open");
	fflush(stdout);
	while (error >= 0 || error == -EINTR)
		error = iosc_server_process(server, -1);
	printf("ended: %s\n", strerrorname_np(-error));
}

/* The client */

static struct iosc_caller *open_channel(const char *path, struct iosc **channel)
{
	struct iosc_caller *caller;

	*channel = iosc_open_path(path);
	MUST(*channel);
	caller = iosc_caller_new(*channel);
	MUST(caller);
	iosc_caller_set_timeout(caller, TIMEOUT);
	return caller;
}

/* Return: of an errno value; 0: success */
static int hold(struct iosc_caller *caller, unsigned int grant, bool zeroes, uint64_t *size,
		bool *writable)
{
	int32_t error;

	MUST(!frames_hold(caller, grant, zeroes, &error, size, writable));
	return error;
}

static void must_look(struct iosc_caller *caller, bool bus, uint8_t first, bool hung_up)
{
	bool is_bus, is_hung_up;
	uint8_t is_first;

	MUST(!frames_look(caller, &is_bus, &is_first, &is_hung_up));
	MUST(is_bus == bus && is_first == first && is_hung_up == hung_up);
}

static void drive_own(struct iosc_caller *caller, struct iosc *channel)
{
	struct iosc_memory *memory = iosc_memory_new(channel, MIB + 1);
	uint64_t sum = 0, size;
	unsigned int grant, part, other;
	uint8_t *at;
	int32_t error;
	bool writable;

	MUST(memory && iosc_memory_size(memory) == MIB + PAGE);
	at = iosc_memory_at(memory);
	for (size_t i = 0; i < MIB; i++)
		MUST(!at[i]);
	memset(at, 1, MIB + PAGE);

	/* All of it, to write */
	MUST(!iosc_memory_grant(channel, memory, 0, 0, IOSC_MEMORY_WRITE, &grant));
	MUST(!frames_add(caller, grant, 2, &error, &sum) && !error && sum == 3 * (MIB + PAGE));
	MUST(at[0] == 3 && at[MIB + PAGE - 1] == 3);
	/* Once more, as often as one likes */
	MUST(!frames_add(caller, grant, 1, &error, &sum) && !error && sum == 4 * (MIB + PAGE));

	/* A part of it, to read */
	MUST(!iosc_memory_grant(channel, memory, PAGE, 2 * PAGE, 0, &part));
	at[2 * PAGE] = 200;
	MUST(!frames_add(caller, part, 1, &error, &sum) && !error);
	MUST(sum == 4 * (2 * PAGE - 1) + 200 && at[PAGE] == 4);
	MUST(!hold(caller, part, false, &size, &writable) && size == 2 * PAGE && !writable);
	must_look(caller, false, 4, false);
	at[PAGE] = 77;
	must_look(caller, false, 77, false);
	MUST(!frames_direct(caller, &error) && error == EFAULT);

	/* Taken back: that one, and no other */
	MUST(!iosc_memory_revoke(channel, part));
	must_look(caller, true, 0, true);
	MUST(hold(caller, part, false, &size, &writable) == EBADF);
	MUST(!frames_add(caller, grant, 0, &error, &sum) && !error);
	MUST(!iosc_memory_revoke(channel, part));

	/* Zeroes in its place */
	MUST(!iosc_memory_grant(channel, memory, PAGE, PAGE, IOSC_MEMORY_WRITE, &part));
	MUST(!hold(caller, part, true, &size, &writable) && writable);
	must_look(caller, false, 77, false);
	MUST(!iosc_memory_revoke(channel, part));
	must_look(caller, false, 0, true);
	MUST(at[PAGE] == 77);

	/* Two grants of the same memory */
	MUST(!iosc_memory_grant(channel, memory, 0, 0, 0, &part));
	MUST(!iosc_memory_grant(channel, memory, 0, 0, 0, &other) && other != part);
	MUST(!hold(caller, part, false, &size, &writable));
	MUST(!iosc_memory_revoke(channel, other));
	must_look(caller, false, 4, false);

	/* Freeing it takes all back */
	iosc_memory_free(memory);
	for (unsigned int i = 0; i < 100; i++) {	/* the peer is told, and does not answer at once */
		bool bus, hung_up;
		uint8_t first;

		MUST(!frames_look(caller, &bus, &first, &hung_up));
		if (bus && hung_up)
			break;
		MUST(i < 99);
		usleep(20000);
	}
	MUST(!frames_drop(caller));
}

static void drive_theirs(struct iosc_caller *caller, struct iosc *channel)
{
	struct iosc_memory *memory;
	unsigned int grant;
	int32_t error;
	uint8_t *at;

	MUST(!frames_lend(caller, 5 * PAGE, false, &grant, &error) && !error);
	memory = iosc_memory_take(channel, grant, 0);
	MUST(memory && iosc_memory_size(memory) == 5 * PAGE && !iosc_memory_is_writable(memory));
	at = iosc_memory_at(memory);
	for (size_t i = 0; i < 5 * PAGE; i++)
		MUST(at[i] == i % 251);
	MUST(mprotect(at, PAGE, PROT_READ | PROT_WRITE) && errno == EACCES);
	MUST(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, iosc_memory_fd(memory), 0) ==
	     MAP_FAILED);
	MUST(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, iosc_memory_fd(memory), 5 * PAGE) == MAP_FAILED);
	MUST(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, iosc_memory_fd(memory), 0) == MAP_FAILED);
	MUST(!frames_revoke(caller, grant, &error) && !error);
	MUST(touch_is_bus_error(at) && touch_is_bus_error(at + 4 * PAGE));
	iosc_memory_free(memory);

	/* It can be lent again, is other memory, and writes reach it */
	MUST(!frames_lend(caller, PAGE, true, &grant, &error) && !error);
	memory = iosc_memory_take(channel, grant, IOSC_MEMORY_ZEROES);
	MUST(memory && iosc_memory_is_writable(memory));
	at = iosc_memory_at(memory);
	at[0] = 99;
	MUST(!frames_free(caller));
	for (unsigned int i = 0; i < 100 && *(volatile uint8_t *)at; i++)
		usleep(20000);
	MUST(!at[0]);
	at[0] = 5;
	MUST(at[0] == 5);
	iosc_memory_free(memory);
}

/* More grants than there can be, one after the other and at once; and none is lost */
static void drive_many(struct iosc_caller *caller, struct iosc *channel)
{
	struct iosc_memory *memory = iosc_memory_new(channel, PAGE);
	unsigned int grants[SIGMA_GRANTS], nr = 0;
	uint64_t sum;
	int32_t error;

	MUST(memory);
	for (unsigned int i = 0; i < MANY; i++) {
		MUST(!iosc_memory_grant(channel, memory, 0, 0, 0, &grants[0]));
		if (!(i % 100))
			MUST(!frames_add(caller, grants[0], 0, &error, &sum) && !error);
		MUST(!iosc_memory_revoke(channel, grants[0]));
	}
	while (nr < SIGMA_GRANTS && !iosc_memory_grant(channel, memory, 0, 0, 0, &grants[nr]))
		nr++;
	MUST(nr == SIGMA_GRANTS);
	MUST(iosc_memory_grant(channel, memory, 0, 0, 0, &grants[0]) && errno == EMFILE);
	iosc_memory_free(memory);
}

static void drive(const char *path)
{
	struct iosc *channel;
	struct iosc_caller *caller = open_channel(path, &channel);

	MUST(!frames_drop(caller));
	drive_own(caller, channel);
	drive_theirs(caller, channel);
	drive_many(caller, channel);
	iosc_caller_free(caller);
	iosc_close(channel);
	puts("driven");
}

static unsigned int fill_once(struct iosc *channel, struct iosc_memory **memories, unsigned int most)
{
	unsigned int nr = 0;

	while (nr < most) {
		memories[nr] = iosc_memory_new(channel, MIB);
		if (!memories[nr])
			break;
		memset(iosc_memory_at(memories[nr++]), 0xff, MIB);
	}
	MUST(nr == most || errno == ENOSPC);
	return nr;
}

/* What was freed is there again, and zeroed */
static void fill(const char *path, unsigned int most)
{
	struct iosc_memory **memories = calloc(most, sizeof(*memories));
	struct iosc *channel = iosc_open_path(path);
	unsigned int first, again;

	MUST(memories && channel);
	MUST(!iosc_memory_new(channel, (size_t)1 << 50) && errno == ENOSPC);
	MUST(!iosc_memory_new(channel, 0) && errno == EINVAL);
	first = fill_once(channel, memories, most);
	for (unsigned int i = 0; i < first; i++)
		iosc_memory_free(memories[i]);
	again = fill_once(channel, memories, most);
	MUST(first == again);
	for (unsigned int i = 0; i < again; i++)
		iosc_memory_free(memories[i]);
	memories[0] = iosc_memory_new(channel, MIB);
	MUST(memories[0]);
	for (unsigned int i = 0; i < MIB; i++)
		MUST(!((uint8_t *)iosc_memory_at(memories[0]))[i]);
	printf("room %u\n", first);
}

/* The object has what it had, and outlives what becomes of the peer */
static void keep(const char *path, bool all)
{
	struct iosc *channel;
	struct iosc_caller *caller = open_channel(path, &channel);
	struct iosc_memory *memory = iosc_memory_new(channel, MIB), *theirs;
	bool writable, is_bus, hung_up;
	unsigned int grant;
	char *at, *their_at;
	int32_t error;
	uint64_t size;
	uint8_t first;

	MUST(memory && !frames_drop(caller));
	at = iosc_memory_at(memory);
	memset(at, 'k', MIB);
	MUST(!iosc_memory_grant(channel, memory, 0, 0, IOSC_MEMORY_WRITE, &grant));
	MUST(!hold(caller, grant, false, &size, &writable));
	MUST(!frames_lend(caller, MIB, true, &grant, &error) && !error);
	theirs = iosc_memory_take(channel, grant, 0);
	MUST(theirs);
	their_at = iosc_memory_at(theirs);
	their_at[0] = 1;
	puts("keeps");
	fflush(stdout);
	while (!frames_look(caller, &is_bus, &first, &hung_up))
		usleep(100000);
	for (unsigned int i = 0; i < 3000 && !(touch_is_bus_error((uint8_t *)their_at) &&
					      (!all || touch_is_bus_error((uint8_t *)at))); i++)
		usleep(20000);
	printf("peer ended, theirs %s, own %s\n",
	       touch_is_bus_error((uint8_t *)their_at) ? "void" : "valid",
	       touch_is_bus_error((uint8_t *)at) ? "void" : at[MIB - 1] == 'k' ? "kept" : "lost");
}

static void wait_for_line(const char *say)
{
	char line[80];

	puts(say);
	fflush(stdout);
	MUST(fgets(line, sizeof(line), stdin));
}

static void revoke_asleep(const char *path)
{
	struct iosc *channel;
	struct iosc_caller *caller = open_channel(path, &channel);
	struct iosc_memory *memory = iosc_memory_new(channel, MIB);
	unsigned int grant;
	uint64_t size;
	bool writable;

	/* Once that was answered there is a session */
	MUST(memory && !frames_drop(caller));
	MUST(!iosc_memory_grant(channel, memory, 0, 0, 0, &grant));
	MUST(!hold(caller, grant, false, &size, &writable));
	wait_for_line("holds");
	MUST(!iosc_memory_revoke(channel, grant));
	memset(iosc_memory_at(memory), 's', MIB);
	wait_for_line("revoked");
	must_look(caller, true, 0, true);
	puts("void");
}

static void wild(const char *path, unsigned int first, unsigned int last)
{
	struct iosc *channel = iosc_open_path(path);
	struct sigma_object_grant grant = { .fd = 0 };
	struct sigma_object_take take = { .flags = 2 };
	struct sigma_object_new new = { .size = PAGE, .flags = 1 };
	struct iosc_memory *memory, *taken;
	struct pollfd pollfd = { .events = POLLIN };
	__u32 number = 0, other;
	int fd;

	MUST(channel);
	fd = iosc_fd(channel);
	memory = iosc_memory_new(channel, 2 * PAGE);
	MUST(memory);
	pollfd.fd = fd;
	/* The peer writes something first, so that the session stands */
	MUST(poll(&pollfd, 1, TIMEOUT) == 1);
	MUST(ioctl(fd, SIGMA_CHANNEL_NEW_OBJECT, &new) && errno == EINVAL);
	MUST(ioctl(fd, SIGMA_CHANNEL_NEW_OBJECT, NULL) && errno == EFAULT);
	MUST(ioctl(fd, SIGMA_CHANNEL_TAKE, &take) && errno == EINVAL);
	MUST(ioctl(fd, SIGMA_CHANNEL_REVOKE, &number) && errno == EBADF);
	MUST(ioctl(fd, SIGMA_CHANNEL_GRANT, &grant) && errno == EBADF);
	grant.fd = fd;
	MUST(ioctl(fd, SIGMA_CHANNEL_GRANT, &grant) && errno == EBADF);
	grant.fd = iosc_memory_fd(memory);
	grant.rights = 2;
	MUST(ioctl(fd, SIGMA_CHANNEL_GRANT, &grant) && errno == EINVAL);
	grant = (struct sigma_object_grant){ .fd = grant.fd, .offset = 2 * PAGE };
	MUST(ioctl(fd, SIGMA_CHANNEL_GRANT, &grant) && errno == EINVAL);
	grant = (struct sigma_object_grant){ .fd = grant.fd, .offset = PAGE, .size = -(__u64)PAGE };
	MUST(ioctl(fd, SIGMA_CHANNEL_GRANT, &grant) && errno == EINVAL);
	grant = (struct sigma_object_grant){ .fd = grant.fd, .offset = 1, .size = PAGE };
	MUST(ioctl(fd, SIGMA_CHANNEL_GRANT, &grant) && errno == EINVAL);
	for (unsigned int i = first; i <= last; i++) {
		taken = iosc_memory_take(channel, i, 0);
		printf("%u %s\n", i, taken ? "taken" : strerrorname_np(errno));
		if (!taken)
			continue;
		/* One's own cannot be passed on, nor taken for one's own */
		grant = (struct sigma_object_grant){ .fd = iosc_memory_fd(taken) };
		MUST(ioctl(fd, SIGMA_CHANNEL_GRANT, &grant) && errno == EBADF);
		(void)*(volatile char *)iosc_memory_at(taken);
		iosc_memory_free(taken);
	}
	/* Grants that the peer's kernel never lets go of */
	MUST(!iosc_memory_grant(channel, memory, 0, 0, 0, &number));
	MUST(!iosc_memory_grant(channel, memory, 0, 0, 0, &other));
	wait_for_line("granted");
	printf("first of two: %s\n", iosc_memory_revoke(channel, other) ? strerrorname_np(errno) : "done");
	printf("revoked: %s\n", iosc_memory_revoke(channel, number) ? strerrorname_np(errno) : "done");
	((char *)iosc_memory_at(memory))[0] = 's';
	printf("memory %s\n", ((volatile char *)iosc_memory_at(memory))[0] == 's' ? "kept" : "lost");
}

static void stream(const char *path, unsigned int mib, unsigned int count)
{
	struct iosc *channel;
	struct iosc_caller *caller = open_channel(path, &channel);
	struct iosc_memory *memory = iosc_memory_new(channel, mib * MIB);

	MUST(memory && !frames_drop(caller));
	for (unsigned int i = 0; i < count; i++) {
		unsigned int grant;
		uint64_t size;
		bool writable;

		memset(iosc_memory_at(memory), i, PAGE);
		MUST(!iosc_memory_grant(channel, memory, 0, 0, 0, &grant));
		MUST(!hold(caller, grant, false, &size, &writable) && size == mib * MIB);
		must_look(caller, false, i, false);
		MUST(!iosc_memory_revoke(channel, grant));
	}
	printf("streamed %u\n", count);
}

int main(int argc, char **argv)
{
	const char *verb = argc > 2 ? argv[1] : "";

	signal(SIGBUS, on_bus_error);
	signal(SIGPIPE, SIG_IGN);
	if (!strcmp(verb, "serve"))
		serve(argv[2]);
	else if (!strcmp(verb, "drive"))
		drive(argv[2]);
	else if (!strcmp(verb, "fill") && argc == 4)
		fill(argv[2], atoi(argv[3]));
	else if (!strcmp(verb, "keep"))
		keep(argv[2], argc > 3 && !strcmp(argv[3], "all"));
	else if (!strcmp(verb, "asleep"))
		revoke_asleep(argv[2]);
	else if (!strcmp(verb, "wild") && argc == 5)
		wild(argv[2], strtoul(argv[3], NULL, 0), strtoul(argv[4], NULL, 0));
	else if (!strcmp(verb, "stream") && argc == 5)
		stream(argv[2], atoi(argv[3]), atoi(argv[4]));
	else
		errx(EXIT_FAILURE, "see the comment on top of programs/objects.c");
	return EXIT_SUCCESS;
}
